"""What people do to an incident: take it, write in it, stop and start its clock, close it.

Owns: which act is possible when, and that of two at the same moment one wins. Never: rights (that is the web's), words.

Every act may name the `version` the person was looking at; another one is a `Conflict`, and nothing changes.
"""

from dataclasses import replace
from datetime import datetime

from monitor.model import EventType, Incident, IncidentState
from monitor.rules.draft import Draft
from monitor.rules.habit import accepted
from monitor.rules.history import record, stop_clock
from monitor.rules.incidents import MAINTENANCE


class NoSuchIncident(LookupError):  # noqa: N818 - the name is the sentence it says
    """No incident of this id is remembered: there never was one, or it has been over for long."""


class Conflict(Exception):  # noqa: N818 - the name is the sentence it says
    """The incident is not as the caller thinks: another version, or a state in which the act makes no sense."""


def acknowledge(draft: Draft, incident_id: str, *, by: str, now: datetime, version: int | None = None) -> Incident:
    """Somebody has taken it."""
    incident = _active(draft, incident_id, version)
    if incident.state is IncidentState.ACKNOWLEDGED:
        raise Conflict(f"already acknowledged by {incident.acknowledged_by}")
    new = replace(incident, state=IncidentState.ACKNOWLEDGED, acknowledged_at=now, acknowledged_by=by)
    return record(draft, new, EventType.ACKNOWLEDGED, now, by=by)


def comment(
    draft: Draft, incident_id: str, *, by: str, text: str, now: datetime, version: int | None = None
) -> Incident:
    """A line in the history; also of an incident that is over."""
    return record(draft, _known(draft, incident_id, version), EventType.COMMENTED, now, by=by, text=text)


def pause(
    draft: Draft, incident_id: str, *, by: str, reason: str, now: datetime, version: int | None = None
) -> Incident:
    """Stop the recovery clock, with a reason: waiting for power, for the carrier. It is written down who did."""
    incident = _active(draft, incident_id, version)
    if incident.paused_since is not None:
        raise Conflict(f"the clock stands already: {incident.pause_reason}")
    if not reason.strip():
        raise ValueError("a pause needs a reason")
    new = replace(incident, paused_since=now, pause_reason=reason)
    return record(draft, new, EventType.PAUSED, now, by=by, text=reason)


def resume_clock(draft: Draft, incident_id: str, *, by: str, now: datetime, version: int | None = None) -> Incident:
    """Let the recovery clock go on. One that stands for maintenance goes on by itself, and only so."""
    incident = _active(draft, incident_id, version)
    if incident.paused_since is None:
        raise Conflict("the clock is running")
    if incident.pause_reason == MAINTENANCE:
        raise Conflict("the clock stands for maintenance until its window ends")
    return record(draft, stop_clock(incident, now), EventType.RESUMED, now, by=by)


def resolve(
    draft: Draft,
    incident_id: str,
    *,
    by: str,
    now: datetime,
    cause: str = "",
    text: str = "",
    version: int | None = None,
) -> Incident:
    """Close by hand: no other incident opens before the node has worked again. A degradation closed so is accepted: this is how it is now."""
    incident = _active(draft, incident_id, version)
    new = stop_clock(
        replace(
            incident,
            state=IncidentState.RESOLVED,
            resolved_at=now,
            closed_at=now,
            resolved_by=by,
            cause=cause or incident.cause,
        ),
        now,
    )
    state = draft.node(incident.node)
    if state.failed_at is not None or incident.degradation:
        draft.nodes[incident.node] = replace(state, dismissed=True)
    if incident.degradation:
        _accept(draft, incident.node)
    return record(draft, new, EventType.RESOLVED, now, by=by, text=text)


def _accept(draft: Draft, node: str) -> None:
    """What is ill at the node now is how it is now: its normal is learned anew."""
    for check in [id for id in draft.world.habits if id.startswith(f"{node}/")]:
        habit = draft.habit(check)
        new = accepted(habit)
        if new is not habit:
            draft.learn(new, stored=True)


def _known(draft: Draft, id: str, version: int | None) -> Incident:
    incident = draft.incident(id)
    if incident is None:
        raise NoSuchIncident(id)
    if version is not None and version != incident.version:
        raise Conflict(f"version {incident.version}, not {version}")
    return incident


def _active(draft: Draft, id: str, version: int | None) -> Incident:
    incident = _known(draft, id, version)
    if not incident.state.active:
        raise Conflict(f"it is {incident.state} already")
    return incident
