"""Video meetings: their points are looked at beforehand, watched until the end, and told of.

Owns: when a readiness run is made (the store says whether it was), the pace of what takes part, and the messages. Never: runs a probe itself (the
runner does, so that outcomes are recorded as usual), or decides who is ready.
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Final

import structlog

from monitor.model import (
    Catalogue,
    Check,
    EventType,
    Meeting,
    MeetingPlan,
    MeetingStatus,
    Message,
    NodeState,
    Point,
    Readiness,
    Window,
)
from monitor.notify import meeting_body, message_id
from monitor.rules import readiness
from monitor.rules.readiness import Change, Standing, Way
from monitor.rules.routing import meeting_receivers
from monitor.schedule import Clock, occurrences
from monitor.store import Batch, Store, StoreError
from probes import Outcome

log = structlog.get_logger()

AHEAD: Final = timedelta(days=35)
"""How far ahead meetings that come round are known."""

MOST: Final = 10
"""Occurrences of one plan that are known ahead."""

TURN: Final = 1.0
"""Seconds between two looks at what is due."""

ANEW: Final = timedelta(minutes=10)

SPREAD: Final = 5.0
"""Seconds over which the checks of one run are started, at most; fewer than 250 of them take 20 ms each."""

GRACE: Final = 5.0
"""Seconds beyond the longest timeout that a run waits for its outcomes to be judged and stored."""

AGAIN: Final = 5.0
"""Seconds after which what is not ready is asked once more."""

BLIND: Final = timedelta(seconds=30)
"""While we are cut off, the run is put off by so long, again and again until a quarter of its time is left."""

BY_HAND: Final = 10.0
"""Seconds between two looks by hand, whoever asks."""

SLICE: Final = 50
"""Points judged before the loop gets its turn; about 2 ms."""

STALE: Final = 3
"""Rounds after which an outcome says nothing about now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What the daemon lends: running a check through the runner, what was seen and judged, the cadence, the outbox."""

    fire: Callable[[str], None]
    last: Callable[[str], Outcome | None]
    nodes: Callable[[], Mapping[str, NodeState]]
    connected: Callable[[], bool]
    windows: Callable[[], Sequence[Window]]
    pace: Callable[[Mapping[str, timedelta]], None]
    offer: Callable[[Sequence[Message]], None]


class Meetings:
    """One task of the daemon. A reload gives it another `catalogue`; meetings whose beginning stays are the same ones."""

    def __init__(self, store: Store, clock: Clock, catalogue: Catalogue, ground: Ground, *, calm: timedelta) -> None:
        self._store, self._clock, self._ground, self._calm = store, clock, ground, calm
        self.catalogue = catalogue
        self.coming: tuple[Meeting, ...] = ()
        self._expanded: tuple[Catalogue, datetime] | None = None
        self._told: dict[str, Readiness] = {}
        self._remembered = False
        self._standing: dict[str, Standing] = {}
        self._put_off: dict[str, datetime] = {}
        self._found: dict[str, list[Way]] = {}
        self._paced: frozenset[str] | None = None
        self._paces: Mapping[str, timedelta] = {}
        self._looking, self._asking = asyncio.Lock(), asyncio.Lock()
        self._seen: tuple[str, float, tuple[Point, ...]] | None = None
        self.news = asyncio.Event()
        """Set it when outcomes were judged and stored."""

    async def run(self) -> None:
        """For ever."""
        while True:
            try:
                await self.turn()
            except StoreError as problem:
                log.warning("meetings.unstored", problem=str(problem))
            await asyncio.sleep(TURN)

    async def turn(self) -> None:
        """Do what is due now."""
        now = self._clock.now()
        await self._expand(now)
        active = [meeting for meeting in self.coming if readiness.watched(meeting, now)]
        self._pace(active)
        for meeting in active:
            if readiness.due(meeting, self._known(meeting), now):
                if self._put_off.get(meeting.id, now) <= now:
                    await self._make_ready(meeting)
            elif meeting.nodes and self._ground.connected():
                await self._watch(meeting, now)

    def status(self) -> tuple[MeetingStatus, ...]:
        """Meetings that are not over, by their beginning."""
        now = self._clock.now()
        return tuple(self._status(meeting) for meeting in self.coming if meeting.end > now)

    async def check(self, id: str) -> MeetingStatus | None:
        """Look at the points of a meeting (or of a plan's next) now, by hand: nobody is told. None when there is none of that name.

        However many ask, it is done once in `BY_HAND` seconds: who asks for the same sooner gets what was found.
        """
        now = self._clock.now()
        await self._expand(now)
        known = next((each for each in self.coming if id in (each.id, each.plan)), None)
        if known is None:
            plan = next((plan for plan in self.catalogue.meetings if plan.id == id), None)
            if plan is None:
                return None
            # One that is over, or far away, can still be looked at as if it were now.
            known = readiness.occurrence(plan, plan.start or now, plan.end or now)
        async with self._asking:
            loop = asyncio.get_running_loop()
            if self._seen is None or self._seen[0] != known.id or loop.time() - self._seen[1] >= BY_HAND:
                if self._seen is not None:
                    await asyncio.sleep(max(0.0, BY_HAND - (loop.time() - self._seen[1])))
                points = await self._look(known)
                self._seen = (known.id, loop.time(), points)
            return MeetingStatus(meeting=known, told=self._known(known), points=self._seen[2])

    # What there is.

    async def _expand(self, now: datetime) -> None:
        if not self._remembered:
            self._told = {each.meeting: each for each in await self._store.readiness(now)}
            self._remembered = True
        if self._expanded is not None:
            catalogue, at = self._expanded
            if catalogue is self.catalogue and now - at < ANEW:
                return
        self._expanded = (self.catalogue, now)
        self._found.clear()
        self._paced = None
        self.coming = tuple(sorted(_coming(self.catalogue, now), key=lambda each: (each.start, each.id)))
        known = {meeting.id for meeting in self.coming}
        for gone in self._standing.keys() - known:
            del self._standing[gone]
        self._told = {id: told for id, told in self._told.items() if told.end > now}

    def _known(self, meeting: Meeting) -> Readiness | None:
        return self._told.get(meeting.id)

    def _status(self, meeting: Meeting) -> MeetingStatus:
        standing = self._standing.get(meeting.id)
        told = self._known(meeting)
        points = tuple(standing.points.values()) if standing else told.points if told else ()
        return MeetingStatus(meeting=meeting, told=told, points=points)

    def _ways(self, meeting: Meeting) -> list[Way]:
        """The ways of the points that the catalogue (still) has."""
        known = self._found.get(meeting.id)
        if known is None:
            here = self.catalogue.nodes
            known = self._found[meeting.id] = [
                readiness.way(self.catalogue, node) for node in meeting.nodes if node in here
            ]
        return known

    def _pace(self, active: Sequence[Meeting]) -> None:
        now = frozenset(meeting.id for meeting in active)
        if now == self._paced:
            return
        self._paced = now
        paces: dict[str, timedelta] = {}
        for meeting in active:
            for check, every in readiness.pace(self._ways(meeting), self.catalogue, meeting.every).items():
                paces[check] = min(every, paces.get(check, every))
        if paces != self._paces:
            self._paces = paces
            self._ground.pace(paces)
            log.info("meetings.pace", checks=len(paces))

    # Looking.

    async def _look(self, meeting: Meeting) -> tuple[Point, ...]:
        """Ask everything once, and what is not ready once more: one lost packet is no reason to wake a commune."""
        async with self._looking:
            ways = self._ways(meeting)
            points = await self._asked(ways)
            poor = [way for way in ways if not points[way.node].ready]
            if poor:
                await asyncio.sleep(AGAIN)
                points |= await self._asked(poor)
            return tuple(points.values())

    async def _asked(self, ways: Sequence[Way]) -> dict[str, Point]:
        checks = readiness.asked(self.catalogue, ways)
        before = {check.id: self._ground.last(check.id) for check in checks}
        for check in checks:
            self._ground.fire(check.id)
            await asyncio.sleep(min(0.02, SPREAD / len(checks)))
        await self._answers(checks, before)
        since = {
            check.id: outcome.started_at
            for check in checks
            if (outcome := self._ground.last(check.id)) is not None and outcome is not before[check.id]
        }
        return {way.node: self._judge(way, since) for way in ways}

    async def _answers(self, checks: Sequence[Check], before: Mapping[str, Outcome | None]) -> None:
        """Wait until each has an outcome that was not there before, or could have had one."""
        limit = GRACE + max((check.timeout.total_seconds() for check in checks), default=0.0)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(limit):
                while any(self._ground.last(each.id) is before[each.id] for each in checks):
                    self.news.clear()
                    await self.news.wait()

    def _judge(self, way: Way, since: Mapping[str, datetime]) -> Point:
        concerned = (*way.checks, *((way.link,) if way.link is not None else ()))
        latest = {check.id: outcome for check in concerned if (outcome := self._ground.last(check.id)) is not None}
        return readiness.judge(way, self._ground.nodes(), latest, since)

    # Telling.

    async def _make_ready(self, meeting: Meeting) -> None:
        points = await self._look(meeting)
        now = self._clock.now()
        if not self._ground.connected() and now < meeting.start - (meeting.start - meeting.ready_at) / 4:
            self._put_off[meeting.id] = now + BLIND
            log.warning("meeting.put_off", meeting=meeting.id)
            return
        self._put_off.pop(meeting.id, None)
        self._standing[meeting.id] = Standing(points={point.node: point for point in points}, doubted={})
        await self._tell(meeting, _told(meeting, 1, now, points), Change())

    async def _watch(self, meeting: Meeting, now: datetime) -> None:
        told = self._known(meeting)
        standing = self._standing.get(meeting.id)
        if standing is None:
            standing = Standing(points={point.node: point for point in told.points} if told else {}, doubted={})
        seen: list[Point] = []
        for count, way in enumerate(self._ways(meeting), 1):
            seen.append(self._judge(way, dict(self._since(way, now))))
            if count % SLICE == 0:
                await asyncio.sleep(0)
        standing = readiness.settle(standing, seen, now, meeting.every * readiness.ROUNDS)
        self._standing[meeting.id] = standing
        points = tuple(standing.points.values())
        changed = readiness.due_update(meeting, told, points, now, self._calm)
        if changed and told is not None:
            await self._tell(meeting, _told(meeting, told.sequence + 1, now, points), changed)

    def _since(self, way: Way, now: datetime) -> Iterator[tuple[str, datetime]]:
        for check in (*way.checks, *((way.link,) if way.link is not None else ())):
            yield check.id, now - self._paces.get(check.id, check.every) * STALE - check.timeout

    async def _tell(self, meeting: Meeting, told: Readiness, changed: Change) -> None:
        catalogue = self.catalogue
        nodes = [catalogue.nodes[node] for node in meeting.nodes if node in catalogue.nodes]
        said = meeting_body(meeting, told, changed, catalogue, work=self._work(meeting, told.at))
        lane = f"meeting-{meeting.id}"
        messages = [
            Message(
                id=message_id(receiver, lane, told.sequence), receiver=receiver, lane=lane, sequence=told.sequence,
                type=EventType.MEETING_READINESS, created_at=told.at, body=said,
            )
            for receiver in meeting_receivers(nodes, catalogue)
        ]  # fmt: skip
        await self._store.commit(Batch(readiness=[told], messages=messages))
        self._told[meeting.id] = told
        self._ground.offer(messages)
        log.info("meeting.told", meeting=meeting.id, sequence=told.sequence, ready=told.ready, of=len(told.points))

    def _work(self, meeting: Meeting, now: datetime) -> list[Window]:
        """Announced work between now and the meeting's end, on a point or on what it hangs on."""
        concerned = {node for way in self._ways(meeting) for node in (way.node, *way.above)}
        return [
            window
            for window in self._ground.windows()
            if window.start < meeting.end and window.end > now and not concerned.isdisjoint(window.nodes)
        ]


def _told(meeting: Meeting, sequence: int, now: datetime, points: tuple[Point, ...]) -> Readiness:
    return Readiness(
        meeting=meeting.id, sequence=sequence, plan=meeting.plan, at=now, start=meeting.start, end=meeting.end,
        points=points,
    )  # fmt: skip


def _coming(catalogue: Catalogue, now: datetime) -> Iterator[Meeting]:
    """Meetings that are not over at `now`, each plan's next ones."""
    for plan in catalogue.meetings:
        yield from islice((each for each in _occurrences(plan, catalogue, now) if each.end > now), MOST)


def _occurrences(plan: MeetingPlan, catalogue: Catalogue, now: datetime) -> Iterator[Meeting]:
    if plan.start is not None and plan.end is not None:
        yield readiness.occurrence(plan, plan.start, plan.end)
        return
    length = plan.length or timedelta(0)
    for moment in occurrences(plan.cron, catalogue.province.zone, start=now - length, end=now + AHEAD):
        yield readiness.occurrence(plan, moment, moment + length)
