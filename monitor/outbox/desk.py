"""The deliveries to one receiver: its lanes, its tries, and how it stands.

Owns: the order inside a lane, and how much is in flight. Never: shares anything with another receiver's desk.
"""

import asyncio
import heapq
import itertools
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final, Protocol

import structlog

from monitor.model import Message, Receiver
from monitor.notify import Delivery, Result
from monitor.outbox.gatherer import Gatherer, Together
from monitor.outbox.lanes import Entry, Lane
from monitor.outbox.post import Post, Queue
from monitor.outbox.schedule import spent, wait_after
from monitor.store import StoreError, StoreLostError

LANES: Final = 4
"""Deliveries to one receiver in flight together; one alone while it is in trouble."""

EARLY: Final = 0.001
"""Seconds: a timer may ring a little before its time; what is due then is due now."""

_log = structlog.get_logger(__name__)

Deliver = Callable[[Receiver, Message], Awaitable[Delivery]]


class Office(Protocol):
    """What a desk asks of the outbox it belongs to."""

    store: Post
    receivers: Mapping[str, Receiver]
    deliver: Deliver
    now: Callable[[], datetime]
    jitter: Callable[[], float]
    observe: Callable[[str, Delivery], None]
    together: Together | None
    gathered: Callable[[str, int], None]
    stopping: bool

    def settled(self, message: str) -> None:
        """It is delivered and recorded."""

    def known(self, message: str) -> None:
        """It was made here: it is no news when the store speaks of it."""


