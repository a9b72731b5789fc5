"""When things happen: the steady clock, the cadence of the checks, and the calendar.

Owns: three kinds of time that must not be mixed. Cadence and durations are monotonic; stamps come from a steady clock that the steps of the
wall clock do not move; the calendar (reports, retention) is the wall's business and APScheduler's.
Never: decides what a late or missed slot means; it reports them.
"""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger

from monitor.rules.spread import phase

STEP: Final = timedelta(seconds=0.5)
"""A change of wall − steady larger than this is a step of the wall clock; less is discipline (slewing) and read error."""

FIRST_ROUND: Final = 5.0
"""Seconds in which a fresh start asks everything once, so that a restart knows the province again at once …"""

FIRST_ROUND_RATE: Final = 500.0
"""… unless that were more than so many checks a second."""


def _boottime() -> float:
    """Seconds that also run while the machine is suspended, where the system has such a clock."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if clock is None else time.clock_gettime(clock)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockStep:
    """The wall clock was moved by `by` while the steady one said `at`."""

    at: datetime
    by: timedelta


class Clock:
    """The time that everything is stamped with: the wall's at the start, and since then what really passed.

    A wall clock that is set forward or back in mid-run moves no stamp, no duration and no deadline; `stepped()` tells that it happened.
    """

    def __init__(self, *, wall: Callable[[], float] = time.time, steady: Callable[[], float] = _boottime) -> None:
        self._wall, self._steady = wall, steady
        self._origin = wall() - steady()
        self._offset = timedelta(0)

    def now(self) -> datetime:
        """The steady time, aware, UTC."""
        return datetime.fromtimestamp(self._origin + self._steady(), UTC)

    def wall(self) -> datetime:
        """What the wall clock says: for signatures that others check against their own clocks."""
        return datetime.fromtimestamp(self._wall(), UTC)

    @property
    def offset(self) -> timedelta:
        """Wall − steady as last looked at: nought until somebody moves the wall clock."""
        return self._offset

    def stepped(self) -> ClockStep | None:
        """Look again; the step since the last look, if there was one."""
        at = self.now()
        offset = timedelta(seconds=self._wall() - self._steady() - self._origin)
        moved = offset - self._offset
        if abs(moved) <= STEP:
            return None
        self._offset = offset
        return ClockStep(at=at, by=moved)


@dataclass(slots=True)
class _Beat:
    """One check's place in the cadence: when it is due next (loop time), and the timer that waits for it.

    Its own slots are `origin + k × every`; while it has a quicker `pace`, they are `origin + k × pace`.
    """

    every: float
    due: float
    origin: float
    pace: float
    timer: asyncio.TimerHandle | None = None
    extra: asyncio.TimerHandle | None = None
    extra_due: float = 0.0


class Cadence:
    """Fires each check at its phase for ever: `due = start + phase + k × every`, on the loop's monotonic clock.

    One `call_at` per check; a slot that could not be kept is told by `skipped(check, slots)` and never made up for by a burst.
    `fire(check, lateness)` must return at once.
    """

    def __init__(self, *, fire: Callable[[str, float], None], skipped: Callable[[str, int], None]) -> None:
        self._fire, self._skipped = fire, skipped
        self._beats: dict[str, _Beat] = {}
        self._paces: Mapping[str, timedelta] = {}
        self._loop = asyncio.get_running_loop()

    def __len__(self) -> int:
        return len(self._beats)

    def keep(self, checks: Mapping[str, timedelta]) -> None:
        """Make these the checks: new ones join, gone ones leave, the others keep their phase and their next slot."""
        for gone in self._beats.keys() - checks.keys():
            self._drop(gone)
        window = max(FIRST_ROUND, len(checks) / FIRST_ROUND_RATE)
        now = self._loop.time()
        for check, every in checks.items():
            seconds = every.total_seconds()
            known = self._beats.get(check)
            if known is not None and known.every == seconds:
                continue
            if known is not None:
                self._drop(check)
            shift = phase(check, every).total_seconds()
            beat = _Beat(every=seconds, due=now + shift, origin=now + shift, pace=seconds)
            self._beats[check] = beat
            first = now + shift * min(1.0, window / seconds)
            if beat.due - first > 1.0:
                # Asked early once; the regular slot follows at its phase.
                beat.extra_due = first
                beat.extra = self._loop.call_at(first, self._again, check)
            beat.timer = self._loop.call_at(beat.due, self._tick, check)
            self._set_pace(check, beat)

    def pace(self, paces: Mapping[str, timedelta]) -> None:
        """Until told otherwise these checks run so often; all others at their own interval. No phase is lost: a check comes back to its own slots.

        A pace outlives `keep`, for checks that come later too. Ids of no check are nothing.
        """
        former, self._paces = self._paces, dict(paces)
        for check in former.keys() | paces.keys():
            beat = self._beats.get(check)
            if beat is not None:
                self._set_pace(check, beat)

    def _set_pace(self, check: str, beat: _Beat) -> None:
        wanted = self._paces.get(check)
        seconds = beat.every if wanted is None else wanted.total_seconds()
        if seconds == beat.pace:
            return
        beat.pace = seconds
        now = self._loop.time()
        beat.due = beat.origin + (math.floor((now - beat.origin) / seconds) + 1) * seconds
        if beat.timer is not None:
            beat.timer.cancel()
        beat.timer = self._loop.call_at(beat.due, self._tick, check)

    def recheck(self, check: str, delay: float) -> None:
        """Fire once more after `delay` seconds, off the cadence; an earlier wish stands, and a slot that comes before is enough."""
        beat = self._beats.get(check)
        if beat is None:
            return
        due = self._loop.time() + max(0.0, delay)
        if beat.extra is not None and beat.extra_due <= due:
            return
        if beat.due <= due:
            return
        if beat.extra is not None:
            beat.extra.cancel()
        beat.extra_due = due
        beat.extra = self._loop.call_at(due, self._again, check)

    def stop(self) -> None:
        """Fire nothing any more."""
        for check in list(self._beats):
            self._drop(check)

    def _drop(self, check: str) -> None:
        beat = self._beats.pop(check)
        for timer in (beat.timer, beat.extra):
            if timer is not None:
                timer.cancel()

    def _again(self, check: str) -> None:
        beat = self._beats[check]
        beat.extra = None
        self._fire(check, max(0.0, self._loop.time() - beat.extra_due))

    def _tick(self, check: str) -> None:
        beat = self._beats[check]
        late = max(0.0, self._loop.time() - beat.due)
        missed = int(late // beat.pace)
        beat.due += (missed + 1) * beat.pace
        beat.timer = self._loop.call_at(beat.due, self._tick, check)
        if missed:
            self._skipped(check, missed)
        self._fire(check, late - missed * beat.pace)


class Calendar:
    """What follows the calendar: jobs by cron in the province's zone, or every so often. Missed runs coalesce into one.

    APScheduler 3 counts wall time: a clock set back an hour stops its jobs for that hour. So nothing that must be exactly once hangs on
    it: whether a report is due is decided from the store, and the jobs here only ask.
    """

    def __init__(self, zone: ZoneInfo) -> None:
        self._zone = zone
        self._scheduler = AsyncIOScheduler(
            timezone=zone, job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1}
        )

    def every(self, name: str, interval: timedelta, job: Callable[[], Awaitable[Any]]) -> None:
        """Ask `job` every `interval`."""
        trigger = IntervalTrigger(seconds=interval.total_seconds(), timezone=self._zone)
        self._scheduler.add_job(job, trigger, id=name, replace_existing=True)

    def cron(self, name: str, fields: Mapping[str, str], job: Callable[[], Awaitable[Any]]) -> None:
        """Ask `job` at these cron fields (APScheduler's names), in the province's zone."""
        self._scheduler.add_job(job, CronTrigger(timezone=self._zone, **fields), id=name, replace_existing=True)

    def start(self) -> None:
        """Begin."""
        self._scheduler.start()

    def stop(self) -> None:
        """End, without waiting for a job that runs."""
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)


def following(cron: str, zone: ZoneInfo, after: datetime) -> datetime | None:
    """The first moment after `after` that a five-field cron expression names, in the given zone; UTC. None when it names none any more."""
    trigger = CronTrigger.from_crontab(cron, timezone=zone)
    moment: datetime | None = trigger.get_next_fire_time(None, after + timedelta(microseconds=1))
    return None if moment is None else moment.astimezone(UTC)


def occurrences(cron: str, zone: ZoneInfo, *, start: datetime, end: datetime) -> Iterable[datetime]:
    """The moments in [start, end) that a five-field cron expression names, in the given zone. ValueError when it is no cron expression."""
    trigger = CronTrigger.from_crontab(cron, timezone=zone)
    moment: datetime | None = start.astimezone(zone)
    previous: datetime | None = None
    while moment is not None and moment < end:
        moment = trigger.get_next_fire_time(previous, moment)
        if moment is None or moment >= end:
            return
        yield moment
        previous = moment
        moment = moment + timedelta(seconds=1)
