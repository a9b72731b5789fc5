"""Many samples of one check in few bytes, exact to 0.1 ms.

Owns: the format. Each column becomes small whole numbers (times as their distance from an even beat, seconds as their distance from the
median or from the former one), zigzagged to be positive, and split at the bit above which they are seldom: the low bits are noise and go
as they are, the high parts go through zstandard. Verdicts are runs. Never: knows a table.

Layout: `TSC1`, then zstandard's frame of the head (JSON) and of the high parts, then the low bits.
"""

import json
import struct
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import zstandard

from monitor.store.mapping import dump

Ints = npt.NDArray[np.int64]

MAGIC = b"TSC1"
LEVEL = 3
"""Levels up to 12 gain less than 7 % on such data."""
ESCAPE = 255
"""A high part that is this or more stands in the head itself."""
LARGEST = 2**52
"""Steps beyond this are no longer exact as a float, nor needed."""


@dataclass(slots=True)
class Columns:
    """Samples of one check by columns, in order of time: `at` and `seconds` in steps of 0.1 ms, `verdict` an index in `verdicts`
    (who, why). A fact has values for the samples `where` it was given.
    """

    at: Ints
    verdict: Ints
    verdicts: list[tuple[str, str]]
    seconds: Ints
    facts: dict[str, tuple[npt.NDArray[np.bool_], Ints]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.at)


class _Packing:
    """The three parts being filled: descriptions, high parts, low bits."""

    def __init__(self) -> None:
        self.high: list[bytes] = []
        self.low: list[bytes] = []

    def put(self, values: Ints) -> list[int]:
        """Add a column; gives what is needed to read it: base, low bits, whether by differences, and the far values."""
        if not len(values):
            return []
        median = int(np.median(values))
        plain, moved = values - median, np.diff(values, prepend=values[:1])
        change = np.abs(moved).sum() < np.abs(plain).sum()
        base = int(values[0]) if change else median
        small = moved if change else plain
        positive = (small << 1) ^ (small >> 63)
        # The middle's own bits, less one: what is above is then about two bits wide.
        bits = max(0, int(np.median(positive)).bit_length() - 1)
        high = positive >> bits
        far = np.flatnonzero(high >= ESCAPE)
        self.high.append(np.minimum(high, ESCAPE).astype(np.uint8).tobytes())
        if bits:
            spread = (positive[:, None] >> np.arange(bits)) & 1
            self.low.append(np.packbits(spread.astype(np.uint8)).tobytes())
        return [base, bits, int(change), *(int(value) for value in high[far])]


class _Unpacking:
    def __init__(self, high: bytes, low: bytes) -> None:
        self._high, self._low = high, low

    def take(self, head: list[int], count: int) -> Ints:
        """The next column."""
        if not count:
            return np.zeros(0, np.int64)
        base, bits, change, *far = head
        high = np.frombuffer(self._high, np.uint8, count).astype(np.int64)
        self._high = self._high[count:]
        if far:
            high[high == ESCAPE] = far
        positive = high << bits
        if bits:
            size = (count * bits + 7) // 8
            spread = np.unpackbits(np.frombuffer(self._low, np.uint8, size), count=count * bits).reshape(count, bits)
            self._low = self._low[size:]
            positive |= (spread.astype(np.int64) << np.arange(bits)).sum(axis=1)
        small = (positive >> 1) ^ -(positive & 1)
        return cast(Ints, (np.cumsum(small) if change else small) + base)


def _beat(at: Ints) -> int:
    """The even distance that the times keep, in steps: whole seconds if they fit, for checks are asked for in those."""
    if len(at) < 2:
        return 1
    middle = max(1, int(np.median(np.diff(at))))
    whole = round(middle / 10_000) * 10_000
    return whole if whole and abs(whole - middle) < whole // 20 else middle