class Desk:
    """The deliveries to one receiver: a dead one delays no other, for none shares anything with it."""

    def __init__(self, office: Office, name: str) -> None:
        self.office = office
        self.name = name
        self.lanes: dict[str, Lane] = {}
        self.heap: list[tuple[float, int, str]] = []
        self.tickets = itertools.count()
        self.flying: set[asyncio.Task[None]] = set()
        self.stirred = asyncio.Event()
        self.proven = False
        self.disabled = False
        self.failures = 0
        self.quiet_until = 0.0
        self.since: datetime | None = None
        self.failed_at: float | None = None
        self.gatherer = Gatherer(self)
        self.group: asyncio.TaskGroup | None = None

    def open(self, group: asyncio.TaskGroup) -> None:
        """Begin to work."""
        self.group = group
        group.create_task(self._work(), name=f"outbox {self.name}")

    def wake(self) -> None:
        """Look again at what is due."""
        self.stirred.set()

    def cut(self) -> None:
        """Give up what is in flight."""
        for task in self.flying:
            task.cancel()

    def enter(self, entry: Entry, *, due: float, parked: bool) -> None:
        """A message more; its lane keeps the order of sequences whatever the order of arrival."""
        lane = self.lanes.setdefault(entry.message.lane, Lane())
        at = len(lane.queue)
        while at > int(lane.busy) and lane.queue[at - 1].message.sequence > entry.message.sequence:
            at -= 1
        lane.queue.insert(at, entry)
        lane.parked = lane.parked or parked
        if entry.told_in:
            self.gatherer.carry(entry.told_in, entry.message.lane)
        if at == 0:
            self.ready(entry.message.lane, lane, due)
        elif entry.message.lane in self.gatherer.held:
            self.wake()

    def resume(self, message: Message) -> None:
        """The store says that the message is pending: if it was parked here, it no longer is."""
        lane = self.lanes.get(message.lane)
        if lane and lane.parked and lane.queue[0].message.id == message.id:
            self._revive(message.lane, lane)

    def reopen(self) -> None:
        """The configuration was loaded again."""
        self.disabled, self.proven, self.quiet_until = False, False, 0.0
        if self.name in self.office.receivers and self.group is not None:
            self._launch(self._revive_all(refused=True), "outbox reload")
        self.wake()

    def view(self) -> Queue:
        """How it stands."""
        behind = {name for message in self._parked() for name in self.gatherer.told.get(message, ())}
        parked = sum(len(lane.queue) for name, lane in self.lanes.items() if lane.parked or name in behind)
        held = self.gatherer.count()
        retrying = sum(1 for lane in self.lanes.values() if not lane.parked and lane.queue and lane.queue[0].attempts)
        total = sum(len(lane.queue) for lane in self.lanes.values())
        return Queue(
            receiver=self.name,
            waiting=total - parked - retrying - held,
            retrying=retrying,
            parked=parked,
            held=held,
            disabled=self.disabled,
            alarm=self._alarm(),
            failures=self.failures,
            since=self.since,
        )

    def _parked(self) -> list[str]:
        return [lane.queue[0].message.id for lane in self.lanes.values() if lane.parked]

    def _alarm(self) -> Result | None:
        if self.disabled:
            return Result.GONE
        return next((lane.result for lane in self.lanes.values() if lane.result and lane.result.alarming), None)

    @property
    def receiver(self) -> Receiver | None:
        """Whom it sends to; None while there is nobody."""
        return None if self.disabled else self.office.receivers.get(self.name)

    @property
    def failing_since(self) -> float | None:
        """Loop time; None while the receiver answers, or nothing is being tried."""
        trying = any(lane.queue[0].attempts and not lane.parked for lane in self.lanes.values())
        return self.failed_at if self.failures and trying else None

    @property
    def store(self) -> Post:
        """Where it is durable."""
        return self.office.store

    @property
    def together(self) -> Together | None:
        """Makes one message of many."""
        return self.office.together

    def now(self) -> datetime:
        """The wall clock."""
        return self.office.now()

    def adopt(self, message: Message) -> None:
        """A message more, made and stored by us."""
        self.office.known(message.id)
        self.enter(Entry(message, 0, self.now(), released=True), due=0.0, parked=False)

    def ready(self, name: str, lane: Lane, due: float) -> None:
        """A lane's head has changed, or what may become of it: it is tried, waits for others, or is told in another message."""
        head = lane.queue[0]
        if head.told_in:
            lane.ticket = -1
        elif head.waits and not lane.parked and self.receiver is not None:
            lane.ticket = -1
            self.gatherer.hold(name)
            self.wake()
        else:
            self.gatherer.free(name)
            self.schedule(name, lane, due)

    def schedule(self, name: str, lane: Lane, due: float) -> None:
        """Its head may be tried from `due` on; an earlier entry of the heap is void by its old ticket."""
        lane.due, lane.ticket = due, next(self.tickets)
        heapq.heappush(self.heap, (due, lane.ticket, name))
        self.wake()

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        while not self.office.stopping:
            self.stirred.clear()
            work, look = self.gatherer.look(loop.time() + EARLY)
            if work is not None:
                self._launch(work, f"outbox {self.name} gathers")
            due = min((at for at in (self._start(loop.time()), look) if at is not None), default=None)
            try:
                async with asyncio.timeout_at(due):
                    await self.stirred.wait()
            except TimeoutError:
                continue

    def _start(self, now: float) -> float | None:
        """Begin what is due as far as there is room; gives when the next one will be, None when nothing waits for the clock."""
        room = LANES if self.failures == 0 else 1
        while self.heap:
            due, ticket, name = self.heap[0]
            lane = self.lanes.get(name)
            if lane is None or lane.ticket != ticket or lane.busy or lane.parked:
                heapq.heappop(self.heap)
                continue
            if len(self.flying) >= room:
                return None
            due = max(due, self.quiet_until)
            if due > now + EARLY:
                return due
            heapq.heappop(self.heap)
            lane.busy = True
            self._launch(self._try(name, lane), f"outbox {self.name} {name}")
        return None

    def _launch(self, work: Coroutine[Any, Any, None], name: str) -> None:
        assert self.group is not None
        task = self.group.create_task(work, name=name)
        self.flying.add(task)
        task.add_done_callback(self._landed)

    def _landed(self, task: asyncio.Task[None]) -> None:
        self.flying.discard(task)
        self.wake()

    async def _try(self, name: str, lane: Lane) -> None:
        """One try of the lane's head, and what follows from it."""
        office, entry = self.office, lane.queue[0]
        receiver = office.receivers.get(self.name)
        if receiver is None or self.disabled:
            await self._park(lane, "the receiver is gone" if self.disabled else "there is no receiver of this name")
            return
        if entry.waits:
            # The receiver was taken out and is there again, before this was parked.
            lane.busy = False
            self.ready(name, lane, 0.0)
            return
        at = office.now()
        delivery = await office.deliver(receiver, entry.message)
        office.observe(self.name, delivery)
        if delivery.result is Result.DELIVERED:
            await self._arrived(name, lane, at, delivery)
            return
        entry.attempts += 1
        lane.result = delivery.result
        if not lane.refused:
            self.failures += 1
            self.since = self.since or at
            self.failed_at = self.failed_at or asyncio.get_running_loop().time()
        _log.warning(
            "delivery.failed",
            receiver=self.name,
            message=entry.message.id,
            result=delivery.result.value,
            tries=entry.attempts,
        )
        self.disabled = self.disabled or delivery.result is Result.GONE
        if self.disabled or spent(entry.attempts, at - entry.since):
            await self._park(lane, delivery.detail)
            return
        wait = wait_after(entry.attempts, delivery, office.jitter())
        clock = asyncio.get_running_loop().time()
        if delivery.retry_after is not None:
            # It asked to be left alone, not to be asked about something else.
            self.quiet_until = max(self.quiet_until, clock + delivery.retry_after)
        lane.busy = False
        self.schedule(name, lane, clock + wait)
        await self._note(entry.message.id, at, wait, delivery)

    async def _arrived(self, name: str, lane: Lane, at: datetime, delivery: Delivery) -> None:
        """Record it, for as long as it takes: what has been sent is not sent again because the database was busy."""
        entry = lane.queue[0]
        message, told = entry.message.id, self.gatherer.messages_in(entry.message.id)
        await self.insist(
            lambda: self.office.store.delivered(
                message, at, status=delivery.status, seconds=delivery.seconds, detail=delivery.detail, told=told
            )
        )
        lane.queue.pop(0)
        lane.busy, lane.result = False, None
        for each in (message, *told):
            self.office.settled(each)
        if told:
            self.gatherer.arrived(message)
            self.office.gathered(self.name, len(told))
        back = self.failures > 0 or not self.proven
        self.proven, self.failures, self.since, self.failed_at = True, 0, None, None
        if lane.queue:
            clock = asyncio.get_running_loop().time()
            lane.wait_from(clock)
            self.ready(name, lane, clock)
        else:
            del self.lanes[name]
        if back and not self.disabled:
            await self._revive_all()

    async def _note(self, message: str, at: datetime, wait: float, delivery: Delivery) -> None:
        """Record a failed try. If that fails too, the next one is recorded, or a restart begins a little earlier in the schedule."""
        try:
            await self.office.store.attempt(
                message,
                at,
                next_at=self.office.now() + timedelta(seconds=wait),
                result=delivery.result.value,
                status=delivery.status,
                seconds=delivery.seconds,
                detail=delivery.detail,
            )
        except StoreLostError:
            raise
        except StoreError as error:
            _log.warning("delivery.unrecorded", message=message, error=str(error))

    async def _park(self, lane: Lane, detail: str) -> None:
        """Keep the lane as it is, and stop knocking: what comes after the head in its order waits behind it."""
        message = lane.queue[0].message.id
        lane.parked, lane.busy = True, False
        _log.error("delivery.parked", receiver=self.name, message=message, behind=len(lane.queue) - 1, detail=detail)
        await self.insist(lambda: self.office.store.park(message, self.office.now(), detail=detail))

    async def _revive_all(self, *, refused: bool = False) -> None:
        """The receiver answers: what waits for it goes now, in its order, the parked with it; what it `refused`, only when asked to."""
        for name, lane in list(self.lanes.items()):
            if lane.busy or (lane.refused and not refused):
                continue
            if lane.parked:
                message = lane.queue[0].message.id
                await self.insist(partial(self.office.store.unpark, self.office.now(), message=message))
            self._revive(name, lane)

    def _revive(self, name: str, lane: Lane) -> None:
        if lane.parked:
            lane.parked = False
            lane.queue[0].attempts, lane.queue[0].since = 0, self.office.now()
            lane.wait_from(asyncio.get_running_loop().time())
        self.ready(name, lane, asyncio.get_running_loop().time())

    async def insist(self, write: Callable[[], Awaitable[object]]) -> None:
        """Write until it is written."""
        wait = 0.5
        while True:
            try:
                await write()
            except StoreLostError:
                raise
            except StoreError as error:
                _log.warning("outbox.unrecorded", receiver=self.name, error=str(error))
                await asyncio.sleep(wait)
                wait = min(wait * 2, 30.0)
            else:
                return
