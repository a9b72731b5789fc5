"""All files of a configuration put together to one tree.

Owns: includes, which sections may stand in several files, the names of things (their letters, and twins), and inventories and templates.
Never: validates what stands under a name.
"""

import re
import unicodedata
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from monitor.model import MONITOR
from monitor.settings.document import DocumentError, Tree, read
from monitor.settings.inventory import Expansion, Lack, Table, Template, read_table, unknown_columns
from monitor.settings.language import InventoryBlock
from monitor.settings.problems import Place, Problem, fold, guess

FILES_LIMIT: Final = 1_000

MAPPINGS: Final = ("parties", "nodes", "inventories", "groups", "receivers", "reports")
LISTS: Final = ("for_each", "routes", "maintenance", "meetings")
_NAMED: Final = ("parties", "nodes", "inventories", "groups", "receivers")
_NAME = re.compile(r"\w[\w.-]{0,127}")


@dataclass(slots=True)
class Sources:
    """One configuration's tree and files, and what is wrong with it so far."""

    problems: list[Problem] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)
    lacks: list[Lack] = field(default_factory=list)
    shortened: set[str] = field(default_factory=set)
    """Nodes of which a check was left out for want of an address."""
    incomplete: bool = False
    """Whether a file, a table or a template could not be used, so that names may be missing that are not misspelt."""

    def say(self, place: Place, key: str, message: str) -> None:
        """One thing that is wrong."""
        self.problems.append(Problem.at(place, key, message))


def gather(path: Path) -> tuple[Tree | None, Sources]:
    """Read the file and all it includes. No tree when the first file cannot be read at all."""
    sources = Sources()
    root = _read(path, sources)
    if root is None:
        return None, sources
    merged = Tree({}, root.place)
    _merge(merged, root, sources, first=True)
    for included in _included(path, root, sources):
        tree = _read(included, sources)
        if tree is not None:
            _merge(merged, tree, sources, first=False)
    if "version" not in merged.keys:
        sources.say(Place(str(path), 1, 1), "version", "is missing: the first line of a configuration is version: 1")
        merged.value = {"version": Tree(1, root.place), **dict(merged.items())}
    _expand(merged, sources)
    _check_names(merged, sources)
    return merged, sources


def _read(path: Path, sources: Sources) -> Tree | None:
    sources.files.append(path)
    try:
        tree = read(path)
    except DocumentError as error:
        sources.problems.append(error.problem)
        sources.incomplete = True
        return None
    if not isinstance(tree.value, dict):
        sources.say(tree.place, "(file)", "must be a mapping of sections: version, nodes, …")
        return None
    return tree


def _included(path: Path, root: Tree, sources: Sources) -> list[Path]:
    include = root.get("include")
    if include is None:
        return []
    found: dict[Path, None] = {}
    for tree in include.elements() or [include]:
        pattern = tree.value
        if not isinstance(pattern, str) or not pattern or Path(pattern).is_absolute():
            sources.say(
                tree.place, "include", "must be a pattern of files relative to this one, such as ninhbinh/*.yaml"
            )
            continue
        try:
            matches = sorted(each for each in path.parent.glob(pattern) if each.is_file() and each != path)
        except (ValueError, NotImplementedError, OSError):
            matches = []
        if not matches:
            sources.incomplete = True
            sources.say(tree.place, "include", f"no file matches {pattern!r} in {path.parent}")
        found.update(dict.fromkeys(matches))
    if len(found) > FILES_LIMIT:
        sources.say(include.place, "include", f"matches {len(found):,} files: at most {FILES_LIMIT:,} are read")
        return []
    return list(found)


def _merge(merged: Tree, tree: Tree, sources: Sources, *, first: bool) -> None:
    assert isinstance(merged.value, dict)
    for name, section in tree.items():
        place = tree.keys[name]
        if name == "include" and not first:
            sources.say(place, name, "only the first file includes others")
        elif name == "version" and not first:
            continue
        elif name in LISTS and isinstance(section.value, list):
            whole = merged.value.setdefault(name, Tree([], section.place))
            merged.keys.setdefault(name, place)
            whole.elements().extend(section.value)
        elif name in MAPPINGS and isinstance(section.value, dict):
            whole = merged.value.setdefault(name, Tree({}, section.place))
            merged.keys.setdefault(name, place)
            for key, child in section.value.items():
                _add(whole, name, key, section.keys[key], child, sources)
        elif section.value is None and (name in LISTS or name in MAPPINGS):
            continue  # A heading with nothing under it yet.
        elif name in merged.keys:
            sources.say(place, name, f"this section is already in {_where(merged.keys[name])}: write it once")
        else:
            merged.value[name], merged.keys[name] = section, place


def _add(whole: Tree, section: str, key: str, place: Place, child: Tree, sources: Sources) -> None:
    """Put one named thing into its section; a second of the same name is refused."""
    if not isinstance(whole.value, dict):
        return
    if key in whole.keys:
        sources.say(place, f"{section}.{key}", f"this name is already at {_where(whole.keys[key])}: each needs its own")
        return
    whole.value[key], whole.keys[key] = child, place


