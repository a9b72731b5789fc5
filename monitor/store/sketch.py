"""Percentiles of many durations in a few bytes, to one part in a hundred.

Owns: counts by buckets that each are 2 % wider than the last (a sketch with relative error, after Masson, Rim and Lee, "DDSketch", 2019);
sketches of several hours add up. Never: knows what it measures: values are whole steps of 0.1 ms.
"""

from collections import Counter
from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt

GROWTH = 1.02
STEPS_PER_SECOND = 10_000


def sketch(steps: npt.NDArray[np.int64]) -> bytes:
    """The sketch of these durations."""
    if not len(steps):
        return b""
    bucket = np.rint(np.log(np.maximum(steps, 1)) / np.log(GROWTH)).astype(np.int64)
    return _pack(Counter(bucket.tolist()))


def add(sketches: Iterable[bytes]) -> bytes:
    """One sketch of all."""
    total: Counter[int] = Counter()
    for one in sketches:
        total.update(dict(_unpack(one)))
    return _pack(total)


def percentile(one: bytes, share: float) -> float | None:
    """Seconds that `share` (0..1) of the durations do not exceed, within 1 %; None of an empty sketch."""
    counts = list(_unpack(one))
    rank, passed = share * (sum(count for _, count in counts) - 1), 0
    for bucket, count in counts:
        passed += count
        if passed > rank:
            return float(GROWTH**bucket) / STEPS_PER_SECOND
    return None


def _pack(counts: Counter[int]) -> bytes:
    """Pairs (distance from the former bucket, count), each a little-endian number of seven bits a byte."""
    packed, former = bytearray(), 0
    for bucket, count in sorted(counts.items()):
        for value in (bucket - former, count):
            rest = value
            while rest > 127:
                packed.append(rest & 127 | 128)
                rest >>= 7
            packed.append(rest)
        former = bucket
    return bytes(packed)


def _unpack(one: bytes) -> Iterator[tuple[int, int]]:
    numbers, value, shift = [], 0, 0
    for byte in one:
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            numbers.append(value)
            value, shift = 0, 0
    bucket = 0
    for distance, count in zip(numbers[::2], numbers[1::2], strict=True):
        bucket += distance
        yield bucket, count
