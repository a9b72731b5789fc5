"""The rules' front door: what arrives goes in by `observe`, time by `tick`, people by their acts; all of it into a draft.

Owns: the order in which the rules are asked. Never: a clock, a store, a message; `now` is always an argument, and the same inputs in the same
order make the same draft, ids and sequences included.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from monitor.model import Gap, Window
from monitor.rules.draft import Draft, MonitorState, World
from monitor.rules.topology import House
from probes.contract import Outcome

__all__ = [
    "Conflict",
    "Draft",
    "MonitorState",
    "NoSuchIncident",
    "World",
    "acknowledge",
    "comment",
    "observe",
    "observe_anchors",
    "pause",
    "reconcile",
    "resolve",
    "resume",
    "resume_clock",
    "tick",
]


class NoSuchIncident(LookupError):  # noqa: N818 - the name is the sentence it says
    """No incident of this id is remembered."""


class Conflict(Exception):  # noqa: N818 - the name is the sentence it says
    """The incident is not as the caller thinks: another version, or a state in which the act makes no sense."""


def observe(draft: Draft, house: House, check_id: str, outcome: Outcome, now: datetime) -> None:
    """Judge one outcome of one check. Unknown ids (the check has left) and outcomes older than what was judged are ignored."""
    raise NotImplementedError


def observe_anchors(
    draft: Draft, house: House, answers: Mapping[str, bool], now: datetime, *, started_at: datetime | None = None
) -> bool:
    """One round of anchors: by check id, whether it answered. True when we are connected. `started_at` is the round's start (`now` without)."""
    raise NotImplementedError


def tick(draft: Draft, house: House, windows: Sequence[Window], now: datetime) -> None:
    """Let time pass: nodes above and below what changed, settling, incidents, maintenance edges, the recovery clock.

    `windows` are the maintenance occurrences around now: those running, and those that ended since the last tick (a day's worth is fine).
    """
    raise NotImplementedError


def resume(draft: Draft, house: House, gap: Gap | None, now: datetime) -> None:
    """After `World.remember`: make what is derived, and let nothing move for the time we were not there."""
    raise NotImplementedError


def reconcile(draft: Draft, house: House, now: datetime) -> None:
    """After a reload, with the new house: nodes gone, renamed (`was`), checks gone, groups redrawn."""
    raise NotImplementedError


def acknowledge(draft: Draft, incident_id: str, *, by: str, now: datetime, version: int | None = None) -> None:
    """Somebody has taken it."""
    raise NotImplementedError


def comment(draft: Draft, incident_id: str, *, by: str, text: str, now: datetime, version: int | None = None) -> None:
    """A line in the history."""
    raise NotImplementedError


def pause(draft: Draft, incident_id: str, *, by: str, reason: str, now: datetime, version: int | None = None) -> None:
    """Stop the recovery clock, with a reason."""
    raise NotImplementedError


def resume_clock(draft: Draft, incident_id: str, *, by: str, now: datetime, version: int | None = None) -> None:
    """Let the recovery clock go on."""
    raise NotImplementedError


def resolve(
    draft: Draft,
    incident_id: str,
    *,
    by: str,
    now: datetime,
    cause: str = "",
    text: str = "",
    version: int | None = None,
) -> None:
    """Close by hand: no other incident opens before the node has worked again."""
    raise NotImplementedError
