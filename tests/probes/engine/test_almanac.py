"""T35: whether certificates that are over, or not yet valid, are the targets' doing or our clock's."""

import pytest

from probes.almanac import Almanac
from probes.contract import Reason

OVER, EARLY = Reason.TLS_EXPIRED, Reason.TLS_NOT_YET_VALID
YEAR = 365 * 86400.0

# A certificate is known by its end (a number here), what was found of it: ok, over or early; when, in seconds; how far our clock has been moved.
Seen = tuple[float, Reason | None, float, float]

CASES: list[tuple[str, list[Seen], bool]] = [
    ("one certificate has ended", [(1, OVER, 0, 0)], False),
    ("two have ended", [(1, OVER, 0, 0), (2, OVER, 1, 0)], False),
    ("three have ended in the same hour, and none is good", [(1, OVER, 0, 0), (2, OVER, 1, 0), (3, OVER, 2, 0)], True),
    ("the same one is shown by every server", [(1, OVER, turn, 0) for turn in range(20)], False),
    ("three have ended, one other is good", [(9, None, 0, 0), (1, OVER, 1, 0), (2, OVER, 2, 0), (3, OVER, 3, 0)], False),
    ("the good one was seen yesterday", [(9, None, 0, 0), (1, OVER, 90000, 0), (2, OVER, 90001, 0), (3, OVER, 90002, 0)], True),
    ("two are over and one is early: no clock does that", [(1, OVER, 0, 0), (2, OVER, 1, 0), (3, EARLY, 2, 0)], False),
    ("three are early", [(1, EARLY, 0, 0), (2, EARLY, 1, 0), (3, EARLY, 2, 0)], True),
    ("over after our clock went a year ahead", [(1, None, 0, 0), (1, OVER, 60, YEAR)], True),
    ("early after our clock went a year back", [(1, None, 0, 0), (1, EARLY, 60, -YEAR)], True),
    ("over after our clock went back", [(1, None, 0, 0), (1, OVER, 60, -YEAR)], False),
    ("over a minute after it was good, by a steady clock", [(1, None, 0, 0), (1, OVER, 60, 0.2)], False),
    ("good again after the clock was set right", [(1, None, 0, YEAR), (2, None, 60, 0), (1, OVER, 120, 0)], False),
]  # fmt: skip


@pytest.mark.parametrize(("sentence", "seen", "ours"), CASES, ids=[case[0] for case in CASES])
def test_whose_fault_it_is(sentence: str, seen: list[Seen], ours: bool) -> None:
    almanac, why = Almanac(), ""
    for end, reason, moment, moved in seen:
        if reason is None:
            almanac.good(end, moment, 1.8e9 + moved)
        else:
            why = almanac.doubt(reason, end, moment, 1.8e9 + moved)
    assert bool(why) is ours, why


def test_what_it_remembers_has_bounds() -> None:
    almanac = Almanac()
    for number in range(1000):
        almanac.good(number, 0, 0)
        almanac.doubt(OVER, -number, 0, 0)
    assert len(almanac._good) == len(almanac._bad) == 64
