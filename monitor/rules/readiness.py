"""Whether the points of a video meeting are ready: who takes part, what is looked at, and what is told when.

Owns: the way from a point to its link, the lines a link must keep, what counts as a change, when something is due.
Never: runs a probe, reads a clock or words a sentence; `now` is always an argument.

The law of one point, the first that fits deciding: something above it is down → `link` or `upstream`; its link does not answer → `link`; it is
down or a check that can bring it down fails → `endpoint`; one of these was not seen → `unknown`; its link loses too much → `loss`, or sounds too
bad → `mos`; else it is ready. What we could not see is never ready, and never makes a point that was ready any worse.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from monitor.model import Catalogue, Check, Effect, Lack, Meeting, MeetingPlan, NodeState, Point, Readiness, State
from monitor.rules.ipv6 import insists
from probes.contract import Outcome, Reason, Seen

LOSS: Final = 0.01
"""Share of a link's packets that may be lost, not reached: video bridges call 1 % and more a major fault."""

MOS: Final = 3.6
"""The least estimated score for speech with which a point is ready; below it is degraded."""

CALM: Final = timedelta(minutes=5)
"""Between two messages about one meeting."""

ROUNDS: Final = 2
"""Rounds of the meeting's pace that a change must last to be one."""

ECHO: Final = "icmp"
"""The kind of probe that measures a link."""


# --- who takes part ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One point and what it hangs on: `above` are its ancestors, nearest first; `link` is the check that measures its link."""

    node: str
    checks: tuple[Check, ...]
    above: tuple[str, ...]
    link: Check | None

    @property
    def vital(self) -> tuple[Check, ...]:
        """The point's own checks that can bring it down."""
        return tuple(check for check in self.checks if check.effect is Effect.DOWN)


def way(catalogue: Catalogue, node: str) -> Way:
    """The way of a node; its link is the nearest node on it, itself first, that has an echo check."""
    near = tuple(_nearest(catalogue, node))
    links = (link for each in near if (link := _echo(catalogue, each)) is not None)
    return Way(
        node=node,
        checks=tuple(_checks(catalogue, node)),
        above=near[1:],
        link=next(links, None),
    )


def _nearest(catalogue: Catalogue, node: str) -> Iterator[str]:
    """The node and its ancestors, breadth first, each once."""
    row, met = [node], {node}
    while row:
        yield from row
        above = [need for each in row for need in catalogue.nodes[each].depends_on if need in catalogue.nodes]
        row = [need for need in dict.fromkeys(above) if need not in met]
        met.update(row)


def _checks(catalogue: Catalogue, node: str) -> Iterator[Check]:
    for name in catalogue.nodes[node].checks:
        check = catalogue.checks.get(name)
        if check is not None:
            yield check


def _echo(catalogue: Catalogue, node: str) -> Check | None:
    """A node's echo check: one that can bring it down before one that cannot, and one that insists on IPv6 last."""
    found = [check for check in _checks(catalogue, node) if check.kind == ECHO]
    return min(found, key=lambda check: (check.effect is not Effect.DOWN, insists(check.spec)), default=None)


def asked(catalogue: Catalogue, ways: Iterable[Way]) -> tuple[Check, ...]:
    """What a readiness run looks at, each once: all checks of the points, and of what they hang on those that can bring it down."""
    found: dict[str, Check] = {}
    for each in ways:
        found.update((check.id, check) for check in each.checks)
        for node in each.above:
            found.update((check.id, check) for check in _checks(catalogue, node) if check.effect is Effect.DOWN)
        if each.link is not None:
            found[each.link.id] = each.link
    return tuple(found.values())


def pace(ways: Iterable[Way], catalogue: Catalogue, every: timedelta) -> dict[str, timedelta]:
    """The checks that a meeting makes run more often: those of the points and of their links that run more rarely, and are quick enough."""
    found: dict[str, Check] = {}
    for each in ways:
        found.update((check.id, check) for check in each.checks)
        if each.link is not None:
            found.update((check.id, check) for check in _checks(catalogue, each.link.node))
    return {id: every for id, check in found.items() if check.timeout < every < check.every}


def speech(link: Check | None, last: Callable[[str], Outcome | None]) -> float | None:
    """The estimated score for speech over a link by its latest figures (1..4.5); None where it has none, or did not answer."""
    outcome = last(link.id) if link is not None else None
    return outcome.facts.get("mos") if outcome is not None and outcome.seen is Seen.OK else None


# --- judging ----------------------------------------------------------------------------------------------------------


def judge(
    each: Way, states: Mapping[str, NodeState], latest: Mapping[str, Outcome], since: Mapping[str, datetime] | datetime
) -> Point:
    """One point, from what was judged of it and what was seen no earlier than `since` (one moment, or one for each check)."""

    def fresh(check: Check) -> Outcome | None:
        outcome = latest.get(check.id)
        oldest = since if isinstance(since, datetime) else since.get(check.id)
        return outcome if outcome is not None and oldest is not None and outcome.started_at >= oldest else None

    link = fresh(each.link) if each.link is not None else None
    facts = link.facts if link is not None and link.seen is not Seen.BLIND else {}
    point = Point(node=each.node, loss=facts.get("loss"), mos=facts.get("mos"))
    lack = _above(each, states) or _link_silent(each, link) or _itself(each, states, fresh)
    if lack is None and each.link is not None and (link is None or link.seen is Seen.BLIND):
        lack = (Lack.UNKNOWN, link.reason if link is not None else Reason.OK, "")
    if lack is None and point.loss is not None and point.loss >= LOSS:
        lack = (Lack.LOSS, Reason.OK, _blamed(each))
    if lack is None and point.mos is not None and point.mos < MOS:
        lack = (Lack.MOS, Reason.OK, _blamed(each))
    return point if lack is None else replace(point, lack=lack[0], reason=lack[1], blamed_on=lack[2])


