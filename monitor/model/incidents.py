"""The nouns of incidents: one fault, its recovery clock, its history, and the messages it makes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Any, ClassVar

from monitor.model.verdicts import Severity
from probes.contract import Reason

NO_DATA: Mapping[str, Any] = MappingProxyType({})

MONITOR = "monitor"
"""The pseudo-node that stands for ourselves: its incident is "monitor cut off"."""


class IncidentState(StrEnum):
    """`open → acknowledged → resolved`; `merged` into a wider one, or `withdrawn` (the node left the configuration, or nothing was wrong)."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"
    MERGED = "merged"
    WITHDRAWN = "withdrawn"

    @property
    def active(self) -> bool:
        """Whether the fault is still on."""
        return self in (IncidentState.OPEN, IncidentState.ACKNOWLEDGED)


class EventType(StrEnum):
    """Every change of an incident. Those with a public name (a dot) are also message types."""

    OPENED = "incident.opened"
    UPDATED = "incident.updated"
    ACKNOWLEDGED = "incident.acknowledged"
    ESCALATED = "incident.escalated"
    RECOVERY_WARNING = "incident.recovery_warning"
    RECOVERY_BREACHED = "incident.recovery_breached"
    RESOLVED = "incident.resolved"
    MERGED = "incident.merged"
    WITHDRAWN = "incident.withdrawn"
    REOPENED = "incident.reopened"
    IMPAIRED = "monitor.impaired"
    RECOVERED = "monitor.recovered"
    REPORT_READY = "report.ready"
    MEETING_READINESS = "meeting.readiness"
    TEST = "test"
    # Rows of the history that nobody is sent.
    AFFECTED = "affected"
    COMMENTED = "commented"
    PAUSED = "paused"
    RESUMED = "resumed"
    FLAPPING = "flapping"
    ATTRIBUTED = "attributed"

    @property
    def told(self) -> bool:
        """Whether receivers are sent it."""
        return "." in self.value or self is EventType.TEST


@dataclass(frozen=True, slots=True, kw_only=True)
class Affected:
    """A node that cannot work because of the incident, from when to when; `until` is None while it lasts."""

    node: str
    since: datetime
    until: datetime | None = None


class Whose(StrEnum):
    """Where a fault lies, and so who has to act."""

    UPLINK = "uplink"
    """A line of the data centre that the province itself has."""
    HUB = "hub"
    CARRIER = "carrier"
    REGION = "region"
    """What the links of one region share, whoever the carrier is."""
    LINK = "link"
    SITE = "site"
    """The commune's own: its power, its local network, its equipment."""
    SERVICE = "service"
    """The system or endpoint itself, not the way to it."""
    MONITOR = "monitor"
    """We ourselves cannot see."""
    UNKNOWN = "unknown"


