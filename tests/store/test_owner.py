"""One owner, and a database that is what we think it is."""

import asyncio
import multiprocessing
import os
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from monitor.model import State, Transition
from monitor.store import (
    AlreadyRunning,
    Batch,
    StoreDamagedError,
    StoreError,
    StoreLostError,
    open_reader,
    open_store,
    state_lock,
)
from monitor.store.schema import VERSION
from tests.store.conftest import NOW, Place

FILE = "thongsuot.sqlite3"
HOLD = "import sys, time; from monitor.store.lock import state_lock\nwith state_lock(sys.argv[1]):\n    print(1, flush=True); time.sleep(60)"


def went(number: int) -> Transition:
    return Transition(subject=f"n{number}", at=NOW + timedelta(seconds=number), state=State.DOWN)


async def lost(store) -> None:
    """Wait until it has noticed, which no statement is needed for."""
    for _ in range(100):
        if not store.owned:
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it still believes that the database is its own")


async def stored(reader) -> set[str]:
    return set(await reader.transitions(None, NOW, NOW + timedelta(days=1)))


def test_a_second_daemon_is_refused_at_once_and_told_by_whom(tmp_path):
    directory = tmp_path / "var" / "state"
    with state_lock(directory):
        began = time.monotonic()
        with pytest.raises(AlreadyRunning) as refusal, state_lock(directory):
            pass
        assert time.monotonic() - began < 0.5
        assert refusal.value.holder == os.getpid()
        assert str(os.getpid()) in str(refusal.value)
    with state_lock(directory):
        pass


def test_a_killed_daemon_leaves_no_stale_lock(tmp_path):
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]
    )
    assert holder.stdout is not None
    holder.stdout.readline()
    with pytest.raises(AlreadyRunning) as refusal, state_lock(tmp_path):
        pass
    assert refusal.value.holder == holder.pid
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    holder.stdout.close()
    with state_lock(tmp_path):  # the pid in the file is still the dead one's
        pass


async def test_files_are_for_the_owner_alone(tmp_path):
    directory = tmp_path / "state"
    lock = state_lock(directory)
    await asyncio.to_thread(lock.__enter__)
    async with await open_store("sqlite", directory, lambda: NOW) as store:
        await store.commit(Batch(transitions=[went(1)]))
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in directory.iterdir()}
    lock.__exit__(None, None, None)
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert modes == dict.fromkeys([FILE, f"{FILE}-wal", f"{FILE}-shm", "lock"], 0o600)


async def test_the_settings_that_make_it_durable(tmp_path):
    async with await open_store("sqlite", tmp_path, lambda: NOW) as store:
        await store.commit(Batch(transitions=[went(1)]))
        raw = await store._writer._connection.get_raw_connection()
        found = {}
        for name in ("journal_mode", "synchronous", "foreign_keys", "wal_autocheckpoint", "busy_timeout"):
            cursor = await raw.driver_connection.execute(f"PRAGMA {name}")
            (found[name],) = await cursor.fetchone()
        assert found == {
            "journal_mode": "wal",
            "synchronous": 2,
            "foreign_keys": 1,
            "wal_autocheckpoint": 1000,
            "busy_timeout": 30_000,
        }


async def test_after_closing_all_is_in_the_one_file(tmp_path):
    """So that it may be copied: the writer closes last, and takes the log into the file."""
    async with await open_store("sqlite", tmp_path, lambda: NOW) as store:
        await store.commit(Batch(transitions=[went(1)]))
        assert await stored(store) == {"n1"}
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


