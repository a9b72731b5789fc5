"""The nouns of a line's load: five minutes, and a day."""

from dataclasses import dataclass
from datetime import date, datetime

MEASURED = 0.8
"""Share of a day's samples below which nothing is said of the day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkSample:
    """Mean utilisation of a check's line over the five minutes from `at` on, as a share of its capacity, for each direction."""

    check: str
    at: datetime
    received: float
    sent: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkDay:
    """One day of a check's line: the 95th percentile of its samples for each direction, of so many out of those a whole day has."""

    check: str
    day: date
    received: float
    sent: float
    samples: int
    expected: int

    @property
    def measured(self) -> bool:
        """Whether there are enough samples to say anything."""
        return self.samples >= MEASURED * self.expected