def _where(place: Place) -> str:
    return f"{place.file}:{place.line}"


def _expand(merged: Tree, sources: Sources) -> None:
    """Make nodes of the templates, and take the templates away."""
    assert isinstance(merged.value, dict)
    tables = _tables(merged, sources)
    templates = merged.value.pop("for_each", None)
    if templates is None:
        return
    nodes = merged.value.setdefault("nodes", Tree({}, templates.place))
    merged.keys.setdefault("nodes", templates.place)
    if not isinstance(templates.value, list):
        sources.say(templates.place, "for_each", "must be a list: [{inventory: …, nodes: …}]")
    for index, entry in enumerate(templates.elements()):
        table = _template_table(f"for_each.{index}", entry, tables, sources)
        if table is None:
            sources.incomplete = True
            continue
        expansion = Expansion()
        for name, tree in (entry.get("nodes") or entry).items():
            key = f"for_each.{index}.nodes.{name}"
            place = (entry.get("nodes") or entry).keys[name]
            wrong = [*unknown_columns(key, Tree(name, place), table), *unknown_columns(key, tree, table)]
            sources.problems.extend(wrong)
            sources.incomplete |= bool(wrong)
            if not wrong:
                Template(name, place, tree).fill(table, expansion)
        for node_id, place, tree in expansion.nodes:
            _add(nodes, "nodes", unicodedata.normalize("NFC", node_id), place, tree, sources)
        sources.lacks += expansion.lacks
        sources.shortened |= expansion.shortened


def _tables(merged: Tree, sources: Sources) -> dict[str, Table | None]:
    """The inventories that can be read; None for those that cannot, which has been said."""
    tables: dict[str, Table | None] = {}
    for name, tree in (merged.get("inventories") or Tree({}, merged.place)).items():
        tables[name] = None
        try:
            block = TypeAdapter(InventoryBlock).validate_python(tree.plain())
        except ValidationError:
            continue  # Said when the whole file is validated.
        path = Path(tree.place.file).parent / block.file
        sources.files.append(path)
        file = tree.get("file") or tree
        if not path.is_file():
            sources.say(file.place, f"inventories.{name}.file", f"there is no file {path}")
            continue
        tables[name] = table = read_table(name, path, block.key, sources.problems)
        if table is not None and block.expect_rows not in (None, len(table.rows)):
            place = (tree.get("expect_rows") or tree).place
            message = f"{path} has {len(table.rows)} rows, not {block.expect_rows}: correct the one or the other"
            sources.say(place, f"inventories.{name}.expect_rows", message)
    return tables


def _template_table(key: str, entry: Tree, tables: dict[str, Table | None], sources: Sources) -> Table | None:
    """The table of one entry of `for_each`, when the entry has the right shape."""
    name, nodes = entry.get("inventory"), entry.get("nodes")
    for unknown in entry.keys.keys() - {"inventory", "nodes"}:
        sources.say(entry.keys[unknown], f"{key}.{unknown}", f"unknown key{guess(unknown, ('inventory', 'nodes'))}")
    if name is None or nodes is None or not isinstance(nodes.value, dict):
        sources.say(entry.place, key, "must have an inventory and a mapping of nodes")
        return None
    if not isinstance(name.value, str) or name.value not in tables:
        known: Any = tables
        message = f"there is no inventory {name.value!r}{guess(str(name.value), known)}"
        sources.say(name.place, f"{key}.inventory", message)
        return None
    return tables[name.value]


def _check_names(merged: Tree, sources: Sources) -> None:
    """The letters of names, and names that a person would take for the same. Nodes and groups share one space of names."""
    spaces = [[name] for name in _NAMED if name not in ("nodes", "groups")] + [["nodes", "groups"]]
    for space in spaces:
        seen: dict[str, tuple[str, Place]] = {}
        for section in space:
            whole = merged.get(section)
            for name in list(whole.keys) if whole is not None else ():
                assert whole is not None
                _check_name(f"{section}.{name}", name, whole.keys[name], seen, sources)
    reserved = (merged.get("nodes") or merged).keys.get(MONITOR)
    if reserved is not None:
        sources.say(reserved, f"nodes.{MONITOR}", "this name is the monitor's own: choose another")
    for node, tree in (merged.get("nodes") or Tree({}, merged.place)).items():
        checks = tree.get("checks")
        names: dict[str, tuple[str, Place]] = {}
        for name, place in checks.keys.items() if checks is not None else ():
            _check_name(f"nodes.{node}.checks.{name}", name, place, names, sources)


def _check_name(key: str, name: str, place: Place, seen: dict[str, tuple[str, Place]], sources: Sources) -> None:
    if not _NAME.fullmatch(name):
        sources.say(place, key, "a name is made of letters, digits and . _ - (no spaces), at most 128 of them")
    entry = (name, place)
    first = seen.setdefault(fold(name), entry)
    if first is not entry:
        same = "this name is" if first[0] == name else f'but for case, spaces or accents, this is the name "{first[0]}"'
        sources.say(place, key, f"{same} already at {_where(first[1])}: each needs its own")
