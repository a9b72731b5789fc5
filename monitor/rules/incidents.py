"""One incident per fault: when it opens, whom it takes with it, when it is over.

Owns: settling, opening, reopening, affected nodes, merging, resolving, flapping. Never: a node's state (that is `nodes` and `groups`), the recovery
clock's warnings (that is `advance`), who is told.

The laws. Only a node that is down by itself has an incident; what is unreachable is affected by its cause's. It opens when everything above has
answered well after the failure began and no group is still gathering, at the latest `settle` after the verdict; what has children of its own
waits as long at most to hear whom it takes with it. An open incident is merged into a wider one when its node turns out to be unreachable,
and comes back under its old id if the node still fails after the wider fault is over. It is resolved when its node works again, back-dated;
a failure that begins within `REOPEN` of that reopens it: the clock goes on from its first start, the minutes in between included, for
what comes back so soon had not been repaired. While a node flaps its incident stays open, and is resolved when it has been good for `STABLE`.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from monitor.model import Affected, EventType, Incident, IncidentState, Node, NodeState, State, Window
from monitor.rules import groups
from monitor.rules import nodes as judged
from monitor.rules.asking import witnesses
from monitor.rules.cascade import Watch
from monitor.rules.draft import Draft
from monitor.rules.fault import attribute, concluded
from monitor.rules.groups import eligible, explained
from monitor.rules.history import identity, record, stop_clock
from monitor.rules.nodes import WELL, started
from monitor.rules.testimony import Hearing
from monitor.rules.topology import House

REOPEN = timedelta(minutes=10)
"""A failure that begins this soon after the end of the last one is the same fault."""

STABLE = timedelta(minutes=15)
"""A flapping node that has not changed for so long flaps no more."""

MAINTENANCE = "maintenance"
"""The `pause_reason` of a clock that stands still because of an announced window."""


@dataclass(slots=True)
class Round:
    """One pass over what waits: what joins and leaves an incident is written once, as one event."""

    draft: Draft
    house: House
    now: datetime
    joined: dict[str, list[Affected]] = field(default_factory=dict)
    left: dict[str, dict[str, datetime]] = field(default_factory=dict)
    watch: Watch = field(init=False)

    def __post_init__(self) -> None:
        self.watch = Watch(self.draft, self.house, self.now)


def releases(draft: Draft, house: House, now: datetime) -> None:
    """Nodes whose cause came back at least `settle` ago and that have failed since: from now on it is their own failure.

    One that has answered well already, and only waits for that to be confirmed, has not.

    Members before their groups: a group counts those that have shown it.
    """
    for id in sorted(draft.waiting, key=lambda id: (-house.rank.get(id, 0), id)):
        state, node = draft.node(id), house.nodes.get(id)
        if node is None or state.state is not State.UNREACHABLE or state.released_at is None or state.judged_at is None:
            continue
        if now < state.judged_at + node.settle:
            continue
        if id in house.members:
            groups.release(draft, house, id, now)
            continue
        for check in house.decisive[id]:
            seen, verdict = draft.seen_at(check.id), draft.check(check.id)
            failing = verdict.state is State.DOWN and not verdict.successes and verdict.blind_since is None
            if failing and seen and seen > state.released_at:
                judged.release(draft, house, id, now)
                break


def settle(draft: Draft, house: House, now: datetime) -> None:
    """Go over the nodes that changed or wait, causes before what they explain."""
    turn = Round(draft, house, now)
    turn.watch.time_is_up(draft.waiting)
    for id in sorted(draft.waiting, key=lambda id: (house.rank.get(id, -1), id)):
        if id not in house.rank or _done(turn, id):
            draft.waiting.discard(id)
    _write_affected(turn)


def _done(turn: Round, id: str) -> bool:
    """Do what the node's state asks for; False while there is something to wait for."""
    state, node = turn.draft.node(id), turn.house.nodes[id]
    if _stable(state, turn.now):
        state = replace(state, flapping=False, changes=())
        turn.draft.nodes[id] = state
        open_one = turn.draft.active_incident(id)
        if open_one is not None and state.state not in WELL:
            record(
                turn.draft, replace(open_one, flapping=False), EventType.FLAPPING, turn.now, data={"flapping": False}
            )
    if state.state is State.UNREACHABLE:
        done = _covered(turn, state)
    elif state.state is State.DOWN:
        done = _fault(turn, node, state)
    elif state.state in WELL:
        done = _well(turn, node, state)
    else:
        done = True
    return done and not state.flapping


