"""The database and the receivers' log held against one another, from outside: plain SQL, no code of the product."""

import json
import shutil
import sqlite3
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.e2e.province import RECEIVERS, Arrival, Inbox, Sites

FILE = "thongsuot.sqlite3"
TIMEOUT = 0.9
"""Seconds that a probe of the province may take: an outcome is stamped with its start, and its page was seen at the most so much later."""


@contextmanager
def copied(state: Path) -> Iterator[sqlite3.Connection]:
    """The database as the dead daemon left it, log and all, in a copy: the daemon must find its own crash, not one that we repaired."""
    with tempfile.TemporaryDirectory(prefix="audit") as folder:
        for name in (FILE, f"{FILE}-wal"):
            if (state / name).exists():
                shutil.copyfile(state / name, Path(folder) / name)
        with closing(sqlite3.connect(Path(folder) / FILE)) as database:
            database.row_factory = sqlite3.Row
            yield database


def rows(database: sqlite3.Connection, query: str) -> list[sqlite3.Row]:
    """All of them; none when the daemon died before the tables were there."""
    if not database.execute("SELECT 1 FROM sqlite_master WHERE name = 'meta'").fetchone():
        return []
    return database.execute(query).fetchall()


@dataclass
class Books:
    """What the database held at one moment."""

    incidents: dict[str, sqlite3.Row]
    events: dict[tuple[str, int], sqlite3.Row]
    messages: dict[str, sqlite3.Row]
    transitions: list[sqlite3.Row]
    states: dict[str, str]
    deliveries: list[sqlite3.Row]

    @classmethod
    def read(cls, database: sqlite3.Connection) -> "Books":
        assert database.execute("PRAGMA integrity_check").fetchall()[0][0] == "ok"
        nodes = rows(database, "SELECT node AS id, state FROM nodes")
        shown = (
            "CASE WHEN blind_since IS NULL THEN state ELSE 'unknown' END"  # The verdict stands, the time is unknown.
        )
        checks = rows(database, f'SELECT "check" AS id, {shown} AS state FROM checks WHERE state IS NOT NULL')
        return cls(
            incidents={row["id"]: row for row in rows(database, "SELECT * FROM incidents")},
            events={(row["id"], row["sequence"]): row for row in rows(database, "SELECT * FROM incident_events")},
            messages={row["id"]: row for row in rows(database, "SELECT * FROM messages")},
            transitions=rows(database, "SELECT * FROM transitions ORDER BY at, id"),
            states={row["id"]: row["state"] for row in (*nodes, *checks)},
            deliveries=rows(database, "SELECT * FROM deliveries"),
        )

    def told(self) -> set[tuple[str, int]]:
        """The events that receivers are sent."""
        return {
            key
            for key, event in self.events.items()
            if "." in event["type"] and not json.loads(event["data"]).get("quiet")
        }