def encode(columns: Columns) -> bytes:
    """The chunk of these samples; there must be one at least."""
    packing = _Packing()
    beat = _beat(columns.at)
    first = int(columns.at[0])
    slot = (columns.at - first + beat // 2) // beat
    changes = np.flatnonzero(np.diff(columns.verdict, prepend=-1))
    head: dict[str, Any] = {
        "n": len(columns),
        "t": first,
        "e": beat,
        "c": [
            packing.put(np.diff(slot, prepend=0)),
            packing.put(columns.at - first - slot * beat),
            packing.put(columns.seconds),
        ],
        "v": columns.verdicts,
        "at": [int(position) for position in changes],
        "is": [int(verdict) for verdict in columns.verdict[changes]],
    }
    if columns.facts:
        facts = {}
        for name, (where, values) in sorted(columns.facts.items()):
            edges = np.flatnonzero(np.diff(where.astype(np.int8), prepend=0))
            facts[name] = [len(values), packing.put(values), [int(edge) for edge in edges]]
        head["f"] = facts
    text = dump(head).encode()
    inner = struct.pack("<I", len(text)) + text + b"".join(packing.high)
    frame = zstandard.ZstdCompressor(level=LEVEL, write_checksum=False, write_content_size=True).compress(inner)
    return MAGIC + struct.pack("<I", len(frame)) + frame + b"".join(packing.low)


def decode(chunk: bytes) -> Columns:
    """The inverse of `encode`; ValueError for bytes that are no chunk."""
    if chunk[:4] != MAGIC:
        raise ValueError("not a chunk of samples")
    (size,) = struct.unpack_from("<I", chunk, 4)
    inner = zstandard.ZstdDecompressor().decompress(chunk[8 : 8 + size])
    (length,) = struct.unpack_from("<I", inner)
    head = json.loads(inner[4 : 4 + length])
    unpacking = _Unpacking(inner[4 + length :], chunk[8 + size :])
    count = head["n"]
    slot, late, seconds = (unpacking.take(column, count) for column in head["c"])
    at = late + np.cumsum(slot) * head["e"] + head["t"]
    lengths = cast(Ints, np.diff(np.array([*head["at"], count], np.int64)))
    verdict = np.repeat(np.array(head["is"], np.int64), lengths)
    facts = {}
    for name, (given, column, edges) in head.get("f", {}).items():
        turns = np.zeros(count, np.int8)
        turns[edges] = 1
        facts[name] = (np.cumsum(turns) % 2 == 1, unpacking.take(column, given))
    return Columns(
        at=at, verdict=verdict, verdicts=[(who, why) for who, why in head["v"]], seconds=seconds, facts=facts
    )


def merge(parts: list[Columns]) -> Columns:
    """All of them in order of time; samples of the same 0.1 ms are the same sample, and the later part has it."""
    table: dict[tuple[str, str], int] = {}
    verdict = np.concatenate(
        [
            np.array([table.setdefault(pair, len(table)) for pair in part.verdicts], np.int64)[part.verdict]
            for part in parts
        ]
    )
    at = np.concatenate([part.at for part in parts])
    seconds = np.concatenate([part.seconds for part in parts])
    # Of equal times the last one stays: unique gives the first of the reversed.
    _, back = np.unique(at[::-1], return_index=True)
    keep = len(at) - 1 - back
    facts: dict[str, tuple[npt.NDArray[np.bool_], Ints]] = {}
    for name in {name for part in parts for name in part.facts}:
        where, whole = _whole(name, parts)
        facts[name] = (where[keep], whole[keep][where[keep]])
    return Columns(at=at[keep], verdict=verdict[keep], verdicts=list(table), seconds=seconds[keep], facts=facts)


def _whole(name: str, parts: list[Columns]) -> tuple[npt.NDArray[np.bool_], Ints]:
    """A fact of all parts, with a value (any) also where it was not given."""
    wheres, values = [], []
    for part in parts:
        where, given = part.facts.get(name, (np.zeros(len(part), np.bool_), np.zeros(0, np.int64)))
        full = np.zeros(len(part), np.int64)
        full[where] = given
        wheres.append(where)
        values.append(full)
    return np.concatenate(wheres), np.concatenate(values)
