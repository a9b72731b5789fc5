"""What a reload would change.

Owns: the comparison of two catalogues, secrets included (a renewed one is a change, its value is never shown).
Never: changes anything.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from monitor.model import Catalogue


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that both have, and the names of what differs in it."""

    id: str
    what: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Difference:
    """Of things with ids: which come, which go, which differ, and how many stay as they are."""

    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[Change, ...]
    same: int

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed)


@dataclass(frozen=True, slots=True)
class Plan:
    """What a reload would change.

    `renamed` are (former id, id): history and state go over. `new_phases` are the checks whose place in the cadence moves (they are new, or
    their interval is); all others keep theirs. `restart` names what only a restart can change.
    """

    nodes: Difference
    checks: Difference
    receivers: Difference
    renamed: tuple[tuple[str, str], ...]
    new_phases: tuple[str, ...]
    others: tuple[str, ...]
    restart: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.nodes or self.checks or self.receivers or self.others or self.restart)

    def as_dict(self) -> dict[str, Any]:
        """The object that `plan --json` prints."""
        return {
            "nodes": _difference(self.nodes),
            "checks": _difference(self.checks),
            "receivers": _difference(self.receivers),
            "renamed": [{"from": old, "to": new} for old, new in self.renamed],
            "new_phases": list(self.new_phases),
            "others": list(self.others),
            "restart": list(self.restart),
        }


def plan(old: Catalogue, new: Catalogue) -> Plan:
    """What would change if `new` took the place of `old`."""
    moved = [id for id, check in new.checks.items() if id not in old.checks or old.checks[id].every != check.every]
    return Plan(
        nodes=_compare(old.nodes, new.nodes),
        checks=_compare(old.checks, new.checks),
        receivers=_compare(old.receivers, new.receivers),
        renamed=tuple(
            (former, node.id)
            for node in new.nodes.values()
            for former in node.was
            if former in old.nodes and node.id not in old.nodes
        ),
        new_phases=tuple(moved),
        others=tuple(
            name
            for name in ("province", "parties", "routes", "maintenance", "meetings", "reports", "retention", "monitor")
            if getattr(old, name) != getattr(new, name)
        ),
        restart=tuple(
            f"daemon.{name}"
            for name in ("host", "port", "state_dir", "database")
            if getattr(old.daemon, name) != getattr(new.daemon, name)
        ),
    )


def _compare(old: Mapping[str, Any], new: Mapping[str, Any]) -> Difference:
    both = [id for id in new if id in old]
    changed = [Change(id, _differing(old[id], new[id])) for id in both if old[id] != new[id]]
    return Difference(
        added=tuple(id for id in new if id not in old),
        removed=tuple(id for id in old if id not in new),
        changed=tuple(changed),
        same=len(both) - len(changed),
    )


def _differing(old: Any, new: Any) -> tuple[str, ...]:
    return tuple(field.name for field in fields(old) if getattr(old, field.name) != getattr(new, field.name))


def _difference(difference: Difference) -> dict[str, Any]:
    return {
        "added": list(difference.added),
        "removed": list(difference.removed),
        "changed": [{"id": change.id, "what": list(change.what)} for change in difference.changed],
        "same": difference.same,
    }
