"""Periods of the province's calendar, when their reports are due, and its working days.

Owns: days, ISO weeks (Monday to Sunday), months, quarters and years as half-open stretches in UTC, whose borders are midnights of the zone.
Never: reads a clock; `now`, the zone and the holidays are arguments.
"""

import re
from collections.abc import Iterator, Set
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Final, Literal

from monitor import words

Kind = Literal["daily", "weekly", "monthly", "quarterly", "yearly"]
KINDS: Final[tuple[Kind, ...]] = ("daily", "weekly", "monthly", "quarterly", "yearly")

DAY: Final = timedelta(days=1)
WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
NOTICE_DAYS: Final = 7
"""Working days between the announcement and a planned interruption (Nghị định 224/2026/NĐ-CP, article 13.1)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """A stretch [start, end) in UTC. `name` is how it is asked for (`2026-W47`), and the same text for the same stretch."""

    kind: Kind | Literal["any"]
    start: datetime
    end: datetime
    name: str

    @property
    def length(self) -> timedelta:
        """Its length."""
        return self.end - self.start

    def label(self, zone: tzinfo, lang: words.Lang) -> str:
        """How a person calls it: `Tuần 47 (16/11/2026–22/11/2026)`. One that is cut off the calendar's borders says its days too."""
        first, end = self.start.astimezone(zone), self.end.astimezone(zone)
        if self.kind == "any" or _on_border(self.kind, first):
            return words.period(self.kind, first, end, lang)
        last = end - timedelta(microseconds=1)
        span = f"{words.day(first, lang)}–{words.day(last, lang)}"
        if self.kind == "weekly":
            return f"{words.say('period.week', lang)} ({span})"
        return f"{words.period(self.kind, _border(self.kind, last), end, lang)} ({span})"


# --- periods ----------------------------------------------------------------------------------------------------------


def containing(kind: Kind, at: datetime, zone: tzinfo) -> Period:
    """The calendar's period of `kind` in which the moment `at` lies."""
    first = _border(kind, at.astimezone(zone)).date()
    return _between(kind, first, _shift(kind, first, 1), zone)


def between(start: datetime, end: datetime, zone: tzinfo) -> Period:
    """Any other stretch; ValueError when it is empty."""
    if not start < end:
        raise ValueError("a period ends after it starts")
    one, two = start.astimezone(zone), end.astimezone(zone)
    return Period(
        kind="any",
        start=start.astimezone(UTC),
        end=end.astimezone(UTC),
        name=f"{one.isoformat(timespec='seconds')}/{two.isoformat(timespec='seconds')}",
    )


def previous(period: Period, zone: tzinfo) -> Period:
    """The period before, of the same kind; for any other stretch, the same length before it."""
    if period.kind == "any":
        return between(period.start - period.length, period.start, zone)
    first = period.start.astimezone(zone).date()
    return _between(period.kind, _shift(period.kind, first, -1), first, zone)


def latest(kind: Kind, now: datetime, zone: tzinfo) -> Period:
    """The last period of the calendar that is over at `now`."""
    return previous(containing(kind, now, zone), zone)


_FORMS: Final[tuple[tuple[Kind, re.Pattern[str]], ...]] = (
    ("daily", re.compile(r"(\d{4})-(\d{2})-(\d{2})")),
    ("weekly", re.compile(r"(\d{4})-W(\d{2})")),
    ("quarterly", re.compile(r"(\d{4})-Q([1-4])")),
    ("monthly", re.compile(r"(\d{4})-(\d{2})")),
    ("yearly", re.compile(r"(\d{4})")),
)


def parse(text: str, zone: tzinfo) -> Period:
    """`2026-11-21`, `2026-W47`, `2026-11`, `2026-Q4` or `2026`; ValueError says what would be right.

    The `name` of a period that is cut off the calendar's borders is taken too.
    """
    if cut := re.fullmatch(rf"({'|'.join(KINDS)})-(\d{{4}}-\d\d-\d\d)-(\d{{4}}-\d\d-\d\d)", text.strip()):
        off: Kind = next(kind for kind in KINDS if kind == cut[1])
        return _between(off, date.fromisoformat(cut[2]), date.fromisoformat(cut[3]), zone)
    for kind, form in _FORMS:
        match = form.fullmatch(text.strip())
        if match is None:
            continue
        try:
            first = _first_day(kind, [int(part) for part in match.groups()])
            return _between(kind, first, _shift(kind, first, 1), zone)
        except (ValueError, OverflowError) as error:
            raise ValueError(f"{text!r} is not in the calendar: {error}") from None
    raise ValueError(f"{text!r} is not a period: write 2026-11-21, 2026-W47, 2026-11, 2026-Q4 or 2026")


