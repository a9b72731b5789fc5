"""The daemon: builds everything, supervises it, reloads, stops.

Owns: who is given what, and the order of beginning and end. Never: decides about a target; it only wires those that do.
"""

import asyncio
import random
import signal
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import structlog

from monitor import settings
from monitor.app import system
from monitor.app.configuration import load_configuration
from monitor.app.evidence import EvidenceKeeper
from monitor.app.eyes import Eyes
from monitor.app.supervise import Supervisor
from monitor.app.system import own_version
from monitor.metrics import Exposition
from monitor.model import Catalogue, IncidentEvent, Message
from monitor.notify import Courier, body, deliver, message_id, together
from monitor.outbox import Outbox
from monitor.pipeline import Anchors, Beats, Capacity, Desk, News, Runner
from monitor.rules.public import known_node
from monitor.rules.readiness import CALM
from monitor.rules.routing import recipients
from monitor.rules.topology import House
from monitor.rules.world import Draft, World, observe_anchors, reconcile, resume
from monitor.schedule import Cadence, Calendar, Clock
from monitor.store import Batch, Store, open_store, state_lock
from monitor.sweep import Ground, Housekeeping, Meetings, Reports
from monitor.web import WebServer, create_app
from probes import Outcome, Workbench
from probes.pauses import settle

log = structlog.get_logger()

STALL: Final = 15.0
"""Seconds without a turn of the desk after which the service manager hears nothing from us any more, and restarts us."""

PULSE: Final = 0.1
"""Seconds between two measurements of the loop's lag."""


def compose(catalogue: Catalogue, event: IncidentEvent, now: datetime) -> Sequence[Message]:
    """The messages an event makes: one for each receiver that the routes name, as it will be sent."""
    if not event.type.told:
        return ()
    incident = event.incident
    node = known_node(catalogue, incident.node)
    names = recipients(event, incident, node, catalogue)
    if not names:
        return ()
    said = body(event, incident, node, catalogue, now=now)
    return [
        Message(
            id=message_id(name, incident.id, event.sequence),
            receiver=name,
            lane=incident.id,
            sequence=event.sequence,
            type=event.type,
            created_at=event.at,
            body=said,
        )
        for name in names
    ]