class Confidence(StrEnum):
    """How sure: `high` has evidence for it and none against; `medium` lacks a contrast or has some against; `low` is a suspicion."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class Says(StrEnum):
    """What a witness says."""

    FAILS = "fails"
    ANSWERS = "answers"
    DEGRADED = "degraded"
    SILENT = "silent"
    RESTARTED = "restarted"


class GroundRule(StrEnum):
    """The rule that decided whose it is; `monitor.rules.fault` tells of each."""

    ANCHORS_SILENT = "anchors_silent"
    ALL_UPLINKS = "all_uplinks"
    UPLINK_ALONE = "uplink_alone"
    REDUNDANCY_LOST = "redundancy_lost"
    HUB_SILENT = "hub_silent"
    HUB_ALONE = "hub_alone"
    GROUP_SHARE = "group_share"
    COMMON_CAUSE = "common_cause"
    SECOND_PATH_ANSWERS = "second_path_answers"
    SECOND_PATH_SILENT = "second_path_silent"
    NEAR_PORT_DOWN = "near_port_down"
    DEVICE_ANSWERS = "device_answers"
    DEVICE_RESTARTED = "device_restarted"
    DEVICE_RAN_ON = "device_ran_on"
    ROUTER_REFUSES = "router_refuses"
    SIBLINGS_ANSWER = "siblings_answer"
    ENDPOINT_ANSWERS = "endpoint_answers"
    PARENTS_ANSWER = "parents_answer"
    OWN_CHECKS = "own_checks"


@dataclass(frozen=True, slots=True, kw_only=True)
class Testimony:
    """What one node or check (`subject`) says to the question; `since` is when what it says began.

    `against` is set when it speaks against the verdict.
    """

    __test__: ClassVar[bool] = False

    subject: str
    says: Says
    since: datetime | None = None
    reason: Reason = Reason.OK
    against: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What a verdict on whose fault it is rests on.

    `party` is the party it points at, where one is known. Of `eligible` things of type `of`, `counted` fail; `needed` of them, or a `share`
    (0..1), `within` a time made the verdict. `others` are like things outside of it, of `others_party` where they are all one party's, and
    `others_answering` of them answer. `testimony` is what was heard, the weightiest first, at most 20 of `testimony_total`.
    """

    whose: Whose
    confidence: Confidence
    rule: GroundRule
    party: str = ""
    of: str = ""
    counted: int = 0
    eligible: int = 0
    needed: int = 0
    share: float = 0.0
    within: timedelta = timedelta(0)
    others: int = 0
    others_answering: int = 0
    others_party: str = ""
    testimony: tuple[Testimony, ...] = ()
    testimony_total: int = 0

    @property
    def verdict(self) -> str:
        """Whose and how sure, in one word: news is when this changes."""
        return f"{self.whose}/{self.confidence}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """One fault at its root node.

    `started_at` is the first failed outcome, `detected_at` when it was judged, `opened_at` when the incident was made (after settling).
    The clock: `deadline = started_at + target + paused`; `paused` sums finished pauses, `paused_since` is set while one runs.
    `warned` are the shares of the target already told, `breached_at` the moment it ran out; each exactly once.
    `sequence` counts its events from 1; `version` counts its changes (a lost race is seen by it).
    `evidence` says what it is based on: rule, members, since when.
    """

    id: str
    node: str
    severity: Severity
    state: IncidentState = IncidentState.OPEN
    reason: Reason = Reason.OK
    detail: str = ""
    started_at: datetime
    detected_at: datetime
    opened_at: datetime
    target: timedelta
    warn_at: tuple[float, ...] = ()
    paused: timedelta = timedelta(0)
    paused_since: datetime | None = None
    pause_reason: str = ""
    warned: tuple[float, ...] = ()
    breached_at: datetime | None = None
    acknowledged_at: datetime | None = None
    acknowledged_by: str = ""
    resolved_at: datetime | None = None
    closed_at: datetime | None = None
    merged_into: str = ""
    affected: tuple[Affected, ...] = ()
    degradation: bool = False
    flapping: bool = False
    maintenance: bool = False
    cause: str = ""
    evidence: str = ""
    ground: Ground | None = None
    """Whose fault it is, how sure that is, and what it rests on; None for an incident of before there was any."""
    told_at: datetime | None = None
    """When receivers were last told of it; None while nobody ever was (maintenance). What nobody was told of ends untold."""
    told_affected: int = 0
    """How many affected nodes were named then."""
    told_verdict: str = ""
    """Whose fault they were told it was, and how sure: `Ground.verdict`."""
    resolved_by: str = ""
    """The person who closed it by hand; empty when the node came back."""
    sequence: int = 0
    version: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentEvent:
    """One row of an incident's history: who, when, what. `incident` is the incident as it stood after the event."""

    incident: Incident
    sequence: int
    type: EventType
    at: datetime
    by: str = "thongsuot"
    text: str = ""
    data: Mapping[str, Any] = field(default_factory=lambda: NO_DATA)


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One thing to tell one receiver, as it will be sent: every copy has this id and these bytes.

    `lane` orders: messages of one receiver and one lane (an incident's id, or a report's) go strictly by `sequence`.
    The id is deterministic and holds no dot.
    """

    id: str
    receiver: str
    lane: str
    sequence: int
    type: EventType
    created_at: datetime
    body: bytes
