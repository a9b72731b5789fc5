"""What was told of the points of video meetings, kept and given back."""

from dataclasses import replace
from datetime import timedelta

from monitor.model import Lack, Point, Readiness, Retention
from monitor.store import Batch
from tests.store.conftest import NOW
from tests.store.examples import full

TOLD = replace(full(Readiness), meeting="m@1", sequence=1, at=NOW, start=NOW, end=NOW + timedelta(hours=2))


async def test_every_field_comes_back_by_start_and_sequence(store, reopened):
    later = replace(TOLD, sequence=2, points=(Point(node="a", lack=Lack.MOS, mos=3.25), Point(node="b")))
    earlier = replace(TOLD, meeting="m@0", start=NOW - timedelta(hours=1))
    await store.commit(Batch(readiness=[later, TOLD, earlier]))
    again = await reopened(store)
    assert await again.readiness(NOW) == (earlier, TOLD, later)
    assert (later.ready, later.lacking) == (1, later.points[:1])
    assert await again.readiness(TOLD.end) == ()


async def test_it_is_kept_as_long_as_the_ledger(store):
    old = replace(TOLD, meeting="old", end=NOW - timedelta(days=3651))
    await store.commit(Batch(readiness=[old, TOLD]))
    await store.prune(NOW, Retention(), keep_from=NOW)
    assert [told.meeting for told in await store.readiness(NOW - timedelta(days=9999))] == ["m@1"]
