"""Jobs that call us: who is let in, what is remembered, and when their checks are looked at.

Owns: the door (which token is whose, how often one may call), the latest word of every job, durable before it is answered, and the times
when nobody listened. Never: judges silence (the probe does, by `heartbeat_calls.due`), and never keeps, prints or compares a token in clear.
"""

import asyncio
import hashlib
import hmac
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import structlog

from monitor.model import Check
from monitor.model.heartbeats import Admission, Receipt
from monitor.pipeline.bucket import Bucket
from monitor.schedule import Clock, following
from monitor.store import Batch, Heartbeat, Store, StoreError
from probes import Secret
from probes.heartbeat import HeartbeatSpec
from probes.heartbeat_calls import EARLY, Absence, Call, Due, Heard, Listening, after, due

log = structlog.get_logger()

KIND: Final = "heartbeat"

CALLS: Final = (20, 5.0)
"""One job: so many calls at once, then so many a second."""

STRANGERS: Final = (20, 2.0)
"""All calls with a token that nobody knows, together."""

PULSE: Final = 1.0
"""Seconds between two looks at what has fallen due."""

STILL: Final = timedelta(seconds=5)
"""Longer without a turn of ours: we stood still, and nobody was let in."""

KEPT: Final = 200
"""Absences remembered at most; the oldest go first, into one with the next."""

STEPS: Final = timedelta(days=30)
"""A step of the wall clock so long before a call may be of the same run."""

AGAIN: Final = 5.0
"""Seconds after which a check that should have noticed something is fired once more; after that its own cadence is enough."""


def deaf() -> bool:
    """Whether we are out of descriptors: then no connection is accepted, and nobody is heard."""
    try:
        socket.socket().close()
    except OSError:
        return True
    return False


