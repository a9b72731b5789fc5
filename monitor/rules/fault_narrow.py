"""Whose fault it is when one thing fails: a link or its site, a service or the way to it.

Owns: the part of `fault` that hears witnesses; its rules are told there. Never: decides about more than one node.
"""

from dataclasses import replace
from datetime import datetime
from itertools import islice
from typing import Any

from monitor.model import Confidence, Ground, GroundRule, Incident, Node, Says, Whose, Witness
from monitor.rules.nodes import GRACE
from monitor.rules.testimony import Hearing
from monitor.rules.weighing import FEW, SHOWN, figures, ground_of, told
from probes.contract import Reason

SIBLINGS = 100
"""Like links that are heard about one link: the nearest are the most telling."""

ROUTER = frozenset({Reason.UNREACHABLE, Reason.PROHIBITED, Reason.TTL_EXCEEDED})

MUTE = frozenset({
    Reason.OK, Reason.TIMEOUT, Reason.RESET, Reason.NO_REPLY, Reason.LOSS, Reason.DOWN_IF, Reason.MISSED, Reason.FRAG_NEEDED, Reason.STEP,
    Reason.PROXY, Reason.DNS, Reason.DNS_NXDOMAIN, Reason.DNS_NODATA, Reason.DNS_SERVFAIL, Reason.DNS_FILTERED, *ROUTER,
})  # fmt: skip
"""Reasons that do not show that the endpoint itself has said anything."""


def of_link(hearing: Hearing, node: Node, incident: Incident, now: datetime) -> Ground:
    """One link: the witnesses first, then a router on the way, then the like links."""
    path = hearing.witness(node.id, Witness.SECOND_PATH)
    port = hearing.witness(node.id, Witness.NEAR_PORT)
    device = hearing.witness(node.id, Witness.DEVICE)
    beside = hearing.contrast(islice(hearing.kin(node), SIBLINGS))
    numbers = {"party": node.carrier, "of": node.type, "counted": 1, "eligible": 1, **figures(hearing, beside)}
    own = [hearing.of(node.id), *told(hearing, beside.answering[:SHOWN])]
    numbers["unnamed"] = max(0, len(beside.answering) - SHOWN)
    failing = told(hearing, beside.failing)
    alive = [device] if device and device.says is Says.ANSWERS else []
    cut = [port] if port and port.says is Says.FAILS else []
    if incident.degradation:
        path, cut, alive = None, [], []
    before = incident.ground
    if path and path.says is Says.SILENT:
        numbers["party"] = ""
        return ground_of(
            Whose.SITE, Confidence.MEDIUM, GroundRule.SECOND_PATH_SILENT, [path, *cut], alive, own, **numbers
        )
    lives = [path] if path and path.says is Says.ANSWERS else []
    back = path.since if lives and path else None
    if before is not None and before.rule is GroundRule.SECOND_PATH_SILENT and (back is None or now - back < GRACE):
        return before
    if cut:
        return ground_of(Whose.LINK, Confidence.HIGH, GroundRule.NEAR_PORT_DOWN, [*cut, *lives], alive, own, **numbers)
    if lives:
        # Silent for a part of it: the site may have had its share in it.
        confidence = Confidence.MEDIUM if back is not None and back > hearing.since else Confidence.HIGH
        return ground_of(Whose.LINK, confidence, GroundRule.SECOND_PATH_ANSWERS, lives, alive, own, **numbers)
    if alive:
        return ground_of(Whose.LINK, Confidence.LOW, GroundRule.DEVICE_ANSWERS, (), alive, own, **numbers)
    apart = bool(beside.answering) and len(beside.failing) <= FEW * beside.heard
    confidence = Confidence.MEDIUM if apart else Confidence.LOW
    if incident.reason in ROUTER and not incident.degradation:
        return ground_of(Whose.LINK, confidence, GroundRule.ROUTER_REFUSES, own[:1], failing, own[1:], **numbers)
    rule = GroundRule.SIBLINGS_ANSWER if apart else GroundRule.OWN_CHECKS
    return ground_of(Whose.LINK, confidence, rule, own[1:], failing, own[:1], **numbers)


def of_service(hearing: Hearing, node: Node, incident: Incident) -> Ground:
    """A system or an endpoint: does it answer wrongly, or not at all while what it stands on does?"""
    house, own = hearing.house, [hearing.of(node.id)]
    parents = hearing.contrast(house.parents[node.id])
    above = told(hearing, parents.answering)
    numbers: dict[str, Any] = {"party": node.operator or node.owner, "of": node.type}
    path = hearing.witness(node.id, Witness.SECOND_PATH)
    if incident.reason not in MUTE:
        own = [replace(own[0], reason=incident.reason)]
        return ground_of(Whose.SERVICE, Confidence.HIGH, GroundRule.ENDPOINT_ANSWERS, own, (), above, **numbers)
    if path and path.says is Says.ANSWERS and not incident.degradation:
        numbers["party"] = node.carrier
        return ground_of(Whose.LINK, Confidence.HIGH, GroundRule.SECOND_PATH_ANSWERS, [path], (), own, **numbers)
    if incident.reason in ROUTER:
        return ground_of(Whose.UNKNOWN, Confidence.LOW, GroundRule.ROUTER_REFUSES, own, (), above, of=node.type)
    silent = [path] if path and path.says is Says.SILENT else []
    against = told(hearing, parents.failing)
    if parents.answering and not parents.failing:
        return ground_of(
            Whose.SERVICE, Confidence.MEDIUM, GroundRule.PARENTS_ANSWER, [*silent, *above], (), own, **numbers
        )
    return ground_of(Whose.SERVICE, Confidence.LOW, GroundRule.OWN_CHECKS, silent, against, own, **numbers)
