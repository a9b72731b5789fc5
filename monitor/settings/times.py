"""Moments as a person writes them: one-off times, cron lines, and when a report is due.

Owns: saying whether such a text is right, and what would be.
Never: computes the next moment; the calendar does.
"""

import re
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from probes.units import duration

_YEARS = re.compile(r"(\d{1,3})y")
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}([ T]\d{2}:\d{2}(:\d{2})?(Z|[+-]\d{2}:\d{2})?)?")
_CLOCK = r"([01]\d|2[0-3]):[0-5]\d"

AT_EXAMPLES: Final = {
    "daily": "07:00",
    "weekly": "mon 07:00",
    "monthly": "day 24 16:00",
    "quarterly": "day 24 16:00",
    "yearly": "14/12 16:00",
}
_AT: Final = {
    "daily": re.compile(_CLOCK),
    "weekly": re.compile(rf"(mon|tue|wed|thu|fri|sat|sun) {_CLOCK}"),
    "monthly": re.compile(rf"day ([1-9]|1\d|2[0-8]) {_CLOCK}"),
    "quarterly": re.compile(rf"day ([1-9]|1\d|2[0-8]) {_CLOCK}"),
    "yearly": re.compile(rf"(\d{{1,2}})/(\d{{1,2}}) {_CLOCK}"),
}

_FIELDS: Final = (("minute", 0, 59), ("hour", 0, 23), ("day", 1, 31), ("month", 1, 12), ("weekday", 0, 6))
_NAMES: Final = {
    "month": ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"],
    "weekday": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"],
}


def long_duration(text: Any) -> timedelta:
    """A duration that may also be in years of 365 days: `2y`."""
    match = _YEARS.fullmatch(text.strip()) if isinstance(text, str) else None
    return timedelta(days=365 * int(match[1])) if match else duration(text)


def moment(text: Any) -> datetime:
    """`2026-12-05 22:00`, `2026-12-05`, or RFC 3339. Without an offset it is naive: local to the province."""
    if isinstance(text, datetime):
        return text
    if not isinstance(text, str) or not _MOMENT.fullmatch(text.strip()):
        raise ValueError(f"{text!r} is not a moment: write 2026-12-05 22:00 (local) or 2026-12-05T15:00:00Z")
    try:
        return datetime.fromisoformat(text.strip())
    except ValueError:
        raise ValueError(f"{text!r} is no day or time that exists") from None


def localized(value: datetime, zone: ZoneInfo) -> datetime:
    """The same moment in UTC; a naive one is taken in the zone."""
    return (value if value.tzinfo else value.replace(tzinfo=zone)).astimezone(UTC)


def check_at(kind: str, text: str) -> str:
    """When a report of this kind is due, as written; ValueError when it cannot be read."""
    match = _AT[kind].fullmatch(text)
    if match is None:
        raise ValueError(f'{text!r} does not say when a {kind} report is due: write "{AT_EXAMPLES[kind]}"')
    if kind == "yearly":
        try:
            datetime(2027, int(match[2]), int(match[1]), tzinfo=UTC)
        except ValueError:
            raise ValueError(f"{text!r}: there is no such day in every year (it is read as day/month)") from None
    return text


def check_cron(text: str) -> str:
    """A cron line of five fields (minute hour day month weekday); ValueError says which field is wrong."""
    parts = text.split()
    if len(parts) != len(_FIELDS):
        raise ValueError(f'{text!r} is not a cron line: it has five fields, such as "0 1 1 * *"')
    for part, (name, low, high) in zip(parts, _FIELDS, strict=True):
        for item in part.split(","):
            if not _cron_item(item.lower(), name, low, high):
                right = "mon-sun, by name" if name == "weekday" else f"{low}-{high}"
                raise ValueError(f"{text!r}: {part!r} is no {name} ({right})")
    return text


def _cron_item(item: str, name: str, low: int, high: int) -> bool:
    """`*`, `5`, `1-5`, `*/15`, `1-5/2`; weekdays by name only, because some count them from Sunday and some from Monday."""
    span, slash, step = item.partition("/")
    if slash and not (step.isdecimal() and 0 < int(step[:4]) <= high):
        return False
    if span == "*":
        return True
    first, dash, last = span.partition("-")
    begin = _cron_value(first, name)
    end = _cron_value(last, name) if dash else begin
    return begin is not None and end is not None and low <= begin <= end <= high and not (slash and not dash)


def _cron_value(text: str, name: str) -> int | None:
    names = _NAMES.get(name, [])
    if text in names:
        return names.index(text) + (name == "month")
    if name == "weekday":
        return None
    return int(text) if text.isdecimal() and len(text) <= 2 else None
