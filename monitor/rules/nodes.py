"""From the verdicts on its checks to the state of a node, and who is to blame for it.

Owns: the worst of the checks by their effect, the words "unreachable, blamed on", and the rows that make the node's ledger true when something
is learnt late. Never: counts members (that is `groups`), opens anything.

The laws. Down beats unknown beats degraded beats up; a check never seen says nothing while another speaks. A failing node is unreachable while
something above it is down that can explain it: reached through nodes that do not work themselves (a parent that was measured good explains
nothing, measured truth wins), and not older than the node's failure by more than `GRACE` (what was broken long before stays its own
fault). When the cause comes back, the node stays unreachable until it has shown what it does itself: good, or still failing after `settle`.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from monitor.model import (
    FLAPPING_CHANGES,
    FLAPPING_WINDOW,
    CheckState,
    Effect,
    NodeState,
    Shown,
    State,
    Transition,
)
from monitor.rules.draft import Draft, display
from monitor.rules.topology import House
from probes.contract import Reason

GRACE = timedelta(minutes=10)
"""A failure that began longer than this before the one above it is a fault of its own, not a consequence seen early."""

REMEMBERED = 18
"""Rows of a node's ledger kept in its state, to be corrected by late verdicts."""

WELL = (State.UP, State.DEGRADED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a node is from `start` on: its state at any moment since (`at`), where that may change, and why."""

    state: State
    start: datetime
    at: Callable[[datetime], State]
    edges: tuple[datetime, ...] = ()
    failed_at: datetime | None = None
    blamed_on: str = ""
    released_at: datetime | None = None
    reason: Reason = Reason.OK
    detail: str = ""
    after: datetime | None = None


def started(state: NodeState) -> datetime | None:
    """Since when its failure is its own: from the first failed outcome, or from when what was blamed came back."""
    return state.released_at or state.failed_at


def standing(state: NodeState) -> bool:
    """Whether it is a cause: down by itself, also through a blind stretch."""
    return state.failed_at is not None and not state.blamed_on and state.state in (State.DOWN, State.UNKNOWN)


def said(state: CheckState, when: datetime | None) -> State | None:
    """What a check showed at a moment (None: now); None when it had not been seen."""
    if state.state is State.UNKNOWN:
        return None
    if when is None or not state.shown:
        return display(state)
    for row in reversed(state.shown):
        if row.at <= when:
            return row.state
    return None


def worst(said_by: Iterable[tuple[Effect, State | None]]) -> State:
    """The node's state out of what its checks say, by effect."""
    decisive: list[State | None] = []
    milder: list[State | None] = []
    for effect, state in said_by:
        (decisive if effect is Effect.DOWN else milder).append(state)
    if State.DOWN in decisive:
        return State.DOWN
    if State.UNKNOWN in decisive or not any(decisive or milder):
        return State.UNKNOWN
    if State.DEGRADED in decisive or State.DOWN in milder or State.DEGRADED in milder:
        return State.DEGRADED
    return State.UP if any(decisive) or State.UP in milder else State.UNKNOWN


def suspected_since(draft: Draft, house: House, node: str) -> datetime | None:
    """Since when the node fails or may be failing: the first failed outcome of a check that can take it down, judged or not."""
    found: datetime | None = None
    for check in house.decisive[node]:
        if check.effect is not Effect.DOWN:
            continue
        state = draft.check(check.id)
        since = state.since if state.state is State.DOWN else state.streak_at if state.failures else None
        if since is not None and (found is None or since < found):
            found = since
    return found


def explain(draft: Draft, house: House, node: str, since: datetime) -> str:
    """The highest cause above a node that failed at `since`, or nothing."""
    found, best = "", -1
    stack, visited = list(house.above[node]), {node}
    while stack:
        id = stack.pop()
        if id in visited:
            continue
        visited.add(id)
        state = draft.node(id)
        if standing(state):
            begun = started(state)
            if begun is not None and since >= begun - GRACE and (not found or house.rank[id] < best):
                found, best = id, house.rank[id]
        elif state.state in WELL and draft.unwell_since(id) is None:
            continue
        elif state.blamed_on and id in house.members:
            stack.append(state.blamed_on)
        stack.extend(house.above.get(id, ()))
    return found


def spared(draft: Draft, house: House, id: str, when: datetime | None) -> bool:
    """Whether a node had lost redundancy at a moment (None: now): a group that it stands on directly was degraded, or worse."""
    for group in house.spares[id]:
        state = draft.node(group)
        was = state.state
        if when is not None:
            was = next((row.state for row in reversed(state.shown) if row.at <= when), State.UNKNOWN)
        if was is State.DEGRADED or was.failing:
            return True
    return False


def evaluate(draft: Draft, house: House, id: str, now: datetime, row: Transition | None, edge: datetime | None) -> None:
    """Judge a node by its checks anew. `edge` is the earliest moment from which something may be different, `row` what changed there."""
    old = draft.node(id)
    states = [(check.effect, draft.check(check.id)) for check in house.decisive[id]]
    raw = said_raw = worst((effect, said(state, None)) for effect, state in states)
    if raw is State.UP and house.spares[id] and spared(draft, house, id, None):
        raw = State.DEGRADED
    failed_at = old.failed_at
    if raw in WELL:
        failed_at = None
    elif raw is State.DOWN:
        since = suspected_down(states)
        failed_at = min(failed_at, since) if failed_at and since else failed_at or since or edge or now
    blamed_on, blamed_since, released_at = "", None, None
    if failed_at is not None:
        blamed_on, blamed_since, released_at = blame(draft, house, old, failed_at, now)
    shown = sorted({r.at for _, state in states for r in state.shown})

    def at(when: datetime) -> State:
        state = worst((effect, said(check, when)) for effect, check in states)
        if state is State.DOWN and blamed_since is not None and when >= blamed_since:
            return State.UNREACHABLE
        if state is State.UP and house.spares[id] and spared(draft, house, id, when):
            return State.DEGRADED
        return state

    edges = [moment for moment in (edge, draft.spare.pop(id, None)) if moment is not None]
    shown += [row.at for group in house.spares[id] for row in draft.node(group).shown]
    if blamed_on and blamed_since and failed_at and released_at is None:
        joint = max(failed_at, blamed_since)
        # The cause turns out to have begun earlier than we said; a blind stretch in between has its own rows and keeps them.
        dark = any(row.state is State.UNKNOWN and row.at > joint for _, s in states for row in s.shown)
        if blamed_on != old.blamed_on or (old.since and joint < old.since and not dark):
            edges.append(joint)
    if not edges:
        edges = [now]
    final = raw if raw is not State.DOWN or not blamed_on else State.UNREACHABLE
    why = _why(states, said_raw)
    if raw is not said_raw:
        why = _why_spared(draft, house, id)
    if row is not None and raw is State.UNKNOWN:
        why = (row.reason, row.detail)
    finding = Finding(
        state=final,
        start=min(edges),
        at=at,
        edges=tuple(shown) + ((blamed_since,) if blamed_since else ()),
        failed_at=failed_at,
        blamed_on=blamed_on,
        released_at=released_at,
        reason=why[0],
        detail=why[1],
        after=row.after if row else None,
    )
    show(draft, house, old, finding, now)


def suspected_down(states: Iterable[tuple[Effect, CheckState]]) -> datetime | None:
    """The earliest start among the checks that are judged down and can take the node down."""
    starts = [s.since for effect, s in states if effect is Effect.DOWN and s.state is State.DOWN and s.since]
    return min(starts) if starts else None


def blame(
    draft: Draft, house: House, old: NodeState, failed_at: datetime, now: datetime
) -> tuple[str, datetime | None, datetime | None]:
    """Who is blamed, from when, and when that one came back: the blame outlives the cause until the node has shown what it does itself."""
    cause = explain(draft, house, old.node, old.released_at or failed_at)
    if cause:
        return cause, started(draft.node(cause)), None
    if old.blamed_on and old.failed_at is not None:
        back = draft.node(old.blamed_on)
        known = old.blamed_on in house.nodes and back.state in WELL and back.since is not None
        came_back = back.since if known and back.since else now
        return old.blamed_on, failed_at, old.released_at or max(came_back, failed_at)
    return "", None, old.released_at


def _why(states: list[tuple[Effect, CheckState]], raw: State) -> tuple[Reason, str]:
    """The reason to show: of the check that failed first, else of the first that is degraded."""
    if raw is State.DOWN:
        down = [s for effect, s in states if effect is Effect.DOWN and said(s, None) is State.DOWN]
        first = suspected_down(states)
        for state in down:
            if state.since == first:
                return state.reason, state.detail
        return Reason.OK, ""
    if raw is State.DEGRADED:
        for _, state in states:
            if said(state, None) in (State.DEGRADED, State.DOWN):
                return state.reason, state.detail
    return Reason.OK, ""


def _why_spared(draft: Draft, house: House, id: str) -> tuple[Reason, str]:
    """Which redundancy is lost, without words: the group, how many of how many, and who."""
    lost = [state for group in house.spares[id] if (state := draft.node(group)).state not in (State.UP, State.UNKNOWN)]
    return Reason.OK, ", ".join(f"{state.node} {state.detail}" for state in lost)


def release(draft: Draft, house: House, id: str, now: datetime) -> None:
    """What was blamed is back and this node is not: its failure is its own from the moment the cause came back."""
    old = draft.node(id)
    assert old.released_at is not None
    start = max(old.released_at, old.since or old.released_at)
    finding = Finding(
        state=State.DOWN,
        start=start,
        at=lambda _: State.DOWN,
        failed_at=old.failed_at,
        released_at=start,
        reason=old.reason,
        detail=old.detail,
    )
    show(draft, house, old, finding, now)


def show(draft: Draft, house: House, old: NodeState, finding: Finding, now: datetime) -> None:
    """Write the node's rows from `finding.start` on, keep its state, and note whom the change concerns."""
    id, start = old.node, finding.start
    later = {at for at in old.rows if at > start}
    moments = sorted({start, *later, *(at for at in finding.edges if start < at <= now)})
    before = old.state if old.since is None or old.since < start else None
    since, written, state = old.since, [], before
    for at in moments:
        shown = finding.at(at)
        if shown is not state:
            since = at
        if shown is not state or at in later:
            written.append((at, shown))
        state = shown
    if before is State.UNKNOWN and old.since is None and finding.state is State.UNKNOWN:
        written = []
    if finding.state is old.state and not written:
        since = old.since
    for at, shown in written:
        first = at == start
        draft.transitions.append(
            Transition(
                subject=id,
                at=at,
                state=shown,
                # Down first and unreachable later is one failure with one reason; what was good before it has none.
                reason=finding.reason
                if shown is finding.state or (shown.failing and finding.state.failing)
                else Reason.OK,
                detail=finding.detail if shown is finding.state or (shown.failing and finding.state.failing) else "",
                after=finding.after if first else None,
                judged_at=now,
            )
        )
    rows = tuple(sorted({*old.rows, *(at for at, _ in written)}))[-REMEMBERED:]
    changed = finding.state is not old.state
    waits = finding.released_at is not None and old.released_at is None
    new = replace(
        old,
        state=finding.state,
        since=since,
        reason=finding.reason,
        detail=finding.detail,
        blamed_on=finding.blamed_on,
        failed_at=finding.failed_at,
        released_at=finding.released_at,
        judged_at=now if changed or waits else old.judged_at,
        rows=rows,
        dismissed=_still_dismissed(old, finding),
    )
    rule = house.nodes[id].group
    if rule is not None and rule.redundant:
        new = _remember_spare(draft, house, new, written, start)
    new = _count_changes(old, new, now)
    if new == old:
        return
    draft.nodes[id] = new
    _concern(draft, house, old, new)


def _remember_spare(
    draft: Draft, house: House, new: NodeState, written: list[tuple[datetime, State]], start: datetime
) -> NodeState:
    """Keep the rows with their states, and have those looked at again that stand on this group."""
    if written or draft.node(new.node).detail != new.detail:
        for below in house.children[new.node]:
            draft.spare[below] = min(start, draft.spare.get(below, start))
            draft.dirty.add(below)
    rows = {row.at: row.state for row in new.shown} | dict(written)
    return replace(new, shown=tuple(Shown(at, rows[at]) for at in sorted(rows)[-REMEMBERED:]))


def _explained(house: House, state: NodeState) -> bool:
    """Whether its failure is blamed on something that is no group: then it does not count for its groups."""
    return bool(state.blamed_on) and state.blamed_on not in house.members


def _still_dismissed(old: NodeState, finding: Finding) -> bool:
    """A closed-by-hand spell lasts until the node works, or fails where it was only degraded."""
    same = (old.failed_at is None) is (finding.failed_at is None)
    return old.dismissed and same and finding.state is not State.UP


def _count_changes(old: NodeState, new: NodeState, now: datetime) -> NodeState:
    """A change is going down of its own or coming back from it; six in an hour are flapping."""
    down = (old.failed_at is None or bool(old.blamed_on)) and new.state is State.DOWN
    back = old.failed_at is not None and not old.blamed_on and new.failed_at is None
    if not (down or back) or new.since is None:
        return new
    changes = tuple(at for at in (*old.changes, new.since) if at > now - FLAPPING_WINDOW)[-FLAPPING_CHANGES:]
    return replace(new, changes=changes, flapping=old.flapping or len(changes) >= FLAPPING_CHANGES)


def _concern(draft: Draft, house: House, old: NodeState, new: NodeState) -> None:
    """Note who must be looked at again because this node changed."""
    draft.waiting.add(new.node)
    if old.state is not new.state and (
        old.state.failing != new.state.failing or State.UNKNOWN in (old.state, new.state)
    ):
        draft.dirty.update(house.groups[new.node])
        if old.state.failing != new.state.failing:
            for below in house.descendants[new.node]:
                draft.dirty.update(house.groups[below])
    if standing(old) != standing(new):
        draft.turned.add(new.node)
        draft.dirty.update(house.peers.get(new.node, ()))
    if _explained(house, old) != _explained(house, new):
        draft.dirty.update(house.groups[new.node])
    if (
        standing(old) != standing(new)
        or (standing(new) and started(old) != started(new))
        or old.blamed_on != new.blamed_on
    ):
        draft.dirty.update(below for below in house.descendants[new.node] if draft.node(below).failed_at is not None)
