"""No node above itself: what depends on what, and who is a member of what.

Owns: finding a circle in the nodes and groups of one file, and telling it where a person wrote it. Never: cuts one.
"""

import itertools
from collections.abc import Iterator, Mapping
from unicodedata import normalize

from monitor.settings.blocks import NodeBase
from monitor.settings.sentences import Path

Names = Mapping[str, tuple[str, ...]]
Said = tuple[Path, str]


def circles(nodes: Mapping[str, NodeBase], groups: Mapping[str, NodeBase], members: Names) -> Iterator[Said]:
    """Every circle: where it is written, and what is wrong. `members` are those of each group, by its id."""
    blocks = {**nodes, **groups}
    parents = {name: tuple(normalize("NFC", each) for each in block.depends_on) for name, block in blocks.items()}
    yield from _needs_itself(parents, members)
    yield from _depends_on_its_member(parents, members)


def _needs_itself(parents: Names, members: Names) -> Iterator[Said]:
    """A node that cannot work without itself, by whatever way round; a group cannot work without its members."""
    needs = {name: (*above, *members.get(name, ())) for name, above in parents.items()}
    done: set[str] = set()
    for start in needs:
        if start in done:
            continue
        way = {start: None}
        stack = [(start, iter(needs[start]))]
        while stack:
            node, below = stack[-1]
            need = next(below, None)
            if need is None:
                stack.pop()
                way.pop(node)
                done.add(node)
            elif need in way:
                yield _circle(parents, members, [*list(way)[list(way).index(need) :], need])
            elif need in needs and need not in done:
                way[need] = None
                stack.append((need, iter(needs[need])))


def _circle(parents: Names, members: Names, circle: list[str]) -> Said:
    """Told at the first node of it that depends on the next; without one, at a group's members."""
    said = " → ".join(circle)
    for node, need in itertools.pairwise(circle):
        if need in parents[node]:
            section = "groups" if node in members else "nodes"
            return (section, node, "depends_on"), f"depends on itself: {said}"
    return ("groups", circle[0], "members"), f"is a member of itself: {said}"


def _depends_on_its_member(parents: Names, members: Names) -> Iterator[Said]:
    """A group explains its members' failures, so nothing that stands above it may be one of them, or need one of them."""
    for group, ids in members.items():
        way: dict[str, str] = {}
        stack = [(group, parent) for parent in parents[group]]
        while stack:
            below, node = stack.pop()
            if node in way or node == group:
                continue
            way[node] = below
            if node in ids:
                circle = [node]
                while circle[0] != group:
                    circle.insert(0, way[circle[0]])
                yield ("groups", group, "depends_on"), f"depends on its own member: {' → '.join(circle)}"
                break
            stack += [(node, parent) for parent in parents.get(node, ())]
            stack += [(node, wider) for wider, inside in members.items() if node in inside]
