"""From batches to rows.

Owns: the small integers that samples use for checks and reasons, what is stored of each check's state, and the audit's chain.
Never: writes. What it hands out counts as stored only after `settle`; after a failed transaction everything is read again by `load`.
"""

import asyncio
import hashlib
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from monitor.model import CheckState
from monitor.store import schema, tables
from monitor.store.mapping import dump, micros
from monitor.store.records import LINK_FACTS, AuditEntry, Batch, MessageState, Sample
from monitor.store.statements import Change, Rows, Statements
from probes.contract import Reason, Seen

SLICE = 500
"""Rows packed before the loop gets its turn; about 2 ms."""
STEP = 0.0001
PER_SECOND = 10_000
LARGEST = 2**31 - 1
SEEN = (Seen.OK, Seen.FAILED, Seen.BLIND)
_SEEN_CODE = {seen: code for code, seen in enumerate(SEEN)}


@dataclass(slots=True)
class Work:
    """The rows of one transaction, and what will be true once it is committed."""

    changes: list[Change] = field(default_factory=list)
    states: dict[str, CheckState] = field(default_factory=dict)
    words: set[str] = field(default_factory=set)
    checks: set[str] = field(default_factory=set)
    audit: tuple[int, str] = (0, "")

    def add(self, statement: str, rows: Rows) -> None:
        """Rows in slices, so that no single call to the driver is long."""
        self.changes += [(statement, rows[at : at + SLICE]) for at in range(0, len(rows), SLICE)]


