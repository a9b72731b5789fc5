"""The verdict on one check: a table of sentences, and a naive recount of everything."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.model import CheckState, Condition, Policy, State, Transition
from monitor.rules.judge import Step, settled, step
from probes.contract import Outcome, Reason, Seen
from tests.rules.driver import ledger, outcome, sec, t

POLICY = Policy(failures=3, successes=2, degraded=3)
LOSSY = Policy(
    failures=3,
    successes=2,
    degraded=3,
    degraded_if=(Condition(fact="loss", op=">=", value=0.01, text="loss >= 1%"),),
    down_if=(Condition(fact="loss", op=">=", value=0.6, text="loss >= 60%"),),
)


def look(word: str, at: float) -> Outcome:
    """`ok`, `F`ailed, `B`lind, `d`egraded (5 % lost), `x` (60 % lost)."""
    if word in ("d", "x"):
        return outcome("ok", at, loss={"d": 0.05, "x": 0.6}[word])
    return outcome({"ok": "ok", "F": "failed", "B": "blind"}[word], at)


def replay(seen: str, policy: Policy) -> list[Step]:
    state, steps = CheckState(check="a/b"), []
    for place, word in enumerate(seen.split()):
        steps.append(step(state, look(word, place), policy, t(place)))
        state = steps[-1].state
    return steps


def last_transition(steps: list[Step]) -> tuple[State, float] | None:
    """The last verdict, leaving out the first one into knowing and the rows of blindness."""
    found = [s.transition for s in steps if s.transition]
    real = [row for row in found[1 if found and found[0].state is State.UP else 0 :] if row.state is not State.UNKNOWN]
    return (real[-1].state, sec(real[-1].at)) if real else None


CASES = [
    # what the target did                    outcomes                what the judge must say, and from when
    ("one lost reply is nothing", "ok F ok", None),
    ("two lost replies are nothing", "ok F F ok F F ok", None),
    ("three in a row are an outage", "ok F F F", (State.DOWN, 1)),
    ("blind rounds do not count", "ok F B B F F", (State.DOWN, 1)),
    ("blind rounds are no failures", "ok F F B B B", None),
    ("back up after two good ones", "F F F ok ok", (State.UP, 3)),
    ("one good one between failures is not back", "F F F ok F F", (State.DOWN, 0)),
    ("blind between the good ones does not matter", "F F F ok B ok", (State.UP, 3)),
    ("down from the very first look", "F F F", (State.DOWN, 0)),
    ("a slow stretch is degraded", "ok d d d", (State.DEGRADED, 1)),
    ("a slow stretch that ends is nothing", "ok d d ok d d ok", None),
    ("degraded ends after as many clean rounds", "ok d d d ok ok ok", (State.UP, 4)),
    ("a clean round or two do not end it", "ok d d d ok ok d ok", (State.DEGRADED, 1)),
    ("degraded goes down", "ok d d d F F F", (State.DOWN, 4)),
    ("a line crossed is a failure", "ok x x x", (State.DOWN, 1)),
    ("mixed failures are failures", "ok x F x", (State.DOWN, 1)),
]


@pytest.mark.parametrize(("sentence", "seen", "expected"), CASES, ids=[c[0] for c in CASES])
def test_judge(sentence: str, seen: str, expected: tuple[State, float] | None) -> None:
    assert last_transition(replay(seen, LOSSY)) == expected


def test_the_first_failure_is_looked_at_again_soon_and_so_until_it_is_judged() -> None:
    asked = [s.recheck_at for s in replay("ok F F F F ok ok ok", POLICY)]
    soon = [None, 1, 2, None, None, 5, None, None]
    assert asked == [t(s) + POLICY.recheck if s is not None else None for s in soon]


def test_a_transition_says_what_showed_the_former_state_last() -> None:
    down = replay("ok ok F F F", POLICY)[-1].transition
    assert down is not None
    assert (sec(down.after), sec(down.at), sec(down.judged_at)) == (1, 2, 4)
    up = replay("F F F F ok ok", POLICY)[-1].transition
    assert up is not None
    assert (sec(up.after), sec(up.at), sec(up.judged_at)) == (3, 4, 5)


def test_what_crossed_the_line_is_named() -> None:
    down = replay("ok x x x", LOSSY)[-1].transition
    assert down is not None
    assert (down.reason, down.detail) == (Reason.DOWN_IF, "loss >= 60%")


def test_a_missing_fact_makes_its_condition_false_and_so_does_no_number() -> None:
    policy = replace(LOSSY, degraded_if=(Condition(fact="rtt", op="!=", value=1, text="rtt != 1"),))
    state = CheckState(check="a/b")
    for place in range(9):
        facts = {} if place % 2 else {"rtt": float("nan")}
        state = step(state, outcome("ok", place, **facts), policy, t(place)).state
    assert state.state is State.UP


def test_an_outcome_that_started_before_the_last_one_judged_is_ignored() -> None:
    state = replay("ok ok F", POLICY)[-1].state
    assert step(state, look("ok", 1), POLICY, t(9)).state is state


@pytest.mark.parametrize(
    ("seen", "rows"),
    [
        ("ok F B B F F", [(0, State.UP), (1, State.DOWN), (2, State.UNKNOWN), (4, State.DOWN)]),
        ("ok B ok", [(0, State.UP), (1, State.UNKNOWN), (2, State.UP)]),
        ("F B F F", [(0, State.DOWN), (1, State.UNKNOWN), (2, State.DOWN)]),
        ("F B F ok", [(1, State.UNKNOWN), (3, State.UP)]),
        ("F F F ok B ok", [(0, State.DOWN), (3, State.UP), (4, State.UNKNOWN), (5, State.UP)]),
        ("B B ok", [(2, State.UP)]),
        ("F F F B", [(0, State.DOWN), (3, State.UNKNOWN)]),
    ],
)
def test_blind_time_is_unknown_also_inside_what_is_back_dated(seen: str, rows: list[tuple[float, State]]) -> None:
    said = [row for s in replay(seen, POLICY) for row in s.rows]
    assert ledger(said, "a/b") == rows


def recount(words: list[str], policy: Policy) -> list[State]:
    """The laws read off the whole list at once, with no counter: what every round turns out to have been."""
    eyes = [place for place, word in enumerate(words) if word != "B"]
    truth: dict[int, State] = {}
    state, place = State.UNKNOWN, 0
    while place < len(eyes):
        ahead = [words[i] for i in eyes[place:]]
        bad = [w in ("F", "x") for w in ahead]
        soft = [w == "d" for w in ahead]
        clean = [w == "ok" for w in ahead]

        def first(signs: list[bool], length: int) -> bool:
            return len(signs) >= length and all(signs[:length])

        if state is State.DOWN:
            state = State.UP if first([not b for b in bad], policy.successes) else state
            if state is State.UP:
                # These good rounds are used up: degradation is counted from the next one.
                for used in range(policy.successes):
                    truth[eyes[place + used]] = State.UP
                place += policy.successes
                continue
        elif first(bad, policy.failures):
            state = State.DOWN
        elif state is State.UNKNOWN:
            if not bad[0]:
                truth[eyes[place]] = state = State.UP
                place += 1
                continue
        elif (state is State.UP and first(soft, policy.degraded)) or (
            state is State.DEGRADED and first(clean, policy.degraded)
        ):
            state = State.DEGRADED if state is State.UP else State.UP
            for used in range(policy.degraded):
                truth[eyes[place + used]] = state
            place += policy.degraded
            continue
        truth[eyes[place]] = state
        place += 1
    return [truth.get(i, State.UNKNOWN) for i in range(len(words))]


def shown(transitions: list[Transition], rounds: int) -> list[State]:
    rows = ledger(transitions, "a/b")
    found = []
    for place in range(rounds):
        before = [state for at, state in rows if at <= place]
        found.append(before[-1] if before else State.UNKNOWN)
    return found


words = st.lists(st.sampled_from(["ok", "ok", "F", "F", "B", "d", "x"]), max_size=60)
policies = st.builds(
    replace,
    st.just(LOSSY),
    failures=st.integers(1, 5),
    successes=st.integers(1, 4),
    degraded=st.integers(1, 5),
)


@settings(max_examples=400, deadline=None, derandomize=True)
@given(words, policies)
def test_the_ledger_of_a_check_is_the_naive_recount(seen: list[str], policy: Policy) -> None:
    rows = [row for s in replay(" ".join(seen), policy) for row in s.rows]
    assert shown(rows, len(seen)) == recount(seen, policy)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(words, policies)
def test_what_is_settled_moves_nothing_but_the_time_it_was_seen(seen: list[str], policy: Policy) -> None:
    state = CheckState(check="a/b")
    for place, word in enumerate(seen):
        seen_now = look(word, place)
        quiet = settled(state, seen_now, policy)
        made = step(state, seen_now, policy, t(place))
        if quiet:
            assert made.rows == ()
            assert made.recheck_at is None
            assert replace(made.state, seen_at=None) == replace(state, seen_at=None)
        state = made.state
        assert len(state.shown) <= 18


def test_a_hundred_thousand_steps_are_quick() -> None:
    state, policy = CheckState(check="a/b"), Policy(recheck=timedelta(seconds=10))
    outcomes = [outcome(Seen.FAILED if place % 7 < 4 else Seen.OK, place) for place in range(1000)]
    verdicts = 0
    for turn in range(100):
        shift = timedelta(seconds=1000 * turn)
        for one in outcomes[:: 1 if turn == 0 else 10]:
            made = step(state, replace(one, started_at=one.started_at + shift), policy, one.started_at)
            verdicts += bool(made.transition)
            state = made.state
    assert verdicts > 100
