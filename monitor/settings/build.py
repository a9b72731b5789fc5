"""From validated blocks to the catalogue's nodes and checks: inheritance, references between things, and what is left out.

Owns: defaults, thresholds against the facts of each kind, dependencies (none unknown, none in a circle), groups and their members.
Never: reads a file or looks at an environment.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from types import MappingProxyType
from typing import Any
from unicodedata import normalize

from monitor.model import UPTIME, Check, Condition, Effect, GroupRule, Node, Policy, Witness
from monitor.settings import language
from monitor.settings.blocks import CheckBlock, GroupBlock, MatchBlock, NodeBase, NodeBlock
from monitor.settings.circles import circles
from monitor.settings.conditions import condition
from monitor.settings.document import Tree
from monitor.settings.kinds import Row
from monitor.settings.problems import Problem, guess
from monitor.settings.references import UNSET
from monitor.settings.sentences import Path, follow, span
from monitor.settings.validate import Validation
from probes.contract import Fact


@dataclass(slots=True)
class Draft:
    """What the parts of the building share: the file, the tree it came from, and what there is to say."""

    file: language.FileBlock
    validation: Validation
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)
    incomplete: bool = False
    """Whether names may be missing because a file or a table could not be used: then nothing is said of unknown ones."""
    left_out: dict[str, NodeBlock | GroupBlock] = field(default_factory=dict)
    """Nodes and groups that wait for something, and are not in the catalogue."""

    def say(self, path: Path, message: str, *, warning: bool = False, at_key: bool = False) -> None:
        """One thing about the value at a path, or about its key."""
        _, tree = follow(self.validation.root, path)
        _, parent = follow(self.validation.root, path[:-1])
        place = parent.keys.get(path[-1], tree.place) if at_key and path else tree.place
        message = self.validation.references.scrub(message)
        (self.warnings if warning else self.problems).append(Problem.at(place, self.validation.shown(path), message))

    def written(self, path: Path) -> Tree:
        """What is written at a path."""
        return follow(self.validation.root, path)[1]


class Checks:
    """Builds the checks of one file."""

    def __init__(self, draft: Draft, rows: Mapping[str, Row]) -> None:
        self.draft, self.rows = draft, rows
        self.defaults = draft.file.defaults
        self._taken: dict[tuple[str, str, Any], str] = {}

    def of(self, node: str, blocks: Mapping[str, CheckBlock]) -> Iterator[Check]:
        """A node's checks."""
        for name, block in blocks.items():
            yield self.build(node, name, block, ("nodes", node, "checks", name))

    def build(self, node: str, name: str, block: CheckBlock, path: Path) -> Check:
        """One check."""
        kind, spec = block.kind()
        every, timeout = block.every or self.defaults.every, block.timeout or self.defaults.timeout
        if timeout >= every:
            where = "timeout" if block.timeout else "every" if block.every else ""
            source = "" if block.timeout and block.every else " (one of them by the defaults)"
            message = f"timeout {span(timeout)} must be shorter than every {span(every)}{source}"
            self.draft.say((*path, where) if where else path, message, at_key=not where)
        row = self.rows[kind]
        policy = self._policy(block, row, spec, path, every)
        self._check_unique(f"{node}/{name}", row, spec, (*path, kind))
        self._check_witness(block, row, spec, path)
        return Check(
            id=f"{node}/{name}",
            node=node,
            name=name,
            kind=kind,
            spec=spec,
            every=every,
            timeout=timeout,
            policy=policy,
            effect=Effect.NONE if block.witness and "effect" not in block.model_fields_set else block.effect,
            witness=block.witness,
        )

    def _check_witness(self, block: CheckBlock, row: Row, spec: Any, path: Path) -> None:
        """A device testifies by how long it has been running: a kind that cannot tell is no witness. An anchor is nobody's."""
        if block.witness and path[0] == "self":
            self.draft.say((*path, "witness"), "an anchor is no witness: it says whether the monitor itself can see")
        elif block.witness is Witness.DEVICE and UPTIME not in row.all_facts(spec):
            able = ", ".join(name for name, each in self.rows.items() if UPTIME in each.facts)
            self.draft.say((*path, "witness"), f"{row.name} does not report {UPTIME}: a device is asked by {able}")

    def _check_unique(self, check: str, row: Row, spec: Any, path: Path) -> None:
        """What two checks cannot have in common. A value that is not known yet is nobody's."""
        for name in row.unique:
            value = getattr(spec, name)
            if value == UNSET:
                continue
            other = self._taken.setdefault((row.name, name, value), check)
            if other != check:
                self.draft.say((*path, name), f"{other} has the same {name}: each needs its own")

    def _policy(self, block: CheckBlock, row: Row, spec: Any, path: Path, every: timedelta) -> Policy:
        confirm = self.defaults.confirm.model_copy(update=dict(row.confirm))
        facts = row.all_facts(spec)
        if block.confirm is not None:
            own = {name: getattr(block.confirm, name) for name in block.confirm.model_fields_set}
            confirm = confirm.model_copy(update=own)
        return Policy(
            failures=confirm.failures,
            recheck=confirm.recheck,
            successes=confirm.successes,
            degraded=confirm.degraded,
            degraded_if=self._conditions(
                block.degraded_if if "degraded_if" in block.model_fields_set else row.degraded_if,
                facts,
                (*path, "degraded_if"),
                every,
            ),
            down_if=self._conditions(block.down_if, facts, (*path, "down_if"), every),
        )

    def _conditions(
        self, texts: Iterable[str], facts: Mapping[str, Fact], path: Path, every: timedelta
    ) -> tuple[Condition, ...]:
        made = []
        for index, text in enumerate(texts):
            try:
                made.append(condition(text, facts, every))
            except ValueError as error:
                self.draft.say((*path, str(index)), str(error))
        return tuple(made)


