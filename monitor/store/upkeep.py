"""Keeping the database small: samples into chunks, chunks of hours into chunks of days, and what is too old away.

Owns: the order of the steps, such that a kill between any two loses nothing: a sample is written into its chunk before its row goes, and for
the time that it is in both it counts once. Every step is a transaction of its own, small enough to hold the writer for 50 ms at most.
"""

import asyncio
import time
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Table, and_, bindparam, func, or_, select
from sqlalchemy.sql.dml import Delete

from monitor.model import IncidentState, Retention
from monitor.store import schema
from monitor.store.chunks import Columns, decode, encode, merge
from monitor.store.engines import Database
from monitor.store.mapping import micros, moment
from monitor.store.packer import SEEN
from monitor.store.records import MessageState, Upkeep
from monitor.store.series import DAY, HOT, HOUR, cut, to_columns, to_hour, words
from monitor.store.statements import Change, Statements
from monitor.store.writer import Writer
from probes.contract import Seen

READ = 5_000
"""Rows read in one go."""
PASS = 100_000
"""Rows held in memory at once; some 30 MB."""
CHUNKS = 50
"""Chunks written in one transaction."""
ROWS = 2_000
"""Rows deleted in one transaction."""

Group = tuple[int, int]
"""A check's number and the start of an hour."""
OPEN_DAYS = timedelta(days=4)
"""How long a line's five minutes are kept: until their day is closed, which takes some minutes, unless no daemon ran."""


class _Turn:
    """One turn of upkeep: its budget, and what it did."""

    def __init__(self, writer: Writer, budget: timedelta) -> None:
        self._writer = writer
        self._until = time.monotonic() + budget.total_seconds()
        self.samples = self.rows = 0
        self.longest = 0.0
        self.finished = True

    def spent(self) -> bool:
        """Whether the budget is; the turn is then not finished."""
        if time.monotonic() < self._until:
            return False
        self.finished = False
        return True

    async def write(self, *changes: Change) -> None:
        """One transaction."""
        changes = tuple(change for change in changes if change[1])
        if changes:
            self.longest = max(self.longest, await self._writer.submit(changes=changes, alone=True))
            self.rows += sum(len(rows) for _, rows in changes)

    def result(self) -> Upkeep:
        """What it did."""
        return Upkeep(samples=self.samples, rows=self.rows, longest_hold=self.longest, finished=self.finished)


