"""Inventories: CSV tables of things of a kind, and the nodes that templates make of their rows.

Owns: reading a table, filling `{column}`, and leaving out what lacks a cell, with a count of it.
Never: knows what a node or a check is beyond where its checks stand.
"""

import csv
import io
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from monitor.settings.document import Tree
from monitor.settings.problems import Place, Problem, fold, guess

SIZE_LIMIT: Final = 32 * 1024 * 1024
ROW_LIMIT: Final = 100_000

_OWN_VARIABLES: Final = ("journey", "dialogue")
_COLUMN = re.compile(r"\{([^\W\d]\w*)\}")


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table."""

    place: Place
    cells: dict[str, str]


@dataclass(frozen=True, slots=True)
class Table:
    """An inventory as read: its columns and rows, in the order of the file."""

    name: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Lack:
    """What a check or node waits for, so many times out of so many."""

    subject: str
    lacks: str
    count: int
    total: int
    is_check: bool


@dataclass(slots=True)
class Expansion:
    """What a template has made: node trees by id (with the places of their keys), and what was left out."""

    nodes: list[tuple[str, Place, Tree]] = field(default_factory=list)
    lacks: list[Lack] = field(default_factory=list)
    shortened: set[str] = field(default_factory=set)
    """Nodes of which a check was left out."""


def read_table(name: str, path: Path, key_column: str, problems: list[Problem]) -> Table | None:
    """Read a CSV file; None when it cannot be used, and why is among the problems."""
    try:
        with path.open("rb") as file:
            content = file.read(SIZE_LIMIT + 1)
        if len(content) > SIZE_LIMIT:
            problems.append(Problem(str(path), 0, 0, "(file)", f"is larger than {SIZE_LIMIT // 1024**2} MiB"))
            return None
        lines = csv.reader(
            io.StringIO(unicodedata.normalize("NFC", content.decode("utf-8-sig")), newline=""), strict=True
        )
        header = tuple(cell.strip() for cell in next(lines, []))
        rows = tuple(_rows(lines, header, str(path), problems))
    except OSError as error:
        problems.append(Problem(str(path), 0, 0, "(file)", f"cannot be read: {error.strerror or type(error).__name__}"))
        return None
    except (ValueError, csv.Error) as error:
        why = "is not UTF-8: save it as CSV UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)
        problems.append(Problem(str(path), 0, 0, "(file)", why))
        return None
    twice = [column for column, count in Counter(header).items() if count > 1 or not column]
    if twice:
        problems.append(Problem(str(path), 1, 1, twice[0] or "(header)", "each column needs a name of its own"))
        return None
    if key_column not in header:
        problems.append(Problem(str(path), 1, 1, key_column, f"there is no such column{guess(key_column, header)}"))
        return None
    _check_keys(rows, key_column, problems)
    return Table(name, header, rows)


def _rows(lines: Any, header: tuple[str, ...], file: str, problems: list[Problem]) -> Iterator[Row]:
    for count, cells in enumerate(lines):
        place = Place(file, lines.line_num, 1)
        if not any(cell.strip() for cell in cells):
            continue
        if count >= ROW_LIMIT:
            raise ValueError(f"has more than {ROW_LIMIT:,} rows")
        if len(cells) != len(header):
            problems.append(Problem.at(place, "(row)", f"the row has {len(cells)} cells, the header {len(header)}"))
            continue
        yield Row(place, {column: cell.strip() for column, cell in zip(header, cells, strict=True)})


def _check_keys(rows: tuple[Row, ...], column: str, problems: list[Problem]) -> None:
    seen: dict[str, Row] = {}
    for row in rows:
        cell = row.cells[column]
        first = seen.setdefault(fold(cell), row)
        if not cell:
            problems.append(Problem.at(row.place, column, "the key is blank: each row needs its own"))
        elif first is not row:
            problems.append(
                Problem.at(row.place, column, f"{cell!r} is already on line {first.place.line}: each row needs its own")
            )


def unknown_columns(key: str, tree: Tree, table: Table) -> Iterator[Problem]:
    """Where a template asks for a column that the table does not have. What a journey or a dialogue names for itself is let be."""
    if isinstance(tree.value, str):
        for column in _COLUMN.findall(tree.value):
            if column not in table.columns:
                message = f"the inventory {table.name} has no column {{{column}}}{guess(column, table.columns)}"
                yield Problem.at(tree.place, key, message)
    for name, child in tree.items():
        if name not in _OWN_VARIABLES:
            yield from _unknown_in_key(f"{key}.{name}", name, tree.keys[name], table)
            yield from unknown_columns(f"{key}.{name}", child, table)
    for index, child in enumerate(tree.elements()):
        yield from unknown_columns(f"{key}.{index}", child, table)


def _unknown_in_key(key: str, name: str, place: Place, table: Table) -> Iterator[Problem]:
    yield from unknown_columns(key, Tree(name, place), table) if _COLUMN.search(name) else ()


class Template:
    """One node of a `for_each`: its id, where that stands, and its tree."""

    def __init__(self, name: str, place: Place, tree: Tree) -> None:
        self.name, self.place, self.tree = name, place, tree
        self.checks = tree.get("checks")
        self._lacking: Counter[tuple[str, str]] = Counter()

    def fill(self, table: Table, expansion: Expansion) -> None:
        """Make the nodes of all rows."""
        for row in table.rows:
            self._fill_row(row, expansion)
        for (check, column), count in self._lacking.items():
            subject = f"{self.name}/{check}" if check else self.name
            expansion.lacks.append(Lack(subject, f"{table.name}.{column}", count, len(table.rows), bool(check)))

    def _fill_row(self, row: Row, expansion: Expansion) -> None:
        blank = _blank_columns(self.name, row)
        if blank:
            self._lacking["", blank[0]] += 1
            return
        node_id = _fill_text(self.name, row)
        entries = {key: _fill(child, row) for key, child in self.tree.items() if child is not self.checks}
        if self.checks is not None:
            entries["checks"] = self._fill_checks(self.checks, row)
            if len(entries["checks"].keys) < len(self.checks.keys):
                expansion.shortened.add(node_id)
        node = Tree(entries, self.tree.place, self.tree.keys) if isinstance(self.tree.value, dict) else self.tree
        expansion.nodes.append((node_id, self.place if node_id == self.name else row.place, node))

    def _fill_checks(self, checks: Tree, row: Row) -> Tree:
        if not isinstance(checks.value, dict):
            return checks
        entries: dict[str, Tree] = {}
        keys: dict[str, Place] = {}
        for name, check in checks.value.items():
            blank = next(_blanks(check, row), None)
            if blank is None:
                key = _fill_text(name, row)
                entries[key], keys[key] = _fill(check, row), checks.keys[name]
            else:
                self._lacking[name, blank] += 1
        return Tree(entries, checks.place, keys)


def _blank_columns(text: str, row: Row) -> list[str]:
    return [column for column in _COLUMN.findall(text) if column in row.cells and not row.cells[column]]


def _blanks(tree: Tree, row: Row) -> Iterator[str]:
    if isinstance(tree.value, str):
        yield from _blank_columns(tree.value, row)
    for child in tree.values():
        yield from _blanks(child, row)
    for child in tree.elements():
        yield from _blanks(child, row)


def _fill_text(text: str, row: Row) -> str:
    return _COLUMN.sub(lambda match: row.cells.get(match[1], match[0]), text)


def _fill(tree: Tree, row: Row) -> Tree:
    """The tree with the row's cells in it; what a cell has changed is said to be written in the table."""
    if isinstance(tree.value, str):
        text = _fill_text(tree.value, row) if "{" in tree.value else tree.value
        return tree if text == tree.value else Tree(text, row.place)
    if isinstance(tree.value, dict):
        filled = {(_fill_text(key, row) if "{" in key else key): _fill(child, row) for key, child in tree.value.items()}
        if all(new is old for new, old in zip(filled.values(), tree.value.values(), strict=True)):
            return tree
        return Tree(filled, tree.place, {_fill_text(key, row): place for key, place in tree.keys.items()})
    if isinstance(tree.value, list):
        elements = [_fill(child, row) for child in tree.value]
        return (
            tree
            if all(new is old for new, old in zip(elements, tree.value, strict=True))
            else Tree(elements, tree.place)
        )
    return tree
