"""The door and its memory, over a real store and a clock in our hands."""

import resource
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from monitor.model import Check
from monitor.pipeline import Beats, beats
from monitor.schedule import Clock
from monitor.store import Batch, ClockStep, Store, StoreError, open_store
from probes import Reason, Secret
from probes.heartbeat import HeartbeatSpec, judged
from probes.heartbeat_calls import Call, Said, due

NOON = datetime(2026, 11, 21, 5, tzinfo=UTC).timestamp()
MINUTE = timedelta(minutes=1)
HANOI = ZoneInfo("Asia/Ho_Chi_Minh")


class Hands:
    """The wall and the steady clock, moved by hand."""

    def __init__(self) -> None:
        self.wall, self.steady = NOON, 1000.0
        self.clock = Clock(wall=lambda: self.wall, steady=lambda: self.steady)

    def pass_(self, seconds: float) -> None:
        self.wall += seconds
        self.steady += seconds

    def step(self, seconds: float) -> None:
        """Somebody sets the wall clock; the daemon notices."""
        self.wall += seconds
        self.clock.stepped()


def token(name: str) -> Secret:
    return Secret(f"token-of-{name}-0123456789")


def check(name: str, **keys: Any) -> Check:
    spec = HeartbeatSpec(token=token(name), **(keys or {"expect_every": 3600.0, "grace": 600.0}))
    every = timedelta(seconds=60)
    return Check(id=f"n/{name}", node="n", name=name, kind="heartbeat", spec=spec, every=every, timeout=every / 6)


def several(*checks: Check) -> dict[str, Check]:
    return {each.id: each for each in checks}