def _stable(state: NodeState, now: datetime) -> bool:
    """Whether what flapped has not changed for `STABLE`. While something above it is down nobody can say: that time does not count."""
    if not state.flapping or not state.changes or state.state is State.UNREACHABLE:
        return False
    back = state.since if state.state in WELL and state.since is not None else state.changes[-1]
    return now - max(state.changes[-1], back) >= STABLE


def _rested(state: NodeState, own: Incident) -> bool:
    """Whether the incident is about flapping, and the node was well when what explains it now began: that is no part of the wider fault."""
    began = state.failed_at
    return own.flapping and state.flapping and began is not None and bool(state.changes) and state.changes[-1] < began


def _covered(turn: Round, state: NodeState) -> bool:
    """Its failure is explained: it belongs to the cause's incident, once there is one."""
    draft = turn.draft
    wider, own = draft.active_incident(state.blamed_on), draft.active_incident(state.node)
    if wider is None:
        return False
    _join(turn, wider.id, state)
    if own is not None and not _rested(state, own):
        _merge(turn, own, wider.id)
    return state.released_at is None


def _fault(turn: Round, node: Node, state: NodeState) -> bool:
    """It is down by itself."""
    draft = turn.draft
    since = started(state) or turn.now
    _leave(turn, node.id, since)
    incident = draft.active_incident(node.id)
    if incident is not None and not incident.degradation:
        _mark_flapping(turn, state, incident)
        return True
    if state.dismissed:
        return True
    late = state.judged_at is None or turn.now >= state.judged_at + node.settle
    if (not late and not _clear(turn, node, state, since)) or turn.watch.waits(state):
        return False
    opened = _open(turn, node, state, since, degradation=False)
    if incident is not None:
        _merge(turn, incident, opened.id)
    return True


def _well(turn: Round, node: Node, state: NodeState) -> bool:
    """It works; degraded it may still deserve an incident of the milder kind."""
    draft = turn.draft
    since = state.since or turn.now
    _leave(turn, node.id, since)
    incident = draft.active_incident(node.id)
    if incident is not None and (state.state is State.UP or not incident.degradation):
        if state.flapping:
            _mark_flapping(turn, state, incident)
            return False
        _resolve(turn, incident, since)
        incident = None
    if state.state is not State.DEGRADED or not node.degraded_incident or incident is not None or state.dismissed:
        return True
    if state.judged_at is not None and turn.now < state.judged_at + node.settle:
        return False
    _open(turn, node, state, since, degradation=True)
    return True


def _clear(turn: Round, node: Node, state: NodeState, since: datetime) -> bool:
    """Whether every answer that could make this another's fault, or name more who suffer from it, has come in."""
    draft, house = turn.draft, turn.house
    if any(not _answered_well(turn, id, since) for id in (*house.ancestors[node.id], *house.peers.get(node.id, ()))):
        return False
    if any(turn.watch.undecided(id, since) for id in house.depends[node.id] if id in house.members):
        return False
    if node.id in house.witnesses and Hearing(draft, house, since).pending(node.id):
        return False
    if node.id in house.members:
        for member in house.members[node.id]:
            if draft.unwell_since(member) is not None and not draft.node(member).state.failing:
                return False
            if any(
                draft.unwell_since(p) is not None and not draft.node(p).state.failing for p in house.depends[member]
            ):
                return False
    for child in house.children[node.id]:
        checks = house.decisive[child]
        if checks and not draft.node(child).state.failing and all(not _seen_after(draft, c.id, since) for c in checks):
            return False
    return not any(
        draft.unwell_since(id) is not None and not draft.node(id).state.failing for id in house.descendants[node.id]
    )


