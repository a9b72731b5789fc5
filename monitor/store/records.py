"""What the store takes and gives beside the model's own nouns: units of work, rows of history, what is remembered, figures of its own.

Owns: plain frozen data. Never: talks to a database; every datetime is aware, every duration is in seconds or a timedelta.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from monitor.model import (
    CheckState,
    EventType,
    Incident,
    IncidentEvent,
    LinkDay,
    LinkSample,
    Message,
    NodeState,
    Readiness,
    Transition,
    Window,
)
from monitor.model.habits import Learned
from probes.contract import Outcome, Reason, Seen
from probes.heartbeat_calls import Heard

NO_FACTS: Mapping[str, float] = MappingProxyType({})
NO_DATA: Mapping[str, Any] = MappingProxyType({})

LINK_FACTS = ("loss", "rtt", "jitter")
"""Facts with a small integer column of their own in the hot table (steps of 0.0001, so 0.1 ms or 0.01 %); any other fact costs some 20 bytes."""


class StoreError(Exception):
    """Nothing of the unit of work is stored, or nothing could be read. What it would have announced must not be announced."""


class StoreDamagedError(StoreError):
    """The database is damaged, is not ours, or was written by a newer version; it is left as it was found."""


class StoreLostError(StoreError):
    """Another daemon may own the database now: announce nothing more, and stop."""


class AlreadyRunning(Exception):  # noqa: N818 - a state, not a mistake
    """Another daemon holds the state directory (or the database). `holder` is its pid where it is known."""

    def __init__(self, where: str, holder: int | None) -> None:
        super().__init__(f"another daemon already runs on {where}" + (f" (pid {holder})" if holder else ""))
        self.where = where
        self.holder = holder


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One outcome as it is kept for figures and replays: `at` is its start; `seconds` and `facts` are kept to 0.0001.

    Give only facts that a figure or a threshold of the check uses. Two samples of one check never start within the same 0.1 ms.
    """

    check: str
    at: datetime
    seen: Seen
    reason: Reason = Reason.OK
    seconds: float = 0.0
    facts: Mapping[str, float] = field(default_factory=lambda: NO_FACTS)

    @classmethod
    def of(cls, check: str, outcome: Outcome, keep: Sequence[str] = LINK_FACTS) -> "Sample":
        """The outcome with those of its facts that are worth keeping."""
        facts = {name: outcome.facts[name] for name in keep if name in outcome.facts}
        return cls(
            check=check,
            at=outcome.started_at,
            seen=outcome.seen,
            reason=outcome.reason,
            seconds=outcome.seconds,
            facts=facts,
        )


