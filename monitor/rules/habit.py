"""What a check measured of late and what is normal for it, and the conditions that are drawn from these.

Owns: windows (`loss >= 5% over 10m`), normals (`rtt > 3 x normal + 20ms`), and what is not learned. Never: counts rounds or gives a verdict
(that is `judge`), reads a clock: time is when the outcomes began. A check none of whose conditions has a window or a normal has no habit.

Windows. A window is twenty slots on a fixed grid, the one under way included: what began in the last twentieth less than its length up to
its whole length counts. A loss is all that was lost of all that was sent, any other fact the mean of its rounds. *One bad moment makes no
window bad*: a line is crossed when it is crossed also without the slot that speaks loudest for it. A round that failed counts when the
next one that sees anything is good; rounds of a judged outage never do: an outage is told as one, and not once more as bad quality when it is
over. Blind rounds do not exist. A window is known once half of the rounds that it should have are in it.

Normals. Time is cut in periods of six hours. The rounds of a period in which the fact was well are thinned to at most 32 and their median kept, if at
least a quarter of the period's rounds were learned; the normal is the median of the latest 28 of these (seven days in which it was well), and
known from the fourth (a day). So one period, whatever was in it, never moves the normal out of what the others say, and a rhythm of the day is
inside it. Not learned are: rounds that failed or were blind, rounds beyond any line of the fact, and all rounds of a spell of degradation that the
fact is in: illness does not become normal, however long it lasts, and a normal does not age while nothing is learned. When a person closes the
incident of a degradation, what was ill then is so now: it is forgotten, learned anew, and makes no alarm until it is known again.

Conditions. What is not known yet neither begins a degradation nor ends the one that it made. While a check is degraded, the lines with a window or
a normal stand a fifth of the way nearer to what is normal, so that a value dancing on a line crosses it once.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from monitor.model import Check, CheckState, Condition, Policy, State
from monitor.model.habits import Habit, Learned, Normal, Recent, Round, Slot, amount, crossed_fact, crossing
from monitor.rules.judge import COMPARE, Said
from probes.contract import Outcome, Reason, Seen

SLOTS: Final = 20
"""Slots of a window."""

PERIOD: Final = timedelta(hours=6)
RING: Final = 28
"""Periods that a normal is the median of: seven days."""
ENOUGH: Final = 4
"""Periods after which it is known: a day."""
KEPT: Final = 32
"""Values kept of the period under way."""
RELEASE: Final = 0.2
"""How much of the way from a line to the normal a degraded check has to come back."""

_PERIOD = PERIOD.total_seconds()


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What a check's conditions ask for: windows (fact, slot's length in seconds, rounds that make it known), the facts whose normal is learned,
    and how many rounds a period needs."""

    windows: tuple[tuple[str, float, int], ...]
    facts: tuple[str, ...]
    least: int


@dataclass(frozen=True, slots=True)
class Reading:
    """One outcome taken in: the habit with it, what the conditions say of it, and whether there is anything to store."""

    habit: Habit
    said: Said
    learned: bool


def needs(check: Check) -> Needs | None:
    """What a check has to remember; None for one whose conditions look at one round only."""
    conditions = (*check.policy.down_if, *check.policy.degraded_if)
    if all(one.over is None and one.times is None for one in conditions):
        return None
    every = check.every.total_seconds()
    windows = {
        (one.fact, one.over.total_seconds() / SLOTS): max(2, math.ceil(one.over.total_seconds() / every / 2))
        for one in conditions
        if one.over is not None
    }
    return Needs(
        windows=tuple((fact, length, rounds) for (fact, length), rounds in sorted(windows.items())),
        facts=tuple(sorted({one.fact for one in conditions})),
        least=max(4, int(_PERIOD / every / 4)),
    )


def fitted(habit: Habit, needed: Needs) -> Habit:
    """The habit with exactly the windows and normals that are needed now, those known already as they are."""
    facts = {normal.fact: normal for normal in habit.normals}
    recent = {(window.fact, window.length): window for window in habit.windows}
    same = tuple(facts) == needed.facts and len(recent) == len(needed.windows)
    if same and all((fact, length) in recent for fact, length, _ in needed.windows):
        return habit
    return replace(
        habit,
        normals=tuple(facts.get(fact) or Normal(fact=fact) for fact in needed.facts),
        windows=tuple(
            recent.get((fact, length)) or Recent(fact=fact, length=length) for fact, length, _ in needed.windows
        ),
    )


