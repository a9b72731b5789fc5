"""Reading: short, read-only transactions on connections of their own, each seeing one moment.

Owns: the queries. Never: writes, or holds a transaction while the caller works.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Select, and_, func, literal_column, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from monitor.model import (
    CheckState,
    EventType,
    Gap,
    Incident,
    IncidentEvent,
    IncidentState,
    LinkDay,
    LinkSample,
    Readiness,
    Transition,
    Window,
)
from monitor.store import schema, tables
from monitor.store.engines import Database
from monitor.store.mapping import Mapped, micros, moment
from monitor.store.packer import chain
from monitor.store.records import (
    AuditEntry,
    ClockStep,
    Heartbeat,
    Memory,
    MessageState,
    Page,
    Pending,
    Released,
    ReportRun,
    StoreError,
    Token,
)
from probes.contract import Seen

T = TypeVar("T")

REOPENS = timedelta(minutes=10)
"""How long after its end an incident may reopen, and so must be remembered."""
SILENCE = timedelta(seconds=25)
"""Longest time between two heartbeats in which the daemon is still believed to have looked."""
LOOKED_BACK = 500_000
"""Latest samples that are read at start for when each check was last seen; a check that is none of them has its own row's word."""
MANY = 500
"""Names asked for in one statement."""


def columns(mapped: Mapped[Any]) -> list[Any]:
    """The columns of a noun, in the order its `unpack` takes them."""
    return [mapped.table.c[name] for name in mapped.columns]


async def fetch(connection: AsyncConnection, mapped: Mapped[T], query: Select[Any]) -> tuple[T, ...]:
    """The nouns of a query over their columns."""
    return tuple([mapped.unpack(row) for row in (await connection.execute(query)).all()])


