"""What failed probes kept, on its way to the disk and back to the incident's page.

Owns: taking it off the outcome before it is judged, which of an outage is its first, and when it is let go.
Never: waits for the disk in the loop, or holds more than a few at once.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import structlog

from monitor.model import Catalogue, CheckState, Incident, State
from monitor.model.evidence import Evidence
from monitor.store import EvidenceShelf, Store, StoreError
from probes import Outcome, Seen

log = structlog.get_logger()

WAITING: Final = 32
"""Outcomes whose evidence may wait for the disk; more, and it is let go: it is help, not the fact."""

SHOWN: Final = 40
"""Pieces of one incident at the most."""

SLACK: Final = timedelta(seconds=1)
"""Names hold milliseconds, the incident's start microseconds."""


class EvidenceKeeper:
    """Give it every outcome (`taken`); ask it for what belongs to an incident (`of`)."""

    def __init__(self, directory: Path, store: Store, state_of: Callable[[str], CheckState | None]) -> None:
        self._shelf, self._store, self._state_of = EvidenceShelf(directory), store, state_of
        self._queue: asyncio.Queue[tuple[str, Outcome, bool]] = asyncio.Queue(WAITING)
        self._outages: dict[str, bool] = {}
        """Checks with evidence of an outage, and whether they have been seen well since."""

    def taken(self, check: str, outcome: Outcome) -> Outcome:
        """The outcome without its attachments, which go to the disk when it failed."""
        if outcome.seen is Seen.OK and check in self._outages:
            self._outages[check] = True
        if not outcome.attachments:
            return outcome
        if outcome.seen is Seen.FAILED:
            state = self._state_of(check)
            well_since = self._outages.get(check, True) and (state is None or state.state is not State.DOWN)
            first = check not in self._outages or well_since
            self._outages[check] = False
            if not self._queue.full():
                self._queue.put_nowait((check, outcome, first))
        return replace(outcome, attachments=())

    async def run(self) -> None:
        """Write what comes, for ever."""
        while True:
            await self._write(*await self._queue.get())

    async def drain(self) -> None:
        """Write what is left."""
        while not self._queue.empty():
            await self._write(*self._queue.get_nowait())

    async def of(self, incident: Incident, catalogue: Catalogue, now: datetime) -> tuple[Evidence, ...]:
        """What was kept while the incident was on, of its root first, then of what it affects; each check's oldest first."""
        nodes = [incident.node, *(affected.node for affected in incident.affected)]
        checks = [check for node in nodes if node in catalogue.nodes for check in catalogue.nodes[node].checks]
        since, until = incident.started_at - SLACK, incident.resolved_at or incident.closed_at or now
        return await asyncio.to_thread(self._of, list(dict.fromkeys(checks)), since, until)

    async def read(self, evidence: Evidence) -> bytes | None:
        """The bytes of one piece."""
        return await asyncio.to_thread(self._shelf.read, evidence)

    async def upkeep(self, catalogue: Catalogue, now: datetime) -> None:
        """Let go of what belongs to no incident after as long as samples are kept, of the rest with the incidents."""
        young, oldest = now - catalogue.retention.samples, now - catalogue.retention.ledger
        try:
            incidents = await self._incidents(oldest, young)
            count = await asyncio.to_thread(
                self._shelf.prune,
                list(catalogue.checks),
                lambda each: each.at > young or (each.at > oldest and _belongs(each, incidents, catalogue)),
            )
        except (OSError, StoreError) as problem:
            log.warning("evidence.unpruned", problem=str(problem))
        else:
            log.info("evidence.pruned", files=count)

    async def _incidents(self, since: datetime, until: datetime) -> Sequence[Incident]:
        found: list[Incident] = []
        cursor: str | None = None
        while True:
            page = await self._store.incidents(since=since, until=until, cursor=cursor, limit=500)
            found += page.incidents
            cursor = page.cursor
            if cursor is None:
                return found

    def _of(self, checks: Sequence[str], since: datetime, until: datetime) -> tuple[Evidence, ...]:
        found: list[Evidence] = []
        for check in checks:
            found += self._shelf.of(check, since, until)
            if len(found) >= SHOWN:
                break
        return tuple(found[:SHOWN])

    async def _write(self, check: str, outcome: Outcome, first: bool) -> None:
        try:
            await asyncio.to_thread(self._shelf.keep, check, outcome.started_at, outcome.attachments, first=first)
        except OSError as problem:
            log.warning("evidence.unwritten", check=check, problem=str(problem))


def _belongs(evidence: Evidence, incidents: Sequence[Incident], catalogue: Catalogue) -> bool:
    known = catalogue.checks.get(evidence.check)
    if known is None:
        return True  # Its node may be gone, its incidents are not.
    for incident in incidents:
        over = incident.resolved_at or incident.closed_at
        during = incident.started_at - SLACK <= evidence.at and (over is None or evidence.at <= over)
        if during and known.node in {incident.node, *(affected.node for affected in incident.affected)}:
            return True
    return False
