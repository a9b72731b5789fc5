"""The store: everything that must outlive the process, behind one interface, in SQLite or PostgreSQL.

Owns: durability. `commit` returns when the unit of work is synced to disk, and not before; one task owns the only writing connection.
Never: decides, announces, or keeps a secret.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import BindParameter, bindparam, func, literal_column, null, select
from sqlalchemy.exc import SQLAlchemyError

from monitor.model import Message, Retention
from monitor.store import schema
from monitor.store.engines import Database
from monitor.store.making import make
from monitor.store.mapping import clean, micros
from monitor.store.packer import Packer
from monitor.store.reader import StoreReader, database_at
from monitor.store.readers import SILENCE
from monitor.store.records import (
    Attempt,
    Batch,
    MessageState,
    Stats,
    StoreError,
    Upkeep,
)
from monitor.store.rename import renames
from monitor.store.statements import Change, Statements
from monitor.store.upkeep import Keeper
from monitor.store.writer import BOUNDS, Writer


@dataclass(slots=True)
class _Run:
    """The stretch of heartbeats that now grows."""

    number: int
    beat_at: datetime
    version: str
    boot_id: str


class _Ways:
    """Statements for a message's way, and for heartbeats."""

    def __init__(self, sql: Statements) -> None:
        messages, runs = schema.messages, schema.runs
        one = messages.update().where(messages.c.id == bindparam("message"))
        tried = messages.c.attempts + literal_column("1")
        # No `executemany` parameter may bear a column's name, or SQLAlchemy takes it for one.
        state: BindParameter[str] = bindparam("new_state")
        at: BindParameter[int] = bindparam("new_at")
        self.delivered = sql.compile(
            one.values(state=state, closed_at=at, next_at=null(), attempts=tried), "new_state", "new_at", "message"
        )
        self.told = sql.compile(one.values(state=state, closed_at=at, next_at=null()), "new_state", "new_at", "message")
        self.release = sql.compile(
            one.values(released_at=at, told_in=bindparam("new_told_in")), "new_at", "new_told_in", "message"
        )
        self.again = sql.compile(one.values(next_at=at, attempts=tried), "new_at", "message")
        self.park = sql.compile(one.values(state=state, next_at=null()), "new_state", "message")
        self.unpark = sql.compile(
            one.values(state=state, attempts=bindparam("new_attempts"), next_at=null(), since=at),
            "new_state",
            "new_attempts",
            "new_at",
            "message",
        )
        run = runs.update().where(runs.c.id == bindparam("run"))
        self.beat = sql.compile(run.values(beat_at=at, ended_at=bindparam("ended")), "new_at", "ended", "run")


