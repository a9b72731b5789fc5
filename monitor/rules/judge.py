"""From outcomes to the verdict on one check.

Owns: counting in a row, back-dating, hysteresis, and what a blind round does to the ledger. Never: looks at another check, or at the clock.

The laws, each tested against a naive recount: `failures` failed outcomes in a row are down from the start of the first; `successes` good ones in
a row are up from the start of the first; `degraded` rounds on the far side of a `degraded_if` line are degraded from the first, and as many on
the near side end it (what looks back over a window needs one round to begin). Out of `unknown` one good outcome is enough. A blind outcome
touches no counter and no verdict: its time is unknown and nothing else, also inside an outage that is judged later and back-dated across it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from operator import eq, ge, gt, le, lt, ne
from typing import Final

from monitor.model import CheckState, Condition, Policy, Shown, State, Transition
from monitor.model.habits import crossing
from probes.contract import Outcome, Reason, Seen

REMEMBERED = 18
"""Rows of a check's ledger kept in its state. A late verdict corrects the rows since its streak began: at most two for each round of it."""

COMPARE: Final[Mapping[str, Callable[[float, float], bool]]] = {
    "<": lt,
    "<=": le,
    ">": gt,
    ">=": ge,
    "==": eq,
    "!=": ne,
}


@dataclass(frozen=True, slots=True)
class Step:
    """What one outcome changed. `transition` is the verdict's row (or the row into or out of blindness); `corrections` are the rows that a
    back-dated verdict writes over later ones. `recheck_at` asks for the next look off the cadence: `recheck` after this one began, so that a
    look which waited for its whole deadline does not make the next one later still."""

    state: CheckState
    transition: Transition | None = None
    recheck_at: datetime | None = None
    corrections: tuple[Transition, ...] = ()

    @property
    def rows(self) -> tuple[Transition, ...]:
        """Every row for the ledger."""
        return (self.transition, *self.corrections) if self.transition else self.corrections


@dataclass(frozen=True, slots=True)
class Said:
    """What the conditions say of one good outcome where they take more than the outcome itself: the detail of the first that is true, if any.

    `at_once`: the line that is crossed looks back over a window, and needs no further rounds to be believed.
    """

    down: str | None = None
    degraded: str | None = None
    at_once: bool = False


def holds(conditions: tuple[Condition, ...], facts: Mapping[str, float]) -> Condition | None:
    """The first condition that is true. A fact that is missing, or no number, makes its condition false."""
    for condition in conditions:
        fact = facts.get(condition.fact)
        if fact is not None and fact == fact and COMPARE[condition.op](fact, condition.value):
            return condition
    return None


def settled(state: CheckState, outcome: Outcome, policy: Policy) -> bool:
    """Whether the outcome says once more what is judged already, so that `step` would move nothing but `seen_at`. Made to be cheap."""
    if state.blind_since is not None:
        return False
    seen = outcome.seen
    if seen is Seen.FAILED:
        return state.state is State.DOWN and not state.successes
    if seen is Seen.BLIND:
        return False
    if policy.down_if and holds(policy.down_if, outcome.facts):
        return state.state is State.DOWN and not state.successes
    if state.failures or state.degraded:
        return False
    if state.state is State.UP:
        return not policy.degraded_if or holds(policy.degraded_if, outcome.facts) is None
    return state.state is State.DEGRADED and holds(policy.degraded_if, outcome.facts) is not None


def settled_as(state: CheckState, said: Said) -> bool:
    """The same of a good outcome whose conditions are worked out already."""
    if state.blind_since is not None:
        return False
    if said.down is not None:
        return state.state is State.DOWN and not state.successes
    if state.failures or state.degraded:
        return False
    return state.state is (State.UP if said.degraded is None else State.DEGRADED)


def step(state: CheckState, outcome: Outcome, policy: Policy, now: datetime, said: Said | None = None) -> Step:
    """Judge one outcome. An outcome that started before one already judged is ignored. `said` stands for the policy's conditions."""
    if state.seen_at is not None and outcome.started_at < state.seen_at:
        return Step(state)
    if outcome.seen is Seen.BLIND:
        return _blinded(state, outcome, policy, now)
    if outcome.seen is Seen.FAILED:
        return _failed(state, outcome, policy, now, outcome.reason, outcome.detail)
    if said is None:
        said = _plainly(policy, outcome.facts)
    if said.down is not None:
        return _failed(state, outcome, policy, now, Reason.DOWN_IF, said.down)
    return _good(state, outcome, policy, now, said)


def _plainly(policy: Policy, facts: Mapping[str, float]) -> Said:
    """What the conditions say that look at this outcome alone."""
    hard = holds(policy.down_if, facts)
    soft = None if hard is not None else holds(policy.degraded_if, facts)
    return Said(
        None if hard is None else hard.text,
        None if soft is None else crossing(soft.fact, facts[soft.fact], soft.op, soft.value, soft.unit),
    )


