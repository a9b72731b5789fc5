"""YAML 1.2 into trees that remember where everything is written.

Owns: reading one file safely: size, depth and number of nodes are bounded, keys are unique, aliases, anchors and tags are refused.
Never: knows what a key means. Nothing here recurses, so that no file, however deep, can exhaust the stack.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from monitor.settings.problems import Place, Problem

SIZE_LIMIT: Final = 2 * 1024 * 1024
DEPTH_LIMIT: Final = 20
NODE_LIMIT: Final = 100_000

Scalar = str | int | float | bool | None

# YAML 1.2.2 §10.3.2, the core schema: `22:30`, `NO` and `2026-12-05` are texts here.
_NULL = {"", "~", "null", "Null", "NULL"}
_BOOL = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INT = re.compile(r"[-+]?[0-9]{1,18}")
_OTHER_INT = re.compile(r"0o[0-7]{1,20}|0x[0-9a-fA-F]{1,16}")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]{1,2})?")


@dataclass(slots=True, eq=False)
class Tree:
    """One value as it is written: a scalar, a mapping or a list of trees; `keys` are the places of a mapping's keys."""

    value: Scalar | dict[str, "Tree"] | list["Tree"]
    place: Place
    keys: dict[str, Place] = field(default_factory=dict)

    def get(self, key: str) -> "Tree | None":
        """The tree under a key; None when this is no mapping or does not have it."""
        return self.value.get(key) if isinstance(self.value, dict) else None

    def items(self) -> Iterator[tuple[str, "Tree"]]:
        """The entries of a mapping; nothing for anything else."""
        return iter(self.value.items() if isinstance(self.value, dict) else ())

    def values(self) -> Iterator["Tree"]:
        """The values of a mapping; nothing for anything else."""
        return iter(self.value.values() if isinstance(self.value, dict) else ())

    def elements(self) -> list["Tree"]:
        """The elements of a list; nothing for anything else."""
        return self.value if isinstance(self.value, list) else []

    @property
    def blank(self) -> bool:
        """Whether nothing is written: null, or a text of nothing but spaces."""
        return self.value is None or (isinstance(self.value, str) and not self.value.strip())

    def plain(self) -> Any:
        """The value without its places. The depth is bounded by what was read."""
        if isinstance(self.value, dict):
            return {key: child.plain() for key, child in self.value.items()}
        if isinstance(self.value, list):
            return [child.plain() for child in self.value]
        return self.value


class DocumentError(Exception):
    """The file cannot be read as YAML at all."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        super().__init__(str(problem))


def read(path: Path, name: str | None = None) -> Tree:
    """Read one file; `name` is what problems call it."""
    name = name or str(path)
    try:
        with path.open("rb") as file:
            content = file.read(SIZE_LIMIT + 1)
    except OSError as error:
        raise _refuse(Place(name), f"cannot be read: {error.strerror or type(error).__name__}") from error
    return parse(content, name)


def parse(content: bytes, name: str) -> Tree:
    """The tree of a file's bytes."""
    if len(content) > SIZE_LIMIT:
        raise _refuse(Place(name), f"is larger than {SIZE_LIMIT // 1024**2} MiB: split it and use include")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise _refuse(Place(name, line, 1), "is not UTF-8: save it as UTF-8") from error
    try:
        return _compose(text, name)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Place(name, mark.line + 1, mark.column + 1) if mark is not None else Place(name)
        what = " ".join(filter(None, (error.context, error.problem)))
        raise _refuse(place, f"is not YAML: {what}") from error
    except YAMLError as error:
        position = getattr(error, "position", None)
        line = text.count("\n", 0, position) + 1 if isinstance(position, int) else 0
        raise _refuse(Place(name, line, 1), "is not YAML: it holds a character that YAML does not allow") from error
    except (ValueError, IndexError, AssertionError, AttributeError, TypeError, KeyError) as error:
        # The scanner below us was written for honest files; what it trips over is not one.
        raise _refuse(Place(name), "is not YAML: it cannot be understood") from error


def _refuse(place: Place, message: str, key: str = "(file)") -> DocumentError:
    return DocumentError(Problem.at(place, key, message))


