"""What the outbox needs of the store, and what it shows of itself."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from monitor.notify import Result
from monitor.store import Pending


class Post(Protocol):
    """What the outbox needs of the store; each returns when it is durable."""

    async def pending(self, receiver: str | None = None, *, parked: bool = False) -> Sequence[Pending]:
        """Undelivered messages by receiver, lane, sequence; with `parked`, those too."""

    async def delivered(
        self, message: str, at: datetime, *, status: int | None = None, seconds: float = 0.0, detail: str = ""
    ) -> None:
        """The receiver has it."""

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
    """How one receiver stands: messages waiting for their first try or their turn, between tries, and parked (with what waits behind them).

    `alarm` is the last result that only a person can change, `failures` the tries that failed in a row, `since` when the first of them did.
    """

    receiver: str
    waiting: int
    retrying: int
    parked: int
    disabled: bool
    alarm: Result | None
    failures: int
    since: datetime | None
