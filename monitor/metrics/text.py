"""The text exposition format, version 0.0.4, and what OpenMetrics 1.0 writes differently.

Owns: escaping, numbers and the two header lines of a family. Never: knows what is measured.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Literal

Type = Literal["gauge", "info"]


@dataclass(frozen=True, slots=True)
class Family:
    """A family of samples. `name` is that of its samples, so one of type `info` ends in `_info`."""

    name: str
    help: str
    type: Type = "gauge"

    def header(self, *, openmetrics: bool) -> bytes:
        """HELP and TYPE; OpenMetrics names an info family without its suffix, the older format knows only gauges."""
        name, kind = self.name, "gauge"
        if openmetrics and self.type == "info":
            name, kind = self.name.removesuffix("_info"), "info"
        return f"# HELP {name} {_help(self.help, openmetrics=openmetrics)}\n# TYPE {name} {kind}\n".encode()


@dataclass(frozen=True, slots=True)
class Block:
    """A family with all its samples, column by column, as bytes that are the same in both formats. Empty ones are none."""

    family: Family
    columns: Sequence[Collection[bytes]]


def join(blocks: Iterable[Block], *, openmetrics: bool, start: bytes = b"", end: bytes = b"") -> bytes:
    """The whole exposition, copied once."""
    parts: list[bytes] = [start]
    for block in blocks:
        parts.append(block.family.header(openmetrics=openmetrics))
        for column in block.columns:
            parts.extend(column)
    parts.append(end)
    return b"".join(parts)


def labels(pairs: Mapping[str, str]) -> bytes:
    """`a="x",b="y"`: values escaped; a letter that is none becomes a question mark."""
    return ",".join(f'{name}="{_escape(value)}"' for name, value in pairs.items()).encode("utf-8", "replace")


def number(value: float) -> bytes:
    """A value as both formats read it."""
    if isfinite(value):
        return repr(value).encode()
    return b"NaN" if value != value else b"+Inf" if value > 0 else b"-Inf"


def sample(family: Family, pairs: Mapping[str, str], value: float) -> bytes:
    """One line."""
    return b"%b{%b} %b\n" % (family.name.encode(), labels(pairs), number(value))


def _escape(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def _help(text: str, *, openmetrics: bool) -> str:
    escaped = text.replace("\\", r"\\").replace("\n", r"\n")
    return escaped.replace('"', r"\"") if openmetrics else escaped