def _first_day(kind: Kind, parts: list[int]) -> date:
    year = parts[0]
    match kind:
        case "daily":
            return date(year, parts[1], parts[2])
        case "weekly":
            return date.fromisocalendar(year, parts[1], 1)
        case "monthly":
            return date(year, parts[1], 1)
        case "quarterly":
            return date(year, parts[1] * 3 - 2, 1)
        case "yearly":
            return date(year, 1, 1)


def _between(kind: Kind, first: date, after: date, zone: tzinfo) -> Period:
    return Period(kind=kind, start=midnight(first, zone), end=midnight(after, zone), name=_name(kind, first, after))


def _name(kind: Kind, first: date, after: date) -> str:
    if not _on_border(kind, datetime.combine(first, time.min)):
        return f"{kind}-{first.isoformat()}-{after.isoformat()}"
    match kind:
        case "daily":
            return first.isoformat()
        case "weekly":
            iso = first.isocalendar()
            return f"{iso.year:04}-W{iso.week:02}"
        case "monthly":
            return f"{first.year:04}-{first.month:02}"
        case "quarterly":
            return f"{first.year:04}-Q{(first.month + 2) // 3}"
        case "yearly":
            return f"{first.year:04}"


def midnight(day: date, zone: tzinfo) -> datetime:
    """The moment `day` begins in `zone`, in UTC."""
    return datetime.combine(day, time.min, zone).astimezone(UTC)


