"""Whom to ask out of turn when something fails or comes back: the parents, the siblings, the children.

Owns: the wishes to the schedule that go beyond a check's own confirmation, and their limits. Never: decides what the answers mean.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from monitor.model import Check, GroupRule, Recheck
from monitor.rules.cascade import suspects
from monitor.rules.draft import Draft
from monitor.rules.groups import ASK_AT, eligible, needed
from monitor.rules.topology import House

SPREAD = timedelta(seconds=1)
"""Many are asked within this time, not in the same millisecond; thousands at most one a millisecond."""

EACH = timedelta(milliseconds=1)


def ask(draft: Draft, checks: Iterable[Check], now: datetime) -> None:
    """Ask these checks now, spread when they are many. One asked within its own recheck interval is not asked again."""
    due = []
    for check in checks:
        asked = draft.asked_at(check.id)
        if asked is None or now - asked >= check.policy.recheck:
            due.append(check)
            draft.asked[check.id] = now
    gap = max(SPREAD / len(due), EACH) if len(due) > 1 else timedelta(0)
    draft.rechecks.extend(Recheck(check=check.id, at=now + index * gap) for index, check in enumerate(due))


def parents(draft: Draft, house: House, node: str, now: datetime) -> None:
    """The first failure of a node: is it only what everything above it suffers from? A group answers by its members."""
    above: dict[str, None] = {}
    stack = list(reversed(house.depends[node]))
    while stack:
        id = stack.pop()
        if id not in above and id != node:
            above[id] = None
            stack += reversed(house.members.get(id, ()))
    ask(draft, [check for id in above for check in house.decisive[id]], now)


def witnesses(draft: Draft, house: House, node: str, now: datetime) -> None:
    """A node's first failure, its incident, its first good answer after an outage: what do those say who can tell whose fault it is?"""
    ask(draft, house.witnesses.get(node, ()), now)


def siblings(draft: Draft, house: House, group: str, now: datetime) -> bool:
    """Three members failing inside the window (two, one soon after the other, where many are needed): ask all the others. The first that come
    back to a failing group: ask those that have not.

    Asked again when a third of the window has passed; while every round finds new failures, after a third of that. True when it is to be
    tried again by itself.
    """
    rule = house.nodes[group].group
    if rule is None:
        return False
    asked, pause = draft.asked_at(group), max(rule.within / 3, SPREAD)
    if asked is not None and now - asked < pause / 3:
        return True
    members = eligible(draft, house, group)
    if draft.node(group).state.failing:
        if asked is not None and now - asked < pause:
            return False
        others = [m for m in members if draft.unwell_since(m) is not None]
    else:
        found = suspects(draft, house, group, now)
        times = [at for m in found if (at := draft.unwell_since(m)) is not None]
        if len(found) < ASK_AT and not (len(times) == ASK_AT - 1 and _pair(rule, times, len(members))):
            return False
        if asked is not None and now - asked < pause and times[0] < asked:
            return False
        others = [m for m in members if m not in set(found)]
    draft.asked[group] = now
    ask(draft, [check for m in others for check in house.decisive[m]], now)
    return not draft.node(group).state.failing


def _pair(rule: GroupRule, times: list[datetime], among: int) -> bool:
    """Whether two suspects are enough to ask: in a group that needs many, one soon after the other. By regular looks alone a cascade would
    go unnoticed for too long."""
    return needed(rule, among) > ASK_AT and times[0] - times[-1] <= rule.within / ASK_AT


def children(draft: Draft, house: House, node: str, now: datetime) -> None:
    """A cause was judged, or came back: what of those below it? Members of a group have been asked as siblings."""
    ask(draft, [check for id in house.children[node] for check in house.decisive[id]], now)


def blamed(draft: Draft, house: House, nodes: Iterable[str], now: datetime) -> None:
    """What these blamed came back: have they?"""
    ask(draft, [check for id in nodes for check in house.decisive[id]], now)
