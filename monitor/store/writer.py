"""The only writer.

Owns: the writing connection and the queue before it. Units of work that wait together go in one transaction; whoever gave one is
answered after the commit, which is synced. Never: leaves a transaction open, whoever is cancelled; a connection on which anything
failed is closed and not used again.
"""

import asyncio
import contextlib
from bisect import bisect_left
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from monitor.store.packer import Packer
from monitor.store.records import Batch, StoreError
from monitor.store.statements import Change

PATIENCE = 0.25
"""Seconds that samples may wait for company. Anything that may be announced does not wait."""
GROUP = 500
"""Rows of one transaction, about."""
BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


@dataclass(slots=True, kw_only=True)
class Unit:
    """One caller's work: rows, or statements, or both; `alone` asks for a transaction of its own, `reload` to read the numbers again."""

    batch: Batch | None = None
    changes: Sequence[Change] = ()
    alone: bool = False
    reload: bool = False
    rows: int = 0
    urgent: bool = True
    since: float = 0.0
    done: "asyncio.Future[float]"


@dataclass(slots=True)
class Figures:
    """What the writer did since it began."""

    rows: int = 0
    commits: int = 0
    failures: int = 0
    buckets: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS) + 1))
    seconds: float = 0.0


class Writer:
    """Give it work by `submit`; end it by `close`."""

    def __init__(
        self, connection: AsyncConnection, connect: Callable[[], Awaitable[AsyncConnection]], packer: Packer
    ) -> None:
        """`connection` is the writing one, `connect` makes another after a failure."""
        self._connection: AsyncConnection | None = connection
        self._fresh = True
        self._connect = connect
        self._packer = packer
        self._queue: deque[Unit] = deque()
        self._wake = asyncio.Event()
        self._closing = False
        self._began: float | None = None
        self.figures = Figures()
        self._loop = asyncio.get_running_loop()
        self._task = self._loop.create_task(self._run(), name="store writer")

    @property
    def queue(self) -> tuple[int, int]:
        """Units waiting, and their rows."""
        return len(self._queue), sum(unit.rows for unit in self._queue)

    @property
    def running_for(self) -> float:
        """Seconds since the transaction that now runs began; 0 when none does."""
        return 0.0 if self._began is None else self._loop.time() - self._began

    async def submit(
        self, batch: Batch | None = None, changes: Sequence[Change] = (), *, alone: bool = False, reload: bool = False
    ) -> float:
        """Wait until it is durable; gives the seconds that its transaction took. Cancelling the caller takes nothing back."""
        if self._closing or self._task.done():
            raise StoreError("the store is closed")
        unit = Unit(batch=batch, changes=changes, alone=alone, reload=reload, done=self._loop.create_future())
        unit.rows = (batch.rows if batch else 0) + sum(len(rows) for _, rows in changes)
        unit.urgent = bool(changes) or batch is None or batch.urgent
        unit.since = self._loop.time()
        # A caller that was cancelled does not come back for the error.
        unit.done.add_done_callback(lambda done: done.cancelled() or done.exception())
        self._queue.append(unit)
        self._wake.set()
        return await asyncio.shield(unit.done)

    async def close(self) -> None:
        """Write what waits, and take no more; the connection is kept until `release`."""
        self._closing = True
        self._wake.set()
        await asyncio.wait([self._task])
        if not self._task.cancelled():
            self._task.result()

    async def _run(self) -> None:
        try:
            while units := await self._gather():
                await self._write(units)
        finally:
            while self._queue:
                self._answer(self._queue.popleft(), StoreError("the store was closed before this was written"))

    async def _gather(self) -> list[Unit]:
        """The units of the next transaction, oldest first; none when all is done and the store closes."""
        while not self._closing:
            self._wake.clear()
            patience = None
            if self._queue:
                patience = self._queue[0].since + PATIENCE - self._loop.time()
                if patience <= 0 or any(unit.urgent for unit in self._queue) or self.queue[1] >= GROUP:
                    break
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), patience)
        units: list[Unit] = []
        rows = 0
        while self._queue and rows < GROUP and not (units and (self._queue[0].alone or units[0].alone)):
            units.append(self._queue.popleft())
            rows += units[-1].rows
        return units

    async def _write(self, units: list[Unit]) -> None:
        """One transaction for all; should it fail for what is in it, one for each, so that nobody pays for another's fault."""
        try:
            seconds = await self._transaction(units)
        except asyncio.CancelledError:
            for unit in units:
                self._answer(unit, StoreError("the store was closed while this was written"))
            raise
        except Exception as error:
            if len(units) > 1 and not _is_the_database(error):
                for unit in units:
                    await self._write([unit])
                return
            self.figures.failures += 1
            failure = (
                error if isinstance(error, StoreError) else StoreError(f"not stored: {getattr(error, 'orig', error)}")
            )
            failure.__cause__ = None if failure is error else error
            for unit in units:
                self._answer(unit, failure)
        else:
            for unit in units:
                self._answer(unit, seconds)

    @staticmethod
    def _answer(unit: Unit, result: float | StoreError) -> None:
        if unit.done.done():
            return
        if isinstance(result, StoreError):
            unit.done.set_exception(result)
        else:
            unit.done.set_result(result)

    async def _transaction(self, units: list[Unit]) -> float:
        """All of it, synced, or none; gives its seconds."""
        self._began = self._loop.time()
        try:
            connection = await self._ready()
            work = await self._packer.pack([unit.batch for unit in units if unit.batch is not None])
            for unit in units:
                work.changes += unit.changes
            began = self._loop.time()
            await connection.begin()
            for statement, rows in work.changes:
                await connection.exec_driver_sql(statement, rows)
            await connection.commit()
            seconds = self._loop.time() - began
            self._packer.settle(work)
            if any(unit.reload for unit in units):
                await self._reload(connection)
        except BaseException:
            await asyncio.shield(self.release())
            raise
        finally:
            self._began = None
        self._count(sum(len(rows) for _, rows in work.changes), seconds)
        return seconds

    def _count(self, rows: int, seconds: float) -> None:
        figures = self.figures
        figures.rows += rows
        figures.commits += 1
        figures.seconds += seconds
        figures.buckets[bisect_left(BOUNDS, seconds)] += 1

    async def _ready(self) -> AsyncConnection:
        if self._connection is None:
            self._connection, self._fresh = await self._connect(), True
        if self._fresh:
            await self._load(self._connection)
            self._fresh = False
        return self._connection

    async def _reload(self, connection: AsyncConnection) -> None:
        """After a commit: should it fail, the work is stored all the same, and the next transaction begins anew."""
        try:
            await self._load(connection)
        except (SQLAlchemyError, OSError):
            await self.release()

    async def _load(self, connection: AsyncConnection) -> None:
        await self._packer.load(connection)
        await connection.rollback()

    async def release(self) -> None:
        """Close the connection whatever state it is in; what was not committed is undone by the database."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        with contextlib.suppress(SQLAlchemyError, OSError):
            if connection.in_transaction():
                await connection.invalidate()
        with contextlib.suppress(SQLAlchemyError, OSError):
            await connection.close()


def _is_the_database(error: Exception) -> bool:
    """Whether the fault is the database's (busy, full, gone) and not the unit's (a row it does not take)."""
    if isinstance(error, StoreError | OSError):
        return True
    return isinstance(error, DBAPIError) and (
        error.connection_invalidated or type(error).__name__ in ("OperationalError", "InterfaceError")
    )