class Store(StoreReader):
    """Open by `open_store`; close by `await store.close()` or `async with`."""

    def __init__(
        self, database: Database, writer: Writer, sql: Statements, now: Callable[[], datetime], runs: int
    ) -> None:
        """Made by `open_store`; `runs` is the highest number of a run so far."""
        super().__init__(database, now)
        self._writer = writer
        self._sql = sql
        self._runs = runs
        self._run: _Run | None = None
        self._keeper = Keeper(database, writer, sql)
        self._ways = _Ways(sql)

    @property
    def owned(self) -> bool:
        """Whether the database is ours, as far as we know. While it is not, nothing may be announced; `commit` finds out more."""
        return self._database.owned

    async def close(self) -> None:
        """Write what is queued, then let go of everything."""
        await self._writer.close()
        # Who closes last checkpoints, and that must be the writer.
        await self._database.close_readers()
        await self._writer.release()
        await super().close()

    # Writing: every one of these returns when it is durable, or raises StoreError and nothing of it is stored.

    async def commit(self, batch: Batch) -> None:
        """Store one unit of work. Cancelling the caller does not undo it."""
        await self._writer.submit(batch)

    async def rename(self, nodes: Mapping[str, str]) -> None:
        """Give the history of former node ids (and of their checks) to the ids they have now; unknown former ids are nothing."""
        async with self._database.reader() as connection:
            changes = await renames(connection, self._sql, nodes)
        if changes:
            await self._writer.submit(changes=changes, alone=True, reload=True)

    async def begin_run(self, now: datetime, *, version: str, boot_id: str = "") -> None:
        """A daemon starts to look; its heartbeats follow. A former run that was killed ended at the last sign of its life."""
        self._run = None
        killed = await self._read.last_evidence()
        if killed is not None:
            number, at = killed[0], micros(min(killed[1], now))
            await self._writer.submit(changes=[(self._ways.beat, [(at, at, number)])])
        await self._stretch(now, version, boot_id)

    async def beat(self, now: datetime) -> None:
        """It still looks. Every 10 s; more than 25 s without one is a gap."""
        run = self._run
        if run is None:
            raise StoreError("no run has begun")
        if now - run.beat_at > SILENCE:
            # Nobody looked meanwhile (suspended, stalled, or nothing could be stored): what was unseen stays a gap.
            await self._stretch(now, run.version, run.boot_id)
        elif now > run.beat_at:
            await self._writer.submit(changes=[(self._ways.beat, [(micros(now), None, run.number)])])
            run.beat_at = now

    async def end_run(self, now: datetime) -> None:
        """It stops looking, in order."""
        run, self._run = self._run, None
        if run is not None:
            at = micros(max(now, run.beat_at))
            await self._writer.submit(changes=[(self._ways.beat, [(at, at, run.number)])])

    async def release(self, messages: Sequence[str], at: datetime) -> None:
        """They are about to be sent, each by itself: from now on none of them may be told inside of another."""
        await self._writer.submit(changes=[(self._ways.release, [(micros(at), None, one) for one in messages])])

    async def gather(self, message: Message, told: Sequence[str], at: datetime) -> None:
        """A message is made that tells these others, which are never sent by themselves; it is about to be sent."""
        rows: list[tuple[int, str | None, str]] = [(micros(at), None, message.id)]
        rows += [(micros(at), message.id, one) for one in told]
        await self._writer.submit(Batch(messages=[message]), [(self._ways.release, rows)])

    async def delivered(
        self,
        message: str,
        at: datetime,
        *,
        status: int | None = None,
        seconds: float = 0.0,
        detail: str = "",
        told: Sequence[str] = (),
    ) -> None:
        """The receiver has it, and with it the messages that were `told` in it."""
        tried = Attempt(message=message, at=at, result="delivered", status=status, seconds=seconds, detail=detail)
        changes: list[Change] = [(self._ways.delivered, [("delivered", micros(at), message)])]
        if told:
            changes.append((self._ways.told, [("delivered", micros(at), one) for one in told]))
        await self._writer.submit(Batch(attempts=[tried]), changes)

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
        tried = Attempt(message=message, at=at, result=result, status=status, seconds=seconds, detail=detail)
        await self._writer.submit(Batch(attempts=[tried]), [(self._ways.again, [(micros(next_at), message)])])

    async def park(self, message: str, at: datetime, *, detail: str = "") -> None:
        """Stop trying until a person says so."""
        tried = Attempt(message=message, at=at, result="parked", detail=detail)
        await self._writer.submit(Batch(attempts=[tried]), [(self._ways.park, [("parked", message)])])

    async def unpark(self, now: datetime, *, message: str | None = None, receiver: str | None = None) -> int:
        """Try the message, the receiver's, or all parked ones again at once, for another 72 hours; gives how many."""
        row = schema.messages.c
        query = select(row.id).where(row.state == MessageState.PARKED.value)
        if message is not None:
            query = query.where(row.id == message)
        if receiver is not None:
            query = query.where(row.receiver == receiver)
        async with self._database.reader() as connection:
            parked = (await connection.execute(query)).scalars().all()
        if parked:
            await self._writer.submit(
                changes=[(self._ways.unpark, [("pending", 0, micros(now), one) for one in parked])]
            )
        return len(parked)

    async def stats(self) -> Stats:
        """The store's own figures."""
        figures, (queue, rows) = self._writer.figures, self._writer.queue
        size, log = await self._database.sizes()
        return Stats(
            queue=queue,
            queued_rows=rows,
            rows=figures.rows,
            commits=figures.commits,
            failures=figures.failures,
            bounds=BOUNDS,
            commit_seconds=tuple(figures.buckets),
            commit_seconds_sum=figures.seconds,
            waiting_seconds=self._writer.running_for,
            database_bytes=size,
            wal_bytes=log,
            messages=await self._read.counts(),
        )

    # Upkeep, called by the calendar; both work in slices, and hold the writer for no longer than 50 ms each.

    async def seal(self, before: datetime, budget: timedelta = timedelta(seconds=30)) -> Upkeep:
        """Put samples of hours that ended before `before` into chunks, and a finished day's chunks into one."""
        return await self._keeper.seal(before, budget)

    async def prune(
        self, now: datetime, retention: Retention, *, keep_from: datetime, budget: timedelta = timedelta(seconds=30)
    ) -> Upkeep:
        """Let go of what is older than `retention`, but never of anything at or after `keep_from` (the start of the oldest period
        not yet reported) nor since the start of an open incident.
        """
        return await self._keeper.prune(now, retention, keep_from, budget)

    async def verify(self) -> tuple[str, ...]:
        """Read everything and say what is wrong with it; nothing is good."""
        return (*await self._database.check(), *await self._read.audit_faults())

    async def _stretch(self, now: datetime, version: str, boot_id: str) -> None:
        """Begin a chain of heartbeats."""
        self._runs += 1
        at = micros(now)
        await self._writer.submit(
            changes=[(self._sql.runs, [(self._runs, at, at, None, clean(version), clean(boot_id))])]
        )
        self._run = _Run(self._runs, now, version, boot_id)


async def open_store(opened: str, state_dir: str | Path, now: Callable[[], datetime]) -> Store:
    """Open `sqlite` (in `state_dir`) or a `postgresql+asyncpg://` URL; makes or upgrades the schema.

    Raises AlreadyRunning, StoreDamagedError or StoreError. The lock on the state directory is the caller's business (`state_lock`).
    """
    database = database_at(opened, state_dir)
    try:
        await database.prepare()
        return await _open(database, now)
    except (SQLAlchemyError, OSError) as error:
        await database.close()
        raise StoreError(f"cannot open the database: {getattr(error, 'orig', None) or error}") from error
    except BaseException:
        await database.close()
        raise


async def _open(database: Database, now: Callable[[], datetime]) -> Store:
    sql = Statements(database.engine.dialect)
    connection = await database.open_writer()
    try:
        await database.inspect_schema(connection)
        await make(connection)
        await database.claim(connection)
        async with connection.begin():
            runs = int(await connection.scalar(select(func.max(schema.runs.c.id))) or 0)
    except BaseException:
        await connection.close()
        raise
    return Store(database, Writer(connection, database.open_writer, Packer(sql)), sql, now, runs)