def digest(token: str) -> bytes:
    """What stands for a token here."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def schedule(spec: HeartbeatSpec) -> str:
    """The schedule as one text: counting begins anew when it changes."""
    return f"{spec.expect_every or 0:.15g} {spec.grace:.15g} {spec.cron or ''}".rstrip()


@dataclass(slots=True)
class Job:
    """One job that is waited for. `heard` is what is stored; `noticed` is the moment its check was last fired for, and how often."""

    check: str
    spec: HeartbeatSpec
    heard: Heard
    schedule: str
    bucket: Bucket
    refused: tuple[Absence, ...] = ()
    noticed: datetime | None = None
    fired: tuple[int, float] = (0, 0.0)
    due: tuple[object, Due | None] = (None, None)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class Beats:
    """The door for calls, and the probes' view of them. `begin` before anybody calls; `keep` again at each reload; `watch` lives on."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        *,
        zone: Callable[[], ZoneInfo],
        reachable: Callable[[], bool],
        looked_at: Callable[[str], datetime | None],
        fire: Callable[[str], None],
        count: Callable[[str, int], None],
    ) -> None:
        """`reachable`: whether calls can reach us at all; `looked_at`: start of a check's latest judged outcome; `fire`: run it now.

        `count(result, ignored)` hears of every call: `done`, `failed`, `started`, `limited`, `unknown` or `unstored`.
        """
        self._store, self._clock, self._zone = store, clock, zone
        self._reachable, self._looked_at, self._fire, self._count = reachable, looked_at, fire, count
        self._jobs: dict[bytes, Job] = {}
        self._by_check: dict[str, Job] = {}
        self._absences: list[Absence] = []
        self._version = 0
        self._strangers = Bucket(*STRANGERS)
        self._turned = clock.now()
        self._slots: dict[tuple[str, datetime, timedelta], datetime | None] = {}

    # What the checks see.

    def listening(self, token: Secret) -> Listening | None:
        """See probes.heartbeat_calls.Beats."""
        job = self._jobs.get(digest(token.reveal()))
        if job is None:
            return None
        return Listening(heard=job.heard, absences=self._of(job), looked_at=self._looked_at(job.check))

    def slot(self, cron: str, after: datetime) -> datetime | None:
        """The next moment of a cron line. Once the wall clock has been stepped nobody knows which of its two times the job follows: the later."""
        offset = self._clock.offset
        key = (cron, after, offset)
        if key not in self._slots:
            if len(self._slots) > 4 * len(self._jobs) + 64:
                self._slots.clear()
            plain = following(cron, self._zone(), after)
            stepped = following(cron, self._zone(), after + offset)
            known = [one for one in (plain, stepped - offset if stepped else None) if one is not None]
            self._slots[key] = max(known) if known else None
        return self._slots[key]

    # The jobs there are.

    async def begin(self, checks: Mapping[str, Check], started_at: datetime) -> None:
        """Read back what is known, and when no daemon ran, up to now. StoreError when it cannot be read."""
        known = {row.check: row for row in await self._store.heartbeats()}
        now = self._clock.now()
        oldest = min((row.heard.good_at or row.heard.since for row in known.values()), default=started_at)
        gaps = await self._store.gaps(oldest - STEPS, now)
        for gap in gaps:
            if gap.until > oldest:
                self._absent(Absence(gone=max(gap.since, oldest), back=gap.until))
        # The door opens now, a little after the run has begun.
        self._absent(Absence(gone=started_at, back=now))
        self._turned = now
        await self._replace(checks, known)
        await self._distrust(oldest, [gap.since for gap in gaps], now)

    async def _distrust(self, oldest: datetime, ends: Sequence[datetime], now: datetime) -> None:
        """A run in which the wall clock was stepped stamped by another clock than ours: what it heard cannot be counted on from here.

        Jobs heard in such a run (no end of a run lies between the call and the step) are counted anew from now.
        """
        steps = [
            step.at
            for step in await self._store.steps(oldest - STEPS, now)
            if abs(step.seconds) > EARLY.total_seconds()
        ]
        for job in self._by_check.values():
            heard = job.heard.good_at or job.heard.since
            if any(not any(min(heard, at) <= end < max(heard, at) for end in ends) for at in steps):
                job.refused = (Absence(gone=heard, back=now, lost=True),)

    async def keep(self, checks: Mapping[str, Check]) -> None:
        """These are the checks now. A job that is new, or whose schedule has changed, is awaited from now on; StoreError is only logged."""
        known: dict[str, Heartbeat] = {}
        try:
            # A node that was renamed has its rows by its new name there.
            known = {row.check: row for row in await self._store.heartbeats()}
        except StoreError as problem:
            log.warning("heartbeats.unread", problem=str(problem))
        for job in self._by_check.values():
            known[job.check] = Heartbeat(check=job.check, schedule=job.schedule, heard=job.heard)
        await self._replace(checks, known)

    async def _replace(self, checks: Mapping[str, Check], rows: Mapping[str, Heartbeat]) -> None:
        now, former = self._clock.now(), self._by_check
        changed: list[Heartbeat] = []
        jobs: dict[str, Job] = {}
        for check in checks.values():
            if check.kind != KIND:
                continue
            spec, row = check.spec, rows.get(check.id)
            if row is None or row.schedule != schedule(spec):
                heard = self._anew(row, spec, now) if row else Heard(since=now)
                row = Heartbeat(check=check.id, schedule=schedule(spec), heard=heard)
                changed.append(row)
            # A wall clock that was ahead when a call was stamped must not make the next one due in the far future.
            heard = _not_after(row.heard, now)
            old = former.get(check.id)
            bucket = old.bucket if old else Bucket(*CALLS)
            jobs[check.id] = Job(check.id, spec, heard, row.schedule, bucket, old.refused if old else ())
            if old is not None:
                jobs[check.id].lock = old.lock
        # A check that comes back one day is awaited from that day on.
        changed += [replace(row, schedule="") for check, row in rows.items() if check not in jobs and row.schedule]
        self._by_check = jobs
        self._jobs = {digest(job.spec.token.reveal()): job for job in jobs.values()}
        if changed:
            try:
                await self._store.commit(Batch(heartbeats=changed))
            except StoreError as problem:
                log.warning("heartbeats.unwritten", problem=str(problem))

    def _anew(self, row: Heartbeat, spec: HeartbeatSpec, now: datetime) -> Heard:
        """Counted from now by another schedule. A job that was overdue by the former one, or waited for by none, is not up by that."""
        heard = replace(row.heard, since=now, interval=None)
        if row.schedule:
            every, grace, *cron = row.schedule.split(" ", 2)
            former = HeartbeatSpec(
                token=spec.token, expect_every=float(every) or None, grace=float(grace), cron=cron[0] if cron else None
            )
            by = due(former, row.heard, self._absences, self.slot)
            if by is None or now < by.at:
                return heard
        return replace(heard, good_at=None)

    # The door.

    def admit(self, token: str) -> Admission:
        """Whose token it is. Every token known is compared, whichever it is; a wrong one is counted against all strangers."""
        given, found = digest(token), None
        for known, job in self._jobs.items():
            if hmac.compare_digest(known, given):
                found = job
        now = asyncio.get_running_loop().time()
        wait = (found.bucket if found else self._strangers).take(now)
        if wait:
            self._count("limited", 0)
            return Admission(wait=wait)
        if found is None:
            self._count("unknown", 0)
            return Admission()
        return Admission(check=found.check)

    async def take(self, check: str, call: Call) -> Receipt:
        """Remember a call of an admitted job; when it is answered it is durable. Whoever hangs up early does not undo it."""
        return await asyncio.shield(asyncio.ensure_future(self._take(check, call, self._clock.now())))

    async def _take(self, check: str, call: Call, came: datetime) -> Receipt:
        job = self._by_check.get(check)
        if job is None:
            return Receipt(stored=False)
        async with job.lock:
            job = self._by_check.get(check, job)
            heard, ignored = after(job.heard, call, max(came, job.heard.at or came), job.spec)
            try:
                await self._store.commit(Batch(heartbeats=[Heartbeat(check=check, schedule=job.schedule, heard=heard)]))
            except StoreError as problem:
                log.warning("heartbeat.unstored", check=check, problem=str(problem))
                self._count("unstored", ignored)
                job.refused = (*job.refused[-3:], Absence(gone=came, back=self._clock.now(), lost=True))
                return Receipt(stored=False)
            job = self._by_check.get(check, job)  # A reload may have come between.
            job.heard = replace(heard, since=max(heard.since, job.heard.since))
            job.due, job.refused = (None, None), ()
        self._count(call.said.value, ignored)
        self._notice(job, self._clock.now())
        return Receipt(stored=True, ignored=ignored)

    # What time brings.

    async def watch(self) -> None:
        """Look every second: what fell due is fired then and not at its next slot, and time in which we stood still is remembered."""
        while True:
            await asyncio.sleep(PULSE)
            self.look()

    def look(self) -> None:
        """One turn of `watch`."""
        now, before = self._clock.now(), self._turned
        self._turned = now
        if now - before > STILL or not self._reachable() or deaf():
            self._absent(Absence(gone=before, back=now))
        for job in self._by_check.values():
            self._notice(job, now)

    def _notice(self, job: Job, now: datetime) -> None:
        """Fire the job's check if something became true of it that no judged outcome knows yet."""
        moment = self._moment(job, now)
        if moment is None:
            return
        looked = self._looked_at(job.check)
        if looked is not None and looked >= moment:
            return
        time = asyncio.get_running_loop().time()
        if job.noticed != moment:
            job.noticed, job.fired = moment, (0, 0.0)
        times, last = job.fired
        if times < 2 and time - last >= (AGAIN if times else 0.0):
            job.fired = (times + 1, time)
            self._fire(job.check)

    def _moment(self, job: Job, now: datetime) -> datetime | None:
        """The latest moment at which what is to be said of a job changed: its latest end, or when the next one was due."""
        known_by = (self._version, self._clock.offset, len(job.refused))
        if job.due[0] != known_by:
            job.due = (known_by, due(job.spec, job.heard, self._of(job), self.slot))
        by = job.due[1]
        if not job.heard.failed and by is not None and now >= by.at:
            return by.at
        return job.heard.at

    def _of(self, job: Job) -> Sequence[Absence]:
        if not job.refused:
            return self._absences
        return sorted((*self._absences, *job.refused), key=lambda absence: absence.gone)

    def _absent(self, absence: Absence) -> None:
        """Remember it; what touches the one before is one with it."""
        self._version += 1
        last = self._absences[-1] if self._absences else None
        if last is not None and absence.gone <= last.back + timedelta(seconds=PULSE):
            self._absences[-1] = replace(last, gone=min(last.gone, absence.gone), back=max(last.back, absence.back))
        else:
            self._absences.append(absence)
        if len(self._absences) > KEPT:
            first, second = self._absences[:2]
            self._absences[:2] = [Absence(gone=first.gone, back=second.back)]


def _not_after(heard: Heard, now: datetime) -> Heard:
    """The same with no moment in the future."""

    def at(moment: datetime | None) -> datetime | None:
        return None if moment is None else min(moment, now)

    return replace(
        heard, since=min(heard.since, now), at=at(heard.at), good_at=at(heard.good_at), started_at=at(heard.started_at)
    )
