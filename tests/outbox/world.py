"""A store that forgets nothing and receivers that follow a script: what the outbox is tried against in virtual time."""

import asyncio
import contextlib
import random
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from monitor.model import EventType, Message, Receiver
from monitor.notify import Delivery, Result, message_id
from monitor.outbox import Outbox
from monitor.store import MessageState, Pending, Released, StoreError

START = datetime(2026, 11, 21, 14, 0, tzinfo=UTC)
GOOD = Delivery(result=Result.DELIVERED, status=204)
DEAD = Delivery(result=Result.UNREACHABLE, detail="ECONNREFUSED")


def failing(status: int, result: Result, retry_after: float | None = None) -> Delivery:
    return Delivery(result=result, status=status, retry_after=retry_after, detail=f"HTTP {status}")


def message(receiver: str, lane: str, sequence: int) -> Message:
    return Message(
        id=message_id(receiver, lane, sequence),
        receiver=receiver,
        lane=lane,
        sequence=sequence,
        type=EventType.UPDATED,
        created_at=START,
        body=f'{{"lane":"{lane}","sequence":{sequence}}}'.encode(),
    )


@dataclass
class Post:
    """Survives every outbox that uses it. `trouble` makes that many of the next writes fail."""

    rows: dict[str, Pending] = field(default_factory=dict)
    trouble: int = 0
    slow: float = 0.0
    left: dict[str, Released] = field(default_factory=dict)

    def commit(self, *messages: Message, at: datetime = START) -> None:
        for each in messages:
            self.rows.setdefault(each.id, Pending(message=each, since=at))

    def count(self, state: MessageState) -> int:
        return sum(row.state is state for row in self.rows.values())

    async def _write(self) -> None:
        await asyncio.sleep(self.slow)
        if self.trouble:
            self.trouble -= 1
            raise StoreError("database is locked")

    async def pending(self, receiver: str | None = None, *, parked: bool = False) -> Sequence[Pending]:
        wanted = {MessageState.PENDING, MessageState.PARKED} if parked else {MessageState.PENDING}
        rows = [row for row in self.rows.values() if row.state in wanted and receiver in (None, row.message.receiver)]
        return sorted(rows, key=lambda row: (row.message.receiver, row.message.lane, row.message.sequence))

    async def delivered(self, message: str, at: datetime, *, told: Sequence[str] = (), **_keys: object) -> None:
        await self._write()
        for each in (message, *told):
            self.rows[each] = replace(self.rows[each], state=MessageState.DELIVERED)

    async def released(self, since: datetime) -> Sequence[Released]:
        await asyncio.sleep(self.slow)
        return sorted(self.left.values(), key=lambda row: row.at)

    async def release(self, messages: Sequence[str], at: datetime) -> None:
        await self._write()
        for each in messages:
            self._leave(each, at)

    async def gather(self, message: Message, told: Sequence[str], at: datetime) -> None:
        await self._write()
        self.commit(message, at=at)
        self._leave(message.id, at)
        for each in told:
            self._leave(each, at, told_in=message.id)

    def _leave(self, message: str, at: datetime, told_in: str = "") -> None:
        row = self.rows[message]
        assert not row.told_in, "told under two ids"
        assert not (told_in and row.released), "told under two ids"
        self.rows[message] = replace(row, released=True, told_in=told_in)
        own = row.message
        self.left[message] = Released(
            message=message, receiver=own.receiver, lane=own.lane, type=own.type, at=at, told_in=told_in
        )

    async def attempt(self, message: str, at: datetime, *, next_at: datetime, **_keys: object) -> None:
        await self._write()
        row = self.rows[message]
        self.rows[message] = replace(row, attempts=row.attempts + 1, next_at=next_at)

    async def park(self, message: str, at: datetime, *, detail: str = "") -> None:
        await self._write()
        self.rows[message] = replace(self.rows[message], state=MessageState.PARKED)

    async def unpark(self, now: datetime, *, message: str | None = None, receiver: str | None = None) -> int:
        await self._write()
        chosen = [
            key
            for key, row in self.rows.items()
            if row.state is MessageState.PARKED and message in (None, key) and receiver in (None, row.message.receiver)
        ]
        for key in chosen:
            self.rows[key] = replace(self.rows[key], state=MessageState.PENDING, attempts=0, next_at=None, since=now)
        return len(chosen)


@dataclass
class Town:
    """Receivers by name: `answers` gives what one says now, `log` is what each was sent, when (loop time)."""

    answers: dict[str, Callable[[Message], Delivery]] = field(default_factory=dict)
    log: list[tuple[float, str, Message]] = field(default_factory=list)
    delay: dict[str, float] = field(default_factory=lambda: defaultdict(lambda: 0.01))
    flying: Counter[str] = field(default_factory=Counter)
    most: Counter[str] = field(default_factory=Counter)

    async def deliver(self, receiver: Receiver, message: Message) -> Delivery:
        name = receiver.name
        self.flying[name] += 1
        self.most[name] = max(self.most[name], self.flying[name])
        try:
            self.log.append((asyncio.get_running_loop().time(), name, message))
            said = self.answers.get(name, lambda _message: GOOD)(message)
            await asyncio.sleep(self.delay[name])
            return said
        finally:
            self.flying[name] -= 1

    def sent(self, receiver: str) -> list[Message]:
        return [each for _, name, each in self.log if name == receiver]

    def times(self, receiver: str) -> list[float]:
        return [at for at, name, _ in self.log if name == receiver]


def receivers(*names: str) -> Mapping[str, Receiver]:
    return {name: Receiver(name=name, kind="webhook", spec=None) for name in names}


@contextlib.asynccontextmanager
async def running(
    post: Post,
    town: Town,
    *names: str,
    seed: int | None = None,
    now: Callable[[], datetime] | None = None,
    within: float = 30,
) -> AsyncIterator[Outbox]:
    """An outbox at work; without a `seed` nothing is left to chance. Its wall clock goes with the loop's unless given."""
    loop = asyncio.get_running_loop()
    chance = random.Random(seed)
    outbox = Outbox(
        post,
        receivers(*names),
        town.deliver,
        now=now or (lambda: START + timedelta(seconds=loop.time())),
        jitter=(lambda: 0.0) if seed is None else (lambda: chance.uniform(-1, 1)),
    )
    task = loop.create_task(outbox.run())
    try:
        yield outbox
        await outbox.stop(within)
        await task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
