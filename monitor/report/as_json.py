"""The report as JSON, `thongsuot.report/1`: what machines read, and what every other format shows.

Owns: the public names of the fields (`report.schema.json` beside this file describes them). Never: rounds beyond the microsecond.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from monitor.model import Bucket
from monitor.report.figures import CapacityRow, GroupRow, IncidentRow, IPv6, NodeRow, Recovery, Report, verdict
from monitor.rules.calendar import Period
from monitor.rules.ledger import Availability, Ledger

VERSION: Final = "thongsuot.report/1"

Json = dict[str, Any]


def render(report: Report) -> bytes:
    """UTF-8, two spaces, keys in the documented order, a newline at the end."""
    return (json.dumps(as_dict(report), ensure_ascii=False, indent=2, allow_nan=False) + "\n").encode()


def as_dict(report: Report) -> Json:
    """The whole report as plain values."""
    previous = report.previous
    province = report.source.catalogue.province
    return {
        "version": VERSION,
        "period": _period(report.period, report.label) | {"complete": report.complete},
        "generated_at": moment(report.generated_at),
        "province": {
            "id": province.id,
            "name": province.name,
            "timezone": str(province.zone),
            "issuer": province.issuer,
        },
        "language": report.source.language,
        "total": figures(report.total),
        "nodes": [_node(row) for row in report.nodes],
        "groups": [_group(row) for row in report.groups],
        "incidents": [_incident(row) for row in report.incidents],
        "recovery": recovery(report.recovery),
        "citizens": {
            "nodes": list(report.citizens.nodes),
            "seconds": seconds(report.citizens.lost),
            "low": seconds(report.citizens.low),
            "high": seconds(report.citizens.high),
            "coverage": report.citizens.coverage,
        },
        "ipv6": None if report.ipv6 is None else _ipv6(report.ipv6),
        "capacity": [_capacity(row) for row in report.capacity],
        "maintenance": [
            {
                "id": row.window.id,
                "start": moment(row.window.start),
                "end": moment(row.window.end),
                "nodes": sorted(row.window.nodes),
                "reason": row.window.reason,
                "announced_at": moment(row.window.announced_at) if row.window.announced_at else None,
                "short_notice": row.short_notice,
                "force_majeure": row.window.force_majeure,
            }
            for row in report.windows
        ],
        "blind": [{"since": moment(since), "until": moment(until)} for since, until in report.blind],
        "previous": None
        if previous is None
        else {
            "period": _period(previous.period, previous.label),
            "total": figures(previous.total),
            "recovery": recovery(previous.recovery),
            "nodes": {node: _share(ledger.availability) for node, ledger in previous.nodes.items()},
        },
        "notes": list(report.notes),
    }


def moment(at: datetime) -> str:
    """RFC 3339 in UTC, with microseconds only where there are any."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def seconds(length: timedelta) -> float:
    """Seconds, whole ones as integers; a double holds the microseconds of any period here."""
    whole, rest = divmod(length, timedelta(seconds=1))
    return length.total_seconds() if rest else whole


def maybe(length: timedelta | None) -> float | None:
    """The same, where there may be none."""
    return None if length is None else seconds(length)


def figures(ledger: Ledger) -> Json:
    """The figures of a ledger, as they stand in `nodes`, `groups` and `total`."""
    return {
        "seconds": {bucket.value: seconds(ledger.time[bucket]) for bucket in Bucket},
        "availability": _share(ledger.availability),
        "own_availability": _share(ledger.own),
        "coverage": ledger.coverage,
        "outages": ledger.outages,
        "longest_outage_seconds": seconds(ledger.longest),
        "mttr_seconds": maybe(ledger.mttr),
        "verdict": verdict(ledger),
    }


def recovery(counts: Recovery) -> Json:
    """Incidents against their targets."""
    return {
        "incidents": counts.incidents,
        "met": counts.met,
        "breached": counts.breached,
        "open": counts.open,
        "late": counts.late,
        "mttd_seconds": maybe(counts.detect),
        "mtta_seconds": maybe(counts.acknowledge),
        "mttr_seconds": maybe(counts.repair),
    }


def _ipv6(ipv6: IPv6) -> Json:
    """At the end of the period by commune; and the share of the time that those that are watched had it."""
    share, time = ipv6.share, ipv6.time
    return {
        "units": share.communes,
        "watched": share.asked,
        "working": share.working,
        "failing": share.failing,
        "unknown": share.unknown,
        "unwatched": share.unasked,
        "share": {"value": share.ratio, "low": share.low, "high": share.high},
        "time": {**_share(time.availability), "coverage": time.coverage},
    }


def _share(figure: Availability) -> Mapping[str, float | None]:
    return {"value": figure.value, "low": figure.low, "high": figure.high}


def _period(period: Period, label: str) -> Json:
    return {
        "kind": period.kind,
        "start": moment(period.start),
        "end": moment(period.end),
        "label": label,
        "name": period.name,
        "seconds": seconds(period.length),
    }


def _node(row: NodeRow) -> Json:
    node = row.node
    about = {
        "id": node.id,
        "name": node.name,
        "type": node.type,
        "severity": node.severity.value,
        "owner": node.owner,
        "operator": node.operator,
        "carrier": node.carrier,
        "labels": dict(node.labels),
    }
    return about | figures(row.ledger)


def _group(row: GroupRow) -> Json:
    about = {"by": row.by, "id": row.id, "name": row.name, "nodes": row.nodes}
    return about | figures(row.ledger) | {"recovery": recovery(row.recovery)}


def _capacity(row: CapacityRow) -> Json:
    return {
        "check": row.check,
        "node": row.node,
        "name": row.name,
        "p95_in": row.received,
        "p95_out": row.sent,
        "days_measured": row.measured,
        "days_over": row.days_over,
        "direction": row.direction,
        "since": row.since.isoformat() if row.since else None,
        "until": row.until.isoformat() if row.until else None,
        "days_unmeasured": row.unmeasured,
        "congested": row.congested,
    }


def _incident(row: IncidentRow) -> Json:
    incident = row.incident
    return {
        "id": incident.id,
        "node": incident.node,
        "name": row.name,
        "severity": incident.severity.value,
        "state": incident.state.value,
        "reason": incident.reason.value,
        "detail": incident.detail,
        "started_at": moment(incident.started_at),
        "resolved_at": moment(incident.resolved_at) if incident.resolved_at else None,
        "elapsed_seconds": seconds(row.elapsed),
        "paused_seconds": seconds(row.paused),
        "target_seconds": seconds(incident.target),
        "met": row.met,
        "cause": incident.cause,
        "affected_total": len(incident.affected),
    }
