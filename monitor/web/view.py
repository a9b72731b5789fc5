"""What the web may ask of the daemon. The application implements it; the web knows nothing else of the house.

Everything that is not `async` answers from memory at once and shows committed state only.
"""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from monitor.model import (
    Catalogue,
    CheckState,
    EventType,
    Incident,
    IncidentEvent,
    IncidentState,
    MeetingStatus,
    NodeState,
    Transition,
)
from monitor.model.evidence import Evidence
from monitor.model.heartbeats import Admission, Receipt
from monitor.rules.ipv6 import Share
from probes.contract import Outcome
from probes.heartbeat_calls import Call


@dataclass(frozen=True, slots=True, kw_only=True)
class Vital:
    """One thing the daemon must do to be ready: whether it does, and since when it was last seen to."""

    name: str
    fine: bool
    age: timedelta
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentPage:
    """Incidents, newest first, and the cursor of the next page (None at the end)."""

    incidents: tuple[Incident, ...]
    cursor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """How many messages of a receiver are in a state (`pending`, `delivered`, `parked`)."""

    receiver: str
    state: str
    count: int


class Door(Protocol):
    """Where jobs elsewhere report that they ran."""

    def admit(self, token: str) -> Admission:
        """Whose token it is, and whether its owner may call now. Takes the same time whatever the token."""
        ...

    async def take(self, check: str, call: Call) -> Receipt:
        """Take a call of an admitted job down; it is durable when it is answered."""
        ...


class View(Protocol):
    """The daemon as seen from a browser, a scraper or a script."""

    @property
    def catalogue(self) -> Catalogue: ...

    @property
    def version(self) -> str: ...

    def now(self) -> datetime: ...

    def nodes(self) -> Mapping[str, NodeState]: ...

    def checks(self) -> Mapping[str, CheckState]: ...

    def last(self, check: str) -> Outcome | None:
        """The latest outcome of a check since the daemon started."""
        ...

    def incidents(self) -> Sequence[Incident]:
        """The active ones."""
        ...

    def connected(self) -> bool:
        """Whether enough anchors answer."""
        ...

    def in_maintenance(self) -> Collection[str]:
        """Nodes inside an announced window now."""
        ...

    def vitals(self) -> Sequence[Vital]: ...

    def deliveries(self) -> Sequence[Delivery]: ...

    def meetings(self) -> Sequence[MeetingStatus]:
        """Video meetings that are not over, by their beginning."""
        ...

    async def look_at_meeting(self, meeting: str) -> MeetingStatus | None:
        """Look at a meeting's points now; tells nobody. None when there is none of that id."""
        ...

    def ipv6(self) -> Share:
        """How many communes have working IPv6."""
        ...

    def speech(self, node: str) -> float | None:
        """The estimated score for speech of a video point's link, 1..4.5; None where it is not measured."""
        ...

    def normals(self, check: str) -> Mapping[str, float]:
        """What is normal for a check, by fact, in base units; only what is known."""
        ...

    def clock_offset(self) -> timedelta:
        """How far the wall clock was moved since the start."""
        ...

    def metrics(self, accept: str) -> tuple[str, bytes]:
        """Content type and body for a scrape."""
        ...

    def exposition(self, check: str, outcome: Outcome) -> tuple[str, bytes]:
        """Content type and body for one fresh outcome, as a multi-target exporter gives it."""
        ...

    async def probe(self, check: str, timeout: float | None) -> Outcome | None:
        """Run a configured check once now, beside its cadence; None when there is no such check."""
        ...

    async def history(
        self, *, states: Collection[IncidentState], node: str | None, cursor: str | None, limit: int
    ) -> IncidentPage: ...

    async def incident(self, incident: str) -> Incident | None: ...

    async def events(self, incident: str) -> tuple[IncidentEvent, ...]: ...

    async def evidence(self, incident: Incident) -> tuple[Evidence, ...]:
        """What failed probes kept while it was on."""
        ...

    async def evidence_file(self, evidence: Evidence) -> bytes | None:
        """The bytes of one of these; None when it has gone meanwhile."""
        ...

    async def transitions(self, node: str, start: datetime, end: datetime) -> tuple[Transition, ...]: ...

    @property
    def heartbeats(self) -> Door: ...

    def live(self) -> AsyncIterator[tuple[EventType, IncidentEvent]]:
        """Events as they are committed, from now on."""
        ...
