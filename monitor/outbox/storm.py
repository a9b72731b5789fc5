"""When messages wait for one another, and when they are told together: the law of a storm. Pure; times are seconds of one monotonic clock.

Owns: the numbers, and the decision. Never: sends, stores, reads a clock, or delays what is critical or high.

The law, for one receiver and for messages of medium and low severity; the lengths are those of a window of 15 minutes, and go with it.

In the **calm** every message goes at once, as it is. It is calm while fewer than STORM incidents had news in the window (what was told together
before, and now has news again, counts too). Only a second incident that begins within a minute of another waits for company, 10 s at the most.

In a **storm** what there is leaves as one message:

* the first request one second after the latest news, at the latest after 3; the second after 3, at the latest after 10: a fault is known soon;
* the third when nothing new has come for a minute, at the latest after five: the stragglers come together;
* never more than REQUESTS in a window, but for the first one of a burst, which is told whatever was told before it;
* ends alone are in no hurry: they wait for the ends of all that was told together with them, while one follows another within 90 s, at the
  latest for ten minutes. So a recovery is one message;
* while the receiver fails and something is being tried, the next request comes after twice as long each time: there is not much to send when
  it is back.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

STORM: Final = 3
"""Incidents with news inside a window that are a storm."""
REQUESTS: Final = 3
"""Requests in a window, in a storm."""


@dataclass(frozen=True, slots=True)
class Law:
    """The lengths of waiting, in seconds, of one `window`. Each pair is how long it must be quiet, and the longest that anything waits."""

    window: float

    @property
    def near(self) -> float:
        """After a request, how long the beginning of another incident waits for company."""
        return self.window / 15

    @property
    def company(self) -> float:
        """And for how long."""
        return self.window / 90

    @property
    def first(self) -> tuple[float, float]:
        """Before the first request of a window."""
        return self.window / 900, self.window / 300

    @property
    def second(self) -> tuple[float, float]:
        """Before the second."""
        return self.window / 300, self.company

    @property
    def third(self) -> tuple[float, float]:
        """Before the last that the window has."""
        return self.window / 15, self.window / 3

    @property
    def ends(self) -> tuple[float, float]:
        """While others that were told together have not ended."""
        return self.window / 10, self.window * 2 / 3


@dataclass(frozen=True, slots=True)
class Waiting:
    """An incident with news that has not left: since the first of it, up to the latest, which may be an end."""

    lane: str
    since: float
    latest: float
    ends: bool


@dataclass(frozen=True, slots=True)
class Request:
    """What left at `at`, about which incidents; `gathered` when it was made of several messages."""

    at: float
    lanes: frozenset[str]
    gathered: bool


@dataclass(frozen=True, slots=True)
class Verdict:
    """Lanes to let go now as they are; or all as one; or neither, and when to look again (None: when something changes)."""

    alone: tuple[str, ...] = ()
    together: bool = False
    look: float | None = None


@dataclass(slots=True)
class Past:
    """What one receiver was sent: the requests of the last window, and when it was first told of each incident that it has seen no end of."""

    requests: list[Request] = field(default_factory=list)
    begun: dict[str, float] = field(default_factory=dict)

    def left(self, at: float, lanes: Iterable[tuple[str, bool]], *, gathered: bool) -> None:
        """A request left; of each lane, whether it told its end."""
        known = dict(lanes)
        self.requests.append(Request(at, frozenset(known), gathered))
        self.told(at, known.items())

    def told(self, at: float, lanes: Iterable[tuple[str, bool]]) -> None:
        """Of each lane, whether it told its end."""
        for lane, ended in lanes:
            if ended:
                self.begun.pop(lane, None)
            else:
                self.begun.setdefault(lane, at)

    def forget(self, before: float) -> None:
        """Let go of requests that count no more."""
        self.requests = [each for each in self.requests if each.at > before]

    def companions(self, lanes: Iterable[str], window: float) -> set[str]:
        """Those that were told within a window of one of `lanes` and have not ended, these among them."""
        begun = [self.begun[lane] for lane in lanes if lane in self.begun]
        if not begun:
            return set()
        first, last = min(begun) - window, max(begun) + window
        return {lane for lane, at in self.begun.items() if first <= at <= last}


def weigh(held: Sequence[Waiting], past: Past, now: float, law: Law, *, not_before: float = 0.0) -> Verdict:
    """What to do with what waits (at least one); `not_before` is for receivers that fail or asked to be left alone."""
    past.forget(now - law.window)
    recent = frozenset().union(*(each.lanes for each in past.requests))
    lanes = [each.lane for each in held]
    companions = past.companions(lanes, law.window)
    if len(recent.union(lanes, companions)) < STORM:
        return _calm(held, past, recent, now, law)
    at = max(_due(held, past, companions.difference(lanes), law), not_before)
    return Verdict(together=True) if at <= now else Verdict(look=at)


def _calm(held: Sequence[Waiting], past: Past, recent: frozenset[str], now: float, law: Law) -> Verdict:
    alone: list[str] = []
    look: float | None = None
    near = any(now - each.at < law.near for each in past.requests)
    for each in sorted(held, key=lambda one: one.since):
        begins = not each.ends and each.lane not in recent and each.lane not in past.begun
        until = each.since + law.company
        if begins and near and until > now:
            look = until if look is None else min(look, until)
        else:
            alone.append(each.lane)
            near = True
    return Verdict(alone=tuple(alone), look=look)


def _due(held: Sequence[Waiting], past: Past, missing: set[str], law: Law) -> float:
    """When all of it may leave as one; `missing` are those whose ends it may wait for."""
    news = [each for each in held if not each.ends]
    count = len(past.requests)
    burst = len(held) >= STORM and not any(each.gathered for each in past.requests)
    if not news:
        quiet, longest = law.ends if missing else (0.0, 0.0)
    elif count == 0:
        quiet, longest = law.first
    elif count == 1 or burst:
        quiet, longest = law.second
    else:
        quiet, longest = law.third
    since, latest = min(each.since for each in news or held), max(each.latest for each in news or held)
    ready = min(latest + quiet, since + longest) if longest else latest
    if count < REQUESTS or (news and burst):
        return ready
    return max(ready, past.requests[-REQUESTS].at + law.window)