class Nodes:
    """Builds the nodes and groups of one file."""

    def __init__(self, draft: Draft, checks: Checks, shortened: set[str]) -> None:
        self.draft, self.checks, self.shortened = draft, checks, shortened
        self.file = draft.file
        self.known = [*self.file.nodes, *self.file.groups]

    def build(self) -> tuple[dict[str, Node], dict[str, Check]]:
        """Nodes and checks by id; what waits is left out and its dependants hang on to what it depends on itself."""
        made: dict[str, tuple[Check, ...]] = {}
        for name, block in self.file.nodes.items():
            checks = tuple(self.checks.of(name, block.checks))
            if not checks and (block.checks or name in self.shortened):
                self.draft.left_out[name] = block
            else:
                made[name] = checks
                if not checks:
                    message = "this node has no check: its state will stay unknown"
                    self.draft.say(("nodes", name), message, warning=True, at_key=True)
        members = self._members()
        self._check_parties()
        for path, message in circles(self.file.nodes, self.file.groups, members):
            self.draft.say(path, message)
        for name, ids in members.items():
            members[name] = tuple(each for each in ids if each in made or each in self.file.groups)
            if not members[name]:
                self.draft.left_out[name] = self.file.groups[name]
        nodes = {
            name: self._node("nodes", name, self.file.nodes[name], checks=tuple(check.id for check in checks))
            for name, checks in made.items()
        }
        for name, group in self.file.groups.items():
            ids, when = members[name], group.down_when
            if not ids:
                continue
            if when.at_least > len(ids):
                message = f"it has only {len(ids)} members for now: it is never down with fewer than {when.at_least}"
                self.draft.say(("groups", name, "members"), message, warning=True)
            less = group.degraded_when
            rule = GroupRule(
                members=ids,
                share=when.share,
                at_least=when.at_least,
                within=when.within,
                degraded_share=less.share if less else None,
                degraded_at_least=less.at_least if less else None,
            )
            nodes[name] = self._node("groups", name, group, group=rule)
        self._check_former(nodes)
        return nodes, {check.id: check for checks in made.values() for check in checks}

    def waiting(self) -> dict[str, Node]:
        """The nodes that `build` left out, by id: none of their checks has an address yet."""
        left_out = self.draft.left_out.items()
        return {name: self._node("nodes", name, block) for name, block in left_out if isinstance(block, NodeBlock)}

    def _node(self, section: str, name: str, block: NodeBase, **more: Any) -> Node:
        defaults = self.file.defaults
        return Node(
            id=name,
            name=block.name,
            type=block.type,
            severity=block.severity,
            owner=block.owner,
            operator=block.operator,
            carrier=block.carrier,
            accountable=block.accountable,
            recovery_target=block.recovery_target or defaults.recovery_target,
            warn_at=defaults.warn_at if block.warn_at is None else block.warn_at,
            settle=defaults.settle if block.settle is None else block.settle,
            depends_on=self._parents(section, name, block),
            runbook=block.runbook,
            labels=MappingProxyType({key: value for key, value in block.labels.items() if value}),
            degraded_incident=block.degraded_incident,
            was=block.was,
            **more,
        )

    def _parents(self, section: str, name: str, block: NodeBase) -> tuple[str, ...]:
        """What it depends on; in the place of what was left out, that one's own."""
        found: dict[str, None] = {}
        seen: set[str] = set()
        waiting = list(reversed(block.depends_on))
        while waiting:
            parent = _composed(waiting.pop())
            if parent in seen or not parent:
                continue
            seen.add(parent)
            if parent in self.draft.left_out:
                waiting += reversed(self.draft.left_out[parent].depends_on)
            elif parent in self.file.nodes or parent in self.file.groups:
                found[parent] = None
        return tuple(found)

    def _members(self) -> dict[str, tuple[str, ...]]:
        """Whom each group is made of, those that wait included."""
        return {
            name: tuple(each for each in select(self.draft, block.members, ("groups", name, "members")) if each != name)
            for name, block in self.file.groups.items()
        }

    def _check_parties(self) -> None:
        parties, known = names(self.draft, "parties"), names(self.draft, "nodes") | names(self.draft, "groups")
        for section, blocks in (("nodes", self.file.nodes), ("groups", self.file.groups)):
            for name, block in blocks.items():
                for role in ("owner", "operator", "carrier"):
                    party = getattr(block, role)
                    if party and party not in parties:
                        message = f"there is no party {party!r}{guess(party, parties)}"
                        self.draft.say((section, name, role), message)
                for index, parent in enumerate(() if self.draft.incomplete else block.depends_on):
                    if parent and _composed(parent) not in known:
                        message = f"there is no node {parent!r}{guess(parent, self.known)}"
                        self.draft.say((section, name, "depends_on", str(index)), message)

    def _check_former(self, nodes: Mapping[str, Node]) -> None:
        taken: dict[str, str] = {}
        for node in nodes.values():
            for index, former in enumerate(node.was):
                section = "groups" if node.group else "nodes"
                if former in self.known:
                    self.draft.say(
                        (section, node.id, "was", str(index)), f"{former!r} is still a node: a former id is not in use"
                    )
                elif taken.setdefault(former, node.id) != node.id:
                    message = f"{former!r} is already the former id of {taken[former]}"
                    self.draft.say((section, node.id, "was", str(index)), message)


