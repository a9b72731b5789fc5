"""The store: everything that must outlive the process, behind one interface, in SQLite or PostgreSQL.

Owns: durability. `commit` returns when the unit of work is synced to disk, and not before; one task owns the only writing connection.
Never: decides, announces, or keeps a secret.
"""

from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType

from monitor.model import Gap, Incident, IncidentEvent, IncidentState, Retention, Transition, Window
from monitor.store.records import (
    AuditEntry,
    Batch,
    ClockStep,
    Hour,
    Memory,
    Page,
    Pending,
    ReportRun,
    Sample,
    Stats,
    Token,
    Upkeep,
)


class Store:
    """Open by `open_store`; close by `await store.close()` or `async with`."""

    async def __aenter__(self) -> "Store":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Write what is queued, then let go of everything."""
        raise NotImplementedError

    # Writing: every one of these returns when it is durable, or raises StoreError and nothing of it is stored.

    async def commit(self, batch: Batch) -> None:
        """Store one unit of work. Cancelling the caller does not undo it."""
        raise NotImplementedError

    async def rename(self, nodes: Mapping[str, str]) -> None:
        """Give the history of former node ids (and of their checks) to the ids they have now; unknown former ids are nothing."""
        raise NotImplementedError

    async def begin_run(self, now: datetime, *, version: str, boot_id: str = "") -> None:
        """A daemon starts to look; its heartbeats follow."""
        raise NotImplementedError

    async def beat(self, now: datetime) -> None:
        """It still looks. Every 10 s; more than 25 s without one is a gap."""
        raise NotImplementedError

    async def end_run(self, now: datetime) -> None:
        """It stops looking, in order."""
        raise NotImplementedError

    async def delivered(
        self, message: str, at: datetime, *, status: int | None = None, seconds: float = 0.0, detail: str = ""
    ) -> None:
        """The receiver has it."""
        raise NotImplementedError

    async def attempt(
        self,
        message: str,
        at: datetime,
        *,
        next_at: datetime,
        result: str = "failed",
        status: int | None = None,
        seconds: float = 0.0,
        detail: str = "",
    ) -> None:
        """It did not arrive, or nobody knows; try again at `next_at`."""
        raise NotImplementedError

    async def park(self, message: str, at: datetime, *, detail: str = "") -> None:
        """Stop trying until a person says so."""
        raise NotImplementedError

    async def unpark(self, now: datetime, *, message: str | None = None, receiver: str | None = None) -> int:
        """Try the message, the receiver's, or all parked ones again at once, for another 72 hours; gives how many."""
        raise NotImplementedError

    # Reading.

    async def memory(self) -> Memory:
        """What the daemon must know at start."""
        raise NotImplementedError

    async def pending(self, receiver: str | None = None, *, parked: bool = False) -> tuple[Pending, ...]:
        """Undelivered messages by receiver, lane, sequence; with `parked`, those too (a parked one still blocks its lane)."""
        raise NotImplementedError

    async def transitions(
        self, subjects: Collection[str] | None, start: datetime, end: datetime
    ) -> dict[str, tuple[Transition, ...]]:
        """By subject, those in [start, end) with the last one before `start`; of equal moments the later judged comes last."""
        raise NotImplementedError

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
        raise NotImplementedError

    async def incident(self, incident: str) -> Incident | None:
        """One incident, or None."""
        raise NotImplementedError

    async def events(self, incident: str) -> tuple[IncidentEvent, ...]:
        """An incident's history, by sequence."""
        raise NotImplementedError

    async def gaps(self, start: datetime, end: datetime) -> tuple[Gap, ...]:
        """When no daemon was looking, within [start, end): in order, apart, cut to the period."""
        raise NotImplementedError

    async def windows(self, start: datetime, end: datetime) -> tuple[Window, ...]:
        """Occurrences of maintenance that touch [start, end), by start."""
        raise NotImplementedError

    async def samples(self, check: str, start: datetime, end: datetime) -> tuple[Sample, ...]:
        """A check's samples in [start, end), by time, hot and sealed alike."""
        raise NotImplementedError

    async def hourly(self, check: str, start: datetime, end: datetime) -> tuple[Hour, ...]:
        """A check's sealed hours that start in [start, end)."""
        raise NotImplementedError

    async def reports(self, kind: str | None = None) -> tuple[ReportRun, ...]:
        """Reports made, oldest first."""
        raise NotImplementedError

    async def steps(self, start: datetime, end: datetime) -> tuple[ClockStep, ...]:
        """Jumps of the wall clock in [start, end)."""
        raise NotImplementedError

    async def audit(self, start: datetime, end: datetime) -> tuple[AuditEntry, ...]:
        """What was changed by whom in [start, end)."""
        raise NotImplementedError

    async def tokens(self) -> tuple[Token, ...]:
        """All tokens, revoked ones too."""
        raise NotImplementedError

    async def stats(self) -> Stats:
        """The store's own figures."""
        raise NotImplementedError

    # Upkeep, called by the calendar; both work in slices, and hold the writer for no longer than 50 ms each.

    async def seal(self, before: datetime, budget: timedelta = timedelta(seconds=30)) -> Upkeep:
        """Put samples of hours that ended before `before` into chunks, and a finished day's chunks into one."""
        raise NotImplementedError

    async def prune(
        self, now: datetime, retention: Retention, *, keep_from: datetime, budget: timedelta = timedelta(seconds=30)
    ) -> Upkeep:
        """Let go of what is older than `retention`, but never of anything at or after `keep_from` (the start of the oldest period
        not yet reported) nor since the start of an open incident.
        """
        raise NotImplementedError

    async def verify(self) -> tuple[str, ...]:
        """Read everything and say what is wrong with it; nothing is good."""
        raise NotImplementedError


async def open_store(database: str, state_dir: str | Path, now: Callable[[], datetime]) -> Store:
    """Open `sqlite` (in `state_dir`) or a `postgresql+asyncpg://` URL; makes or upgrades the schema.

    Raises AlreadyRunning, StoreDamagedError or StoreError. The lock on the state directory is the caller's business (`state_lock`).
    """
    raise NotImplementedError
