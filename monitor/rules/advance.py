"""What time alone does to an open incident: maintenance begins and ends, warnings fall due, the target runs out.

Owns: the pauses of announced work, the warnings and the breach (each exactly once: the incident itself remembers), news of more affected nodes.
Never: ends an incident.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from monitor.model import MONITOR, EventType, Incident
from monitor.rules.clock import due_breach, due_warnings
from monitor.rules.draft import Draft
from monitor.rules.history import record, stop_clock
from monitor.rules.incidents import MAINTENANCE

NEWS_AFTER = timedelta(minutes=5)
"""More nodes have joined since it was told: say so, first after this long,"""

NEWS_AGAIN = timedelta(minutes=15)
"""and then no oftener than this."""

FAR = timedelta(days=3650)


def advance(draft: Draft, now: datetime) -> None:
    """Go over every active incident; one that nothing can happen to yet costs next to nothing."""
    planned = frozenset[str]().union(*(w.nodes for w in draft.windows))
    due = draft.world.due
    for id in sorted(draft.active):
        incident = draft.incident(id)
        if incident is None or incident.node == MONITOR:
            continue
        known = due.get(id)
        free = incident.node not in planned and not incident.maintenance
        if free and known is not None and known[0] is incident and now < known[1]:
            continue
        incident = _maintenance(draft, incident, now)
        incident = _clock(draft, incident, now, until=now)
        incident = _news(draft, incident, now)
        if free:
            due[id] = (incident, _next(incident))


def _next(incident: Incident) -> datetime:
    """The earliest moment at which time alone may change something about it."""
    moments = [incident.opened_at + FAR]
    if incident.paused_since is None:
        base = incident.started_at + incident.paused
        moments += [base + incident.target * share for share in incident.warn_at if share not in incident.warned]
        if incident.breached_at is None:
            moments.append(base + incident.target)
    if incident.told_at is not None and _has_news(incident):
        moments.append(incident.told_at + NEWS_AFTER)
    return min(moments)


def _maintenance(draft: Draft, incident: Incident, now: datetime) -> Incident:
    """The edges of announced work. The clock stands still within it; what still fails afterwards is told at once if it never was."""
    window = draft.in_maintenance(incident.node, now)
    if window is not None:
        if incident.maintenance and incident.paused_since is not None:
            return incident
        start = now if incident.maintenance else max(window.start, incident.started_at)
        # What fell due before the window is told before it, however late we come to it.
        incident = _clock(draft, incident, now, until=start)
        new = replace(incident, maintenance=True)
        if new.paused_since is None:
            new = replace(new, paused_since=start, pause_reason=MAINTENANCE)
        return record(draft, new, EventType.PAUSED, now, data={"window": window.id})
    if not incident.maintenance:
        return _missed_windows(draft, incident, now)
    ends = [w.end for w in draft.windows if incident.node in w.nodes and w.end <= now]
    end = max(ends, default=now)
    new = replace(incident, maintenance=False)
    if new.pause_reason == MAINTENANCE:
        new = stop_clock(new, end)
    new = record(draft, new, EventType.RESUMED, now)
    if new.told_at is None:
        new = record(draft, new, EventType.OPENED, now, data={"after_maintenance": True})
    return new


def _missed_windows(draft: Draft, incident: Incident, now: datetime) -> Incident:
    """Windows that began and ended between two ticks (we were not running): the clock stood still for them too."""
    if draft.ticked is None or incident.paused_since is not None:
        return incident
    last = draft.ticked
    for window in sorted(draft.windows, key=lambda w: w.start):
        start = max(window.start, incident.started_at)
        if (
            incident.node in window.nodes
            and last < window.start
            and start < window.end <= now
            and incident.opened_at <= last
        ):
            incident = replace(incident, paused=incident.paused + (window.end - start))
            incident = record(draft, incident, EventType.RESUMED, now, data={"window": window.id})
    return incident


def _clock(draft: Draft, incident: Incident, now: datetime, *, until: datetime) -> Incident:
    """Warnings and the breach that were due by `until`; after a long gap all of them, each once, in order."""
    for share in due_warnings(incident, until):
        due_at = incident.started_at + incident.paused + incident.target * share
        incident = replace(incident, warned=(*incident.warned, share))
        data = {"share": share, "due_at": due_at.isoformat()}
        incident = record(draft, incident, EventType.RECOVERY_WARNING, now, data=data)
    breached_at = due_breach(incident, until)
    if breached_at is not None:
        data = {"due_at": breached_at.isoformat()}
        incident = record(
            draft, replace(incident, breached_at=breached_at), EventType.RECOVERY_BREACHED, now, data=data
        )
    return incident


def _news(draft: Draft, incident: Incident, now: datetime) -> Incident:
    """Those who were told of fewer affected nodes, or that it was another's fault, hear of it, seldom enough."""
    if incident.told_at is None or incident.maintenance or incident.flapping:
        return incident
    if not _has_news(incident):
        return incident
    # Of a cascade that was told of before it had a name the first words have been heard already.
    first = incident.told_at <= incident.opened_at and not _has_merged(draft, incident)
    if now < incident.told_at + (NEWS_AFTER if first else NEWS_AGAIN):
        return incident
    data: dict[str, object] = {"affected": len(incident.affected)}
    if incident.ground is not None and incident.ground.verdict != incident.told_verdict:
        data |= {"whose": incident.ground.whose.value, "confidence": incident.ground.confidence.value}
    return record(draft, incident, EventType.UPDATED, now, data=data)


def _has_news(incident: Incident) -> bool:
    """Whether more is affected than was told, or it is said to be another's fault than was told, or more surely so."""
    ground = incident.ground
    turned = ground is not None and bool(incident.told_verdict) and ground.verdict != incident.told_verdict
    return turned or len(incident.affected) > incident.told_affected


def _has_merged(draft: Draft, wider: Incident) -> bool:
    """Whether incidents that receivers had heard of were merged into it."""
    known = {**draft.world.incidents, **draft.incidents}.values()
    return any(one.merged_into == wider.id and one.told_at is not None for one in known)
