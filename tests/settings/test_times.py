"""Moments, cron lines and due times as people write them."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from monitor.settings import times

HANOI = ZoneInfo("Asia/Ho_Chi_Minh")

MOMENTS = [
    ("local to the province", "2026-12-05 22:00", datetime(2026, 12, 5, 15, tzinfo=UTC)),
    ("a day begins at midnight", "2026-11-20", datetime(2026, 11, 19, 17, tzinfo=UTC)),
    ("RFC 3339 in UTC", "2026-12-05T15:00:00Z", datetime(2026, 12, 5, 15, tzinfo=UTC)),
    ("RFC 3339 elsewhere", "2026-12-05T15:00:00+02:00", datetime(2026, 12, 5, 13, tzinfo=UTC)),
]


@pytest.mark.parametrize(("sentence", "text", "expected"), MOMENTS, ids=[case[0] for case in MOMENTS])
def test_moments(sentence: str, text: str, expected: datetime) -> None:
    assert times.localized(times.moment(text), HANOI) == expected


@pytest.mark.parametrize(
    "text",
    ["tomorrow", "22:00", "2026-13-01", "2026-12-05 24:00", "05/12/2026", "2026-12-05 22:00 +07", 20261205, None, ""],
)
def test_no_moments(text: object) -> None:
    with pytest.raises(ValueError):
        times.moment(text)


CRONS = [
    ("* * * * *", True),
    ("0 1 1 * *", True),
    ("*/15 8-17 * * mon-fri", True),
    ("0,30 1 * jan,jul sun", True),
    ("10-50/10 0 * * *", True),
    ("60 * * * *", False),
    ("* 24 * * *", False),
    ("* * 0 * *", False),
    ("* * 32 * *", False),
    ("* * * 13 *", False),
    ("* * * * 7", False),
    ("* * * * fri-mon", False),
    ("5/10 * * * *", False),
    ("*/0 * * * *", False),
    ("1-x * * * *", False),
    ("* * * *", False),
    ("* * * * * *", False),
    ("@daily", False),
    ("", False),
]


@pytest.mark.parametrize(("line", "good"), CRONS)
def test_cron_lines(line: str, good: bool) -> None:
    if good:
        assert times.check_cron(line) == line
    else:
        with pytest.raises(ValueError):
            times.check_cron(line)


DUE = [
    ("daily", "07:00", True),
    ("daily", "7:00", False),
    ("daily", "24:00", False),
    ("weekly", "mon 07:00", True),
    ("weekly", "Monday 07:00", False),
    ("weekly", "07:00", False),
    ("monthly", "day 24 16:00", True),
    ("monthly", "day 0 16:00", False),
    ("monthly", "day 29 16:00", False),
    ("quarterly", "day 24 16:00", True),
    ("yearly", "14/12 16:00", True),
    ("yearly", "12/14 16:00", False),
    ("yearly", "29/2 16:00", False),
]


@pytest.mark.parametrize(("kind", "text", "good"), DUE)
def test_due_times(kind: str, text: str, good: bool) -> None:
    if good:
        assert times.check_at(kind, text) == text
    else:
        with pytest.raises(ValueError):
            times.check_at(kind, text)


def test_years_are_365_days() -> None:
    assert times.long_duration("2y") == timedelta(days=730)
    assert times.long_duration("60d") == timedelta(days=60)
    for text in ("2 years", "-1y", "y", 2):
        with pytest.raises(ValueError):
            times.long_duration(text)
