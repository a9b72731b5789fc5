"""How many communes have working IPv6: a figure of the whole province.

Owns: which checks insist on IPv6, and what a commune's checks come to. Never: says of a commune that was not seen that it works, or that it
does not.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from ipaddress import AddressValueError, IPv6Address
from typing import Any, Final
from urllib.parse import urlsplit

from monitor.model import Catalogue, CheckState, State, Transition
from probes.contract import Family

COMMUNE: Final = "commune"
"""The label that says to which commune a node belongs."""


class Unit(StrEnum):
    """How a commune stands."""

    WORKING = "working"
    FAILING = "failing"
    UNKNOWN = "unknown"
    UNASKED = "unasked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """Communes by how they stand; the four add up to `communes`. `asked` are those with a check that insists on IPv6."""

    working: int = 0
    failing: int = 0
    unknown: int = 0
    unasked: int = 0

    @property
    def communes(self) -> int:
        """All communes of the catalogue."""
        return self.asked + self.unasked

    @property
    def asked(self) -> int:
        """Those of which anything can be known."""
        return self.seen + self.unknown

    @property
    def seen(self) -> int:
        """Those of which something is known."""
        return self.working + self.failing

    @property
    def counted(self) -> int:
        """What the ratio is of: all but the unknown."""
        return self.communes - self.unknown

    @property
    def ratio(self) -> float | None:
        """The share of communes that works, 0..1: of all but the unknown, for our own blindness is nobody's fault. None when that leaves none.

        The unasked count as not working: a share of 100 % because one commune of 129 was asked would be no figure of a province.
        """
        return self.working / self.counted if self.counted else None

    @property
    def low(self) -> float | None:
        """The least it can be: nothing unseen works."""
        return self.working / self.communes if self.communes else None

    @property
    def high(self) -> float | None:
        """The most it can be: everything unseen works."""
        return (self.communes - self.failing) / self.communes if self.communes else None


def insists(spec: Any) -> bool:
    """Whether a check's probe can only go by IPv6: it says so, or its target is written as an IPv6 address."""
    if getattr(spec, "family", None) is Family.IPV6:
        return True
    return any(_literal(getattr(spec, key, None)) for key in ("host", "url", "server"))


def _literal(target: Any) -> bool:
    if not isinstance(target, str) or ("[" not in target if "://" in target else ":" not in target):
        return False
    try:
        host = urlsplit(target).hostname if "://" in target else target
        if host and host.startswith("["):
            host = host[1:].partition("]")[0]
        IPv6Address((host or "").partition("%")[0])
    except (AddressValueError, ValueError):
        return False
    return True


def units(catalogue: Catalogue) -> dict[str, tuple[str, ...]]:
    """Every commune with its checks that insist on IPv6, by id; in the order of the catalogue."""
    found: dict[str, list[str]] = {}
    for node in catalogue.nodes.values():
        commune = node.labels.get(COMMUNE)
        if not commune:
            continue
        mine = found.setdefault(commune, [])
        mine.extend(name for name in node.checks if (check := catalogue.checks.get(name)) and insists(check.spec))
    return {commune: tuple(checks) for commune, checks in found.items()}


def unit(states: Sequence[State]) -> Unit:
    """A commune from its checks' verdicts: it works when any of them does, and fails only when all were seen and none does."""
    if not states:
        return Unit.UNASKED
    if any(state in (State.UP, State.DEGRADED) for state in states):
        return Unit.WORKING
    return Unit.UNKNOWN if State.UNKNOWN in states else Unit.FAILING


def share(checks: Mapping[str, Sequence[str]], state: Callable[[str], State]) -> Share:
    """The figures of these communes (as `units` gives them), by the verdict on each check."""
    counts: dict[Unit, int] = defaultdict(int)
    for mine in checks.values():
        counts[unit([state(check) for check in mine])] += 1
    return Share(**{each.value: counts[each] for each in Unit})


def present(states: Mapping[str, CheckState]) -> Callable[[str], State]:
    """The verdict on a check now: the last judged, but unknown while we are blind."""

    def state(check: str) -> State:
        known = states.get(check)
        return State.UNKNOWN if known is None or known.blind_since is not None else known.state

    return state


def history(checks: Iterable[str], rows: Mapping[str, Sequence[Transition]], name: str) -> list[Transition]:
    """A commune's history from its checks': up from the moment any works, down while all were seen and none does.

    The sampling gap of each moment is that of the row that made it.
    """
    mine = list(checks)
    moments: list[tuple[datetime, str, Transition]] = sorted(
        ((row.at, check, row) for check in mine for row in rows.get(check, ())),
        key=lambda each: (each[0], each[1], each[2].judged_at or each[0]),
    )
    states = dict.fromkeys(mine, State.UNKNOWN)
    made: list[Transition] = []
    for at, check, row in moments:
        states[check] = row.state
        state = _AS_STATE[unit(list(states.values()))]
        if made and made[-1].at == at:
            made.pop()
        if not made or made[-1].state is not state:
            made.append(Transition(subject=name, at=at, state=state, after=row.after, judged_at=row.judged_at))
    return made


_AS_STATE: Final = {
    Unit.WORKING: State.UP,
    Unit.FAILING: State.DOWN,
    Unit.UNKNOWN: State.UNKNOWN,
    Unit.UNASKED: State.UNKNOWN,
}
