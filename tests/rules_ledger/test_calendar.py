"""Periods, due days and working days, as an office would name them."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.rules import calendar
from monitor.rules.calendar import Office, Period

HANOI = ZoneInfo("Asia/Ho_Chi_Minh")
MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2045, 1, 1), timezones=st.just(UTC))


def local(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=HANOI)


PARSED = [
    # text, kind, first moment, first moment after it, label
    ("2026-11-21", "daily", "2026-11-21", "2026-11-22", "Ngày 21/11/2026"),
    ("2026-W47", "weekly", "2026-11-16", "2026-11-23", "Tuần 47 (16/11/2026–22/11/2026)"),
    ("2026-W01", "weekly", "2025-12-29", "2026-01-05", "Tuần 1 (29/12/2025–04/01/2026)"),
    ("2026-W53", "weekly", "2026-12-28", "2027-01-04", "Tuần 53 (28/12/2026–03/01/2027)"),
    ("2026-11", "monthly", "2026-11-01", "2026-12-01", "Tháng 11/2026"),
    ("2026-12", "monthly", "2026-12-01", "2027-01-01", "Tháng 12/2026"),
    ("2026-Q4", "quarterly", "2026-10-01", "2027-01-01", "Quý IV/2026"),
    ("2026", "yearly", "2026-01-01", "2027-01-01", "Năm 2026"),
]


@pytest.mark.parametrize(("text", "kind", "first", "after", "label"), PARSED, ids=[c[0] for c in PARSED])
def test_parse(text, kind, first, after, label):
    period = calendar.parse(text, HANOI)
    assert (period.kind, period.name) == (kind, text)
    assert (period.start, period.end) == (local(first), local(after))
    assert period.start.utcoffset() == timedelta(0)
    assert period.label(HANOI, "vi") == label


def test_a_week_begins_at_17_utc_the_day_before():
    assert calendar.parse("2026-W47", HANOI).start == datetime(2026, 11, 15, 17, tzinfo=UTC)


@pytest.mark.parametrize(
    "text", ["", "2026-W54", "2025-W53", "2026-13", "2026-02-30", "2026-Q5", "26", "next week", "9999"]
)
def test_what_is_no_period_is_refused_with_advice(text):
    with pytest.raises(ValueError, match=r"write 2026|not in the calendar"):
        calendar.parse(text, HANOI)


@given(MOMENTS, st.sampled_from(calendar.KINDS))
def test_every_moment_lies_in_one_period_and_its_neighbours_touch(at, kind):
    period = calendar.containing(kind, at, HANOI)
    assert period.start <= at < period.end
    assert calendar.parse(period.name, HANOI) == period
    before = calendar.previous(period, HANOI)
    assert before.end == period.start
    assert calendar.containing(kind, before.start, HANOI) == before
    assert calendar.latest(kind, at, HANOI) == before


def test_a_zone_with_summer_time_has_days_of_23_and_25_hours():
    zone = ZoneInfo("America/New_York")
    assert calendar.parse("2026-03-08", zone).length == timedelta(hours=23)
    assert calendar.parse("2026-11-01", zone).length == timedelta(hours=25)
    assert calendar.previous(calendar.parse("2026-03-09", zone), zone) == calendar.parse("2026-03-08", zone)


def test_any_other_stretch():
    period = calendar.between(local("2026-10-25"), local("2026-11-25"), HANOI)
    assert (period.kind, period.label(HANOI, "vi")) == ("any", "Từ 25/10/2026 đến 24/11/2026")
    before = calendar.previous(period, HANOI)
    assert (before.end, before.length) == (period.start, period.length)
    with pytest.raises(ValueError, match="ends after"):
        calendar.between(local("2026-10-25"), local("2026-10-25"), HANOI)


DUE = [
    # sentence, kind, at, now, the label of the period that is owed
    ("a week on Monday at seven", "weekly", "mon 07:00", "2026-11-23T07:00", "Tuần 47 (16/11/2026–22/11/2026)"),
    (
        "a minute early it is still the week before",
        "weekly",
        "mon 07:00",
        "2026-11-23T06:59",
        "Tuần 46 (09/11/2026–15/11/2026)",
    ),
    ("a day late it is the same week", "weekly", "tue 07:00", "2026-11-24T09:00", "Tuần 47 (16/11/2026–22/11/2026)"),
    ("a week cut off on Friday", "weekly", "fri 16:00", "2026-11-20T16:00", "Tuần (13/11/2026–19/11/2026)"),
    ("a day the morning after", "daily", "07:00", "2026-11-21T08:00", "Ngày 20/11/2026"),
    (
        "a month on its 24th is cut off",
        "monthly",
        "day 24 16:00",
        "2026-11-24T16:00",
        "Tháng 11/2026 (24/10/2026–23/11/2026)",
    ),
    ("a month on the 5th is the month before", "monthly", "day 5 08:00", "2026-11-21T00:00", "Tháng 10/2026"),
    (
        "a quarter on the 24th of its last month",
        "quarterly",
        "day 24 16:00",
        "2026-12-24T16:00",
        "Quý IV/2026 (24/09/2026–23/12/2026)",
    ),
    ("a quarter on the 5th after it", "quarterly", "day 5 08:00", "2026-10-05T08:00", "Quý III/2026"),
    ("a year on 14 December", "yearly", "14/12 16:00", "2026-12-14T16:00", "Năm 2026 (14/12/2025–13/12/2026)"),
    ("a year in January", "yearly", "10/1 08:00", "2026-06-01T00:00", "Năm 2025"),
]


@pytest.mark.parametrize(("sentence", "kind", "at", "now", "label"), DUE, ids=[c[0] for c in DUE])
def test_what_is_owed(sentence, kind, at, now, label):
    [period] = calendar.owed(calendar.read_due(kind, at), local(now), HANOI, last=None)
    assert period.label(HANOI, "vi") == label
    assert period.kind == kind


def test_a_daemon_that_was_down_owes_what_it_missed_oldest_first():
    due = calendar.read_due("weekly", "mon 07:00")
    last = calendar.parse("2026-W44", HANOI)
    owed = calendar.owed(due, local("2026-11-23T09:00"), HANOI, last=last.end)
    assert [period.name for period in owed] == ["2026-W45", "2026-W46", "2026-W47"]
    assert calendar.owed(due, local("2026-11-23T09:00"), HANOI, last=owed[-1].end) == []


def test_it_does_not_owe_forever():
    due = calendar.read_due("daily", "07:00")
    owed = calendar.owed(due, local("2026-11-23T09:00"), HANOI, last=local("2020-01-01"), at_most=3)
    assert [period.name for period in owed] == ["2026-11-20", "2026-11-21", "2026-11-22"]


ATS = [("daily", "06:30"), ("weekly", "mon 07:00"), ("weekly", "fri 16:00"), ("monthly", "day 24 16:00")]
ATS += [
    ("monthly", "day 1 00:00"),
    ("quarterly", "day 24 16:00"),
    ("quarterly", "day 2 08:00"),
    ("yearly", "14/12 16:00"),
]


@pytest.mark.parametrize(("kind", "at"), ATS, ids=[f"{k} {a}" for k, a in ATS])
@given(now=MOMENTS)
def test_the_next_due_moment_is_the_first_at_which_something_new_is_owed(kind, at, now):
    due = calendar.read_due(kind, at)
    [last] = calendar.owed(due, now, HANOI, last=None)
    following = calendar.next_due(due, now, HANOI)
    assert following > now
    just_before = following - timedelta(microseconds=1)
    assert calendar.owed(due, just_before, HANOI, last=last.end) == []
    [period] = calendar.owed(due, following, HANOI, last=last.end)
    assert period.start == last.end
    assert period.end <= following
    assert calendar.previous(period, HANOI) == last


@pytest.mark.parametrize(
    ("kind", "at"),
    [
        ("weekly", "monday 07:00"),
        ("weekly", "mon"),
        ("weekly", "mon 24:00"),
        ("monthly", "day 31 16:00"),
        ("monthly", "24 16:00"),
        ("yearly", "15/13 16:00"),
        ("yearly", "day 24 16:00"),
        ("daily", "mon 07:00"),
    ],
)
def test_a_wrong_due_time_is_refused_with_advice(kind, at):
    with pytest.raises(ValueError, match=r"write|month"):
        calendar.read_due(kind, at)


# Tết 2026 and what the government moved are data; these are a few days of it.
OFFICE = Office(
    holidays=frozenset({date(2026, 11, 24), date(2026, 4, 30), date(2026, 5, 1)}),
    swapped=frozenset({date(2026, 8, 22)}),
)


def test_working_days():
    assert not OFFICE.works(date(2026, 11, 24))
    assert not OFFICE.works(date(2026, 11, 22))
    assert OFFICE.works(date(2026, 8, 22))
    # 20/11 is a Friday: 23, 25, 26, 27 November and 1, 2, 3, 4 December with 30 November lie between.
    assert calendar.working_days(date(2026, 11, 20), date(2026, 12, 5), OFFICE) == 9
    assert calendar.working_days(date(2026, 11, 20), date(2026, 11, 20), OFFICE) == 0


@pytest.mark.parametrize(
    ("announced", "starts", "short"),
    [
        ("2026-11-20T09:00", "2026-12-05T22:00", False),
        ("2026-11-20T09:00", "2026-12-03T22:00", False),
        ("2026-11-20T09:00", "2026-12-02T22:00", True),
        (None, "2026-12-05T22:00", True),
    ],
)
def test_short_notice(announced, starts, short):
    told = local(announced) if announced else None
    assert calendar.short_notice(told, local(starts), HANOI, OFFICE) is short


def test_office_hours_are_cut_to_the_period():
    found = calendar.office_hours(OFFICE, local("2026-11-23T08:00"), local("2026-11-26T00:00"), HANOI)
    texts = [f"{one.astimezone(HANOI):%d %H:%M}-{two.astimezone(HANOI):%H:%M}" for one, two in found]
    assert texts == ["23 08:00-11:30", "23 13:30-17:00", "25 07:30-11:30", "25 13:30-17:00"]


def test_periods_are_values():
    one = calendar.parse("2026-W47", HANOI)
    assert one == Period(kind="weekly", start=one.start, end=one.end, name="2026-W47")
