"""A node judged from its members: the carrier that nobody drew.

Owns: who counts, how many are needed, since when. Never: looks at a check's counters (a member is what `nodes` says it is).

The laws. A member counts when it fails and no node it depends on fails too (that one explains it). The group is down when at least `at_least` and
at least `share` of its members that can be judged failed within `within` of each other, or one after the other with never more than a
third of it between two: so slow a cascade is one fault too, as long as three fail in a window. It starts with the first of these. It is up
again when fewer than that many still fail. Members in maintenance neither count nor are counted among all; when so many are unknown
that they could decide it, the group is unknown. If enough members fail but only because of something above them, the group is unreachable.

Groups that overlap (a carrier and a region) may both have enough failing members by one fault. The one that lost the larger share of its
members explains those that both have, for a cause takes all that is behind it; the other is down only if enough are left, else unreachable.

Redundancy (`degraded_…`): degraded while so many fail, for whatever reason and however far apart; what only could degrade it does not
make it unknown. Down when none is left, even if they went far apart or one of them is in maintenance; unreachable then only if all that failed
blame one and the same. It is degraded from when so many had failed, and down from when enough had, not from the first.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import ceil

from monitor.model import GroupRule, NodeState, State
from monitor.rules import nodes
from monitor.rules.draft import Draft
from monitor.rules.nodes import WELL, Finding, blame, show
from monitor.rules.topology import House
from probes.contract import Reason

ASK_AT = 3
"""This many members failing inside the window is no chance any more: all are asked."""

Steps = tuple[tuple[datetime, State], ...]
"""What a group became, one after the other, by what is known now; the last is what it is."""


Failures = tuple[tuple[datetime, str], ...]


@dataclass(frozen=True, slots=True)
class Count:
    """The members by what they are now. `own` fail with nothing they depend on failing; `failing` holds these and the explained ones.

    `gone` says that redundancy is used up: not one member is left. `rivals` are overlapping groups that explain the members both have.
    """

    eligible: tuple[str, ...]
    need: int
    own: Failures
    failing: Failures
    unknown: tuple[str, ...]
    gone: bool = False
    rivals: tuple[str, ...] = ()


def eligible(draft: Draft, house: House, group: str) -> Sequence[str]:
    """The members that can be judged now: they have checks (or members), and are not in maintenance."""
    judged = house.judged[group]
    return [m for m in judged if m not in draft.covered] if draft.covered else judged


def needed(rule: GroupRule, among: int) -> int:
    """How many failing members make the group down. A share is of the members that can be judged; the epsilon is for 0.3 * 10."""
    return max(1, rule.at_least, ceil(rule.share * among - 1e-9))


def spare(rule: GroupRule, among: int) -> int | None:
    """How many failing members make the group degraded; None when it never is."""
    if not rule.redundant:
        return None
    return max(1, rule.degraded_at_least or 0, ceil((rule.degraded_share or 0.0) * among - 1e-9))


def explained(draft: Draft, house: House, member: str) -> bool:
    """Whether something the member depends on fails too, reached through what does not work itself; or did, and it has not been seen since."""
    blamed = draft.node(member).blamed_on
    if blamed and blamed not in house.members:
        return True
    return bool(house.parents[member]) and _from_above(draft, house, member)


def _from_above(draft: Draft, house: House, member: str) -> bool:
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
    above: dict[tuple[str, ...], bool] = {}
    for member in members:
        node = draft.node(member)
        state, parents = node.state, house.parents[member]
        if state is State.UNKNOWN:
            unknown.append(member)
        elif state not in WELL:
            since = node.failed_at
            assert since is not None
            failing.append((since, member))
            if node.blamed_on and node.blamed_on not in house.members:
                continue
            # Most members of a group stand on the same.
            if parents not in above:
                above[parents] = _from_above(draft, house, member)
            if not above[parents]:
                own.append((since, member))
    need, gone = needed(rule, len(members)), False
    if rule.redundant and failing and len(failing) == len(members) and _none_left(draft, house, group):
        need = min(need, len(members))
        gone = bool(own) or len({draft.node(m).blamed_on for _, m in failing} - {group}) > 1
        own = failing if gone else own
    rivals = _rivals(draft, house, group, len(own), len(members)) if own else ()
    if rivals:
        taken = set[str]().union(*(house.members[rival] for rival in rivals))
        own = [one for one in own if one[1] not in taken]
    return Count(
        tuple(members), need, tuple(sorted(own)), tuple(sorted(failing)), tuple(unknown), gone=gone, rivals=rivals
    )


def _none_left(draft: Draft, house: House, group: str) -> bool:
    """Whether those in maintenance, who do not count, fail too."""
    return all(draft.node(m).state.failing for m in house.members[group] if m in draft.covered)


def _rivals(draft: Draft, house: House, group: str, own: int, among: int) -> tuple[str, ...]:
    """The overlapping groups that are down and lost a larger share of their members; of equal ones the larger, then the higher one."""
    blamed, found = draft.node(group).blamed_on, []
    for peer in house.peers[group]:
        if not nodes.standing(draft.node(peer)):
            continue
        theirs = eligible(draft, house, peer)
        fell = sum(draft.node(m).state.failing and not explained(draft, house, m) for m in theirs)
        fuller = (fell * among, fell, -house.rank[peer]) > (own * len(theirs), own, -house.rank[group])
        if fuller or peer == blamed:
            found.append(peer)
    return tuple(found)


def onset(failures: Failures, need: int, within: timedelta) -> datetime | None:
    """The first failure of the earliest `need` that lie within `within` of each other, or follow one another at a third of it at most."""
    chain = 0
    for place, (since, _) in enumerate(failures):
        if place and since - failures[place - 1][0] > within / ASK_AT:
            chain = place
        first = min(chain, place - need + 1) if place + 1 >= need else chain
        if place - chain + 1 >= need:
            return failures[chain][0]
        if place + 1 >= need and since - failures[place - need + 1][0] <= within:
            return failures[first][0]
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
        state, start = _newly(draft, old, counted, rule, now)
    less = spare(rule, len(counted.eligible))
    steps = ((start, state),) if less is None else _with_spare(draft, old, counted, state, start, less)
    _show(draft, house, old, counted, steps, now)


def _newly(draft: Draft, old: NodeState, counted: Count, rule: GroupRule, now: datetime) -> tuple[State, datetime]:
    """A group that was not failing."""
    for failures, state in ((counted.own, State.DOWN), (counted.failing, State.UNREACHABLE)):
        if counted.gone and len(failures) >= counted.need:
            return state, failures[-1][0]
        start = onset(failures, counted.need, rule.within)
        if start is not None:
            # Where degradation has a place of its own, it was degraded until enough had failed.
            return state, [at for at, _ in failures if at >= start][counted.need - 1] if rule.redundant else start
    hidden = len(counted.unknown)
    if hidden and (hidden == len(counted.eligible) or len(counted.own) + hidden >= counted.need):
        return State.UNKNOWN, _latest(draft, counted.unknown, now)
    return State.UP, now if old.state is State.UP else _enough_known(draft, counted)


def _still(draft: Draft, old: NodeState, counted: Count, rule: GroupRule, now: datetime) -> tuple[State, datetime]:
    """A group that was: failures of the same spell keep it down, however far apart they are by now."""
    assert old.failed_at is not None
    all_of_it = rule.redundant and len(counted.failing) == len(counted.eligible)
    oldest = datetime.min.replace(tzinfo=UTC) if all_of_it else old.failed_at - rule.within
    own = [since for since, _ in counted.own if since >= oldest]
    failing = [since for since, _ in counted.failing if since >= oldest]
    if len(own) >= counted.need:
        # Out of a blind stretch it is down again from when the last of them was seen failing, not all the while.
        if old.state is State.UNKNOWN:
            return State.DOWN, _latest(draft, (m for _, m in counted.own), now)
        # While the outage is young, members judged after it may have failed before those that showed it.
        young = old.judged_at is not None and now - old.judged_at <= rule.within and old.released_at is None
        young = young and not rule.redundant
        return State.DOWN, min(own[0], old.failed_at) if young else old.released_at or old.failed_at
    if len(failing) >= counted.need:
        return State.UNREACHABLE, old.failed_at
    if len(failing) + len(counted.unknown) >= counted.need:
        return State.UNKNOWN, _latest(draft, counted.unknown, now)
    return State.UP, _recovered(draft, counted, len(failing), old.failed_at, counted.need)


def _with_spare(draft: Draft, old: NodeState, counted: Count, state: State, start: datetime, less: int) -> Steps:
    """The way of a group that knows degradation: what it was before it was down, and while it came back."""
    lost = [since for since, _ in counted.failing]
    since = lost[less - 1] if len(lost) >= less else None
    if state in WELL:
        if since is not None:
            return ((max(since, start) if old.failed_at is not None else since, State.DEGRADED),)
        if old.failed_at is not None:
            whole = _recovered(draft, counted, len(lost), old.failed_at, less)
            return ((start, State.DEGRADED), (whole, State.UP)) if whole > start else ((start, State.UP),)
        if old.state is State.DEGRADED and old.since is not None:
            return ((_recovered(draft, counted, len(lost), old.since, less), State.UP),)
    elif state.failing and old.failed_at is None and since is not None:
        since = max(since, old.since) if old.state in WELL and old.since is not None else since
        return ((since, State.DEGRADED), (start, state)) if since < start else ((start, state),)
    return ((start, state),)


def _latest(draft: Draft, members: Iterable[str], now: datetime) -> datetime:
    """When the last of these became what it is."""
    return max((at for m in members if (at := draft.node(m).since) is not None), default=now)


def _enough_known(draft: Draft, counted: Count) -> datetime:
    """When so many members were known that the rest could not have made it down."""
    since = sorted(at for m in counted.eligible if m not in counted.unknown and (at := draft.node(m).since) is not None)
    place = max(0, min(len(counted.eligible) - counted.need, len(since) - 1))
    return since[place]


def _recovered(draft: Draft, counted: Count, failing: int, failed_at: datetime, need: int) -> datetime:
    """When fewer than `need` failed: walking back through the recoveries, each one left is one more that still failed."""
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
        if failing >= need:
            return at
    return back[0] if back else failed_at


def _show(draft: Draft, house: House, old: NodeState, counted: Count, steps: Steps, now: datetime) -> None:
    start, state = min(steps[-1][0], now), steps[-1][1]
    before = steps[:-1]
    failed_at, released_at = old.failed_at, old.released_at
    blamed_on, blamed_since, redated = old.blamed_on, None, False
    if state in WELL:
        failed_at, blamed_on, released_at = None, "", None
    elif state.failing:
        redated = state is old.state is State.DOWN and failed_at is not None and start < failed_at == old.since
        failed_at = start if redated else failed_at or start
        blamed_on, blamed_since, released_at = blame(draft, house, old, failed_at, now)
        if state is State.UNREACHABLE and (not blamed_on or released_at is not None):
            other = _cause_of_most(draft, house, old.node, counted)
            if other and (not blamed_on or nodes.standing(draft.node(other))):
                blamed_on, blamed_since, released_at = other, nodes.started(draft.node(other)), None
        state = State.UNREACHABLE if blamed_on else State.DOWN
    if state is old.state and not redated:
        start = now if blamed_on == old.blamed_on else max(start, blamed_since or start)
    elif state is State.UNREACHABLE:
        start = max(start, blamed_since or start)
    elif state is not State.DOWN and old.since is not None and not before:
        start = max(start, old.since)
    keep = state is old.state and state.failing
    final = state

    def at(when: datetime) -> State:
        return next((was for since, was in reversed(before) if since <= when < start), final)

    finding = Finding(
        state=final,
        start=min(start, *(since for since, _ in before)) if before else start,
        at=at,
        edges=(start,) if before else (),
        failed_at=failed_at,
        blamed_on=blamed_on,
        released_at=released_at,
        # A group that stays down keeps the words it was judged with: a member more or less is no news.
        reason=old.reason if keep else Reason.OK if final in (State.UP, State.UNKNOWN) else _reason(draft, counted),
        detail=old.detail if keep else "" if final in (State.UP, State.UNKNOWN) else _detail(house, old.node, counted),
    )
    show(draft, house, old, finding, now)


def _detail(house: House, id: str, counted: Count) -> str:
    """How many of how many fail, without words; of a group with redundancy also who."""
    rule = house.nodes[id].group
    said = f"{len(counted.failing)}/{len(counted.eligible)}"
    if rule is None or not rule.redundant:
        return said
    names = [member for _, member in counted.failing]
    return f"{said}: {', '.join(names[:5])}{', …' if len(names) > 5 else ''}"


def release(draft: Draft, house: House, id: str, now: datetime) -> None:
    """What the group blamed came back `settle` ago; if enough of its members have shown to fail still, it is down by itself since then."""
    old, rule = draft.node(id), house.nodes[id].group
    assert rule is not None
    assert old.failed_at is not None
    counted = count(draft, house, id)
    if _still(draft, old, counted, rule, now)[0] is State.DOWN:
        nodes.release(draft, house, id, now)


def _cause_of_most(draft: Draft, house: House, id: str, counted: Count) -> str:
    """Whom most of the failing members blame, or the overlapping group that explains them."""
    blamed: Counter[str] = Counter()
    for _, member in counted.failing:
        rival = next((rival for rival in counted.rivals if member in house.members[rival]), "")
        blamed[rival or draft.node(member).blamed_on] += 1
    del blamed[""], blamed[id]
    return min(blamed, key=lambda id: (-blamed[id], id)) if blamed else ""


def _reason(draft: Draft, counted: Count) -> Reason:
    """The commonest reason among the failing members."""
    reasons = Counter(draft.node(m).reason for _, m in counted.failing)
    return min(reasons, key=lambda r: (-reasons[r], r.value)) if reasons else Reason.OK