@dataclass
class Auditor:
    """`look` after every kill; everything that was ever true and durable must stay so. `wrong` is what is not as promised."""

    state: Path
    inbox: Inbox
    events: set[tuple[str, int]] = field(default_factory=set)
    delivered: set[str] = field(default_factory=set)
    bodies: dict[str, bytes] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    looks: int = 0

    def look(self) -> Books | None:
        """Hold everything against everything; None when there is no database yet."""
        if not (self.state / FILE).exists():
            return None
        arrived = list(self.inbox.log)
        with copied(self.state) as database:
            books = Books.read(database)
        self.looks += 1
        self._whole(books)
        self._kept(books)
        self._announced(books, arrived)
        return books

    def _expect(self, holds: bool, otherwise: str) -> None:
        if not holds:
            self.wrong.append(f"look {self.looks}: {otherwise}")

    def _whole(self, books: Books) -> None:
        """No half transaction: incident, events, messages, transitions and states belong together."""
        sequences: dict[str, list[int]] = defaultdict(list)
        for incident, sequence in books.events:
            sequences[incident].append(sequence)
        for id in sequences.keys() | books.incidents.keys():
            known = books.incidents.get(id)
            last = known["sequence"] if known is not None else -1
            self._expect(sorted(sequences[id]) == list(range(1, last + 1)), f"{id}: {last} of {sorted(sequences[id])}")
        expected = {(receiver, id, sequence) for id, sequence in books.told() for receiver in RECEIVERS}
        there = [(row["receiver"], row["lane"], row["sequence"]) for row in books.messages.values() if not storm(row)]
        self._expect(len(there) == len(set(there)), "an event has two messages for one receiver")
        self._expect(set(there) == expected, f"events without messages or the reverse: {set(there) ^ expected}")
        for row in books.messages.values():
            said = json.loads(row["body"])
            if storm(row):
                self._gathered(books, row, said)
                continue
            event = books.events.get((row["lane"], row["sequence"]))
            self._expect(event is not None and said["type"] == event["type"] == row["type"], f"{row['id']}: type")
            self._expect(said["data"]["incident"]["id"] == row["lane"], f"{row['id']}: another incident's words")
        last_state: dict[str, str] = {}
        for row in books.transitions:
            last_state[row["subject"]] = row["state"]
        for id, state in books.states.items():
            told = last_state.get(id, "unknown")
            self._expect(state == told, f"{id} is {state}, its last transition says {told}")
        warned = [
            (id, json.loads(event["data"])["share"])
            for (id, _), event in books.events.items()
            if event["type"] == "incident.recovery_warning"
        ]
        self._expect(len(warned) == len(set(warned)), f"warned twice of the same share: {warned}")
        for id, row in books.incidents.items():
            active = row["state"] in ("open", "acknowledged")
            self._expect(active is (row["closed_at"] is None), f"{id} is {row['state']}, closed at {row['closed_at']}")

    def _gathered(self, books: Books, row: sqlite3.Row, said: dict[str, Any]) -> None:
        """A message that tells others tells exactly those that the books say."""
        inside = [books.messages[each["id"]] for told in said["data"]["gathered"] for each in told["messages"]]
        self._expect(said["type"] == row["type"], f"{row['id']}: type")
        self._expect(
            {each["id"] for each in inside} == {each["id"] for each in told_in(books, row)}, f"{row['id']} tells others"
        )
        self._expect(all(each["receiver"] == row["receiver"] for each in inside), f"{row['id']}: another receiver's")
        self._expect(all(each["state"] == row["state"] for each in inside), f"{row['id']} and what it tells part")
        self._expect(len(inside) == said["data"]["gathered_messages"] >= 2, f"{row['id']}: counted otherwise")

    def _kept(self, books: Books) -> None:
        """What was durable before is there still, to the byte."""
        self._expect(self.events <= books.events.keys(), f"lost events {self.events - books.events.keys()}")
        for id, body in self.bodies.items():
            row = books.messages.get(id)
            self._expect(row is not None and row["body"] == body, f"{id} is gone or has other words")
        delivered = {id for id, row in books.messages.items() if row["state"] == "delivered"}
        self._expect(self.delivered <= delivered, f"delivered no more: {self.delivered - delivered}")
        done = [row["message"] for row in books.deliveries if row["result"] == "delivered"]
        self._expect(len(done) == len(set(done)), "delivered twice in the books")
        self.events |= books.events.keys()
        self.delivered |= delivered
        self.bodies |= {id: row["body"] for id, row in books.messages.items()}

    def _announced(self, books: Books, arrived: list[Arrival]) -> None:
        """Nothing was told that is not committed, in those bytes; in order; and what the books call delivered did arrive."""
        lanes: dict[tuple[str, str], list[int]] = defaultdict(list)
        for row in books.messages.values():
            lanes[row["receiver"], row["lane"]].append(row["sequence"])
        told: dict[tuple[str, str], set[int]] = defaultdict(set)
        for arrival in arrived:
            row = books.messages.get(arrival.id)
            if row is None:
                self.wrong.append(f"look {self.looks}: told but not committed: {arrival.body[:300]!r}")
                continue
            self._expect(row["body"] == arrival.body, f"{arrival.id} arrived with other bytes than the row's")
            self._expect(row["receiver"] == arrival.receiver, f"{arrival.id} went to {arrival.receiver}")
            self._expect(not row["told_in"], f"{arrival.id} went by itself, and is told in {row['told_in']}")
            parts: dict[tuple[str, str], set[int]] = defaultdict(set)
            for part in told_in(books, row) or [row]:
                parts[arrival.receiver, part["lane"]].add(part["sequence"])
            for lane, sequences in parts.items():
                earlier = {sequence for sequence in lanes[lane] if sequence < min(sequences)}
                self._expect(earlier <= told[lane], f"{lane}: {sequences} before {earlier - told[lane]}")
                later = {sequence for sequence in told[lane] if sequence > max(sequences)}
                self._expect(not later, f"{lane}: {sequences} after {later}")
                if arrival.answered == 204:
                    told[lane] |= sequences
        taken = heard(books, {arrival.id for arrival in self.inbox.log if arrival.answered == 204})
        self._expect(self.delivered <= taken, f"delivered in the books only: {self.delivered - taken}")


def storm(row: sqlite3.Row) -> bool:
    """Whether it is a message that tells others."""
    return str(row["lane"]).startswith("gathered-")


def told_in(books: Books, row: sqlite3.Row) -> list[sqlite3.Row]:
    """What is told in it."""
    return [each for each in books.messages.values() if each["told_in"] == row["id"]] if storm(row) else []


def heard(books: Books, taken: Iterable[str]) -> set[str]:
    """Ids of what was taken, and of what was told in it."""
    known = set(taken)
    return known | {id for id, row in books.messages.items() if row["told_in"] in known}


def against_truth(books: Books, sites: Sites) -> tuple[list[str], int, int]:
    """Verdicts on pages that did not happen; how many verdicts were looked at; how many were of another reason (a page that came late)."""
    wrong: list[str] = []
    looked = late = 0
    before: dict[str, str] = {}
    for row in books.transitions:
        name, _, check = row["subject"].partition("/")
        former, before[row["subject"]] = before.get(row["subject"]), row["state"]
        if not check or row["state"] not in ("up", "down"):
            continue
        if row["reason"] not in ("ok", "status"):
            late += 1
            continue
        looked += 1
        if former == "unknown" and row["after"] is None:
            continue  # After a blind stretch the verdict of before it stands again, whatever the first look says: one failure is none.
        at, well = row["at"] / 1e6, row["state"] == "up"
        if not any(start - TIMEOUT - 0.05 <= at <= end + 0.05 for start, end in sites.spells(name, well=well)):
            wrong.append(f"{row['subject']} {row['state']} at {at}: {sites.turns[name]}")
    return wrong, looked, late


def last_words(books: Books, arrived: list[Arrival]) -> dict[str, dict[str, Any]]:
    """By incident: what the receiver `truc` heard last."""
    words: dict[str, dict[str, Any]] = {}
    for arrival in arrived:
        row = books.messages[arrival.id]
        if arrival.receiver == "truc" and arrival.answered == 204:
            said = json.loads(arrival.body)
            words |= {told["incident"]["id"]: {"data": told} for told in said["data"].get("gathered", [])}
            if not storm(row):
                words[row["lane"]] = said
    return words
