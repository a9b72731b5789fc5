"""Whom to ask out of turn when something fails or comes back: the parents, the siblings, the children.

Owns: the wishes to the schedule that go beyond a check's own confirmation, and their limits. Never: decides what the answers mean.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from monitor.model import Check, Recheck
from monitor.rules.draft import Draft
from monitor.rules.groups import ASK_AT, eligible, suspects
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
    """The first failure of a node: is it only what everything above it suffers from?"""
    ask(draft, [check for id in house.depends[node] for check in house.decisive[id]], now)


def witnesses(draft: Draft, house: House, node: str, now: datetime) -> None:
    """A node's first failure, its incident, its first good answer after an outage: what do those say who can tell whose fault it is?"""
    ask(draft, house.witnesses.get(node, ()), now)


def siblings(draft: Draft, house: House, group: str, now: datetime) -> None:
    """Three members failing inside the window: ask all the others. The first that come back to a failing group: ask those that have not.

    Asked again only when a third of the window has passed.
    """
    rule = house.nodes[group].group
    asked = draft.asked_at(group)
    if rule is None or (asked is not None and now - asked < max(rule.within / 3, SPREAD)):
        return
    members = eligible(draft, house, group)
    if draft.node(group).state.failing:
        others = [m for m in members if draft.unwell_since(m) is not None]
    else:
        known = set(suspects(draft, house, group, now))
        if len(known) < ASK_AT:
            return
        others = [m for m in members if m not in known]
    draft.asked[group] = now
    ask(draft, [check for m in others for check in house.decisive[m]], now)


def children(draft: Draft, house: House, node: str, now: datetime) -> None:
    """A cause was judged, or came back: what of those below it? Members of a group have been asked as siblings."""
    ask(draft, [check for id in house.children[node] for check in house.decisive[id]], now)


def blamed(draft: Draft, house: House, nodes: Iterable[str], now: datetime) -> None:
    """What these blamed came back: have they?"""
    ask(draft, [check for id in nodes for check in house.decisive[id]], now)
