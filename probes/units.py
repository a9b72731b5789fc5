"""Numbers with units, as they are written in a configuration: `30s`, `5m`, `24h`, `7d`, `30ms`, `1%`, `256KiB`, `100Mbit`.

Owns: reading them into base units (seconds, ratios 0..1, bytes, bits per second), and the annotated types that specs use.
"""

import re
from datetime import timedelta
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, Field, WithJsonSchema

TIME: Final = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
SIZE: Final = {"B": 1, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3, "kB": 1000, "MB": 1000**2, "GB": 1000**3}
RATE: Final = {"bit": 1, "kbit": 1_000, "Mbit": 1_000_000, "Gbit": 1_000_000_000}

_NUMBER = re.compile(r"(-?\d+(?:\.\d+)?)\s*([A-Za-z%µ]*)")


def _split(text: Any) -> tuple[float, str]:
    """Take `30ms` apart; ValueError when it is not a number with an optional unit."""
    match = _NUMBER.fullmatch(str(text).strip())
    if match is None or isinstance(text, bool):
        raise ValueError(f"{text!r} is not a number with a unit")
    return float(match[1]), match[2]


def seconds(text: Any) -> float:
    """`30s`, `5m`, `24h`, `7d`, `30ms` in seconds. A bare number is refused: nobody knows what was meant. Already a timedelta: taken."""
    if isinstance(text, timedelta):
        return text.total_seconds()
    value, unit = _split(text)
    if unit not in TIME:
        raise ValueError(f"{text!r} needs a unit of time: {', '.join(TIME)} (such as 30s)")
    if value < 0:
        raise ValueError(f"{text!r} is negative")
    return value * TIME[unit]


def duration(text: Any) -> timedelta:
    """The same as a timedelta."""
    return timedelta(seconds=seconds(text))


def ratio(text: Any) -> float:
    """`1%` as 0.01; a bare number must lie in 0..1 already."""
    value, unit = _split(text)
    if unit not in ("", "%"):
        raise ValueError(f"{text!r} is not a share: write 30% or 0.3")
    value = value / 100 if unit == "%" else value
    if not 0 <= value <= 1:
        raise ValueError(f"{text!r} is not a share between 0% and 100%")
    return value


def size(text: Any) -> int:
    """`256KiB` in bytes; a bare number is bytes."""
    value, unit = _split(text)
    if unit not in ("", *SIZE):
        raise ValueError(f"{text!r} is not a size: write 256KiB or 1MB")
    if value < 0:
        raise ValueError(f"{text!r} is negative")
    return int(value * SIZE.get(unit, 1))


def quantity(text: Any, unit_kind: str) -> float:
    """A threshold's number in the base unit of a fact (`seconds`, `ratio`, `bytes`, `days`, `number`, `bits_per_second`).

    A bare number is taken in the base unit (seconds, days, …), as in `seconds > 3`.
    """
    value, unit = _split(text)
    if unit == "" or (unit_kind == "days" and unit == "d"):
        return value
    tables: dict[str, dict[str, float]] = {
        "seconds": dict(TIME),
        "ratio": {"%": 0.01},
        "bytes": {key: float(factor) for key, factor in SIZE.items()},
        "bits_per_second": {key: float(factor) for key, factor in RATE.items()},
    }
    table = tables.get(unit_kind, {})
    if unit not in table:
        allowed = ", ".join(table) or "no unit"
        raise ValueError(f"{text!r}: this fact is in {unit_kind}; it takes {allowed}")
    return value * table[unit]


_TIME_SCHEMA = WithJsonSchema(
    {"type": "string", "pattern": r"^\d+(\.\d+)?(us|ms|s|m|h|d|w)$", "examples": ["30s", "5m"]}
)
_SIZE_SCHEMA = WithJsonSchema({"type": ["string", "integer"], "examples": ["256KiB", "56B"]})
_RATIO_SCHEMA = WithJsonSchema({"type": ["string", "number"], "examples": ["30%"]})

Seconds = Annotated[float, BeforeValidator(seconds), _TIME_SCHEMA]
Duration = Annotated[timedelta, BeforeValidator(duration), _TIME_SCHEMA]
Ratio = Annotated[float, BeforeValidator(ratio), _RATIO_SCHEMA]
Bytes = Annotated[int, BeforeValidator(size), _SIZE_SCHEMA]
Port = Annotated[int, Field(ge=1, le=65535)]