class House:
    """A daemon's worth of Beats: begin, kill, begin again."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.hands = folder, Hands()
        self.fired: list[str] = []
        self.counted: list[tuple[str, int]] = []
        self.looked: dict[str, datetime] = {}
        self.reachable = True
        self.store: Store | None = None

    async def begin(self, checks: dict[str, Check]) -> Beats:
        await self.end()
        now = self.hands.clock.now
        self.store = await open_store("sqlite", self.folder, now)
        await self.store.begin_run(now(), version="test")
        made = Beats(
            self.store, self.hands.clock, zone=lambda: HANOI, reachable=lambda: self.reachable,
            looked_at=self.looked.get, fire=self.fired.append, count=lambda result, ignored: self.counted.append((result, ignored)),
        )  # fmt: skip
        await made.begin(checks, now())
        return made

    async def end(self) -> None:
        if self.store is not None:
            await self.store.close()
            self.store = None


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    made = House(tmp_path)
    yield made
    await made.end()


async def call(made: Beats, name: str, **what: Any) -> bool:
    admitted = made.admit(token(name).reveal())
    assert admitted.check == f"n/{name}"
    return (await made.take(admitted.check, Call(**what))).stored


async def test_what_was_taken_down_is_read_back(house):
    jobs = several(check("a", expect_every=3600.0, facts={"rows": "number"}), check("b"))
    made = await house.begin(jobs)
    await call(made, "a", numbers={"rows": 5.0, "foreign": 1.0})
    house.hands.pass_(60)
    await call(made, "a", said=Said.FAILED, exit_status=2.0)
    before = made.listening(token("a")).heard
    assert (before.beats, before.failed, dict(before.numbers)) == (2, True, {"rows": 5.0})
    assert house.counted == [("done", 1), ("failed", 0)]
    again = await house.begin(jobs)
    assert again.listening(token("a")).heard == before
    assert again.listening(token("b")).heard.good_at is None
    assert again.listening(Secret("nobody-has-this-token")) is None


async def test_a_token_changes_and_the_job_stays(house):
    made = await house.begin(several(check("a")))
    await call(made, "a")
    other = check("b")
    moved = Check(id="n/a", node="n", name="a", kind="heartbeat", spec=other.spec, every=MINUTE, timeout=MINUTE / 6)
    await made.keep({"n/a": moved})
    assert made.admit(token("a").reveal()).check is None
    assert made.listening(token("b")).heard.beats == 1


async def test_counting_begins_anew_with_another_schedule_and_goes_on_with_the_same(house):
    made = await house.begin(several(check("a")))
    await call(made, "a")
    first = made.listening(token("a")).heard
    house.hands.pass_(1800)
    await made.keep(several(check("a")))
    assert made.listening(token("a")).heard == first
    await made.keep(several(check("a", expect_every=600.0)))
    heard = made.listening(token("a")).heard
    assert (heard.good_at, heard.since) == (first.good_at, house.hands.clock.now())  # It was in time until now.
    await made.keep({})
    house.hands.pass_(86400)
    await made.keep(several(check("a", expect_every=600.0)))
    # It was away for a day: awaited from today, not overdue since yesterday. The same across a restart.
    assert made.listening(token("a")).heard.since == house.hands.clock.now()
    await made.keep({})
    house.hands.pass_(86400)
    again = await house.begin(several(check("a", expect_every=600.0)))
    assert again.listening(token("a")).heard.since == house.hands.clock.now()


async def test_another_schedule_makes_nobody_up_who_was_overdue(house):
    made = await house.begin(several(check("a"), check("b")))
    await call(made, "a")
    house.hands.pass_(3600)
    await call(made, "b")
    house.hands.pass_(1800)
    longer = several(*(check(name, expect_every=7200.0, grace=600.0) for name in "ab"))
    await made.keep(longer)
    assert made.listening(token("a")).heard.good_at is None
    assert made.listening(token("b")).heard.good_at is not None
    assert judged(made.listening(token("a")).heard, None, house.hands.clock.now()).reason is Reason.OWN_WAITING
    # Out of the configuration for a while, and back.
    await made.keep({})
    await made.keep(longer)
    assert made.listening(token("b")).heard.good_at is None


async def test_every_token_is_compared_whoever_calls(house, monkeypatch):
    made = await house.begin(several(*(check(f"j{n}") for n in range(20))))
    compared: list[bytes] = []
    monkeypatch.setattr(beats.hmac, "compare_digest", lambda a, b: compared.append(a) or a == b)
    assert made.admit(token("j0").reveal()).check == "n/j0"
    first, compared[:] = len(compared), []
    assert made.admit(token("j19").reveal()).check == "n/j19"
    second, compared[:] = len(compared), []
    assert made.admit("nobody").check is None
    assert first == second == len(compared) == 20
    assert all(len(each) == 32 for each in compared)


async def test_one_who_calls_too_often_and_strangers_are_no_ones_trouble_but_their_own(house):
    made = await house.begin(several(check("a"), check("b")))
    assert [bool(made.admit(token("a").reveal()).wait) for _ in range(22)] == [False] * 20 + [True] * 2
    assert 0 < made.admit(token("a").reveal()).wait <= 0.2
    strangers = [made.admit(f"stranger-{n}") for n in range(50)]
    assert sum(not each.wait for each in strangers) == 20
    assert not any(each.check for each in strangers)
    assert made.admit(token("b").reveal()).check == "n/b"
    assert set(house.counted) == {("limited", 0), ("unknown", 0)}


async def test_what_could_not_be_stored_did_not_happen_but_is_no_silence_either(house, monkeypatch):
    made = await house.begin(several(check("a")))
    await call(made, "a")
    house.hands.pass_(3600)

    async def full(_batch: object) -> None:
        raise StoreError("the disk is full")

    monkeypatch.setattr(house.store, "commit", full)
    assert not await call(made, "a")
    assert house.counted[-1] == ("unstored", 0)
    listening = made.listening(token("a"))
    assert listening.heard.beats == 1
    spec = check("a").spec
    # Due at 70 min. else; the call was lost at 60: it has until 130, and nobody knows from 70 on.
    by = due(spec, listening.heard, listening.absences, made.slot)
    start = listening.heard.good_at
    assert (by.at - start, by.unsure - start) == (130 * MINUTE, 70 * MINUTE)


async def test_times_when_nobody_was_let_in_are_remembered(house):
    made = await house.begin(several(check("a")))
    for _ in range(5):
        house.hands.pass_(1)
        made.look()
    house.hands.pass_(30)  # Stood still, or the machine slept.
    made.look()
    house.hands.pass_(1)
    made.look()
    house.reachable = False
    for _ in range(3):
        house.hands.pass_(1)
        made.look()
    house.reachable = True
    house.hands.pass_(1)
    made.look()
    lengths = [(each.back - each.gone).total_seconds() for each in made.listening(token("a")).absences]
    assert lengths == pytest.approx([0, 34], abs=0.1)  # Hardly any at the start; then two that touch are one.


async def test_out_of_descriptors_nobody_is_heard(house):
    made = await house.begin(several(check("a")))
    house.hands.pass_(3)
    made.look()
    absences = len(made.listening(token("a")).absences)
    house.hands.pass_(3)
    former = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, former[1]))
    try:
        made.look()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, former)
    house.hands.pass_(3)
    made.look()
    found = made.listening(token("a")).absences[absences:]
    assert [(each.back - each.gone).total_seconds() for each in found] == pytest.approx([3.0])


async def test_a_restart_remembers_every_time_it_did_not_run_since_the_last_call(house):
    jobs = several(check("a"))
    made = await house.begin(jobs)
    await call(made, "a")
    house.hands.pass_(1500)
    made = await house.begin(jobs)
    house.hands.pass_(20)
    await house.store.beat(house.hands.clock.now())
    house.hands.pass_(600)
    made = await house.begin(jobs)
    listening = made.listening(token("a"))
    start = listening.heard.good_at
    away = [((each.gone - start).total_seconds(), (each.back - start).total_seconds()) for each in listening.absences]
    assert [moment for pair in away for moment in pair] == pytest.approx([0.0, 1500.0, 1520.0, 2120.0], abs=1.0)


async def test_a_step_of_the_wall_clock_makes_nobody_late(house):
    jobs = several(check("a"), check("c", cron="0 * * * *", grace=600.0))
    made = await house.begin(jobs)
    house.hands.pass_(60)
    await call(made, "a")
    await call(made, "c")
    spec = {each: jobs[f"n/{each}"].spec for each in "ac"}

    def left(name: str) -> float:
        listening = made.listening(token(name))
        by = due(spec[name], listening.heard, listening.absences, made.slot)
        return (by.at - house.hands.clock.now()).total_seconds()

    assert (left("a"), left("c")) == (pytest.approx(4200.0), pytest.approx(4140.0))
    for step in (3600.0, -3600.0, 86400.0 * 365, -86400.0 * 365, 1800.0, -1800.0):
        house.hands.step(step)
        assert left("a") == pytest.approx(4200.0)
        assert left("c") >= 4140.0 - 0.001
        assert left("c") <= 4140.0 + 3600.0


async def test_a_call_stamped_by_a_clock_that_was_ahead_is_not_from_the_future(house):
    house.hands.pass_(86400 * 365)
    made = await house.begin(several(check("a")))
    await call(made, "a")
    house.hands = Hands()
    again = await house.begin(several(check("a")))
    heard = again.listening(token("a")).heard
    assert heard.good_at == heard.since == house.hands.clock.now()


async def test_after_a_run_whose_clock_was_wrong_nobody_is_late_by_it(house):
    """It began an hour behind, was put right, and was restarted: its stamps are an hour older than they should be."""
    jobs = several(check("a"))
    made = await house.begin(jobs)
    house.hands.pass_(600)
    step = ClockStep(at=house.hands.clock.now(), seconds=3600.0)
    await house.store.commit(Batch(steps=[step]))
    await call(made, "a")
    house.hands.pass_(300)
    await house.store.end_run(house.hands.clock.now())
    house.hands.pass_(3600 + 300)  # Five minutes away, and the clock that now is right.
    made = await house.begin(jobs)
    listening = made.listening(token("a"))
    by = due(jobs["n/a"].spec, listening.heard, listening.absences, made.slot)
    assert by.at - house.hands.clock.now() == pytest.approx(70 * MINUTE, abs=MINUTE)
    await call(made, "a")
    house.hands.pass_(300)
    await house.store.end_run(house.hands.clock.now())
    house.hands.pass_(10)
    # The next run is past it.
    made = await house.begin(jobs)
    listening = made.listening(token("a"))
    by = due(jobs["n/a"].spec, listening.heard, listening.absences, made.slot)
    assert (by.at - listening.heard.good_at, by.unsure) == (70 * MINUTE, None)


async def test_a_check_is_fired_when_something_became_true_of_it_and_not_for_ever(house):
    made = await house.begin(several(check("a")))
    await call(made, "a")
    assert house.fired == ["n/a"]
    house.looked["n/a"] = made.listening(token("a")).heard.good_at
    house.hands.pass_(4199)
    made.look()
    assert house.fired == ["n/a"]
    made._absences.clear()  # We were there all the time.
    made._version += 1
    house.hands.pass_(1)
    for _ in range(5):
        made.look()
    assert house.fired == ["n/a", "n/a"]  # Again only after some seconds, and then at its own cadence.
