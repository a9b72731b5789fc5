"""The tables as they are now; the migrations are how they came to be, and a test holds the two together.

Times are integer microseconds since 1970 in UTC, durations integer microseconds, names of states text, lists and mappings JSON text:
the same on both databases, exact, and readable by hand. Only `samples` is packed, because only it is large.
"""

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
)

VERSION = 1
"""The schema's number, kept in the database: a daemon refuses one that is newer than it knows."""

APPLICATION_ID = 0x54535553
"""`TSUS` in an SQLite file's header: whose file it is."""

metadata = MetaData()

_serial = BigInteger().with_variant(Integer, "sqlite")
"""A growing key; SQLite makes one only of INTEGER."""


def _text(name: str) -> Column[str]:
    return Column(name, Text, nullable=False)


def _maybe_text(name: str) -> Column[str]:
    return Column(name, Text)


def _int(name: str) -> Column[int]:
    return Column(name, Integer, nullable=False)


def _flag(name: str) -> Column[int]:
    return Column(name, SmallInteger, nullable=False)


def _time(name: str) -> Column[int]:
    return Column(name, BigInteger, nullable=False)


def _maybe_time(name: str) -> Column[int]:
    return Column(name, BigInteger)


def _number(name: str) -> Column[float]:
    return Column(name, Float(53), nullable=False)


def _blob(name: str) -> Column[bytes]:
    return Column(name, LargeBinary, nullable=False)


meta = Table("meta", metadata, Column("key", Text, primary_key=True), _text("value"))

words = Table("words", metadata, Column("id", Integer, primary_key=True, autoincrement=False), _text("word"))
"""Small integers for words that `samples` repeats: reasons. Never reused."""

checks = Table(
    "checks",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("check", Text, nullable=False, unique=True),
    # What the judge remembers; `state` is NULL for a check that has samples only.
    _maybe_text("state"),
    _maybe_time("since"),
    Column("failures", Integer),
    Column("successes", Integer),
    Column("degraded", Integer),
    _maybe_time("streak_at"),
    _maybe_time("before_at"),
    _maybe_time("seen_at"),
    _maybe_time("blind_since"),
    _maybe_text("reason"),
    _maybe_text("detail"),
    _maybe_text("shown"),
)

nodes = Table(
    "nodes",
    metadata,
    Column("node", Text, primary_key=True),
    _text("state"),
    _maybe_time("since"),
    _text("reason"),
    _text("detail"),
    _text("blamed_on"),
    _flag("flapping"),
    _text("changes"),
    _maybe_time("failed_at"),
    _maybe_time("judged_at"),
    _maybe_time("released_at"),
    _text("rows"),
    _flag("dismissed"),
    _maybe_text("shown"),
)

samples = Table(
    "samples",
    metadata,
    Column("id", _serial, primary_key=True),
    _time("at"),
    _int("check"),
    _int("verdict"),  # word of the reason × 4 + whose fault
    _int("seconds"),  # this and the facts: steps of 0.0001
    Column("loss", Integer),
    Column("rtt", Integer),
    Column("jitter", Integer),
    _maybe_text("facts"),
)

chunks = Table(
    "chunks",
    metadata,
    _int("hours"),  # 1 while its day lasts, then 24
    _time("start"),
    _int("check"),
    _int("count"),
    _blob("data"),
    PrimaryKeyConstraint("hours", "start", "check"),
)

hourly = Table(
    "hourly",
    metadata,
    _time("start"),
    _int("check"),
    _int("count"),
    _int("failures"),
    _int("blind"),
    _number("seconds_sum"),
    _number("seconds_max"),
    Column("loss", Float(53)),
    _blob("sketch"),
    PrimaryKeyConstraint("start", "check"),
)

transitions = Table(
    "transitions",
    metadata,
    Column("id", _serial, primary_key=True),
    _text("subject"),
    _time("at"),
    _text("state"),
    _text("reason"),
    _text("detail"),
    _maybe_time("after"),
    _maybe_time("judged_at"),
    Index("transitions_by_subject", "subject", "at"),
    Index("transitions_by_time", "at"),
)

incidents = Table(
    "incidents",
    metadata,
    Column("id", Text, primary_key=True),
    _text("node"),
    _text("severity"),
    _text("state"),
    _text("reason"),
    _text("detail"),
    _time("started_at"),
    _time("detected_at"),
    _time("opened_at"),
    _time("target"),
    _text("warn_at"),
    _time("paused"),
    _maybe_time("paused_since"),
    _text("pause_reason"),
    _text("warned"),
    _maybe_time("breached_at"),
    _maybe_time("acknowledged_at"),
    _text("acknowledged_by"),
    _maybe_time("resolved_at"),
    _text("resolved_by"),
    _maybe_time("closed_at"),
    _maybe_time("told_at"),
    _int("told_affected"),
    _text("merged_into"),
    _text("affected"),
    _flag("degradation"),
    _flag("flapping"),
    _flag("maintenance"),
    _text("cause"),
    _text("evidence"),
    _maybe_text("ground"),
    _text("told_verdict"),
    _int("sequence"),
    _int("version"),
    Index("incidents_by_start", "started_at", "id"),
    Index("incidents_by_state", "state"),
)

