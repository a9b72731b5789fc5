"""Lines against their capacity: every outcome that measured one is added to its day, and told how its line stands before it is judged.

Owns: the day under way of every line, what is not stored yet of it, and the facts `p95_in`, `p95_out` and `days_over`.
Never: decides what is too full (`rules.capacity` and the check's own conditions do), or holds up an outcome for the store.
"""

import asyncio
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta, tzinfo
from typing import Final

import structlog

from monitor.model import LinkDay, LinkSample
from monitor.rules import capacity
from monitor.store import Batch, Store, StoreError
from probes import Outcome

log = structlog.get_logger()

FLUSH: Final = 15.0
"""Seconds between two writings: a finished five minutes is durable after so long at the most."""

CLOSING: Final = timedelta(minutes=10)
"""How long after midnight a day is closed: an interval that began before it may still come in."""

NEARLY: Final = 1.0
"""Seconds that five minutes may lack and still be whole: where in a run the reading was taken is not told."""

ROOM: Final = 200_000
"""Rows that may wait while the store is in trouble."""

IN, OUT, PASSED = "in_utilisation", "out_utilisation", "interval_seconds"


@dataclass(slots=True)
class _Line:
    """One check's line: five minutes that fill, those of days not closed, closed days, and how it stands."""

    filling: dict[datetime, capacity.Filling] = field(default_factory=dict)
    samples: dict[date, dict[datetime, LinkSample]] = field(default_factory=dict)
    days: dict[date, LinkDay] = field(default_factory=dict)
    closed: date | None = None
    """The last day that was closed."""
    facts: dict[str, float] = field(default_factory=dict)


class Capacity:
    """Between the runner and the desk: every outcome is `taken`; `remember` at the start, `run` for ever, `flush` at the end."""

    def __init__(self, store: Store, zone: tzinfo, now: Callable[[], datetime]) -> None:
        self.zone = zone
        self._store, self._now = store, now
        self._lines: dict[str, _Line] = {}
        self._samples: list[LinkSample] = []
        self._days: list[LinkDay] = []
        self.mistakes = 0

    async def remember(self) -> None:
        """What was known of lines that are not known here. StoreError when the store cannot be read."""
        here = set(self._lines)
        today = capacity.day_of(self._now(), self.zone)
        first = today - capacity.REACH
        for known in await self._store.link_days(first, today + timedelta(days=1)):
            if known.check not in here:
                self._lines.setdefault(known.check, _Line()).days[known.day] = known
        # Days on which no daemon lived to close them are closed by the first outcome.
        since, _ = capacity.bounds(today - timedelta(days=capacity.MOST_UNMEASURED + 1), self.zone)
        for sample in await self._store.link_samples(since):
            if sample.check in here:
                continue
            line = self._lines.setdefault(sample.check, _Line())
            day = capacity.day_of(sample.at, self.zone)
            if day not in line.days:
                line.samples.setdefault(day, {})[sample.at] = sample

    async def keep(self, checks: Collection[str], zone: tzinfo) -> None:
        """From now on these are the checks: what is known of others stays in the store alone, and a renamed one has its days by its new name."""
        if zone != self.zone:
            self._lines.clear()  # Its days are other days.
        self.zone = zone
        try:
            await self.remember()
        except StoreError as problem:
            log.warning("capacity.unread", problem=str(problem))
        for check in [check for check in self._lines if check not in checks]:
            del self._lines[check]

    def taken(self, check: str, outcome: Outcome) -> Outcome:
        """The outcome as it shall be judged: with what is known of its line. A mistake of ours costs the facts, not the outcome."""
        try:
            return self._amended(check, outcome)
        except Exception:
            log.exception("capacity.failed", check=check)
            self.mistakes += 1
            return outcome

    def _amended(self, check: str, outcome: Outcome) -> Outcome:
        facts, line = outcome.facts, self._lines.get(check)
        measured = IN in facts and OUT in facts and facts.get(PASSED, 0.0) > 0
        if line is None:
            if not measured:
                return outcome
            line = self._lines[check] = _Line()
        end = outcome.started_at + timedelta(seconds=outcome.seconds)
        if measured:
            self._add(line, end, facts[PASSED], facts[IN], facts[OUT])
        self._finish(check, line, end)
        self._close(check, line, end)
        return replace(outcome, facts={**facts, **line.facts}) if line.facts else outcome

    @staticmethod
    def _add(line: _Line, end: datetime, passed: float, received: float, sent: float) -> None:
        length = timedelta(seconds=passed)
        if length > capacity.LONGEST:
            return
        for at, seconds in capacity.pieces(end - length, end):
            line.filling.setdefault(at, capacity.Filling()).add(seconds, received, sent)

    def _finish(self, check: str, line: _Line, now: datetime) -> None:
        """Five minutes to which nothing can come any more are samples, or nothing."""
        for at in [
            at for at in line.filling if at + capacity.SAMPLE + capacity.LONGEST <= now or _whole(line, at, now)
        ]:
            sample = line.filling.pop(at).sample(check, at)
            day = capacity.day_of(at, self.zone)
            if sample is None or day in line.days:
                continue
            line.samples.setdefault(day, {})[at] = sample
            self._samples.append(sample)

    def _close(self, check: str, line: _Line, now: datetime) -> None:
        """Days that are over get their figure; the facts are those of the day before `now`, renewed when that changes."""
        last = capacity.day_of(now - CLOSING, self.zone) - timedelta(days=1)
        if line.closed == last:
            return
        for day in [day for day in line.samples if day <= last]:
            closed = capacity.close_day(check, day, line.samples.pop(day).values(), self.zone)
            if closed is not None:
                line.days[day] = closed
                self._days.append(closed)
        for day in [day for day in line.days if day < last - capacity.REACH]:
            del line.days[day]
        line.closed = last
        line.facts = _facts(capacity.load(line.days, last))

    async def run(self) -> None:
        """Store what has come together, for ever."""
        while True:
            await asyncio.sleep(FLUSH)
            await self.flush()

    async def flush(self) -> None:
        """Store what has come together; what the store does not take waits for the next time."""
        samples, days = self._samples, self._days
        if not samples and not days:
            return
        self._samples, self._days = [], []
        try:
            await self._store.commit(Batch(link_samples=samples, link_days=days))
        except StoreError as problem:
            log.warning("capacity.unstored", problem=str(problem), rows=len(samples) + len(days))
            self._samples = [*samples, *self._samples][-ROOM:]
            self._days = [*days, *self._days][-ROOM:]


def _whole(line: _Line, at: datetime, now: datetime) -> bool:
    """Whether five minutes are over and were measured to their end."""
    return at + capacity.SAMPLE <= now and line.filling[at].seconds >= capacity.SAMPLE.total_seconds() - NEARLY


def _facts(load: capacity.Load) -> dict[str, float]:
    facts: dict[str, float] = {"days_over": load.longest.days}
    if load.last is not None:
        facts |= {"p95_in": load.last.received, "p95_out": load.last.sent}
    return facts if load.last is not None or load.longest.days else {}