def hold(path: str, seconds: float, line) -> None:
    """Another process with the whole database to itself."""
    with closing(sqlite3.connect(path, isolation_level=None, timeout=10)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        line.send("held")
        time.sleep(seconds)
        connection.execute("ROLLBACK")


async def test_a_backup_may_hold_the_database_for_seconds(tmp_path):
    async with await open_store("sqlite", tmp_path, lambda: NOW) as store:
        await store.commit(Batch(transitions=[went(0)]))
        server = multiprocessing.get_context("forkserver")
        ours, theirs = server.Pipe()
        other = server.Process(target=hold, args=(str(tmp_path / FILE), 2.0, theirs), daemon=True)
        other.start()
        theirs.close()
        assert await asyncio.to_thread(ours.recv) == "held"
        began = asyncio.get_running_loop().time()
        commits = [asyncio.create_task(store.commit(Batch(transitions=[went(number)]))) for number in range(1, 20)]
        await asyncio.sleep(0.5)
        assert (await store.stats()).waiting_seconds > 0.2  # what an alarm looks at
        assert await stored(store) == {"n0"}  # readers go on
        await asyncio.gather(*commits)
        assert asyncio.get_running_loop().time() - began > 1
        assert len(await stored(store)) == 20
        await asyncio.to_thread(other.join, 10)
        ours.close()


DAMAGE = [
    ("no database at all", lambda path: path.write_bytes(b"Not a database, by any means. " * 200), "no database"),
    ("pages overwritten", lambda path: overwrite(path, 4096 * 3, os.urandom(4096 * 5)), "damaged"),
    ("cut off", lambda path: os.truncate(path, 4096 * 5), "damaged"),
    ("of another program", lambda path: pragma(path, "application_id=7"), "another program"),
    ("of a newer version", lambda path: pragma(path, f"user_version={VERSION + 1}"), "newer version"),
]


def overwrite(path: Path, where: int, what: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(where)
        file.write(what)


def pragma(path: Path, what: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA {what}")


@pytest.mark.parametrize(("sentence", "damage", "said"), DAMAGE, ids=[case[0] for case in DAMAGE])
async def test_a_database_that_is_not_good_is_refused_and_left_alone(tmp_path, sentence, damage, said):
    async with await open_store("sqlite", tmp_path, lambda: NOW) as store:
        await store.commit(Batch(transitions=[went(number) for number in range(300)]))
    path = tmp_path / FILE
    damage(path)
    before = path.read_bytes()
    with pytest.raises(StoreDamagedError, match=said):
        await open_store("sqlite", tmp_path, lambda: NOW)
    assert path.read_bytes() == before


async def test_a_place_where_nothing_can_be_kept_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError):
        await open_store("sqlite", tmp_path / "file" / "state", lambda: NOW)
    with pytest.raises(StoreError):
        await open_store(f"postgresql+asyncpg://nobody:x@/none?host={tmp_path}", tmp_path, lambda: NOW)


async def test_a_command_reads_beside_the_daemon_and_after_it(place):
    with pytest.raises(StoreError):
        await open_reader(place.url, place.directory, lambda: NOW)
    async with await place.open() as store:
        await store.commit(Batch(transitions=[went(1)]))
        async with await open_reader(place.url, place.directory, lambda: NOW) as reader:
            assert await stored(reader) == {"n1"}
            await store.commit(Batch(transitions=[went(2)]))
            assert await stored(reader) == {"n1", "n2"}
    async with await open_reader(place.url, place.directory, lambda: NOW) as reader:
        assert await stored(reader) == {"n1", "n2"}


async def test_a_second_daemon_on_one_postgresql_database_is_refused(postgres, tmp_path):
    place = Place(postgres.database(), tmp_path)
    async with await place.open() as store:
        assert store.owned
        with pytest.raises(AlreadyRunning, match="PostgreSQL"):
            await place.open()
        await store.commit(Batch(transitions=[went(1)]))
    async with await place.open() as store:
        assert await stored(store) == {"n1"}


async def test_who_lost_the_connection_and_found_nobody_else_goes_on(postgres, tmp_path):
    place = Place(postgres.database(), tmp_path)
    async with await place.open() as store:
        await store.commit(Batch(transitions=[went(1)]))
        await asyncio.to_thread(postgres.cut, place.url)
        await lost(store)
        assert not store.owned
        failed = 0
        for number in range(2, 30):
            try:
                await store.commit(Batch(transitions=[went(number)]))
                break
            except StoreLostError:
                raise
            except StoreError:
                failed += 1
                await asyncio.sleep(0.1)
        assert store.owned
        assert failed <= 5
        assert await stored(store) == {"n1", f"n{number}"}


async def test_who_lost_the_database_to_another_announces_nothing_more(postgres, tmp_path):
    place = Place(postgres.database(), tmp_path)
    async with await place.open() as first:
        await first.commit(Batch(transitions=[went(1)]))
        await asyncio.to_thread(postgres.cut, place.url)
        await lost(first)
        async with await place.open() as second:
            for _ in range(2):
                with pytest.raises(StoreError):
                    await first.commit(Batch(transitions=[went(2)]))
            await second.commit(Batch(transitions=[went(3)]))
            assert await stored(second) == {"n1", "n3"}
        # The other has gone again; but what we remember is no longer what is stored.
        with pytest.raises(StoreLostError):
            await first.commit(Batch(transitions=[went(4)]))
        assert not first.owned