def remembered(learned: Learned) -> Habit:
    """A habit out of the store: the windows begin empty."""
    return Habit(check=learned.check, normals=learned.normals)


def take(habit: Habit, needed: Needs, check: Check, state: CheckState, outcome: Outcome) -> Reading:
    """Take in one outcome that saw, and say what the conditions make of it. `state` is the check's before this outcome."""
    at = outcome.started_at.timestamp()
    habit = fitted(habit, needed)
    down = state.state is State.DOWN
    rounds = () if down or not habit.windows else habit.waiting
    if habit.windows and not (down and outcome.seen is not Seen.OK):
        rounds = (*rounds, _round(at, outcome.facts, needed))
    if outcome.seen is not Seen.OK:
        return Reading(habit if rounds == habit.waiting else replace(habit, waiting=rounds), Said(), learned=False)
    windows = tuple(_moved(window, rounds, int(at // window.length)) for window in habit.windows)
    look = _Look(habit, needed, windows, outcome.facts, state)
    said = look.said(check.policy)
    closed = [_closed(normal, int(at // _PERIOD), needed.least) for normal in habit.normals]
    learned = any(new.ring is not old.ring for new, old in zip(closed, habit.normals, strict=True))
    well = not down and said.down is None
    normals = tuple(look.learned(normal, well) for normal in closed)
    return Reading(Habit(check=habit.check, normals=normals, windows=windows), said, learned)


def accepted(habit: Habit) -> Habit:
    """A person said that what is ill is how it is now: it is learned anew. The same habit when nothing is ill."""
    if not any(normal.ill for normal in habit.normals):
        return habit
    return replace(
        habit,
        normals=tuple(Normal(fact=one.fact, accepted=True) if one.ill else one for one in habit.normals),
    )


def median(values: Sequence[float]) -> float:
    """The middle one, or the mean of the two in the middle; of at least one value."""
    ordered = sorted(values)
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


class _Look:
    """One good outcome against the conditions: which lines are crossed, with the habit as it was before this outcome."""

    def __init__(
        self,
        habit: Habit,
        needed: Needs,
        windows: Iterable[Recent],
        facts: Mapping[str, float],
        state: CheckState,
    ) -> None:
        self._normals = {normal.fact: normal for normal in habit.normals}
        known = {(fact, length): rounds for fact, length, rounds in needed.windows}
        self._windows = {
            (window.fact, window.length): window.slots
            for window in windows
            if sum(slot.rounds for slot in window.slots) >= known[window.fact, window.length]
        }
        self._facts, self._state, self._by = facts, state, crossed_fact(state.detail)
        self._degraded = state.state is State.DEGRADED
        self._beyond: set[str] = set()
        self._ill: set[str] = set()

    def said(self, policy: Policy) -> Said:
        """What the judge is told."""
        held = self._state.state is State.DOWN and self._state.reason is Reason.DOWN_IF
        down, _ = self._first(policy.down_if, held, as_written=True)
        degraded, at_once = self._first(policy.degraded_if, self._degraded)
        return Said(down, degraded, at_once)

    def learned(self, normal: Normal, well: bool) -> Normal:
        """The normal with this outcome's value, if it is one to learn from."""
        fact = normal.fact
        ill = fact in self._ill or (normal.ill and self._degraded)
        if ill is not normal.ill:
            normal = replace(normal, ill=ill)
        spell = ill or fact in self._beyond or (self._degraded and self._by == fact)
        value = self._facts.get(fact)
        if not well or spell or value is None or not math.isfinite(value):
            return normal
        values, stride = normal.values, normal.stride
        if normal.rounds % stride == 0:
            values = (*values, value)
            if len(values) == KEPT:
                values, stride = values[::2], stride * 2
        return replace(normal, rounds=normal.rounds + 1, values=values, stride=stride)

    def _first(
        self, conditions: Iterable[Condition], held: bool, *, as_written: bool = False
    ) -> tuple[str | None, bool]:
        """The detail of the first line that is crossed, and whether it has waited already; one with a window goes before others."""
        found, unsure = None, False
        for condition in conditions:
            crossed = self._crossed(condition, held)
            if crossed and as_written and condition.over is None and condition.times is None:
                crossed = condition.text
            if crossed is None:
                unsure = unsure or condition.fact == self._by
            elif crossed:
                self._beyond.add(condition.fact)
                if condition.times is not None:
                    self._ill.add(condition.fact)
                if condition.over is not None and (found is None or not found[1]):
                    found = (crossed, True)
                found = found or (crossed, False)
        if found is None and unsure and held:
            return self._state.detail, False
        return found or (None, False)

    def _crossed(self, condition: Condition, held: bool) -> str | None:
        """The detail of a crossed line, nothing for one that is not crossed, None where nobody knows yet."""
        fact, over, limit = condition.fact, condition.over, condition.value
        own = self._normals[fact]
        if condition.times is not None:
            if own.value is None:
                return "" if own.accepted else None
            limit += condition.times * own.value
        value = least = self._facts.get(fact)
        if over is not None:
            slots = self._windows.get((fact, over.total_seconds() / SLOTS))
            if slots is None:
                return None
            value, least = _pooled(slots), _without_worst(slots, condition.op)
        if value is None or least is None or least != least:
            return ""
        line = limit
        if held and (over is not None or condition.times is not None):
            line = _nearer(limit, condition.op, own.value)
        if not COMPARE[condition.op](least, line):
            return ""
        span = "" if over is None else amount(over.total_seconds(), "seconds")
        return crossing(fact, value, condition.op, limit, condition.unit, over=span, normal=own.value)


def _nearer(limit: float, op: str, normal: float | None) -> float:
    """Where the line stands while the check is degraded: a fifth of the way to the normal, which must lie on the good side of it.

    Without one the way is to zero for an upper line, and a quarter of the line's height for a lower one.
    """
    if op in (">", ">="):
        base = 0.0 if normal is None else normal
        return limit - RELEASE * (limit - base) if base < limit else limit
    base = limit * 1.25 if normal is None else normal
    return limit + RELEASE * (base - limit) if base > limit else limit


def _round(at: float, facts: Mapping[str, float], needed: Needs) -> Round:
    """What of an outcome goes into windows. A loss weighs what was sent, so that it is lost of sent over the whole window."""
    measured = []
    for fact in {fact: None for fact, _, _ in needed.windows}:
        value = facts.get(fact)
        if value is not None and math.isfinite(value):
            sent = facts.get("sent", 1.0) if fact == "loss" else 1.0
            measured.append((fact, value, sent if sent > 0 else 1.0))
    return Round(at, tuple(measured))


def _moved(window: Recent, rounds: Iterable[Round], now: int) -> Recent:
    """The window with these rounds in it, and what is too old out of it."""
    slots = window.slots
    for at, measured in rounds:
        for fact, value, weight in measured:
            if fact != window.fact:
                continue
            place = int(at // window.length)
            if slots and slots[-1].place == place:
                last = slots[-1]
                merged = Slot(place, last.total + value * weight, last.weight + weight, last.rounds + 1)
                slots = (*slots[:-1], merged)
            else:
                slots = (*slots, Slot(place, value * weight, weight, 1))
    old = 0
    while old < len(slots) and slots[old].place <= now - SLOTS:
        old += 1
    return replace(window, slots=slots[old:])


def _pooled(slots: Iterable[Slot]) -> float | None:
    """The fact over the whole window."""
    total = weight = 0.0
    for slot in slots:
        total += slot.total
        weight += slot.weight
    return total / weight if weight else None


def _without_worst(slots: Sequence[Slot], op: str) -> float | None:
    """The same without the slot that speaks loudest for the line being crossed."""
    if len(slots) < 2:
        return _pooled(slots)
    choose = max if op in (">", ">=") else min
    place = choose(range(len(slots)), key=lambda at: slots[at].total / slots[at].weight)
    return _pooled((*slots[:place], *slots[place + 1 :]))


def _closed(normal: Normal, period: int, least: int) -> Normal:
    """The normal in the period that is under way now: what an earlier one has taught is in the ring."""
    if period == normal.period:
        return normal
    ring, value, known = normal.ring, normal.value, normal.accepted
    if normal.rounds >= least:
        ring = (*ring, median(normal.values))[-RING:]
        value = median(ring) if len(ring) >= ENOUGH else None
    return replace(
        normal,
        ring=ring,
        value=value,
        accepted=known and value is None,
        period=period,
        rounds=0,
        stride=1,
        values=(),
    )
