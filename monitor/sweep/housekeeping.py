"""What the passing of time asks of the daemon itself: its heartbeat, a look at the clocks, maintenance windows, the store's upkeep.

Owns: when these are done. Never: judges a target.
"""

import asyncio
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog

from monitor.model import Catalogue, IncidentState, MaintenancePlan, Window
from monitor.rules import calendar
from monitor.schedule import Clock, occurrences
from monitor.store import Batch, ClockStep, Store, StoreError
from monitor.sweep.archive import ends
from probes import KINDS, Outcome, Secret, Seen, Workbench, run

log = structlog.get_logger()

BEAT: Final = 10.0
"""Seconds between two heartbeats; the store calls more than 25 s without one a gap."""

LATE: Final = timedelta(minutes=15)
"""Longer than any outcome is under way: hours that ended before are finished."""

BEHIND: Final = timedelta(days=1)
AHEAD: Final = timedelta(days=35)


class Housekeeping:
    """Long-lived loops; each is a task of its own and survives trouble of the store by saying so and trying again."""

    def __init__(self, store: Store, clock: Clock, catalogue: Catalogue, workbench: Workbench) -> None:
        self._store, self._clock, self._workbench = store, clock, workbench
        self.catalogue = catalogue
        self.windows: tuple[Window, ...] = ()
        self.beat_at = clock.now()
        self.heard: Outcome | None = None
        """The last answer of the dead-man's switch outside."""
        self._kept: set[str] = set()

    async def beats(self) -> None:
        """Write that we are here."""
        while True:
            try:
                await self._store.beat(self._clock.now())
                self.beat_at = self._clock.now()
            except StoreError as problem:
                log.warning("heartbeat.unwritten", problem=str(problem))
            await asyncio.sleep(BEAT)

    async def clocks(self) -> None:
        """Notice steps of the wall clock; they move nothing, but somebody may ask one day why the log jumps."""
        while True:
            step = self._clock.stepped()
            if step is not None:
                log.warning("clock.stepped", seconds=step.by.total_seconds())
                try:
                    await self._store.commit(Batch(steps=[ClockStep(at=step.at, seconds=step.by.total_seconds())]))
                except StoreError as problem:
                    log.warning("clock.step_unwritten", problem=str(problem))
            await asyncio.sleep(1.0)

    async def maintenance(self, changed: Callable[[tuple[Window, ...]], None]) -> None:
        """Keep the windows around now known to the judge, and write down each as it begins."""
        looked: tuple[Catalogue, datetime] | None = None
        while True:
            now = self._clock.now()
            if looked is None or looked[0] is not self.catalogue or now - looked[1] > timedelta(minutes=10):
                looked = (self.catalogue, now)
                self.windows = tuple(expand(self.catalogue.maintenance, self.catalogue, now - BEHIND, now + AHEAD))
                changed(self.windows)
            begun = [w for w in self.windows if w.start <= now and w.id not in self._kept]
            if begun:
                try:
                    await self._store.commit(Batch(windows=begun))
                    self._kept.update(w.id for w in begun)
                except StoreError as problem:
                    log.warning("maintenance.unwritten", problem=str(problem))
            await asyncio.sleep(1.0)

    async def outside(self) -> None:
        """Tell the dead-man's switch outside that we live: if this stops, somebody else notices."""
        while True:
            monitor = self.catalogue.monitor
            if monitor.heartbeat_url is not None:
                url = monitor.heartbeat_url
                spec = KINDS["http"].spec(url=url.reveal() if isinstance(url, Secret) else str(url))
                self.heard = await run("http", spec, self._workbench, timeout=10.0)
                if self.heard.seen is not Seen.OK:
                    log.warning("deadman.unheard", reason=self.heard.reason.value)
            await asyncio.sleep(monitor.heartbeat_every.total_seconds())

    async def upkeep(self) -> None:
        """Seal finished hours and days, let go of what is older than the configuration keeps. Never what an open incident or an owed report needs."""
        now = self._clock.now()
        try:
            sealed = await self._store.seal(now - LATE)
            pruned = await self._store.prune(now, self.catalogue.retention, keep_from=await self._unreported(now))
        except StoreError as problem:
            log.warning("upkeep.failed", problem=str(problem))
            return
        log.info("upkeep.done", sealed=sealed.samples, pruned=pruned.rows)

    async def _unreported(self, now: datetime) -> datetime:
        """The start of the oldest period that a report is still owed for, or that is not over."""
        zone, oldest = self.catalogue.province.zone, now
        for plan in self.catalogue.reports:
            due = calendar.read_due(plan.kind, plan.at)
            made = await self._store.reports(plan.kind)
            last = ends(made[-1].period, zone) if made else None
            starts = [period.start for period in calendar.owed(due, now, zone, last=last)]
            oldest = min([oldest, calendar.containing(plan.kind, now, zone).start, *starts])
        active = await self._store.incidents(states=[s for s in IncidentState if s.active], limit=500)
        return min([oldest, *(incident.started_at for incident in active.incidents)])


def expand(plans: Iterable[MaintenancePlan], catalogue: Catalogue, start: datetime, end: datetime) -> Iterable[Window]:
    """The occurrences of announced work that touch [start, end). An occurrence's id is its plan's and its start: the same whenever computed."""
    for plan in plans:
        if plan.start is not None and plan.end is not None:
            moments = [(plan.start, plan.end)] if plan.start < end and plan.end > start else []
        else:
            length = plan.length or timedelta(0)
            found = occurrences(plan.cron, catalogue.province.zone, start=start - length, end=end)
            moments = [(moment, moment + length) for moment in found if moment + length > start]
        for begins, over in moments:
            yield Window(
                id=f"{plan.id}@{begins.astimezone(UTC):%Y%m%dT%H%M%SZ}",
                plan=plan.id,
                nodes=frozenset(plan.nodes),
                start=begins,
                end=over,
                reason=plan.reason,
                announced_at=plan.announced_at,
                force_majeure=plan.force_majeure,
            )