def _answered_well(turn: Round, id: str, since: datetime) -> bool:
    """An ancestor has answered well since the failure began; a group gathers nothing. What is judged to fail has been weighed already."""
    draft, house = turn.draft, turn.house
    if id in house.members:
        return id in turn.watch.up or not turn.watch.gathering(id)
    if draft.node(id).state.failing:
        return True
    if draft.unwell_since(id) is not None:
        return False
    return all(
        draft.check(check.id).blind_since is None and _seen_after(draft, check.id, since)
        for check in house.decisive[id]
    )


def _seen_after(draft: Draft, check: str, moment: datetime) -> bool:
    seen = draft.seen_at(check)
    return seen is not None and seen > moment


def _open(turn: Round, node: Node, state: NodeState, since: datetime, *, degradation: bool) -> Incident:
    """Make the incident, or take up again the one that this continues."""
    draft, now = turn.draft, turn.now
    window = draft.in_maintenance(node.id, now)
    affected = _affected_now(turn, node.id)
    earlier = draft.latest_incident(node.id)
    if earlier is not None and _continues(earlier, state, since, degradation=degradation):
        incident = replace(
            earlier,
            state=IncidentState.OPEN,
            reason=state.reason,
            detail=state.detail,
            evidence=_evidence(turn, node, state),
            merged_into="",
            resolved_at=None,
            closed_at=None,
            acknowledged_at=None,
            acknowledged_by="",
            flapping=state.flapping,
            affected=_with(earlier.affected, affected),
        )
        type = EventType.REOPENED
    else:
        incident = Incident(
            id=identity(node.id, since),
            node=node.id,
            severity=node.severity.one_less if degradation else node.severity,
            reason=state.reason,
            detail=state.detail,
            started_at=since,
            detected_at=state.judged_at or now,
            opened_at=now,
            target=node.recovery_target,
            warn_at=node.warn_at,
            paused=_planned(draft.windows, node.id, since, now),
            affected=tuple(affected),
            degradation=degradation,
            flapping=state.flapping,
            evidence=_evidence(turn, node, state),
        )
        type = EventType.OPENED
    if window is not None:
        incident = replace(incident, maintenance=True, paused_since=max(since, window.start), pause_reason=MAINTENANCE)
    incident = replace(incident, ground=attribute(draft, turn.house, replace(incident, ground=None), now))
    witnesses(draft, turn.house, node.id, now)
    incident = record(draft, incident, type, now, data={"flapping": True} if state.flapping else None)
    draft.latest[node.id] = incident.id
    for one in affected:
        _leave(turn, one.node, one.since)
        draft.member[one.node] = incident.id
    return incident


def _continues(earlier: Incident, state: NodeState, since: datetime, *, degradation: bool) -> bool:
    """Whether the fault is the one of before: back within `REOPEN`, or merged away in this same spell and still there."""
    if earlier.state.active or earlier.degradation is not degradation:
        return False
    if earlier.id == identity(earlier.node, since):
        return True
    if earlier.state is IncidentState.RESOLVED and earlier.resolved_at is not None:
        return not earlier.resolved_by and since - earlier.resolved_at <= REOPEN
    if earlier.state is IncidentState.MERGED and earlier.closed_at is not None and state.failed_at is not None:
        return earlier.closed_at >= state.failed_at
    return False


def _affected_now(turn: Round, root: str) -> list[Affected]:
    """Everything that is unreachable because of it: what stands below, and groups whose failing members mostly do."""
    found, below = [], turn.house.descendants[root]
    beside = sorted(id for id in turn.draft.waiting.difference(below) if id in turn.house.members)
    for id in (*below, *beside):
        state = turn.draft.node(id)
        if state.blamed_on == root and state.state is State.UNREACHABLE:
            found.append(Affected(node=id, since=state.since or turn.now))
    return found


def _planned(windows: tuple[Window, ...], node: str, start: datetime, end: datetime) -> timedelta:
    """How much of [start, end) lay in windows that are over: the clock stood still for it."""
    total, reached = timedelta(0), start
    for window in sorted((w for w in windows if node in w.nodes and w.end <= end), key=lambda w: w.start):
        since = max(window.start, reached)
        if window.end > since:
            total += window.end - since
            reached = window.end
    return total