class Packer:
    """See the module."""

    def __init__(self, statements: Statements) -> None:
        self._sql = statements
        self._words: dict[str, int] = {}
        self._checks: dict[str, int] = {}
        self._next = 0
        self._unsaved_words: set[str] = set()
        self._unsaved_checks: set[str] = set()
        self._states: dict[str, CheckState] = {}
        self._audit = (0, "")

    async def load(self, connection: AsyncConnection) -> None:
        """Learn from the database what is stored."""
        words = (await connection.execute(select(schema.words.c.word, schema.words.c.id))).all()
        self._words = {row.word: row.id for row in words}
        columns = [schema.checks.c[name] for name in tables.CHECKS.columns]
        rows = (await connection.execute(select(schema.checks.c.id, *columns))).all()
        self._checks = {row[1]: row[0] for row in rows}
        self._next = max(self._checks.values(), default=-1) + 1
        self._states = {row[1]: tables.CHECKS.unpack(row[1:]) for row in rows if row[2] is not None}
        self._unsaved_words, self._unsaved_checks = set(), set()
        if not self._words:
            self._word(Reason.OK)  # Number 0: a verdict "ok" takes no byte in SQLite's rows.
        last = (
            await connection.execute(
                select(schema.audit.c.id, schema.audit.c.chain).order_by(schema.audit.c.id.desc()).limit(1)
            )
        ).first()
        self._audit = (last.id, last.chain) if last else (0, "")

    def number(self, check: str) -> int:
        """The check's number, a new one if it has none."""
        number = self._checks.get(check)
        if number is None:
            number = self._checks[check] = self._next
            self._next += 1
            self._unsaved_checks.add(check)
        return number

    def _word(self, reason: Reason) -> int:
        number = self._words.get(reason.value)
        if number is None:
            number = self._words[reason.value] = len(self._words)
            self._unsaved_words.add(reason.value)
        return number

    async def pack(self, batches: Sequence[Batch]) -> Work:
        """The rows of these batches, in the order they must be written."""
        sql, work = self._sql, Work(audit=self._audit)
        samples: Rows = []
        states: Rows = []
        for batch in batches:
            for at in range(0, len(batch.samples), SLICE):
                samples += map(self._sample, batch.samples[at : at + SLICE])
                await _breathe(len(batch.samples))
            seen = {sample.check: sample.at for sample in batch.samples if sample.seen is not Seen.BLIND}
            for count, state in enumerate(batch.checks):
                if self._worth_storing(state, seen, work):
                    states.append((self.number(state.check), *tables.CHECKS.pack(state)))
                    work.states[state.check] = state
                if count % SLICE == SLICE - 1:
                    await _breathe(len(batch.checks))
        # New numbers come before the rows that use them.
        work.words, work.checks = set(self._unsaved_words), set(self._unsaved_checks)
        work.add(sql.words, [(self._words[word], word) for word in sorted(work.words)])
        work.add(sql.checks, [(self._checks[check], check) for check in sorted(work.checks)])
        work.add(sql.samples, samples)
        work.add(sql.states, states)
        for batch in batches:
            self._history(batch, work)
        return work

    def _history(self, batch: Batch, work: Work) -> None:
        """The rows that are few."""
        sql = self._sql
        work.add(sql.nodes, [*map(tables.NODES.pack, batch.nodes)])
        work.add(sql.transitions, [*map(tables.TRANSITIONS.pack, batch.transitions)])
        work.add(sql.incidents, [*map(tables.INCIDENTS.pack, batch.incidents)])
        work.add(sql.events, [(event.incident.id, *tables.EVENTS.pack(event)) for event in batch.events])
        work.add(
            sql.messages,
            [
                (*tables.MESSAGES.pack(message), MessageState.PENDING.value, 0, micros(message.created_at))
                for message in batch.messages
            ],
        )
        work.add(sql.attempts, [*map(tables.ATTEMPTS.pack, batch.attempts)])
        work.add(sql.windows, [*map(tables.WINDOWS.pack, batch.windows)])
        work.add(sql.reports, [*map(tables.REPORTS.pack, batch.reports)])
        work.add(sql.link_samples, [*map(tables.LINK_SAMPLES.pack, batch.link_samples)])
        work.add(sql.link_days, [*map(tables.LINK_DAYS.pack, batch.link_days)])
        work.add(sql.readiness, [*map(tables.READINESS.pack, batch.readiness)])
        work.add(sql.steps, [*map(tables.STEPS.pack, batch.steps)])
        work.add(sql.tokens, [*map(tables.TOKENS.pack, batch.tokens)])
        work.add(sql.habits, [*map(tables.HABITS.pack, batch.habits)])
        work.add(sql.heartbeats, [*map(tables.HEARTBEATS.pack, batch.heartbeats)])
        work.add(sql.audit, [self._chained(entry, work) for entry in batch.audit])

    def settle(self, work: Work) -> None:
        """The transaction is committed."""
        self._unsaved_words -= work.words
        self._unsaved_checks -= work.checks
        self._states |= work.states
        self._audit = work.audit

    def _worth_storing(self, state: CheckState, seen: dict[str, datetime], work: Work) -> bool:
        """Whether the state says anything that the sample stored with it does not: most outcomes only move `seen_at`, and a row
        rewritten for each would cost forty times the sample itself.
        """
        former = work.states.get(state.check) or self._states.get(state.check)
        if former is None or state.seen_at != seen.get(state.check):
            return former != state
        return replace(former, seen_at=state.seen_at) != state

    def _sample(self, sample: Sample) -> tuple[Any, ...]:
        verdict = self._word(sample.reason) * 4 + _SEEN_CODE[sample.seen]
        at, check, seconds = micros(sample.at), self.number(sample.check), steps(sample.seconds)
        if not sample.facts:
            return (at, check, verdict, seconds or 0, None, None, None, None)
        facts = sample.facts
        links = [steps(facts.get(name)) for name in LINK_FACTS]
        rest = {
            name: value
            for name, value in facts.items()
            if name not in LINK_FACTS or links[LINK_FACTS.index(name)] is None
        }
        return (at, check, verdict, seconds or 0, *links, dump(rest) if rest else None)

    def _chained(self, entry: AuditEntry, work: Work) -> tuple[Any, ...]:
        number, former = work.audit
        row = tables.AUDIT.pack(entry)
        work.audit = (number + 1, chain(former, row))
        return (number + 1, *row, work.audit[1])


def steps(value: float | None) -> int | None:
    """In steps of 0.0001; None for what does not fit a small integer."""
    if value is None or not math.isfinite(value) or abs(value) * PER_SECOND > LARGEST:
        return None
    return round(value * PER_SECOND)


def chain(former: str, row: Iterable[Any]) -> str:
    """The digest that ties an audit row to all before it."""
    return hashlib.sha256(dump([former, *row]).encode()).hexdigest()


async def _breathe(rows: int) -> None:
    if rows > SLICE:
        await asyncio.sleep(0)
