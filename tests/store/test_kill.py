"""Durable before announced: whatever kills the process, what was acknowledged is there, and nothing is there by halves."""

import os
import random
import signal
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path

import pytest

from monitor.store import open_store
from tests.debian import need
from tests.store.conftest import Place
from tests.store.scribe import START, Scribe, batch

FOREVER = 100_000


async def present(url: str, directory: Path) -> set[int]:
    """Numbers whose rows are all there; none may be there by halves, and every sample only once."""
    async with await open_store(url, directory, lambda: START) as store:
        assert await store.verify() == ()
        memory = await store.memory()
        everything = START, batch(FOREVER * 10).transitions[0].at
        transitions = {int(name[1:]) for name in await store.transitions(None, *everything)}
        assert {int(name[1:]) for name in memory.nodes} == transitions
        assert {int(name[1:]) for name in memory.incidents} == transitions
        assert {int(pending.message.id[1:]) for pending in memory.pending} == transitions
        for number in list(transitions)[:3]:
            assert await store.events(f"i{number}") == tuple(batch(number).events)
        samples = [one for check in memory.checks for one in await store.samples(check, *everything)]
        assert sorted((one.at - START).total_seconds() / 60 for one in samples) == sorted(transitions)
        return transitions


async def kill_and_look(place: Place, cycles: int, seed: int) -> None:
    """The database goes on from kill to kill; every other time it is killed while sealing, too."""
    moments = random.Random(seed)
    told: set[int] = set()
    first = 0
    for cycle in range(cycles):
        scribe = Scribe.start(place.url, str(place.directory), first, FOREVER, sealing=cycle % 2 == 1)
        scribe.go()
        if cycle % 5:
            scribe.ready()  # else it may be killed while it opens
        time.sleep(moments.uniform(0, 0.2))
        os.kill(scribe.process.pid or 0, signal.SIGKILL)
        told |= scribe.end()
        found = await present(place.url, place.directory)
        assert told <= found, "acknowledged and gone"
        first = max(found, default=-1) + 1
        first += first % 2


async def test_nothing_acknowledged_is_lost_by_kill_9(place):
    await kill_and_look(place, 20, 1)


@pytest.mark.soak
async def test_nothing_acknowledged_is_lost_by_many_kills(place):
    await kill_and_look(place, 500, 3)


def trace(scribe: Scribe, call: str, number: int, what: str) -> subprocess.Popen[bytes]:
    """From here on, do this to its n-th call."""
    inject = ("-e", f"trace={call}", "-e", f"inject={call}:{what}:when={number}")
    tracer = subprocess.Popen(
        [need("strace", "strace"), "-f", "-qq", "-o", "/dev/null", *inject, "-p", str(scribe.process.pid)]
    )
    for thread in Path(f"/proc/{scribe.process.pid}/task").iterdir():
        while "TracerPid:\t0" in (thread / "status").read_text():
            assert tracer.poll() is None, "strace may not attach here"
            time.sleep(0.005)
    return tracer


def killed_at(call: str, number: int, directory: Path, first: int) -> tuple[bool, set[int]]:
    """Let one open and write, and kill it at its n-th call; whether it was killed, and what it was told is stored."""
    scribe = Scribe.start("sqlite", str(directory), first, 8)
    tracer = trace(scribe, call, number, "signal=KILL")
    scribe.go()
    told = scribe.end()
    tracer.wait(20)
    return scribe.process.exitcode == -signal.SIGKILL, told


async def kill_at(call: str, numbers: Iterable[int], directory: Path) -> int:
    """Kill at the n-th call of a run, and once more in the run that recovers; gives how many were killed."""
    killed = 0
    for number in numbers:
        place = directory / f"{call[0]}{number}"
        told: set[int] = set()
        for again in (number, 1 + number % 5):
            dead, more = killed_at(call, again, place, max(told, default=-1) + 1)
            killed += dead
            told |= more
        assert told <= await present("sqlite", place), f"{call} {number}: acknowledged and gone"
    return killed


CALLS = {"pwrite64": range(1, 80, 6), "fdatasync": range(1, 10, 2), "ftruncate": range(1, 3)}


@pytest.mark.parametrize("call", CALLS)
async def test_nothing_is_lost_by_a_kill_at_a_write(call, tmp_path):
    assert await kill_at(call, CALLS[call], tmp_path)


FAILURES = [
    ("the disk fails as the log is synced", "fdatasync", "error=EIO", (4, 6)),
    ("the disk fails as the log is written", "pwrite64", "error=EIO", (60, 75)),
    ("the disk is full", "pwrite64", "error=ENOSPC", (60, 75)),
]


@pytest.mark.parametrize(("sentence", "call", "what", "numbers"), FAILURES, ids=[case[0] for case in FAILURES])
async def test_a_failing_disk_costs_a_commit_and_not_the_store(sentence, call, what, numbers, tmp_path):
    """The commit that failed was not acknowledged; the next ones go through on a new connection. (Failed, yet on the disk after all, may
    be: then it is there wholly.)
    """
    for number in numbers:
        directory = tmp_path / str(number)
        scribe = Scribe.start("sqlite", str(directory), 0, 12)
        scribe.go(1)
        scribe.ready()
        tracer = trace(scribe, call, number, what)
        scribe.go(1)
        told = scribe.end()
        tracer.wait(20)
        # The tracer counts by thread, and a new connection has a new one: some of the later commits fail again. (A new log takes three syncs.)
        failed = set(range(12)) - told
        assert failed, "no commit was hit: choose another number"
        assert max(told) > min(failed), "it did not recover"
        assert told <= await present("sqlite", directory)


@pytest.mark.soak
@pytest.mark.parametrize("call", CALLS)
async def test_nothing_is_lost_by_a_kill_at_any_write(call, tmp_path):
    assert await kill_at(call, range(1, 250), tmp_path)
