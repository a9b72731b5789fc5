"""What waits for one receiver: messages, and the lanes in which they stand one behind the other.

Owns: what is known of a message that is not delivered yet. Never: sends or stores.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from monitor.model import EventType, Message
from monitor.notify import Result

ABOUT_THE_MESSAGE: Final = frozenset({Result.REJECTED, Result.BUG})


@dataclass(slots=True)
class Entry:
    """A message that is not delivered yet: tried `attempts` times, its 72 hours counted from `since`.

    A `patient` one may wait for others from `arrived` (loop time) on, until it is `released` to leave by itself, or told in the message
    `told_in`; which of the two is durable before anything is sent, so that it is never told under two ids.
    """

    message: Message
    attempts: int
    since: datetime
    patient: bool = False
    released: bool = False
    told_in: str = ""
    arrived: float = 0.0

    @property
    def waits(self) -> bool:
        """Whether it may still be told together with others."""
        return self.patient and not self.released and not self.told_in

    @property
    def follows(self) -> bool:
        """Whether it may leave together with what waits before it, though it would not wait by itself."""
        return self.message.type is EventType.ACKNOWLEDGED and not self.attempts and not self.told_in


@dataclass(slots=True)
class Lane:
    """Messages of one incident to one receiver. `due` is loop time; only the head is ever in flight."""

    queue: list[Entry] = field(default_factory=list)
    due: float = 0.0
    busy: bool = False
    parked: bool = False
    ticket: int = -1
    result: Result | None = None
    """What became of the head's last try, when it failed."""

    @property
    def refused(self) -> bool:
        """Whether it is about this message alone: the receiver's return changes nothing for it."""
        return self.result in ABOUT_THE_MESSAGE

    def wait_from(self, now: float) -> None:
        """What may leave together begins to wait now: until now it stood behind something, or was given up."""
        for entry in self.run:
            entry.arrived = now

    @property
    def run(self) -> list[Entry]:
        """What may leave together, from the head on."""
        found: list[Entry] = []
        for entry in self.queue:
            if not (entry.waits or (found and entry.follows)):
                break
            found.append(entry)
        return found