def _evidence(turn: Round, node: Node, state: NodeState) -> str:
    """What the verdict rests on, without words of any language: the checks and their reasons, or the members counted."""
    draft, house = turn.draft, turn.house
    if node.group is not None:
        own = [m for m in house.members[node.id] if draft.node(m).state.failing and not explained(draft, house, m)]
        names = ", ".join(own[:10]) + (", …" if len(own) > 10 else "")
        rule = node.group
        return f"{len(own)}/{len(eligible(draft, house, node.id))} (≥ {rule.at_least}, {rule.share:.0%}): {names}"
    checks = [draft.check(check.id) for check in house.decisive[node.id]]
    said = [f"{c.check}: {c.reason}" for c in checks if c.state in (State.DOWN, State.DEGRADED)]
    spent = [draft.node(group) for group in house.spares[node.id]]
    return ", ".join([*said, *(f"{s.node}: {s.detail}" for s in spent if s.state not in (State.UP, State.UNKNOWN))])


def _merge(turn: Round, incident: Incident, into: str) -> None:
    """It was part of a wider fault."""
    closed = stop_clock(replace(incident, state=IncidentState.MERGED, merged_into=into, closed_at=turn.now), turn.now)
    record(turn.draft, closed, EventType.MERGED, turn.now, data={"into": into})


def _resolve(turn: Round, incident: Incident, at: datetime) -> None:
    """The node works again since `at`. A breach that was told while the good answers were being confirmed is taken back."""
    at = max(at, incident.started_at)
    closed = stop_clock(
        replace(incident, state=IncidentState.RESOLVED, resolved_at=at, closed_at=turn.now, flapping=False), at
    )
    closed = replace(closed, ground=concluded(turn.draft, turn.house, incident, at))
    if closed.breached_at is not None and at - closed.started_at - closed.paused <= closed.target:
        closed = replace(closed, breached_at=None)
    record(turn.draft, closed, EventType.RESOLVED, turn.now)


def _mark_flapping(turn: Round, state: NodeState, incident: Incident) -> None:
    """Say once that it flaps; then there is quiet until it is stable."""
    if state.flapping and not incident.flapping:
        record(turn.draft, replace(incident, flapping=True), EventType.UPDATED, turn.now, data={"flapping": True})


def _join(turn: Round, incident: str, state: NodeState) -> None:
    if turn.draft.member_of(state.node) == incident:
        return
    since = state.since or turn.now
    _leave(turn, state.node, since)
    turn.draft.member[state.node] = incident
    turn.joined.setdefault(incident, []).append(Affected(node=state.node, since=since))


def _leave(turn: Round, node: str, until: datetime) -> None:
    incident = turn.draft.member_of(node)
    if incident is not None:
        turn.draft.member[node] = None
        turn.left.setdefault(incident, {})[node] = until


def _with(affected: tuple[Affected, ...], more: list[Affected]) -> tuple[Affected, ...]:
    """One entry a node: who comes back into it goes on from when it was first affected."""
    entries = {one.node: one for one in affected}
    for one in more:
        known = entries.get(one.node)
        entries[one.node] = replace(known, until=None) if known else one
    return tuple(entries.values())


def _write_affected(turn: Round) -> None:
    """Who joined and who left, one event an incident; what is over already is only kept true."""
    draft = turn.draft
    for id in sorted({*turn.joined, *turn.left}):
        incident = draft.incident(id)
        if incident is None:
            continue
        joined, left = turn.joined.get(id, []), turn.left.get(id, {})
        affected = tuple(
            replace(one, until=max(one.since, left[one.node])) if one.node in left and one.until is None else one
            for one in incident.affected
        )
        new = replace(incident, affected=_with(affected, joined))
        if new.state.active:
            data = {"joined": [one.node for one in joined], "left": sorted(left)}
            record(draft, new, EventType.AFFECTED, turn.now, data=data)
        else:
            draft.put(replace(new, version=new.version + 1))
