"""The nouns of video meetings: when, who takes part, and whether each point is ready."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from probes.contract import Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class MeetingPlan:
    """A video meeting: once (`start`..`end`) or by `cron` in the province's zone for `length`. `nodes` are the points, already resolved ids.

    `ready_before` is how long before its beginning every point is looked at; from then to its end what takes part is probed every `every`.
    """

    id: str
    name: str
    nodes: tuple[str, ...]
    start: datetime | None = None
    end: datetime | None = None
    cron: str = ""
    length: timedelta | None = None
    ready_before: timedelta = timedelta(minutes=60)
    every: timedelta = timedelta(seconds=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Meeting:
    """One occurrence [start, end) of a plan. The id is the plan's and its start: the same whenever computed, another when it is moved."""

    id: str
    plan: str
    name: str
    nodes: tuple[str, ...]
    start: datetime
    end: datetime
    ready_at: datetime
    every: timedelta


class Lack(StrEnum):
    """What a point lacks to be ready; a closed list."""

    NOTHING = "nothing"
    ENDPOINT = "endpoint"
    LINK = "link"
    UPSTREAM = "upstream"
    LOSS = "loss"
    MOS = "mos"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One point of a meeting: ready when it lacks nothing.

    `reason` is the probe's; `blamed_on` the link or ancestor that is at fault. `loss` (0..1) and `mos` (1..4.5, an estimate for speech) are
    its link's latest figures, where there are any.
    """

    node: str
    lack: Lack = Lack.NOTHING
    reason: Reason = Reason.OK
    blamed_on: str = ""
    loss: float | None = None
    mos: float | None = None

    @property
    def ready(self) -> bool:
        """Whether it can take part."""
        return self.lack is Lack.NOTHING


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """What was told of a meeting's points: `sequence` 1 is the readiness run's, later ones are changes."""

    meeting: str
    sequence: int
    plan: str
    at: datetime
    start: datetime
    end: datetime
    points: tuple[Point, ...] = ()

    @property
    def ready(self) -> int:
        """How many points are ready."""
        return sum(point.ready for point in self.points)

    @property
    def lacking(self) -> tuple[Point, ...]:
        """Those that are not."""
        return tuple(point for point in self.points if not point.ready)


@dataclass(frozen=True, slots=True, kw_only=True)
class MeetingStatus:
    """A meeting that is not over: what was last told of it, and how its points stand now (none before its readiness run)."""

    meeting: Meeting
    told: Readiness | None = None
    points: tuple[Point, ...] = ()
