"""What a scene of the benchmark is: one module in this folder with a `SCENE`, found by its being there.

Owns: figures with their targets, rounds that alternate between rivals, medians.
Never: measures anything itself.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One number. With a `target` it is a promise: at least or at most that much, as `want` says."""

    name: str
    value: float
    unit: str = ""
    target: float | None = None
    want: Literal["least", "most"] = "least"
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the promise is kept; None when there is none."""
        if self.target is None:
            return None
        return self.value >= self.target if self.want == "least" else self.value <= self.target


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """A figure that could not be taken here, and why: said as loudly as a missed target."""

    name: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One comparison, at most some 40 seconds long. `play` runs it and gives its figures, the ratios first."""

    name: str
    title: str
    play: Callable[[], Sequence[Figure | Missing]]


def rounds(rivals: Mapping[str, Callable[[], float]], *, count: int = 12) -> dict[str, float]:
    """Each rival `count` times, in turn, so that a noisy moment hits them all; the median of each. One round before warms up."""
    seen: dict[str, list[float]] = {name: [] for name in rivals}
    for _ in range(count + 1):
        for name, act in rivals.items():
            seen[name].append(act())
    return {name: median(values[1:]) for name, values in seen.items()}
