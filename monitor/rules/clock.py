"""The recovery clock of an incident: how long it has lasted, how long is left, what is due to be told.

Owns: `deadline = started + target + paused`. Never: pauses or tells; it only says what is so. Times are the caller's steady clock.

Gross is the time users had no service, from the first failed outcome to the end. Net leaves the pauses out and is what counts against the target.
An incident that comes back within the reopening time counts on from its first start: it had not been repaired.
"""

from datetime import datetime, timedelta
from typing import Literal

from monitor.model import Incident, IncidentState

ClockState = Literal["running", "paused", "met", "breached"]

NOTHING = timedelta(0)


def ended_at(incident: Incident) -> datetime | None:
    """When it was over; a merged or withdrawn one ends when it was closed."""
    return incident.resolved_at or incident.closed_at


def elapsed(incident: Incident, now: datetime) -> timedelta:
    """Gross: from its start to its end, or until now."""
    return max(NOTHING, (ended_at(incident) or now) - incident.started_at)


def paused(incident: Incident, now: datetime) -> timedelta:
    """All pauses, the running one until now."""
    running = incident.paused_since
    if running is None:
        return incident.paused
    return incident.paused + max(NOTHING, (ended_at(incident) or now) - running)


def net(incident: Incident, now: datetime) -> timedelta:
    """What counts against the target."""
    return max(NOTHING, elapsed(incident, now) - paused(incident, now))


def deadline(incident: Incident, now: datetime) -> datetime:
    """The moment the target runs out; while paused it moves on with the time."""
    return incident.started_at + incident.target + paused(incident, now)


def remaining(incident: Incident, now: datetime) -> timedelta:
    """What is left of the target, negative after the breach. Stands still while paused and when it is over."""
    return incident.target - net(incident, now)


def clock_state(incident: Incident, now: datetime) -> ClockState:
    """`met` and `breached` are said of what is over by its net time; what goes on is breached from the moment its time is used up."""
    if not incident.state.active:
        return "met" if net(incident, now) <= incident.target else "breached"
    if incident.breached_at is not None or remaining(incident, now) <= NOTHING:
        return "breached"
    return "running" if incident.paused_since is None else "paused"


def due_warnings(incident: Incident, now: datetime) -> tuple[float, ...]:
    """The shares of the target used up and not yet told, smallest first. After a long gap several at once."""
    if incident.state not in (IncidentState.OPEN, IncidentState.ACKNOWLEDGED):
        return ()
    used = net(incident, now)
    return tuple(
        share for share in sorted(incident.warn_at) if share not in incident.warned and used >= incident.target * share
    )


def due_breach(incident: Incident, now: datetime) -> datetime | None:
    """The moment the target ran out, if it has and nobody was told."""
    if not incident.state.active or incident.breached_at is not None or net(incident, now) < incident.target:
        return None
    # A pause that runs now began after it: only finished ones moved it.
    return incident.started_at + incident.target + incident.paused
