"""When the house itself changes under what is known: a reload, a restart.

Owns: carrying states over to new names, withdrawing what has left, forgetting what a pause has made stale. Never: invents an outcome.
"""

from dataclasses import replace
from datetime import datetime

from monitor.model import Affected, CheckState, EventType, Gap, Incident, IncidentState, NodeState, State, Transition
from monitor.rules import nodes
from monitor.rules.draft import Draft
from monitor.rules.history import record, stop_clock
from monitor.rules.topology import House
from probes.contract import Reason


def reconcile(draft: Draft, house: House, now: datetime) -> None:
    """After a reload, with the new house: nodes renamed (`was`), nodes and checks gone, groups redrawn.

    The incident of a node that has left is withdrawn and told so. Everything else keeps its state, its incident and its clock.
    """
    world = draft.world
    _rename(draft, house)
    checks = {**world.checks, **draft.checks}
    for id in sorted(id for id in checks if id not in house.checks and id not in draft.gone):
        if checks[id].state is not State.UNKNOWN:
            _end_ledger(draft, id, now)
        draft.gone.add(id)
        draft.checks.pop(id, None)
    states = {**world.nodes, **draft.nodes}
    for id in sorted(id for id in states if id not in draft.gone):
        if id in house.rank and (house.decisive[id] or id in house.members):
            continue
        _withdraw(draft, id, now)
        if states[id].state is not State.UNKNOWN:
            _end_ledger(draft, id, now)
        draft.member[id] = None
        if id in house.rank:
            draft.nodes[id] = NodeState(node=id)
        else:
            draft.gone.add(id)
            draft.nodes.pop(id, None)
    for id in sorted(i.node for k in draft.active if (i := draft.incident(k)) and i.node not in house.nodes):
        _withdraw(draft, id, now)
    _look_again(draft, house, now)


def _look_again(draft: Draft, house: House, now: datetime) -> None:
    """Judge every node by what is known and the graph as it is now."""
    draft.dirty.update(house.members)
    for id in house.rank:
        draft.unwell[id] = nodes.suspected_since(draft, house, id)
        state = draft.node(id)
        if id not in house.members and house.decisive[id] and (state.since is not None or state.failed_at is not None):
            nodes.evaluate(draft, house, id, now, None, None)
        if draft.node(id).state is not State.UP or draft.node(id).flapping:
            draft.waiting.add(id)
        if draft.active_incident(id) is not None or draft.member_of(id) is not None:
            draft.waiting.add(id)


def _end_ledger(draft: Draft, subject: str, now: datetime) -> None:
    """Nobody looks any more: unknown from here."""
    draft.transitions.append(
        Transition(subject=subject, at=now, state=State.UNKNOWN, reason=Reason.OWN_CONFIG, judged_at=now)
    )


def _withdraw(draft: Draft, node: str, now: datetime) -> None:
    incident = draft.active_incident(node)
    if incident is not None:
        closed = stop_clock(replace(incident, state=IncidentState.WITHDRAWN, closed_at=now), now)
        record(draft, closed, EventType.WITHDRAWN, now)


def _rename(draft: Draft, house: House) -> None:
    """Carry a node's state, its checks' by their names, and its incidents over to its new id. The store renames its history."""
    world = draft.world
    renamed: dict[str, str] = {}
    for id in house.rank:
        if id in world.nodes or id in draft.nodes:
            continue
        for former in house.nodes[id].was:
            if former in world.nodes and former not in house.nodes:
                renamed[former] = id
                break
    if not renamed:
        return
    for former, id in renamed.items():
        draft.nodes[id] = replace(world.nodes[former], node=id)
        draft.gone.add(former)
        if (incident := world.member.get(former)) is not None:
            draft.member[id] = incident
        for check in (c for c in house.checks.values() if c.node == id):
            _carry_check(draft, f"{former}/{check.name}", check.id)
        if former in world.latest:
            draft.latest[id] = world.latest[former]
    for state in [*world.nodes.values(), *draft.nodes.values()]:
        current = draft.node(state.node)
        if current.blamed_on in renamed and state.node not in draft.gone:
            draft.nodes[state.node] = replace(current, blamed_on=renamed[current.blamed_on])
    for incident_ in world.incidents.values():
        new = _rename_incident(incident_, renamed)
        if new is not incident_:
            draft.put(new)


def _carry_check(draft: Draft, former: str, id: str) -> None:
    old: CheckState | None = draft.world.checks.get(former)
    if old is None or id in draft.world.checks:
        return
    draft.checks[id] = replace(old, check=id)
    draft.gone.add(former)
    if former in draft.world.habits:
        draft.learn(replace(draft.world.habits[former], check=id), stored=True)
    if former in draft.world.seen:
        draft.seen[id] = draft.world.seen[former]


def _rename_incident(incident: Incident, renamed: dict[str, str]) -> Incident:
    affected: tuple[Affected, ...] = tuple(
        replace(one, node=renamed[one.node]) if one.node in renamed else one for one in incident.affected
    )
    node = renamed.get(incident.node, incident.node)
    ground = incident.ground
    if ground is not None:
        said = tuple(replace(one, subject=_renamed_subject(one.subject, renamed)) for one in ground.testimony)
        ground = replace(ground, testimony=said)
    if (node, affected, ground) == (incident.node, incident.affected, incident.ground):
        return incident
    return replace(incident, node=node, affected=affected, ground=ground, version=incident.version + 1)


def _renamed_subject(subject: str, renamed: dict[str, str]) -> str:
    """A node's new id, or a check's of it."""
    node, slash, check = subject.partition("/")
    return f"{renamed[node]}{slash}{check}" if node in renamed else subject


def resume(draft: Draft, house: House, gap: Gap | None, now: datetime) -> None:
    """After `World.remember`: make what is derived, and let nothing move for the time we were not there.

    Incidents stay open, clocks run on, settling goes on from where it was. A streak that was being confirmed is broken when the gap is longer
    than the check's own interval: two failures before a long pause and one after it are not three in a row.
    """
    draft.ticked = gap.since if gap else None
    for check in house.checks.values():
        state = draft.world.checks.get(check.id)
        if state is None:
            continue
        if gap is not None and gap.until - gap.since > check.every and state.streak_at is not None:
            state = replace(state, failures=0, successes=0, degraded=0, streak_at=None, before_at=None)
            draft.checks[check.id] = state
        if gap is not None and state.state is not State.UNKNOWN and state.blind_since is None:
            # It was looked at until we stopped, or this would say so: the last look was at most an interval before.
            last = gap.since - check.every
            if state.seen_at is None or state.seen_at < last:
                draft.seen[check.id] = last
    reconcile(draft, house, now)
