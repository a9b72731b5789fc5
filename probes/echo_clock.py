"""From the kernel's stamps to round trips.

Owns: the distance between the two clocks. Round-trip times are differences of the monotonic clock; the kernel stamps a packet's arrival with
the wall clock, and the distance between the two, read with every batch, carries that stamp over.
Never: trusts the wall clock. When the distance has jumped, it was stepped, and the moment of reading stands in for the stamp.
"""

from collections.abc import Callable
from typing import Final

STEP: Final = 1_000_000
"""Nanoseconds the distance of the two clocks may differ between two readings before it is called a step."""

CLOSE: Final = 2_000
"""Nanoseconds between two readings of one clock, with one of the other in between, that are close enough together."""

TRIES: Final = 5
"""Readings at the most: one that was interrupted would tell the distance wrong by half of the interruption."""

SENDING: Final = 100_000
"""Nanoseconds within which a call sends a packet; one that took longer was interrupted, before the packet left or after."""

MOMENT: Final = 1_000
"""Nanoseconds in which no echo comes back much faster."""


def left(before: int, after: int) -> int:
    """When a packet left that was sent with a call between two moments: in its middle, which is half of the call wrong at the most.

    Of an interrupted call the beginning counts: a round trip is then too long, not too short.
    """
    return (before + after) >> 1 if after - before < SENDING else before


def came(stamp: int, sent: int, now: int) -> int:
    """When an echo came, by the kernel's stamp if that can be: else now, when it is read.

    One that came a little before its packet is thought to have left proves that wrong by so much, and came a moment after it.
    """
    if sent <= stamp <= now:
        return stamp
    return min(now, sent + MOMENT) if 0 < sent - stamp <= SENDING // 2 else now


class Clocks:
    """The two clocks, in nanoseconds."""

    __slots__ = ("_last", "_monotonic", "_wall")

    def __init__(self, monotonic: Callable[[], int], wall: Callable[[], int]) -> None:
        self._monotonic = monotonic
        self._wall = wall
        self._last: int | None = None

    def begin(self) -> None:
        """Have a first reading, for the next one to be held against."""
        if self._last is None:
            self.distance()

    def distance(self) -> int | None:
        """Nanoseconds from the monotonic clock to the wall clock now; None when that has jumped since the last reading."""
        span, distance = -1, 0
        for _ in range(TRIES):
            before = self._monotonic()
            wall = self._wall()
            after = self._monotonic()
            if span < 0 or after - before < span:
                span, distance = after - before, wall - (before + after) // 2
            if span < CLOSE:
                break
        last, self._last = self._last, distance
        return self._last if last is None or abs(self._last - last) < STEP else None
