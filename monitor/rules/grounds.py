"""The life of an incident's ground: made when it opens, looked at again while the evidence comes in, closed when it is over.

Owns: when the question is asked again, and that a change of the answer is a row of the history. Never: the answer (`fault`), who is told of it
(that is `advance`, seldom).

The laws. While an incident is young all of its evidence is still on the way: it is asked again every `AGAIN` for `YOUNG`, later only when
something about it stirs. Evidence is that of the outage at its fullest: what comes back piece by piece takes nothing back. A few at a time, so that
a thousand incidents cost no more in a second than a few.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from monitor.model import MONITOR, Check, EventType, Ground, GroundRule, Incident, IncidentState, State, Witness
from monitor.model import UPTIME as UPTIME_FACT
from monitor.rules.draft import Draft
from monitor.rules.fault import attribute, concluded
from monitor.rules.history import record
from monitor.rules.topology import House
from probes.contract import Outcome, Seen

AGAIN = timedelta(seconds=10)
YOUNG = timedelta(minutes=3)

LATE = timedelta(minutes=15)
"""So long after the end a device may still tell what happened to it."""

MOST = 100
"""Incidents that are looked at again in one tick."""


def hear(draft: Draft, check: Check, outcome: Outcome) -> None:
    """Keep since when a site's device has been running."""
    uptime = outcome.facts.get(UPTIME_FACT)
    if check.witness is not Witness.DEVICE or outcome.seen is not Seen.OK or uptime is None or not 0 <= uptime < 1e9:
        return
    draft.booted[check.node] = (outcome.started_at - timedelta(seconds=uptime), outcome.started_at)
    latest = draft.latest_incident(check.node)
    if latest is not None and latest.state is IncidentState.RESOLVED:
        draft.stirred.add(check.node)


def review(draft: Draft, house: House, now: datetime) -> None:
    """Ask again about the incidents that are young, or that something has stirred."""
    stirred = _stirred(draft, house)
    draft.stirred.clear()
    if not draft.active or draft.monitor.cut_since is not None:
        _conclude(draft, house, stirred, now)
        return
    due = []
    for id in draft.active:
        incident = draft.incident(id)
        if incident is None or incident.node == MONITOR:
            continue
        last = draft.reviewed_at(id)
        if id in stirred:
            draft.unsure.add(id)
        if last is None:
            due.append((incident.opened_at, id))
        elif now - last >= AGAIN and (id in draft.unsure or now - incident.opened_at <= YOUNG):
            due.append((last, id))
    for _, id in sorted(due)[:MOST]:
        draft.unsure.discard(id)
        draft.reviewed[id] = now
        incident = draft.incident(id)
        if incident is not None:
            _look_again(draft, house, incident, now)
    draft.unsure &= draft.active
    _conclude(draft, house, stirred, now)


def _stirred(draft: Draft, house: House) -> set[str]:
    """The incidents that the nodes which have changed bear upon: their own, the one they suffer from, and their groups'."""
    found: set[str] = set()
    for id in draft.stirred:
        if (member := draft.member_of(id)) is not None:
            found.add(member)
        for node in (id, *house.groups.get(id, ())):
            if (incident := draft.latest_incident(node)) is not None:
                found.add(incident.id)
    return found


def _look_again(draft: Draft, house: House, incident: Incident, now: datetime) -> None:
    """Write down what has changed, while the fault is still on in full."""
    state = draft.node(incident.node)
    recovering = any(draft.check(check.id).successes for check in house.decisive.get(incident.node, ()))
    on = state.state is State.DEGRADED if incident.degradation else state.state is State.DOWN
    if not on or recovering:
        return
    old, new = incident.ground, attribute(draft, house, incident, now)
    if old is not None and old.rule is GroundRule.SECOND_PATH_SILENT:
        draft.unsure.add(incident.id)  # Time alone may clear the site.
    if old is not None and (new.counted < old.counted or _same(old, new)):
        return
    if old is not None and (old.verdict, old.rule) == (new.verdict, new.rule):
        draft.put(replace(incident, ground=new))
        return
    _write(draft, incident, new, now)


def _write(draft: Draft, incident: Incident, ground: Ground, now: datetime) -> None:
    data = {"whose": ground.whose.value, "confidence": ground.confidence.value, "rule": ground.rule.value}
    record(draft, replace(incident, ground=ground), EventType.ATTRIBUTED, now, data=data)


def _same(old: Ground, new: Ground) -> bool:
    """Whether nothing was learnt: the moments from which somebody answers move on by themselves."""
    return _bare(old) == _bare(new)


def _bare(ground: Ground) -> Ground:
    return replace(ground, testimony=tuple(replace(one, since=None) for one in ground.testimony))


def _conclude(draft: Draft, house: House, incidents: set[str], now: datetime) -> None:
    """A device that was heard only after the end."""
    for id in sorted(incidents):
        incident = draft.incident(id)
        if incident is None or incident.state is not IncidentState.RESOLVED or incident.resolved_at is None:
            continue
        if incident.closed_at is None or now - incident.closed_at > LATE or incident.resolved_by:
            continue
        ground = concluded(draft, house, incident, incident.resolved_at)
        if ground is not None and incident.ground is not None and not _same(incident.ground, ground):
            _write(draft, incident, ground, now)
