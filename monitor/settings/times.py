"""Moments as a person writes them: one-off times, cron lines, and when a report is due.

Owns: saying whether such a text is right, and what would be.
Never: computes the next moment; the calendar does.
"""

import re
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from probes.cron import check_cron
from probes.units import duration

__all__ = ["AT_EXAMPLES", "check_at", "check_cron", "check_word", "localized", "long_duration", "moment"]

_YEARS = re.compile(r"(\d{1,3})y")
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}([ T]\d{2}:\d{2}(:\d{2})?(Z|[+-]\d{2}:\d{2})?)?")
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
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


def check_word(text: str) -> str:
    """A name that may stand in an address and in a metric as it is."""
    if not _WORD.fullmatch(text):
        raise ValueError(f"{text!r} is not a name: write letters, digits, dots and dashes, at most 64")
    return text
