"""The API's objects: what a node, a check and an incident look like in JSON. The incident's shape is the webhook's."""

from typing import Any
from urllib.parse import quote

from monitor import words
from monitor.model import Check, Incident, IncidentEvent, Node, NodeState
from monitor.model.evidence import Evidence
from monitor.rules.public import affected_nodes, incident_object, known_node, rfc3339
from monitor.web.view import View
from probes.contract import Outcome


def incident_json(view: View, incident: Incident) -> dict[str, Any]:
    """One incident, as of now."""
    catalogue = view.catalogue
    node, hurt = known_node(catalogue, incident.node), affected_nodes(incident, catalogue)
    url = page_url(view, "incidents", incident.id)
    return incident_object(incident, node, hurt, url=url, now=view.now(), catalogue=catalogue) | {
        "cause": incident.cause or None,
        "evidence": incident.evidence or None,
        "measured": words.measured(incident.detail, catalogue.province.language),
        "flapping": incident.flapping,
        "merged_into": incident.merged_into or None,
        "version": incident.version,
    }


def event_json(event: IncidentEvent) -> dict[str, Any]:
    """One row of an incident's history."""
    return {
        "sequence": event.sequence,
        "type": event.type.value,
        "at": rfc3339(event.at),
        "by": event.by,
        "text": event.text,
        "data": dict(event.data),
    }


def evidence_url(incident: Incident, evidence: Evidence) -> str:
    """Where one piece of an incident's evidence is, from the root of this server."""
    parts = (incident.id, "evidence", *evidence.check.split("/"), evidence.name)
    return "/api/v1/incidents/" + "/".join(quote(part, safe="") for part in parts)


def evidence_json(incident: Incident, evidence: Evidence) -> dict[str, Any]:
    """A picture that a failed probe kept; `first` began the outage, else it is the latest."""
    return {
        "check": evidence.check,
        "name": evidence.name,
        "at": rfc3339(evidence.at),
        "first": evidence.first,
        "media_type": evidence.media_type,
        "bytes": evidence.size,
        "url": evidence_url(incident, evidence),
    }


def outcome_json(check: str, outcome: Outcome) -> dict[str, Any]:
    """What a probe saw; the same object as `thongsuot probe --json` prints."""
    return {
        "check": check,
        "seen": outcome.seen.value,
        "reason": outcome.reason.value,
        "detail": outcome.detail,
        "started_at": outcome.started_at.isoformat().replace("+00:00", "Z"),
        "seconds": round(outcome.seconds, 6),
        "phases": {name: round(seconds, 6) for name, seconds in outcome.phases.items()},
        "facts": dict(outcome.facts),
    }


def node_json(view: View, node: Node) -> dict[str, Any]:
    """A node with its verdict; its checks by id."""
    state = view.nodes().get(node.id, NodeState(node=node.id))
    incident = next((i for i in view.incidents() if i.node == node.id), None)
    return {
        "id": node.id,
        "name": node.name,
        "type": node.type,
        "severity": node.severity.value,
        "state": state.state.value,
        "since": rfc3339(state.since),
        "reason": state.reason.value,
        "detail": state.detail,
        "measured": words.measured(state.detail, view.catalogue.province.language),
        "blamed_on": state.blamed_on or None,
        "flapping": state.flapping,
        "maintenance": node.id in view.in_maintenance(),
        "incident": incident.id if incident else None,
        "owner": node.owner or None,
        "operator": node.operator or None,
        "carrier": node.carrier or None,
        "recovery_target_seconds": int(node.recovery_target.total_seconds()),
        "depends_on": list(node.depends_on),
        "members": list(node.group.members) if node.group else None,
        "labels": dict(sorted(node.labels.items())),
        "runbook": node.runbook or None,
        "checks": list(node.checks),
        "mos": view.speech(node.id),
        "url": page_url(view, "nodes", node.id),
    }


def check_json(view: View, check: Check) -> dict[str, Any]:
    """A check with its verdict and what it saw last."""
    state, last = view.checks().get(check.id), view.last(check.id)
    return {
        "id": check.id,
        "node": check.node,
        "kind": check.kind,
        "effect": check.effect.value,
        "every_seconds": check.every.total_seconds(),
        "timeout_seconds": check.timeout.total_seconds(),
        "state": state.state.value if state else "unknown",
        "since": rfc3339(state.since) if state else None,
        "blind_since": rfc3339(state.blind_since) if state else None,
        "normal": dict(view.normals(check.id)),
        "last": outcome_json(check.id, last) if last else None,
    }


def page_url(view: View, *parts: str) -> str:
    """The address of a page, under the public URL where there is one."""
    return "/".join((view.catalogue.daemon.public_url.rstrip("/"), *(quote(part, safe="") for part in parts)))
