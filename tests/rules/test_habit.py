"""Windows and normals: sentences an operator could have said, and naive recounts of everything."""

import math
import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.model import State
from monitor.model.habits import Habit
from monitor.rules.habit import ENOUGH, KEPT, RING, SLOTS, accepted, needs
from monitor.rules.judge import Said, settled_as
from probes.contract import Seen
from tests.rules.driver import check, outcome, t
from tests.rules.links import Link, known, policy

DAY = 86400
LOSSY = policy("loss >= 5% over 10m", degraded=3)
SLOW = policy("rtt > 3 x normal + 20ms", degraded=3)


def rounds(text: str) -> list[tuple[str, dict[str, float]]]:
    """`.` all ten came back, a digit: so many of ten were lost, `F` none came back, `B` we could not look."""
    found = []
    for word in text.replace(" ", ""):
        lost = {".": 0, "F": 10, "B": 0}.get(word, int(word) if word.isdigit() else 0)
        seen = {"F": "failed", "B": "blind"}.get(word, "ok")
        found.append((seen, {"sent": 10.0, "loss": lost / 10}))
    return found


CASES = [
    # what the link did                                  rounds of a minute               verdicts after the first
    ("a clean link is well", "." * 30, []),
    ("one bad round is no bad window", "." * 12 + "9" + "." * 20, []),
    ("two rounds with half lost are, at once", "." * 12 + "55" + "...", [(State.DEGRADED, 13)]),
    ("a little loss for long is, at once", "." * 12 + "1.1.1.1.1.1.1", [(State.DEGRADED, 20)]),
    ("it ends when the window is clean again, after three rounds", "." * 12 + "55" + "." * 20, [(State.DEGRADED, 13), (State.UP, 22)]),
    ("bad from the first look, but half a window must be known", "5" * 8, [(State.DEGRADED, 4)]),
    ("a short cut counts as loss when the link is back", "." * 12 + "F5..", [(State.DEGRADED, 13)]),
    ("an outage is told once: back up is well", "." * 12 + "FFFFF" + "." * 9, [(State.DOWN, 12), (State.UP, 17)]),
    ("loss before an outage is not forgotten by it", "." * 12 + "55FFF....",
     [(State.DEGRADED, 13), (State.DOWN, 14), (State.UP, 17), (State.DEGRADED, 19)]),
    ("blind rounds neither help nor hurt", "." * 12 + "5B5BB...", [(State.DEGRADED, 14)]),
    ("a window that was not looked at is not known", "." * 12 + "55" + "B" * 12 + "...", [(State.DEGRADED, 13)]),
]  # fmt: skip


@pytest.mark.parametrize(("sentence", "seen", "expected"), CASES, ids=[c[0] for c in CASES])
def test_a_window(sentence: str, seen: str, expected: list[tuple[State, int]]) -> None:
    link = Link(LOSSY, at=-60)
    for word, facts in rounds(seen):
        link.see(word, **({} if word == "blind" else facts))
    assert link.story() == [(state, 60.0 * at) for state, at in expected]