class MessageState(StrEnum):
    """Where a message is on its way; a parked one waits for a person, none is ever dropped."""

    PENDING = "pending"
    DELIVERED = "delivered"
    PARKED = "parked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """A message not yet delivered: tried `attempts` times, not to be tried before `next_at` (None: at once).

    `since` is when its 72 hours began: when it was made, or when a person took it out of parking. `released` says that it may have
    been sent under its own id; `told_in` is the id of the message in which it is told instead.
    """

    message: Message
    state: MessageState = MessageState.PENDING
    attempts: int = 0
    next_at: datetime | None = None
    since: datetime
    released: bool = False
    told_in: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Released:
    """A message that was let go at `at`: by itself, or inside of the message `told_in`."""

    message: str
    receiver: str
    lane: str
    type: EventType
    at: datetime
    told_in: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One attempt to deliver a message: `result` is a word of the outbox, `status` what the receiver answered, if it did."""

    message: str
    at: datetime
    result: str
    status: int | None = None
    seconds: float = 0.0
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportRun:
    """A report that was made: `period` is its key (`2026-W47`), `sha` names the contents by format."""

    kind: str
    period: str
    generated_at: datetime
    formats: tuple[str, ...] = ()
    sha: Mapping[str, str] = field(default_factory=lambda: NO_DATA)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockStep:
    """The wall clock jumped by `seconds` against the monotonic one."""

    at: datetime
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """Who changed what, from where. Rows are chained by digest: changing one of them later shows."""

    at: datetime
    by: str
    action: str
    subject: str = ""
    origin: str = ""
    data: Mapping[str, Any] = field(default_factory=lambda: NO_DATA)


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A bearer token's row. Only the `digest` of the secret is ever stored."""

    id: str
    name: str
    role: str
    digest: str
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """What a job elsewhere has told us, by the check that waits for it. `schedule` is the one that `heard.since` belongs to, as text."""

    check: str
    schedule: str
    heard: Heard


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """One unit of work: all of it is stored, or none. States, incidents, windows, reports, readiness, tokens, habits, heartbeats
    and what is known of links replace the row of the same id;
    a message whose id is already there changes nothing; the rest is appended.
    """

    samples: Sequence[Sample] = ()
    checks: Sequence[CheckState] = ()
    nodes: Sequence[NodeState] = ()
    transitions: Sequence[Transition] = ()
    incidents: Sequence[Incident] = ()
    events: Sequence[IncidentEvent] = ()
    messages: Sequence[Message] = ()
    windows: Sequence[Window] = ()
    attempts: Sequence[Attempt] = ()
    reports: Sequence[ReportRun] = ()
    readiness: Sequence[Readiness] = ()
    steps: Sequence[ClockStep] = ()
    audit: Sequence[AuditEntry] = ()
    tokens: Sequence[Token] = ()
    heartbeats: Sequence[Heartbeat] = ()
    habits: Sequence[Learned] = ()
    link_samples: Sequence[LinkSample] = ()
    link_days: Sequence[LinkDay] = ()

    @property
    def rows(self) -> int:
        """How many rows it writes, about."""
        return sum(len(getattr(self, name)) for name in self.__slots__)

    @property
    def urgent(self) -> bool:
        """Whether somebody may be waiting to be told: anything but samples, the counters of checks, and what is normal for them."""
        return self.rows > len(self.samples) + len(self.checks) + len(self.habits)


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What a daemon must know to go on where the former one stopped.

    `incidents` are the active ones, and those closed in the last ten minutes (they may reopen). `pending` are all undelivered messages,
    parked ones too, ordered by receiver, lane and sequence. `last_beat` is when a daemon was last known to run.
    """

    checks: Mapping[str, CheckState]
    nodes: Mapping[str, NodeState]
    incidents: Mapping[str, Incident]
    pending: tuple[Pending, ...]
    last_beat: datetime | None
    habits: Mapping[str, Learned] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Hour:
    """One hour of one check: counts of outcomes, and their seconds. `blind` ones count in nothing else; `seconds_*` are of those that
    were ok. `loss` is the mean of the hour's loss (0..1), None where the check has none. `sketch` gives percentiles to 1 %.
    """

    check: str
    start: datetime
    count: int
    failures: int
    blind: int
    seconds_sum: float
    seconds_max: float
    loss: float | None
    sketch: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A page of incidents, newest first; `cursor` asks for the next one, None at the end."""

    incidents: tuple[Incident, ...]
    cursor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Upkeep:
    """What one turn of sealing or pruning did; `finished` is False when the budget ran out before the work."""

    samples: int = 0
    rows: int = 0
    longest_hold: float = 0.0
    """Seconds: the longest that one of its slices kept the writer."""
    finished: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Stats:
    """The store's own figures since it was opened. `commit_seconds` is a histogram: count of commits up to each bound, the last unbounded."""

    queue: int = 0
    queued_rows: int = 0
    rows: int = 0
    commits: int = 0
    failures: int = 0
    bounds: tuple[float, ...] = ()
    commit_seconds: tuple[int, ...] = ()
    commit_seconds_sum: float = 0.0
    waiting_seconds: float = 0.0
    """How long the transaction now running has been running; 0 when none is."""
    database_bytes: int = 0
    wal_bytes: int = 0
    messages: Mapping[tuple[str, MessageState], int] = field(default_factory=lambda: MappingProxyType({}))