def _composed(name: str) -> str:
    return normalize("NFC", name)


def names(draft: Draft, section: str) -> set[str]:
    """The names written in a section, also of what is wrong in itself."""
    return draft.validation.names.get(section, set())


def select(draft: Draft, selectors: Iterable[MatchBlock], path: Path) -> list[str]:
    """The ids of the nodes that any of the selectors fits, in the order of the file."""
    found: dict[str, None] = {}
    for index, selector in enumerate(selectors):
        where = (*path, str(index)) if draft.written(path).elements() else path
        check_match(draft, selector, where)
        for name, block in [*draft.file.nodes.items(), *(draft.file.groups.items() if selector.node else ())]:
            if fits(selector, name, block):
                found[name] = None
    return list(found)


def fits(match: MatchBlock, name: str, block: NodeBase) -> bool:
    """Whether a node is what a selector asks for."""
    return (
        (not match.node or name in match.node)
        and (not match.type or block.type in match.type)
        and (not match.severity or block.severity in match.severity)
        and (not match.owner or block.owner in match.owner)
        and (not match.carrier or block.carrier in match.carrier)
        and all(block.labels.get(label) in values for label, values in match.labels.items())
    )


def check_match(draft: Draft, match: MatchBlock, path: Path) -> None:
    """What a selector asks for has to exist somewhere; a value that nothing has is a slip of the pen."""
    if draft.incomplete:
        return
    blocks = [*draft.file.nodes.values(), *draft.file.groups.values()]
    labels: dict[str, set[str]] = {}
    for block in blocks:
        for label, value in block.labels.items():
            labels.setdefault(label, set()).add(value)
    known = {
        "node": names(draft, "nodes") | names(draft, "groups"),
        "type": {block.type for block in blocks} | set(match.type if draft.validation.problems else ()),
        "owner": names(draft, "parties"),
        "carrier": names(draft, "parties"),
    }
    for key, there in known.items():
        for value in getattr(match, key):
            if _composed(value) not in there:
                thing = "party" if key in ("owner", "carrier") else key if key == "node" else f"node of {key}"
                draft.say((*path, key), f"there is no {thing} {value!r}{guess(value, there)}")
    for label, values in () if draft.validation.problems else match.labels.items():
        for value in values:
            if value not in labels.get(label, set()):
                near = guess(value, labels[label]) if label in labels else guess(label, labels)
                draft.say((*path, "labels", label), f"no node has the label {label}: {value!r}{near}")
