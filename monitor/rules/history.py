"""How an incident changes: every change is an event, and an event is the only way to change it.

Owns: sequence, version, what is quiet, the identity of an incident. Never: decides whether something should change.

Quiet is what nobody shall be sent though the row is kept: whatever happens in maintenance, and the end of what nobody was told of.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from hashlib import sha256
from types import MappingProxyType
from typing import Any

from monitor.model import EventType, Incident, IncidentEvent
from monitor.rules.draft import Draft

CLOSING = frozenset({EventType.RESOLVED, EventType.MERGED, EventType.WITHDRAWN, EventType.RECOVERED})
"""Events that end an incident: for those who were told that it began, also in maintenance."""

OPENING = frozenset({EventType.OPENED, EventType.REOPENED, EventType.IMPAIRED})

SYSTEM = "thongsuot"


def identity(node: str, started_at: datetime) -> str:
    """The incident's id: the same fault has the same one wherever it is judged. Holds no dot and is safe in a URL."""
    digest = sha256(f"{node} {started_at.isoformat()}".encode()).hexdigest()[:8]
    return f"i-{started_at:%Y%m%dT%H%M%SZ}-{digest}"


def record(
    draft: Draft,
    incident: Incident,
    type: EventType,
    now: datetime,
    *,
    by: str = SYSTEM,
    text: str = "",
    data: Mapping[str, Any] | None = None,
) -> Incident:
    """Keep this new version of the incident with the event that made it."""
    quiet = type.told and (incident.told_at is None if type in CLOSING else incident.maintenance)
    told = type.told and not quiet
    new = replace(incident, sequence=incident.sequence + 1, version=incident.version + 1)
    if told and (type in OPENING or type is EventType.UPDATED):
        verdict = new.ground.verdict if new.ground is not None else ""
        new = replace(new, told_at=now, told_affected=len(new.affected), told_verdict=verdict)
    draft.put(new)
    details = dict(data or {})
    if quiet:
        details["quiet"] = True
    draft.events.append(
        IncidentEvent(
            incident=new,
            sequence=new.sequence,
            type=type,
            at=now,
            by=by,
            text=text,
            data=MappingProxyType(details),
        )
    )
    return new


def stop_clock(incident: Incident, at: datetime) -> Incident:
    """End the running pause, if there is one."""
    if incident.paused_since is None:
        return incident
    length = max(at - incident.paused_since, at - at)
    return replace(incident, paused=incident.paused + length, paused_since=None, pause_reason="")
