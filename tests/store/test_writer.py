"""One writer: what is said to be stored is stored, together, and nobody's trouble is another's."""

import asyncio
import contextlib
import dataclasses
from datetime import timedelta

import pytest

from monitor.model import NodeState, State, Transition
from monitor.store import Batch, Sample, StoreError
from monitor.store.writer import PATIENCE
from probes.contract import Seen
from tests.store.conftest import NOW


def transition(number: int) -> Transition:
    return Transition(subject=f"n{number}", at=NOW, state=State.DOWN)


def sample(number: int) -> Sample:
    return Sample(check=f"n{number}/c", at=NOW + timedelta(seconds=number), seen=Seen.OK)


async def stored(store) -> set[str]:
    return set(await store.transitions(None, NOW, NOW + timedelta(days=1)))


async def test_units_that_wait_together_are_one_transaction(store):
    await asyncio.gather(*(store.commit(Batch(transitions=[transition(number)])) for number in range(100)))
    stats = await store.stats()
    assert len(await stored(store)) == 100
    # The first goes alone, at once; all that came while it ran go together.
    assert stats.commits <= 3
    assert sum(stats.commit_seconds) == stats.commits
    assert (stats.queue, stats.failures, stats.rows) == (0, 0, 100 + 1)


async def test_what_may_be_announced_does_not_wait_and_takes_the_samples_along(store):
    loop = asyncio.get_running_loop()
    await store.commit(Batch(transitions=[transition(0)]))
    began = loop.time()
    quiet = asyncio.create_task(store.commit(Batch(samples=[sample(1)])))
    await asyncio.sleep(0.02)
    assert not quiet.done()
    await store.commit(Batch(transitions=[transition(1)]))
    assert loop.time() - began < PATIENCE
    assert quiet.done()


async def test_samples_wait_for_company_but_not_for_long(store):
    loop = asyncio.get_running_loop()
    began = loop.time()
    await asyncio.gather(*(store.commit(Batch(samples=[sample(number)])) for number in range(20)))
    assert PATIENCE * 0.9 < loop.time() - began < PATIENCE + 2
    assert (await store.stats()).commits == 1


async def test_five_hundred_rows_do_not_wait_either(store):
    began = asyncio.get_running_loop().time()
    await asyncio.gather(*(store.commit(Batch(samples=[sample(number)])) for number in range(501)))
    assert (await store.stats()).commits == 2
    assert asyncio.get_running_loop().time() - began > PATIENCE  # the one that was left over


async def test_a_unit_that_cannot_be_stored_fails_alone_and_wholly(store):
    bad = Batch(transitions=[transition(2)], nodes=[NodeState(node="x", state=None)])
    worse = Batch(transitions=[transition(3)], nodes=[dataclasses.replace(NodeState(node="y"), detail=object())])
    results = await asyncio.gather(
        *(
            store.commit(one)
            for one in (Batch(transitions=[transition(1)]), bad, worse, Batch(transitions=[transition(4)]))
        ),
        return_exceptions=True,
    )
    assert [type(result) for result in results] == [type(None), StoreError, StoreError, type(None)]
    assert await stored(store) == {"n1", "n4"}
    await store.commit(Batch(transitions=[transition(5)], samples=[sample(5)]))
    assert await stored(store) == {"n1", "n4", "n5"}


async def test_new_numbers_of_a_failed_unit_are_not_taken_for_stored(store, reopened):
    bad = Batch(samples=[sample(1)], nodes=[NodeState(node="x", state=None)])
    with pytest.raises(StoreError):
        await store.commit(bad)
    await store.commit(Batch(samples=[sample(2)]))
    await store.commit(Batch(samples=[sample(1)]))
    again = await reopened(store)
    for number in (1, 2):
        found = await again.samples(f"n{number}/c", NOW, NOW + timedelta(days=1))
        assert [one.check for one in found] == [f"n{number}/c"]


async def test_a_cancelled_caller_leaves_no_transaction_open(store):
    for number in range(30):
        task = asyncio.create_task(store.commit(Batch(transitions=[transition(number)], samples=[sample(number)])))
        # Cancelled at different moments: before it is queued, while it waits, while it is written.
        for _ in range(number % 6):
            await asyncio.sleep(0.0005 * (number % 3))
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    await store.commit(Batch(transitions=[transition(99)]))
    names = await stored(store)
    assert "n99" in names
    # Whole or not at all: a unit's sample is there exactly when its transition is.
    for number in range(30):
        found = await store.samples(f"n{number}/c", NOW, NOW + timedelta(days=1))
        assert bool(found) == (f"n{number}" in names)


async def test_closing_writes_what_waits_and_refuses_what_comes_after(store, reopened):
    waiting = asyncio.create_task(store.commit(Batch(samples=[sample(1)])))
    await asyncio.sleep(0)
    again = await reopened(store)
    await waiting
    assert await again.samples("n1/c", NOW, NOW + timedelta(days=1))
    with pytest.raises(StoreError):
        await store.commit(Batch(transitions=[transition(1)]))


async def test_an_empty_batch_is_nothing(store):
    await store.commit(Batch())
    assert await stored(store) == set()


async def test_twenty_thousand_samples_at_once_do_not_hold_the_loop(store):
    loop = asyncio.get_running_loop()
    longest, running = 0.0, True

    async def watch() -> None:
        nonlocal longest
        while running:
            began = loop.time()
            await asyncio.sleep(0)
            longest = max(longest, loop.time() - began)
            await asyncio.sleep(0.001)

    batch = Batch(samples=[sample(number) for number in range(20_000)])
    watching = asyncio.create_task(watch())
    await store.commit(batch)
    running = False
    await watching
    assert longest < 0.25, "the loop was held"
