"""Minutes and minutes of faults on a real network, in real time, many provinces at once. `VARIANTS=10 SOAK=1 pytest tests/network`."""

import asyncio
import os
import random
import time
from pathlib import Path

import pytest

from tests.network.duty import Arrival, Duty
from tests.network.namespaces import needs_namespaces
from tests.network.variants import Variant, faults, variant

pytestmark = [needs_namespaces, pytest.mark.soak]

VARIANTS = int(os.environ.get("VARIANTS", "50"))
CUTS = int(os.environ.get("CUTS", "112"))
SIDE_BY_SIDE = 16
"""Provinces at once: each takes some 4 % of a processor."""

CALM = 170.0
"""Seconds after the mending: recoveries are confirmed, and the ends of many wait 90 s for one another."""


def told(at: float, arrival: Arrival) -> str:
    """One request, for whoever looks into what was wrong."""
    title = arrival.message["message"]["title"]
    return f"\n    {at:.0f} s: {arrival.type}, {arrival.incident.get('affected_total')} affected: {title}"


async def play(number: int, folder: Path, places: asyncio.Semaphore, starts: asyncio.Semaphore) -> tuple[Variant, str]:
    async with places:
        duty = Duty(folder)
        async with starts:
            await duty.__aenter__()
        try:
            made = variant(number, duty.communes)
            began, clock = time.time(), time.monotonic()
            await duty.space.uplink(made.uplink)
            for at, step in made.steps:
                await asyncio.sleep(max(0.0, clock + at - time.monotonic()))
                await duty.space.change(step)
            await asyncio.sleep(max(0.0, clock + made.end - time.monotonic()))
            active = [each for each in await duty.daemon.incidents() if each["state"] in ("open", "acknowledged")]
            mended, before = time.time(), [(arrival.at - began, arrival) for arrival in duty.inbox.log]
            await duty.space.uplink(None)
            await duty.space.heal()
            await asyncio.sleep(CALM)
            states = await duty.states()
            after = duty.inbox.since(mended)
            wrong = faults(made, {each["node"]["id"] for each in active}, before, after)
            wrong += [f"{each.node} is {states[each.node]}" for each in duty.communes if states[each.node] != "up"]
            first, last = before[0][0] if before else -1.0, after[-1].at - mended if after else -1.0
            line = f"{made.name}: {len(before)} requests, first after {first:.0f} s; {len(after)} when over, after {last:.0f} s"
            if wrong:
                wrong += [told(at, arrival) for at, arrival in before] + [told(-1, arrival) for arrival in after]
        finally:
            await duty.__aexit__()
        return made, "; ".join([line, *(f"WRONG {each}" for each in wrong[:12])])


async def test_one_fault_is_one_page_in_every_variant(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    places, starts = asyncio.Semaphore(SIDE_BY_SIDE), asyncio.Semaphore(3)
    # The longest first, so that nobody waits for them in the end.
    numbers = sorted(range(VARIANTS), key=lambda number: number % 10 != 0)
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(play(number, tmp_path / str(number), places, starts)) for number in numbers]
    lines = [task.result()[1] for task in tasks]
    with capsys.disabled():
        print("\n" + "\n".join(lines))
    assert [line for line in lines if "WRONG" in line] == []


async def single(folder: Path, count: int, starts: asyncio.Semaphore, chance: random.Random) -> list[float]:
    """Cut one link after the other, so far apart that no group's window holds three: seconds until each is judged."""
    late: list[float] = []
    duty = Duty(folder)
    async with starts:
        await duty.__aenter__()
    try:
        for each in chance.sample(duty.communes, count):
            await asyncio.sleep(chance.uniform(0, 10))
            _, cut = await duty.cut([each])
            await asyncio.sleep(90)
            judged = duty.judged().get(each.node)
            late.append(float("inf") if judged is None else judged[1] - cut)
            await duty.space.heal()
    finally:
        await duty.__aexit__()
    return late


async def test_a_cut_of_one_link_is_durable_within_75_seconds_at_the_99th_percentile(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    starts, lanes = asyncio.Semaphore(3), SIDE_BY_SIDE
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(single(tmp_path / str(lane), CUTS // lanes, starts, random.Random(f"lane {lane}")))
            for lane in range(lanes)
        ]
    late = sorted(seconds for task in tasks for seconds in task.result())
    p99 = late[-(-len(late) * 99 // 100) - 1]
    with capsys.disabled():
        print(f"\n{len(late)} cuts: median {late[len(late) // 2]:.1f} s, p99 {p99:.1f} s, most {late[-1]:.1f} s")
    assert p99 <= 75
