"""What a check measured of late and what is normal for it, and the conditions that are drawn from these.

Owns: windows (`loss >= 5% over 10m`), normals (`rtt > 3 x normal + 20ms`), and what is not learned. Never: counts rounds or gives a verdict
(that is `judge`), reads a clock: time is when the outcomes began. A check none of whose conditions has a window or a normal has no habit.

Windows. A window is twenty slots on a fixed grid, the one under way included: it reaches back by its length, or by up to a twentieth less. A loss
is all that was lost of all that was sent, any other fact the mean of its rounds. *One bad moment makes no window bad*: the slot that speaks
loudest for a line being crossed speaks no louder than the second loudest. A round that failed counts when the next one that sees anything is
good; rounds of a judged outage never do: an outage is told as one, and not once more as bad quality when it is over. Blind rounds do not
exist. A window is known once half of the rounds that it should have are in it.

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
from typing import Final, NamedTuple

from monitor.model import Check, CheckState, Condition, State
from monitor.model.habits import Habit, Lesson, Normal, Recent, Round, Slot, amount, crossed_fact, crossing
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


class Line(NamedTuple):
    """A condition, where its fact's normal and its window stand (-1: none), and the window's length as it is written."""

    condition: Condition
    normal: int
    window: int
    over: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What a check's conditions ask for: windows (fact, slot's length in seconds, rounds that make it known), the facts whose normal is learned,
    how many rounds a period needs, and the conditions themselves."""

    windows: tuple[tuple[str, float, int], ...]
    facts: tuple[str, ...]
    least: int
    down: tuple[Line, ...]
    degraded: tuple[Line, ...]


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
    facts = sorted({one.fact for one in conditions})
    spans = sorted({(one.fact, one.over.total_seconds()) for one in conditions if one.over is not None})

    def lines(conditions: Iterable[Condition]) -> tuple[Line, ...]:
        found = []
        for one in conditions:
            seconds = 0.0 if one.over is None else one.over.total_seconds()
            window = spans.index((one.fact, seconds)) if seconds else -1
            found.append(Line(one, facts.index(one.fact), window, amount(seconds, "seconds") if seconds else ""))
        return tuple(found)

    return Needs(
        windows=tuple((fact, over / SLOTS, max(2, math.ceil(over / every / 2))) for fact, over in spans),
        facts=tuple(facts),
        least=max(4, int(_PERIOD / every / 4)),
        down=lines(check.policy.down_if),
        degraded=lines(check.policy.degraded_if),
    )


def fitted(habit: Habit, needed: Needs) -> Habit:
    """The habit with exactly the windows and normals that are needed now, those known already as they are."""
    same = len(habit.lessons) == len(needed.facts) and len(habit.windows) == len(needed.windows)
    if same and all(one.fact == fact for one, fact in zip(habit.normals, needed.facts, strict=True)):
        wanted = zip(habit.windows, needed.windows, strict=True)
        if all(one.fact == fact and one.length == length for one, (fact, length, _) in wanted):
            return habit
    normals = {normal.fact: normal for normal in habit.normals}
    lessons = dict(zip(normals, habit.lessons, strict=False))
    windows = {(window.fact, window.length): window for window in habit.windows}
    return replace(
        habit,
        normals=tuple(normals.get(fact) or Normal(fact=fact) for fact in needed.facts),
        lessons=tuple(lessons.get(fact) or Lesson() for fact in needed.facts),
        windows=tuple(
            windows.get((fact, length)) or Recent(fact=fact, length=length) for fact, length, _ in needed.windows
        ),
        waiting=(),
    )


