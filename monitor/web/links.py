"""The links of the communes, looked at together: for the page's grid, the line on the front page, and the API.

Owns: which figures of a link are shown and when they are too old to be believed; the order of the grid; the counts.
Never: judges. A link's state is its node's; one that waits for its address, or that we could not see, is never counted as working.

A link is a node of the type `link`; its figures are those of its echo checks. Within a district the links stand in the Vietnamese order of
their communes' names and not worst first: on a screen that hangs on a wall a commune is found by where it always is.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import isfinite
from typing import Any, Final, Literal

from monitor import words
from monitor.model import Catalogue, Check, Effect, Incident, Node, NodeState, State, Witness
from monitor.rules.ipv6 import insists, present
from monitor.rules.public import known_node
from monitor.web.view import View
from probes.contract import Family, Outcome, Seen

LINK: Final = "link"
ECHO: Final = "icmp"
FRESH: Final = 3
"""Intervals of a check after which its latest figures are stale."""

Way = Literal["ipv4", "ipv6", "any"]

WORKING: Final = (State.UP, State.DEGRADED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """An echo check of a link and its latest round: `loss` is a ratio 0..1, `rtt` and `jitter` are seconds, `mos` is 1..4.5.

    None is what was not measured: all four before the first round and when we could not look, all but `loss` when nothing came back.
    `state` is the check's own verdict, unknown while we are blind.
    """

    check: Check
    family: Way
    state: State
    outcome: Outcome | None
    stale: bool
    loss: float | None
    rtt: float | None
    jitter: float | None
    mos: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One link as it stands. `figures` has the check that decides first, one that insists on IPv6 last.

    `waiting`: it has no address yet, so nobody looks. `blamed` is what is down above it; `incident` the open one that it stands in, or what is
    blamed does.
    """

    node: Node
    state: NodeState
    name: str
    region: str
    district: str
    carrier: str
    waiting: bool
    resting: bool
    blamed: Node | None
    incident: Incident | None
    figures: tuple[Measured, ...]

    @property
    def working(self) -> bool:
        """Whether people can use it, ill or well; not known is not working."""
        return self.state.state in WORKING


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """Links by how they stand; `states` add up to `total`."""

    total: int
    working: int
    waiting: int
    states: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Carrier:
    """A carrier by the id of its party (empty: not written yet), with its own links."""

    id: str
    name: str
    count: Count


