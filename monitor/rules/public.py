"""The public shape of nodes and incidents: one for the webhook, the API, the live events and the command line.

Owns: field names and their order (DESIGN §9), times as RFC 3339 in UTC, durations as whole seconds, cut. Never: wording, mark-up, I/O.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from monitor.model import Catalogue, Ground, Incident, Meeting, Node, Point
from monitor.rules import clock
from monitor.rules.ipv6 import Share

AFFECTED_LIMIT = 500
"""Nodes that are listed by name; `affected_total` counts them all. Enough for every commune of a province with all it has."""


def rfc3339(moment: datetime | None) -> str | None:
    """UTC, to the second, with a `Z`; None stays None."""
    return None if moment is None else moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def known_node(catalogue: Catalogue, node: str) -> Node:
    """The node, or one that has only its id: what left the configuration, and the monitor itself, are still spoken of."""
    own = node == "monitor"
    name = "Thông Suốt" if own else node
    return catalogue.nodes.get(node) or Node(id=node, name=name, type="monitor" if own else "")


def affected_nodes(incident: Incident, catalogue: Catalogue) -> list[Node]:
    """While it lasts, those that cannot work now; afterwards all it ever hurt. In the order they joined."""
    ids = {each.node: None for each in incident.affected if each.until is None or not incident.state.active}
    return [known_node(catalogue, node) for node in ids]


def brief(node: Node) -> dict[str, Any]:
    """Id, name and type."""
    return {"id": node.id, "name": node.name, "type": node.type}


def ground_object(ground: Ground, catalogue: Catalogue | None) -> dict[str, Any]:
    """Whose fault an incident is, how sure that is, and on what it rests. `share` is a ratio; `others` is null where none were heard."""

    def party(id: str) -> dict[str, Any] | None:
        known = catalogue.parties.get(id) if catalogue else None
        return {"id": id, "name": known.name if known else id} if id else None

    others = {
        "answering": ground.others_answering,
        "total": ground.others,
        "party": party(ground.others_party),
    }
    return {
        "whose": ground.whose.value,
        "confidence": ground.confidence.value,
        "rule": ground.rule.value,
        "party": party(ground.party),
        "of": ground.of or None,
        "counted": ground.counted,
        "eligible": ground.eligible,
        "needed": ground.needed,
        "share": round(ground.share, 4),
        "within_seconds": int(ground.within.total_seconds()),
        "others": others if ground.others else None,
        "testimony": [
            {
                "subject": one.subject,
                "name": _subject_name(one.subject, catalogue),
                "says": one.says.value,
                "since": rfc3339(one.since),
                "reason": one.reason.value,
                "against": one.against,
            }
            for one in ground.testimony
        ],
        "testimony_total": ground.testimony_total,
    }


def _subject_name(subject: str, catalogue: Catalogue | None) -> str:
    """A node's name, and behind it which of its checks it was."""
    if catalogue is None:
        return subject
    node, _, check = subject.partition("/")
    name = known_node(catalogue, node).name
    return f"{name} ({check})" if check else name


def incident_object(
    incident: Incident,
    node: Node,
    affected: Iterable[Node],
    *,
    url: str | None,
    now: datetime,
    catalogue: Catalogue | None = None,
) -> dict[str, Any]:
    """`data.incident` of the webhook, and the API's incident. Names in its ground need the `catalogue`."""
    hurt = list(affected)
    return {
        "id": incident.id,
        "url": url,
        "state": incident.state.value,
        "severity": incident.severity.value,
        "node": {
            **brief(node),
            "owner": node.owner or None,
            "operator": node.operator or None,
            "carrier": node.carrier or None,
            "labels": dict(sorted(node.labels.items())),
        },
        "reason": incident.reason.value,
        "detail": incident.detail,
        "ground": ground_object(incident.ground, catalogue) if incident.ground is not None else None,
        "started_at": rfc3339(incident.started_at),
        "detected_at": rfc3339(incident.detected_at),
        "acknowledged_at": rfc3339(incident.acknowledged_at),
        "acknowledged_by": incident.acknowledged_by or None,
        "resolved_at": rfc3339(incident.resolved_at),
        "recovery": {
            "target_seconds": int(incident.target.total_seconds()),
            "deadline": rfc3339(clock.deadline(incident, now)),
            "elapsed_seconds": int(clock.elapsed(incident, now).total_seconds()),
            "paused_seconds": int(clock.paused(incident, now).total_seconds()),
            "remaining_seconds": int(clock.remaining(incident, now).total_seconds()),
            "clock": str(clock.clock_state(incident, now)),
        },
        "affected": [brief(each) for each in hurt[:AFFECTED_LIMIT]],
        "affected_total": len(hurt),
        "maintenance": incident.maintenance,
    }


def point_object(point: Point, catalogue: Catalogue) -> dict[str, Any]:
    """One point of a meeting that is not ready. `loss` is a ratio, `mos` an estimate for speech; both its link's, null when not measured."""
    return {
        **brief(known_node(catalogue, point.node)),
        "lack": point.lack.value,
        "reason": point.reason.value,
        "blamed_on": point.blamed_on or None,
        "loss": None if point.loss is None else round(point.loss, 4),
        "mos": None if point.mos is None else round(point.mos, 2),
    }


def meeting_object(
    meeting: Meeting, points: Iterable[Point], catalogue: Catalogue, *, url: str | None
) -> dict[str, Any]:
    """`data.meeting` of the webhook, and the core of the API's meeting."""
    known = list(points)
    lacking = [point for point in known if not point.ready]
    return {
        "id": meeting.id,
        "plan": meeting.plan,
        "name": meeting.name,
        "url": url,
        "start": rfc3339(meeting.start),
        "end": rfc3339(meeting.end),
        "ready": len(known) - len(lacking),
        "total": len(known),
        "not_ready": [point_object(point, catalogue) for point in lacking[:AFFECTED_LIMIT]],
    }


def ipv6_object(share: Share) -> dict[str, Any]:
    """Communes by how their IPv6 stands, and the share of them that works with its bounds (ratios, null when nothing is known)."""
    return {
        "communes": share.communes,
        "asked": share.asked,
        "working": share.working,
        "failing": share.failing,
        "unknown": share.unknown,
        "unasked": share.unasked,
        "ratio": share.ratio,
        "low": share.low,
        "high": share.high,
    }
