"""The statements the writer uses, compiled once for the database's dialect, so that rows go to the driver as plain tuples."""

from collections.abc import Sequence
from typing import Any, Literal

from sqlalchemy import Dialect, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.dml import Insert, UpdateBase

from monitor.store import schema, tables
from monitor.store.mapping import Mapped

Rows = list[tuple[Any, ...]]
Change = tuple[str, Rows]
"""A compiled statement and the rows for it."""


def compiled(statement: UpdateBase, dialect: Dialect, names: Sequence[str]) -> str:
    """The statement's text with positional parameters in the order of `names`."""
    keys = list(names) if isinstance(statement, Insert) else None
    result = statement.compile(dialect=dialect, column_keys=keys)
    if list(result.positiontup or ()) != list(names):
        raise ValueError(f"parameters of {result} are {result.positiontup}, not {names}")
    return str(result)


def insert(
    table: Table,
    dialect: Dialect,
    names: Sequence[str],
    conflict: Literal["replace", "keep", "fail"],
    key: Sequence[str] = (),
) -> str:
    """An insert; on a row with the same key (the primary one, unless given) replace its columns, keep it as it was, or fail."""
    if conflict == "fail":
        return compiled(table.insert(), dialect, names)
    make = postgresql.insert if dialect.name == "postgresql" else sqlite.insert
    statement = make(table)
    unique = list(key) or [column.name for column in table.primary_key]
    if conflict == "keep":
        return compiled(statement.on_conflict_do_nothing(), dialect, names)
    new = {name: statement.excluded[name] for name in names if name not in unique}
    return compiled(statement.on_conflict_do_update(index_elements=unique, set_=new), dialect, names)


class Statements:
    """One text for each kind of row. The order of the attributes is the order of writing."""

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect
        self.words = insert(schema.words, dialect, ("id", "word"), "keep")
        self.checks = insert(schema.checks, dialect, ("id", "check"), "keep")
        self.samples = insert(
            schema.samples, dialect, ("at", "check", "verdict", "seconds", "loss", "rtt", "jitter", "facts"), "fail"
        )
        self.states = insert(schema.checks, dialect, ("id", *tables.CHECKS.columns), "replace")
        self.nodes = self._replace(tables.NODES)
        self.transitions = insert(schema.transitions, dialect, tables.TRANSITIONS.columns, "fail")
        self.incidents = self._replace(tables.INCIDENTS)
        self.events = insert(schema.incident_events, dialect, ("id", *tables.EVENTS.columns), "replace")
        self.messages = insert(
            schema.messages, dialect, (*tables.MESSAGES.columns, "state", "attempts", "since"), "keep"
        )
        self.attempts = insert(schema.deliveries, dialect, tables.ATTEMPTS.columns, "fail")
        self.windows = self._replace(tables.WINDOWS)
        self.reports = self._replace(tables.REPORTS)
        self.link_samples = self._replace(tables.LINK_SAMPLES)
        self.link_days = self._replace(tables.LINK_DAYS)
        self.readiness = self._replace(tables.READINESS)
        self.steps = insert(schema.steps, dialect, tables.STEPS.columns, "fail")
        self.tokens = self._replace(tables.TOKENS)
        self.habits = self._replace(tables.HABITS)
        self.heartbeats = self._replace(tables.HEARTBEATS)
        self.audit = insert(schema.audit, dialect, ("id", *tables.AUDIT.columns, "chain"), "fail")
        self.runs = insert(
            schema.runs, dialect, ("id", "started_at", "beat_at", "ended_at", "version", "boot_id"), "replace"
        )
        self.chunks = insert(schema.chunks, dialect, ("hours", "start", "check", "count", "data"), "replace")
        self.hourly = insert(schema.hourly, dialect, tuple(column.name for column in schema.hourly.c), "replace")

    def _replace(self, mapped: Mapped[Any]) -> str:
        return insert(mapped.table, self.dialect, mapped.columns, "replace")

    def compile(self, statement: UpdateBase, *names: str) -> str:
        """Any other change."""
        return compiled(statement, self.dialect, names)
