"""The daemon as the web sees it: the application's side of `monitor.web.View`. Reads committed state; changes nothing."""

import asyncio
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import structlog

from monitor.app.system import own_version
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
from monitor.pipeline import STALE, Beats
from monitor.rules import ipv6 as by_ipv6
from monitor.rules import ledger, readiness
from monitor.store import Stats, StoreError
from monitor.web import Delivery, IncidentPage, Vital
from probes import Outcome

if TYPE_CHECKING:
    from monitor.app.application import App

log = structlog.get_logger()

WINDOWS: Final = {"1d": timedelta(days=1), "7d": timedelta(days=7), "30d": timedelta(days=30)}
REFRESH: Final = 60.0
"""Seconds between two computations of the availability figures that metrics show."""

STATS: Final = 10.0

CALM: Final = timedelta(minutes=5)
"""So long after a mistake of ours in judging we do not call ourselves ready."""

BEATS: Final = timedelta(seconds=30)


class Eyes:
    """Implements the web's View."""

    def __init__(self, app: "App") -> None:
        self._app = app
        self.latest: dict[str, Outcome] = {}
        self.hosts: frozenset[str] = frozenset()
        self.figures: dict[tuple[str, str], tuple[float | None, float]] = {}
        self.stats: Stats | None = None
        self._listeners: set[asyncio.Queue[IncidentEvent]] = set()
        self.changed(())

    def changed(self, gone: Iterable[str]) -> None:
        """The catalogue was changed: these checks are gone."""
        for check in gone:
            self.latest.pop(check, None)
        catalogue = self._app.catalogue
        self.hosts = frozenset(_hosts(catalogue))
        self._communes = by_ipv6.units(catalogue)
        videos = (node.id for node in catalogue.nodes.values() if node.type == "video")
        self._links = {node: link for node in videos if (link := readiness.way(catalogue, node).link) is not None}

    @property
    def catalogue(self) -> Catalogue:
        return self._app.catalogue

    @property
    def version(self) -> str:
        return own_version()

    def now(self) -> datetime:
        return self._app.clock.now()

    def nodes(self) -> Mapping[str, NodeState]:
        return self._app.desk.world.nodes

    def checks(self) -> Mapping[str, CheckState]:
        return self._app.desk.world.checks

    def last(self, check: str) -> Outcome | None:
        return self.latest.get(check)

    def incidents(self) -> Sequence[Incident]:
        return [incident for incident in self._app.desk.world.incidents.values() if incident.state.active]

    def connected(self) -> bool:
        return self._app.desk.world.monitor.connected

    def in_maintenance(self) -> Collection[str]:
        now = self.now()
        return {
            node
            for window in self._app.housekeeping.windows
            if window.start <= now < window.end
            for node in window.nodes
        }

    def clock_offset(self) -> timedelta:
        return self._app.clock.offset

    def vitals(self) -> Sequence[Vital]:
        now, desk = self.now(), self._app.desk
        calm = now - (desk.mistaken_at or self._app.started_at - CALM)
        turn, beat = now - desk.turned_at, now - self._app.housekeeping.beat_at
        return [
            Vital(name="desk", fine=turn < STALE, age=turn),
            Vital(
                name="store",
                fine=not desk.trouble,
                age=now - desk.committed_at,
                detail="in trouble" if desk.trouble else "",
            ),
            Vital(
                name="rules",
                fine=calm > CALM,
                age=calm,
                detail=f"{desk.mistakes} mistake(s) of our own" if desk.mistakes else "",
            ),
            Vital(name="heartbeat", fine=beat < BEATS, age=beat),
        ]

    def deliveries(self) -> Sequence[Delivery]:
        return [
            Delivery(receiver=queue.receiver, state=state, count=count)
            for queue in self._app.outbox.queues()
            for state, count in (("pending", queue.waiting + queue.retrying + queue.held), ("parked", queue.parked))
        ]

    def metrics(self, accept: str) -> tuple[str, bytes]:
        app = self._app
        app.exposition.world(
            now=self.now(),
            catalogue=self.catalogue,
            nodes=self.nodes(),
            incidents=self.incidents(),
            maintenance=self.in_maintenance(),
            connected=self.connected(),
            queues=app.outbox.queues(),
            figures=self.figures,
            clock_offset=self.clock_offset(),
            dropped=app.desk.dropped,
            store=self.stats,
            meetings=self.meetings(),
            ipv6=self.ipv6(),
            normals={check: self.normals(check) for check in self._app.desk.house.habits},
            speech={node: score for node in self._links if (score := self.speech(node)) is not None},
        )
        return app.exposition.render(accept)

    def exposition(self, check: str, outcome: Outcome) -> tuple[str, bytes]:
        known = self.catalogue.checks[check]
        type_ = self.catalogue.nodes[known.node].type
        return self._app.exposition.single(check, known.node, type_, known.kind, outcome)

    async def probe(self, check: str, timeout: float | None) -> Outcome | None:
        known = self.catalogue.checks.get(check)
        if known is None:
            return None
        patience = known.timeout.total_seconds()
        return await self._app.runner.once(known, patience if timeout is None else min(timeout, patience))

    async def history(
        self, *, states: Collection[IncidentState], node: str | None, cursor: str | None, limit: int
    ) -> IncidentPage:
        page = await self._app.store.incidents(states=states, node=node, cursor=cursor, limit=limit)
        return IncidentPage(incidents=page.incidents, cursor=page.cursor)

    async def incident(self, incident: str) -> Incident | None:
        return await self._app.store.incident(incident)

    async def events(self, incident: str) -> tuple[IncidentEvent, ...]:
        return await self._app.store.events(incident)

    async def evidence(self, incident: Incident) -> tuple[Evidence, ...]:
        return await self._app.evidence.of(incident, self.catalogue, self.now())

    async def evidence_file(self, evidence: Evidence) -> bytes | None:
        return await self._app.evidence.read(evidence)

    async def transitions(self, node: str, start: datetime, end: datetime) -> tuple[Transition, ...]:
        found = await self._app.store.transitions([node], start, end)
        return found.get(node, ())

    @property
    def heartbeats(self) -> Beats:
        return self._app.beats

    def meetings(self) -> Sequence[MeetingStatus]:
        return self._app.meetings.status()

    async def look_at_meeting(self, meeting: str) -> MeetingStatus | None:
        return await self._app.meetings.check(meeting)

    def ipv6(self) -> by_ipv6.Share:
        return by_ipv6.share(self._communes, by_ipv6.present(self.checks()))

    def speech(self, node: str) -> float | None:
        return readiness.speech(self._links.get(node), self.last)

    def normals(self, check: str) -> Mapping[str, float]:
        habit = self._app.desk.world.habits.get(check)
        return {} if habit is None else {one.fact: one.value for one in habit.normals if one.value is not None}

    def announce(self, event: IncidentEvent) -> None:
        """Give an event to everyone who listens; one who does not keep up misses it rather than holding us."""
        for listener in self._listeners:
            if not listener.full():
                listener.put_nowait(event)

    async def live(self) -> AsyncIterator[tuple[EventType, IncidentEvent]]:
        queue: asyncio.Queue[IncidentEvent] = asyncio.Queue(maxsize=1000)
        self._listeners.add(queue)
        try:
            while True:
                event = await queue.get()
                yield event.type, event
        finally:
            self._listeners.discard(queue)

    async def figures_forever(self) -> None:
        """Availability and coverage of every node over a day, a week, a month, computed anew every minute from the ledger."""
        while True:
            try:
                await self._figure()
            except StoreError as problem:
                log.warning("figures.unread", problem=str(problem))
            await asyncio.sleep(REFRESH)

    async def stats_forever(self) -> None:
        """The store's own figures, every few seconds."""
        while True:
            try:
                self.stats = await self._app.store.stats()
            except StoreError as problem:
                log.warning("stats.unread", problem=str(problem))
            await asyncio.sleep(STATS)

    async def _figure(self) -> None:
        end = self.now()
        start = end - max(WINDOWS.values())
        store, nodes = self._app.store, list(self.catalogue.nodes)
        transitions = await store.transitions(nodes, start, end)
        gaps, windows = await store.gaps(start, end), await store.windows(start, end)
        figures: dict[tuple[str, str], tuple[float | None, float]] = {}
        for count, node in enumerate(nodes):
            mine = [window for window in windows if node in window.nodes]
            for name, length in WINDOWS.items():
                book = ledger.account(transitions.get(node, ()), start=end - length, end=end, gaps=gaps, windows=mine)
                figures[node, name] = (book.availability.value, book.coverage)
            if count % 10 == 9:
                await asyncio.sleep(0)  # The probes go first.
        self.figures = figures


def _hosts(catalogue: Catalogue) -> Iterable[str]:
    """Every host that the configuration itself names: where a redirect may lead, however private it is."""
    for check in catalogue.checks.values():
        for field in ("url", "host", "server"):
            value = getattr(check.spec, field, None)
            if isinstance(value, str) and value:
                host = urlsplit(value).hostname if "://" in value else value.rpartition(":")[0] or value
                if host:
                    yield host.strip("[]").lower()
        yield from getattr(check.spec, "hosts", ())  # Of those that name several.
