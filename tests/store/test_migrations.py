"""The schema: what the migrations make is what the tables say; an upgrade keeps everything; a kill leaves the old or the new."""

import asyncio
import shutil
import sqlite3
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from monitor.model import State, Transition
from monitor.store import Batch, migrations, open_store
from monitor.store.engines import Sqlite
from monitor.store.making import create
from monitor.store.schema import APPLICATION_ID, VERSION, metadata
from tests.store.conftest import NOW

NEXT = '''
"""A migration of the future: a column, and a value made of old ones."""
from alembic import op
import sqlalchemy as sa

revision, down_revision, branch_labels, depends_on = "9999", {head!r}, None, None

def upgrade():
    op.add_column("transitions", sa.Column("shout", sa.Text()))
    op.execute("UPDATE transitions SET shout = upper(state)")
    {last}
'''


async def test_what_is_made_is_what_the_tables_say(place):
    async with await place.open():
        pass
    url = place.url if place.url != "sqlite" else f"sqlite+aiosqlite:///{place.directory}/thongsuot.sqlite3"
    engine = create_async_engine(url)
    async with engine.connect() as connection:
        differences = await connection.run_sync(
            lambda plain: compare_metadata(MigrationContext.configure(plain, opts={"compare_type": True}), metadata)
        )
        assert await connection.scalar(text("SELECT value FROM meta WHERE key = 'schema'")) == str(VERSION)
    await engine.dispose()
    assert differences == []


async def test_an_empty_database_is_made_as_the_migrations_make_it(tmp_path):
    """Every table and index, to the letter; and Alembic finds it where it would have left it."""
    made, migrated = Sqlite(tmp_path / "made.sqlite3"), Sqlite(tmp_path / "migrated.sqlite3")
    scripts = await asyncio.to_thread(migrations.load)
    for database, way in ((made, create), (migrated, partial(migrations.upgrade, scripts=scripts))):
        await database.prepare()
        connection = await database.open_writer()
        async with connection.begin():
            await connection.run_sync(way)
        await connection.close()
        await database.close()
    assert contents(tmp_path / "made.sqlite3") == contents(tmp_path / "migrated.sqlite3")


def contents(file: Path) -> tuple[set[str], list[tuple[str]], list[tuple[str, str]]]:
    """Every definition with its spaces and quotes evened out, and the rows that a new database has."""
    with closing(sqlite3.connect(file)) as connection:
        rows = connection.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
        versions = connection.execute("SELECT version_num FROM alembic_version").fetchall()
        meta = connection.execute("SELECT key, value FROM meta ORDER BY key").fetchall()
    return (
        {" ".join(row[0].replace('"', "").replace("(", " ( ").replace(")", " ) ").split()) for row in rows},
        versions,
        meta,
    )


async def test_what_the_migrations_make_is_what_the_tables_say_on_both(place):
    """The same by way of the migrations, as an old database comes to it."""
    engine = create_async_engine(
        place.url if place.url != "sqlite" else f"sqlite+aiosqlite:///{place.directory}/old.sqlite3"
    )
    scripts = await asyncio.to_thread(migrations.load)
    async with engine.begin() as connection:
        await connection.run_sync(migrations.upgrade, scripts)
        differences = await connection.run_sync(
            lambda plain: compare_metadata(MigrationContext.configure(plain, opts={"compare_type": True}), metadata)
        )
    await engine.dispose()
    assert differences == []


def test_the_newest_migration_is_the_version():
    assert int(migrations.load().get_current_head() or 0) == VERSION


def future(where: Path, last: str = "") -> Path:
    """The migrations with one more."""
    shutil.copytree(migrations.HERE, where, ignore=shutil.ignore_patterns("__pycache__"))
    head = migrations.load().get_current_head()
    (where / "versions" / "v9999_next.py").write_text(NEXT.format(head=head, last=last))
    return where


async def upgrade(directory: Path, scripts: Path) -> None:
    """As at opening, with other migrations."""
    database = Sqlite(directory / "thongsuot.sqlite3")
    loaded = await asyncio.to_thread(migrations.load, scripts)
    connection = await database.open_writer()
    try:
        async with connection.begin():
            await connection.run_sync(migrations.upgrade, loaded, 9999)
    finally:
        await connection.close()
        await database.close()


def look(directory: Path) -> tuple[int, int, bool]:
    """The file's two numbers, and whether the new column is there."""
    with closing(sqlite3.connect(directory / "thongsuot.sqlite3")) as connection:
        numbers = [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")]
        columns = [row[1] for row in connection.execute("PRAGMA table_info(transitions)")]
        return numbers[0], numbers[1], "shout" in columns


async def test_an_upgrade_keeps_what_is_there(tmp_path):
    async with await open_store("sqlite", tmp_path, lambda: NOW) as store:
        await store.commit(Batch(transitions=[Transition(subject="n", at=NOW, state=State.DOWN)]))
    assert look(tmp_path) == (APPLICATION_ID, VERSION, False)
    await upgrade(tmp_path, await asyncio.to_thread(future, tmp_path / "scripts"))
    assert look(tmp_path) == (APPLICATION_ID, 9999, True)
    with closing(sqlite3.connect(tmp_path / "thongsuot.sqlite3")) as connection:
        assert connection.execute("SELECT subject, state, shout FROM transitions").fetchall() == [("n", "down", "DOWN")]


async def test_a_migration_that_breaks_off_has_done_nothing(tmp_path):
    async with await open_store("sqlite", tmp_path, lambda: NOW):
        pass
    scripts = await asyncio.to_thread(future, tmp_path / "scripts", "raise RuntimeError('power')")
    with pytest.raises(RuntimeError, match="power"):
        await upgrade(tmp_path, scripts)
    assert look(tmp_path) == (APPLICATION_ID, VERSION, False)
    async with await open_store("sqlite", tmp_path, lambda: NOW):
        pass


async def test_opening_again_changes_nothing(place):
    async with await place.open() as store:
        await store.commit(Batch(transitions=[Transition(subject="n", at=NOW, state=State.DOWN)]))
    async with await place.open() as store:
        assert await store.verify() == ()
        assert set(await store.transitions(None, NOW, NOW.replace(year=2027))) == {"n"}
