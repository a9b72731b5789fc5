"""The report as one HTML file: opens in a mail, prints on A4, in the order of contents of an office report.

Owns: what stands in which section, and the words of each cell. Never: runs a script, loads anything, or trusts a name: Jinja2 escapes all.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from monitor import words
from monitor.model import Bucket, Severity
from monitor.report.build import outside, spans_of
from monitor.report.figures import (
    AXES,
    CapacityRow,
    CommuneRow,
    GroupRow,
    IncidentRow,
    NodeRow,
    Recovery,
    Report,
    WindowRow,
)
from monitor.report.strip import strip
from monitor.rules.calendar import NOTICE_DAYS
from monitor.rules.ledger import Ledger

LINKS: Final = ("link", "video")
NETWORKS: Final = ("hub", "uplink", "network", "carrier", "region")
"""Types of part III; `CONNECTIONS` are of part IV; other nodes that are not a commune's are the systems of part I."""
CONNECTIONS: Final = ("connection",)
WORST: Final = 10
"""Rows of the table of those interrupted most."""


@cache
def _environment() -> Environment:
    folder = Path(__file__).parent / "templates"
    return Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def render(report: Report) -> bytes:
    """The whole page, UTF-8."""
    page = Page(report)
    return _environment().get_template("report.html.j2").render(page=page, say=page.say, report=report).encode()


@dataclass(frozen=True, slots=True)
class Cell:
    """The availability of one row, as it is written: nothing below sufficient coverage but the word for it and the bare figure."""

    value: str
    bounds: str
    own: str
    coverage: str
    poor: str
    outages: str
    downtime: str
    degraded: str
    longest: str
    mttr: str
    change: str
    worse: bool


