"""What of a configuration is in effect, and what is only kept for later.

Owns: matching what is written against the table of what nothing reads yet.
Never: refuses anything.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from monitor.settings.document import Tree
from monitor.settings.later import NOT_IN_EFFECT
from monitor.settings.schema import Grammar
from monitor.settings.sentences import Path


@dataclass(frozen=True, slots=True)
class NotInEffect:
    """A key that is accepted and validated, and that nothing reads yet."""

    key: str
    waits_for: str
    count: int

    def __str__(self) -> str:
        times = f" ({self.count} times)" if self.count > 1 else ""
        return f"{self.key}: not yet in effect{times}: waits for {self.waits_for}"


def not_in_effect(root: Tree, words: Grammar) -> Iterator[NotInEffect]:
    """All of it, each key once with how often it is written."""
    for pattern, waits_for in _patterns(words):
        way, _, value = pattern.partition("=")
        count = _count(root, tuple(way.split(".")), value)
        if count:
            yield NotInEffect(pattern, waits_for, count)


def idle(path: Path, value: str) -> bool:
    """Whether nothing reads this value at this place yet."""
    for pattern, _ in NOT_IN_EFFECT:
        way, _, wanted = pattern.partition("=")
        parts = way.split(".")
        same_way = len(parts) == len(path) and all(part in ("*", each) for part, each in zip(parts, path, strict=True))
        if same_way and wanted in ("", value):
            return True
    return False


def idle_receiver(name: str, tree: Tree, words: Grammar) -> bool:
    """Whether nothing can be sent to a receiver yet, for its kind or for one of its keys."""
    for kind, spec in tree.items():
        row = words.receivers.get(kind)
        if row is not None and not row.in_effect:
            return True
        if any(idle(("receivers", name, kind, key), str(each.value)) for key, each in spec.items()):
            return True
    return False


def _patterns(words: Grammar) -> Iterator[tuple[str, str]]:
    for row in words.receivers.values():
        if not row.in_effect:
            yield f"receivers.*.{row.name}", f"{row.name} receivers"
    yield from NOT_IN_EFFECT


def _count(tree: Tree, way: Path, value: str) -> int:
    if not way:
        return int(not value or str(tree.value) == value)
    if way[0] == "*":
        children = tree.elements() or list(tree.values())
        return sum(_count(child, way[1:], value) for child in children)
    child = tree.get(way[0])
    return _count(child, way[1:], value) if child is not None else 0
