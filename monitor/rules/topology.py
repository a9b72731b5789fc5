"""Who stands above whom: the graph of `depends_on` and of groups, compiled once per configuration.

Owns: ancestors in order of height, groups nested widest first, and the question "is this node's failure explained from above?" in its static
part. Never: looks at a state; that is the business of `nodes`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from monitor.model import MONITOR, Catalogue, Check, Effect, Node, SelfCheck, Severity
from monitor.rules.habit import Needs, needs

MONITOR_NODE = Node(id=MONITOR, name="Giám sát", type="monitor", severity=Severity.CRITICAL)
"""What stands for ourselves wherever a node is asked for: in messages, in routes, on the page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """The compiled graph. Every mapping has every node; tuples are in the order said.

    `parents` are the nodes it depends on and `children` those that depend on it, both directly; `depends` is the closure of `parents`.
    `above` are all that stand directly above: its parents and the groups it is a member of; for a group also the wider groups, and whatever
    all its members depend on. `ancestors` is its closure, highest first; `descendants` the reverse, highest first too.
    `witnesses` are a node's checks that testify when it fails; `kin` are the nodes with checks by type, carrier and region (a label).
    `habits` says what the checks whose conditions look back have to remember; all others are not in it.
    `judged` are those members of a group that have checks, or members.
    `peers` are the groups that share members with a group while neither holds the other: a carrier and a region. `spares` are the parents of a
    node that are groups with redundancy to lose.
    `rank` orders nodes from the top: whatever explains stands before what it explains.
    """

    nodes: Mapping[str, Node]
    checks: Mapping[str, Check]
    parents: Mapping[str, tuple[str, ...]]
    above: Mapping[str, tuple[str, ...]]
    ancestors: Mapping[str, tuple[str, ...]]
    descendants: Mapping[str, tuple[str, ...]]
    depends: Mapping[str, tuple[str, ...]]
    children: Mapping[str, tuple[str, ...]]
    groups: Mapping[str, tuple[str, ...]]
    members: Mapping[str, tuple[str, ...]]
    judged: Mapping[str, tuple[str, ...]]
    peers: Mapping[str, tuple[str, ...]]
    spares: Mapping[str, tuple[str, ...]]
    decisive: Mapping[str, tuple[Check, ...]]
    witnesses: Mapping[str, tuple[Check, ...]]
    kin: Mapping[tuple[str, str, str], tuple[str, ...]]
    rank: Mapping[str, int]
    monitor: SelfCheck
    habits: Mapping[str, Needs] = field(default_factory=dict)

    @staticmethod
    def build(catalogue: Catalogue) -> "House":
        """Compile. A cycle, should one have slipped in, is cut where it closes: suppression fails open, it never hides a node."""
        nodes = catalogue.nodes
        depends_on = {id: tuple(p for p in node.depends_on if p in nodes and p != id) for id, node in nodes.items()}
        depends = {id: _closure(id, depends_on) for id in nodes}
        members = {
            id: tuple(m for m in node.group.members if m in nodes and m != id)
            for id, node in nodes.items()
            if node.group
        }
        groups = _groups(nodes, members)
        above: dict[str, tuple[str, ...]] = {}
        for id in nodes:
            direct = [*depends_on[id], *groups[id]]
            if id in members:
                direct += [*_wider(id, members), *_common(members[id], depends)]
            above[id] = tuple(dict.fromkeys(p for p in direct if p != id))
        order = _order(nodes, above)
        rank = {id: place for place, id in enumerate(order)}
        ancestors = {id: tuple(sorted(_closure(id, above), key=rank.__getitem__)) for id in nodes}
        below: dict[str, list[str]] = {id: [] for id in nodes}
        children: dict[str, list[str]] = {id: [] for id in nodes}
        for id in order:
            for parent in ancestors[id]:
                below[parent].append(id)
            for parent in depends_on[id]:
                children[parent].append(id)
        decisive: dict[str, list[Check]] = {id: [] for id in nodes}
        for check in catalogue.checks.values():
            if check.node in decisive and check.effect is not Effect.NONE:
                decisive[check.node].append(check)
        return House(
            nodes={**nodes, MONITOR: MONITOR_NODE},
            checks=catalogue.checks,
            parents=depends_on,
            above=above,
            ancestors=ancestors,
            descendants={id: tuple(list_) for id, list_ in below.items()},
            depends=depends,
            children={id: tuple(list_) for id, list_ in children.items()},
            groups=groups,
            members=members,
            judged={id: tuple(m for m in inside if decisive[m] or m in members) for id, inside in members.items()},
            peers={id: tuple(_peers(id, members)) for id in members},
            spares={
                id: tuple(p for p in depends_on[id] if (rule := nodes[p].group) and rule.redundant) for id in nodes
            },
            decisive={id: tuple(list_) for id, list_ in decisive.items()},
            witnesses=_witnesses(catalogue),
            kin=_kin(node for node in nodes.values() if decisive[node.id]),
            rank=rank,
            monitor=catalogue.monitor,
            habits={id: needed for id, check in catalogue.checks.items() if (needed := needs(check)) is not None},
        )


