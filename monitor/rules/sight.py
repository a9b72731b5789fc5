"""Whether we can see at all: the anchors, and what follows when they fall silent.

Owns: the quorum, the one incident "monitor cut off", turning everything unknown. Never: asks an anchor; the pipeline brings the answers, and
holds a failed outcome back until a round begun after it has answered.
"""

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from monitor.model import MONITOR, EventType, Incident, IncidentState, Severity
from monitor.rules import fault, judge
from monitor.rules.asking import ask
from monitor.rules.draft import Draft, MonitorState
from monitor.rules.history import identity, record
from monitor.rules.outcomes import absorb
from monitor.rules.topology import House
from probes.contract import Outcome, Reason, Seen

MASS = 0.2
"""More than this share of unrelated nodes failing in one window, with no anchor answering, is our own trouble."""

TARGET = timedelta(hours=24)


def observe_anchors(
    draft: Draft, house: House, answers: Mapping[str, bool], now: datetime, *, started_at: datetime | None = None
) -> bool:
    """One round of anchors: by check id, whether it answered. True when at least `quorum` did, or none are configured.

    `started_at` is the start of the round (`now` without). The cut is dated back to the last good round: since then nobody knows.
    """
    began = started_at or now
    good = not answers or sum(answers.values()) >= house.monitor.quorum
    if good:
        if not draft.monitor.connected:
            _recovered(draft, house, began, now)
        draft.monitor = MonitorState(good_at=began)
    elif draft.monitor.connected:
        since = draft.monitor.good_at or began
        draft.monitor = MonitorState(cut_since=since, good_at=draft.monitor.good_at)
        silent = sum(not answered for answered in answers.values())
        _cut(draft, house, since, now, f"{silent}/{len(answers)}", answers)
    return good


def _cut(draft: Draft, house: House, since: datetime, now: datetime, detail: str, answers: Mapping[str, bool]) -> None:
    """Everything is unknown from the last moment we are sure of: the last good round, or a later outcome that saw."""
    incident = Incident(
        id=identity(MONITOR, since),
        node=MONITOR,
        severity=Severity.CRITICAL,
        reason=Reason.OWN_NETWORK,
        detail=detail,
        started_at=since,
        detected_at=now,
        opened_at=now,
        target=TARGET,
        evidence=", ".join(anchor.id for anchor in house.monitor.anchors),
        ground=fault.blindness(house, answers, since),
    )
    earlier = draft.incident(incident.id)
    if earlier is not None:
        incident = replace(earlier, state=IncidentState.OPEN, resolved_at=None, closed_at=None)
    record(draft, incident, EventType.IMPAIRED, now)
    draft.latest[MONITOR] = incident.id
    for check in house.checks.values():
        old = draft.check(check.id)
        seen = draft.seen_at(check.id)
        if seen is None or old.blind_since is not None:
            continue
        outcome = Outcome(
            seen=Seen.BLIND, reason=Reason.OWN_NETWORK, detail="", started_at=max(since, seen), seconds=0.0
        )
        old = replace(old, seen_at=seen)
        absorb(draft, house, check, old, judge.step(old, outcome, check.policy, now), now)


def _recovered(draft: Draft, house: House, began: datetime, now: datetime) -> None:
    """We see again. What was being confirmed is asked at once; the others show themselves at their cadence."""
    incident = draft.active_incident(MONITOR)
    if incident is not None:
        at = max(began, incident.started_at)
        closed = replace(incident, state=IncidentState.RESOLVED, resolved_at=at, closed_at=now)
        record(draft, closed, EventType.RECOVERED, now)
    ask(draft, [c for c in house.checks.values() if draft.check(c.id).failures], now)


def blind_window(house: House, failed: Collection[str], ran: Collection[str], anchors_answering: int) -> bool:
    """Whether the failures of one window are ours: no anchor answered, and more than 20 % of the unrelated nodes that were looked at failed.

    `failed` and `ran` are check ids. Unrelated means that a node below another one that failed is not counted again.
    """
    if anchors_answering > 0:
        return False
    looked = {house.checks[id].node for id in ran if id in house.checks}
    fell = {house.checks[id].node for id in failed if id in house.checks} & looked
    tops = {node for node in fell if not fell.intersection(house.depends[node])}
    explained = {node for node in looked if fell.intersection(house.depends[node])}
    return bool(tops) and len(tops) > MASS * len(looked - explained)
