"""Cron lines of five fields, as text.

Owns: saying whether such a line is right, and what would be. Never: computes a moment; whoever has a calendar does.
"""

from typing import Annotated, Final

from pydantic import AfterValidator, WithJsonSchema

_FIELDS: Final = (("minute", 0, 59), ("hour", 0, 23), ("day", 1, 31), ("month", 1, 12), ("weekday", 0, 6))
_NAMES: Final = {
    "month": ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"],
    "weekday": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"],
}
_LONGEST: Final = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
"""Days that a month may have."""


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
    day, month = _first(parts[2], 1), {_first(item, 1) for item in parts[3].split(",")}
    if all("-" not in item and "*" not in item for item in parts[3].split(",")) and day > max(
        _LONGEST[each - 1] for each in month
    ):
        raise ValueError(f"{text!r}: no day {day} in such a month: it never comes")
    return text


def _first(part: str, least: int) -> int:
    """The smallest value that one field names; of a month by name its number."""
    values = [_cron_value(item.lower().partition("/")[0].partition("-")[0], "month") for item in part.split(",")]
    return min(least if value is None else value for value in values)


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


Cron = Annotated[
    str, AfterValidator(check_cron), WithJsonSchema({"type": "string", "examples": ["30 1 * * *", "0 7 * * mon-fri"]})
]
"""minute hour day month weekday (by name)."""