class Page:
    """A report with its words: what the template asks for."""

    def __init__(self, report: Report) -> None:
        self.report = report
        self.lang = report.source.language
        self.zone = report.source.catalogue.province.zone

    # --- words --------------------------------------------------------------------------------------------------------

    def say(self, key: str, **values: Any) -> str:
        return words.say(key, self.lang, **values)

    def percent(self, share: float | None) -> str:
        return words.percent(share, self.lang)

    def bare(self, share: float | None) -> str:
        """A percentage without its sign, for a narrow column whose head says what it is."""
        return self.percent(share).rstrip(" %")

    def duration(self, length: timedelta | None) -> str:
        return words.duration(length, self.lang)

    def moment(self, at: Any) -> str:
        return words.moment(at, self.zone, self.lang)

    def number(self, value: float) -> str:
        return words.number(value, self.lang)

    def minutes(self, length: timedelta) -> str:
        return words.number(length / timedelta(minutes=1), self.lang, 1)

    def severity(self, row: NodeRow) -> str:
        return words.severity(row.node.severity, self.lang)

    def verdict(self, row: NodeRow) -> str:
        return self.say(f"verdict.{row.verdict}")

    # --- the head -----------------------------------------------------------------------------------------------------

    @property
    def committee(self) -> str:
        name = self.report.source.catalogue.province.name or "TỈNH ……"
        return self.say("report.committee", province=name.upper())

    @property
    def issuer(self) -> str:
        return (self.report.source.catalogue.province.issuer or "……").upper()

    @property
    def sign(self) -> str:
        """The abbreviation in the number: Sở Khoa học và Công nghệ is SKHCN."""
        parts = self.report.source.catalogue.province.issuer.split()
        return "".join(part[0] for part in parts if part.lower() != "và").upper() or "……"

    @property
    def place_day(self) -> str:
        name = self.report.source.catalogue.province.name
        place = name.removeprefix("Tỉnh ").removeprefix("Thành phố ") or "……"
        day = words.formal_day(self.report.generated_at.astimezone(self.zone), self.lang)
        return self.say("report.place_day", place=place, day=day)

    # --- rows ---------------------------------------------------------------------------------------------------------

    def cell(self, ledger: Ledger, node: str = "") -> Cell:
        share = ledger.availability
        before = self.report.previous.nodes.get(node) if self.report.previous else None
        change, worse = self.change(ledger, before)
        return Cell(
            value=self.percent(share.value),
            bounds="" if share.low is None else f"({self.bare(share.low)} – {self.bare(share.high)})",
            own=self.percent(ledger.own.value),
            coverage=self.percent(ledger.coverage),
            poor="" if ledger.sufficient else self.say("verdict.insufficient_data"),
            outages=self.number(ledger.outages),
            downtime=self.duration(ledger.bad),
            degraded=self.duration(ledger.time[Bucket.DEGRADED]),
            longest=self.duration(ledger.longest),
            mttr=self.duration(ledger.mttr),
            change=change,
            worse=worse,
        )

    def change(self, ledger: Ledger, before: Ledger | None) -> tuple[str, bool]:
        """The difference of two availabilities in points of per cent, and whether it fell; nothing where either is not sound."""
        if before is None or not (ledger.sufficient and before.sufficient):
            return words.NOTHING, False
        now, then = ledger.availability.value, before.availability.value
        if now is None or then is None:
            return words.NOTHING, False
        points = round((now - then) * 100, 3)
        if not points:
            return self.say("report.unchanged"), False
        sign = "+" if points > 0 else "−"
        return sign + words.number(abs(points), self.lang, 3), points < 0

    def points(self, ledger: Ledger, before: Ledger) -> str:
        """The change in a sentence."""
        change, _ = self.change(ledger, before)
        return self.say("report.points", points=change) if change[0] in "+−" else change

    @property
    def systems(self) -> list[NodeRow]:
        """Part I: the key systems first, then the others, by severity."""
        rows = [row for row in self._central if row.node.labels.get("key_system") or self._part(row) == "system"]
        order = list(Severity)
        return sorted(rows, key=lambda row: ("key_system" not in row.node.labels, order.index(row.node.severity)))

    @property
    def networks(self) -> list[NodeRow]:
        """What lies between the centre and the communes."""
        return [row for row in self._central if self._part(row) == "network"]

    @property
    def connections(self) -> list[NodeRow]:
        return [row for row in self._central if self._part(row) == "connection"]

    @property
    def external(self) -> list[NodeRow]:
        return [row for row in self._central if self._part(row) == "external"]

    @property
    def _central(self) -> list[NodeRow]:
        return [row for row in self.report.nodes if not row.node.labels.get("commune")]

    def _part(self, row: NodeRow) -> str:
        if outside(row.node):
            return "external"
        if row.node.type in CONNECTIONS:
            return "connection"
        return "network" if row.node.type in (*LINKS, *NETWORKS) or row.node.group is not None else "system"

    @property
    def worst(self) -> list[NodeRow]:
        rows = [row for row in self.report.nodes if row.node.type in LINKS and row.ledger.bad]
        rows.sort(key=lambda row: (-row.ledger.bad, words.sort_key(row.node.name), row.node.id))
        return rows[:WORST]

    @property
    def ipv6(self) -> str:
        """The sentence on IPv6, or nothing."""
        found = self.report.ipv6
        if found is None or not found.share.communes:
            return ""
        return self.say(
            "report.ipv6",
            working=found.share.working,
            counted=found.share.counted,
            share=words.percent(found.share.ratio, self.lang, 1),
            failing=found.share.failing,
            unknown=found.share.unknown,
            unwatched=found.share.unasked,
            time=words.percent(found.time.availability.value, self.lang),
        )

    @property
    def congested(self) -> list[CapacityRow]:
        """Lines that were over their capacity for as long as the circular says."""
        return [row for row in self.report.capacity if row.congested]

    def direction(self, row: CapacityRow) -> str:
        """Which way the line was full."""
        return self.say(f"direction.{row.direction}") if row.direction else ""

    def share(self, value: float) -> str:
        """A utilisation, which may exceed the whole."""
        return words.percent(value, self.lang, 1)

    def day(self, at: date | None) -> str:
        return words.day(at, self.lang) if at is not None else words.NOTHING

    @property
    def axes(self) -> list[tuple[str, list[GroupRow]]]:
        """The groups by axis, axes without any left out."""
        found = [(axis, [group for group in self.report.groups if group.by == axis]) for axis in AXES]
        return [(axis, groups) for axis, groups in found if groups]

    def groups(self, *axes: str) -> list[tuple[str, list[GroupRow]]]:
        """The groups of these axes."""
        return [(axis, groups) for axis, groups in self.axes if axis in axes]

    def recovery(self, counts: Recovery) -> str:
        return f"{counts.met} / {counts.breached} / {counts.open}"

    def target(self, row: IncidentRow) -> str:
        """A recovery target as people call it: `24 giờ`."""
        hours = row.incident.target / timedelta(hours=1)
        return (
            self.say("report.hours", count=self.number(hours))
            if hours.is_integer()
            else self.duration(row.incident.target)
        )

    def result(self, row: IncidentRow) -> tuple[str, str]:
        """The word for how it stands against its target, and how it is coloured."""
        if row.met is None:
            return words.capital(self.say("cell.in_progress")), "open"
        word = words.clock("met" if row.met else "breached", self.lang)
        if row.incident.resolved_at is None:
            word = f"{word}, {self.say('cell.in_progress')}"
        return words.capital(word), "met" if row.met else "breached"

    def cause(self, row: IncidentRow) -> str:
        """What a person wrote, or what the probe saw."""
        return row.incident.cause or words.capital(words.reason(row.incident.reason, self.lang))

    def windows(self) -> Iterable[tuple[WindowRow, str]]:
        for row in self.report.windows:
            mark = (
                self.say("cell.force_majeure")
                if row.window.force_majeure
                else self.say("cell.short_notice", days=NOTICE_DAYS)
                if row.short_notice
                else ""
            )
            yield row, mark

    @property
    def commune_types(self) -> list[str]:
        """The types of node that communes have, in the order of the catalogue."""
        return list(dict.fromkeys(kind for commune in self.report.communes for kind in commune.rows))

    def type_name(self, kind: str) -> str:
        return words.capital(words.node_type(kind, self.lang))

    def commune_row(self, commune: CommuneRow, kind: str) -> NodeRow | None:
        return commune.rows.get(kind)

    # --- words of its own ---------------------------------------------------------------------------------------------

    @property
    def shortcomings(self) -> Sequence[str]:
        """What the figures themselves show to be wanting."""
        report = self.report
        found = []
        breached = [row for row in report.incidents if row.met is False]
        if breached:
            names = "; ".join(dict.fromkeys(row.name for row in breached))
            found.append(self.say("found.breached", count=len(breached), names=names))
        running = sum(row.incident.resolved_at is None for row in report.incidents)
        if running:
            found.append(self.say("found.open", count=running))
        if report.blind:
            length = sum((until - since for since, until in report.blind), timedelta(0))
            found.append(self.say("found.blind", length=self.duration(length)))
        if self.congested:
            names = "; ".join(dict.fromkeys(row.name for row in self.congested))
            found.append(self.say("found.congested", count=len(self.congested), names=names))
        late = sum(row.short_notice for row in report.windows)
        if late:
            found.append(self.say("found.short_notice", count=late, days=NOTICE_DAYS))
        return found or [self.say("found.nothing")]

    def remark(self, section: str) -> Sequence[str]:
        """The paragraphs a person wrote for a section; none when it is still to be written."""
        return [line.strip() for line in self.report.source.remarks.get(section, "").splitlines() if line.strip()]

    def strip(self, node: str) -> Mapping[str, Any]:
        """The picture of a node's period."""
        return strip(spans_of(self.report, node), self.report.period, self.zone, self.lang)

    @property
    def legend(self) -> list[tuple[str, str]]:
        return [(bucket.value, words.bucket(bucket, self.lang)) for bucket in Bucket]
