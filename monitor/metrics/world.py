"""The series of nodes and incidents, made anew from what is known when somebody scrapes.

Owns: turning states, figures and open incidents into samples; what has not changed since the last scrape is not written again.
Never: decides a state; `figures` are (availability or None, coverage) by node and window, both 0..1.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Final

from monitor.metrics.text import Block, Family, labels, number, sample
from monitor.model import Catalogue, Incident, Node, NodeState, State
from monitor.rules import clock

Figures = Mapping[tuple[str, str], tuple[float | None, float]]

STATES: Final[Mapping[State, bytes]] = {
    State.UP: b"0\n",
    State.DEGRADED: b"1\n",
    State.DOWN: b"2\n",
    State.UNREACHABLE: b"3\n",
    State.UNKNOWN: b"4\n",
}
MAINTENANCE: Final = b"5\n"

STATE: Final = Family(
    "thongsuot_node_state", "Verdict on a node: 0 up, 1 degraded, 2 down, 3 unreachable, 4 unknown, 5 in maintenance"
)
INFO: Final = Family("thongsuot_node_info", "Names and parties of a node", "info")
AVAILABILITY: Final = Family(
    "thongsuot_availability_ratio", "Share of the counted time of the window that users could work, 0 to 1"
)
COVERAGE: Final = Family("thongsuot_coverage_ratio", "Share of the window in which the monitor could see, 0 to 1")
_AVAILABILITY: Final = AVAILABILITY.name.encode()
_COVERAGE: Final = COVERAGE.name.encode()
OPEN: Final = Family("thongsuot_incident_open", "An incident that is not over")
STARTED: Final = Family("thongsuot_incident_started_timestamp_seconds", "Its first failed outcome, in unix seconds")
DEADLINE: Final = Family(
    "thongsuot_incident_recovery_deadline_timestamp_seconds", "When its recovery target runs out, in unix seconds"
)
ACKNOWLEDGED: Final = Family("thongsuot_incident_acknowledged", "Whether somebody has taken it on")


class World:
    """Samples of nodes and incidents, kept from scrape to scrape; a new catalogue begins anew."""

    def __init__(self) -> None:
        self._catalogue: Catalogue | None = None
        self._info: list[bytes] = []
        self._heads: dict[str, bytes] = {}
        self._figures: Figures | None = None
        self._said: dict[tuple[str, str], tuple[float | None, float]] = {}
        self._own: dict[tuple[str, str], bytes] = {}
        self._availability: dict[tuple[str, str], bytes] = {}
        self._coverage: dict[tuple[str, str], bytes] = {}

    def blocks(
        self,
        *,
        now: datetime,
        catalogue: Catalogue,
        nodes: Mapping[str, NodeState],
        incidents: Iterable[Incident],
        maintenance: Collection[str],
        figures: Figures,
    ) -> Iterator[Block]:
        """Every family that has a sample."""
        if catalogue is not self._catalogue:
            self._catalogue = catalogue
            self._info = [sample(INFO, _info(node), 1) for node in catalogue.nodes.values()]
            self._heads = {node.id: _state_head(node) for node in catalogue.nodes.values()}
            for told in (self._said, self._own, self._availability, self._coverage):
                told.clear()
            self._figures = None
        if figures is not self._figures:
            self._share(catalogue, figures)
            self._figures = figures
        states = [
            head
            + (MAINTENANCE if node in maintenance else STATES[nodes[node].state if node in nodes else State.UNKNOWN])
            for node, head in self._heads.items()
        ]
        yield from _some(STATE, states)
        yield from _some(INFO, self._info)
        yield from _some(AVAILABILITY, self._availability.values())
        yield from _some(COVERAGE, self._coverage.values())
        yield from _incidents(incidents, now)

    def _share(self, catalogue: Catalogue, figures: Figures) -> None:
        """Most figures are the same from minute to minute: a node that has not failed was there all the time."""
        for key, figure in figures.items():
            said = self._said.get(key)
            if said == figure:
                continue
            node, window = key
            known = catalogue.nodes.get(node)
            if known is None:
                continue
            self._said[key] = figure
            own = self._own.get(key)
            if own is None:
                own = self._own[key] = labels({"node": node, "type": known.type, "window": window})
            share, coverage = figure
            if said is None or said[0] != share:
                self._availability[key] = b"" if share is None else b"%b{%b} %b\n" % (_AVAILABILITY, own, number(share))
            self._coverage[key] = b"%b{%b} %b\n" % (_COVERAGE, own, number(coverage))


def _some(family: Family, samples: Collection[bytes]) -> Iterator[Block]:
    if any(samples):
        yield Block(family, (samples,))


def _state_head(node: Node) -> bytes:
    own = labels({"node": node.id, "type": node.type, "severity": node.severity.value})
    return b"%b{%b} " % (STATE.name.encode(), own)


def _info(node: Node) -> dict[str, str]:
    """Labels of the place are the inventory's: code and name of the commune, the former province as its region, and the former district."""
    return {
        "node": node.id,
        "type": node.type,
        "name": node.name,
        "severity": node.severity.value,
        "owner": node.owner,
        "operator": node.operator,
        "carrier": node.carrier,
        "commune": node.labels.get("commune", ""),
        "commune_name": node.labels.get("commune_name", ""),
        "region": node.labels.get("region", ""),
        "district": node.labels.get("district", ""),
    }


def _incidents(incidents: Iterable[Incident], now: datetime) -> Iterator[Block]:
    lasting = [incident for incident in incidents if incident.state.active]
    if not lasting:
        return
    samples: dict[Family, list[bytes]] = {OPEN: [], STARTED: [], DEADLINE: [], ACKNOWLEDGED: []}
    for incident in lasting:
        own = {"incident": incident.id, "node": incident.node, "severity": incident.severity.value}
        for family, value in (
            (OPEN, 1),
            (STARTED, incident.started_at.timestamp()),
            (DEADLINE, clock.deadline(incident, now).timestamp()),
            (ACKNOWLEDGED, int(incident.acknowledged_at is not None)),
        ):
            samples[family].append(sample(family, own, value))
    for family, lines in samples.items():
        yield Block(family, (lines,))
