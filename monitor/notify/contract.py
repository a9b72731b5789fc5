"""What a delivery is, and the table row that makes a function a kind of receiver.

Owns: the closed list of results and what each one means for the next try.
Never: sends, waits or remembers; the outbox does.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from monitor.model import Message

if TYPE_CHECKING:
    from monitor.notify.courier import Courier


class Result(StrEnum):
    """What became of one try: a closed list, each one a metric label value."""

    DELIVERED = "delivered"
    # The receiver is in trouble, or the way to it is: it will pass, try soon.
    RETRY = "retry"
    THROTTLED = "throttled"
    TIMEOUT = "timeout"
    UNREACHABLE = "unreachable"
    # Somebody has to change something: try slowly, raise an alarm.
    REJECTED = "rejected"
    CREDENTIALS = "credentials"
    CERTIFICATE = "certificate"
    REDIRECTED = "redirected"
    BLOCKED = "blocked"
    UNSUPPORTED = "unsupported"
    BUG = "bug"
    # The receiver says that it is no more: stop until the configuration is loaded again.
    GONE = "gone"

    @property
    def passing(self) -> bool:
        """Whether it is trouble that passes by itself, the same for every message of the receiver."""
        return self in PASSING

    @property
    def alarming(self) -> bool:
        """Whether it stays until a person changes something."""
        return self is not Result.DELIVERED and self not in PASSING


PASSING = frozenset({Result.RETRY, Result.THROTTLED, Result.TIMEOUT, Result.UNREACHABLE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One try. `retry_after` and `seconds` are durations in seconds; `detail` is our own words, never a byte of what the receiver said."""

    result: Result
    status: int | None = None
    retry_after: float | None = None
    seconds: float = 0.0
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One row of `monitor.notify.KINDS`.

    `spec` is a frozen, slotted, keyword-only dataclass with a pydantic configuration (unknown keys forbidden); the settings build it from
    the file. `deliver` may raise what the network raises: `monitor.notify.deliver` bounds and classifies it.
    """

    name: str
    spec: type[Any]
    deliver: Callable[[Any, Message, "Courier", datetime], Awaitable[Delivery]]
    summary: str
