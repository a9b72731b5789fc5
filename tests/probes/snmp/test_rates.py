"""Rates out of counters: wraps, resets, restarts, stuck clocks, lies. Never negative, never more than the interface carries."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.snmp_rates import BEYOND, HASTY, SLACK, UNKNOWN, Counters, Rates, Reading, rates, restarted

MBIT = 1e6
T = Counters(octets_in=0, octets_out=0, wide=True, errors=0, discards=0, speed=100 * MBIT, discontinuity=0)


def reading(at: float, ticks: int | None, **counters: object) -> Reading:
    return Reading(at=at, ticks=ticks, interfaces={1: replace(T, **counters)})  # type: ignore[arg-type]


def rate(before: Reading, now: Reading) -> Rates:
    return rates(before, now)[1]


W32, W64 = 1 << 32, 1 << 64

CASES = [
    # what happened                      before: in, wide, ticks        now: in, ticks, seconds after   bits in
    ("a megabyte in ten seconds", 0, True, 1000, 1_000_000, 2000, 10.0, 800_000.0),
    ("nothing moved", 5, True, 1000, 5, 2000, 10.0, 0.0),
    ("a 64-bit counter wrapped", W64 - 500_000, True, 1000, 500_000, 2000, 10.0, 800_000.0),
    ("a 32-bit counter wrapped", W32 - 500_000, False, 1000, 500_000, 2000, 10.0, 800_000.0),
    ("a 64-bit counter was reset", 9_000_000, True, 1000, 1000, 2000, 10.0, None),
    ("a 32-bit counter was reset", 2_000_000_000, False, 1000, 1000, 2000, 10.0, None),
    ("the device restarted", 9_000_000, True, 500_000, 10_000_000, 300, 10.0, None),
    ("it restarted and has been up for longer than before", 1000, True, 100, 2000, 5_000, 300.0, None),
    ("its uptime wrapped after 497 days", 0, True, W32 - 500, 1_000_000, 500, 10.0, 800_000.0),
    ("it restarted just before 497 days", 0, True, W32 - 500, 1_000_000, 10, 10.0, None),
    ("its uptime does not move", 0, True, 1000, 1_000_000, 1000, 10.0, 800_000.0),
    ("its clock is a little slow", 0, True, 1000, 1_000_000, 1970, 10.0, 800_000.0),
    ("ten times as much as the interface carries", 0, True, 1000, 1_250_000_000, 2000, 10.0, None),
    ("a 32-bit counter that may have wrapped twice", 0, False, 1000, 1_000_000, 41_000, 400.0, None),
    ("half a second apart", 0, True, 1000, 1_000_000, 1050, 0.5, None),
    ("more than an hour apart", 0, True, 1000, 1_000_000, 401_000, 4000.0, None),
]


@pytest.mark.parametrize(
    ("sentence", "octets", "wide", "ticks", "octets_now", "ticks_now", "passed", "bits"),
    CASES,
    ids=[case[0] for case in CASES],
)
def test_the_rate_when(
    sentence: str,
    octets: int,
    wide: bool,
    ticks: int,
    octets_now: int,
    ticks_now: int,
    passed: float,
    bits: float | None,
) -> None:
    before = reading(100.0, ticks, octets_in=octets, wide=wide)
    found = rate(before, reading(100.0 + passed, ticks_now, octets_in=octets_now, wide=wide))
    assert found.bits_in == (None if bits is None else pytest.approx(bits))
    assert (found in (UNKNOWN, HASTY)) is (bits is None)
    assert found.hasty is sentence.startswith("ten times")


def test_a_discontinuity_that_the_device_owns_up_to_is_no_traffic() -> None:
    before, now = reading(0, 0), reading(60, 6000, octets_in=100, octets_out=100, discontinuity=5000)
    assert rate(before, now) == UNKNOWN


def test_an_interface_that_is_new_or_has_changed_its_counters_has_no_rate() -> None:
    assert rates(Reading(at=0, ticks=0, interfaces={}), reading(60, 6000)) == {1: UNKNOWN}
    assert rate(reading(0, 0, wide=False), reading(60, 6000, octets_in=9)) == UNKNOWN
    assert rate(reading(0, 0, octets_in=None), reading(60, 6000)) == UNKNOWN


def test_errors_that_went_back_are_not_known_while_the_traffic_is() -> None:
    found = rate(reading(0, 0, errors=100), reading(10, 1000, errors=3, discards=20, octets_in=125, octets_out=0))
    assert found == Rates(bits_in=100.0, bits_out=0.0, errors=None, discards=2.0)


WIDE = st.integers(0, W64 - 1)
TICKS = st.one_of(st.none(), st.integers(0, W32 - 1))


@given(WIDE, WIDE, WIDE, WIDE, TICKS, TICKS, st.floats(0, 10_000), st.booleans(), st.floats(0, 1e11))
def test_whatever_a_device_says_no_rate_is_negative_or_beyond_what_it_carries(
    a: int, b: int, c: int, d: int, ticks: int | None, ticks_now: int | None, passed: float, wide: bool, speed: float
) -> None:
    before = reading(0, ticks, octets_in=a, octets_out=b, wide=wide, speed=speed)
    now = reading(passed, ticks_now, octets_in=c, octets_out=d, wide=wide, speed=speed)
    found = rate(before, now)
    for bits in (found.bits_in, found.bits_out):
        if bits is not None:
            assert 0 <= bits <= (BEYOND * speed if speed > 0 else 10e12)
            assert not restarted(before, now)


@given(st.integers(0, W64 - 1), st.floats(1, 3600), st.floats(0, 1), st.integers(0, W32 - 1), st.booleans())
def test_true_traffic_is_always_found_however_the_counters_wrap(
    start: int, passed: float, share: float, ticks: int, wide: bool
) -> None:
    size, speed = (W64 if wide else W32), 100 * MBIT
    octets = int(share * speed / 8 * passed)
    before = reading(0, ticks, octets_in=start % size, wide=wide)
    now = reading(passed, (ticks + int(passed * 100)) % W32, octets_in=(start + octets) % size, wide=wide)
    found = rate(before, now)
    if wide or passed <= 0.9 * W32 * 8 / speed:
        assert found.bits_in == pytest.approx(octets * 8 / passed)
    else:
        assert found == UNKNOWN


@given(st.integers(0, W32 - 1), st.floats(10, 3600), st.floats(0, 1))
def test_a_restart_is_noticed_however_short_it_was(ticks: int, passed: float, part: float) -> None:
    """It came back after `part` of the time; unless so shortly after the last reading that a slow clock would explain it."""
    since = passed * (1 - part)
    before, now = reading(0, ticks), reading(passed, int(since * 100))
    behind = (ticks / 100 + passed) - since
    if behind > passed * 0.05 + SLACK + 0.1 and ticks + passed * 106 + 400 < W32 and int(since * 100) != ticks:
        assert restarted(before, now)
