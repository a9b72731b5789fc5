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
    needs: dict[str, int] = field(default_factory=dict)
    climbing: dict[str, bool] = field(default_factory=dict)
    heard: dict[str, bool] = field(default_factory=dict)
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
        asked, newest = self.draft.asked_at(group), self.draft.unwell_since(found[0]) if found else None
        # Two of many may have been enough to ask.
        enough = ASK_AT - 1 if asked is not None and newest is not None and asked >= newest else ASK_AT
        if len(found) < min(enough, need):
            return False
        pending, silent = self._out(group)
        return (pending or silent > 0) and len(found) + silent >= need

    def rising(self, group: str, beyond: Collection[str] = ()) -> bool:
        """Whether a cascade is on in the group, among others than `beyond`."""
        if group not in self.climbing:
            self.climbing[group] = self._climbs(group)
        return self.climbing[group] and (
            not beyond or sum(member not in beyond for member in self.suspects(group)) >= ASK_AT
        )

    def _climbs(self, group: str) -> bool:
        draft, asked, found = self.draft, self.draft.asked_at(group), self.suspects(group)
        rule = self.house.nodes[group].group
        if rule is None or asked is None or len(found) < ASK_AT or draft.node(group).state.failing:
            return False
        newest, first = draft.unwell_since(found[0]), draft.unwell_since(found[-1])
        if newest is None or first is None:
            return False
        # Of what was told already nobody has to hear in haste: there it is over when the chain is, else with a round that finds nothing new.
        quiet = self.now - newest > rule.within / ASK_AT if self.told(group) else newest < asked
        if quiet and not self._out(group)[1]:
            return False
        span = max(self.now - first, rule.within / (ASK_AT * ASK_AT))
        return REACH * len(found) * (rule.within / span) >= self._need(group)

    def undecided(self, group: str, since: datetime) -> bool:
        """Whether a group that others depend on may have been lost at `since`: so many members fail, or have not answered well after it."""
        draft, house = self.draft, self.house
        if draft.node(group).state.failing:
            return False
        silent = 0
        for member in eligible(draft, house, group):
            if draft.unwell_since(member) is not None or draft.node(member).state.failing:
                silent += 1
            elif house.decisive[member]:
                seen = [draft.seen_at(check.id) for check in house.decisive[member]]
                silent += all(at is None or at <= since for at in seen)
        return silent >= self._need(group)

    def _need(self, group: str) -> int:
        if group not in self.needs:
            rule = self.house.nodes[group].group
            assert rule is not None
            self.needs[group] = needed(rule, len(eligible(self.draft, self.house, group)))
        return self.needs[group]

    def above(self, id: str) -> list[str]:
        """The groups that could explain a node's failure, or a group's."""
        house = self.house
        return [*(a for a in house.ancestors[id] if a in house.members), *house.peers.get(id, ())]

    def told(self, group: str) -> bool:
        """Whether receivers have heard of the cascade: of a member's fault in it."""
        if group not in self.heard:
            self.heard[group] = any(self._told_of(member) for member in self.suspects(group))
        return self.heard[group]

    def _told_of(self, member: str) -> bool:
        wider = self.draft.member_of(member)
        known = (self.draft.active_incident(member), self.draft.incident(wider) if wider else None)
        return any(one is not None and one.told_at is not None and not one.degradation for one in known)

    def waits(self, state: NodeState) -> bool:
        """Whether a fault waits for a cascade to be decided; its time is not up yet."""
        cascades = self._cascades(state)
        return bool(cascades) and self.up.isdisjoint(cascades) and not self._over(state, cascades)

    def time_is_up(self, waiting: Collection[str]) -> None:
        """Of the faults that wait: whose time is up takes its whole cascade along."""
        for id in sorted(waiting):
            state = self.draft.node(id)
            if id not in self.house.rank or state.state is not State.DOWN or self.draft.active_incident(id) is not None:
                continue
            if state.judged_at is not None and self.now < state.judged_at + self.house.nodes[id].settle:
                continue
            cascades = self._cascades(state)
            if cascades and self._over(state, cascades):
                self.up.update(cascades)

    def _cascades(self, state: NodeState) -> list[str]:
        own = self.house.members.get(state.node, ())
        return [group for group in self.above(state.node) if self.rising(group, own)]

    def _over(self, state: NodeState, cascades: list[str]) -> bool:
        if state.judged_at is None:
            return True
        waited = self.now - state.judged_at
        if waited < self.house.nodes[state.node].settle:
            return False
        window = max(rule.within for group in cascades if (rule := self.house.nodes[group].group) is not None)
        return waited >= window or not any(self.told(group) for group in cascades)
