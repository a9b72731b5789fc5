"""A check's samples, wherever they are: rows of the hot table, or chunks.

Owns: turning rows to columns and columns to samples and hours. A sample may for a moment be in both places; it is one all the same.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from monitor.store import schema
from monitor.store.chunks import LARGEST, Columns, decode, merge
from monitor.store.engines import Database
from monitor.store.mapping import EPOCH, micros, moment
from monitor.store.packer import PER_SECOND, SEEN
from monitor.store.records import LINK_FACTS, Hour, Sample
from monitor.store.sketch import sketch
from probes.contract import Reason, Seen

MICROS_PER_STEP = 100
HOUR = 3_600_000_000
DAY = 24 * HOUR
"""Microseconds. Days are of UTC: a chunk's bounds are nobody's business but ours."""

_hot = schema.samples.c
HOT = (_hot.at, _hot.verdict, _hot.seconds, _hot.loss, _hot.rtt, _hot.jitter, _hot.facts)


async def words(connection: AsyncConnection) -> dict[int, str]:
    """What the small integers of verdicts mean."""
    rows = (await connection.execute(select(schema.words.c.id, schema.words.c.word))).all()
    return {row.id: row.word for row in rows}


def to_columns(rows: Sequence[Sequence[Any]], meaning: Mapping[int, str]) -> Columns:
    """Rows of `HOT` in any order."""
    whole = np.array([row[:3] for row in rows], np.int64)
    numbers, verdict = np.unique(whole[:, 1], return_inverse=True)
    facts: dict[str, tuple[list[int], list[int]]] = {}
    for place, row in enumerate(rows):
        given = [(name, value) for name, value in zip(LINK_FACTS, row[3:6], strict=True) if value is not None]
        if row[6] is not None:
            given += [(name, round(value * PER_SECOND)) for name, value in json.loads(row[6]).items() if _fits(value)]
        for name, value in given:
            where, values = facts.setdefault(name, ([], []))
            where.append(place)
            values.append(value)
    columns = Columns(
        at=whole[:, 0] // MICROS_PER_STEP,
        verdict=verdict.astype(np.int64),
        verdicts=[(SEEN[number % 4].value, meaning[number // 4]) for number in numbers.tolist()],
        seconds=whole[:, 2],
    )
    for name, (where, values) in facts.items():
        mask = np.zeros(len(rows), np.bool_)
        mask[where] = True
        columns.facts[name] = (mask, np.array(values, np.int64))
    return merge([columns])


def _fits(value: Any) -> bool:
    return isinstance(value, int | float) and abs(value) * PER_SECOND < LARGEST


def take(columns: Columns, keep: Any) -> Columns:
    """Those samples for which `keep` (an array of booleans) is true."""
    facts = {}
    for name, (where, values) in columns.facts.items():
        facts[name] = (where[keep], values[keep[where]])
    return Columns(
        at=columns.at[keep],
        verdict=columns.verdict[keep],
        verdicts=columns.verdicts,
        seconds=columns.seconds[keep],
        facts=facts,
    )


def cut(columns: Columns, start: int, end: int) -> Columns:
    """Those that start in [start, end), in microseconds."""
    return take(columns, (columns.at >= start // MICROS_PER_STEP) & (columns.at < end // MICROS_PER_STEP))


def to_samples(check: str, columns: Columns) -> list[Sample]:
    """One by one, in order of time."""
    given: list[dict[str, float]] = [{} for _ in range(len(columns))]
    for name, (where, values) in columns.facts.items():
        for place, value in zip(np.flatnonzero(where).tolist(), values.tolist(), strict=True):
            given[place][name] = value / PER_SECOND
    verdicts = [(Seen(who), Reason(why)) for who, why in columns.verdicts]
    step = timedelta(microseconds=MICROS_PER_STEP)
    samples = []
    for at, verdict, seconds, facts in zip(
        columns.at.tolist(), columns.verdict.tolist(), columns.seconds.tolist(), given, strict=True
    ):
        seen, reason = verdicts[verdict]
        samples.append(
            Sample(
                check=check, at=EPOCH + at * step, seen=seen, reason=reason, seconds=seconds / PER_SECOND, facts=facts
            )
        )
    return samples


def to_hour(columns: Columns) -> tuple[Any, ...]:
    """The figures of an hour's samples: count, failures, blind, seconds_sum, seconds_max, loss, sketch."""
    who = np.array([SEEN.index(Seen(seen)) for seen, _ in columns.verdicts], np.int64)[columns.verdict]
    blind = who == SEEN.index(Seen.BLIND)
    good = columns.seconds[who == SEEN.index(Seen.OK)]
    where, values = columns.facts.get("loss", (None, None))
    loss = None
    if where is not None and values is not None and len(counted := values[~blind[where]]):
        loss = float(counted.mean()) / PER_SECOND
    return (
        len(columns),
        int((who == SEEN.index(Seen.FAILED)).sum()),
        int(blind.sum()),
        float(good.sum()) / PER_SECOND,
        float(good.max(initial=0)) / PER_SECOND,
        loss,
        sketch(good),
    )


