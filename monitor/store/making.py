"""How an empty database gets its tables, and an old one the newest.

Owns: the choice between making the tables as they are now and walking through the migrations. Never: decides whether a database may be used.

An empty one is made at once: the same tables, without Alembic, which takes 11 MiB and a third of a second for what it does once in a life.
A test holds that both ways lead to the same.
"""

import asyncio
import importlib
from enum import Enum

from sqlalchemy import Connection, inspect, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from monitor.store import schema

ALEMBIC: str = "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL, CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num))"
"""Where Alembic looks for how far a database has come."""


class Age(Enum):
    """What a database is when it is opened."""

    EMPTY = "empty"
    OLD = "old"
    NEWEST = "newest"


async def make(connection: AsyncConnection) -> None:
    """Bring the database to the newest schema; does nothing where it is that already."""
    age = await _age(connection)
    if age is Age.EMPTY:
        async with connection.begin():
            await connection.run_sync(create)
    elif age is Age.OLD:
        migrations = await asyncio.to_thread(importlib.import_module, "monitor.store.migrations")
        scripts = await asyncio.to_thread(migrations.load)
        async with connection.begin():
            await connection.run_sync(migrations.upgrade, scripts)


async def _age(connection: AsyncConnection) -> Age:
    async with connection.begin():
        if not await connection.run_sync(lambda plain: inspect(plain).has_table(schema.meta.name)):
            return Age.EMPTY
        stored = select(schema.meta.c.value).where(schema.meta.c.key == "schema")
        return Age.NEWEST if await connection.scalar(stored) == str(schema.VERSION) else Age.OLD


def create(connection: Connection) -> None:
    """Every table as it is now, in the transaction that is already open."""
    schema.metadata.create_all(connection, checkfirst=False)
    connection.execute(text(ALEMBIC))
    connection.execute(text("INSERT INTO alembic_version VALUES (:version)"), {"version": f"{schema.VERSION:04d}"})
    settle(connection, schema.VERSION)


def settle(connection: Connection, version: int) -> None:
    """Write down which version it is, where we, and where `file` and the like look for it."""
    connection.execute(
        text(
            "INSERT INTO meta (key, value) VALUES ('schema', :version) ON CONFLICT (key) DO UPDATE SET value = :version"
        ),
        {"version": str(version)},
    )
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(f"PRAGMA application_id={schema.APPLICATION_ID}")
        connection.exec_driver_sql(f"PRAGMA user_version={version}")
