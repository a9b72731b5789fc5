"""A node judged from its members: the carrier that nobody drew.

Owns: who counts, how many are needed, since when; asking the siblings; when a group is still gathering its evidence.
Never: looks at a check's counters (a member is what `nodes` says it is).

The laws. A member counts when it fails and no node it depends on fails too (that one explains it). The group is down when at least `at_least` and
at least `share` of its members that can be judged failed within `within` of each other; it starts with the first of these. It is up
again when fewer than that many still fail. Members in maintenance neither count nor are counted among all; when so many are unknown
that they could decide it, the group is unknown. If enough members fail but only because of something above them, the group is unreachable.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil

from monitor.model import GroupRule, NodeState, State
from monitor.rules import nodes
from monitor.rules.draft import Draft
from monitor.rules.nodes import GRACE, WELL, Finding, blame, show
from monitor.rules.topology import House
from probes.contract import Reason

ASK_AT = 3
"""This many members failing inside the window is no chance any more: all are asked."""


@dataclass(frozen=True, slots=True)
class Count:
    """The members by what they are now. `own` fail with nothing they depend on failing; `failing` holds these and the explained ones."""

    eligible: tuple[str, ...]
    need: int
    own: tuple[tuple[datetime, str], ...]
    failing: tuple[tuple[datetime, str], ...]
    unknown: tuple[str, ...]


def eligible(draft: Draft, house: House, group: str) -> list[str]:
    """The members that can be judged now: they have checks (or members), and are not in maintenance."""
    return [m for m in house.members[group] if (house.decisive[m] or m in house.members) and m not in draft.covered]


def needed(rule: GroupRule, among: int) -> int:
    """How many failing members make the group down. A share is of the members that can be judged; the epsilon is for 0.3 * 10."""
    return max(1, rule.at_least, ceil(rule.share * among - 1e-9))


def explained(draft: Draft, house: House, member: str) -> bool:
    """Whether something the member depends on fails too, reached through what does not work itself; or did, and it has not been seen since."""
    blamed = draft.node(member).blamed_on
    if blamed and blamed not in house.members:
        return True
    stack, visited = list(house.parents[member]), {member}
    while stack:
        id = stack.pop()
        if id in visited:
            continue
        visited.add(id)
        state = draft.node(id).state
        if state.failing:
            return True
        if state not in WELL:
            stack.extend(house.parents[id])
    return False


def count(draft: Draft, house: House, group: str) -> Count:
    """Look at every member."""
    rule = house.nodes[group].group
    assert rule is not None
    members = eligible(draft, house, group)
    own, failing, unknown = [], [], []
    for member in members:
        state = draft.node(member)
        if state.state.failing:
            since = state.failed_at
            assert since is not None
            failing.append((since, member))
            if not explained(draft, house, member):
                own.append((since, member))
        elif state.state is State.UNKNOWN:
            unknown.append(member)
    return Count(tuple(members), needed(rule, len(members)), tuple(sorted(own)), tuple(sorted(failing)), tuple(unknown))


def onset(failures: tuple[tuple[datetime, str], ...], need: int, within: timedelta) -> datetime | None:
    """The first failure of the earliest `need` that lie within `within` of each other."""
    for first, last in zip(failures, failures[need - 1 :], strict=False):
        if last[0] - first[0] <= within:
            return first[0]
    return None


def evaluate(draft: Draft, house: House, id: str, now: datetime) -> None:
    """Judge a group by its members anew."""
    rule = house.nodes[id].group
    assert rule is not None
    old, counted = draft.node(id), count(draft, house, id)
    if not counted.eligible:
        state, start = State.UNKNOWN, now
    elif old.failed_at is not None:
        state, start = _still(draft, old, counted, rule, now)
    else:
        state, start = _newly(draft, counted, rule, now)
    _show(draft, house, old, counted, state, start, now)


def _newly(draft: Draft, counted: Count, rule: GroupRule, now: datetime) -> tuple[State, datetime]:
    """A group that was not failing."""
    start = onset(counted.own, counted.need, rule.within)
    if start is not None:
        return State.DOWN, start
    start = onset(counted.failing, counted.need, rule.within)
    if start is not None:
        return State.UNREACHABLE, start
    hidden = len(counted.unknown)
    if hidden and (hidden == len(counted.eligible) or len(counted.own) + hidden >= counted.need):
        return State.UNKNOWN, _latest(draft, counted.unknown, now)
    return State.UP, _enough_known(draft, counted)


def _still(draft: Draft, old: NodeState, counted: Count, rule: GroupRule, now: datetime) -> tuple[State, datetime]:
    """A group that was: failures of the same spell keep it down, however far apart they are by now."""
    assert old.failed_at is not None
    oldest = old.failed_at - rule.within
    own = [since for since, _ in counted.own if since >= oldest]
    failing = [since for since, _ in counted.failing if since >= oldest]
    if len(own) >= counted.need:
        # Out of a blind stretch it is down again from when the last of them was seen failing, not all the while.
        if old.state is State.UNKNOWN:
            return State.DOWN, _latest(draft, (m for _, m in counted.own), now)
        # While the outage is young, members judged after it may have failed before those that showed it.
        young = old.judged_at is not None and now - old.judged_at <= rule.within and old.released_at is None
        return State.DOWN, min(own[0], old.failed_at) if young else old.released_at or old.failed_at
    if len(failing) >= counted.need:
        return State.UNREACHABLE, old.failed_at
    if len(failing) + len(counted.unknown) >= counted.need:
        return State.UNKNOWN, _latest(draft, counted.unknown, now)
    return State.UP, _recovered(draft, counted, len(failing), old.failed_at)


def _latest(draft: Draft, members: Iterable[str], now: datetime) -> datetime:
    """When the last of these became what it is."""
    return max((at for m in members if (at := draft.node(m).since) is not None), default=now)


def _enough_known(draft: Draft, counted: Count) -> datetime:
    """When so many members were known that the rest could not have made it down."""
    since = sorted(at for m in counted.eligible if m not in counted.unknown and (at := draft.node(m).since) is not None)
    place = max(0, min(len(counted.eligible) - counted.need, len(since) - 1))
    return since[place]


def _recovered(draft: Draft, counted: Count, failing: int, failed_at: datetime) -> datetime:
    """When fewer than needed failed: walking back through the recoveries, each one left is one more that still failed."""
    back = sorted(
        (
            at
            for m in counted.eligible
            if draft.node(m).state in WELL and (at := draft.node(m).since) and at > failed_at
        ),
        reverse=True,
    )
    for at in back:
        failing += 1
        if failing >= counted.need:
            return at
    return back[0] if back else failed_at


def _show(
    draft: Draft, house: House, old: NodeState, counted: Count, state: State, start: datetime, now: datetime
) -> None:
    start = min(start, now)
    failed_at, released_at = old.failed_at, old.released_at
    blamed_on, blamed_since, redated = old.blamed_on, None, False
    if state in WELL:
        failed_at, blamed_on, released_at = None, "", None
    elif state.failing:
        redated = state is old.state is State.DOWN and failed_at is not None and start < failed_at == old.since
        failed_at = start if redated else failed_at or start
        blamed_on, blamed_since, released_at = blame(draft, house, old, failed_at, now)
        if not blamed_on and state is State.UNREACHABLE:
            blamed_on = _cause_of_most(draft, counted)
        state = State.UNREACHABLE if blamed_on else State.DOWN
    if state is old.state and not redated:
        start = now if blamed_on == old.blamed_on else max(start, blamed_since or start)
    elif state is State.UNREACHABLE:
        start = max(start, blamed_since or start)
    elif state is not State.DOWN and old.since is not None:
        start = max(start, old.since)
    keep = state is old.state and state.failing
    finding = Finding(
        state=state,
        start=start,
        at=lambda _: state,
        failed_at=failed_at,
        blamed_on=blamed_on,
        released_at=released_at,
        # A group that stays down keeps the words it was judged with: a member more or less is no news.
        reason=old.reason if keep else _reason(draft, counted) if state.failing else Reason.OK,
        detail=old.detail
        if keep
        else f"{len(counted.failing)} of {len(counted.eligible)} members fail"
        if state.failing
        else "",
    )
    show(draft, house, old, finding, now)


def release(draft: Draft, house: House, id: str, now: datetime) -> None:
    """What the group blamed came back `settle` ago; if enough of its members have shown to fail still, it is down by itself since then."""
    old, rule = draft.node(id), house.nodes[id].group
    assert rule is not None
    assert old.failed_at is not None
    counted = count(draft, house, id)
    if _still(draft, old, counted, rule, now)[0] is State.DOWN:
        nodes.release(draft, house, id, now)


def _cause_of_most(draft: Draft, counted: Count) -> str:
    """Whom most of the failing members blame."""
    blamed = Counter(b for _, m in counted.failing if (b := draft.node(m).blamed_on))
    return min(blamed, key=lambda id: (-blamed[id], id)) if blamed else ""


def _reason(draft: Draft, counted: Count) -> Reason:
    """The commonest reason among the failing members."""
    reasons = Counter(draft.node(m).reason for _, m in counted.failing)
    return min(reasons, key=lambda r: (-reasons[r], r.value)) if reasons else Reason.OK


def suspects(draft: Draft, house: House, group: str, now: datetime) -> list[str]:
    """Members whose failure, judged or not, began inside the window (or so lately that it may still be judged into it)."""
    rule = house.nodes[group].group
    assert rule is not None
    oldest = now - rule.within - GRACE / 10
    return [
        m
        for m in eligible(draft, house, group)
        if (since := draft.unwell_since(m)) is not None and since >= oldest and not explained(draft, house, m)
    ]


def gathering(draft: Draft, house: House, group: str, now: datetime) -> bool:
    """Whether the group may yet turn out to be the cause: enough suspects to have asked everybody, some answer still out, and the threshold
    still within reach of those that are suspect or have not answered."""
    rule = house.nodes[group].group
    assert rule is not None
    state = draft.node(group)
    if state.state.failing:
        return False
    found = suspects(draft, house, group, now)
    members = eligible(draft, house, group)
    need = needed(rule, len(members))
    if len(found) < min(ASK_AT, need):
        return False
    asked, known = draft.asked_at(group), set(found)
    silent = 0
    for member in members:
        if asked is None or member in known or draft.node(member).state.failing:
            continue
        seen = [at for check in house.decisive[member] if (at := draft.seen_at(check.id)) is not None]
        silent += bool(house.decisive[member]) and (not seen or max(seen) < asked)
    pending = any(not draft.node(m).state.failing for m in found)
    return (pending or silent > 0) and len(found) + silent >= need
