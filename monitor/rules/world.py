"""The rules' front door: what arrives goes in by `observe`, time by `tick`, people by their acts; all of it into a draft.

Owns: the order in which the rules are asked. Never: a clock, a store, a message; `now` is always an argument, and the same inputs in the same
order make the same draft, ids and sequences included.

    draft = Draft(world)
    for check, outcome in batch:
        observe(draft, house, check, outcome, now)
    tick(draft, house, windows, now)
    ...commit draft.checks, .learned, .nodes, .transitions, .incidents, .events...
    draft.apply()
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from heapq import heapify, heappop, heappush

from monitor.model import CheckState, IncidentState, Window
from monitor.rules import asking, grounds, groups, nodes
from monitor.rules.acts import Conflict, NoSuchIncident, acknowledge, comment, pause, resolve, resume_clock
from monitor.rules.advance import advance
from monitor.rules.draft import Draft, MonitorState, World
from monitor.rules.habit import take
from monitor.rules.incidents import releases, settle
from monitor.rules.judge import Said, settled, settled_as, step
from monitor.rules.outcomes import absorb
from monitor.rules.reload import reconcile, resume
from monitor.rules.sight import blind_window, observe_anchors
from monitor.rules.topology import House
from probes.contract import Outcome, Reason, Seen

__all__ = [
    "Conflict",
    "Draft",
    "MonitorState",
    "NoSuchIncident",
    "World",
    "acknowledge",
    "blind_window",
    "comment",
    "observe",
    "observe_anchors",
    "pause",
    "reconcile",
    "resolve",
    "resume",
    "resume_clock",
    "tick",
]

REMEMBER = timedelta(hours=1)
"""How long an incident that is over is kept in memory: it may come back, and a person may still write in it."""


def observe(draft: Draft, house: House, check_id: str, outcome: Outcome, now: datetime) -> None:
    """Judge one outcome of one check. Unknown ids (the check has left) and outcomes older than what was judged are ignored.

    While we are cut off every outcome is blind, whatever it says.
    """
    check = house.checks.get(check_id)
    if check is None:
        return
    seen = draft.seen_at(check_id)
    at = outcome.started_at
    if seen is not None and at < seen:
        return
    if check.witness is not None:
        grounds.hear(draft, check, outcome)
    state = draft.check(check_id)
    said = None
    if draft.monitor.cut_since is None:
        if check_id in house.habits:
            said = _taken(draft, house, state, outcome)
        if settled(state, outcome, check.policy) if said is None else settled_as(state, said):
            draft.seen[check_id] = at
            return
    elif outcome.seen is not Seen.BLIND:
        outcome = replace(outcome, seen=Seen.BLIND, reason=Reason.OWN_NETWORK)
    if seen is not None and seen != state.seen_at:
        state = replace(state, seen_at=seen)
    absorb(draft, house, check, state, step(state, outcome, check.policy, now, said), now)


def _taken(draft: Draft, house: House, state: CheckState, outcome: Outcome) -> Said | None:
    """Take an outcome into the check's habit; what the conditions say of a good one."""
    if outcome.seen is Seen.BLIND:
        return None
    reading = take(draft.habit(state.check), house.habits[state.check], state, outcome)
    draft.learn(reading.habit, stored=reading.learned)
    return reading.said if outcome.seen is Seen.OK else None


def tick(draft: Draft, house: House, windows: Sequence[Window], now: datetime) -> None:
    """Let time pass: nodes above and below what changed, settling, incidents, maintenance edges, the recovery clock.

    `windows` are the maintenance occurrences around now: those running, and those that ended since the last tick (a day's worth is fine).
    """
    draft.windows = tuple(windows)
    covered = frozenset[str]().union(*(w.nodes for w in draft.windows if w.start <= now < w.end))
    if covered != draft.covered:
        for id in covered ^ draft.covered:
            draft.dirty.update(house.groups.get(id, ()))
        draft.covered = covered
    _propagate(draft, house, now)
    touched = sorted(draft.touched.intersection(house.members))
    draft.touched = {group for group in touched if asking.siblings(draft, house, group, now)}
    if draft.waiting:
        releases(draft, house, now)
        _propagate(draft, house, now)
        settle(draft, house, now)
    if draft.active or draft.stirred:
        grounds.review(draft, house, now)
    if draft.active:
        advance(draft, now)
    if len(draft.world.incidents) > len(draft.active):
        _forget(draft, now)
    draft.ticked = now


def _propagate(draft: Draft, house: House, now: datetime) -> None:
    """Judge the groups and the nodes below what changed, from the top; what changes again by that is judged again, a few times at most."""
    done: dict[str, int] = {}
    while draft.dirty:
        queue = [(house.rank[id], id) for id in draft.dirty if id in house.rank]
        draft.dirty.clear()
        heapify(queue)
        while queue:
            _, id = heappop(queue)
            done[id] = done.get(id, 0) + 1
            if done[id] > 4:
                continue
            if id in house.members:
                groups.evaluate(draft, house, id, now)
            elif draft.node(id).failed_at is not None or id in draft.spare:
                nodes.evaluate(draft, house, id, now, None, None)
            for more in draft.dirty:
                if more in house.rank:
                    heappush(queue, (house.rank[more], more))
            draft.dirty.clear()
    _ask_below(draft, house, now)


def _ask_below(draft: Draft, house: House, now: datetime) -> None:
    """A new cause: ask its children whom it takes with it. A cause that came back: ask those that blamed it."""
    for id in sorted(draft.turned, key=lambda id: house.rank.get(id, -1)):
        if id not in house.rank:
            continue
        if nodes.standing(draft.node(id)):
            asking.children(draft, house, id, now)
        else:
            asking.blamed(draft, house, [d for d in house.descendants[id] if draft.node(d).blamed_on == id], now)
    draft.turned.clear()


def _forget(draft: Draft, now: datetime) -> None:
    """Let go of incidents long over, but for those merged into one that may still give them back."""
    for id, known in draft.world.incidents.items():
        incident = draft.incidents.get(id, known)
        if incident.state.active or incident.closed_at is None or now - incident.closed_at < REMEMBER:
            continue
        wider = draft.incident(incident.merged_into) if incident.state is IncidentState.MERGED else None
        if wider is None or (not wider.state.active and wider.closed_at and now - wider.closed_at >= REMEMBER):
            draft.forgotten.add(id)
