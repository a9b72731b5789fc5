"""Phases: stable, uniform, inside the interval."""

from datetime import timedelta

import pytest

from monitor.rules.spread import phase

MINUTE = timedelta(minutes=1)


def test_the_phase_of_a_check_never_changes():
    assert phase("motcua/home", MINUTE) == phase("motcua/home", MINUTE)
    assert phase("motcua/home", MINUTE) == timedelta(microseconds=PINNED)


PINNED = 45094820


def test_phases_lie_in_the_interval_and_are_uniform():
    counts = [0] * 60
    for index in range(20_000):
        found = phase(f"tslcd.{index}/v4", MINUTE)
        assert timedelta(0) <= found < MINUTE
        counts[int(found.total_seconds())] += 1
    expected = 20_000 / 60
    # Chi-squared with 59 degrees of freedom: above 100 has a chance of 0.07 %.
    assert sum((count - expected) ** 2 / expected for count in counts) < 100


def test_a_longer_interval_stretches_the_phase():
    assert abs(phase("a", 2 * MINUTE) - 2 * phase("a", MINUTE)) <= timedelta(microseconds=2)


def test_an_interval_of_nothing_is_refused():
    with pytest.raises(ValueError, match="longer"):
        phase("a", timedelta(0))
