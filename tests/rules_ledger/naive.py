"""The same figures once more, without any interval arithmetic: second by second, from the outcomes themselves.

Owns: random histories of outcomes, and what a patient clerk would count from them. Shares no code with `monitor.rules.ledger`.
"""

import random
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np

from monitor.model import Gap, State, Transition, Window

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
STATES = list(State)
GOOD = {"up", "degraded"}
CODES = ["up", "degraded", "down", "unreachable", "unknown", "excluded"]


def when(second: int) -> datetime:
    return EPOCH + timedelta(seconds=second)


@dataclass
class History:
    """Outcomes as (second, state), and what lay over them, as (since, until) in seconds."""

    outcomes: list[tuple[int, str]]
    gaps: list[tuple[int, int]] = field(default_factory=list)
    windows: list[tuple[int, int]] = field(default_factory=list)

    def transitions(self, chance: random.Random) -> list[Transition]:
        """What the judge would have written, out of order and with a contradicted first judgement here and there."""
        rows: list[Transition] = []
        for index, (second, state) in enumerate(self.outcomes):
            former = self.outcomes[index - 1] if index else None
            if former is not None and former[1] == state:
                continue
            after = when(former[0]) if former else None
            judged = when(second + 30)
            rows.append(Transition(subject="n", at=when(second), state=State(state), after=after, judged_at=judged))
            if chance.random() < 0.05:
                wrong = chance.choice(STATES)
                early = judged - timedelta(seconds=5)
                rows.append(Transition(subject="n", at=when(second), state=wrong, after=after, judged_at=early))
        chance.shuffle(rows)
        return rows

    def all_gaps(self) -> list[Gap]:
        return [Gap(since=when(one), until=when(two)) for one, two in self.gaps]

    def all_windows(self) -> list[Window]:
        return [
            Window(id=str(i), plan="p", nodes=frozenset({"n"}), start=when(one), end=when(two))
            for i, (one, two) in enumerate(self.windows)
        ]


def invent(chance: random.Random, start: int, end: int, *, most: int = 12) -> History:
    """A history around [start, end) that begins before, inside or never, and often touches the borders."""
    length = end - start
    reach = max(4, length // 3)

    def second() -> int:
        return (
            chance.choice([start, end, start - 1, end - 1])
            if chance.random() < 0.1
            else chance.randrange(start - reach, end + reach)
        )

    def stretches(count: int) -> list[tuple[int, int]]:
        found = []
        for _ in range(count):
            one = second()
            found.append((one, one + chance.randrange(-1, max(2, length // 4))))
        return found

    moments = sorted({second() for _ in range(chance.randrange(most + 1))})
    sticky = chance.random()
    outcomes: list[tuple[int, str]] = []
    for moment in moments:
        again = outcomes and chance.random() < sticky / 2
        outcomes.append((moment, outcomes[-1][1] if again else chance.choice(STATES).value))
    return History(outcomes, stretches(chance.randrange(3)), stretches(chance.randrange(3)))


@dataclass
class Count:
    """What the clerk counted, in seconds; `doubts` by (counted as, may have been)."""

    time: Counter
    doubts: Counter
    outages: list[int]
    """Seconds of each."""
    ended: list[int]


def kind(state: str) -> str | None:
    return "up" if state in GOOD else state if state in ("down", "unreachable") else None


def clerk(history: History, start: int, end: int) -> Count:
    """Ask of every second: what was the last outcome, did anybody look, was it announced?"""
    time, doubts, outages, ended, on = Counter(), Counter(), [], [], False
    for second in range(start, end):
        before = [state for at, state in history.outcomes if at <= second]
        base = before[-1] if before else "unknown"
        state = base
        if any(one <= second < two for one, two in history.windows):
            state = "excluded"
        if any(one <= second < two for one, two in history.gaps) or base == "unknown":
            state = "unknown"
        time[state] += 1
        if kind(state) == "up":
            if on:
                ended.append(outages[-1])
            on = False
        elif kind(state):
            outages[len(outages) :] = [] if on else [0]
            outages[-1] += 1
            on = True
        if kind(state):
            seen = [kind(s) for at, s in history.outcomes if at <= second and kind(s)]
            next_seen = [kind(s) for at, s in history.outcomes if at > second and kind(s)]
            if next_seen and next_seen[0] != seen[-1] and second >= _last_like(history, second):
                doubts[seen[-1], next_seen[0]] += 1
    return Count(time, doubts, outages, ended)


def _last_like(history: History, second: int) -> int:
    return max(at for at, state in history.outcomes if at <= second and kind(state))


def painter(history: History, start: int, end: int) -> Count:
    """The same for long periods: every second is a cell, painted over and counted."""
    cells = np.full(end - start, CODES.index("unknown"), np.uint8)
    doubt = np.zeros(end - start, np.uint8)
    pairs = [(a, b) for a in ("up", "down", "unreachable") for b in ("up", "down", "unreachable") if a != b]

    def part(one: int, two: int) -> slice:
        return slice(max(one, start) - start, max(min(two, end) - start, 0))

    ends = [at for at, _ in history.outcomes[1:]] + [max(end, start)]
    for (at, state), until in zip(history.outcomes, ends, strict=False):
        cells[part(at, until)] = CODES.index(state)
    known = [(at, kind(state)) for at, state in history.outcomes if kind(state)]
    for (at, one), (until, two) in pairwise(known):
        if one != two:
            doubt[part(at, until)] = pairs.index((one, two)) + 1
    base = cells.copy()
    for one, two in history.windows:
        cells[part(one, two)] = CODES.index("excluded")
    cells[base == CODES.index("unknown")] = CODES.index("unknown")
    for one, two in history.gaps:
        cells[part(one, two)] = CODES.index("unknown")
    doubt[(cells >= 4) | (base >= 4)] = 0
    time = Counter({name: int(np.count_nonzero(cells == code)) for code, name in enumerate(CODES)})
    doubts = Counter({pair: int(np.count_nonzero(doubt == i + 1)) for i, pair in enumerate(pairs)})
    outages, ended = _runs(cells)
    return Count(time, doubts, outages, ended)


def _runs(cells: np.ndarray) -> tuple[list[int], list[int]]:
    edges = np.flatnonzero(np.diff(cells)) + 1
    starts = [0, *edges.tolist()]
    outages: list[int] = []
    ended: list[int] = []
    on = False
    for one, two in zip(starts, [*edges.tolist(), len(cells)], strict=True):
        state = CODES[cells[one]]
        if kind(state) == "up":
            if on:
                ended.append(outages[-1])
            on = False
        elif kind(state):
            if not on:
                outages.append(0)
            outages[-1] += two - one
            on = True
    return outages, ended
