"""Rates out of two readings of counters that wrap, are reset, stand still or lie.

Owns: when a difference of two counters is traffic, and when it is nothing. Pure: no clock, no network.
Never: gives a negative rate, or one that the interface cannot carry: what is not known is None.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from typing import Final

TICKS: Final = 1 << 32
"""sysUpTime counts hundredths of a second in 32 bits: it begins anew after 497 days."""

SHORTEST: Final = 1.0
"""Seconds between two readings below which a rate is noise."""

LONGEST: Final = 3600.0
"""Seconds after which an earlier reading says nothing about now."""

DRIFT: Final = 0.05
"""Share by which a device's clock may be slow before it counts as restarted."""

SLACK: Final = 3.0
"""Seconds by which it may be, besides: agents read their clocks when it suits them."""

BEYOND: Final = 2.0
"""Times its speed that an interface may seem to carry: agents that renew their counters now and then make one interval look fast."""

ANY: Final = 10e12
"""Bits per second that no interface carries, when its speed is not known."""

RENEWED: Final = 120.0
"""Seconds after which an agent that renews its counters now and then has done so: what runs ahead for longer is no traffic."""

WRAPS: Final = 0.9
"""Share of the time in which a 32-bit counter wraps at full speed that may pass between two readings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counters:
    """One interface at one moment. `octets` is None where the device has no counters; `wide` when they have 64 bits.

    `speed` in bits per second, 0 when not known; `discontinuity` is ifCounterDiscontinuityTime in ticks, None when the device has none.
    """

    octets_in: int | None
    octets_out: int | None
    wide: bool = True
    errors: int | None = None
    discards: int | None = None
    speed: float = 0.0
    discontinuity: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """All interfaces at `at` (monotonic seconds), when the device had been up for `ticks` hundredths of a second (None: not told)."""

    at: float
    ticks: int | None
    interfaces: Mapping[int, Counters]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """Per second, between two readings: bits in each direction, packets in error and discarded in both together. None: not known."""

    bits_in: float | None = None
    bits_out: float | None = None
    errors: float | None = None
    discards: float | None = None
    hasty: bool = False
    """The counters ran ahead of what the interface carries, as those do that an agent renews only now and then: a longer interval will tell."""


UNKNOWN: Final = Rates()
HASTY: Final = Rates(hasty=True)


def restarted(before: Reading, now: Reading) -> bool:
    """Whether the device began anew between two readings: its uptime fell behind the time that passed, and did not just wrap.

    An uptime that stands still to the tick is a broken clock, and says nothing.
    """
    if before.ticks is None or now.ticks is None or before.ticks == now.ticks:
        return False
    passed = (now.at - before.at) * 100
    least = passed * (1 - DRIFT) - SLACK * 100
    if now.ticks >= before.ticks:
        return now.ticks - before.ticks < least
    if before.ticks + passed * (1 + DRIFT) + SLACK * 100 < TICKS:
        return True
    return now.ticks + TICKS - before.ticks < least


def rates(before: Reading, now: Reading) -> dict[int, Rates]:
    """Rates of every interface of `now`; UNKNOWN for those that cannot be compared."""
    passed = now.at - before.at
    if not SHORTEST <= passed <= LONGEST or restarted(before, now):
        return dict.fromkeys(now.interfaces, UNKNOWN)
    return {
        index: _rates(before.interfaces[index], counters, passed) if index in before.interfaces else UNKNOWN
        for index, counters in now.interfaces.items()
    }


def _rates(before: Counters, now: Counters, passed: float) -> Rates:
    if before.discontinuity != now.discontinuity or before.wide != now.wide:
        return UNKNOWN
    bits_in = _bits(before.octets_in, now.octets_in, passed, wide=now.wide, speed=now.speed)
    bits_out = _bits(before.octets_out, now.octets_out, passed, wide=now.wide, speed=now.speed)
    if inf in (bits_in, bits_out):
        return HASTY
    if bits_in is None or bits_out is None:
        # One direction that was reset, or cannot be true, makes the other one doubtful as well.
        return UNKNOWN
    return Rates(
        bits_in=bits_in,
        bits_out=bits_out,
        errors=_packets(before.errors, now.errors, passed),
        discards=_packets(before.discards, now.discards, passed),
    )


def _bits(before: int | None, now: int | None, passed: float, *, wide: bool, speed: float) -> float | None:
    """Bits per second; a counter that went back has wrapped if that gives a rate that the interface can carry, else it was reset.

    Infinite when it went ahead by more than the interface can carry.
    """
    if before is None or now is None:
        return None
    most = BEYOND * speed if speed > 0 else ANY
    if not wide and speed > 0 and passed > WRAPS * TICKS * 8 / speed:
        return None  # It may have wrapped more than once.
    octets = now - before
    if octets >= 0:
        rate = octets * 8 / passed
        return rate if rate <= most else inf
    rate = (octets + ((1 << 64) if wide else TICKS)) * 8 / passed
    return rate if 0 <= rate <= (1.1 * speed if speed > 0 else ANY) else None


def _packets(before: int | None, now: int | None, passed: float) -> float | None:
    """Packets per second. Counters of packets in error have 32 bits everywhere; one that went back was reset, as a wrap is not to be expected."""
    if before is None or now is None or now < before:
        return None
    return (now - before) / passed
