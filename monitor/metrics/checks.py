"""The series of the checks, kept as the bytes they are scraped as.

Owns: writing a check's lines when its outcome arrives (a few microseconds), so that a scrape only has to join them: 160,000 series take
milliseconds and hold up no probe. Never: shows anything for a check that we could not look at; a blind round leaves a gap, not a zero.

A family's samples must stand together, and a check has lines in many families; so each series of each kind is a column of its own, from check
to line, and a family is its header and its columns.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Final

import probes
from monitor.metrics.families import DURATION, KINDS, OWN_NUMBERS, SUCCESS, Series
from monitor.metrics.text import Block, Family, labels, sample
from probes.contract import Outcome, Seen

UNSEEN: Final = float("nan")
"""What stands in place of a series' last value when it has no line: it equals nothing."""


class _Column:
    """One series of every check of a kind: `lines` by the check's place; `head` is what stands before the check's own labels.

    `joined` are the lines of a column in which nothing has changed from one scrape to the next: of a page's series more than half.
    """

    __slots__ = ("changed", "finite", "head", "heads", "joined", "lines")

    def __init__(self, series: Series) -> None:
        self.lines: list[bytes] = []
        self.joined: bytes | None = None
        self.changed = True
        self.finite = series.finite
        self.head = f"{series.family.name}{{".encode()
        if series.labelled:
            self.head += labels({"phase": series.phase}) + b","
        if series.label is not None:
            self.head += labels(dict([series.label])) + b","
        self.heads: Mapping[float, bytes] | None = None
        if series.choices is not None:
            name, choices = series.choices
            self.heads = {value: self.head + labels({name: text}) + b"," for value, text in choices.items()}


@dataclass(slots=True, eq=False)
class _Place:
    """Where a check's lines are: its number in every column of its kind, and the values that they say."""

    node: str
    type: str
    kind: str
    number: int
    own: bytes
    said: list[float | None]


def _numbers(check: str, place: _Place, outcome: Outcome) -> bytes:
    """The facts of an outcome that its kind has no series for: their names are the configuration's."""
    known, own = probes.KINDS[place.kind].facts, OWN_NUMBERS[place.kind]
    about = {"check": check, "node": place.node, "type": place.type}
    named = sorted((name, value) for name, value in outcome.facts.items() if name not in known)
    return b"".join(sample(own, {**about, "fact": name}, value) for name, value in named)


def _joined(column: _Column) -> bytes:
    """A column as it is scraped; one that is different at every scrape is not kept."""
    if column.joined is not None:
        return column.joined
    joined = b"".join(column.lines)
    column.joined, column.changed = None if column.changed else joined, False
    return joined


class _Table:
    """The columns of one kind; the places of checks that are gone are given to new ones."""

    def __init__(self, series: tuple[Series, ...]) -> None:
        self.columns = tuple(_Column(each) for each in series)
        self.sources = [(bool(each.fact), each.fact or each.phase, each.default) for each in series[2:]]
        self.units = [(place, each.unit) for place, each in enumerate(series) if each.unit != 1.0]
        self.free: list[int] = []
        self.size = 0

    def take(self) -> int:
        if self.free:
            return self.free.pop()
        self.size += 1
        for column in self.columns:
            column.lines.append(b"")
        return self.size - 1

    def blank(self, place: _Place) -> None:
        for column in self.columns:
            column.lines[place.number] = b""
            column.joined, column.changed = None, True
        place.said = [UNSEEN] * len(self.columns)


class Checks:
    """The lines of every check. An update is one pass over the columns of the check's kind, and writes only what is new."""

    def __init__(self) -> None:
        basics = (Series(family=SUCCESS, fact="success"), Series(family=DURATION, fact="seconds"))
        every = {kind: (*basics, *series) for kind, series in {"": (), **KINDS}.items()}
        self._tables = {kind: _Table(series) for kind, series in every.items()}
        self._families: dict[Family, list[_Column]] = {}
        for kind, series in every.items():
            for each, column in zip(series, self._tables[kind].columns, strict=True):
                self._families.setdefault(each.family, []).append(column)
        self._places: dict[str, _Place] = {}
        self._numbers: dict[str, dict[str, bytes]] = {kind: {} for kind in OWN_NUMBERS}

    def outcome(self, check: str, node: str, type: str, kind: str, outcome: Outcome) -> None:
        """The newest outcome of a check is what is scraped from now on."""
        place = self._places.get(check)
        if place is None or place.node != node or place.type != type or place.kind != kind:
            place = self._settle(check, node, type, kind)
        table = self._tables.get(kind) or self._tables[""]
        if kind in OWN_NUMBERS:
            self._numbers[kind][check] = b"" if outcome.seen is Seen.BLIND else _numbers(check, place, outcome)
        if outcome.seen is Seen.BLIND:
            table.blank(place)
            return
        number, own, facts, phases = place.number, place.own, outcome.facts, outcome.phases
        values: list[float | None] = [outcome.seen is Seen.OK, outcome.seconds]
        values += [(facts if is_fact else phases).get(name, missing) for is_fact, name, missing in table.sources]
        for place_of, unit in table.units:
            value = values[place_of]
            values[place_of] = None if value is None else value * unit
        said, place.said = place.said, values
        for column, value, before in zip(table.columns, values, said, strict=True):
            if value == before:
                continue
            column.joined, column.changed = None, True
            if value is None or (column.finite and not isfinite(value)):
                column.lines[number] = b""
            elif column.heads is None:
                # Twelve digits: a moment in unix seconds to the millisecond, a duration to far less than it can be measured.
                column.lines[number] = b"%b%b%.12g\n" % (column.head, own, value)
            else:
                head = column.heads.get(value)
                column.lines[number] = b"%b%b1\n" % (head, own) if head is not None else b""

    def forget(self, check: str) -> None:
        """The check is no more, or is another one now."""
        place = self._places.pop(check, None)
        if place is not None:
            self._numbers.get(place.kind, {}).pop(check, None)
            table = self._tables.get(place.kind) or self._tables[""]
            table.blank(place)
            table.free.append(place.number)

    def blocks(self) -> Iterator[Block]:
        """Every family that has a sample, each with all of them."""
        for family, columns in self._families.items():
            if joined := [lines for lines in map(_joined, columns) if lines]:
                yield Block(family, (joined,))
        for kind, family in OWN_NUMBERS.items():
            if lines := list(filter(None, self._numbers[kind].values())):
                yield Block(family, (lines,))

    def _settle(self, check: str, node: str, type: str, kind: str) -> _Place:
        self.forget(check)
        table = self._tables.get(kind) or self._tables[""]
        own = labels({"check": check, "node": node, "type": type}) + b"} "
        said: list[float | None] = [UNSEEN] * len(table.columns)
        place = self._places[check] = _Place(node, type, kind, table.take(), own, said)
        return place
