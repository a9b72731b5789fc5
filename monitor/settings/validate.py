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
_WITH_REFERENCES = ("daemon", "nodes", "self", "receivers")


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
            plain = self.root.plain()
            self._place_references(plain)
            try:
                return self._validate(plain)
            except ValidationError as error:
                self._tell(error, wide=number > 0)
        return None

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
        for section in _WITH_REFERENCES:
            tree = self.root.get(section)
            for path, text in _references((section,), tree) if tree is not None else ():
                secret = self.references.look_up(text)
                if secret == UNSET:
                    self.unset[path] = text
                _put(plain, path, secret)

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
