"""The three kinds of time: cadence, steady clock, calendar."""

import asyncio
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from monitor.schedule import Cadence, Clock, occurrences

HANOI = ZoneInfo("Asia/Ho_Chi_Minh")


class Times:
    """A wall clock and a steady one that the test moves by hand."""

    def __init__(self) -> None:
        self.wall, self.steady = 1_800_000_000.0, 500.0

    def pass_(self, seconds: float) -> None:
        self.wall += seconds
        self.steady += seconds


STEPS = [
    ("a second forward", 1.0),
    ("an hour back", -3600.0),
    ("a day forward", 86400.0),
    ("a year forward", 31536000.0),
]


@pytest.mark.parametrize(("sentence", "by"), STEPS, ids=[c[0] for c in STEPS])
def test_a_stepped_wall_clock_moves_no_stamp_and_is_told_once(sentence: str, by: float) -> None:
    times = Times()
    clock = Clock(wall=lambda: times.wall, steady=lambda: times.steady)
    started = clock.now()
    times.pass_(10)
    assert clock.stepped() is None
    times.wall += by
    step = clock.stepped()
    assert step is not None
    assert step.by == timedelta(seconds=by)
    times.pass_(5)
    assert clock.now() - started == timedelta(seconds=15)
    assert clock.stepped() is None
    assert clock.wall() - clock.now() == timedelta(seconds=by)


def test_slewing_is_no_step() -> None:
    times = Times()
    clock = Clock(wall=lambda: times.wall, steady=lambda: times.steady)
    for _ in range(100):
        times.pass_(1)
        times.wall += 0.0005
        assert clock.stepped() is None


class Record:
    def __init__(self) -> None:
        self.fired: list[tuple[str, float]] = []
        self.missed: list[tuple[str, int]] = []
        self.cadence = Cadence(fire=self._fire, skipped=lambda check, n: self.missed.append((check, n)))

    def _fire(self, check: str, _lateness: float) -> None:
        self.fired.append((check, asyncio.get_running_loop().time()))

    def of(self, check: str) -> list[float]:
        return [at for name, at in self.fired if name == check]


@pytest.mark.looptime
async def test_each_check_keeps_its_phase_for_a_day() -> None:
    record = Record()
    record.cadence.keep({f"n{i}/c": timedelta(seconds=60) for i in range(12)})
    await asyncio.sleep(86400)
    record.cadence.stop()
    for i in range(12):
        times = record.of(f"n{i}/c")
        regular = times[-1000:]
        assert {round(b - a, 3) for a, b in pairwise(regular)} == {60.0}
        assert 1439 <= len(times) <= 1442
    assert record.missed == []


@pytest.mark.looptime
async def test_a_fresh_start_asks_everything_within_the_first_seconds() -> None:
    record = Record()
    record.cadence.keep({f"n{i}/c": timedelta(minutes=15) for i in range(600)})
    await asyncio.sleep(7)
    record.cadence.stop()
    assert {name for name, _ in record.fired} == {f"n{i}/c" for i in range(600)}


@pytest.mark.looptime
async def test_phases_are_spread_over_the_interval() -> None:
    record = Record()
    record.cadence.keep({f"n{i}/c": timedelta(seconds=60) for i in range(600)})
    await asyncio.sleep(180)
    record.cadence.stop()
    last_minute = [at for _, at in record.fired if at >= record.fired[0][1] + 115]
    by_second: dict[int, int] = {}
    for at in last_minute:
        by_second[int(at)] = by_second.get(int(at), 0) + 1
    assert max(by_second.values()) < 30  # 600 in one second would be a thundering herd; even is 10.


@pytest.mark.looptime
async def test_a_reload_keeps_the_slots_of_what_stays() -> None:
    record = Record()
    record.cadence.keep({"a/c": timedelta(seconds=10), "b/c": timedelta(seconds=10)})
    await asyncio.sleep(100)
    record.cadence.keep({"a/c": timedelta(seconds=10), "new/c": timedelta(seconds=10)})
    await asyncio.sleep(100)
    record.cadence.stop()
    kept = record.of("a/c")[2:]
    assert {round(b - a, 3) for a, b in pairwise(kept)} == {10.0}
    assert len(record.of("b/c")) <= 12
    assert len(record.of("new/c")) >= 10


