"""A daemon that stands still: the web's view over nouns made by hand, for looking at every page without a clock."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from monitor.model import (
    Affected,
    Catalogue,
    Check,
    CheckState,
    Daemon,
    EventType,
    Incident,
    IncidentEvent,
    IncidentState,
    MeetingStatus,
    Node,
    NodeState,
    Party,
    Province,
    Retention,
    SelfCheck,
    Severity,
    State,
    Transition,
)
from monitor.model.evidence import Evidence
from monitor.model.heartbeats import Admission, Receipt
from monitor.rules.ipv6 import Share
from monitor.web import Delivery, IncidentPage, Vital
from probes import Outcome, Reason, Seen
from probes.heartbeat_calls import Call

NOW = datetime(2026, 11, 21, 14, 3, tzinfo=UTC)
TOKEN = "still-token-of-a-job"
HOSTILE = "<script>alert(1)</script> =cmd()"


def catalogue() -> Catalogue:
    nodes = {
        "hub": Node(id="hub", name="Điểm tập trung", type="hub", severity=Severity.CRITICAL, owner="skhcn", checks=("hub/line",)),
        "motcua": Node(
            id="motcua", name="Hệ thống một cửa", type="system", severity=Severity.CRITICAL, owner="skhcn",
            depends_on=("hub",), checks=("motcua/home",), runbook="https://so.tay.example/motcua",
        ),
        "tslcd.13285": Node(
            id="tslcd.13285", name="Đường truyền Phủ Lý", type="link", carrier="vnpt", depends_on=("hub",),
            labels={"commune": "13285"}, checks=("tslcd.13285/v4",),
        ),
    }  # fmt: skip
    every, timeout = timedelta(seconds=60), timedelta(seconds=10)
    checks = {
        f"{node}/{name}": Check(
            id=f"{node}/{name}", node=node, name=name, kind=kind, spec=None, every=every, timeout=timeout
        )
        for node, name, kind in (("hub", "line", "tcp"), ("motcua", "home", "http"), ("tslcd.13285", "v4", "icmp"))
    }
    return Catalogue(
        province=Province(id="37", name="Tỉnh Ninh Bình"), daemon=Daemon(public_url="https://giamsat.example"),
        parties={"skhcn": Party(id="skhcn", name="Sở KH&CN", role="owner", phone="0229 000 000"), "vnpt": Party(id="vnpt", name="VNPT")},
        nodes=nodes, checks=checks, receivers={}, routes=(), maintenance=(), reports=(), retention=Retention(),
        monitor=SelfCheck(), fingerprint="still",
    )  # fmt: skip


def incident(**more: object) -> Incident:
    started = NOW - timedelta(minutes=10)
    given: dict[str, object] = {
        "id": "i-1", "node": "motcua", "severity": Severity.CRITICAL, "reason": Reason.BODY_REGEX, "detail": HOSTILE,
        "started_at": started, "detected_at": started + timedelta(seconds=30), "opened_at": started + timedelta(seconds=60),
        "target": timedelta(hours=4), "affected": (Affected(node="tslcd.13285", since=started),),
    } | more  # fmt: skip
    return Incident(**given)  # type: ignore[arg-type]


class StillDoor:
    """One job, whose token is `TOKEN`; remembers what it was told."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.wait = 0.0
        self.stores = True

    def admit(self, token: str) -> Admission:
        if self.wait:
            return Admission(wait=self.wait)
        return Admission(check="motcua/backup" if token == TOKEN else None)

    async def take(self, check: str, call: Call) -> Receipt:
        self.calls.append(call)
        return Receipt(stored=self.stores, ignored=sum(name != "queue_age" for name in call.numbers))