def _blinded(state: CheckState, outcome: Outcome, policy: Policy, now: datetime) -> Step:
    """We could not look: the verdict stands, its time is unknown from here. What was being confirmed is looked at again soon."""
    pending = (state.failures and state.state is not State.DOWN) or state.successes
    recheck_at = now + policy.recheck if pending else None
    if state.blind_since is not None:
        return Step(state, None, recheck_at)
    at = outcome.started_at
    new = replace(state, blind_since=at)
    if state.state is State.UNKNOWN and not state.failures:
        return Step(new, None, recheck_at)
    new = replace(new, shown=_keep((*state.shown, Shown(at, State.UNKNOWN))))
    row = Transition(
        subject=state.check,
        at=at,
        state=State.UNKNOWN,
        reason=outcome.reason,
        detail=outcome.detail,
        after=state.seen_at,
        judged_at=now,
    )
    return Step(new, row, recheck_at)


def _failed(state: CheckState, outcome: Outcome, policy: Policy, now: datetime, reason: Reason, detail: str) -> Step:
    at = outcome.started_at
    if state.state is State.DOWN:
        new = replace(state, successes=0, streak_at=None, before_at=None)
        return _looked(new, state, at, now, None)
    first = state.failures == 0
    new = replace(
        state,
        failures=state.failures + 1,
        degraded=0,
        streak_at=at if first else state.streak_at,
        before_at=state.seen_at if first else state.before_at,
    )
    if new.failures < policy.failures:
        return _looked(new, state, at, now, max(now, at + policy.recheck))
    return _verdict(new, State.DOWN, at, now, reason, detail)


def _good(state: CheckState, outcome: Outcome, policy: Policy, now: datetime, said: Said) -> Step:
    at = outcome.started_at
    soft = said.degraded
    if state.state is State.DOWN:
        first = state.successes == 0
        new = replace(
            state,
            successes=state.successes + 1,
            streak_at=at if first else state.streak_at,
            before_at=state.seen_at if first else state.before_at,
        )
        if new.successes < policy.successes:
            return _looked(new, state, at, now, max(now, at + policy.recheck))
        return _verdict(new, State.UP, at, now, Reason.OK, outcome.detail)
    if state.state is State.UNKNOWN:
        new = replace(state, streak_at=at, before_at=None)
        return _verdict(new, State.UP, at, now, Reason.OK, outcome.detail)
    against = (soft is not None) is (state.state is State.UP)
    if not against:
        new = replace(state, failures=0, degraded=0, streak_at=None, before_at=None)
        return _looked(new, state, at, now, None)
    first = state.degraded == 0
    new = replace(
        state,
        failures=0,
        degraded=state.degraded + 1,
        streak_at=at if first else state.streak_at,
        before_at=state.seen_at if first else state.before_at,
    )
    if new.degraded < (1 if said.at_once else policy.degraded):
        return _looked(new, state, at, now, None)
    if soft is None:
        return _verdict(new, State.UP, at, now, Reason.OK, outcome.detail)
    return _verdict(new, State.DEGRADED, at, now, Reason.OK, soft)


def _looked(new: CheckState, old: CheckState, at: datetime, now: datetime, recheck_at: datetime | None) -> Step:
    """No verdict, but we saw: a blind stretch ends here, and the verdict that stood through it is shown again."""
    new = replace(new, seen_at=at, blind_since=None)
    if old.blind_since is None:
        return Step(new, None, recheck_at)
    if old.state is State.UNKNOWN:
        # Nothing to show again; but an outage judged later must know that the blind stretch in it ended here.
        shown = _keep((*old.shown, Shown(at, State.UP))) if new.failures else old.shown
        return Step(replace(new, shown=shown), None, recheck_at)
    new = replace(new, shown=_keep((*old.shown, Shown(at, old.state))))
    row = Transition(
        subject=old.check, at=at, state=old.state, reason=old.reason, detail=old.detail, after=None, judged_at=now
    )
    return Step(new, row, recheck_at)


def _verdict(new: CheckState, verdict: State, at: datetime, now: datetime, reason: Reason, detail: str) -> Step:
    """The streak is long enough: the verdict holds from its first outcome, but for the stretches in it when we were blind."""
    start = new.streak_at
    assert start is not None
    before, after = new.before_at, [row for row in new.shown if row.at > start]
    rows = [Shown(start, verdict)]
    rows += [Shown(row.at, State.UNKNOWN if row.state is State.UNKNOWN else verdict) for row in after]
    if new.blind_since is not None and at > start:
        rows.append(Shown(at, verdict))
    stood = {row.at: row.state for row in after}
    corrections = tuple(
        Transition(subject=new.check, at=row.at, state=row.state, reason=reason, detail=detail, judged_at=now)
        for row in rows[1:]
        if stood.get(row.at) is not row.state
    )
    before_it = () if new.state is State.UNKNOWN else (row for row in new.shown if row.at < start)
    kept = _keep((*before_it, *rows))
    state = replace(
        new,
        state=verdict,
        since=start,
        failures=0,
        successes=0,
        degraded=0,
        streak_at=None,
        before_at=None,
        seen_at=at,
        blind_since=None,
        reason=reason,
        detail=detail,
        shown=kept,
    )
    row = Transition(
        subject=new.check, at=start, state=verdict, reason=reason, detail=detail, after=before, judged_at=now
    )
    return Step(state, row, None, corrections)


def _keep(rows: tuple[Shown, ...]) -> tuple[Shown, ...]:
    return rows[-REMEMBERED:]