@pytest.mark.looptime
async def test_a_recheck_fires_once_early_and_leaves_the_cadence_alone() -> None:
    record = Record()
    record.cadence.keep({"a/c": timedelta(seconds=60)})
    await asyncio.sleep(130)
    before = len(record.fired)
    record.cadence.recheck("a/c", 3.0)
    record.cadence.recheck("a/c", 9.0)
    record.cadence.recheck("gone/c", 1.0)
    await asyncio.sleep(120)
    record.cadence.stop()
    assert len(record.fired) - before in (2, 3)
    assert record.missed == []


@pytest.mark.looptime
async def test_a_quicker_pace_adds_slots_between_its_own_and_comes_back_to_them() -> None:
    record = Record()
    checks = {"a/c": timedelta(seconds=60), "b/c": timedelta(seconds=60)}
    record.cadence.keep(checks)
    await asyncio.sleep(130)
    slot = record.of("a/c")[-1] % 60
    record.cadence.pace({"a/c": timedelta(seconds=20), "gone/c": timedelta(seconds=5)})
    began = asyncio.get_running_loop().time()
    await asyncio.sleep(240)
    quick = [at for at in record.of("a/c") if at > began]
    assert {round(b - a, 3) for a, b in pairwise(quick)} == {20.0}
    assert {round((at - slot) % 20, 3) for at in quick} <= {0.0, 20.0}
    record.cadence.keep({**checks, "new/c": timedelta(seconds=60)})
    await asyncio.sleep(60)
    assert len(record.of("a/c")[-4:]) == 4
    assert round(record.of("a/c")[-1] - record.of("a/c")[-2], 3) == 20.0
    record.cadence.pace({"new/c": timedelta(seconds=10)})
    over = asyncio.get_running_loop().time()
    await asyncio.sleep(300)
    record.cadence.stop()
    slow = [at for at in record.of("a/c") if at > over]
    assert {round(b - a, 3) for a, b in pairwise(slow)} == {60.0}
    assert round(slow[0] % 60, 3) == round(slot, 3)
    assert {round(b - a, 3) for a, b in pairwise([at for at in record.of("b/c") if at > began])} == {60.0}
    assert len([at for at in record.of("new/c") if at > over]) == 30


@pytest.mark.looptime
async def test_a_pace_is_there_for_checks_that_come_later() -> None:
    record = Record()
    record.cadence.pace({"a/c": timedelta(seconds=5)})
    record.cadence.keep({"a/c": timedelta(minutes=10)})
    await asyncio.sleep(30)
    record.cadence.stop()
    assert 5 <= len(record.of("a/c")) <= 7


async def test_a_stalled_loop_misses_slots_and_says_so_without_a_burst() -> None:
    record = Record()
    record.cadence.keep({"a/c": timedelta(seconds=0.05)})
    await asyncio.sleep(0.2)
    before = len(record.fired)
    end = asyncio.get_running_loop().time() + 0.5
    while asyncio.get_running_loop().time() < end:
        pass
    await asyncio.sleep(0.01)
    assert sum(n for _, n in record.missed) >= 8
    assert len(record.fired) - before <= 2
    record.cadence.stop()


def test_cron_occurrences_are_in_the_provinces_zone() -> None:
    start = datetime(2026, 11, 30, 12, tzinfo=UTC)
    found = list(occurrences("0 1 1 * *", HANOI, start=start, end=start + timedelta(days=63)))
    assert [moment.astimezone(UTC) for moment in found] == [
        datetime(2026, 11, 30, 18, tzinfo=UTC),
        datetime(2026, 12, 31, 18, tzinfo=UTC),
        datetime(2027, 1, 31, 18, tzinfo=UTC),
    ]


def test_a_bad_cron_is_refused() -> None:
    with pytest.raises(ValueError):
        list(
            occurrences(
                "61 * * * *", HANOI, start=datetime(2026, 1, 1, tzinfo=UTC), end=datetime(2027, 1, 1, tzinfo=UTC)
            )
        )