Fault = tuple[Lack, Reason, str]


def _blamed(each: Way) -> str:
    return each.link.node if each.link is not None and each.link.node != each.node else ""


def _above(each: Way, states: Mapping[str, NodeState]) -> Fault | None:
    """The nearest thing above that is down; what stopped it, where something did."""
    for node in each.above:
        state = states.get(node)
        if state is not None and state.state.failing:
            mine = each.link is not None and node == each.link.node and state.state is State.DOWN
            return (Lack.LINK if mine else Lack.UPSTREAM, state.reason, state.blamed_on or node)
    return None


def _link_silent(each: Way, link: Outcome | None) -> Fault | None:
    if each.link is None or each.link.node == each.node or link is None or link.seen is not Seen.FAILED:
        return None
    if each.link.effect is not Effect.DOWN and "loss" in link.facts:
        # It only measures: whether the link is down others say, and what it lost is told as a loss.
        return None
    return Lack.LINK, link.reason, each.link.node


def _itself(each: Way, states: Mapping[str, NodeState], fresh: Callable[[Check], Outcome | None]) -> Fault | None:
    state = states.get(each.node)
    if state is not None and state.state is State.UNREACHABLE:
        return Lack.UPSTREAM, state.reason, state.blamed_on
    if state is not None and state.state is State.DOWN:
        return Lack.ENDPOINT, state.reason, ""
    seen = [fresh(check) for check in each.vital]
    failed = next((outcome for outcome in seen if outcome is not None and outcome.seen is Seen.FAILED), None)
    if failed is not None:
        return Lack.ENDPOINT, failed.reason, ""
    blind = next((outcome for outcome in seen if outcome is None or outcome.seen is Seen.BLIND), None)
    if not seen or None in seen or blind is not None:
        return Lack.UNKNOWN, blind.reason if blind is not None else Reason.OK, ""
    return None


# --- what changes -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How the points of a meeting stand: `points` as last believed, and since when another verdict has been seen of some (`doubted`)."""

    points: Mapping[str, Point]
    doubted: Mapping[str, datetime]


def settle(standing: Standing, seen: Iterable[Point], now: datetime, hold: timedelta) -> Standing:
    """Believe what was seen: at once while readiness does not change by it, after `hold` where it does, never where nothing was seen."""
    points: dict[str, Point] = {}
    doubted: dict[str, datetime] = {}
    for point in seen:
        former = standing.points.get(point.node)
        if former is None or (former.ready == point.ready and point.lack is not Lack.UNKNOWN):
            points[point.node] = point
        elif point.lack is Lack.UNKNOWN:
            points[point.node] = former
        elif now - (since := standing.doubted.get(point.node, now)) >= hold:
            points[point.node] = point
        else:
            points[point.node], doubted[point.node] = former, since
    return Standing(points=points, doubted=doubted)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Points by id that are ready now and were not when it was last told, and those that no longer are."""

    ready: tuple[str, ...] = ()
    lacking: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.ready or self.lacking)


def change(told: Readiness, points: Iterable[Point]) -> Change:
    """What is different from what was told. A point that has joined since is one that was ready: it is told when it is not."""
    before = {point.node: point.ready for point in told.points}
    now = list(points)
    return Change(
        ready=tuple(point.node for point in now if point.ready and not before.get(point.node, True)),
        lacking=tuple(point.node for point in now if not point.ready and before.get(point.node, True)),
    )


# --- what is due ------------------------------------------------------------------------------------------------------


def occurrence(plan: MeetingPlan, start: datetime, end: datetime) -> Meeting:
    """The meeting of a plan that begins at `start`."""
    return Meeting(
        id=f"{plan.id}@{start.astimezone(UTC):%Y%m%dT%H%M%SZ}",
        plan=plan.id,
        name=plan.name,
        nodes=plan.nodes,
        start=start,
        end=end,
        ready_at=start - plan.ready_before,
        every=plan.every,
    )


def watched(meeting: Meeting, now: datetime) -> bool:
    """Whether its points are probed at its pace: from the readiness run to its end."""
    return meeting.ready_at <= now < meeting.end


def due(meeting: Meeting, told: Readiness | None, now: datetime) -> bool:
    """Whether the readiness run is to be made: once, from its moment until the meeting begins."""
    return told is None and bool(meeting.nodes) and meeting.ready_at <= now < meeting.start


def due_update(
    meeting: Meeting, told: Readiness | None, points: Sequence[Point], now: datetime, calm: timedelta = CALM
) -> Change:
    """The change to be told now; an empty one while there is none, or it is too soon."""
    if told is None or not watched(meeting, now) or now - told.at < calm:
        return Change()
    return change(told, points)
