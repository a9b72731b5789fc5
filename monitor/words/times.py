"""Times as they are written: dd/mm/yyyy and the 24-hour clock in Vietnamese, year-month-day in English.

Owns: the form of moments, durations and periods. Never: reads a clock or chooses a zone; both are handed in.
"""

from datetime import date, datetime, timedelta, tzinfo
from typing import Final

from monitor.words.numbers import NOTHING, Lang

_QUARTERS: Final = ("I", "II", "III", "IV")
_MONTHS: Final = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)


def duration(length: timedelta | float | None, lang: Lang) -> str:
    """`1 ngày 03:12:45`, or `03:12:45` below a day; parts of a second are cut. A number is seconds; None is a dash."""
    if length is None:
        return NOTHING
    span = length if isinstance(length, timedelta) else timedelta(seconds=length)
    sign = "-" if span < timedelta(0) else ""
    total = int(abs(span).total_seconds())
    days, rest = divmod(total, 86400)
    clock = f"{rest // 3600:02}:{rest // 60 % 60:02}:{rest % 60:02}"
    if not days:
        return sign + clock
    word = "ngày" if lang == "vi" else "day" if days == 1 else "days"
    return f"{sign}{days} {word} {clock}"


def about(length: timedelta | float, lang: Lang) -> str:
    """The two largest units, for a message: `3 giờ 58 phút`, `1 ngày 4 giờ`, `45 giây`. Cut, not rounded; negative ones lose their sign."""
    span = length if isinstance(length, timedelta) else timedelta(seconds=length)
    total = int(abs(span).total_seconds())
    names = (
        (("ngày", 86400), ("giờ", 3600), ("phút", 60), ("giây", 1))
        if lang == "vi"
        else (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1))
    )
    parts: list[str] = []
    for index, (name, unit) in enumerate(names):
        count = total // unit
        if count:
            parts.append(f"{count} {name}{_plural(count, lang)}")
        total %= unit
        if parts and (len(parts) == 2 or (not count and index)):
            break
    return " ".join(parts) or f"0 {names[-1][0]}{_plural(0, lang)}"


def _plural(count: int, lang: Lang) -> str:
    return "s" if lang == "en" and count != 1 else ""


def moment(at: datetime | None, zone: tzinfo, lang: Lang, *, seconds: bool = False) -> str:
    """`21/11/2026 21:03` in `zone` (English: `2026-11-21 21:03`), with seconds when asked for. None is a dash."""
    if at is None:
        return NOTHING
    local = at.astimezone(zone)
    clock = f"{local:%H:%M:%S}" if seconds else f"{local:%H:%M}"
    return f"{day(local.date(), lang)} {clock}"


def short(at: datetime | None, now: datetime, zone: tzinfo, lang: Lang) -> str:
    """A moment of the past where there is little room: `14:03` today, `20/11` this year, `11/2025` before. None is a dash."""
    if at is None:
        return NOTHING
    local, today = at.astimezone(zone), now.astimezone(zone)
    if local.date() == today.date():
        return f"{local:%H:%M}"
    if local.year == today.year:
        return f"{local:%d/%m}" if lang == "vi" else f"{local:%m-%d}"
    return f"{local.month:02}/{local.year:04}" if lang == "vi" else f"{local.year:04}-{local.month:02}"


def day(at: date, lang: Lang) -> str:
    """`21/11/2026`, or `2026-11-21`. A datetime gives the day it has in its own zone."""
    if lang == "vi":
        return f"{at.day:02}/{at.month:02}/{at.year:04}"
    return f"{at.year:04}-{at.month:02}-{at.day:02}"


def formal_day(at: date, lang: Lang) -> str:
    """The day as the heading of a document writes it: `ngày 05 tháng 01 năm 2026`.

    A leading zero stands before days below 10 and before the months 1 and 2 only (Nghị định 30/2020/NĐ-CP, Phụ lục I).
    """
    if lang == "vi":
        month = f"{at.month:02}" if at.month <= 2 else str(at.month)
        return f"ngày {at.day:02} tháng {month} năm {at.year}"
    return f"{at.day} {_MONTHS[at.month - 1]} {at.year}"


def week(monday: date, lang: Lang) -> str:
    """`Tuần 47 (16/11/2026–22/11/2026)`: the ISO number of the week that begins on `monday`."""
    iso = monday.isocalendar()
    name = f"Tuần {iso.week}" if lang == "vi" else f"Week {iso.week} of {iso.year}"
    return f"{name} ({day(monday, lang)}–{day(monday + timedelta(days=6), lang)})"


def period(kind: str, first: datetime, end: datetime, lang: Lang) -> str:
    """The label of a period `[first, end)` given in local time: day, week, month, quarter, year, or from–to for any other."""
    start = first.date()
    match kind:
        case "daily":
            return f"Ngày {day(start, lang)}" if lang == "vi" else day(start, lang)
        case "weekly":
            return week(start, lang)
        case "monthly":
            return f"Tháng {start.month}/{start.year}" if lang == "vi" else f"{_MONTHS[start.month - 1]} {start.year}"
        case "quarterly":
            quarter = (start.month - 1) // 3
            return f"Quý {_QUARTERS[quarter]}/{start.year}" if lang == "vi" else f"Q{quarter + 1} {start.year}"
        case "yearly":
            return f"Năm {start.year}" if lang == "vi" else str(start.year)
    midnight = first.time() == end.time() == datetime.min.time()
    if midnight:
        last = end.date() - timedelta(days=1)
        one, two = day(start, lang), day(last, lang)
    else:
        one, two = f"{day(start, lang)} {first:%H:%M}", f"{day(end, lang)} {end:%H:%M}"
    return f"Từ {one} đến {two}" if lang == "vi" else f"From {one} to {two}"
