"""Sealed samples are the samples: to 0.1 ms, in three bytes."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.store.chunks import Columns, decode, encode, merge
from monitor.store.sketch import add, percentile, sketch

VERDICTS = [("ok", "ok"), ("failed", "timeout"), ("blind", "own_dns")]
DAY_30S, DAY_60S = 2880, 1440


def same(one: Columns, other: Columns) -> bool:
    """Whether both hold the same samples, whatever the order of their lists of verdicts."""

    def plain(columns: Columns) -> list[object]:
        facts = {
            name: (where.tolist(), values.tolist()) for name, (where, values) in columns.facts.items() if where.any()
        }
        verdicts = [columns.verdicts[number] for number in columns.verdict.tolist()]
        return [columns.at.tolist(), verdicts, columns.seconds.tolist(), facts]

    return plain(one) == plain(other)


@st.composite
def columns(draw: st.DrawFn) -> Columns:
    """Any samples, the odd ones too."""
    number = st.integers(-(2**40), 2**40) | st.integers(0, 300)
    at = sorted(draw(st.sets(st.integers(0, 2**47), min_size=1, max_size=40)))
    size = len(at)

    def ints(kind: st.SearchStrategy[int]) -> np.ndarray:
        return np.array(draw(st.lists(kind, min_size=size, max_size=size)), np.int64)

    facts = {}
    for name in draw(st.sets(st.sampled_from(["loss", "rtt", "độ trễ"]))):
        where = ints(st.integers(0, 1)).astype(bool)
        facts[name] = (where, ints(number)[where])
    return Columns(
        at=np.array(at, np.int64), verdict=ints(st.integers(0, 2)), verdicts=VERDICTS, seconds=ints(number), facts=facts
    )


@given(columns())
@settings(max_examples=150, deadline=None)
def test_what_is_packed_comes_back(some):
    assert same(decode(encode(some)), some)


@given(columns(), columns())
@settings(max_examples=100, deadline=None)
def test_merging_is_a_union_and_the_later_part_wins(one, other):
    whole = merge([one, other])
    assert whole.at.tolist() == sorted({*one.at.tolist(), *other.at.tolist()})
    assert same(merge([whole, other]), whole)
    seconds = dict(zip(one.at.tolist(), one.seconds.tolist(), strict=True))
    seconds |= dict(zip(other.at.tolist(), other.seconds.tolist(), strict=True))
    assert dict(zip(whole.at.tolist(), whole.seconds.tolist(), strict=True)) == seconds


def test_what_is_no_chunk_is_refused():
    with pytest.raises(ValueError):
        decode(b"PK\3\4")


def day(random: np.random.Generator, count: int, every: int) -> Columns:
    """A check's day as they are: latency about a base with a daily wave, some lateness of the schedule, now and then an outage."""
    base = random.uniform(150, 2500)
    seconds = base * random.lognormal(0, 0.12, count) * (1 + 0.25 * np.sin(np.arange(count) / count * 2 * np.pi))
    at = (np.arange(count) * every * 1000 + np.abs(random.normal(0, 3, count))) * 10 + 1_760_000_000_0000
    verdict = np.zeros(count, np.int64)
    if random.random() < 0.3:
        first, length = random.integers(0, count - 40), random.integers(2, 40)
        verdict[first : first + length] = 1
        seconds[first : first + length] = 100_000
    return Columns(at=at.astype(np.int64), verdict=verdict, verdicts=VERDICTS, seconds=seconds.astype(np.int64))


@pytest.mark.parametrize(("count", "every"), [(DAY_30S, 30), (DAY_60S, 60), (288, 300)])
def test_a_day_takes_three_bytes_a_sample_at_most(count, every):
    random = np.random.default_rng(7)
    days = [day(random, count, every) for _ in range(40)]
    chunks = [encode(one) for one in days]
    assert all(same(decode(chunk), one) for chunk, one in zip(chunks, days, strict=True))
    assert sum(map(len, chunks)) / (40 * count) <= 3


@given(st.lists(st.integers(1, 10**6), min_size=1, max_size=200), st.floats(0, 1))
@settings(max_examples=150, deadline=None)
def test_percentiles_are_right_to_one_part_in_a_hundred(values, share):
    exact = sorted(values)[math.floor(share * (len(values) - 1))] / 10_000
    halves = [sketch(np.array(part, np.int64)) for part in (values[::2], values[1::2])]
    found = percentile(add(halves), share)
    assert found is not None
    assert abs(found - exact) <= exact * 0.0101


def test_no_durations_have_no_percentile():
    assert percentile(sketch(np.array([], np.int64)), 0.5) is None