class Keeper:
    """Seals and prunes. One turn at a time."""

    def __init__(self, database: Database, writer: Writer, sql: Statements) -> None:
        self._database = database
        self._writer = writer
        self._sql = sql
        self._one = asyncio.Lock()
        checks, samples = schema.checks, schema.samples
        self._see = sql.compile(
            checks.update()
            .where(
                checks.c.id == bindparam("number"),
                checks.c.state.is_not(None),
                or_(checks.c.seen_at.is_(None), checks.c.seen_at < bindparam("later")),
            )
            .values(seen_at=bindparam("seen")),
            "seen",
            "number",
            "later",
        )
        self._forget = sql.compile(
            samples.delete().where(
                samples.c.id >= bindparam("first"),
                samples.c.id <= bindparam("last"),
                samples.c.at < bindparam("before"),
            ),
            "first",
            "last",
            "before",
        )
        self._drop_chunk = self._delete(schema.chunks)

    def _delete(self, table: Table) -> str:
        keys = list(table.primary_key)
        statement: Delete = table.delete().where(and_(*(key == bindparam(f"key_{key.name}") for key in keys)))
        return self._sql.compile(statement, *(f"key_{key.name}" for key in keys))

    async def seal(self, before: datetime, budget: timedelta) -> Upkeep:
        """See Store.seal."""
        async with self._one:
            turn = _Turn(self._writer, budget)
            cutoff = micros(before) // HOUR * HOUR
            while not turn.spent() and await self._fold(turn, cutoff):
                pass
            while not turn.spent() and await self._join(turn, cutoff // DAY * DAY):
                pass
            return turn.result()

    async def _fold(self, turn: _Turn, cutoff: int) -> bool:
        """Put the oldest rows of finished hours into chunks of an hour; whether there may be more."""
        groups, ids = await self._oldest(cutoff)
        if not ids:
            return False
        keys = sorted(groups, key=lambda group: (group[1], group[0]))
        for at in range(0, len(keys), CHUNKS):
            part = keys[at : at + CHUNKS]
            chunks, hours, seen = await self._folded(part, groups)
            await turn.write((self._sql.chunks, chunks), (self._sql.hourly, hours), (self._see, seen))
        turn.samples += len(ids)
        for at in range(0, len(ids), ROWS):
            # Between the first and the last there may be rows of an hour not yet finished: they stay.
            await turn.write((self._forget, [(ids[at], ids[min(at + ROWS, len(ids)) - 1], cutoff)]))
        return len(ids) >= PASS

    async def _oldest(self, cutoff: int) -> tuple[dict[Group, list[Any]], list[int]]:
        """Rows of before `cutoff`, by check and hour, and their ids in order."""
        row = schema.samples.c
        groups: dict[Group, list[Any]] = {}
        ids: list[int] = []
        while len(ids) < PASS:
            query = select(row.id, row.check, *HOT).where(row.at < cutoff, row.id > (ids[-1] if ids else -1))
            async with self._database.reader() as connection:
                found = (await connection.execute(query.order_by(row.id).limit(READ))).all()
            for line in found:
                ids.append(line[0])
                groups.setdefault((line[1], line[2] // HOUR * HOUR), []).append(line[2:])
            if len(found) < READ:
                break
        return groups, ids

    async def _folded(
        self, part: Sequence[Group], groups: dict[Group, list[Any]]
    ) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]], list[tuple[Any, ...]]]:
        """Rows for `chunks`, `hourly` and the checks' `seen_at`; what is already in a chunk of the hour or its day is taken along."""
        row = schema.chunks.c
        starts = {hour for _, hour in part} | {hour // DAY * DAY for _, hour in part}
        query = select(row.check, row.start, row.hours, row.data).where(
            row.start.in_(sorted(starts)), row.hours.in_([1, 24]), row.check.in_(sorted({check for check, _ in part}))
        )
        async with self._database.reader() as connection:
            meaning = await words(connection)
            found = (await connection.execute(query)).all()
        former = {(line[0], line[1], line[2]): bytes(line[3]) for line in found}

        def work() -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]], list[tuple[Any, ...]]]:
            chunks, hours, seen = [], [], []
            for check, hour in part:
                known = [former.get((check, hour // DAY * DAY, 24)), former.get((check, hour, 1))]
                parts = [cut(decode(data), hour, hour + HOUR) for data in known if data is not None]
                whole = merge([*parts, to_columns(groups[check, hour], meaning)])
                chunks.append((1, hour, check, len(whole), encode(whole)))
                hours.append((hour, check, *to_hour(whole)))
                blind = SEEN.index(Seen.BLIND)
                if saw := [line[0] for line in groups[check, hour] if line[1] % 4 != blind]:
                    seen.append((max(saw), check, max(saw)))
            return chunks, hours, seen

        return await asyncio.to_thread(work)

    async def _join(self, turn: _Turn, midnight: int) -> bool:
        """Put some checks' hours of the oldest day that ended by `midnight` into one chunk each; whether there may be more."""
        row = schema.chunks.c
        async with self._database.reader() as connection:
            first = await connection.scalar(select(func.min(row.start)).where(row.hours == 1, row.start < midnight))
            if first is None:
                return False
            day = int(first) // DAY * DAY
            inside = and_(row.hours.in_([1, 24]), row.start >= day, row.start < day + DAY)
            some = select(row.check).where(inside, row.hours == 1).distinct().order_by(row.check).limit(CHUNKS // 5)
            checks = (await connection.execute(some)).scalars().all()
            query = select(row.start, row.hours, row.check, row.data).where(inside, row.check.in_(checks))
            found = (await connection.execute(query)).all()
        parts: dict[int, list[bytes]] = {}
        for line in sorted(found, key=lambda line: -line[1]):
            parts.setdefault(line[2], []).append(bytes(line[3]))

        def work() -> list[tuple[Any, ...]]:
            merged: Iterable[tuple[int, Columns]] = (
                (check, merge([decode(one) for one in parts[check]])) for check in parts
            )
            return [(24, day, check, len(whole), encode(whole)) for check, whole in merged]

        chunks = await asyncio.to_thread(work)
        done = [(line.hours, line.start, line.check) for line in found if line.hours == 1]
        await turn.write((self._sql.chunks, chunks), (self._drop_chunk, done))
        return True

    async def prune(self, now: datetime, retention: Retention, keep_from: datetime, budget: timedelta) -> Upkeep:
        """See Store.prune."""
        async with self._one:
            turn = _Turn(self._writer, budget)
            incidents = schema.incidents.c
            active = incidents.state.in_([state.value for state in IncidentState if state.active])
            async with self._database.reader() as connection:
                oldest = await connection.scalar(select(func.min(incidents.started_at)).where(active))
            floor = micros(keep_from) if oldest is None else min(micros(keep_from), int(oldest))

            def limit(kept: timedelta) -> int:
                return min(micros(now - kept), floor)

            for table, old in _too_old(limit(retention.samples), limit(retention.hourly), limit(retention.ledger)):
                await self._drop(turn, table, old)
            await self._drop(turn, schema.link_samples, schema.link_samples.c.at < micros(now - OPEN_DAYS))
            return turn.result()

    async def _drop(self, turn: _Turn, table: Table, old: ColumnElement[bool]) -> None:
        """Delete the rows that are old, in slices."""
        keys = list(table.primary_key)
        statement = self._delete(table)
        size = CHUNKS * 4 if table is schema.chunks else ROWS // 4
        more = True
        while more and not turn.spent():
            async with self._database.reader() as connection:
                found = (await connection.execute(select(*keys).where(old).order_by(*keys).limit(size))).all()
            await turn.write((statement, [tuple(line) for line in found]))
            more = len(found) == size


def _too_old(samples: int, hourly: int, ledger: int) -> Iterable[tuple[Table, ColumnElement[bool]]]:
    """What may go, by table: what ended before the limit of its kind (microseconds)."""
    chunk = schema.chunks.c
    ended = [and_(chunk.hours == hours, chunk.start <= samples - size) for hours, size in ((1, HOUR), (24, DAY))]
    yield schema.chunks, or_(*ended)
    yield schema.hourly, schema.hourly.c.start <= hourly - HOUR
    yield schema.habits, schema.habits.c.at < hourly
    # The last transition before the limit says what a node's state was at the limit.
    row, later = schema.transitions.c, schema.transitions.alias("later")
    followed = (
        select(later.c.id).where(later.c.subject == row.subject, later.c.at > row.at, later.c.at <= ledger).exists()
    )
    yield schema.transitions, and_(row.at < ledger, followed)
    incidents = schema.incidents.c
    over = func.coalesce(incidents.closed_at, incidents.resolved_at, incidents.started_at)
    active = [state.value for state in IncidentState if state.active]
    gone = and_(incidents.state.not_in(active), over < ledger)
    yield schema.incident_events, schema.incident_events.c.id.in_(select(incidents.id).where(gone))
    yield schema.incidents, gone
    told = and_(schema.messages.c.state == MessageState.DELIVERED.value, schema.messages.c.closed_at < ledger)
    yield schema.deliveries, schema.deliveries.c.message.in_(select(schema.messages.c.id).where(told))
    yield schema.messages, told
    yield schema.maintenance, schema.maintenance.c.end < ledger
    yield schema.runs, schema.runs.c.beat_at < ledger
    yield schema.reports, schema.reports.c.generated_at < ledger
    yield schema.link_days, schema.link_days.c.day < moment(ledger).date().isoformat()
    yield schema.readiness, schema.readiness.c.end < ledger
    yield schema.steps, schema.steps.c.at < ledger
    yield schema.audit, schema.audit.c.at < ledger