@dataclass(slots=True)
class _Open:
    """A mapping or list whose end has not come yet; `key` waits for its value."""

    tree: Tree
    key: str | None = None
    key_place: Place | None = None

    @property
    def way(self) -> str:
        return str(len(self.tree.value)) if isinstance(self.tree.value, list) else self.key or ""


class _Composer:
    """Puts events together to a tree, on a stack of its own."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.stack: list[_Open] = []
        self.root: Tree | None = None
        self.count = 0

    def place(self, event: Any) -> Place:
        return Place(self.name, event.start_mark.line + 1, event.start_mark.column + 1)

    def refuse(self, event: Any, message: str) -> DocumentError:
        key = ".".join(filter(None, (frame.way for frame in self.stack))) or "(file)"
        return _refuse(self.place(event), message, key)

    def take(self, event: Any) -> None:
        """One event of the file."""
        if isinstance(event, AliasEvent) or getattr(event, "anchor", None):
            raise self.refuse(
                event, "anchors and aliases (& and *) are refused: write it out, or use defaults or for_each"
            )
        if isinstance(event, DocumentStartEvent):
            if self.root is not None:
                raise self.refuse(event, "a second document (---) in one file is refused: use include")
        elif isinstance(event, MappingEndEvent | SequenceEndEvent):
            self.stack.pop()
            if self.stack:
                self.stack[-1].key = None  # The entry is complete; the next scalar is a key.
        elif isinstance(event, ScalarEvent | MappingStartEvent | SequenceStartEvent):
            self.begin(event)

    def begin(self, event: Any) -> None:
        self.count += 1
        if self.count > NODE_LIMIT:
            raise self.refuse(event, f"the file has more than {NODE_LIMIT:,} values: put tables in a CSV inventory")
        if getattr(event, "tag", None) is not None:
            raise self.refuse(event, "tags (!…) are refused: write the plain value")
        top = self.stack[-1] if self.stack else None
        if top is not None and isinstance(top.tree.value, dict) and top.key is None:
            self.name_key(top, event)
            return
        tree = self.tree(event)
        if top is None:
            self.root = tree
        elif isinstance(top.tree.value, list):
            top.tree.value.append(tree)
        elif isinstance(top.tree.value, dict) and top.key is not None and top.key_place is not None:
            top.tree.value[top.key] = tree
            top.tree.keys[top.key] = top.key_place
        if not isinstance(event, ScalarEvent):
            if len(self.stack) >= DEPTH_LIMIT:
                raise self.refuse(event, f"is nested deeper than {DEPTH_LIMIT} levels")
            self.stack.append(_Open(tree))
        elif top is not None:
            top.key = None

    def name_key(self, top: _Open, event: Any) -> None:
        if not isinstance(event, ScalarEvent):
            raise self.refuse(event, "a key must be a plain word")
        key = unicodedata.normalize("NFC", event.value)
        if key in top.tree.keys:
            first = top.tree.keys[key]
            top.key = key
            raise self.refuse(event, f"this key is already on line {first.line}: each key may stand once")
        top.key, top.key_place = key, self.place(event)

    def tree(self, event: Any) -> Tree:
        if isinstance(event, MappingStartEvent):
            return Tree({}, self.place(event))
        if isinstance(event, SequenceStartEvent):
            return Tree([], self.place(event))
        return Tree(resolve(event.value) if event.style is None else event.value, self.place(event))


def _compose(text: str, name: str) -> Tree:
    composer = _Composer(name)
    for event in YAML(typ="safe", pure=True).parse(text):
        composer.take(event)
    if composer.root is None or composer.root.blank:
        raise _refuse(Place(name, 1, 1), "is empty")
    return composer.root


def resolve(text: str) -> Scalar:
    """What an unquoted scalar means in YAML 1.2's core schema. Endless and not-a-numbers stay texts: no key wants them."""
    if text in _NULL:
        return None
    if text in _BOOL:
        return _BOOL[text]
    if _INT.fullmatch(text):
        return int(text)
    if _OTHER_INT.fullmatch(text):
        return int(text, 0)
    if _FLOAT.fullmatch(text) and len(text) < 40:
        return float(text)
    return text
