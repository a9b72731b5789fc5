"""A line over days: runs of any cadence become five minutes, five minutes a day, days a fact, across restarts."""

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import pytest_asyncio
import structlog

from monitor.pipeline import Capacity
from monitor.rules.capacity import SAMPLE, bounds
from monitor.rules.judge import holds
from monitor.settings.build import condition
from monitor.store import Batch, Sample, Store, StoreError, open_store
from probes import KINDS, Outcome, Reason, Seen

HOME = ZoneInfo("Asia/Ho_Chi_Minh")
MIDNIGHT = datetime(2026, 11, 1, 17, tzinfo=UTC)
"""Of 2 November in Ninh Bình."""


def measured(end: datetime, passed: float, received: float = 0.5, sent: float = 0.1, seen: Seen = Seen.OK) -> Outcome:
    facts = {"in_utilisation": received, "out_utilisation": sent, "interval_seconds": passed}
    reason = Reason.OK if seen is Seen.OK else Reason.SNMP
    return Outcome(seen=seen, reason=reason, detail="", started_at=end, seconds=0.0, facts=facts)


def silent(at: datetime) -> Outcome:
    return Outcome(seen=Seen.FAILED, reason=Reason.TIMEOUT, detail="", started_at=at, seconds=1.0)


@pytest_asyncio.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with await open_store("sqlite", tmp_path, lambda: MIDNIGHT) as opened:
        yield opened


class House:
    """A capacity that restarts when told to, and the outcomes as they would be judged."""

    def __init__(self, store: Store) -> None:
        self.store, self.now = store, MIDNIGHT
        self.capacity = self._made()
        self.last: Mapping[str, float] = {}

    def _made(self) -> Capacity:
        return Capacity(self.store, HOME, lambda: self.now)

    def run(self, days: float, *, every: float = 60.0, received: float = 0.5, sent: float = 0.1) -> None:
        """So many days at one load, a run each `every` seconds."""
        for _ in range(int(days * 86400 / every)):
            self.now += timedelta(seconds=every)
            self.last = self.capacity.taken("cpe/line", measured(self.now, every, received, sent)).facts

    async def restart(self) -> None:
        await self.capacity.flush()
        self.capacity = self._made()
        await self.capacity.remember()


@pytest.fixture
def house(store: Store) -> House:
    return House(store)


async def test_seven_days_above_90_percent_are_told_after_midnight_and_not_before(house: House) -> None:
    house.run(6.99, received=0.95)
    assert house.last["days_over"] == 6
    house.run(0.05, received=0.95)
    assert house.last["days_over"] == 7
    assert (house.last["p95_in"], house.last["p95_out"]) == pytest.approx((0.95, 0.1))


async def test_five_minutes_are_the_mean_of_the_runs_in_them(house: House, store: Store) -> None:
    for share in (0.0, 0.0, 1.0, 1.0, 0.5, 0.5):
        house.run(60 / 86400, received=share)
    house.run(300 / 86400)
    await house.capacity.flush()
    first, *_ = await store.link_samples(MIDNIGHT)
    assert first.at == MIDNIGHT
    assert first.received == pytest.approx(0.5)


@pytest.mark.parametrize("every", [7.0, 60.0, 300.0, 400.0])
async def test_samples_are_of_five_minutes_whatever_the_cadence(every: float, house: House, store: Store) -> None:
    house.now += timedelta(seconds=111)
    house.run(0.25, every=every)
    await house.capacity.flush()
    samples = await store.link_samples(MIDNIGHT)
    assert 68 <= len(samples) <= 72
    assert {sample.at - MIDNIGHT for sample in samples} <= {SAMPLE * place for place in range(73)}
    assert all(sample.received == pytest.approx(0.5) for sample in samples)


async def test_runs_too_far_apart_make_no_samples_and_no_day(house: House, store: Store) -> None:
    house.run(2, every=900.0, received=0.99)
    await house.capacity.flush()
    assert await store.link_samples(MIDNIGHT) == ()
    assert "days_over" not in house.last


