"""From the kernel's stamps to round trips.

Owns: the distance between the two clocks. Round-trip times are differences of the monotonic clock; the kernel stamps a packet's arrival with
the wall clock, and the distance between the two, read with every batch, carries that stamp over.
Never: trusts the wall clock. When the distance has jumped, it was stepped, and the moment of reading stands in for the stamp.
"""

from collections.abc import Callable
from typing import Final

STEP: Final = 1_000_000
"""Nanoseconds the distance of the two clocks may differ between two readings before it is called a step."""


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
        for _ in range(3):
            before = self._monotonic()
            wall = self._wall()
            after = self._monotonic()
            if after - before < STEP // 10:  # Not interrupted between the two.
                break
        last, self._last = self._last, wall - (before + after) // 2
        return self._last if last is None or abs(self._last - last) < STEP else None