def take(habit: Habit, needed: Needs, state: CheckState, outcome: Outcome) -> Reading:
    """Take in one outcome that saw, and say what the conditions make of it. `state` is the check's before this outcome."""
    at = outcome.started_at.timestamp()
    habit = fitted(habit, needed)
    down = state.state is State.DOWN
    rounds = () if down or not habit.windows else habit.waiting
    if habit.windows and not (down and outcome.seen is not Seen.OK):
        rounds = (*rounds, _round(at, outcome.facts, needed))
    if outcome.seen is not Seen.OK:
        return Reading(habit if rounds == habit.waiting else replace(habit, waiting=rounds), Said(), learned=False)
    windows = tuple(
        [_moved(place, window, rounds, int(at // window.length)) for place, window in enumerate(habit.windows)]
    )
    look = _Look(habit.normals, windows, needed, outcome.facts, state)
    said = look.said()
    well = not down and said.down is None
    period, learned = int(at // _PERIOD), False
    normals, lessons = [], []
    for normal, lesson in zip(habit.normals, habit.lessons, strict=True):
        if lesson.period != period:
            closed = _closed(normal, lesson, needed.least)
            learned = learned or closed is not normal
            normal, lesson = closed, Lesson(period)
        normal, teaches = look.health(normal)
        value = outcome.facts.get(normal.fact)
        if well and teaches and value is not None and math.isfinite(value):
            lesson = _taught(lesson, value)
        normals.append(normal)
        lessons.append(lesson)
    new = Habit(check=habit.check, normals=tuple(normals), lessons=tuple(lessons), windows=windows)
    return Reading(new, said, learned)


def accepted(habit: Habit) -> Habit:
    """A person said that what is ill is how it is now: it is learned anew. The same habit when nothing is ill."""
    if not any(normal.ill for normal in habit.normals):
        return habit
    lessons = habit.lessons or (Lesson(),) * len(habit.normals)
    pairs = list(zip(habit.normals, lessons, strict=True))
    return replace(
        habit,
        normals=tuple(Normal(fact=one.fact, accepted=True) if one.ill else one for one, _ in pairs),
        lessons=tuple(Lesson() if one.ill else lesson for one, lesson in pairs),
    )


def median(values: Sequence[float]) -> float:
    """The middle one, or the mean of the two in the middle; of at least one value."""
    ordered = sorted(values)
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


class _Look:
    """One good outcome against the lines: which are crossed, with the normals as they were before this outcome."""

    __slots__ = ("_beyond", "_by", "_degraded", "_facts", "_ill", "_needed", "_normals", "_state", "_windows")

    def __init__(
        self,
        normals: Sequence[Normal],
        windows: Sequence[Recent],
        needed: Needs,
        facts: Mapping[str, float],
        state: CheckState,
    ) -> None:
        self._normals, self._windows, self._needed, self._facts, self._state = normals, windows, needed, facts, state
        self._degraded = state.state is State.DEGRADED
        self._by = crossed_fact(state.detail) if state.detail else ""
        self._beyond: list[str] = []
        self._ill: list[str] = []

    def said(self) -> Said:
        """What the judge is told."""
        state = self._state
        held = state.state is State.DOWN and state.reason is Reason.DOWN_IF
        down, _ = self._first(self._needed.down, held, as_written=True)
        degraded, at_once = self._first(self._needed.degraded, self._degraded)
        return Said(down, degraded, at_once)

    def health(self, normal: Normal) -> tuple[Normal, bool]:
        """The normal with whether it is ill now, and whether this round may teach it anything."""
        fact = normal.fact
        ill = fact in self._ill or (normal.ill and self._degraded)
        if ill is not normal.ill:
            normal = replace(normal, ill=ill)
        return normal, not (ill or fact in self._beyond or (self._degraded and self._by == fact))

    def _first(self, lines: Iterable[Line], held: bool, *, as_written: bool = False) -> tuple[str | None, bool]:
        """The detail of the first line that is crossed, and whether it has waited already; one with a window goes before others."""
        found, unsure = None, False
        for line in lines:
            crossed = self._crossed(line, held)
            if crossed is None:
                unsure = unsure or line.condition.fact == self._by
            elif crossed:
                condition = line.condition
                self._beyond.append(condition.fact)
                if condition.times is not None:
                    self._ill.append(condition.fact)
                elif as_written and condition.over is None:
                    crossed = condition.text
                if found is None or (condition.over is not None and not found[1]):
                    found = (crossed, condition.over is not None)
        if found is None and unsure and held:
            return self._state.detail, False
        return found or (None, False)

    def _crossed(self, line: Line, held: bool) -> str | None:
        """The detail of a crossed line, nothing for one that is not crossed, None where nobody knows yet."""
        condition, at, window, over = line
        normal, limit, op = self._normals[at], condition.value, condition.op
        if condition.times is not None:
            if normal.value is None:
                return "" if normal.accepted else None
            limit += condition.times * normal.value
        stands = limit
        if held and (window >= 0 or condition.times is not None):
            stands = _nearer(limit, op, normal.value)
        if window < 0:
            value = self._facts.get(condition.fact)
            if value is None or value != value:
                return ""
        else:
            recent = self._windows[window]
            if recent.rounds < self._needed.windows[window][2]:
                return None
            value = recent.total / recent.weight
            # What one slot says too loudly makes the line easier to cross, never harder: no need to look where it is not crossed at all.
            if COMPARE[op](value, stands) and not COMPARE[op](_tempered(recent.slots, op), stands):
                return ""
        if not COMPARE[op](value, stands):
            return ""
        return crossing(condition.fact, value, op, limit, condition.unit, over=over, normal=normal.value)


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
    """What of an outcome goes into each window. A loss weighs what was sent, so that it is lost of sent over the whole window."""
    measured = []
    for fact, _, _ in needed.windows:
        value = facts.get(fact)
        if value is None or not math.isfinite(value):
            measured.append((0.0, 0.0))
            continue
        weight = facts.get("sent", 1.0) if fact == "loss" else 1.0
        measured.append((value, weight if weight > 0 else 1.0))
    return Round(at, tuple(measured))


def _moved(place: int, window: Recent, rounds: Iterable[Round], now: int) -> Recent:
    """The window, at its place among the others, with these rounds in it, and what is too old out of it."""
    slots = list(window.slots)
    for at, measured in rounds:
        value, weight = measured[place]
        if not weight:
            continue
        slot = int(at // window.length)
        if slots and slots[-1].place == slot:
            _, total, before, count = slots.pop()
            slots.append(Slot(slot, total + value * weight, before + weight, count + 1))
        else:
            slots.append(Slot(slot, value * weight, weight, 1))
    oldest = now - SLOTS
    total = weight = 0.0
    count = old = 0
    for slot_, of_slot, weighs, rounds_ in slots:
        if slot_ <= oldest:
            old += 1
            continue
        total += of_slot
        weight += weighs
        count += rounds_
    return Recent(
        fact=window.fact, length=window.length, slots=tuple(slots[old:]), total=total, weight=weight, rounds=count
    )


def _tempered(slots: Sequence[Slot], op: str) -> float:
    """The fact over the window, with the slot that speaks loudest for the line being crossed speaking no louder than the second loudest."""
    means = [slot.total / slot.weight for slot in slots]
    if len(means) > 1:
        second, loudest = sorted(means)[-2:] if op in (">", ">=") else sorted(means, reverse=True)[-2:]
        means[means.index(loudest)] = second
    weights = [slot.weight for slot in slots]
    return sum(mean * weight for mean, weight in zip(means, weights, strict=True)) / sum(weights)


def _taught(lesson: Lesson, value: float) -> Lesson:
    """The lesson with one more value, thinned when there are too many."""
    period, rounds, stride, values = lesson
    if rounds % stride == 0:
        values = (*values, value)
        if len(values) == KEPT:
            values, stride = values[::2], stride * 2
    return Lesson(period, rounds + 1, stride, values)


def _closed(normal: Normal, lesson: Lesson, least: int) -> Normal:
    """The normal after a period that is over; the very same when the period taught too little."""
    if lesson.rounds < least:
        return normal
    ring = (*normal.ring, median(lesson.values))[-RING:]
    value = median(ring) if len(ring) >= ENOUGH else None
    return replace(normal, ring=ring, value=value, accepted=normal.accepted and value is None)
