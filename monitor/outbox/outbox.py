"""The outbox itself: takes in what was committed, hands it to its receiver's desk, starts and stops them all."""

import asyncio
import random
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

import structlog

from monitor.model import Message, Receiver
from monitor.notify import Delivery, patient
from monitor.outbox.desk import Deliver, Desk
from monitor.outbox.gatherer import Together
from monitor.outbox.lanes import Entry
from monitor.outbox.post import Post, Queue
from monitor.outbox.schedule import HOURLY, JITTER
from monitor.store import MessageState, Pending, Released, StoreError, StoreLostError

REMEMBERED: Final = 10_000
"""Ids of delivered messages that are known not to be news if they are offered again."""

LOOKED_BACK: Final = timedelta(hours=1)
"""What was sent in it is read at the start; no window in which messages are gathered is longer."""

_CHANCE: Final = random.SystemRandom()
_log = structlog.get_logger(__name__)


class Outbox:
    """One per daemon. `deliver` tries once and never raises; `now` is the wall clock, `jitter()` gives -1..1; waiting is by the loop's clock.

    `observe(receiver, delivery)` hears of every try, `gathered(receiver, count)` of messages that were delivered inside of one; `together` makes
    that one, without it each goes by itself. `run()` works until `stop()`; a lost store ends it with StoreLostError.
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
        together: Together | None = None,
        gathered: Callable[[str, int], None] = lambda _receiver, _count: None,
    ) -> None:
        self.store = store
        self.receivers = receivers
        self.deliver = deliver
        self.now = now
        self.jitter = jitter
        self.observe = observe
        self.together = together
        self.gathered = gathered
        self.stopping = False
        self._desks: dict[str, Desk] = {}
        self._known: set[str] = set()
        self._delivered: OrderedDict[str, None] = OrderedDict()
        self._former: defaultdict[str, list[Released]] = defaultdict(list)
        self._recalled = self._open = False
        self._again = asyncio.Event()
        self._group: asyncio.TaskGroup | None = None
        self._finished = asyncio.Event()

    async def run(self) -> None:
        """Take up what the store says is undelivered, then deliver until stopped."""
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                # Nobody begins before what is older is known: news that came meanwhile waits behind it.
                await self._recall()
                await self._take_up()
                self._open = True
                for desk in self._desks.values():
                    desk.open(group)
                while not self.stopping:
                    await self._again.wait()
                    self._again.clear()
                    if not self.stopping:
                        await self._take_up()
        finally:
            self._group, self._open = None, False
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
                arrived = asyncio.get_running_loop().time()
                entry = Entry(message, 0, self.now(), patient=patient(message), arrived=arrived)
                self._enter(entry, due=0.0, parked=False)

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

    def known(self, message: str) -> None:
        """It was made here: it is no news when the store speaks of it."""
        self._known.add(message)

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
            clock = asyncio.get_running_loop().time()
            entry = Entry(
                message,
                pending.attempts,
                pending.since,
                patient=patient(message),
                released=pending.released or pending.attempts > 0,
                told_in=pending.told_in,
                arrived=clock - max((self.now() - pending.since).total_seconds(), 0.0),
            )
            self._enter(entry, due=clock + wait, parked=parked)

    async def _recall(self) -> None:
        """What was sent lately, by whoever ran before: a restart in a storm gives nobody more messages."""
        while not self.stopping:
            try:
                rows = await self.store.released(self.now() - LOOKED_BACK)
            except StoreLostError:
                raise
            except StoreError as error:
                _log.warning("outbox.unread", error=str(error))
                await asyncio.sleep(1.0)
                continue
            self._former = defaultdict(list)
            for row in rows:
                self._former[row.receiver].append(row)
            self._recalled = True
            for name, desk in self._desks.items():
                self._remind(name, desk)
            return

    def _remind(self, name: str, desk: Desk) -> None:
        """Tell a desk what was sent before it was there."""
        if self._recalled:
            clock = asyncio.get_running_loop().time()
            desk.gatherer.recall(self._former.pop(name, ()), self.now(), clock)
            desk.wake()

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
            self._remind(name, desk)
            if self._group is not None and self._open:
                desk.open(self._group)
        desk.enter(entry, due=due, parked=parked)


def _idle(name: str) -> Queue:
    return Queue(
        receiver=name, waiting=0, retrying=0, parked=0, held=0, disabled=False, alarm=None, failures=0, since=None
    )
