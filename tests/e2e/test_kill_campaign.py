"""A hundred kills at random moments while everything is going on; then the truth, the database and the receivers' log are held together.

Three daemons over three folders live and die beside one another. A kill comes some moments after the daemon is ready, or before it is, or at
the very moment a message arrives, or shortly after a polite request to stop. The seed is printed; CAMPAIGN_SEED chooses another.
"""

import asyncio
import os
import random
import statistics
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.e2e.audit import Auditor, Books, against_truth, heard, last_words
from tests.e2e.nursery import Nursery
from tests.e2e.province import KEPT, Province
from tests.story.daemon import until

pytestmark = pytest.mark.story

FOLDERS = 3
KILLS = int(os.environ.get("CAMPAIGN_KILLS", "100"))
SEED = int(os.environ.get("CAMPAIGN_SEED", "20261122"))
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Record:
    """What one folder's campaign did."""

    kills: Counter[str] = field(default_factory=Counter)
    ready: list[float] = field(default_factory=list)
    """Seconds until a new process was ready,"""
    work: list[float] = field(default_factory=list)
    """and what it used of the processor for it;"""
    start: list[float] = field(default_factory=list)
    """the same of a fork, whose imports are there."""


def processor_seconds(pid: int) -> float:
    """What a process has used of the processor, whoever else is busy."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


async def one_life(province: Province, nursery: Nursery, chance: random.Random, record: Record) -> None:
    """Start, and die in one of four ways. One start in eight is that of a new process, and is measured."""
    daemon = province.daemon
    fresh = chance.random() < 0.125
    daemon.nursery = None if fresh else nursery
    await daemon.start(wait=False)
    assert daemon.process is not None
    way = chance.choices(("alive", "starting", "telling", "stopping"), (45, 20, 25, 10))[0]
    if way == "starting" and not fresh:
        # By its own processor time: wherever in the start that is, however busy the machine.
        limit = chance.uniform(0.0, 1.1) * (statistics.median(record.start) if record.start else 0.5)
        while processor_seconds(daemon.process.pid) < limit:
            await asyncio.sleep(0.003)
    else:
        began = time.monotonic()
        await daemon.ready(60)
        used = processor_seconds(daemon.process.pid)
        if fresh:
            record.ready.append(time.monotonic() - began)
            record.work.append(used)
        else:
            record.start.append(used)
        await asyncio.sleep(chance.uniform(0.05, 3.0) if way != "telling" else 0.5)
        if way == "telling":
            await next_arrival(province, chance.randint(1, 6), chance.choice((0.0, 0.0, 0.002, 0.01)))
        if way == "stopping":
            daemon.process.terminate()
            await asyncio.sleep(chance.uniform(0.0, 0.5))
    if daemon.process.returncode is not None:
        assert way == "stopping", f"it ended by itself: {daemon.log.read_text('utf-8')[-3000:]}"
        assert daemon.process.returncode == 0
        record.kills["ended in time"] += 1
        return
    await daemon.kill()
    record.kills[way] += 1


async def next_arrival(province: Province, count: int, after: float) -> None:
    """Return when so many messages have come in from now on, before the last of them is answered; at the latest after five seconds."""
    came = asyncio.Event()
    left = count

    def struck() -> None:
        nonlocal left
        left -= 1
        if left <= 0:
            province.inbox.struck = None
            if after == 0.0 and province.daemon.process is not None:
                province.daemon.process.kill()
            came.set()

    province.inbox.struck = struck
    try:
        async with asyncio.timeout(5):
            await came.wait()
            await asyncio.sleep(after)
    except TimeoutError:
        pass
    finally:
        province.inbox.struck = None


async def campaign(folder: Path, nursery: Nursery, number: int, kills: int) -> tuple[Province, Auditor, Record, Books]:
    """One folder: the kills, then the quiet."""
    folder.mkdir()
    record, chance = Record(), random.Random(f"{SEED}.{number}")
    async with Province(folder) as province:
        auditor = Auditor(folder / "state", province.inbox)
        storm = [
            asyncio.create_task(province.weather(random.Random(f"{SEED}.{number}.weather"))),
            asyncio.create_task(province.moods(random.Random(f"{SEED}.{number}.moods"))),
        ]
        while record.kills.total() - record.kills["ended in time"] < kills:
            await one_life(province, nursery, chance, record)
            await asyncio.to_thread(auditor.look)
        for task in storm:
            task.cancel()
        await asyncio.gather(*storm, return_exceptions=True)
        books = await settled(province, auditor)
    return province, auditor, record, books


async def settled(province: Province, auditor: Auditor) -> Books:
    """All mended but what was kept for now; the verdicts are the truth; then all mended; all told."""
    province.inbox.mood = "take"
    for name in province.sites.names:
        province.sites.turn(name, well=name not in KEPT)
    await province.daemon.start(wait=False)
    await province.daemon.ready(60)

    async def verdicts_are_true() -> bool:
        states = await province.states()
        return all(
            states[name] == ("up" if name not in province.sites.broken else "down") for name in province.sites.names
        )

    async def open_roots() -> bool:
        incidents = await province.daemon.incidents()
        return set(KEPT) <= {i["node"]["id"] for i in incidents if i["state"] == "open"}

    async def told() -> bool:
        return await province.waiting() == 0

    await until(verdicts_are_true, 30, "the verdicts are the truth while six are down")
    await until(open_roots, 30, "each of the six has its incident")
    for name in KEPT:
        province.sites.turn(name, well=True)
    await until(verdicts_are_true, 30, "the verdicts are the truth when all is well")
    await asyncio.sleep(3)  # An incident ends with the next look at the time.
    await until(told, 90, "everything is told")
    assert await province.daemon.stop() == 0
    books = await asyncio.to_thread(auditor.look)
    assert books is not None
    return books


def converged(province: Province, auditor: Auditor, books: Books) -> list[str]:
    """Nothing lost, and whoever was told knows how it stands."""
    wrong = list(auditor.wrong)
    taken = heard(books, province.inbox.taken())
    wrong += [f"lost: {id} {row['type']}" for id, row in books.messages.items() if id not in taken]
    wrong += [f"not delivered: {id}" for id, row in books.messages.items() if row["state"] != "delivered"]
    words = last_words(books, province.inbox.log)
    for id, row in books.incidents.items():
        if not row["flapping"] and row["state"] in ("open", "acknowledged"):
            wrong.append(f"{id} of {row['node']} is {row['state']} though all is well")
        if id not in words:
            wrong.append(f"{id} of {row['node']} was never told")
        elif words[id]["data"]["incident"]["state"] != row["state"]:
            wrong.append(f"{id}: told {words[id]['data']['incident']['state']}, it is {row['state']}")
    return wrong


def copies_beyond_cause(province: Province, kills: int) -> list[str]:
    """A message comes again only after a kill or after an answer that was not a yes."""
    came = Counter(arrival.id for arrival in province.inbox.log)
    unwilling = Counter(arrival.id for arrival in province.inbox.log if arrival.answered != 204)
    return [f"{id} came {n} times" for id, n in came.items() if n > 1 + unwilling[id] + kills]


async def test_a_kill_in_the_midst_of_the_very_first_start_leaves_nothing_in_the_way(tmp_path: Path) -> None:
    """The database is being made: whatever there is of it, the next start (and one killed in its midst again) makes it whole."""
    chance, usual = random.Random(SEED), 0.6
    async with Nursery() as nursery:
        for n in range(8):
            folder = tmp_path / str(n)
            folder.mkdir()
            async with Province(folder, small=True) as province:
                daemon = province.daemon
                daemon.nursery = nursery
                for share in (chance.uniform(0.3, 1.1), chance.uniform(0.3, 1.1)):
                    await daemon.start(wait=False)
                    assert daemon.process is not None
                    while processor_seconds(daemon.process.pid) < usual * share:
                        await asyncio.sleep(0.002)
                    assert daemon.process.returncode is None, daemon.log.read_text("utf-8")[-2000:]
                    await daemon.kill()
                await daemon.start(wait=False)
                await daemon.ready(60)
                assert daemon.process is not None
                usual = processor_seconds(daemon.process.pid)
                assert await daemon.stop() == 0
                auditor = Auditor(folder / "state", province.inbox)
                assert auditor.look() is not None
                assert auditor.wrong == []


async def test_a_hundred_kills_lose_nothing_and_invent_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shares = [KILLS // FOLDERS + (n < KILLS % FOLDERS) for n in range(FOLDERS)]
    began = time.monotonic()
    async with Nursery() as nursery, asyncio.TaskGroup() as group:
        tasks = [group.create_task(campaign(tmp_path / str(n), nursery, n, share)) for n, share in enumerate(shares)]
    wrong: list[str] = []
    kills: Counter[str] = Counter()
    ready: list[float] = []
    work: list[float] = []
    start: list[float] = []
    events: Counter[str] = Counter()
    messages = arrivals = verdicts = late = again = 0
    for n, task in enumerate(tasks):
        province, auditor, record, books = task.result()
        own = converged(province, auditor, books) + copies_beyond_cause(province, record.kills.total())
        invented, looked, other = against_truth(books, province.sites)
        own += invented
        own += [f"{province.inbox.forged} messages with a wrong signature"] if province.inbox.forged else []
        log = province.daemon.log.read_text("utf-8")
        own += ["a traceback in the log: " + log[log.index("Traceback") - 500 :][:3000]] if "Traceback" in log else []
        wrong += [f"folder {n}: {line}" for line in own]
        kills += record.kills
        ready += record.ready
        work += record.work
        start += record.start
        events += Counter(event["type"] for event in books.events.values())
        messages, arrivals = messages + len(books.messages), arrivals + len(province.inbox.log)
        took = [arrival.id for arrival in province.inbox.log if arrival.answered == 204]
        again += len(took) - len(set(took))
        verdicts, late = verdicts + looked, late + other
    with capsys.disabled():
        print(
            f"\nseed {SEED}: {kills.total()} ends {dict(kills)} in {time.monotonic() - began:.0f} s; "
            f"{messages} messages, {arrivals} arrivals, {again} copies of what had been taken; {verdicts} verdicts checked, {late} late pages; "
            f"ready after {statistics.median(ready):.1f} s (median), {max(ready):.1f} s (most), "
            f"{statistics.median(work):.1f} s of processor, {statistics.median(start):.2f} s without imports; events {dict(events)}"
        )
    assert not wrong, "\n".join(wrong[:50])
    assert statistics.median(work) < 5, "seconds of processor from the start to readiness"
    assert messages > KILLS, "too little was going on"
    wanted = {"incident.opened", "incident.resolved", "incident.recovery_warning"}
    # In a short campaign nothing goes out a second time.
    assert wanted | ({"incident.reopened"} if KILLS >= 60 else set()) <= events.keys()