class Series:
    """Reading samples and hours."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def samples(self, check: str, start: datetime, end: datetime) -> tuple[Sample, ...]:
        """See Store.samples."""
        # Bounds in steps, like the samples: one that starts in the same 0.1 ms as a bound is after it, hot or sealed.
        since, until = (micros(bound) // MICROS_PER_STEP * MICROS_PER_STEP for bound in (start, end))
        async with self._database.reader() as connection:
            number = await connection.scalar(select(schema.checks.c.id).where(schema.checks.c.check == check))
            if number is None:
                return ()
            chunks = await _chunks(connection, number, since, until)
            hot = select(*HOT).where(_hot.check == number, _hot.at >= since, _hot.at < until)
            rows = (await connection.execute(hot)).all()
            meaning = await words(connection)
        parts = [cut(decode(chunk), since, until) for chunk in chunks]
        if rows:
            parts.append(to_columns(rows, meaning))
        parts = [part for part in parts if len(part)]
        return tuple(to_samples(check, merge(parts))) if parts else ()

    async def hourly(self, check: str, start: datetime, end: datetime) -> tuple[Hour, ...]:
        """See Store.hourly."""
        row = schema.hourly.c
        query = (
            select(schema.hourly)
            .join(schema.checks, schema.checks.c.id == row.check)
            .where(schema.checks.c.check == check, row.start >= micros(start), row.start < micros(end))
            .order_by(row.start)
        )
        async with self._database.reader() as connection:
            found = (await connection.execute(query)).all()
        return tuple(
            Hour(
                check=check,
                start=moment(line.start),
                count=line[2],
                failures=line.failures,
                blind=line.blind,
                seconds_sum=line.seconds_sum,
                seconds_max=line.seconds_max,
                loss=line.loss,
                sketch=bytes(line.sketch),
            )
            for line in found
        )


async def _chunks(connection: AsyncConnection, number: int, since: int, until: int) -> list[bytes]:
    """The chunks that touch the period, looked up by their starts: the key has the time before the check."""
    row = schema.chunks.c
    found: list[bytes] = []
    for hours, size in ((24, DAY), (1, HOUR)):
        # Chunks of hours are there for the latest days only.
        ends = select(func.min(row.start), func.max(row.start)).where(row.hours == hours)
        first, last = (await connection.execute(ends)).one()
        if first is None:
            continue
        starts = range(max(since // size * size, int(first)), min(until, int(last) + 1), size)
        for at in range(0, len(starts), 500):
            named = row.start.in_(starts[at : at + 500])
            query = select(row.data).where(row.hours == hours, named, row.check == number)
            found += (await connection.execute(query)).scalars()
    return found