class App:
    """One daemon over one configuration file. `run` lives until it is told to stop."""

    def __init__(self, path: Path, loaded: settings.Loaded, environ: Mapping[str, str]) -> None:
        self.path, self.environ = path, environ
        self.catalogue = loaded.catalogue
        self.clock = Clock()
        self.supervisor = Supervisor()
        self.exposition = Exposition(version=own_version())
        self.exposition.configured(self.catalogue)
        self.exposition.reloaded(successful=True, at=self.clock.wall())
        self.started_at = self.clock.now()
        self.port = 0

    async def run(self) -> None:
        """Build, announce readiness, live, and end in order."""
        try:
            await self._build()
            settle()
            system.notify(f"READY=1\nSTATUS=watching {len(self.catalogue.checks)} checks")
            log.info("ready", checks=len(self.catalogue.checks), nodes=len(self.catalogue.nodes), port=self.port)
            await self.supervisor.live()
        finally:
            system.notify("STOPPING=1")
            await self.supervisor.end()
            log.info("stopped")

    async def _build(self) -> None:
        descriptors = system.raise_descriptors()
        system.give_back_large_blocks()
        loop, supervisor, catalogue, clock = asyncio.get_running_loop(), self.supervisor, self.catalogue, self.clock
        for name, handler in (
            (signal.SIGTERM, supervisor.stop),
            (signal.SIGINT, supervisor.stop),
            (signal.SIGHUP, self._hup),
        ):
            loop.add_signal_handler(name, handler)
        database = catalogue.daemon.database
        address = database if isinstance(database, str) else database.reveal()
        self.store = await open_store(address, catalogue.daemon.state_dir, clock.now)
        supervisor.at_end("store", self.store.close)
        await self.store.rename({former: node.id for node in catalogue.nodes.values() for former in node.was})
        self.house = House.build(catalogue)
        world = await self._remember(self.store)
        began = clock.now()
        await self.store.begin_run(began, version=own_version(), boot_id=system.boot_id())
        supervisor.at_end("run", lambda: self.store.end_run(clock.now()))

        self.workbench = Workbench(clock.now, allowed_hosts=self._configured_host)
        supervisor.at_end("probes", self.workbench.aclose)
        self.desk = Desk(
            world=world, house=self.house, catalogue=catalogue, store=self.store, clock=clock, compose=compose, publish=self._publish
        )  # fmt: skip
        self.evidence = EvidenceKeeper(
            Path(catalogue.daemon.state_dir) / "evidence", self.store, lambda check: self.desk.world.checks.get(check)
        )
        self.capacity = Capacity(self.store, catalogue.province.zone, clock.now)
        await self.capacity.remember()
        self.anchors = Anchors(catalogue.monitor.anchors, self.workbench, self._heard)
        self.runner = Runner(
            catalogue.checks, self.workbench, self.anchors, catalogue.monitor, self._take,
            limit=max(64, min(8000, descriptors // 3)), late=self.exposition.lateness,
        )  # fmt: skip
        self.cadence = Cadence(fire=self.runner.fire, skipped=self.runner.skipped)
        self.workbench.beats = self.beats = self._beats()
        courier = Courier()
        supervisor.at_end("courier", courier.aclose)
        self.outbox = Outbox(
            self.store,
            catalogue.receivers,
            lambda receiver, message: deliver(receiver, message, courier=courier, now=clock.wall()),
            now=clock.now,
            jitter=lambda: random.uniform(-1, 1),  # noqa: S311 It spreads retries; nobody gains by guessing it.
            observe=self.exposition.delivery,
            together=lambda receiver, messages: together(receiver, messages, self.catalogue, at=clock.now()),
            gathered=self.exposition.gathered,
        )
        self.housekeeping = Housekeeping(self.store, clock, catalogue, self.workbench)
        self.reports = Reports(self.store, clock, catalogue, self.outbox.offer)
        self.eyes = Eyes(self)
        self.meetings = Meetings(self.store, clock, catalogue, self._ground(), calm=CALM)
        await self.beats.begin(catalogue.checks, began)
        self.server = WebServer(create_app(self.eyes), catalogue.daemon.host, catalogue.daemon.port)
        self.port = self.server.port
        self._start()

    def _beats(self) -> Beats:
        return Beats(
            self.store,
            self.clock,
            zone=lambda: self.catalogue.province.zone,
            reachable=lambda: self.desk.world.monitor.connected,
            looked_at=self._looked_at,
            fire=lambda check: self.runner.fire(check, 0.0),
            count=self.exposition.heartbeat,
        )

    def _start(self) -> None:
        supervisor = self.supervisor
        supervisor.start("desk", self.desk.run())
        supervisor.at_end("desk", self._drain)
        supervisor.start("evidence", self.evidence.run())
        supervisor.at_end("evidence", self._drain_evidence)
        supervisor.start("capacity", self.capacity.run())
        supervisor.at_end("capacity", self.capacity.flush)
        supervisor.start("anchors", self._anchors_forever())
        supervisor.start("outbox", self.outbox.run())
        supervisor.at_end("outbox", lambda: self.outbox.stop(5.0))
        supervisor.start("beats", self.housekeeping.beats())
        supervisor.start("heartbeats", self.beats.watch())
        supervisor.start("clocks", self.housekeeping.clocks())
        supervisor.start("maintenance", self.housekeeping.maintenance(self._windows))
        supervisor.start("outside", self.housekeeping.outside())
        supervisor.start("meetings", self.meetings.run())
        supervisor.start("watchdog", self._watchdog())
        supervisor.start("pulse", self._pulse())
        supervisor.start("figures", self.eyes.figures_forever())
        supervisor.start("stats", self.eyes.stats_forever())
        supervisor.start("web", self.server.serve())
        supervisor.at_end("web", self._stop_web)
        calendar = Calendar(self.catalogue.province.zone)
        calendar.every("reports", timedelta(seconds=30), self.reports.make_due)
        calendar.every("evidence", timedelta(hours=1), lambda: self.evidence.upkeep(self.catalogue, self.clock.now()))
        calendar.every("upkeep", timedelta(hours=1), self.housekeeping.upkeep)
        calendar.start()
        supervisor.at_end("calendar", _soon(calendar.stop))
        self.cadence.keep({check.id: check.every for check in self.catalogue.checks.values()})
        supervisor.at_end("probing", self._stop_probing)

    async def _remember(self, store: Store) -> World:
        """The world as the last daemon left it, and what the time between means."""
        memory = await store.memory()
        world = World.remember(
            checks=memory.checks.values(), nodes=memory.nodes.values(), incidents=memory.incidents.values(),
            habits=memory.habits.values(),
        )  # fmt: skip
        draft, now = Draft(world), self.clock.now()
        gaps = await store.gaps(memory.last_beat, now) if memory.last_beat is not None else ()
        resume(draft, self.house, gaps[-1] if gaps else None, now)
        messages = [message for event in draft.events for message in compose(self.catalogue, event, now)]
        batch = Batch(
            checks=list(draft.checks.values()), nodes=list(draft.nodes.values()), transitions=draft.transitions,
            incidents=list(draft.incidents.values()), events=draft.events, messages=messages,
        )  # fmt: skip
        if batch.rows:
            await store.commit(batch)
        draft.apply()
        return world

    # What others tell us.

    def _publish(self, news: News) -> None:
        """After the commit: show it, and do what follows from it."""
        checks, nodes = self.catalogue.checks, self.catalogue.nodes
        for id, outcome in news.outcomes:
            check = checks.get(id)
            if check is not None:
                self.eyes.latest[id] = outcome
                self.exposition.outcome(id, check.node, nodes[check.node].type, check.kind, outcome)
        self.meetings.news.set()
        now = self.clock.now()
        for recheck in news.rechecks:
            self.cadence.recheck(recheck.check, (recheck.at - now).total_seconds())
        if news.messages:
            self.outbox.offer(news.messages)
        for event in news.events:
            self.exposition.event(event)
            self.eyes.announce(event)

    def _take(self, check: str, outcome: Outcome) -> None:
        self.desk.put(check, self.capacity.taken(check, self.evidence.taken(check, outcome)))

    def _heard(self, answers: Mapping[str, bool], began: datetime) -> None:
        self.desk.post(lambda draft, now: observe_anchors(draft, self.desk.house, answers, now, started_at=began))

    def _windows(self, windows: Sequence[Any]) -> None:
        self.desk.windows = tuple(windows)

    def _looked_at(self, check: str) -> datetime | None:
        """The start of the latest outcome of a check that saw anything and is stored."""
        world = self.desk.world
        state = world.checks.get(check)
        return world.seen.get(check) or (state.seen_at if state else None)

    def _ground(self) -> Ground:
        """What the meetings may use of us."""
        return Ground(
            fire=lambda check: self.runner.fire(check, 0.0),
            last=self.eyes.last,
            nodes=self.eyes.nodes,
            connected=self.eyes.connected,
            windows=lambda: self.housekeeping.windows,
            pace=self.cadence.pace,
            offer=self.outbox.offer,
        )

    def _configured_host(self, host: str) -> bool:
        return host in self.eyes.hosts

    # Reload.

    def _hup(self) -> None:
        self.supervisor.start_once("reload", self.reload())

    async def reload(self) -> bool:
        """Read the configuration again. A bad one changes nothing but a metric; a good one keeps phases, states and incidents."""
        system.notify("RELOADING=1")
        try:
            loaded = await asyncio.to_thread(load_configuration, self.path, self.environ, strict=True)
        except settings.ConfigError as error:
            self.exposition.reloaded(successful=False, at=self.clock.wall())
            for problem in error.problems:
                log.error("reload.refused", problem=str(problem))  # noqa: TRY400 The problem is the operator's; there is no trace to show.
            system.notify("READY=1")
            return False
        catalogue = loaded.catalogue
        house = House.build(catalogue)
        await self.store.rename({former: node.id for node in catalogue.nodes.values() for former in node.was})

        def change(draft: Draft, now: datetime) -> None:
            self.desk.house, self.desk.catalogue = house, catalogue
            reconcile(draft, house, now)

        await self.desk.act(change)
        gone = self.catalogue.checks.keys() - catalogue.checks.keys()
        self.catalogue, self.house = catalogue, house
        self.anchors = Anchors(catalogue.monitor.anchors, self.workbench, self._heard)
        await self.supervisor.cancel("anchors")
        self.supervisor.start("anchors", self._anchors_forever())
        await self.beats.keep(catalogue.checks)
        await self.capacity.keep(catalogue.checks, catalogue.province.zone)
        self.runner.change(catalogue.checks, catalogue.monitor, self.anchors)
        self.outbox.reload(catalogue.receivers)
        self.housekeeping.catalogue = self.reports.catalogue = self.meetings.catalogue = catalogue
        self.eyes.changed(gone)
        for check in gone:
            self.exposition.forget(check)
        self.cadence.keep({check.id: check.every for check in catalogue.checks.values()})
        self.exposition.configured(catalogue)
        self.exposition.reloaded(successful=True, at=self.clock.wall())
        log.info("reloaded", checks=len(catalogue.checks), nodes=len(catalogue.nodes))
        system.notify(f"READY=1\nSTATUS=watching {len(catalogue.checks)} checks")
        return True

    # The parts that live with us.

    async def _anchors_forever(self) -> None:
        await self.anchors.serve()
        await asyncio.Event().wait()

    async def _pulse(self) -> None:
        """Measure how late the loop comes to its timers, the same whatever there is to probe."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + PULSE
            await asyncio.sleep(PULSE)
            self.exposition.lag(max(0.0, loop.time() - due))

    async def _watchdog(self) -> None:
        """Tell the service manager that we are well, as long as the desk's turns and our heartbeats are fresh."""
        every = system.watchdog_seconds()
        while True:
            # A restart mends neither the disk nor a mistake of ours; it would only add a gap.
            if all(vital.fine for vital in self.eyes.vitals() if vital.name in ("desk", "heartbeat")):
                system.notify("WATCHDOG=1")
            await asyncio.sleep(every or 30.0)

    # The end.

    async def _stop_probing(self) -> None:
        self.cadence.stop()
        await self.runner.stop()

    async def _drain_evidence(self) -> None:
        await self.supervisor.cancel("evidence")
        await self.evidence.drain()

    async def _drain(self) -> None:
        await self.supervisor.cancel(
            "desk",
            "capacity",
            "anchors",
            "beats",
            "heartbeats",
            "clocks",
            "maintenance",
            "meetings",
            "outside",
            "figures",
            "stats",
            "watchdog",
            "pulse",
        )
        await self.desk.drain()

    async def _stop_web(self) -> None:
        await self.server.stop()
        await self.supervisor.wait("web")


def _soon(step: Any) -> Any:
    async def done() -> None:
        step()

    return done


def serve(path: Path, loaded: settings.Loaded, *, environ: Mapping[str, str]) -> None:
    """Run the daemon in a loop of its own until it is told to stop. AlreadyRunning when the state directory is held."""
    import uvloop

    with state_lock(loaded.catalogue.daemon.state_dir), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(App(path, loaded, environ).run())
