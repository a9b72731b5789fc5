"""What a report says, before any format: rows of ledgers and incidents.

Owns: the shape of a report. Never: computes from raw data (`build` does), formats a number, or reads a clock.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from types import MappingProxyType
from typing import Literal

from monitor.model import Catalogue, Gap, Incident, LinkDay, Node, Transition, Window
from monitor.rules.calendar import Office, Period
from monitor.rules.columns import Columns
from monitor.rules.ipv6 import Share
from monitor.rules.ledger import Ledger
from monitor.words import Lang

Axis = Literal["type", "carrier", "region", "owner"]
AXES: tuple[Axis, ...] = ("type", "carrier", "region", "owner")

Verdict = Literal["uninterrupted", "degraded", "interrupted", "excluded", "insufficient_data"]

REMARKS = ("results", "shortcomings", "causes", "proposals")
"""Sections that a person writes; blank ones are left with dots to write on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Everything a report is made from. The same source makes the same bytes.

    `transitions` are nodes', by node: with the last one before the period, and the first one behind it where
    there is one. Columns are the quick way in for a year of many nodes. `gaps` include the time since the last heartbeat, if that is long.
    `generated_at` is the last moment the data knows of; what lies behind it is not accounted. `windows` and `incidents` may be more than
    the period's; those outside are left out. Without an `office` of one's own, Vietnam's public holidays count.
    `checks` are the transitions of the checks that insist on IPv6, by check; without them the report says nothing of IPv6.
    `capacity` are the days of lines measured by SNMP, with those before the period that a row of days may have begun on.
    """

    catalogue: Catalogue
    transitions: Mapping[str, Sequence[Transition]] | Columns
    gaps: Sequence[Gap] = ()
    windows: Sequence[Window] = ()
    incidents: Sequence[Incident] = ()
    generated_at: datetime
    language: Lang = "vi"
    office: Office | None = None
    checks: Mapping[str, Sequence[Transition]] = field(default_factory=lambda: MappingProxyType({}))
    capacity: Sequence[LinkDay] = ()
    remarks: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def history(self, node: str) -> Sequence[Transition]:
        """The transitions of one node."""
        if isinstance(self.transitions, Columns):
            return self.transitions.history(node) if node in self.transitions.names else ()
        return self.transitions.get(node, ())


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """How incidents stood against their recovery targets: `incidents = met + breached + open`.

    `open` ones still run within their target; a running one past it is `breached`, and `late` counts those among them.
    The means are over the incidents that have come so far: `detect` from the first failed outcome to the verdict, `acknowledge` from
    there to a person's word, `repair` from the first failed outcome to the end, without pauses. None where none has.
    """

    incidents: int = 0
    met: int = 0
    breached: int = 0
    open: int = 0
    late: int = 0
    detect: timedelta | None = None
    acknowledge: timedelta | None = None
    repair: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeRow:
    """One node and its ledger."""

    node: Node
    ledger: Ledger

    @property
    def verdict(self) -> Verdict:
        """In one word; below sufficient coverage there is none."""
        return verdict(self.ledger)


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupRow:
    """Nodes that share a type, carrier, region or owner: their seconds added, never their percentages averaged."""

    by: Axis
    id: str
    name: str
    nodes: int
    ledger: Ledger
    recovery: Recovery


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentRow:
    """One incident against its target. `elapsed` is gross, to its end or the period's; `net` is without pauses.

    `met` is None while it runs within its target.
    """

    incident: Incident
    name: str
    elapsed: timedelta
    paused: timedelta
    met: bool | None

    @property
    def net(self) -> timedelta:
        """What the target is held against."""
        return self.elapsed - self.paused


@dataclass(frozen=True, slots=True, kw_only=True)
class CommuneRow:
    """One commune or ward: its nodes by type."""

    code: str
    name: str
    region: str
    rows: Mapping[str, NodeRow]


@dataclass(frozen=True, slots=True, kw_only=True)
class Citizens:
    """Time in which citizens could not submit a file, because a node that takes files was down or unreachable; with bounds."""

    nodes: tuple[str, ...]
    lost: timedelta
    low: timedelta
    high: timedelta
    coverage: float


@dataclass(frozen=True, slots=True, kw_only=True)
class IPv6:
    """How many communes and wards had working IPv6 at the end of the period, and for how much of its time those that are watched had it."""

    share: Share
    time: Ledger


@dataclass(frozen=True, slots=True, kw_only=True)
class CapacityRow:
    """One line against its capacity: the highest 95th percentile of a day of the period for each direction, on `measured` days.

    `days_over` are the most measured days in a row above the limit, counted back from a day of the period, in `direction` (`in`, `out`, or
    blank for none): from `since`, which may lie before the period, to `until`, with `unmeasured` days in between of which nothing is known.
    """

    check: str
    node: str
    name: str
    received: float
    sent: float
    measured: int
    days_over: int
    direction: str
    since: date | None
    until: date | None
    unmeasured: int
    congested: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowRow:
    """One occurrence of maintenance inside the period."""

    window: Window
    nodes: int
    short_notice: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Previous:
    """The period before, for the change."""

    period: Period
    label: str
    total: Ledger
    recovery: Recovery
    nodes: Mapping[str, Ledger]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All a report says. `period.end` is where the account ends: `planned_end` cut to what is known (`complete` when nothing is missing).

    `total` is over the province's nodes that have checks: groups judged from members would count them twice, others' systems are not its own.
    """

    period: Period
    planned_end: datetime
    label: str
    generated_at: datetime
    source: Source
    nodes: tuple[NodeRow, ...]
    groups: tuple[GroupRow, ...]
    incidents: tuple[IncidentRow, ...]
    recovery: Recovery
    total: Ledger
    citizens: Citizens
    ipv6: IPv6 | None
    capacity: tuple[CapacityRow, ...]
    communes: tuple[CommuneRow, ...]
    windows: tuple[WindowRow, ...]
    blind: tuple[tuple[datetime, datetime], ...]
    previous: Previous | None
    notes: tuple[str, ...]

    @property
    def complete(self) -> bool:
        """Whether the whole period is accounted."""
        return self.period.end == self.planned_end

    @property
    def stem(self) -> str:
        """What its files are called before the dot: `thongsuot-2026-W47`; of any other period `thongsuot-20261116T080000-20261117T080000`."""
        if self.period.kind != "any":
            return f"thongsuot-{self.period.name}"
        zone = self.source.catalogue.province.zone
        edges = (self.period.start, self.period.end)
        return "-".join(["thongsuot", *(f"{edge.astimezone(zone):%Y%m%dT%H%M%S}" for edge in edges)])


def verdict(ledger: Ledger) -> Verdict:
    """In one word, worst first; below sufficient coverage there is none, and a period wholly under maintenance has none either."""
    if not ledger.sufficient:
        return "insufficient_data"
    if ledger.bad:
        return "interrupted"
    if not ledger.good:
        return "excluded"
    degraded = [bucket for bucket, time in ledger.time.items() if time and bucket.value == "degraded"]
    return "degraded" if degraded else "uninterrupted"
