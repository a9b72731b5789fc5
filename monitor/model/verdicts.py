"""The nouns of judging: states, transitions, and what is remembered of a check and a node between outcomes."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from probes.contract import Reason


class State(StrEnum):
    """The verdict on a check or node."""

    UP = "up"
    DEGRADED = "degraded"
    DOWN = "down"
    UNREACHABLE = "unreachable"
    UNKNOWN = "unknown"

    @property
    def failing(self) -> bool:
        """Whether users cannot work: it is down, or something above it is."""
        return self in (State.DOWN, State.UNREACHABLE)


class Bucket(StrEnum):
    """Where the ledger puts a second; exactly one for each."""

    UP = "up"
    DEGRADED = "degraded"
    DOWN = "down"
    UNREACHABLE = "unreachable"
    UNKNOWN = "unknown"
    EXCLUDED = "excluded"


class Effect(StrEnum):
    """What a failing check does to its node."""

    DOWN = "down"
    DEGRADED = "degraded"
    NONE = "none"


class Witness(StrEnum):
    """What a check can testify to when its node fails: whether the site lives, where the line is cut, whether its device kept its power."""

    SECOND_PATH = "second_path"
    """The same site by another way."""
    NEAR_PORT = "near_port"
    """The port at our end, or the carrier's, that leads to the site."""
    DEVICE = "device"
    """The site's own device, read over the node itself."""


UPTIME = "uptime_seconds"
"""The fact by which a device testifies: for how many seconds it has been running."""


class Severity(StrEnum):
    """How much it matters, worst first."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"

    @property
    def one_less(self) -> "Severity":
        """The next milder severity; `low` stays."""
        order = list(Severity)
        return order[min(order.index(self) + 1, len(order) - 1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """The moment a state changed.

    `at` is back-dated to the start of the first outcome that shows the new state. `after` is the start of the last outcome that showed the
    former one: the true moment lies in (after, at], and what lies between is the sampling gap. `judged_at` is when we knew.
    `subject` is a node id (`motcua`) or a check id (`motcua/home`).

    What is learnt late corrects what was said before: of two rows with equal `subject` and `at`, the one with the later `judged_at` wins (of
    equal ones, the one written last). A row may lie before rows already written; whoever writes it also writes a winning row over each later
    one that no longer holds. So a history is read by sorting on (`at`, `judged_at`) and keeping the last row of each `at`.
    """

    subject: str
    at: datetime
    state: State
    reason: Reason = Reason.OK
    detail: str = ""
    after: datetime | None = None
    judged_at: datetime | None = None

    @property
    def bucket(self) -> Bucket:
        """The ledger's bucket for the state, before maintenance and gaps are laid over it."""
        return Bucket(self.state.value)


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch [since, until) of one bucket; never empty."""

    since: datetime
    until: datetime
    bucket: Bucket

    @property
    def seconds(self) -> float:
        """Its length in seconds."""
        return (self.until - self.since).total_seconds()


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """A stretch [since, until) in which the daemon was not running or could not see: `unknown` for everyone."""

    since: datetime
    until: datetime
    reason: Reason = Reason.OWN_NOT_RUNNING


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """One occurrence of maintenance, [start, end), over these nodes."""

    id: str
    plan: str
    nodes: frozenset[str]
    start: datetime
    end: datetime
    reason: str = ""
    announced_at: datetime | None = None
    force_majeure: bool = False


@dataclass(frozen=True, slots=True)
class Shown:
    """One row of a ledger as it stands: from `at` on it was shown as `state`."""

    at: datetime
    state: State


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckState:
    """What the judge remembers of a check between outcomes.

    `state` is the judged verdict and never `unreachable` (that is a node's). Counters are runs in a row of outcomes that saw; blind ones touch
    none of them. `blind_since` is set while the latest outcome was blind: the verdict stands, the time is unknown.
    `streak_at` is the start of the first outcome of the current streak of failures or successes against the state, with `before_at` the
    start of the last outcome before it.
    """

    check: str
    state: State = State.UNKNOWN
    since: datetime | None = None
    failures: int = 0
    successes: int = 0
    degraded: int = 0
    streak_at: datetime | None = None
    before_at: datetime | None = None
    seen_at: datetime | None = None
    blind_since: datetime | None = None
    reason: Reason = Reason.OK
    detail: str = ""
    shown: tuple[Shown, ...] = ()
    """The latest rows of its ledger, oldest first: what a late verdict may have to correct. A dozen and a half at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeState:
    """The verdict on a node: `state` as the ledger shall show it, since when, why; `flapping` while it changes too often."""

    node: str
    state: State = State.UNKNOWN
    since: datetime | None = None
    reason: Reason = Reason.OK
    detail: str = ""
    blamed_on: str = ""
    """The ancestor or group that is down above it, when `unreachable`."""
    flapping: bool = False
    changes: tuple[datetime, ...] = ()
    """The latest changes, for the flapping rule; never more than it needs."""
    failed_at: datetime | None = None
    """The first failed outcome of the spell that is on, through blind stretches; None while it works."""
    judged_at: datetime | None = None
    """When the present state was judged; settling is counted from here."""
    released_at: datetime | None = None
    """When what was blamed came back, while this node has not yet shown whether it did too."""
    rows: tuple[datetime, ...] = ()
    """Where the latest rows of its ledger lie: what a late verdict may have to correct."""
    dismissed: bool = False
    """A person closed the incident of this spell; it opens no other before the node has worked again."""
    shown: tuple[Shown, ...] = ()
    """Of a group that can be degraded: the latest rows of its ledger. Who depends on it reads from them when redundancy was lost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recheck:
    """Ask this check again at `at`, off its cadence."""

    check: str
    at: datetime


FLAPPING_WINDOW = timedelta(hours=1)
FLAPPING_CHANGES = 6
