"""The two databases: how to open them, who may write, and what is checked before anything is believed.

Owns: connections and their settings. One writing connection, the only one that writes or checkpoints; readers cannot write.
Never: knows a table beyond `meta`.
"""

import asyncio
import contextlib
import os
import sqlite3
import time
import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote
from uuid import uuid4

import aiosqlite
from sqlalchemy import event, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool, NullPool, Pool

from monitor.store.records import AlreadyRunning, StoreDamagedError, StoreError, StoreLostError
from monitor.store.schema import APPLICATION_ID, VERSION

FILE = "thongsuot.sqlite3"
BUSY_SECONDS = 30.0
"""How long another process (a backup, a shell) may hold the database."""
CHECK_SECONDS = 2.0
"""How long the check at opening may take; a larger database is checked in full by `verify`."""
WAL_PAGES = 1000
WAL_LIMIT = 64 * 1024 * 1024
READERS = 3


class Database(Protocol):
    """What the store needs of either."""

    name: str
    engine: AsyncEngine

    @property
    def owned(self) -> bool:
        """Whether we are the owner, as far as we know."""

    async def prepare(self) -> None:
        """Before anything is opened: StoreDamagedError for what is not ours, newer than we are, or not whole."""

    async def open_writer(self) -> AsyncConnection:
        """The only connection that writes, as owner of the database; StoreLostError when somebody else has come to own it."""

    async def inspect_schema(self, connection: AsyncConnection) -> None:
        """Before the migrations: StoreDamagedError for a schema newer than we are."""

    async def claim(self, connection: AsyncConnection) -> None:
        """Once, after the schema is there: say that the database is ours now."""

    def reader(self) -> contextlib.AbstractAsyncContextManager[AsyncConnection]:
        """A short, read-only transaction: what it sees is one moment."""

    async def sizes(self) -> tuple[int, int]:
        """Bytes of the database and of its write-ahead log."""

    async def check(self) -> tuple[str, ...]:
        """Read everything, and say what is wrong."""

    async def close_readers(self) -> None:
        """Nobody reads any more."""

    async def close(self) -> None:
        """Let go."""


def _failed(error: BaseException, doing: str) -> StoreError:
    """The error for the caller: the driver's own line, not the statement and its values."""
    cause = getattr(error, "orig", None) or error
    return StoreError(f"{doing}: {cause}".strip())