class Readers:
    """The reading half of the store; what each gives is said there."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def memory(self, now: datetime) -> Memory:
        """See Store.memory."""
        checks, incidents = schema.checks.c, schema.incidents.c
        remembered = or_(
            incidents.state.in_([state.value for state in IncidentState if state.active]),
            incidents.closed_at >= micros(now - REOPENS),
            incidents.resolved_at >= micros(now - REOPENS),
        )
        async with self._database.reader() as connection:
            states = await fetch(
                connection, tables.CHECKS, select(*columns(tables.CHECKS)).where(checks.state.is_not(None))
            )
            seen = await self._last_seen(connection)
            nodes = await fetch(connection, tables.NODES, select(*columns(tables.NODES)))
            kept = await fetch(connection, tables.INCIDENTS, select(*columns(tables.INCIDENTS)).where(remembered))
            pending = await self._pending(connection, None, parked=True)
            habits = await fetch(connection, tables.HABITS, select(*columns(tables.HABITS)))
            beat = await connection.scalar(select(func.max(schema.runs.c.beat_at)))
        return Memory(
            checks={state.check: _later(state, seen.get(state.check)) for state in states},
            nodes={state.node: state for state in nodes},
            incidents={incident.id: incident for incident in kept},
            pending=pending,
            last_beat=None if beat is None else moment(beat),
            habits={one.check: one for one in habits},
        )

    @staticmethod
    async def _last_seen(connection: AsyncConnection) -> dict[str, datetime]:
        """When each check was last seen, by the samples not yet sealed: its own row is not rewritten for each (see the packer)."""
        samples = schema.samples.c
        latest = (
            select(samples.check.label("number"), func.max(samples.at).label("at"))
            .where(samples.verdict % 4 != list(Seen).index(Seen.BLIND), samples.id > _recent(LOOKED_BACK))
            .group_by(samples.check)
            .subquery()
        )
        query = select(schema.checks.c.check, latest.c.at).join_from(
            schema.checks, latest, schema.checks.c.id == latest.c.number
        )
        return {check: moment(at) for check, at in (await connection.execute(query)).all()}

    async def last_beat(self) -> datetime | None:
        """See StoreReader.last_beat."""
        async with self._database.reader() as connection:
            beat = await connection.scalar(select(func.max(schema.runs.c.beat_at)))
        return None if beat is None else moment(beat)

    async def last_evidence(self) -> tuple[int, datetime] | None:
        """The latest run, if it did not end in order, and when it is last known to have looked: its heartbeat, or a sample after it."""
        row, samples = schema.runs.c, schema.samples.c
        query = select(row.id, row.beat_at, row.ended_at).order_by(row.id.desc()).limit(1)
        latest = select(func.max(samples.at)).where(samples.id > _recent(1000))
        async with self._database.reader() as connection:
            run = (await connection.execute(query)).one_or_none()
            sample = await connection.scalar(latest)
        if run is None or run[2] is not None:
            return None
        return int(run[0]), moment(max(int(run[1]), int(sample or 0)))

    async def pending(self, receiver: str | None, *, parked: bool) -> tuple[Pending, ...]:
        """See Store.pending."""
        async with self._database.reader() as connection:
            return await self._pending(connection, receiver, parked=parked)

    @staticmethod
    async def _pending(connection: AsyncConnection, receiver: str | None, *, parked: bool) -> tuple[Pending, ...]:
        row = schema.messages.c
        wanted = [MessageState.PENDING, MessageState.PARKED] if parked else [MessageState.PENDING]
        way = (row.state, row.attempts, row.next_at, row.since, row.released_at, row.told_in)
        query = select(*columns(tables.MESSAGES), *way).where(row.state.in_(wanted))
        if receiver is not None:
            query = query.where(row.receiver == receiver)
        found = (await connection.execute(query.order_by(row.receiver, row.lane, row.sequence))).all()
        return tuple(
            Pending(
                message=tables.MESSAGES.unpack(line),
                state=MessageState(line[-6]),
                attempts=line[-5],
                next_at=None if line[-4] is None else moment(line[-4]),
                since=moment(line[-3]),
                released=line[-2] is not None,
                told_in=line[-1] or "",
            )
            for line in found
        )

    async def released(self, since: datetime) -> tuple[Released, ...]:
        """See Store.released."""
        row, incident = schema.messages.c, schema.incidents.c
        active = select(incident.id).where(incident.closed_at.is_(None))
        query = (
            select(row.id, row.receiver, row.lane, row.type, row.released_at, row.told_in)
            .where(or_(row.released_at >= micros(since), and_(row.released_at.is_not(None), row.lane.in_(active))))
            .order_by(row.released_at, row.receiver, row.lane, row.sequence)
        )
        async with self._database.reader() as connection:
            found = (await connection.execute(query)).all()
        return tuple(
            Released(
                message=id, receiver=receiver, lane=lane, type=EventType(type_), at=moment(at), told_in=told_in or ""
            )
            for id, receiver, lane, type_, at, told_in in found
        )

    async def counts(self) -> dict[tuple[str, MessageState], int]:
        """Messages by receiver and state."""
        row = schema.messages.c
        query = select(row.receiver, row.state, func.count()).group_by(row.receiver, row.state)
        async with self._database.reader() as connection:
            found = (await connection.execute(query)).all()
        return {(receiver, MessageState(state)): count for receiver, state, count in found}

    async def transitions(
        self, subjects: Collection[str] | None, start: datetime, end: datetime
    ) -> dict[str, tuple[Transition, ...]]:
        """See Store.transitions."""
        found: dict[str, list[Transition]] = {}
        async with self._database.reader() as connection:
            for part in [None] if subjects is None else list(_parts(sorted(subjects))):
                for query in (_before(part, start), _within(part, start, end)):
                    for transition in await fetch(connection, tables.TRANSITIONS, query):
                        found.setdefault(transition.subject, []).append(transition)
        return {subject: tuple(rows) for subject, rows in found.items()}

    async def incidents(
        self,
        *,
        states: Collection[IncidentState],
        node: str | None,
        since: datetime | None,
        until: datetime | None,
        cursor: str | None,
        limit: int,
    ) -> Page:
        """See Store.incidents. The cursor is the last row's start and id."""
        row = schema.incidents.c
        query = select(*columns(tables.INCIDENTS)).order_by(row.started_at.desc(), row.id.desc()).limit(limit + 1)
        if states:
            query = query.where(row.state.in_([state.value for state in states]))
        if node is not None:
            query = query.where(row.node == node)
        if since is not None:
            ended = func.coalesce(row.resolved_at, row.closed_at)
            query = query.where(or_(ended.is_(None), ended > micros(since)))
        if until is not None:
            query = query.where(row.started_at < micros(until))
        if cursor is not None:
            at, _, last = cursor.partition("~")
            if not at.lstrip("-").isdigit():
                raise StoreError("not a cursor of ours")
            query = query.where(or_(row.started_at < int(at), and_(row.started_at == int(at), row.id < last)))
        async with self._database.reader() as connection:
            found = await fetch(connection, tables.INCIDENTS, query)
        page = found[:limit]
        more = len(found) > limit
        return Page(incidents=page, cursor=f"{micros(page[-1].started_at)}~{page[-1].id}" if more else None)

    async def incident(self, incident: str) -> Incident | None:
        """See Store.incident."""
        query = select(*columns(tables.INCIDENTS)).where(schema.incidents.c.id == incident)
        found = await self._all(tables.INCIDENTS, query)
        return found[0] if found else None

    async def events(self, incident: str) -> tuple[IncidentEvent, ...]:
        """See Store.events."""
        row = schema.incident_events.c
        query = select(*columns(tables.EVENTS)).where(row.id == incident).order_by(row.sequence)
        return await self._all(tables.EVENTS, query)

    async def windows(self, start: datetime, end: datetime) -> tuple[Window, ...]:
        """See Store.windows."""
        row = schema.maintenance.c
        query = select(*columns(tables.WINDOWS)).where(row.start < micros(end), row.end > micros(start))
        return await self._all(tables.WINDOWS, query.order_by(row.start, row.id))

    async def gaps(self, start: datetime, end: datetime) -> tuple[Gap, ...]:
        """See Store.gaps."""
        row = schema.runs.c
        query = (
            select(row.started_at, row.beat_at, row.ended_at)
            .where(row.started_at < micros(end))
            .order_by(row.started_at)
        )
        async with self._database.reader() as connection:
            found = (await connection.execute(query)).all()
        return tuple(holes(found, start, end))

    async def reports(self, kind: str | None) -> tuple[ReportRun, ...]:
        """See Store.reports."""
        row = schema.reports.c
        query = select(*columns(tables.REPORTS)).order_by(row.generated_at, row.kind, row.period)
        return await self._all(tables.REPORTS, query if kind is None else query.where(row.kind == kind))

    async def heartbeats(self) -> tuple[Heartbeat, ...]:
        """See Store.heartbeats."""
        return await self._all(
            tables.HEARTBEATS, select(*columns(tables.HEARTBEATS)).order_by(schema.heartbeats.c.check)
        )

    async def link_samples(self, since: datetime) -> tuple[LinkSample, ...]:
        """See Store.link_samples."""
        row = schema.link_samples.c
        query = select(*columns(tables.LINK_SAMPLES)).where(row.at >= micros(since))
        return await self._all(tables.LINK_SAMPLES, query.order_by(row.at, row.check))

    async def link_days(self, first: date, end: date) -> tuple[LinkDay, ...]:
        """See Store.link_days."""
        row = schema.link_days.c
        query = select(*columns(tables.LINK_DAYS)).where(row.day >= first.isoformat(), row.day < end.isoformat())
        return await self._all(tables.LINK_DAYS, query.order_by(row.day, row.check))

    async def readiness(self, since: datetime) -> tuple[Readiness, ...]:
        """See Store.readiness."""
        row = schema.readiness.c
        query = select(*columns(tables.READINESS)).where(row.end > micros(since))
        return await self._all(tables.READINESS, query.order_by(row.start, row.meeting, row.sequence))

    async def steps(self, start: datetime, end: datetime) -> tuple[ClockStep, ...]:
        """See Store.steps."""
        row = schema.steps.c
        query = select(*columns(tables.STEPS)).where(row.at >= micros(start), row.at < micros(end))
        return await self._all(tables.STEPS, query.order_by(row.id))

    async def audit(self, start: datetime, end: datetime) -> tuple[AuditEntry, ...]:
        """See Store.audit."""
        row = schema.audit.c
        query = select(*columns(tables.AUDIT)).where(row.at >= micros(start), row.at < micros(end))
        return await self._all(tables.AUDIT, query.order_by(row.id))

    async def audit_faults(self) -> tuple[str, ...]:
        """Where the chain of audit rows does not hold."""
        row = schema.audit.c
        async with self._database.reader() as connection:
            found = (await connection.execute(select(row.id, row.chain, *columns(tables.AUDIT)).order_by(row.id))).all()
        faults, former, expected = [], "", found[0][0] if found else 1
        for line in found:
            # The first row may follow rows that are no longer kept.
            if line[0] != expected or ((line[0] == 1 or former) and line[1] != chain(former, line[2:])):
                faults.append(f"audit row {line[0]} is not the one that was written")
            former, expected = line[1], line[0] + 1
        return tuple(faults)

    async def tokens(self) -> tuple[Token, ...]:
        """See Store.tokens."""
        return await self._all(tables.TOKENS, select(*columns(tables.TOKENS)).order_by(schema.tokens.c.id))

    async def _all(self, mapped: Mapped[T], query: Select[Any]) -> tuple[T, ...]:
        async with self._database.reader() as connection:
            return await fetch(connection, mapped, query)


