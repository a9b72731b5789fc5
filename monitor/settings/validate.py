"""From a tree of texts to validated blocks, with everything that is wrong said at once.

Owns: putting references in place by what each key takes (a secret stays one, an address becomes a text), turning pydantic's errors into
problems at their places, and going on without the wrong parts so that what stands beside them is looked at too.
Never: judges what one section says of another.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator
from typing import Any

from pydantic import ValidationError

from monitor.settings.document import Tree
from monitor.settings.language import FileBlock
from monitor.settings.problems import Problem
from monitor.settings.references import UNSET, References, is_reference
from monitor.settings.schema import Grammar
from monitor.settings.sentences import Path, follow, keys_at, named_part, sentence, step
from probes.secret import Secret

PASSES = 8

_NAMED = ("parties", "nodes", "groups", "receivers")
_UNEXPECTED = (TypeError, AttributeError, LookupError, RecursionError)
"""What a kind's own rule may trip over when it is given something it never thought of."""


class Validation:
    """One validation of one tree. The tree loses its wrong parts on the way."""

    def __init__(self, root: Tree, grammar: Grammar, references: References, said: Collection[str] = ()) -> None:
        self.root, self.grammar, self.references = root, grammar, references
        self.said = said
        """Keys of which something has been said already."""
        self.problems: list[Problem] = []
        self.unset: dict[Path, str] = {}
        """References that stand for nothing, by where they are."""
        self.names = {section: set((root.get(section) or Tree({}, root.place)).keys) for section in _NAMED}
        """The names written in each section, also of what is wrong in itself."""
        self._removed: set[Path] = set()
        self._numbers: dict[Path, list[int]] = {}
        """For lists that have lost elements: which ones are left."""

    def run(self) -> FileBlock | None:
        """The validated file without its wrong parts; None when nothing is left."""
        for number in range(PASSES):
            try:
                return self._validate(self._plain())
            except ValidationError as error:
                self._tell(error, wide=number > 0)
            except _UNEXPECTED:
                if not self._drop_unreadable():
                    return None
        return None

    def _plain(self) -> Any:
        plain = self.root.plain()
        self._place_references(plain)
        return plain

    def _drop_unreadable(self) -> bool:
        """Find the things that make a kind's own rule fall over, by reading each alone; whether there were any."""
        found = []
        plain = self._plain()
        for path, _ in self._things():
            alone = {"version": 1, path[0]: _only(plain, path)}
            try:
                self._validate(alone)
            except ValidationError:
                continue
            except _UNEXPECTED:
                found.append(path)
        for path in found:
            _, tree = follow(self.root, path)
            self.problems.append(
                Problem.at(
                    tree.place, self.shown(path), "cannot be read: a value in it is of a kind that has no place there"
                )
            )
        for path, parent, child in [self._wrong_part(path, wide=False) for path in found]:
            self._remove(path, parent, child)
        return bool(found)

    def _things(self) -> Iterator[tuple[Path, Tree]]:
        """Whatever has kinds: checks, anchors and receivers."""
        for path, tree in self._with_references():
            if path[0] == "nodes":
                yield path[:4], tree
            elif path[0] == "receivers":
                yield from ((("receivers", name), child) for name, child in tree.items())
            elif path[0] == "self":
                yield path, tree

    def _validate(self, plain: Any) -> FileBlock:
        """Validate, and give the text of a reference where a key takes no secret."""
        opened: set[Path] = set()
        while True:
            try:
                return self.grammar.file.validate_python(plain)
            except ValidationError as error:
                closed = set()
                for details in error.errors(include_url=False, include_input=False):
                    path, tree = follow(self.root, details["loc"])
                    if is_reference(tree.value) and path not in opened and details["type"] != "extra_forbidden":
                        closed.add(path)
                if not closed:
                    raise
                for path in closed:
                    _open(plain, path)
                opened |= closed

    def _place_references(self, plain: Any) -> None:
        self.unset = {}
        for place, tree in self._with_references():
            for path, text in _references(place, tree):
                secret = self.references.look_up(text)
                if secret == UNSET:
                    self.unset[path] = text
                _put(plain, path, secret)

    def _with_references(self) -> Iterator[tuple[Path, Tree]]:
        """Where references may stand: everywhere in these sections, but of a node only in the keys of its checks' kinds."""
        for section in ("daemon", "self", "receivers"):
            tree = self.root.get(section)
            if tree is not None:
                yield (section,), tree
        for node, tree in (self.root.get("nodes") or Tree({}, self.root.place)).items():
            for name, check in (tree.get("checks") or Tree({}, tree.place)).items():
                for key, spec in check.items():
                    if key in self.grammar.probes:
                        yield ("nodes", node, "checks", name, key), spec

    def _tell(self, error: ValidationError, *, wide: bool) -> None:
        grouped: dict[Path, list[Any]] = defaultdict(list)
        for details in error.errors(include_url=False, include_input=False):
            path, _ = follow(self.root, details["loc"])
            grouped[path].append(details)
        for path, errors in grouped.items():
            if path not in self.unset and not self._consequence(path) and not self._said_already(path):
                self._say(path, errors)
        # Found first and removed after: taking an element away renumbers the ones behind it.
        for path, parent, child in [self._wrong_part(path, wide=wide) for path in grouped]:
            self._remove(path, parent, child)

    def _consequence(self, path: Path) -> bool:
        """Whether it is only wrong because a part of it was taken away."""
        return any(gone[: len(path)] == path for gone in self._removed)

    def _said_already(self, path: Path) -> bool:
        """Whether something that may not be written there has been told of it, or of a part of it."""
        key = self.shown(path)
        return any(each == key or each.startswith(f"{key}.") for each in self.said)

    def _say(self, path: Path, errors: list[Any]) -> None:
        _, tree = follow(self.root, path)
        place, keys = tree.place, keys_at(self.grammar.json_schema, path[:-1])
        said: dict[str, str] = {}
        secrets = [details for details in errors if details["type"] == "is_instance_of" and isinstance(tree.value, str)]
        for details in secrets[:1] or errors:
            key = path
            if details["type"] == "missing":
                key, keys = (*path, str(details["loc"][-1])), []
            elif details["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
                _, parent = follow(self.root, path[:-1])
                place = parent.keys.get(path[-1], place)
            part, message = named_part(sentence(details, tree, keys), tree)
            about = tree.get(part) if part else None
            if about is not None:
                key, place = (*key, part), about.place
                if is_reference(about.value):
                    message = f"what {about.value} stands for is not accepted here"
            message = self.references.scrub(message)
            said.setdefault(message, self.shown(key))
        if len(said) > 1 and not any(details["type"] == "missing" for details in errors):
            said = {" or ".join(said): self.shown(path)}
        for message, shown in said.items():
            self.problems.append(Problem.at(place, shown or "(file)", message))

    def _wrong_part(self, path: Path, *, wide: bool) -> tuple[Path, Tree, Tree]:
        """The wrong value; in later rounds the whole thing it belongs to."""
        path = (_thing(path) if wide else path) or ("version",)
        _, parent = follow(self.root, path[:-1])
        child = step(parent, path[-1])
        return path, parent, child or Tree(None, parent.place)

    def _remove(self, path: Path, parent: Tree, child: Tree) -> None:
        self._removed.add(path)
        if path == ("version",):
            parent.value = {**dict(parent.items()), "version": Tree(1, parent.place)}
        elif isinstance(parent.value, dict):
            parent.value.pop(path[-1], None)
        elif isinstance(parent.value, list) and any(each is child for each in parent.value):
            index = next(number for number, each in enumerate(parent.value) if each is child)
            numbers = self._numbers.setdefault(path[:-1], list(range(len(parent.value))))
            del parent.value[index], numbers[index]

    def shown(self, path: Path) -> str:
        """The key as a problem prints it: elements by the number they have in the file."""
        parts = [
            str(self._numbers[path[:depth]][int(part)]) if path[:depth] in self._numbers else part
            for depth, part in enumerate(path)
        ]
        return ".".join(parts)


def _thing(path: Path) -> Path:
    """The smallest thing with a name of its own that a path leads into."""
    if path[:1] == ("nodes",) and path[2:3] == ("checks",) and len(path) > 3:
        return path[:4]
    if path and path[0] in (
        "nodes",
        "groups",
        "parties",
        "receivers",
        "inventories",
        "reports",
        "routes",
        "maintenance",
        "meetings",
    ):
        return path[:2]
    return path[:1]


def _references(path: Path, tree: Tree) -> Iterator[tuple[Path, str]]:
    if isinstance(tree.value, str) and is_reference(tree.value):
        yield path, tree.value
    for key, child in tree.items():
        yield from _references((*path, key), child)
    for index, child in enumerate(tree.elements()):
        yield from _references((*path, str(index)), child)


def _only(plain: Any, path: Path) -> Any:
    """The section with nothing but the thing at the path."""
    if path[0] != "nodes":
        return {path[1]: plain[path[0]][path[1]]} if len(path) > 1 else plain[path[0]]
    _, node, checks, name = path
    return {node: {"name": node, "type": node, checks: {name: plain["nodes"][node][checks][name]}}}


def _put(plain: Any, path: Path, value: Any) -> None:
    parent = _parent(plain, path)
    parent[int(path[-1]) if isinstance(parent, list) else path[-1]] = value


def _open(plain: Any, path: Path) -> None:
    parent = _parent(plain, path)
    key: Any = int(path[-1]) if isinstance(parent, list) else path[-1]
    if isinstance(parent[key], Secret):
        parent[key] = parent[key].reveal()


def _parent(plain: Any, path: Path) -> Any:
    for part in path[:-1]:
        plain = plain[int(part)] if isinstance(plain, list) else plain[part]
    return plain