def _border(kind: Kind, local: datetime) -> datetime:
    """Midnight of the first day of the calendar's period of `kind` that `local` lies in."""
    day = local.date()
    match kind:
        case "daily":
            first = day
        case "weekly":
            first = day - timedelta(days=day.weekday())
        case "monthly":
            first = day.replace(day=1)
        case "quarterly":
            first = day.replace(month=(day.month - 1) // 3 * 3 + 1, day=1)
        case "yearly":
            first = day.replace(month=1, day=1)
    return datetime.combine(first, time.min, local.tzinfo)


def _on_border(kind: Kind, local: datetime) -> bool:
    return local == _border(kind, local)


def _shift(kind: Kind, first: date, count: int) -> date:
    """`count` periods on. The day of the month is at most 28 (see `Due`), so that every month has it."""
    match kind:
        case "daily":
            return first + DAY * count
        case "weekly":
            return first + 7 * DAY * count
        case "monthly" | "quarterly" | "yearly":
            months = {"monthly": 1, "quarterly": 3, "yearly": 12}[kind]
            index = first.year * 12 + first.month - 1 + months * count
            return first.replace(year=index // 12, month=index % 12 + 1)


# --- when reports are due ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """When the reports of a kind are due, as read from `at`, and what they cover.

    A due day soon after the border of a period (Monday to Wednesday; day 1 to 15; January to June) is for the calendar's period before it.
    One towards the end is for the days since the last due day, up to the midnight before it (*cut off*): that is how an office reports
    a month before the month is over, and every second still lies in exactly one report.
    `anchor` is a due day; the others are whole periods away from it.
    """

    kind: Kind
    clock: time
    anchor: date
    cut_off: bool


def read_due(kind: Kind, at: str) -> Due:
    """`07:00` daily, `mon 07:00` weekly, `day 24 16:00` monthly and quarterly, `14/12 16:00` yearly; ValueError says what would be right.

    A quarter's day is of its last month, or, up to day 15, of the month after it. No day beyond 28: not every month has it.
    """
    day, _, clock = at.strip().lower().rpartition(" ")
    match = re.fullmatch(r"([01]?\d|2[0-3]):([0-5]\d)", clock)
    if match is None:
        raise ValueError(f"{at!r}: the clock is missing or wrong; write it like 07:00")
    hour = time(int(match[1]), int(match[2]))
    match kind:
        case "daily" if not day:
            return Due(kind=kind, clock=hour, anchor=date(2024, 1, 1), cut_off=False)
        case "weekly" if day in WEEKDAYS:
            index = WEEKDAYS.index(day)
            return Due(kind=kind, clock=hour, anchor=date(2024, 1, 1 + index), cut_off=index >= 3)
        case "monthly" | "quarterly" if number := re.fullmatch(r"day (\d{1,2})", day):
            number_of_day = _day_of_month(at, int(number[1]))
            late = number_of_day > 15
            month = 3 if late and kind == "quarterly" else 1
            return Due(kind=kind, clock=hour, anchor=date(2024, month, number_of_day), cut_off=late)
        case "yearly" if number := re.fullmatch(r"(\d{1,2})/(\d{1,2})", day):
            month = int(number[2])
            if not 1 <= month <= 12:
                raise ValueError(f"{at!r}: there is no month {month}")
            return Due(
                kind=kind, clock=hour, anchor=date(2024, month, _day_of_month(at, int(number[1]))), cut_off=month > 6
            )
    right = {"daily": "07:00", "weekly": "mon 07:00", "yearly": "14/12 16:00"}.get(kind, "day 24 16:00")
    raise ValueError(f"{at!r} does not say when a {kind} report is due: write it like {right}")


def _day_of_month(at: str, day: int) -> int:
    if not 1 <= day <= 28:
        raise ValueError(f"{at!r}: not every month has a day {day}; write one from 1 to 28")
    return day


def covered(due: Due, day: date, zone: tzinfo) -> Period:
    """What the report that is due on `day` covers."""
    if due.cut_off:
        return _between(due.kind, _shift(due.kind, day, -1), day, zone)
    return latest(due.kind, midnight(day, zone), zone)


def _due_days(due: Due, now: datetime, zone: tzinfo) -> Iterator[date]:
    """The due days whose hour has come at `now`, the latest first."""
    local = now.astimezone(zone)
    count = _periods_since(due, local.date()) + 1
    while True:
        day = _shift(due.kind, due.anchor, count)
        if datetime.combine(day, due.clock, zone) <= local:
            yield day
        count -= 1


def _periods_since(due: Due, day: date) -> int:
    match due.kind:
        case "daily" | "weekly":
            return (day - due.anchor).days // (1 if due.kind == "daily" else 7)
        case "monthly" | "quarterly" | "yearly":
            months = (day.year - due.anchor.year) * 12 + day.month - due.anchor.month
            return months // {"monthly": 1, "quarterly": 3, "yearly": 12}[due.kind]


def owed(due: Due, now: datetime, zone: tzinfo, *, last: datetime | None, at_most: int = 12) -> list[Period]:
    """The periods whose reports are due at `now` and not made, oldest first.

    `last` is the end of the last period reported; None owes the latest one alone. So a daemon that was down at the hour owes what it
    missed, as far back as `at_most` periods.
    """
    periods: list[Period] = []
    for day in _due_days(due, now, zone):
        period = covered(due, day, zone)
        if (last is not None and period.end <= last) or len(periods) == at_most:
            break
        periods.append(period)
        if last is None:
            break
    return periods[::-1]


def next_due(due: Due, now: datetime, zone: tzinfo) -> datetime:
    """The first moment after `now` at which a report is due, in UTC."""
    count = _periods_since(due, next(_due_days(due, now, zone))) + 1
    return datetime.combine(_shift(due.kind, due.anchor, count), due.clock, zone).astimezone(UTC)


# --- working days -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Office:
    """When offices work. `holidays` are days off, `swapped` Saturdays and Sundays worked in exchange; both come from a data file."""

    hours: tuple[tuple[time, time], ...] = ((time(7, 30), time(11, 30)), (time(13, 30), time(17, 0)))
    holidays: Set[date] = frozenset()
    swapped: Set[date] = frozenset()

    def works(self, day: date) -> bool:
        """Whether `day` is a working day."""
        return day in self.swapped or (day.weekday() < 5 and day not in self.holidays)


def working_days(after: date, before: date, office: Office) -> int:
    """The working days that lie wholly between the two days."""
    return sum(office.works(after + DAY * index) for index in range(1, (before - after).days))


def short_notice(announced_at: datetime | None, start: datetime, zone: tzinfo, office: Office) -> bool:
    """Whether an interruption at `start` was announced later than `NOTICE_DAYS` working days before; unannounced is short."""
    if announced_at is None:
        return True
    return working_days(announced_at.astimezone(zone).date(), start.astimezone(zone).date(), office) < NOTICE_DAYS


def office_hours(office: Office, start: datetime, end: datetime, zone: tzinfo) -> list[tuple[datetime, datetime]]:
    """The office hours inside [start, end), in UTC and in order."""
    day, last = start.astimezone(zone).date(), end.astimezone(zone).date()
    stretches: list[tuple[datetime, datetime]] = []
    while day <= last:
        if office.works(day):
            for opens, closes in office.hours:
                one = max(start, datetime.combine(day, opens, zone).astimezone(UTC))
                two = min(end, datetime.combine(day, closes, zone).astimezone(UTC))
                if one < two:
                    stretches.append((one, two))
        day += DAY
    return stretches