async def test_an_hour_a_day_does_not_make_a_line_full(house: House) -> None:
    """The five percent that the circular leaves out are 72 minutes."""
    for _ in range(8):
        house.run(1 / 24, received=1.0)
        house.run(23 / 24, received=0.3)
    house.run(0.02)
    assert house.last["days_over"] == 0
    assert house.last["p95_in"] == pytest.approx(0.3)


async def test_a_restart_in_the_middle_of_a_day_loses_five_minutes_at_most(house: House, store: Store) -> None:
    house.run(0.5, received=0.95)
    await house.restart()
    house.run(0.52, received=0.95)
    await house.capacity.flush()
    (day,) = await store.link_days(MIDNIGHT.astimezone(HOME).date(), house.now.date() + timedelta(days=2))
    assert day.samples >= 286
    assert house.last["days_over"] == 1


async def test_days_are_remembered_across_restarts_and_lines_that_are_silent_have_their_facts(house: House) -> None:
    house.run(7.05, received=0.95)
    await house.restart()
    outcome = house.capacity.taken("cpe/line", silent(house.now))
    assert outcome.facts["days_over"] == 7
    assert outcome.reason is Reason.TIMEOUT


async def test_a_line_that_was_renamed_has_its_days_by_its_new_name(house: House, store: Store) -> None:
    house.run(7.05, received=0.95)
    await house.capacity.flush()
    await store.commit(Batch(samples=[Sample(check="cpe/line", at=MIDNIGHT, seen=Seen.OK)]))
    await store.rename({"cpe": "router"})
    await house.capacity.keep({"router/line"}, HOME)
    assert house.capacity.taken("router/line", silent(house.now)).facts["days_over"] == 7
    assert "days_over" not in house.capacity.taken("cpe/line", silent(house.now)).facts


async def test_a_reload_leaves_what_is_under_way(house: House, store: Store) -> None:
    house.run(0.5, received=0.95)
    await house.capacity.keep({"cpe/line"}, HOME)
    house.run(0.52, received=0.95)
    await house.capacity.flush()
    (day,) = await store.link_days(MIDNIGHT.astimezone(HOME).date(), house.now.date() + timedelta(days=2))
    assert day.samples == 288


async def test_a_day_that_nobody_closed_is_closed_when_somebody_looks_again(house: House, store: Store) -> None:
    house.run(0.99, received=0.95)
    await house.capacity.flush()
    house.now += timedelta(days=1)
    await house.restart()
    house.run(0.01)
    assert house.last["days_over"] == 1


async def test_a_monitor_that_was_away_for_two_days_acquits_nobody(house: House) -> None:
    house.run(5.02, received=0.95)
    house.now, _ = bounds((house.now + timedelta(days=2)).astimezone(HOME).date(), HOME)
    house.run(2.02, received=0.95)
    assert house.last["days_over"] == 7


async def test_what_the_store_does_not_take_waits(house: House, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    house.run(0.1)

    async def full(batch: Batch) -> None:
        raise StoreError("disk full")

    with monkeypatch.context() as patched:
        patched.setattr(store, "commit", full)
        await house.capacity.flush()
    assert await store.link_samples(MIDNIGHT) == ()
    await house.capacity.flush()
    assert len(await store.link_samples(MIDNIGHT)) == 28


async def test_an_outcome_that_cannot_be_added_is_judged_all_the_same(house: House) -> None:
    outcome = measured(house.now, 1e300)
    with structlog.testing.capture_logs() as said:
        assert house.capacity.taken("cpe/line", outcome) is outcome
    assert house.capacity.mistakes == len(said) == 1


async def test_checks_of_other_kinds_pass_untouched(house: House) -> None:
    outcome = silent(house.now)
    assert house.capacity.taken("portal/home", outcome) is outcome


async def test_the_kinds_own_condition_is_met_on_the_seventh_day() -> None:
    (text,) = KINDS["snmp"].degraded_if
    rule = condition(text, KINDS["snmp"].facts)
    assert holds((rule,), {"days_over": 7.0}) is rule
    assert holds((rule,), {"days_over": 6.0}) is None
