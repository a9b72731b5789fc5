"""One link alone: its habit and its verdict, round by round, without a world around it."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import timedelta

from monitor.model import CheckState, Policy, State, Transition
from monitor.model.habits import Habit, Normal
from monitor.rules.habit import Needs, needs, take
from monitor.rules.judge import Said, step
from monitor.settings.conditions import condition
from probes import KINDS
from probes.contract import Seen
from tests.rules.driver import check, outcome, sec, t

FACTS = KINDS["icmp"].facts


def policy(*degraded_if: str, down_if: Iterable[str] = (), every: float = 60, **more: int) -> Policy:
    """A policy out of lines as a person writes them."""

    def made(texts: Iterable[str]) -> tuple[object, ...]:
        return tuple(condition(text, FACTS, timedelta(seconds=every)) for text in texts)

    return replace(Policy(), degraded_if=made(degraded_if), down_if=made(down_if), **more)  # type: ignore[arg-type]


def known(fact: str, value: float) -> Normal:
    """A normal that is known already."""
    return Normal(fact=fact, value=value, ring=(value,) * 28)


@dataclass
class Link:
    """Give it rounds by `see`; it keeps what the judge said."""

    policy: Policy
    every: float = 60
    habit: Habit = field(default_factory=lambda: Habit(check="a/v4"))
    state: CheckState = field(default_factory=lambda: CheckState(check="a/v4"))
    at: float = 0
    rows: list[Transition] = field(default_factory=list)
    said: Said = field(default_factory=Said)

    def __post_init__(self) -> None:
        self.check = check("a/v4", every=self.every, policy=self.policy)
        needed = needs(self.check)
        assert needed is not None
        self.needed: Needs = needed

    def see(self, seen: Seen | str = "ok", at: float | None = None, **facts: float) -> State:
        """One round, at the next beat unless said otherwise; the verdict that stands after it."""
        at = self.at + self.every if at is None else at
        self.at = at
        one = outcome(seen, at, **facts)
        self.said = Said()
        if one.seen is not Seen.BLIND:
            reading = take(self.habit, self.needed, self.state, one)
            self.habit, self.said = reading.habit, reading.said
        made = step(self.state, one, self.policy, t(at), self.said if one.seen is Seen.OK else None)
        self.state = made.state
        for row in made.rows:
            if row.state is not State.UNKNOWN and (not self.rows or self.rows[-1].state is not row.state):
                self.rows.append(row)
        return self.state.state

    def story(self) -> list[tuple[State, float | None]]:
        """The verdicts and since when, without the first."""
        return [(row.state, sec(row.at)) for row in self.rows[1:]]