def _witnesses(catalogue: Catalogue) -> dict[str, tuple[Check, ...]]:
    """The checks that testify, by node; a node without any has no entry."""
    found: dict[str, list[Check]] = {}
    for check in catalogue.checks.values():
        if check.witness is not None:
            found.setdefault(check.node, []).append(check)
    return {id: tuple(list_) for id, list_ in found.items()}


def _kin(nodes: Iterable[Node]) -> dict[tuple[str, str, str], tuple[str, ...]]:
    """Who is like whom: of one type, carrier and region."""
    found: dict[tuple[str, str, str], list[str]] = {}
    for node in nodes:
        found.setdefault((node.type, node.carrier, node.labels.get("region", "")), []).append(node.id)
    return {key: tuple(list_) for key, list_ in found.items()}


def _closure(id: str, above: Mapping[str, Iterable[str]]) -> tuple[str, ...]:
    """Everything reachable upward, itself left out."""
    found: dict[str, None] = {}
    stack = list(above[id])
    while stack:
        parent = stack.pop()
        if parent not in found and parent != id:
            found[parent] = None
            stack.extend(above[parent])
    return tuple(found)


def _groups(nodes: Mapping[str, Node], members: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """The groups of each node, widest first; of equally wide ones the one written first."""
    found: dict[str, list[str]] = {id: [] for id in nodes}
    for group in sorted(members, key=lambda id: -len(members[id])):
        for member in members[group]:
            found[member].append(group)
    return {id: tuple(list_) for id, list_ in found.items()}


def _wider(id: str, members: Mapping[str, tuple[str, ...]]) -> list[str]:
    """Groups that hold all its members; of two with the same members the one written first is the wider."""
    mine, order = frozenset(members[id]), list(members)
    found = []
    for other, theirs in members.items():
        if other == id or len(theirs) < len(mine) or not mine.issubset(theirs):
            continue
        if len(theirs) > len(mine) or order.index(other) < order.index(id):
            found.append(other)
    return found


def _peers(id: str, members: Mapping[str, tuple[str, ...]]) -> list[str]:
    """Groups that overlap with it, none of the two inside the other."""
    mine, found = frozenset(members[id]), []
    for other, theirs in members.items():
        shared = mine.intersection(theirs)
        if other != id and shared and len(shared) < min(len(mine), len(theirs)):
            found.append(other)
    return found


def _common(members: tuple[str, ...], depends: Mapping[str, tuple[str, ...]]) -> list[str]:
    """What every member depends on and is no member itself: its failure explains the group's."""
    if not members:
        return []
    shared = set(depends[members[0]]).intersection(*(depends[m] for m in members)).difference(members)
    return [id for id in depends[members[0]] if id in shared]


def _order(nodes: Mapping[str, Node], above: Mapping[str, tuple[str, ...]]) -> list[str]:
    """All nodes, whatever stands above before what stands below; otherwise groups, then the order of the file."""
    order: list[str] = []
    placed: dict[str, bool] = {}
    for start in sorted(nodes, key=lambda id: nodes[id].group is None):
        stack = [(start, False)]
        while stack:
            id, done = stack.pop()
            if done:
                placed[id] = True
                order.append(id)
            elif id not in placed:
                placed[id] = False
                stack.append((id, True))
                stack.extend((parent, False) for parent in reversed(above[id]) if parent not in placed)
    return order
