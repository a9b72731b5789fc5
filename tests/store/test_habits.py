"""What is normal for a check outlives the process, a new name, and the check itself for as long as its figures."""

from datetime import timedelta

from monitor.model import CheckState, Retention, State
from monitor.model.habits import Learned, Normal
from monitor.rules.world import World
from monitor.store import Batch, Sample
from probes.contract import Seen
from tests.store.conftest import NOW
from tests.store.examples import START


def learned(check: str, at=START, value: float = 0.012) -> Learned:
    return Learned(check=check, at=at, normals=(Normal(fact="rtt", value=value, ring=(value,) * 4),))


async def test_the_normal_is_there_after_a_restart_and_the_later_one_stands(store, reopened):
    await store.commit(Batch(habits=[learned("a/v4"), learned("b/v4")]))
    await store.commit(Batch(habits=[learned("a/v4", START + timedelta(hours=6), value=0.02)]))
    memory = await (await reopened(store)).memory()
    world = World.remember(habits=memory.habits.values())
    assert world.habits["a/v4"].normal("rtt") == 0.02
    assert world.habits["b/v4"].normal("rtt") == 0.012


async def test_a_renamed_check_keeps_its_normal(store, reopened):
    batch = Batch(
        samples=[Sample(check="old/v4", at=START, seen=Seen.OK)],
        checks=[CheckState(check="old/v4", state=State.UP, seen_at=START)],
        habits=[learned("old/v4")],
    )
    await store.commit(batch)
    await store.rename({"old": "new"})
    assert set((await (await reopened(store)).memory()).habits) == {"new/v4"}


async def test_a_check_that_has_left_keeps_its_normal_until_its_figures_go(store, reopened):
    await store.commit(Batch(habits=[learned("old/v4", NOW - timedelta(hours=1)), learned("new/v4", NOW)]))
    for hourly, left in ((timedelta(days=10_000), {"old/v4", "new/v4"}), (timedelta(seconds=1), {"new/v4"})):
        await store.prune(NOW, Retention(hourly=hourly), keep_from=NOW)
        assert set((await store.memory()).habits) == left


def test_what_is_normal_hurries_nobody():
    assert not Batch(habits=[learned("a/v4")]).urgent