@asynccontextmanager
async def _reading(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    try:
        async with engine.connect() as connection, connection.begin():
            yield connection
    except (SQLAlchemyError, OSError) as error:
        raise _failed(error, "cannot read the database") from error


class Sqlite:
    """One file in the state directory, mode 0600."""

    name = "sqlite"
    owned = True

    def __init__(self, path: Path) -> None:
        self.path = path
        self.engine = self._engine(
            f"file:{quote(str(path))}?mode=rw", self._prepare_writer, NullPool, "BEGIN IMMEDIATE"
        )
        self._readers = self._engine(
            f"file:{quote(str(path))}?mode=ro", self._prepare_reader, AsyncAdaptedQueuePool, "BEGIN"
        )

    @staticmethod
    def _engine(uri: str, prepare: Callable[[Any], None], pool: type[Pool], begin: str) -> AsyncEngine:
        def connect() -> aiosqlite.Connection:
            connection = aiosqlite.connect(uri, uri=True, isolation_level=None, timeout=BUSY_SECONDS)
            connection._thread.daemon = True  # A process that is told to go does not wait for a statement.
            return connection

        options: dict[str, Any] = {} if pool is NullPool else {"pool_size": READERS, "max_overflow": 0}
        engine = create_async_engine("sqlite+aiosqlite://", async_creator=connect, poolclass=pool, **options)
        event.listen(engine.sync_engine, "connect", lambda connection, _record: prepare(connection))
        # The driver's own transactions are off: deferred ones fail at once on a busy database, whatever the timeout.
        event.listen(engine.sync_engine, "begin", lambda connection: connection.exec_driver_sql(begin))
        return engine

    @staticmethod
    def _prepare_writer(connection: Any) -> None:
        cursor = connection.cursor()
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            f"wal_autocheckpoint={WAL_PAGES}",
            f"journal_size_limit={WAL_LIMIT}",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @staticmethod
    def _prepare_reader(connection: Any) -> None:
        cursor = connection.cursor()
        for pragma in ("query_only=ON", "wal_autocheckpoint=0"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    async def prepare(self) -> None:
        """Make the file, or see that it is ours, not newer than us, and whole."""
        await asyncio.to_thread(self._inspect)

    def _inspect(self) -> None:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # SQLite gives its -wal and -shm the mode of the file itself.
        os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        until = time.monotonic() + CHECK_SECONDS
        try:
            with contextlib.closing(sqlite3.connect(self.path, timeout=BUSY_SECONDS)) as connection:
                connection.execute("PRAGMA wal_autocheckpoint=0")
                (ours,) = connection.execute("PRAGMA application_id").fetchone()
                (version,) = connection.execute("PRAGMA user_version").fetchone()
                (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
                if ours != APPLICATION_ID and (ours or version or tables):
                    raise StoreDamagedError(f"{self.path} is a database of another program")
                refuse_newer(version, str(self.path))
                connection.set_progress_handler(lambda: time.monotonic() > until, 10_000)
                self._quick_check(connection)
        except sqlite3.DatabaseError as error:
            raise StoreDamagedError(f"{self.path} is damaged or no database: {error}") from error

    def _quick_check(self, connection: sqlite3.Connection) -> None:
        try:
            found = [line for (line,) in connection.execute("PRAGMA quick_check(3)")]
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_INTERRUPT:
                return
            raise
        if found != ["ok"]:
            raise StoreDamagedError(f"{self.path} is damaged: {'; '.join(found)}")

    async def open_writer(self) -> AsyncConnection:
        """See Database."""
        return await self.engine.connect()

    async def inspect_schema(self, connection: AsyncConnection) -> None:
        """`prepare` has looked already."""

    async def claim(self, connection: AsyncConnection) -> None:
        """The lock on the state directory says it already; the file's header says whose it is."""

    def reader(self) -> contextlib.AbstractAsyncContextManager[AsyncConnection]:
        """See Database."""
        return _reading(self._readers)

    async def sizes(self) -> tuple[int, int]:
        """See Database."""

        def size(path: Path) -> int:
            try:
                return path.stat().st_size
            except FileNotFoundError:
                return 0

        def both() -> tuple[int, int]:
            return size(self.path), size(self.path.with_name(self.path.name + "-wal"))

        return await asyncio.to_thread(both)

    async def check(self) -> tuple[str, ...]:
        """See Database."""

        def look() -> tuple[str, ...]:
            with contextlib.closing(sqlite3.connect(f"file:{quote(str(self.path))}?mode=ro", uri=True)) as connection:
                return tuple(line for (line,) in connection.execute("PRAGMA integrity_check") if line != "ok")

        try:
            return await asyncio.to_thread(look)
        except sqlite3.DatabaseError as error:
            return (str(error),)

    async def close_readers(self) -> None:
        """See Database."""
        await self._readers.dispose()

    async def close(self) -> None:
        """See Database."""
        await self._readers.dispose()
        await self.engine.dispose()


class Postgres:
    """A PostgreSQL database. The writing connection itself holds an advisory lock: who has lost the lock cannot write."""

    name = "postgresql"

    def __init__(self, url: str) -> None:
        # The token of this ownership: another daemon that came in between has left its own.
        self._token = uuid4().hex
        self._claimed = False
        self._owned = False
        settings = {"application_name": "thongsuot", "synchronous_commit": "on", "timezone": "UTC"}
        self.engine = create_async_engine(
            url, poolclass=NullPool, connect_args={"server_settings": settings, "timeout": 10}
        )
        readers = settings | {"default_transaction_read_only": "on"}
        self._readers = create_async_engine(
            url,
            pool_size=READERS,
            max_overflow=0,
            pool_pre_ping=True,
            isolation_level="REPEATABLE READ",
            connect_args={"server_settings": readers, "timeout": 10},
        )
        name = self.engine.url.database or ""
        self.where = f"PostgreSQL database {name}"
        self._key = zlib.crc32(b"thongsuot:" + name.encode())

    @property
    def owned(self) -> bool:
        """See Database."""
        return self._owned

    async def prepare(self) -> None:
        """The server looks after its own."""

    async def open_writer(self) -> AsyncConnection:
        """See Database."""
        connection = await self.engine.connect()
        try:
            if not await connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": self._key}):
                if self._claimed:
                    raise StoreLostError(f"another daemon has taken over {self.where}")  # noqa: TRY301
                raise AlreadyRunning(self.where, None)  # noqa: TRY301
            if self._claimed:
                await self._still_ours(connection)
            await connection.commit()
            raw = (await connection.get_raw_connection()).driver_connection
            assert raw is not None
            raw.add_termination_listener(self._terminated)
        except BaseException:
            await connection.close()
            raise
        self._owned = True
        return connection

    def _terminated(self, _connection: Any) -> None:
        self._owned = False

    async def _still_ours(self, connection: AsyncConnection) -> None:
        owner = await connection.scalar(text("SELECT value FROM meta WHERE key = 'owner'"))
        if owner != self._token:
            raise StoreLostError(f"another daemon has been the owner of {self.where} meanwhile")

    async def claim(self, connection: AsyncConnection) -> None:
        """See Database."""
        await connection.execute(
            text(
                "INSERT INTO meta (key, value) VALUES ('owner', :token) ON CONFLICT (key) DO UPDATE SET value = :token"
            ),
            {"token": self._token},
        )
        await connection.commit()
        self._claimed = True

    async def inspect_schema(self, connection: AsyncConnection) -> None:
        """See Database."""
        if await connection.scalar(text("SELECT to_regclass('meta') IS NOT NULL")):
            version = await connection.scalar(text("SELECT value FROM meta WHERE key = 'schema'"))
            refuse_newer(int(version or 0), self.where)
        await connection.commit()

    def reader(self) -> contextlib.AbstractAsyncContextManager[AsyncConnection]:
        """See Database."""
        return _reading(self._readers)

    async def sizes(self) -> tuple[int, int]:
        """The log is the server's own business."""
        async with self.reader() as connection:
            return int(await connection.scalar(text("SELECT pg_database_size(current_database())")) or 0), 0

    async def check(self) -> tuple[str, ...]:
        """PostgreSQL checks its pages as it reads them (where the cluster has checksums)."""
        async with self.reader() as connection:
            for table in ("samples", "chunks", "transitions", "incidents"):
                await connection.execute(text(f"SELECT count(*) FROM {table}"))  # noqa: S608 - names of our own
        return ()

    async def close_readers(self) -> None:
        """See Database."""
        await self._readers.dispose()

    async def close(self) -> None:
        """See Database."""
        self._owned = False
        await self._readers.dispose()
        await self.engine.dispose()


def refuse_newer(version: int, where: str) -> None:
    """A schema from the future is not touched: going back loses what the newer version knew."""
    if version > VERSION:
        raise StoreDamagedError(
            f"{where} has schema version {version}, and this program knows versions up to {VERSION}: "
            "run the newer version, or restore a backup made before the upgrade"
        )
