"""What jobs elsewhere tell us, and when the next word of them is due.

Owns: the nouns (a call, what is remembered of a job, times when nobody listened), and the one rule for "due". Pure: every moment is an argument.
Never: listens, stores, or reads a clock. Every moment here is of the steady clock that stamps everything (aware, UTC).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Protocol

from probes.secret import Secret

if TYPE_CHECKING:
    from probes.heartbeat import HeartbeatSpec

NO_NUMBERS: Mapping[str, float] = MappingProxyType({})

EARLY: Final = timedelta(seconds=60)
"""A call may come so long before its slot of a cron line and still be that slot's: two clocks are never the same."""

RETRIED: Final = timedelta(seconds=60)
"""While we are away for no longer than this a call is not lost: whoever calls tries again for a minute (the documentation shows how)."""

Slot = Callable[[str, datetime], datetime | None]
"""The first moment after another one that a cron line names, in the province's zone; None when it names none."""


class Said(StrEnum):
    """What one call says."""

    DONE = "done"
    FAILED = "failed"
    STARTED = "started"


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call of a job: what it says, the exit status it gives (None: none), and the numbers it brings, by whatever names."""

    said: Said = Said.DONE
    exit_status: float | None = None
    numbers: Mapping[str, float] = field(default_factory=lambda: NO_NUMBERS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What is remembered of a job. `since`: from when on its calls are awaited by the present schedule.

    `at` is its latest word, good or bad; `good_at` the latest good one; `started_at` a start that has not been followed by either.
    `interval`: seconds between the latest two good ones, its own rhythm. `duration`: seconds from the start to the latest end.
    """

    since: datetime
    at: datetime | None = None
    good_at: datetime | None = None
    started_at: datetime | None = None
    failed: bool = False
    beats: int = 0
    interval: float | None = None
    duration: float | None = None
    exit_status: float | None = None
    numbers: Mapping[str, float] = field(default_factory=lambda: NO_NUMBERS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Absence:
    """A time in which no call could reach us. `lost`: a call is known to have come in it."""

    gone: datetime
    back: datetime
    lost: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Listening:
    """All that a check of a job needs: what was heard, when nobody listened (in order), and the start of the latest outcome judged."""

    heard: Heard
    absences: Sequence[Absence] = ()
    looked_at: datetime | None = None


class Beats(Protocol):
    """Who listens to the jobs."""

    def listening(self, token: Secret) -> Listening | None:
        """What is known of the job with this token; None when nobody listens for it."""
        ...

    def slot(self, cron: str, after: datetime) -> datetime | None:
        """See `Slot`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """Silence is a failure from `at` on. From `unsure` on, when there is one, nobody can know: a call may have come while we were away."""

    at: datetime
    unsure: datetime | None = None


def after(heard: Heard, call: Call, now: datetime, spec: "HeartbeatSpec") -> tuple[Heard, int]:
    """What is remembered once this call has come, and how many of its numbers nobody asked for.

    A start counts for nothing but the duration of what follows. The latest numbers stand until others come.
    """
    taken = {name: value for name, value in call.numbers.items() if name in spec.facts}
    ignored = len(call.numbers) - len(taken)
    numbers = MappingProxyType({**{k: v for k, v in heard.numbers.items() if k in spec.facts}, **taken})
    if call.said is Said.STARTED:
        return replace(heard, started_at=now, numbers=numbers), ignored
    duration = None if heard.started_at is None else max(0.0, (now - heard.started_at).total_seconds())
    good = call.said is Said.DONE
    return replace(
        heard,
        at=now,
        good_at=now if good else heard.good_at,
        started_at=None,
        failed=not good,
        beats=heard.beats + 1,
        interval=_rhythm(heard, now, spec) if good else heard.interval,
        duration=duration,
        exit_status=call.exit_status,
        numbers=numbers,
    ), ignored


def _rhythm(heard: Heard, now: datetime, spec: "HeartbeatSpec") -> float | None:
    """Seconds since the good call before; one that was missed between says nothing of the rhythm."""
    if heard.good_at is None:
        return None
    seconds = (now - heard.good_at).total_seconds()
    usual = spec.expect_every is None or seconds <= spec.expect_every + spec.grace
    return seconds if usual else heard.interval


def due(spec: "HeartbeatSpec", heard: Heard, absences: Iterable[Absence], slot: Slot) -> Due | None:
    """When the next good call must have come; None when the schedule names no further moment.

    Counted from the latest good call (or from when it was first awaited): `expect_every` later, or at the next slot of `cron`; `grace` more.

    Time in which nobody listened is never charged to the job. An absence that touches the time in which the call would have come gives
    it, when it was short, the whole grace again from its end: callers try again. After a longer one the call may be lost for good, and
    counting begins anew at its end: one schedule and grace from there.
    """
    grace = timedelta(seconds=spec.grace)
    base = max(heard.good_at or heard.since, heard.since)
    expected = _expected(spec, base, slot)
    if expected is None:
        return None
    opens, at = _opens(spec, heard, base, expected), expected + grace
    first = at
    for absence in absences:
        if absence.back <= opens or absence.gone >= at:
            continue
        if not absence.lost and absence.back - absence.gone <= RETRIED:
            at = max(at, absence.back + grace)
            continue
        anew = _expected(spec, absence.back, slot)
        if anew is None:
            return None
        opens, at = absence.back, max(at, anew + grace)
    return Due(at=at, unsure=first if at > first else None)


def _expected(spec: "HeartbeatSpec", since: datetime, slot: Slot) -> datetime | None:
    """The latest moment at which a job that is in time calls after `since`."""
    if spec.expect_every is not None:
        return since + timedelta(seconds=spec.expect_every)
    assert spec.cron is not None
    first = slot(spec.cron, since)
    if first is None or first - since > EARLY:
        return first
    second = slot(spec.cron, first)
    # The call at `since` was a little early and stands for `first`; but a line of every minute must not count each call twice.
    return second if second is not None and first - since <= (second - first) / 2 else first


def _opens(spec: "HeartbeatSpec", heard: Heard, base: datetime, expected: datetime) -> datetime:
    """From when on the call may come: by the job's own rhythm, or half-way where that is not known; the grace before that.

    So no call is lost unnoticed of a job that strays by half the grace. Half-way is enough: of one that calls oftener than that, a call that
    was lost earlier is followed by another in time.
    """
    if spec.expect_every is None:
        return max(base, expected - EARLY)
    rhythm = (expected - base) / 2
    if heard.interval is not None and heard.good_at is not None and base <= heard.good_at:
        rhythm = timedelta(seconds=min(heard.interval, spec.expect_every))
    return max(base, base + rhythm - timedelta(seconds=spec.grace))
