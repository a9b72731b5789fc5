"""The reading half of the store, which a command may open beside the running daemon.

Owns: what can be asked. Never: writes, locks, or makes a database that is not there.
"""

from collections.abc import Callable, Collection
from datetime import date, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from sqlalchemy import text

from monitor.model import (
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
from monitor.store.engines import FILE, Database, Postgres, Sqlite, refuse_newer
from monitor.store.readers import Readers
from monitor.store.records import (
    AuditEntry,
    ClockStep,
    Heartbeat,
    Hour,
    Memory,
    Page,
    Pending,
    Released,
    ReportRun,
    Sample,
    StoreError,
    Token,
)
from monitor.store.schema import VERSION
from monitor.store.series import Series


class StoreReader:
    """Open by `open_reader`; a Store is one too. Every question is a transaction of its own; StoreError when it cannot be answered."""

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        """Made by `open_reader`."""
        self._database = database
        self._now = now
        self._read = Readers(database)
        self._series = Series(database)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Let go of the connections."""
        await self._database.close()

    async def memory(self) -> Memory:
        """What the daemon must know at start."""
        return await self._read.memory(self._now())

    async def last_beat(self) -> datetime | None:
        """When a daemon was last known to run; None when none ever did."""
        return await self._read.last_beat()

    async def pending(self, receiver: str | None = None, *, parked: bool = False) -> tuple[Pending, ...]:
        """Undelivered messages by receiver, lane, sequence; with `parked`, those too (a parked one still blocks its lane)."""
        return await self._read.pending(receiver, parked=parked)

    async def released(self, since: datetime) -> tuple[Released, ...]:
        """What was let go since then, and whatever was ever let go about incidents that are still active; the oldest first."""
        return await self._read.released(since)

    async def transitions(
        self, subjects: Collection[str] | None, start: datetime, end: datetime
    ) -> dict[str, tuple[Transition, ...]]:
        """By subject, those in [start, end) with the last one before `start`; of equal moments the later judged comes last."""
        return await self._read.transitions(subjects, start, end)

    async def incidents(
        self,
        *,
        states: Collection[IncidentState] = (),
        node: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        cursor: str | None = None,
        limit: int = 100,
    ) -> Page:
        """Newest first; with `since`/`until` those that were on at some moment of [since, until)."""
        return await self._read.incidents(
            states=states, node=node, since=since, until=until, cursor=cursor, limit=limit
        )

    async def incident(self, incident: str) -> Incident | None:
        """One incident, or None."""
        return await self._read.incident(incident)

    async def events(self, incident: str) -> tuple[IncidentEvent, ...]:
        """An incident's history, by sequence."""
        return await self._read.events(incident)

    async def gaps(self, start: datetime, end: datetime) -> tuple[Gap, ...]:
        """When no daemon was looking, within [start, end): in order, apart, cut to the period."""
        return await self._read.gaps(start, end)

    async def windows(self, start: datetime, end: datetime) -> tuple[Window, ...]:
        """Occurrences of maintenance that touch [start, end), by start."""
        return await self._read.windows(start, end)

    async def samples(self, check: str, start: datetime, end: datetime) -> tuple[Sample, ...]:
        """A check's samples in [start, end), by time, hot and sealed alike."""
        return await self._series.samples(check, start, end)

    async def hourly(self, check: str, start: datetime, end: datetime) -> tuple[Hour, ...]:
        """A check's sealed hours that start in [start, end)."""
        return await self._series.hourly(check, start, end)

    async def reports(self, kind: str | None = None) -> tuple[ReportRun, ...]:
        """Reports made, oldest first."""
        return await self._read.reports(kind)

    async def heartbeats(self) -> tuple[Heartbeat, ...]:
        """What every job has told us so far, by check."""
        return await self._read.heartbeats()

    async def link_samples(self, since: datetime) -> tuple[LinkSample, ...]:
        """Five minutes of lines that start at or after `since`, in order; those of closed days are let go after a while."""
        return await self._read.link_samples(since)

    async def link_days(self, first: date, end: date) -> tuple[LinkDay, ...]:
        """Lines' days in [first, end), in order."""
        return await self._read.link_days(first, end)

    async def readiness(self, since: datetime) -> tuple[Readiness, ...]:
        """What was told of meetings that end after `since`, by start and sequence."""
        return await self._read.readiness(since)

    async def steps(self, start: datetime, end: datetime) -> tuple[ClockStep, ...]:
        """Jumps of the wall clock in [start, end)."""
        return await self._read.steps(start, end)

    async def audit(self, start: datetime, end: datetime) -> tuple[AuditEntry, ...]:
        """What was changed by whom in [start, end)."""
        return await self._read.audit(start, end)

    async def tokens(self) -> tuple[Token, ...]:
        """All tokens, revoked ones too."""
        return await self._read.tokens()


def database_at(opened: str, state_dir: str | Path) -> Database:
    """`sqlite` is a file of the state directory; anything else is a PostgreSQL URL."""
    return Sqlite(Path(state_dir) / FILE) if opened == "sqlite" else Postgres(opened)


async def open_reader(opened: str, state_dir: str | Path, now: Callable[[], datetime]) -> StoreReader:
    """Open what a daemon keeps in `sqlite` (in `state_dir`) or at a `postgresql+asyncpg://` URL, running or not."""
    database = database_at(opened, state_dir)
    try:
        async with database.reader() as connection:
            _refuse_other(int(await connection.scalar(text("SELECT value FROM meta WHERE key = 'schema'")) or 0))
    except BaseException:
        await database.close()
        raise
    return StoreReader(database, now)


def _refuse_other(version: int) -> None:
    refuse_newer(version, "the database")
    if version < VERSION:
        raise StoreError(f"the database has schema version {version}: start the daemon once, to bring it to {VERSION}")