def _later(state: CheckState, seen: datetime | None) -> CheckState:
    if seen is None or (state.seen_at is not None and state.seen_at >= seen):
        return state
    return replace(state, seen_at=seen)


def _parts(names: Sequence[str]) -> Iterable[Sequence[str]]:
    return (names[at : at + MANY] for at in range(0, len(names), MANY))


def _order(query: Select[Any]) -> Select[Any]:
    row = schema.transitions.c
    return query.order_by(row.subject, row.at, row.judged_at, row.id)


def _within(subjects: Sequence[str] | None, start: datetime, end: datetime) -> Select[Any]:
    row = schema.transitions.c
    query = select(*columns(tables.TRANSITIONS)).where(row.at >= micros(start), row.at < micros(end))
    return _order(query if subjects is None else query.where(row.subject.in_(subjects)))


def _before(subjects: Sequence[str] | None, start: datetime) -> Select[Any]:
    """The last moment before `start` of each subject: all rows of that moment."""
    row = schema.transitions.c
    last = select(row.subject, func.max(row.at).label("at")).where(row.at < micros(start)).group_by(row.subject)
    if subjects is not None:
        last = last.where(row.subject.in_(subjects))
    latest = last.subquery()
    same = and_(row.subject == latest.c.subject, row.at == latest.c.at)
    return _order(select(*columns(tables.TRANSITIONS)).join_from(schema.transitions, latest, same))


def _recent(count: int) -> ColumnElement[int]:
    """The id behind which the last `count` samples stand: they come in the order of time, and there is no need to read them all."""
    highest = select(func.max(schema.samples.c.id)).scalar_subquery()
    return func.coalesce(highest, 0) - literal_column(str(int(count)))


def holes(runs: Iterable[Sequence[Any]], start: datetime, end: datetime) -> Iterable[Gap]:
    """What [start, end) has left when the stretches (started_at, beat_at, ended_at; by start) are taken out.

    A stretch that did not end in order is believed for SILENCE after its last heartbeat, if the next begins by then, or if the
    period ends by then.
    """
    since, believed = start, start
    for started_at, beat_at, ended_at in runs:
        began = moment(started_at)
        if began > believed and min(began, end) > since:
            yield Gap(since=since, until=min(began, end))
        until = moment(beat_at if ended_at is None else ended_at)
        since = max(since, until)
        believed = max(believed, until if ended_at is not None else until + SILENCE)
    if since < end and believed < end:
        yield Gap(since=since, until=end)
