"""Whether a group may yet turn out to be the cause: who is suspect, whose answer is out, whether more and more fail.

Owns: how long a fault waits for the group that may explain it. Never: judges a group (that is `groups`), asks anybody, opens anything.

The laws. While enough suspects and answers still out could make the group down, it is *gathering*. While every round of questions to the members
finds new failures, and so quickly that the group's threshold is in reach, it is *rising*: a cascade. Faults below wait for both, `settle`
after their verdict at most; the first whose time is up takes all others of the cascade along, so that they are told together. What follows
in a cascade that has been told of waits until that is decided, the group's `within` at most. A group waits for a wider or an overlapping one
only if that has suspects beyond its own members.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime

from monitor.model import NodeState, State
from monitor.rules.draft import Draft
from monitor.rules.groups import ASK_AT, eligible, explained, needed
from monitor.rules.nodes import GRACE
from monitor.rules.topology import House

REACH = 2
"""What is known of a cascade lags behind it: the threshold is in reach when so many times the failures seen would be enough in a window."""


def suspects(draft: Draft, house: House, group: str, now: datetime) -> list[str]:
    """Members whose failure, judged or not, began inside the window (or so lately that it may still be judged into it), and those before
    them in one cascade; the latest first."""
    rule = house.nodes[group].group
    assert rule is not None
    oldest = now - rule.within - GRACE / 10
    unwell = [(since, m) for m in eligible(draft, house, group) if (since := draft.unwell_since(m)) is not None]
    found = []
    for since, member in sorted(unwell, reverse=True):
        if since < oldest:
            break
        if not explained(draft, house, member):
            found.append(member)
            oldest = min(oldest, since - rule.within / ASK_AT)
    return found


@dataclass(slots=True)
class Watch:
    """What one round of settling knows about the groups; each is looked at once."""

    draft: Draft
    house: House
    now: datetime
    known: dict[str, list[str]] = field(default_factory=dict)
    answers: dict[str, tuple[bool, int]] = field(default_factory=dict)
    up: set[str] = field(default_factory=set)
    """Cascades whose time is up: nobody waits for them any more in this round."""

    def suspects(self, group: str) -> list[str]:
        """The suspects of a group."""
        if group not in self.known:
            self.known[group] = suspects(self.draft, self.house, group, self.now)
        return self.known[group]

    def _out(self, group: str) -> tuple[bool, int]:
        """Whether a suspect is not judged yet, and how many members that were asked have not answered."""
        if group not in self.answers:
            draft, known = self.draft, set(self.suspects(group))
            asked, silent = draft.asked_at(group), 0
            for member in eligible(draft, self.house, group) if asked is not None else ():
                if member in known or draft.node(member).state.failing:
                    continue
                checks = self.house.decisive[member]
                seen = [at for check in checks if (at := draft.seen_at(check.id)) is not None]
                silent += asked is not None and bool(checks) and (not seen or max(seen) < asked)
            self.answers[group] = any(not draft.node(m).state.failing for m in known), silent
        return self.answers[group]

    def gathering(self, group: str) -> bool:
        """Whether the group may yet be the cause: enough suspects to have asked everybody, some answer still out, and the threshold still
        within reach of those that are suspect or have not answered."""
        if self.draft.node(group).state.failing:
            return False
        found, need = self.suspects(group), self._need(group)
        if len(found) < min(ASK_AT, need):
            return False
        pending, silent = self._out(group)
        return (pending or silent > 0) and len(found) + silent >= need

    def rising(self, group: str, beyond: Collection[str] = ()) -> bool:
        """Whether a cascade is on in the group, among others than `beyond`."""
        draft, asked = self.draft, self.draft.asked_at(group)
        if group in self.up or asked is None or draft.node(group).state.failing:
            return False
        found = self.suspects(group)
        if sum(member not in beyond for member in found) < ASK_AT:
            return False
        newest, first = draft.unwell_since(found[0]), draft.unwell_since(found[-1])
        assert newest is not None
        assert first is not None
        if newest < asked and not self._out(group)[1]:
            return False
        rule = self.house.nodes[group].group
        assert rule is not None
        span = max(self.now - first, rule.within / (ASK_AT * ASK_AT))
        return REACH * len(found) * (rule.within / span) >= self._need(group)

    def _need(self, group: str) -> int:
        rule = self.house.nodes[group].group
        assert rule is not None
        return needed(rule, len(eligible(self.draft, self.house, group)))

    def above(self, id: str) -> list[str]:
        """The groups that could explain a node's failure, or a group's."""
        house = self.house
        return [*(a for a in house.ancestors[id] if a in house.members), *house.peers.get(id, ())]

    def told(self, group: str) -> bool:
        """Whether receivers have heard of the cascade: of a member's fault in it."""
        draft = self.draft
        for member in self.suspects(group):
            wider = draft.member_of(member)
            for incident in (draft.active_incident(member), draft.incident(wider) if wider else None):
                if incident is not None and incident.told_at is not None and not incident.degradation:
                    return True
        return False

    def waits(self, state: NodeState) -> bool:
        """Whether a fault waits for a cascade to be decided; its `settle` or the group's `within` is not over yet."""
        own = self.house.members.get(state.node, ())
        return any(self.rising(group, own) and not self._over(state, group) for group in self.above(state.node))

    def time_is_up(self, waiting: Collection[str]) -> None:
        """Of the faults that wait: whose time is up takes its whole cascade along."""
        for id in sorted(waiting):
            state = self.draft.node(id)
            if id not in self.house.rank or state.state is not State.DOWN or self.draft.active_incident(id) is not None:
                continue
            own = self.house.members.get(id, ())
            self.up |= {group for group in self.above(id) if self.rising(group, own) and self._over(state, group)}

    def _over(self, state: NodeState, group: str) -> bool:
        rule = self.house.nodes[group].group
        if rule is None or state.judged_at is None:
            return True
        patience = rule.within if self.told(group) else self.house.nodes[state.node].settle
        return self.now >= state.judged_at + patience