incident_events = Table(
    "incident_events",
    metadata,
    _text("id"),
    _int("sequence"),
    _text("type"),
    _time("at"),
    _text("by"),
    _text("text"),
    _text("data"),
    _text("incident"),
    PrimaryKeyConstraint("id", "sequence"),
)

messages = Table(
    "messages",
    metadata,
    Column("id", Text, primary_key=True),
    _text("receiver"),
    _text("lane"),
    _int("sequence"),
    _text("type"),
    _time("created_at"),
    _blob("body"),
    # Its way.
    _text("state"),
    _int("attempts"),
    _maybe_time("next_at"),
    _time("since"),
    _maybe_time("closed_at"),
    _maybe_time("released_at"),
    Column("told_in", Text),
    Index("messages_by_state", "state", "receiver", "lane", "sequence"),
)

"""`released_at` is when a message that could have been gathered was let go, `told_in` the id of the message in which it is told."""

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", _serial, primary_key=True),
    _text("message"),
    _time("at"),
    _text("result"),
    Column("status", Integer),
    _number("seconds"),
    _text("detail"),
    Index("deliveries_by_message", "message"),
)

maintenance = Table(
    "maintenance",
    metadata,
    Column("id", Text, primary_key=True),
    _text("plan"),
    _text("nodes"),
    _time("start"),
    _time("end"),
    _text("reason"),
    _maybe_time("announced_at"),
    _flag("force_majeure"),
    Index("maintenance_by_start", "start"),
)

acks = Table(
    "acks",
    metadata,
    Column("id", Text, primary_key=True),
    _text("incident"),
    _text("digest"),
    _time("created_at"),
    _maybe_time("expires_at"),
    _maybe_time("used_at"),
    _text("used_by"),
)
"""Links by which one incident may be acknowledged without a token; only a digest of each."""

runs = Table(
    "runs",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    _time("started_at"),
    _time("beat_at"),
    _maybe_time("ended_at"),
    _text("version"),
    _text("boot_id"),
    Index("runs_by_start", "started_at"),
)
"""Stretches in which a daemon was looking, each a chain of heartbeats without a hole."""

reports = Table(
    "reports",
    metadata,
    _text("kind"),
    _text("period"),
    _time("generated_at"),
    _text("formats"),
    _text("sha"),
    PrimaryKeyConstraint("kind", "period"),
)

readiness = Table(
    "readiness",
    metadata,
    _text("meeting"),
    _int("sequence"),
    _text("plan"),
    _time("at"),
    _time("start"),
    _time("end"),
    _text("points"),
    PrimaryKeyConstraint("meeting", "sequence"),
    Index("readiness_by_end", "end"),
)
"""What was told of the points of video meetings."""

steps = Table("steps", metadata, Column("id", _serial, primary_key=True), _time("at"), _number("seconds"))

tokens = Table(
    "tokens",
    metadata,
    Column("id", Text, primary_key=True),
    _text("name"),
    _text("role"),
    _text("digest"),
    _time("created_at"),
    _maybe_time("expires_at"),
    _maybe_time("revoked_at"),
)

link_samples = Table(
    "link_samples",
    metadata,
    _time("at"),
    _text("check"),
    _number("received"),
    _number("sent"),
    PrimaryKeyConstraint("at", "check"),
)
"""Five minutes of a line's load; only of days that are not closed yet."""

link_days = Table(
    "link_days",
    metadata,
    _text("day"),
    _text("check"),
    _number("received"),
    _number("sent"),
    _int("samples"),
    _int("expected"),
    PrimaryKeyConstraint("day", "check"),
)
"""A day's 95th percentile of a line's load, by the province's calendar."""

habits = Table("habits", metadata, Column("check", Text, primary_key=True), _time("at"), _text("normals"))
"""What is normal for a check, one row for each, written at most once in six hours. A check that has left keeps its row."""

heartbeats = Table("heartbeats", metadata, Column("check", Text, primary_key=True), _text("schedule"), _text("heard"))
"""What jobs elsewhere have told us, one row for each; never their tokens."""

audit = Table(
    "audit",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    _time("at"),
    _text("by"),
    _text("action"),
    _text("subject"),
    _text("origin"),
    _text("data"),
    _text("chain"),
)
"""`chain` is a digest of the row and of the former row's `chain`."""
