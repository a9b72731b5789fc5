"""What is remembered of how a check usually measures: its last minutes, and what is normal for it.

Owns: the nouns, and the one form in which a crossed line is written down. Never: decides what is normal or what is ill (`monitor.rules.habit`).
"""

import math
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple


class Slot(NamedTuple):
    """A twentieth of a window: the sum of its rounds' values times their weights, the weights, and how many rounds."""

    place: int
    total: float
    weight: float
    rounds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Recent:
    """The slots of one window over one fact, oldest first, twenty at the most; `length` is a slot's, in seconds. The rest are their sums."""

    fact: str
    length: float
    slots: tuple[Slot, ...] = ()
    total: float = 0.0
    weight: float = 0.0
    rounds: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Normal:
    """What is normal for one fact of one check, in the fact's base unit; `value` is None until enough is known.

    `ring` are the medians of the latest periods in which it was well, oldest first. `accepted`: a person said that it is so now, and it is
    being learned anew. `ill` while the fact is beyond a line drawn from its normal.
    """

    fact: str
    value: float | None = None
    ring: tuple[float, ...] = ()
    accepted: bool = False
    ill: bool = False


class Lesson(NamedTuple):
    """What the period under way has taught of one fact: its number, how many rounds, and every `stride`-th of their values."""

    period: int = 0
    rounds: int = 0
    stride: int = 1
    values: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Learned:
    """What outlives the process of a check's habit; written when a period is over, or a person accepted how it is now."""

    check: str
    at: datetime
    normals: tuple[Normal, ...] = ()


class Round(NamedTuple):
    """One round of measuring: its start in seconds since 1970, and for each window (value, weight); weight 0 where there was no value."""

    at: float
    measured: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Habit:
    """How one check usually measures. `lessons` are of the `normals`, in their order; they begin empty with a process, as do the windows.

    `waiting` are failed rounds of which nobody knows yet whether they are an outage.
    """

    check: str
    normals: tuple[Normal, ...] = ()
    lessons: tuple[Lesson, ...] = ()
    windows: tuple[Recent, ...] = ()
    waiting: tuple[Round, ...] = ()

    def normal(self, fact: str) -> float | None:
        """What is normal for a fact, where that is known."""
        return next((normal.value for normal in self.normals if normal.fact == fact), None)


_SCALES: Final = {
    "seconds": ((3600.0, "h"), (60.0, "m"), (1.0, "s"), (1e-3, "ms"), (1e-6, "us")),
    "bytes": ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"), (1.0, "B")),
    "bits_per_second": ((1e9, "Gbit"), (1e6, "Mbit"), (1e3, "kbit"), (1.0, "bit")),
    "ratio": ((0.01, "%"),),
    "days": ((1.0, "d"),),
}


def amount(value: float, unit: str) -> str:
    """A number as a configuration writes it, to three digits: `7%`, `12.5ms`, `95Mbit`, `29d`; a unit without a sign is a bare number."""
    scales = _SCALES.get(unit, ((1.0, ""),))
    if unit == "seconds" and abs(value) < 120:
        scales = scales[2:]  # A minute and a half of waiting is read in seconds.
    size, sign = next(((size, sign) for size, sign in scales if abs(value) >= size * 0.9995), scales[-1])
    if value == 0 and unit == "seconds":
        size, sign = 1e-3, "ms"
    return f"{_digits(value / size)}{sign}"


def _digits(value: float) -> str:
    """Three digits that count, more before the point if there are more, no trailing zeros."""
    if not value or not math.isfinite(value):
        return "0" if not value else str(value)
    places = max(0, 2 - math.floor(math.log10(abs(value))))
    text = f"{value:.{min(places, 9)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def crossing(
    fact: str, value: float, op: str, limit: float, unit: str, *, over: str = "", normal: float | None = None
) -> str:
    """A crossed line as it stands in the ledger, in no language: `loss 7% >= 5% over 10m (normal 0%)`; `monitor.words` reads it out."""
    text = f"{fact} {amount(value, unit)} {op} {amount(limit, unit)}"
    if over:
        text += f" over {over}"
    return text if normal is None else f"{text} (normal {amount(normal, unit)})"


def crossed_fact(detail: str) -> str:
    """The fact that a crossed line is about; empty for a detail that is none."""
    words = detail.split(" ", 3)
    return words[0] if len(words) == 4 and words[2] in ("<", "<=", ">", ">=", "==", "!=") else ""
