"""When messages wait for one another, and when they are told together: the law of a storm. Pure; times are seconds of one monotonic clock.

Owns: the numbers, and the decision. Never: sends, stores, reads a clock, or delays what is critical or high.

The law, for one receiver and for messages of medium and low severity. In the **calm** every message goes at once, as it is. It is calm while
fewer than STORM incidents had news in the last WINDOW (what was told together before, and now has news again, counts too). Only a second
incident that begins within NEAR of another waits for company, COMPANY at the most.

In a **storm** what there is leaves as one message:

* the first two requests after RUSH or HURRY without anything new (at the latest after BRIEF or COMPANY): a fault is known soon, and whole;
* the third when nothing new has come for SETTLED, at the latest after LONG: the stragglers come together;
* never more than REQUESTS in a WINDOW, but for the first one of a burst, which must be told whatever was told before it;
* ends alone are in no hurry: they wait for the ends of all that was told together with them, while one follows another within ENDS_QUIET,
  at the latest for ENDS_LONG. So a recovery is one message;
* while the receiver fails and something is being tried, the next request comes after twice as long each time: there is not much to send when
  it is back.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

STORM: Final = 3
"""Incidents with news inside a WINDOW that are a storm."""
WINDOW: Final = 900.0
REQUESTS: Final = 3
"""Requests in a WINDOW, in a storm."""
NEAR: Final = 60.0
"""Seconds after a request in which the beginning of another incident waits for company."""
COMPANY: Final = 10.0
HURRY: Final = 3.0
RUSH: Final = 1.0
BRIEF: Final = 3.0
"""RUSH and BRIEF hold for the first request in a WINDOW, HURRY and COMPANY for the second."""
SETTLED: Final = 60.0
LONG: Final = 300.0
ENDS_QUIET: Final = 90.0
ENDS_LONG: Final = 600.0


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
    """What one receiver was sent: the requests of the last WINDOW, and when it was first told of each incident that it has seen no end of."""

    requests: list[Request] = field(default_factory=list)
    begun: dict[str, float] = field(default_factory=dict)

    def left(self, at: float, lanes: Iterable[tuple[str, bool]], *, gathered: bool) -> None:
        """A request left; of each lane, whether it told its end."""
        known = dict(lanes)
        self.requests.append(Request(at, frozenset(known), gathered))
        for lane, ended in known.items():
            if ended:
                self.begun.pop(lane, None)
            else:
                self.begun.setdefault(lane, at)

    def forget(self, now: float) -> None:
        """Let go of requests that count no more."""
        self.requests = [each for each in self.requests if each.at > now - WINDOW]

    def companions(self, lanes: Iterable[str]) -> set[str]:
        """Those that were told within a WINDOW of one of `lanes` and have not ended, these among them."""
        begun = sorted({self.begun[lane] for lane in lanes if lane in self.begun})
        if not begun:
            return set()
        return {lane for lane, at in self.begun.items() if _near(at, begun)}


def _near(at: float, moments: Sequence[float]) -> bool:
    return any(abs(at - each) <= WINDOW for each in (moments if len(moments) <= 8 else (moments[0], moments[-1]))) or (
        moments[0] <= at <= moments[-1]
    )


def weigh(held: Sequence[Waiting], past: Past, now: float, *, not_before: float = 0.0) -> Verdict:
    """What to do with what waits (at least one); `not_before` is for receivers that fail or asked to be left alone."""
    past.forget(now)
    recent = frozenset().union(*(each.lanes for each in past.requests))
    lanes = [each.lane for each in held]
    companions = past.companions(lanes)
    if len(recent.union(lanes, companions)) < STORM:
        return _calm(held, past, recent, now)
    at = max(_due(held, past, companions.difference(lanes)), not_before)
    return Verdict(together=True) if at <= now else Verdict(look=at)


def _calm(held: Sequence[Waiting], past: Past, recent: frozenset[str], now: float) -> Verdict:
    alone: list[str] = []
    look: float | None = None
    near = any(now - each.at < NEAR for each in past.requests)
    for each in sorted(held, key=lambda one: one.since):
        begins = not each.ends and each.lane not in recent and each.lane not in past.begun
        until = each.since + COMPANY
        if begins and near and until > now:
            look = until if look is None else min(look, until)
        else:
            alone.append(each.lane)
            near = True
    return Verdict(alone=tuple(alone), look=look)


def _due(held: Sequence[Waiting], past: Past, missing: set[str]) -> float:
    """When all of it may leave as one."""
    news = [each for each in held if not each.ends]
    count = len(past.requests)
    first, last = min(each.since for each in news or held), max(each.latest for each in news or held)
    if not news:
        ready = min(last + ENDS_QUIET, first + ENDS_LONG) if missing else last
    elif count == 0:
        ready = min(last + RUSH, first + BRIEF)
    elif count == 1 or _bursts(held, past):
        return min(last + HURRY, first + COMPANY)
    else:
        ready = min(last + SETTLED, first + LONG)
    return ready if count < REQUESTS else max(ready, past.requests[-REQUESTS].at + WINDOW)


def _bursts(held: Sequence[Waiting], past: Past) -> bool:
    """Whether much has come at once and nothing has been told together yet."""
    return len(held) >= STORM and not any(each.gathered for each in past.requests)
