"""What certificates say of our own clock.

Owns: the doubt whether `expired` and `not yet valid` are the targets' doing or our clock's. Never: reads a clock, or says what time it is.

A clock that is a year off makes every certificate of the province bad in the same minute. Certificates that really end do so one by one, or all
servers show the same one: so witnesses are counted by certificate, not by host.
"""

from collections import OrderedDict
from typing import Final

from probes.contract import Reason

WITNESSES: Final = 3
"""Different certificates that must be bad in the same way, and no other good, before our clock is blamed."""

WINDOW: Final = 3600.0
"""Seconds for which a certificate's word counts: most checks look every minute, some every hour."""

STEP: Final = 300.0
"""Seconds our wall clock may have moved against the monotonic one since certificates were good; more is a step, not a drift."""

MOST: Final = 64
"""Certificates remembered."""

DOUBTFUL: Final = frozenset({Reason.TLS_EXPIRED, Reason.TLS_NOT_YET_VALID})


class Almanac:
    """Certificates seen lately, good and bad. `moment` is monotonic seconds, `offset` the wall clock's seconds less those."""

    __slots__ = ("_bad", "_good", "_vouched")

    def __init__(self) -> None:
        self._good: OrderedDict[float, float] = OrderedDict()
        self._bad: OrderedDict[float, tuple[Reason, float]] = OrderedDict()
        self._vouched: tuple[float, float] | None = None

    def good(self, not_after: float, moment: float, offset: float) -> None:
        """A certificate (known by its end) was within its time by our clock: the clock is vouched for."""
        self._vouched = (moment, offset)
        self._bad.pop(not_after, None)
        self._good[not_after] = moment
        self._good.move_to_end(not_after)
        while len(self._good) > MOST:
            self._good.popitem(last=False)

    def doubt(self, reason: Reason, not_after: float | None, moment: float, offset: float) -> str:
        """A certificate is over, or not yet valid, by our clock. Why that is our clock's fault, in words; empty when it is not."""
        if not_after is not None:
            self._good.pop(not_after, None)
            self._bad[not_after] = (reason, moment)
            self._bad.move_to_end(not_after)
            while len(self._bad) > MOST:
                self._bad.popitem(last=False)
        if self._vouched is not None and moment - self._vouched[0] < WINDOW:
            moved = offset - self._vouched[1]
            if moved > STEP if reason is Reason.TLS_EXPIRED else moved < -STEP:
                return f"our clock moved by {moved:+.0f} s since certificates were good"
        if any(moment - seen < WINDOW for seen in self._good.values()):
            return ""
        witnesses = sum(why is reason and moment - seen < WINDOW for why, seen in self._bad.values())
        return f"so say {witnesses} different certificates at once, and none is good" if witnesses >= WITNESSES else ""