class StillView:
    """Everything answers from these fields."""

    version = "0.0.test"

    def __init__(self) -> None:
        self.catalogue = catalogue()
        self.now_ = NOW
        self.states: dict[str, NodeState] = {
            node: NodeState(node=node, state=State.UP, since=NOW - timedelta(days=1)) for node in self.catalogue.nodes
        }
        self.active: list[Incident] = []
        self.closed: list[Incident] = []
        self.seen: dict[str, Outcome] = {}
        self.usual: dict[str, dict[str, float]] = {}
        self.is_connected = True
        self.fine = True
        self.resting: set[str] = set()
        self.probed: list[tuple[str, float | None]] = []
        self.door = StillDoor()
        self.held: list[MeetingStatus] = []
        self.share = Share()
        self.scores: dict[str, float] = {}
        self.kept: dict[Evidence, bytes] = {}

    def break_motcua(self) -> None:
        self.states["motcua"] = NodeState(
            node="motcua", state=State.DOWN, since=NOW - timedelta(minutes=10), reason=Reason.BODY_REGEX, detail=HOSTILE
        )
        self.active = [incident()]
        self.seen["motcua/home"] = Outcome(
            seen=Seen.FAILED,
            reason=Reason.BODY_REGEX,
            detail=HOSTILE,
            started_at=NOW,
            seconds=0.25,
            facts={"status": 200.0},
        )

    def now(self) -> datetime:
        return self.now_

    def nodes(self) -> Mapping[str, NodeState]:
        return self.states

    def checks(self) -> Mapping[str, CheckState]:
        return {}

    def last(self, check: str) -> Outcome | None:
        return self.seen.get(check)

    def incidents(self) -> Sequence[Incident]:
        return self.active

    def connected(self) -> bool:
        return self.is_connected

    def in_maintenance(self) -> Collection[str]:
        return self.resting

    def vitals(self) -> Sequence[Vital]:
        return [Vital(name="store", fine=self.fine, age=timedelta(seconds=1))]

    def deliveries(self) -> Sequence[Delivery]:
        return [Delivery(receiver="truc", state="parked", count=2)]

    def meetings(self) -> Sequence[MeetingStatus]:
        return self.held

    async def look_at_meeting(self, meeting: str) -> MeetingStatus | None:
        return next((each for each in self.held if meeting in (each.meeting.id, each.meeting.plan)), None)

    def ipv6(self) -> Share:
        return self.share

    def normals(self, check: str) -> Mapping[str, float]:
        return self.usual.get(check, {})

    def speech(self, node: str) -> float | None:
        return self.scores.get(node)

    def clock_offset(self) -> timedelta:
        return timedelta(0)

    def metrics(self, accept: str) -> tuple[str, bytes]:
        return "text/plain; version=1.0.0; charset=utf-8", b"up 1\n"

    def exposition(self, check: str, outcome: Outcome) -> tuple[str, bytes]:
        return "text/plain; version=1.0.0; charset=utf-8", b"probe_success 1\n"

    async def probe(self, check: str, timeout: float | None) -> Outcome | None:
        self.probed.append((check, timeout))
        ok = Outcome(seen=Seen.OK, reason=Reason.OK, detail="", started_at=NOW, seconds=0.1)
        return ok if check in self.catalogue.checks else None

    async def history(
        self, *, states: Collection[IncidentState], node: str | None, cursor: str | None, limit: int
    ) -> IncidentPage:
        found = [
            i
            for i in (*self.active, *self.closed)
            if (not states or i.state in states) and (node is None or i.node == node)
        ]
        return IncidentPage(incidents=tuple(found[:limit]), cursor=None)

    async def incident(self, incident: str) -> Incident | None:
        return next((i for i in (*self.active, *self.closed) if i.id == incident), None)

    async def events(self, incident: str) -> tuple[IncidentEvent, ...]:
        known = await self.incident(incident)
        return (
            ()
            if known is None
            else (IncidentEvent(incident=known, sequence=1, type=EventType.OPENED, at=NOW, text=HOSTILE),)
        )

    async def evidence(self, incident: Incident) -> tuple[Evidence, ...]:
        return tuple(self.kept) if incident.id == "i-1" else ()

    async def evidence_file(self, evidence: Evidence) -> bytes | None:
        return self.kept.get(evidence)

    async def transitions(self, node: str, start: datetime, end: datetime) -> tuple[Transition, ...]:
        return (Transition(subject=node, at=NOW, state=State.DOWN, reason=Reason.TIMEOUT, detail=HOSTILE),)

    @property
    def heartbeats(self) -> StillDoor:
        return self.door

    async def live(self) -> AsyncIterator[tuple[EventType, IncidentEvent]]:
        for each in self.active:
            yield EventType.OPENED, IncidentEvent(incident=each, sequence=1, type=EventType.OPENED, at=NOW)
