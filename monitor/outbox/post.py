"""What the outbox needs of the store, and what it shows of itself."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from monitor.model import Message
from monitor.notify import Result
from monitor.store import Pending, Released


class Post(Protocol):
    """What the outbox needs of the store; each returns when it is durable."""

    async def pending(self, receiver: str | None = None, *, parked: bool = False) -> Sequence[Pending]:
        """Undelivered messages by receiver, lane, sequence; with `parked`, those too."""

    async def released(self, since: datetime) -> Sequence[Released]:
        """What was let go since then, and all that was about incidents still active; the oldest first."""

    async def release(self, messages: Sequence[str], at: datetime) -> None:
        """They leave by themselves, and may not be told inside of another any more."""

    async def gather(self, message: Message, told: Sequence[str], at: datetime) -> None:
        """A message is made that tells these others; it leaves now, they never do."""

    async def delivered(
        self,
        message: str,
        at: datetime,
        *,
        status: int | None = None,
        seconds: float = 0.0,
        detail: str = "",
        told: Sequence[str] = (),
    ) -> None:
        """The receiver has it, and with it what was `told` in it."""

    async def attempt(
        self,
        message: str,
        at: datetime,
        *,
        next_at: datetime,
        result: str = "failed",
        status: int | None = None,
        seconds: float = 0.0,
        detail: str = "",
    ) -> None:
        """It did not arrive; to be tried again at `next_at`."""

    async def park(self, message: str, at: datetime, *, detail: str = "") -> None:
        """Stop trying for now."""

    async def unpark(self, now: datetime, *, message: str | None = None, receiver: str | None = None) -> int:
        """Parked messages are pending again, for another 72 hours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """How one receiver stands: messages waiting for their first try or their turn, between tries, and parked (with what waits behind them);
    `held` are those that wait to be told together.

    `alarm` is the last result that only a person can change, `failures` the tries that failed in a row, `since` when the first of them did.
    """

    receiver: str
    waiting: int
    retrying: int
    parked: int
    held: int
    disabled: bool
    alarm: Result | None
    failures: int
    since: datetime | None
