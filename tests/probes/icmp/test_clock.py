"""When a packet left and when its echo came, and how far the two clocks are apart."""

import pytest

from probes.echo_clock import MOMENT, SENDING, Clocks, came, left


@pytest.mark.parametrize(
    ("before", "after", "then"),
    [(1000, 1000, 1000), (1000, 7000, 4000), (0, SENDING - 1, SENDING // 2 - 1), (0, SENDING, 0), (5, 3_000_005, 5)],
    ids=["at once", "in the middle", "slow", "interrupted", "interrupted for long"],
)
def test_a_packet_left_in_the_middle_of_its_call_or_early_in_an_interrupted_one(
    before: int, after: int, then: int
) -> None:
    assert left(before, after) == then


SENT, NOW = 10_000_000, 90_000_000


@pytest.mark.parametrize(
    ("stamp", "then"),
    [
        (SENT, SENT),
        (50_000_000, 50_000_000),
        (NOW, NOW),
        (NOW + 1, NOW),
        (SENT - 1, SENT + MOMENT),
        (SENT - SENDING // 2, SENT + MOMENT),
        (SENT - SENDING // 2 - 1, NOW),
        (0, NOW),
    ],
    ids=["at once", "in between", "now", "later", "a little early", "as early as can be", "too early", "no stamp"],
)
def test_an_echo_came_when_the_kernel_says_if_that_can_be(stamp: int, then: int) -> None:
    assert came(stamp, SENT, NOW) == then


def test_an_echo_never_came_later_than_it_is_read() -> None:
    assert came(SENT - 5, SENT, SENT + 10) == SENT + 10


def clock(*steps: int) -> Clocks:
    """Clocks 1,000 apart of which every reading takes so long, one after the other."""
    now, left_over = 0, list(steps)

    def monotonic() -> int:
        nonlocal now
        now += left_over.pop(0) if left_over else 100
        return now

    return Clocks(monotonic, lambda: now + 1000)


def test_a_reading_that_was_interrupted_is_taken_anew() -> None:
    assert clock(0, 40_000).distance() == 1000 - 50


def test_of_readings_that_were_all_interrupted_the_best_counts() -> None:
    assert clock(0, 90_000, 0, 60_000, 0, 4000, 0, 70_000, 0, 80_000).distance() == 1000 - 2000
