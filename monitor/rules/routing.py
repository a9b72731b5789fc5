"""Who is told of an event, and who next if nobody acts.

Owns: matching routes, silence, and that whoever heard of the beginning hears of the end. Never: writes a message, knows a receiver's kind.

The laws. The first route that matches decides, unless it says `go_on`. An empty field of a match asks nothing; several values are alternatives;
values of `node` may be patterns (`tslcd.*`), those of `event` may leave out `incident.`. What is quiet, and rows that are not for telling,
go to nobody; in maintenance only the end of what was told before. An end (resolved, merged, withdrawn, recovered) goes to those who were told
of the opening: to `told` where the caller knows them, else to those whom the opening would go to today; and to nobody if it was never told.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase

from monitor.model import (
    Catalogue,
    EscalationStep,
    EventType,
    Incident,
    IncidentEvent,
    IncidentState,
    Match,
    Node,
    Route,
    Severity,
)
from monitor.rules.clock import net
from monitor.rules.history import CLOSING


def recipients(
    event: IncidentEvent,
    incident: Incident,
    node: Node,
    catalogue: Catalogue,
    *,
    told: Collection[str] | None = None,
) -> tuple[str, ...]:
    """Receiver names, each once, in the order of the routes. `told` are the receivers that a message of this incident's opening was made for."""
    if not event.type.told or event.data.get("quiet"):
        return ()
    if event.type in CLOSING:
        if incident.told_at is None:
            return ()
        if told is not None:
            return tuple(name for name in dict.fromkeys(told) if name in catalogue.receivers)
        opening = EventType.IMPAIRED if event.type is EventType.RECOVERED else EventType.OPENED
        return _send(routes(opening, incident, node, catalogue), catalogue)
    if incident.maintenance:
        return ()
    return _send(routes(event.type, incident, node, catalogue), catalogue)


def routes(type: EventType, incident: Incident, node: Node, catalogue: Catalogue) -> tuple[Route, ...]:
    """The routes that decide about an event of this type."""
    found = []
    for route in catalogue.routes:
        if matches(route.match, type, incident, node):
            found.append(route)
            if not route.go_on:
                break
    return tuple(found)


def meeting_receivers(nodes: Iterable[Node], catalogue: Catalogue) -> tuple[str, ...]:
    """Who is told of a meeting's readiness: a route fits when it fits any of the points, each with its own severity."""
    points, found = list(nodes), []
    for route in catalogue.routes:
        if any(_fits(route.match, EventType.MEETING_READINESS, node.severity, node) for node in points):
            found.append(route)
            if not route.go_on:
                break
    return _send(tuple(found), catalogue)


def matches(match: Match, type: EventType, incident: Incident, node: Node) -> bool:
    """Whether a route asks for this event of this node's incident."""
    return _fits(match, type, incident.severity, node)


def _fits(match: Match, type: EventType, severity: Severity, node: Node) -> bool:
    if match.node and not any(fnmatchcase(node.id, pattern) for pattern in match.node):
        return False
    for asked, value in (
        (match.type, node.type),
        (match.severity, severity.value),
        (match.owner, node.owner),
        (match.carrier, node.carrier),
    ):
        if asked and value not in asked:
            return False
    if any(node.labels.get(name) not in values for name, values in match.labels.items() if values):
        return False
    names = {type.value, type.value.removeprefix("incident.")}
    if type is EventType.REOPENED:
        # A reopening is an opening to whoever asked for these.
        names |= {"opened", EventType.OPENED.value}
    return not match.event or bool(names.intersection(match.event))


def _send(found: tuple[Route, ...], catalogue: Catalogue) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for route in found for name in route.send if name in catalogue.receivers))


@dataclass(frozen=True, slots=True)
class Due:
    """An escalation step whose time has come. `key` names it within the incident, so that it is told once: keep it in the event's data."""

    key: str
    step: EscalationStep


def escalations(
    incident: Incident, node: Node, catalogue: Catalogue, now: datetime, *, done: Collection[str] = ()
) -> tuple[Due, ...]:
    """The steps due and not yet `done`. `after` counts from when the incident was first told, `at` is a share of the net recovery time.

    Nothing is due in maintenance or before anybody was told. `unless: acknowledged` is reached by an acknowledgement.
    """
    if not incident.state.active or incident.maintenance or incident.told_at is None:
        return ()
    found = []
    for place, route in enumerate(routes(EventType.OPENED, incident, node, catalogue)):
        for number, step in enumerate(route.escalate):
            key = f"{place}.{number}"
            if key in done or (step.unless == "acknowledged" and incident.state is IncidentState.ACKNOWLEDGED):
                continue
            by_time = step.after is not None and now - incident.opened_at >= step.after
            by_share = step.at is not None and net(incident, now) >= incident.target * step.at
            if by_time or by_share:
                found.append(Due(key, step))
    return tuple(found)