def naive(log: list[tuple[str, float, float]], now: float, over: float) -> tuple[float, float, int]:
    """Lost of sent over the window, the same with the worst slot tempered, and its rounds, read off the whole log at once."""
    slot = over / SLOTS
    inside = [(at // slot, loss, sent) for _, at, loss, sent in log if at // slot > now // slot - SLOTS]  # type: ignore[misc]
    if not inside:
        return math.nan, math.nan, 0
    pooled = sum(loss * sent for _, loss, sent in inside) / sum(sent for *_, sent in inside)
    per = {}
    for place, loss, sent in inside:
        lost, all_ = per.get(place, (0.0, 0.0))
        per[place] = (lost + loss * sent, all_ + sent)
    ranked = sorted(per.values(), key=lambda one: one[0] / one[1])
    if len(ranked) > 1:
        ranked[-1] = (ranked[-2][0] / ranked[-2][1] * ranked[-1][1], ranked[-1][1])
    return pooled, sum(lost for lost, _ in ranked) / sum(all_ for _, all_ in ranked), len(inside)


looks = st.lists(
    st.tuples(
        st.sampled_from("...123459FFB"), st.sampled_from([60, 60, 60, 5, 61, 120, 400]), st.sampled_from([10, 15])
    ),
    max_size=60,
)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(looks, st.sampled_from([("2m", 120), ("10m", 600), ("1h", 3600)]))
def test_a_window_is_what_a_naive_recount_says(seen: list[tuple[str, int, int]], window: tuple[str, int]) -> None:
    name, over = window
    link = Link(policy(f"loss >= 5% over {name}", degraded=3), at=-60)
    log: list[tuple[str, float, float, float]] = []
    failed: list[tuple[str, float, float, float]] = []
    start = t(0).timestamp()
    for word, after, sent in seen:
        ((how, facts),) = rounds(word)
        stood, held = link.state.state, link.state.detail
        link.see(how, link.at + after, **({} if how == "blind" else {**facts, "sent": float(sent)}))
        entry = (how, start + link.at, facts["loss"], float(sent))
        if how == "failed":
            failed = [] if stood is State.DOWN else [*failed, entry]
        if how != "ok":
            continue
        log += [entry] if stood is State.DOWN else [*failed, entry]
        failed = []
        pooled, tempered, count = naive(log, start + link.at, over)
        if count < max(2, math.ceil(over / 60 / 2)):
            assert link.said.degraded == (held if stood is State.DEGRADED else None)
            continue
        line = 0.05
        if stood is State.DEGRADED:
            normal = link.habit.normal("loss")
            assert normal is None
            line = 0.04
        assert (link.said.degraded is not None) is (tempered >= line or math.isclose(tempered, line, rel_tol=1e-12))
        if link.said.degraded is not None:
            assert link.said.at_once
            assert float(link.said.degraded.split()[1].rstrip("%")) == pytest.approx(100 * pooled, rel=0.01)


def recounted(values: dict[int, list[float]], least: int) -> float | None:
    """The normal from what every period was taught, in order; the period under way teaches nothing yet."""
    ring = []
    for period in sorted(values)[:-1]:
        learned, stride = values[period], 1
        while len(learned[::stride]) >= KEPT:
            stride *= 2
        if len(learned) >= least:
            kept = sorted(learned[::stride])
            ring.append((kept[(len(kept) - 1) // 2] + kept[len(kept) // 2]) / 2)
    ring = ring[-RING:]
    half = sorted(ring)
    return (half[(len(half) - 1) // 2] + half[len(half) // 2]) / 2 if len(ring) >= ENOUGH else None


@settings(max_examples=20, deadline=None, derandomize=True)
@given(st.randoms(use_true_random=False), st.integers(1, 40))
def test_a_normal_is_what_a_naive_recount_says(chance: random.Random, quarters: int) -> None:
    every = 900.0
    link = Link(policy("rtt > 3 x normal + 20ms", "rtt > 100ms over 1h", every=every, degraded=3), every)
    taught: dict[int, list[float]] = {}
    start = t(0).timestamp()
    for turn in range(quarters * 24):
        word = chance.choice(["ok"] * 8 + ["failed", "blind"])
        value = chance.choice([0.012, 0.013, 0.02, 0.03, 0.3 if chance.random() < 0.1 else 0.01])
        before = link.state
        link.see(word, **({"rtt": value} if word == "ok" else {}))
        if word != "ok":
            continue
        now = start + link.at
        taught.setdefault(int(now // 21600), [])
        if turn % 12 == 0:
            assert link.habit.normal("rtt") == recounted(taught, link.needed.least)
        ill = link.said.degraded is not None or (before.state is State.DEGRADED)
        if before.state is not State.DOWN and not ill:
            taught[int(now // 21600)].append(value)


@settings(max_examples=50, deadline=None, derandomize=True)
@given(st.lists(st.floats(1e-4, 2.0), min_size=1, max_size=95))
def test_what_is_not_known_makes_no_alarm(values: list[float]) -> None:
    link = Link(policy("rtt > 3 x normal", "rtt > 1.1 x normal over 30m", every=900, degraded=1), 900, at=-900)
    for value in values:  # Less than a day, whatever it measures.
        link.see(rtt=value)
    assert link.story() == []


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.lists(st.floats(0.010, 0.016), min_size=4, max_size=40), st.floats(1e-4, 0.05), st.data())
def test_one_odd_period_never_moves_the_normal_out_of_what_the_others_say(
    periods: list[float], odd: float, data: st.DataObject
) -> None:
    link = Link(policy("rtt > 9 x normal + 1s", every=3600, degraded=3), 3600)
    place = data.draw(st.integers(0, len(periods)))
    for value in [*periods[:place], odd, *periods[place:], 0.012]:
        for _ in range(6):
            link.see(rtt=value)
    normal = link.habit.normal("rtt")
    assert normal is not None
    assert min(periods) <= normal <= max(periods)


def week(link: Link, value: float, days: float = 7) -> Link:
    """So many days of one and the same round trip."""
    for _ in range(round(days * DAY / link.every)):
        link.see(rtt=value, jitter=0.001)
    return link


def moved() -> Link:
    """A link that lived at 12 ms for a week, and has been at 60 ms for ten days."""
    link = week(Link(policy("rtt > 3 x normal + 20ms", every=300, degraded=3), 300), 0.012)
    return week(link, 0.060, days=10)


def test_a_link_that_lives_at_12_ms_is_ill_at_60_and_illness_never_becomes_normal() -> None:
    link = moved()
    assert [state for state, _ in link.story()] == [State.DEGRADED]
    assert link.story()[0][1] == 7 * DAY + 300
    assert link.rows[-1].detail == "rtt 60ms > 56ms (normal 12ms)"
    assert link.habit.normal("rtt") == 0.012
    week(link, 0.013, days=0.1)
    assert [state for state, _ in link.story()] == [State.DEGRADED, State.UP]


def test_what_a_person_accepted_is_so_now_and_is_learned_anew() -> None:
    link = moved()
    link.habit = accepted(link.habit)
    for _ in range(3):
        link.see(rtt=0.060)
    assert link.state.state is State.UP
    week(link, 0.060, days=0.7)
    assert link.habit.normal("rtt") is None
    assert link.habit.normals[0].accepted
    week(link, 0.060, days=1)
    assert link.habit.normal("rtt") == 0.060
    assert not link.habit.normals[0].accepted
    week(link, 0.250, days=0.1)
    assert link.state.state is State.DEGRADED
    assert accepted(Habit(check="a/v4", normals=(known("rtt", 0.012),))).normal("rtt") == 0.012


def test_a_rhythm_of_the_day_makes_no_alarm() -> None:
    link = Link(policy("rtt > 3 x normal + 20ms", "rtt > 3 x normal over 30m", every=300, degraded=3), 300)
    chance = random.Random(7)
    while link.at < 21 * DAY:
        night = (link.at % DAY) / 3600 < 9
        link.see(rtt=(0.012 if night else 0.025) * chance.uniform(0.8, 1.3))
    assert link.story() == []
    normal = link.habit.normal("rtt")
    assert normal is not None
    assert 0.010 < normal < 0.030


def test_a_new_link_that_is_degraded_for_another_reason_gets_well_though_its_normal_is_not_known() -> None:
    link = Link(policy("rtt > 3 x normal", "jitter > 30ms", degraded=3))
    for jitter in [0.05] * 5 + [0.001] * 5:
        link.see(rtt=0.012, jitter=jitter)
    assert [state for state, _ in link.story()] == [State.DEGRADED, State.UP]
    assert link.rows[1].detail == "jitter 50ms > 30ms"


def test_after_a_restart_a_degradation_stands_until_its_window_is_known_again() -> None:
    link = Link(LOSSY, at=-60)
    for _, facts in rounds("." * 12 + "555"):
        link.see(**facts)
    link.habit = Habit(check="a/v4", normals=link.habit.normals)
    for _ in range(4):
        link.see(loss=0.0, sent=10)
        assert link.said.degraded == link.state.detail
    for _ in range(3):
        link.see(loss=0.0, sent=10)
    assert link.story() == [(State.DEGRADED, 780), (State.UP, 1140)]


def test_a_line_of_down_if_may_look_back_too_and_gives_way_to_a_plain_outage() -> None:
    link = Link(policy(down_if=["loss >= 50% over 10m"], failures=3, successes=2), at=-60)
    for _, facts in rounds("." * 6 + "9" * 12):
        link.see(**facts)
    assert [state for state, _ in link.story()] == [State.DOWN]
    assert link.rows[-1].detail.startswith("loss ")
    assert link.rows[-1].detail.endswith("% >= 50% over 10m")
    for _, facts in rounds("." * 12):
        link.see(**facts)
    assert [state for state, _ in link.story()] == [State.DOWN, State.UP]
    link = Link(policy(down_if=["loss >= 50% over 10m"], failures=3, successes=2), at=-60)
    for how, facts in rounds("..FFFFFFFFF.."):
        link.see(how, **facts)
    assert [state for state, _ in link.story()] == [State.DOWN, State.UP]


LINES = [
    # a line                               what is known        the value on it, and the fact
    ("rtt > 3 x normal + 20ms", {"rtt": 0.012}, "rtt", 0.056),
    ("rtt > 100ms over 10m", {"rtt": 0.012}, "rtt", 0.100),
    ("rtt > 3 x normal over 10m", {"rtt": 0.012}, "rtt", 0.036),
    ("loss >= 5% over 10m", {"loss": 0.0}, "loss", 0.05),
    ("mos < 3.6 over 10m", {"mos": 4.3}, "mos", 3.6),
]


@pytest.mark.parametrize(("line", "normal", "fact", "value"), LINES, ids=[one[0] for one in LINES])
def test_a_value_that_dances_on_a_line_crosses_it_once_or_never(
    line: str, normal: dict[str, float], fact: str, value: float
) -> None:
    usual = Habit(check="a/v4", normals=tuple(known(name, one) for name, one in normal.items()))
    lively = replace(policy(line), degraded=1)
    spread = 0.03 if fact == "mos" else 0.15
    crossed = 0
    for seed in range(200):
        chance, link = random.Random(seed), Link(lively, habit=usual)
        for _ in range(45):
            link.see(**{fact: value * chance.uniform(1 - spread, 1 + spread), "sent": 10})
        assert len(link.story()) <= 1, (seed, link.story())
        crossed += len(link.story())
    assert crossed > 50  # It was on the line.


def test_only_checks_whose_lines_look_back_have_a_habit() -> None:
    assert needs(check("a/v4", policy=policy("loss >= 1%", "rtt > 100ms", down_if=["loss >= 60%"]))) is None
    needed = needs(check("a/v4", policy=policy("loss >= 1% over 1h", "jitter > 30ms", "rtt > 3 x normal")))
    assert needed is not None
    assert needed.facts == ("jitter", "loss", "rtt")
    assert needed.windows == (("loss", 180.0, 30),)


def test_a_habit_is_bounded_whatever_comes() -> None:
    link = Link(policy("loss >= 5% over 24h", "rtt > 3 x normal", every=60, failures=3))
    chance = random.Random(3)
    for _ in range(2000):
        link.see(
            chance.choice(["ok", "ok", "ok", "failed", "blind"]), rtt=chance.random(), loss=chance.random(), sent=10
        )
        assert len(link.habit.waiting) <= 3
        assert all(len(window.slots) <= SLOTS for window in link.habit.windows)
        assert all(len(one.ring) <= RING for one in link.habit.normals)
        assert all(len(one.values) < KEPT for one in link.habit.lessons)


def test_said_is_nothing_for_a_round_that_failed() -> None:
    link = Link(LOSSY)
    link.see("failed", loss=1.0, sent=10)
    assert link.said == Said()
    assert outcome("failed", 0).seen is Seen.FAILED


def test_what_is_settled_by_a_habit_moves_nothing_but_the_time_it_was_seen() -> None:
    chance = random.Random(5)
    link = Link(replace(LOSSY, down_if=policy(down_if=["loss >= 60% over 2m"]).down_if), at=-60)
    quiet = 0
    for _ in range(3000):
        before, rough = link.state, chance.random() < 0.3
        how = chance.choice(["ok"] * 9 + ["failed", "blind"])
        link.see(how, loss=chance.random() if rough else 0.0, sent=10)
        if how == "ok" and settled_as(before, link.said):
            quiet += 1
            assert replace(link.state, seen_at=None) == replace(before, seen_at=None)
    assert quiet > 500
