"""A job elsewhere must call us in time: the nightly backup, the queue of the document axis, a counter of submissions.

What nobody can see from outside (a backup that has not run for a week, a queue whose oldest document is three hours old) is told by the job
itself, at an address that ends with its token. Silence is the failure: a job that is dead reports nothing.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, ConfigDict, Field, WithJsonSchema

from probes.contract import Fact, Finding, Kind, Reason, blind, failed, ok
from probes.cron import Cron
from probes.heartbeat_calls import Due, Heard, due
from probes.secret import Secret
from probes.tools import Tools
from probes.units import Seconds

UNITS: Final = ("number", "seconds", "ratio", "bytes", "days", "bits_per_second")
"""What a job's own number may be in; thresholds on it are written with the units of these."""

MOST_FACTS: Final = 16

_TOKEN = re.compile(r"[A-Za-z0-9_-]{16,128}")
_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")


def _facts(value: Any) -> Any:
    """A list of names is short for plain numbers."""
    if isinstance(value, list | tuple) and all(isinstance(name, str) for name in value):
        return dict.fromkeys(value, "number")
    return value


Facts = Annotated[
    Mapping[str, str],
    BeforeValidator(_facts),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "array", "items": {"type": "string"}},
                {"type": "object", "additionalProperties": {"enum": list(UNITS)}},
            ],
            "examples": [["documents"], {"queue_age": "seconds"}],
        }
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class HeartbeatSpec:
    """`token` ends the address that the job calls. Exactly one of `expect_every` and `cron` (in the province's zone) says when it calls.

    `grace` is how much later it may be. `facts` are the numbers it may send: names, or names with their units.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    token: Secret
    expect_every: Annotated[Seconds, Field(ge=1, le=400 * 86400)] | None = None
    cron: Cron | None = None
    grace: Annotated[Seconds, Field(ge=0, le=30 * 86400)] = 300.0
    facts: Facts = field(default_factory=lambda: MappingProxyType({}))

    def __post_init__(self) -> None:
        token = self.token.reveal()
        if token and _TOKEN.fullmatch(token) is None:
            raise ValueError("token: 16 to 128 letters, digits, - and _, such as `openssl rand -hex 24` prints")
        if (self.expect_every is None) == (self.cron is None):
            raise ValueError("write exactly one of expect_every and cron")
        if len(self.facts) > MOST_FACTS:
            raise ValueError(f"facts: at most {MOST_FACTS}")
        for name, unit in self.facts.items():
            if _NAME.fullmatch(name) is None:
                raise ValueError(f"facts: {name!r} is not a name: write small letters, digits and _, at most 40")
            if name in FACTS or name in ("status", "at"):
                raise ValueError(f"facts: {name!r} is taken: it has a meaning of its own")
            if unit not in UNITS:
                raise ValueError(f"facts: {name} in {unit!r}: write one of {', '.join(UNITS)}")


async def probe(spec: HeartbeatSpec, tools: Tools) -> Finding:
    """Look at the latest call. Facts: `age_seconds`, `last_at`, `beats`, `duration_seconds`, `exit_status`, and the job's own numbers.

    Reasons: missed (no good call in time), reported (the job says that it failed); blind: own_waiting (the first call is not due yet),
    own_not_running (a call may have come while we were away, or no daemon listens here).
    """
    tools.conceal((spec.token.reveal(),))
    beats = tools.workbench.beats
    if beats is None:
        return blind(Reason.OWN_NOT_RUNNING, "only a running daemon hears the calls: see thongsuot status, or its page")
    listening = beats.listening(spec.token)
    if listening is None:
        return blind(Reason.OWN_CONFIG, "nobody listens for this token")
    now, heard = tools.workbench.now(), listening.heard
    tools.notes(numbers(spec, heard, now))
    finding = judged(heard, due(spec, heard, listening.absences, beats.slot), now)
    return dated(finding, listening.looked_at, now)


def judged(heard: Heard, by: Due | None, now: datetime) -> Finding:
    """What is to be said of a job now; `since` is when it became so."""
    if heard.failed and heard.at is not None:
        status = f", exit status {heard.exit_status:g}" if heard.exit_status is not None else ""
        said = failed(Reason.REPORTED, f"the job reported a failure at {_utc(heard.at)}{status}")
        return _since(said, heard.at)
    good = heard.good_at
    if by is not None and now >= by.at:
        last = f"the last good call came at {_utc(good)}" if good else "no call has ever come"
        return _since(failed(Reason.MISSED, f"{last}; the next was due by {_utc(by.at)}"), by.at)
    if good is None:
        until = f" (by {_utc(by.at)})" if by is not None else ""
        return blind(Reason.OWN_WAITING, f"no call has come yet, and the first is not overdue{until}")
    if by is not None and by.unsure is not None and now >= by.unsure:
        return blind(
            Reason.OWN_NOT_RUNNING, f"a call may have come while nobody listened; the next is due by {_utc(by.at)}"
        )
    return _since(ok(f"the last call came at {_utc(good)}"), good)


def dated(finding: Finding, looked_at: datetime | None, now: datetime) -> Finding:
    """The finding from the moment it became so, if nobody has looked since; else from now: what was told already is not told twice."""
    if finding.since is None or finding.since > now or (looked_at is not None and finding.since <= looked_at):
        return _since(finding, None)
    return finding


def numbers(spec: HeartbeatSpec, heard: Heard, now: datetime) -> dict[str, float]:
    """The facts of a job."""
    facts = {name: value for name, value in heard.numbers.items() if name in spec.facts}
    facts["beats"] = float(heard.beats)
    if heard.good_at is not None:
        facts["age_seconds"] = max(0.0, (now - heard.good_at).total_seconds())
        facts["last_at"] = heard.good_at.timestamp()
    if heard.duration is not None:
        facts["duration_seconds"] = heard.duration
    if heard.exit_status is not None:
        facts["exit_status"] = heard.exit_status
    return facts


def _since(finding: Finding, since: datetime | None) -> Finding:
    return Finding(seen=finding.seen, reason=finding.reason, detail=finding.detail, facts=finding.facts, since=since)


def _utc(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


FACTS: Final = MappingProxyType(
    {
        "age_seconds": Fact(unit="seconds", meaning="time since the latest good call"),
        "last_at": Fact(unit="seconds", meaning="when the latest good call came, in unix seconds"),
        "beats": Fact(unit="number", meaning="calls so far that said how a run ended"),
        "duration_seconds": Fact(unit="seconds", meaning="from the call at the start to the one at the end of the run"),
        "exit_status": Fact(unit="number", meaning="exit status that the latest call gave"),
    }
)


def facts_of(spec: HeartbeatSpec) -> Mapping[str, Fact]:
    """The job's own numbers."""
    return {name: Fact(unit=unit, meaning="a number of the job's own") for name, unit in spec.facts.items()}


KIND: Final = Kind(
    name="heartbeat",
    spec=HeartbeatSpec,
    probe=probe,
    facts=FACTS,
    addresses=("token",),
    summary="a job elsewhere calls us in time: backups, queues, counters",
    confirm=MappingProxyType({"failures": 1, "successes": 1, "degraded": 1}),
    facts_of=facts_of,
    unique=("token",),
)
