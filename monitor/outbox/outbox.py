"""The outbox itself: takes in what was committed, hands it to its receiver's desk, starts and stops them all."""

import asyncio
import random
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final

import structlog

from monitor.model import Message, Receiver
from monitor.notify import Delivery
from monitor.outbox.desk import Deliver, Desk, Entry
from monitor.outbox.post import Post, Queue
from monitor.outbox.schedule import HOURLY, JITTER
from monitor.store import MessageState, Pending, StoreError, StoreLostError

REMEMBERED: Final = 10_000
"""Ids of delivered messages that are known not to be news if they are offered again."""


_CHANCE: Final = random.SystemRandom()
_log = structlog.get_logger(__name__)


class Outbox:
    """One per daemon. `deliver` tries once and never raises; `now` is the wall clock, `jitter()` gives -1..1; waiting is by the loop's clock.

    `observe(receiver, delivery)` hears of every try. `run()` works until `stop()`; a lost store ends it with StoreLostError.
    """

    def __init__(
        self,
        store: Post,
        receivers: Mapping[str, Receiver],
        deliver: Deliver,
        *,
        now: Callable[[], datetime],
        jitter: Callable[[], float] = lambda: _CHANCE.uniform(-1, 1),
        observe: Callable[[str, Delivery], None] = lambda _receiver, _delivery: None,
    ) -> None:
        self.store = store
        self.receivers = receivers
        self.deliver = deliver
        self.now = now
        self.jitter = jitter
        self.observe = observe
        self.stopping = False
        self._desks: dict[str, Desk] = {}
        self._known: set[str] = set()
        self._delivered: OrderedDict[str, None] = OrderedDict()
        self._again = asyncio.Event()
        self._group: asyncio.TaskGroup | None = None
        self._finished = asyncio.Event()

    async def run(self) -> None:
        """Take up what the store says is undelivered, then deliver until stopped."""
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                self._again.set()
                for desk in self._desks.values():
                    desk.open(group)
                while True:
                    await self._again.wait()
                    self._again.clear()
                    if self.stopping:
                        break
                    await self._take_up()
        finally:
            self._group = None
            self._finished.set()

    async def stop(self, within: float) -> None:
        """Start nothing more; let what is in flight end for `within` seconds, then cut it off: it stays pending."""
        self.stopping = True
        if self._group is None:
            return
        self._again.set()
        for desk in self._desks.values():
            desk.wake()
        try:
            async with asyncio.timeout(within):
                await self._finished.wait()
        except TimeoutError:
            for desk in self._desks.values():
                desk.cut()
            await self._finished.wait()

    def offer(self, messages: Iterable[Message]) -> None:
        """These have just been committed. Offering one again, even a delivered one, is nothing."""
        for message in messages:
            if message.id not in self._known and message.id not in self._delivered:
                self._enter(Entry(message, 0, self.now()), due=0.0, parked=False)

    def wake(self) -> None:
        """The store's messages changed by another way than `offer` (a person took some out of parking): read them again."""
        self._again.set()

    def reload(self, receivers: Mapping[str, Receiver]) -> None:
        """Go on with these receivers; what was given up for one that is there now, new or changed or not, is tried again."""
        self.receivers = receivers
        for desk in self._desks.values():
            desk.reopen()

    def queues(self) -> tuple[Queue, ...]:
        """How every receiver stands, those without a message too, by name."""
        names = sorted({*self.receivers, *self._desks})
        return tuple(self._desks[name].view() if name in self._desks else _idle(name) for name in names)

    def settled(self, message: str) -> None:
        """It is delivered and recorded."""
        self._known.discard(message)
        self._delivered[message] = None
        while len(self._delivered) > REMEMBERED:
            self._delivered.popitem(last=False)

    async def _take_up(self) -> None:
        for pending in await self._read():
            message = pending.message
            parked = pending.state is MessageState.PARKED
            if message.id in self._delivered:
                continue
            if message.id in self._known:
                if not parked:
                    self._desks[message.receiver].resume(message)
                continue
            left = (pending.next_at - self.now()).total_seconds() if pending.next_at else 0.0
            # A wall clock that was set back meanwhile must not make anybody wait for longer than the longest step.
            wait = min(max(left, 0.0), HOURLY * (1 + JITTER))
            due = asyncio.get_running_loop().time() + wait
            self._enter(Entry(message, pending.attempts, pending.since), due=due, parked=parked)

    async def _read(self) -> Sequence[Pending]:
        while True:
            try:
                return await self.store.pending(parked=True)
            except StoreLostError:
                raise
            except StoreError as error:
                _log.warning("outbox.unread", error=str(error))
                await asyncio.sleep(1.0)
                if self.stopping:
                    return ()

    def _enter(self, entry: Entry, *, due: float, parked: bool) -> None:
        self._known.add(entry.message.id)
        name = entry.message.receiver
        desk = self._desks.get(name)
        if desk is None:
            desk = self._desks[name] = Desk(self, name)
            if self._group is not None:
                desk.open(self._group)
        desk.enter(entry, due=due, parked=parked)


def _idle(name: str) -> Queue:
    return Queue(receiver=name, waiting=0, retrying=0, parked=0, disabled=False, alarm=None, failures=0, since=None)
