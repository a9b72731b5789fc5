"""The report as CSV: one table a file, in a zip; every file opens in a spreadsheet as it is.

Owns: UTF-8 with a byte order mark (a spreadsheet takes it for Latin without), columns whose order never changes, and the guard against cells
that a spreadsheet would run. Never: shows a figure that the JSON does not have.
"""

import csv
import io
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from monitor.report.as_json import as_dict
from monitor.report.figures import CommuneRow, Report

CELL_LIMIT: Final = 32_767
"""Characters that fit in a cell of a spreadsheet."""
_RUNS: Final = ("=", "+", "-", "@", "\t", "\r", "\0")
_THEN: Final = (1980, 1, 1, 0, 0, 0)
"""The date of every file in the zip: the same report gives the same bytes."""

Table = tuple[Sequence[str], Iterable[Sequence[Any]]]

BUCKETS: Final = ("up", "degraded", "down", "unreachable", "unknown", "excluded")
FIGURES: Final = (
    *(f"seconds_{bucket}" for bucket in BUCKETS),
    "availability",
    "availability_low",
    "availability_high",
    "own_availability",
    "coverage",
    "outages",
    "longest_outage_seconds",
    "mttr_seconds",
    "verdict",
)


def render(report: Report) -> bytes:
    """All tables in one zip."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files(report).items():
            entry = zipfile.ZipInfo(name, _THEN)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o600 << 16
            archive.writestr(entry, content)
    return buffer.getvalue()


def files(report: Report) -> Mapping[str, bytes]:
    """Each table by the name of its file."""
    return {name: table(*content) for name, content in _tables(report).items()}


def table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> bytes:
    """One table. Numbers stay numbers, with a decimal point; texts are guarded."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\r\n")
    writer.writerow(head)
    for row in rows:
        writer.writerow([guard(cell) for cell in row])
    return b"\xef\xbb\xbf" + buffer.getvalue().encode()


def guard(cell: Any) -> Any:
    """A text that a spreadsheet would take for a formula gets a leading apostrophe (ASVS 1.2.10); control characters are dropped."""
    if cell is None:
        return ""
    if not isinstance(cell, str):
        return cell
    dangerous = cell.startswith(_RUNS)
    clean = "".join(char for char in cell if char in "\n\t" or (char >= " " and not "\x7f" <= char <= "\x9f"))
    if dangerous or clean.lstrip().startswith(_RUNS[:4]):
        clean = "'" + clean
    return clean[:CELL_LIMIT]


def _tables(report: Report) -> Mapping[str, Table]:
    data = as_dict(report)
    by_id = {node["id"]: node for node in data["nodes"]}
    head = ("start", "end", "kind", "label", "complete", "generated_at")
    period = data["period"]
    return {
        "period.csv": (head, [[*(period[key] for key in head[:5]), data["generated_at"]]]),
        "nodes.csv": (
            ("id", "name", "type", "severity", "owner", "operator", "carrier", "region", "commune", *FIGURES),
            (
                [
                    *(node[key] for key in ("id", "name", "type", "severity", "owner", "operator", "carrier")),
                    node["labels"].get("region", ""),
                    node["labels"].get("commune", ""),
                    *_figures(node),
                ]
                for node in data["nodes"]
            ),
        ),
        "groups.csv": (
            ("by", "id", "name", "nodes", *FIGURES, "incidents", "met", "breached", "open"),
            (
                [
                    *(group[key] for key in ("by", "id", "name", "nodes")),
                    *_figures(group),
                    *(group["recovery"][key] for key in ("incidents", "met", "breached", "open")),
                ]
                for group in data["groups"]
            ),
        ),
        "incidents.csv": (INCIDENT, ([incident[key] for key in INCIDENT] for incident in data["incidents"])),
        "capacity.csv": (CAPACITY, ([row[key] for key in CAPACITY] for row in data["capacity"])),
        "ipv6.csv": (IPV6, [_ipv6(data["ipv6"])] if data["ipv6"] else []),
        "communes.csv": (
            ("code", "name", "region", "type", "node", *FIGURES),
            (cells for commune in report.communes for cells in _commune(commune, by_id)),
        ),
    }


CAPACITY: Final = (
    "check",
    "node",
    "name",
    "p95_in",
    "p95_out",
    "days_measured",
    "days_over",
    "direction",
    "since",
    "until",
    "days_unmeasured",
    "congested",
)

INCIDENT: Final = (
    "id",
    "node",
    "name",
    "severity",
    "state",
    "reason",
    "detail",
    "started_at",
    "resolved_at",
    "elapsed_seconds",
    "paused_seconds",
    "target_seconds",
    "met",
    "cause",
    "affected_total",
)


IPV6: Final = (
    "units",
    "watched",
    "working",
    "failing",
    "unknown",
    "unwatched",
    "share",
    "share_low",
    "share_high",
    "time",
    "time_low",
    "time_high",
    "coverage",
)


def _ipv6(row: Mapping[str, Any]) -> list[Any]:
    share, time = row["share"], row["time"]
    bounds = ("value", "low", "high")
    return [
        *(row[key] for key in IPV6[:6]),
        *(share[key] for key in bounds),
        *(time[key] for key in bounds),
        time["coverage"],
    ]


def _figures(row: Mapping[str, Any]) -> list[Any]:
    share = row["availability"]
    return [
        *(row["seconds"][bucket] for bucket in BUCKETS),
        share["value"],
        share["low"],
        share["high"],
        row["own_availability"]["value"],
        *(row[key] for key in ("coverage", "outages", "longest_outage_seconds", "mttr_seconds", "verdict")),
    ]


def _commune(commune: CommuneRow, by_id: Mapping[str, Mapping[str, Any]]) -> Iterable[list[Any]]:
    for kind, row in commune.rows.items():
        yield [commune.code, commune.name, commune.region, kind, row.node.id, *_figures(by_id[row.node.id])]
