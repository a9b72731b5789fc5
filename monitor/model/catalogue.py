"""The nouns of the configuration: what is watched, whose it is, who is told. Frozen; a reload makes a new catalogue."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, Literal
from zoneinfo import ZoneInfo

from monitor.model.meetings import MeetingPlan
from monitor.model.verdicts import Effect, Severity, Witness

EMPTY: Mapping[str, str] = MappingProxyType({})

Operator = Literal["<", "<=", ">", ">=", "==", "!="]
Language = Literal["vi", "en"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """`<fact> <op> <number with unit>`, the number already in the fact's base unit `unit`; `text` is what the person wrote.

    With `over` the fact is taken over that time (a loss as lost of sent, any other fact as the mean of the rounds) instead of from one round.
    With `times` the line is so many times what is normal for this very check, plus `value`.
    """

    fact: str
    op: Operator
    value: float
    text: str
    unit: str = "number"
    over: timedelta | None = None
    times: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How outcomes become a verdict: `failures` in a row (rechecked every `recheck`) are down, `successes` in a row are up again.

    `degraded` rounds in a row on the far side of a `degraded_if` line are degraded, and as many on the near side end it. A line with a window
    has waited already: it needs one round.
    """

    failures: int = 3
    recheck: timedelta = timedelta(seconds=10)
    successes: int = 2
    degraded: int = 5
    degraded_if: tuple[Condition, ...] = ()
    down_if: tuple[Condition, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One scheduled probe of one node. `id` is `<node>/<name>`; `spec` is the kind's own dataclass; `timeout < every`."""

    id: str
    node: str
    name: str
    kind: str
    spec: Any
    every: timedelta
    timeout: timedelta
    policy: Policy = Policy()
    effect: Effect = Effect.DOWN
    witness: Witness | None = None
    """What it can testify to when its node fails; None: nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """An owner, operator or carrier, with what a person on call needs to reach them."""

    id: str
    name: str
    role: str = ""
    phone: str = ""
    email: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupRule:
    """A node judged from its members: down when at least `at_least` and at least `share` (0..1) of them failed within `within`.

    With one of the `degraded_…` it knows the loss of redundancy: degraded while at least `degraded_at_least` and `degraded_share` of them fail
    (however far apart), and down at the latest when none is left. None: not asked for; both None: never degraded.
    """

    members: tuple[str, ...]
    share: float
    at_least: int
    within: timedelta
    degraded_share: float | None = None
    degraded_at_least: int | None = None

    @property
    def redundant(self) -> bool:
        """Whether losing some of its members is a state of its own."""
        return self.degraded_share is not None or self.degraded_at_least is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One thing that can fail and has an owner. `group` is set for a node judged from members instead of checks.

    `warn_at` are shares (0..1) of the recovery target. `was` are former ids whose history is this node's.
    `degraded_incident` asks for an incident of one severity less when degradation lasts.
    """

    id: str
    name: str
    type: str
    severity: Severity = Severity.MEDIUM
    owner: str = ""
    operator: str = ""
    carrier: str = ""
    accountable: str = ""
    recovery_target: timedelta = timedelta(hours=24)
    warn_at: tuple[float, ...] = (0.5, 0.75, 0.9)
    settle: timedelta = timedelta(seconds=30)
    depends_on: tuple[str, ...] = ()
    runbook: str = ""
    labels: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    checks: tuple[str, ...] = ()
    group: GroupRule | None = None
    degraded_incident: bool = False
    was: tuple[str, ...] = ()


NO_NODES: Mapping[str, Node] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """What a route or a selector asks for; an empty field asks nothing, several values of a field are alternatives."""

    node: tuple[str, ...] = ()
    type: tuple[str, ...] = ()
    severity: tuple[str, ...] = ()
    owner: tuple[str, ...] = ()
    carrier: tuple[str, ...] = ()
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))
    event: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class EscalationStep:
    """Who is told next: `after` a time since opening, or `at` a share (0..1) of the target; `unless` a state is reached."""

    after: timedelta | None = None
    at: float | None = None
    unless: str = ""
    send: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """The first route that matches decides, unless it says `go_on`."""

    match: Match
    send: tuple[str, ...]
    escalate: tuple[EscalationStep, ...] = ()
    go_on: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Receiver:
    """Somebody to tell: a name, a kind of `monitor.notify.KINDS`, and that kind's own spec.

    The many messages of a storm are told as one, in few requests in so long a time as `gather`; None: each goes by itself (to a machine that
    groups on its own).
    """

    name: str
    kind: str
    spec: Any
    gather: timedelta | None = timedelta(minutes=15)


@dataclass(frozen=True, slots=True, kw_only=True)
class MaintenancePlan:
    """Announced work: once (`start`..`end`) or by `cron` in the province's zone for `length`. `nodes` are already resolved ids."""

    id: str
    nodes: tuple[str, ...]
    reason: str
    start: datetime | None = None
    end: datetime | None = None
    cron: str = ""
    length: timedelta | None = None
    announced_at: datetime | None = None
    force_majeure: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportPlan:
    """One report on schedule: `at` as written (`mon 07:00`, `day 24 16:00`, `24/12 16:00`), in the province's zone."""

    kind: Literal["daily", "weekly", "monthly", "quarterly", "yearly"]
    at: str
    formats: tuple[str, ...] = ("json", "csv", "html")
    send: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """How long what is kept; transitions and incidents stay as long as the ledger."""

    samples: timedelta = timedelta(days=60)
    hourly: timedelta = timedelta(days=730)
    ledger: timedelta = timedelta(days=3650)


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfCheck:
    """How the monitor knows that it can see: anchors (checks of the pseudo-node `monitor`), and how many must answer."""

    anchors: tuple[Check, ...] = ()
    quorum: int = 1
    heartbeat_url: Any = None
    heartbeat_every: timedelta = timedelta(seconds=60)


@dataclass(frozen=True, slots=True, kw_only=True)
class Province:
    """Whose systems these are, and how they write the time."""

    id: str = ""
    name: str = ""
    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("Asia/Ho_Chi_Minh"))
    language: Language = "vi"
    issuer: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Daemon:
    """Where the daemon lives. `database` is `sqlite` or an SQLAlchemy URL held in a Secret."""

    host: str = "127.0.0.1"
    port: int = 9464
    public_url: str = ""
    state_dir: str = "var"
    database: Any = "sqlite"


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """Everything a configuration says, checked. Mappings are by id and keep the order of the file."""

    province: Province
    daemon: Daemon
    parties: Mapping[str, Party]
    nodes: Mapping[str, Node]
    checks: Mapping[str, Check]
    receivers: Mapping[str, Receiver]
    routes: tuple[Route, ...]
    maintenance: tuple[MaintenancePlan, ...]
    meetings: tuple[MeetingPlan, ...] = ()
    reports: tuple[ReportPlan, ...]
    retention: Retention
    monitor: SelfCheck
    fingerprint: str
    """A digest of everything above, secrets left out: the same text for the same meaning."""
    waiting: Mapping[str, Node] = field(default_factory=lambda: NO_NODES)
    """Nodes that are written but not watched, for no check of theirs has an address yet. In no other place of the catalogue."""
