"""Who is told: the first route that matches, silence in maintenance, and the end for whoever heard the beginning."""

from dataclasses import replace
from datetime import timedelta
from types import MappingProxyType
from typing import Any

import pytest

from monitor.model import (
    Catalogue,
    EscalationStep,
    EventType,
    Incident,
    IncidentEvent,
    IncidentState,
    Match,
    Node,
    Receiver,
    Route,
    Severity,
)
from monitor.rules.routing import escalations, recipients
from tests.rules.driver import catalogue, t

NODE = Node(
    id="tslcd.13285",
    name="x",
    type="link",
    severity=Severity.HIGH,
    owner="skhcn",
    carrier="vnpt",
    labels=MappingProxyType({"region": "nam-dinh"}),
)
INCIDENT = Incident(
    id="i-1",
    node=NODE.id,
    severity=Severity.HIGH,
    started_at=t(0),
    detected_at=t(20),
    opened_at=t(30),
    target=timedelta(hours=24),
    told_at=t(30),
)


def plan(*routes: Route) -> Catalogue:
    names = ("truc", "am", "zalo", "lanhdao")
    return catalogue([NODE], routes=routes, receivers={n: Receiver(name=n, kind="webhook", spec=None) for n in names})


def event(type: EventType, **data: Any) -> IncidentEvent:
    return IncidentEvent(incident=INCIDENT, sequence=1, type=type, at=t(30), data=data)


def labels(**values: tuple[str, ...]) -> Match:
    return Match(labels=MappingProxyType(values))


CASES = [
    ("an empty match asks nothing", Match(), True),
    ("the severity is asked for", Match(severity=("critical", "high")), True),
    ("another severity", Match(severity=("critical",)), False),
    ("the carrier", Match(carrier=("vnpt",)), True),
    ("another owner", Match(owner=("stc",)), False),
    ("the node by pattern", Match(node=("tslcd.*",)), True),
    ("another node", Match(node=("hnth.*", "hub")), False),
    ("the label", labels(region=("nam-dinh", "ha-nam")), True),
    ("another label", labels(region=("ha-nam",)), False),
    ("a label it has not", labels(zone=("x",)), False),
    ("the event by its short name", Match(event=("opened",)), True),
    ("the event by its full name", Match(event=("incident.opened",)), True),
    ("another event", Match(event=("recovery_breached",)), False),
    ("all of them at once", Match(type=("link",), carrier=("vnpt",), severity=("high",)), True),
    ("all but one", Match(type=("link",), carrier=("cmc",), severity=("high",)), False),
]


@pytest.mark.parametrize(("sentence", "match", "told"), CASES, ids=[c[0] for c in CASES])
def test_a_match(sentence: str, match: Match, told: bool) -> None:
    found = recipients(event(EventType.OPENED), INCIDENT, NODE, plan(Route(match=match, send=("truc",))))
    assert found == (("truc",) if told else ())


def test_the_first_route_decides_unless_it_goes_on() -> None:
    first, second, third = (Route(match=Match(), send=(n, "am")) for n in ("truc", "zalo", "lanhdao"))
    assert recipients(event(EventType.OPENED), INCIDENT, NODE, plan(first, second, third)) == ("truc", "am")
    on = replace(first, go_on=True)
    assert recipients(event(EventType.OPENED), INCIDENT, NODE, plan(on, second, third)) == ("truc", "am", "zalo")


def test_rows_of_the_history_and_what_is_quiet_go_to_nobody() -> None:
    routes = plan(Route(match=Match(), send=("truc",)))
    for type in (EventType.COMMENTED, EventType.AFFECTED, EventType.PAUSED, EventType.FLAPPING):
        assert recipients(event(type), INCIDENT, NODE, routes) == ()
    assert recipients(event(EventType.OPENED, quiet=True), INCIDENT, NODE, routes) == ()


def test_in_maintenance_only_the_end_of_what_was_told_is_told() -> None:
    routes = plan(Route(match=Match(), send=("truc",)))
    planned = replace(INCIDENT, maintenance=True)
    assert recipients(event(EventType.RECOVERY_WARNING), planned, NODE, routes) == ()
    assert recipients(event(EventType.RESOLVED), planned, NODE, routes) == ("truc",)
    assert recipients(event(EventType.RESOLVED), replace(planned, told_at=None), NODE, routes) == ()


def test_the_end_goes_to_whoever_heard_the_beginning() -> None:
    routes = plan(Route(match=Match(event=("opened",)), send=("truc",)), Route(match=Match(), send=("zalo",)))
    assert recipients(event(EventType.RECOVERY_WARNING), INCIDENT, NODE, routes) == ("zalo",)
    for type in (EventType.RESOLVED, EventType.MERGED, EventType.WITHDRAWN):
        assert recipients(event(type), INCIDENT, NODE, routes) == ("truc",)
        assert recipients(event(type), INCIDENT, NODE, routes, told=("am", "gone")) == ("am",)
    assert recipients(event(EventType.REOPENED), INCIDENT, NODE, routes) == ("truc",)


def test_a_receiver_is_named_once() -> None:
    routes = plan(Route(match=Match(), send=("truc", "truc"), go_on=True), Route(match=Match(), send=("truc",)))
    assert recipients(event(EventType.OPENED), INCIDENT, NODE, routes) == ("truc",)


def test_escalation_waits_for_its_time_and_not_for_who_has_acted() -> None:
    steps = (
        EscalationStep(after=timedelta(minutes=15), unless="acknowledged", send=("am",)),
        EscalationStep(at=0.75, send=("lanhdao",)),
    )
    routes = plan(Route(match=Match(), send=("truc",), escalate=steps))
    assert escalations(INCIDENT, NODE, routes, t(60)) == ()
    assert [due.step.send for due in escalations(INCIDENT, NODE, routes, t(1000))] == [("am",)]
    taken = replace(INCIDENT, state=IncidentState.ACKNOWLEDGED)
    assert escalations(taken, NODE, routes, t(1000)) == ()
    assert [due.step.send for due in escalations(taken, NODE, routes, t(70_000))] == [("lanhdao",)]
    assert escalations(INCIDENT, NODE, routes, t(70_000), done=("0.0", "0.1")) == ()
    assert escalations(replace(INCIDENT, maintenance=True), NODE, routes, t(70_000)) == ()
