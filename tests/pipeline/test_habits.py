"""What is normal is as durable as what was judged: stored with the outcomes that taught it, there for whoever starts next."""

from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path

import pytest
import pytest_asyncio

from monitor.model import State
from monitor.pipeline import Desk
from monitor.rules.topology import House
from monitor.rules.world import World
from monitor.schedule import Clock
from monitor.store import Batch, Store, StoreError, open_reader, open_store
from tests.rules.driver import START, catalogue, check, node, outcome
from tests.rules.links import policy

EVERY = 900
CATALOGUE = catalogue(
    [node("a", type="link")], [check("a/v4", every=EVERY, policy=policy("rtt > 3 x normal + 20ms", every=EVERY))]
)


@pytest_asyncio.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with await open_store("sqlite", tmp_path, lambda: START) as opened:
        yield opened


def desk_of(store: Store, world: World) -> Desk:
    return Desk(
        world=world, house=House.build(CATALOGUE), catalogue=CATALOGUE, store=store, clock=Clock(),
        compose=lambda *_: (), publish=lambda _: None,
    )  # fmt: skip


async def fed(desk: Desk, first: int, rounds: int, rtt: float) -> None:
    for beat in range(first, first + rounds):
        desk.put("a/v4", outcome("ok", beat * EVERY, rtt=rtt))
    await desk.drain()


async def test_a_daemon_that_is_killed_leaves_what_it_had_learned(store: Store, tmp_path: Path) -> None:
    desk = desk_of(store, World())
    await fed(desk, 0, 130, 0.012)
    # Nobody closes anything: this is what a kill leaves.
    async with await open_reader("sqlite", tmp_path, lambda: START) as left:
        memory = await left.memory()
    assert memory.habits["a/v4"].at > datetime(2020, 1, 1, tzinfo=START.tzinfo)
    again = desk_of(store, World.remember(checks=memory.checks.values(), habits=memory.habits.values()))
    assert again.world.habits["a/v4"].normal("rtt") == 0.012
    await fed(again, 131, 10, 0.060)
    assert again.world.checks["a/v4"].state is State.DEGRADED
    assert again.world.checks["a/v4"].detail == "rtt 60ms > 56ms (normal 12ms)"


async def test_what_was_not_stored_was_not_learned(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, spoiled = desk_of(store, World()), desk_of(store, World())
    await fed(whole, 0, 130, 0.012)
    commit, failed = store.commit, []

    async def sometimes(batch: Batch) -> None:
        if batch.habits and not failed:
            failed.append(batch)
            raise StoreError("no space")
        await commit(batch)

    monkeypatch.setattr(store, "commit", sometimes)
    await fed(spoiled, 0, 130, 0.012)
    assert failed
    assert spoiled.world.habits == whole.world.habits