@dataclass(frozen=True, slots=True, kw_only=True)
class District:
    """The links of a former district; an empty name for those without one."""

    name: str
    links: tuple[Link, ...]
    count: Count


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """A former province with its former districts."""

    name: str
    districts: tuple[District, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A filter: values of one key are alternatives, keys all have to fit, an empty key asks nothing. An empty value is "not written"."""

    carrier: tuple[str, ...] = ()
    region: tuple[str, ...] = ()
    district: tuple[str, ...] = ()
    state: tuple[State, ...] = ()

    def fits(self, link: Link) -> bool:
        """Whether it is asked for."""
        return (
            (not self.carrier or link.carrier in self.carrier)
            and (not self.region or link.region in self.region)
            and (not self.district or link.district in self.district)
            and (not self.state or link.state.state in self.state)
        )

    def __bool__(self) -> bool:
        return bool(self.carrier or self.region or self.district or self.state)


@dataclass(frozen=True, slots=True)
class _Line:
    """What a catalogue says of a link, worked out once."""

    node: Node
    waiting: bool
    checks: tuple[tuple[Check, Way], ...]


class Links:
    """The links of a view; what only depends on the catalogue is kept until there is another one."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._catalogue: Catalogue | None = None
        self._lines: tuple[_Line, ...] = ()

    def all(self) -> list[Link]:
        """Every link there is or is to be, in the order of the grid."""
        view, catalogue, now = self._view, self._view.catalogue, self._view.now()
        states, resting, said = view.nodes(), view.in_maintenance(), present(view.checks())
        incidents = _incidents(view.incidents())
        found = []
        for line in self._of(catalogue):
            node = line.node
            state = states.get(node.id) or NodeState(node=node.id)
            found.append(
                Link(
                    node=node,
                    state=state,
                    name=node.labels.get("commune_name") or node.name,
                    region=node.labels.get("region", ""),
                    district=node.labels.get("district", ""),
                    carrier=node.carrier,
                    waiting=line.waiting,
                    resting=node.id in resting,
                    blamed=known_node(catalogue, state.blamed_on) if state.blamed_on else None,
                    incident=incidents.get(node.id) or incidents.get(state.blamed_on),
                    figures=tuple(
                        _measured(check, way, said(check.id), view.last(check.id), now) for check, way in line.checks
                    ),
                )
            )
        return found

    def count(self) -> "Count":
        """How all of them stand."""
        states = self._view.nodes()
        lines = self._of(self._view.catalogue)
        verdicts = [state.state if (state := states.get(line.node.id)) else State.UNKNOWN for line in lines]
        return _count(verdicts, waiting=sum(line.waiting for line in lines))

    def _of(self, catalogue: Catalogue) -> tuple[_Line, ...]:
        if catalogue is not self._catalogue:
            nodes = (*catalogue.nodes.values(), *catalogue.waiting.values())
            mine = [node for node in nodes if node.type == LINK and node.group is None]
            mine.sort(key=_place)
            self._lines = tuple(
                _Line(node, node.id in catalogue.waiting, tuple(_measuring(catalogue, node))) for node in mine
            )
            self._catalogue = catalogue
        return self._lines


def _measuring(catalogue: Catalogue, node: Node) -> list[tuple[Check, Way]]:
    """The checks whose figures are the line's, or a second line's to the same site; not a port's near us, nor a device's."""
    mine = [check for id in node.checks if (check := catalogue.checks.get(id)) and check.kind == ECHO]
    ways = [(check, _family(check.spec)) for check in mine if check.witness in (None, Witness.SECOND_PATH)]
    return sorted(ways, key=lambda each: (each[0].effect is not Effect.DOWN, each[1] == "ipv6"))


def _place(node: Node) -> tuple[Any, ...]:
    """Where it stands: what has no region or district comes last."""
    region, district = node.labels.get("region", ""), node.labels.get("district", "")
    name = node.labels.get("commune_name") or node.name
    return (
        not region,
        words.sort_key(region),
        not district,
        words.sort_key(district),
        words.sort_key(name),
        node.id,
    )


def _incidents(active: Iterable[Incident]) -> dict[str, Incident]:
    """The open incident of each node: its own before one that it is affected by."""
    own, joined = {}, {}
    for incident in active:
        own[incident.node] = incident
        joined.update({each.node: incident for each in incident.affected if each.until is None})
    return joined | own


def _measured(check: Check, family: Way, state: State, outcome: Outcome | None, now: datetime) -> Measured:
    seen = outcome is not None and outcome.seen is not Seen.BLIND

    def fact(name: str) -> float | None:
        value = outcome.facts.get(name) if seen and outcome is not None else None
        return value if value is not None and isfinite(value) else None

    return Measured(
        check=check,
        family=family,
        state=state,
        outcome=outcome,
        stale=outcome is not None and now - outcome.started_at > FRESH * check.every,
        loss=fact("loss"),
        rtt=fact("rtt"),
        jitter=fact("jitter"),
        mos=fact("mos"),
    )


def _family(spec: Any) -> Way:
    if insists(spec):
        return "ipv6"
    return "ipv4" if getattr(spec, "family", None) is Family.IPV4 else "any"


def count(some: Iterable[Link]) -> Count:
    """How these stand."""
    some = list(some)
    return _count([link.state.state for link in some], waiting=sum(link.waiting for link in some))


def _count(verdicts: Sequence[State], *, waiting: int) -> Count:
    states = {state.value: verdicts.count(state) for state in State}
    working = sum(state in WORKING for state in verdicts)
    return Count(total=len(verdicts), working=working, waiting=waiting, states=states)


def carriers(every: Iterable[Link], catalogue: Catalogue) -> list[Carrier]:
    """Every carrier with its count, by name; those that nobody has written down last."""
    theirs: dict[str, list[Link]] = {}
    for link in every:
        theirs.setdefault(link.carrier, []).append(link)
    found = [Carrier(id=id, name=carrier_name(catalogue, id), count=count(some)) for id, some in theirs.items()]
    return sorted(found, key=lambda carrier: (not carrier.id, words.sort_key(carrier.name)))


def causes(every: Iterable[Link]) -> list[tuple[Node, Incident | None, int]]:
    """What is down above links, each with its open incident and how many links wait for it; the most first."""
    found: dict[str, tuple[Node, Incident | None, int]] = {}
    for link in every:
        if link.blamed is not None:
            known = found.get(link.blamed.id)
            found[link.blamed.id] = (link.blamed, link.incident, known[2] + 1 if known else 1)
    return sorted(found.values(), key=lambda cause: (-cause[2], cause[0].id))


def carrier_name(catalogue: Catalogue, id: str) -> str:
    """As it is called in short: the id, written as the party's name begins (`VNPT` of `VNPT Ninh Bình`)."""
    party = catalogue.parties.get(id)
    start = party.name[: len(id)] if party is not None else ""
    return start if start.casefold() == id.casefold() else id


def grid(some: Iterable[Link], every: Iterable[Link]) -> list[Region]:
    """Links in the order of `links`, by former province and former district; the counts are of all there are in a district."""
    whole = _by_district(every)
    regions: dict[str, list[District]] = {}
    for (region, district), mine in _by_district(some).items():
        made = District(name=district, links=tuple(mine), count=count(whole[region, district]))
        regions.setdefault(region, []).append(made)
    return [Region(name=name, districts=tuple(districts)) for name, districts in regions.items()]


def _by_district(some: Iterable[Link]) -> dict[tuple[str, str], list[Link]]:
    found: dict[tuple[str, str], list[Link]] = {}
    for link in some:
        found.setdefault((link.region, link.district), []).append(link)
    return found
