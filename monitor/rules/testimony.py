"""Who says what about a failure: which nodes and checks have answered since it began, and which fell silent with it.

Owns: the questions put to what is already known, and the form of the answers. Never: asks anybody (that is `asking`), decides whose fault it is.

The laws. Somebody *answers* when it works and was looked at after the failure began: what was good before says nothing. Somebody *fails* along
with it when it fails too and began to no earlier than `GRACE` before: what was broken long before has its own story, and is not heard.
Whoever has not been looked at since, or could not be, is not heard either.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from monitor.model import MONITOR, Check, Effect, Node, NodeState, Says, State, Testimony, Witness
from monitor.rules.draft import Draft
from monitor.rules.nodes import GRACE, WELL
from monitor.rules.topology import House
from probes.contract import Reason

QUIET = frozenset({Reason.TIMEOUT, Reason.NO_REPLY, Reason.LOSS, Reason.UNREACHABLE, Reason.TTL_EXCEEDED})
"""Reasons of a failed look at which nobody at the other end said a word."""

HEARD = 400
"""So many of those beside it are heard at most: more make nothing surer."""


@dataclass(frozen=True, slots=True)
class Contrast:
    """Those beside a failure that were heard: who answers, and who fails along with it; ids."""

    answering: tuple[str, ...] = ()
    failing: tuple[str, ...] = ()

    @property
    def heard(self) -> int:
        """How many there are."""
        return len(self.answering) + len(self.failing)


@dataclass(frozen=True, slots=True)
class Hearing:
    """What is known now about a failure that began at `since`."""

    draft: Draft
    house: House
    since: datetime

    def answers(self, id: str) -> bool:
        """Whether the node has been seen to work since; a group does when its state says so and a member does."""
        if self.draft.node(id).state not in WELL or self.draft.unwell_since(id) is not None:
            return False
        if id in self.house.members:
            return any(self.answers(member) for member in self.house.members[id])
        return any(self._fresh(c) for c in self.house.decisive.get(id, ()) if c.effect is Effect.DOWN)

    def fails(self, id: str) -> bool:
        """Whether the node fails, or is suspected to, since about the same time."""
        state = self.draft.node(id)
        since = (state.failed_at if state.state.failing else None) or self.draft.unwell_since(id)
        return since is not None and since >= self.since - GRACE

    def contrast(self, ids: Iterable[str]) -> Contrast:
        """Hear these; those in maintenance are left in peace."""
        answering, failing = [], []
        for id in ids:
            if id in self.draft.covered:
                continue
            if self.answers(id):
                answering.append(id)
            elif self.fails(id):
                failing.append(id)
            if len(answering) + len(failing) >= HEARD:
                break
        return Contrast(tuple(answering), tuple(failing))

    def of(self, id: str, *, against: bool = False) -> Testimony:
        """What a node says now."""
        state = self.draft.node(id)
        says, since = _says(state), state.failed_at if state.state.failing else state.since
        if says is Says.SILENT and state.blamed_on in self.house.members:
            says = Says.FAILS  # It was measured itself: a group explains its members' failure, it does not hide it.
        if state.state is State.UP and (unwell := self.draft.unwell_since(id)) is not None:
            says, since = Says.FAILS, unwell
        return Testimony(subject=id, says=says, since=since, reason=state.reason, against=against)

    def ourselves(self) -> list[Testimony]:
        """Our anchors have answered since, as many as it takes: we can see."""
        good = self.draft.monitor.good_at
        if not self.house.monitor.anchors or good is None or good < self.since:
            return []
        return [Testimony(subject=MONITOR, says=Says.ANSWERS, since=good)]

    def witness(self, node: str, kind: Witness) -> Testimony | None:
        """What the node's first witness of a kind that has something to say says: that it answers, or is silent (or fails) with the node."""
        for check in self.house.witnesses.get(node, ()):
            if check.witness is not kind:
                continue
            state = self.draft.check(check.id)
            if self._fresh(check):
                return Testimony(subject=check.id, says=Says.ANSWERS, since=state.since)
            fell = state.state is State.DOWN and state.blind_since is None and not state.successes
            if fell and state.since is not None and state.since >= self.since - GRACE:
                says = Says.SILENT if state.reason in QUIET else Says.FAILS
                return Testimony(subject=check.id, says=says, since=state.since, reason=state.reason)
        return None

    def second_paths(self, nodes: Iterable[str]) -> tuple[list[Testimony], list[Testimony]]:
        """Of several sites: the second paths that answer, and those that are silent."""
        said = [one for id in nodes if (one := self.witness(id, Witness.SECOND_PATH)) is not None]
        return [one for one in said if one.says is Says.ANSWERS], [one for one in said if one.says is Says.SILENT]

    def pending(self, node: str) -> bool:
        """Whether a witness of another way may still say something: it has not been looked at since, or is being confirmed."""
        for check in self.house.witnesses.get(node, ()):
            state = self.draft.check(check.id)
            if check.witness is Witness.DEVICE or state.state is State.UNKNOWN or state.blind_since is not None:
                continue
            seen = self.draft.seen_at(check.id)
            if seen is None or seen < self.since or (state.state is not State.DOWN and state.failures):
                return True
        return False

    def kin(self, node: Node, *, carrier: str | None = None, other: str | None = None) -> Iterator[str]:
        """Nodes like this one, the nearest first: of its region, then of all others; of one carrier, or of any but an `other`."""
        region = node.labels.get("region", "")
        keys = [key for key in self.house.kin if key[0] == node.type]
        for key in sorted(keys, key=lambda key: (key[2] != region, key[1] != node.carrier)):
            if (carrier is None or key[1] == carrier) and (other is None or key[1] != other):
                yield from (id for id in self.house.kin[key] if id != node.id)

    def _fresh(self, check: Check) -> bool:
        state, seen = self.draft.check(check.id), self.draft.seen_at(check.id)
        well = state.state in WELL and not state.failures and state.blind_since is None
        return well and seen is not None and seen >= self.since


def _says(state: NodeState) -> Says:
    if state.state is State.UNREACHABLE:
        return Says.SILENT
    if state.state is State.DOWN or state.failed_at is not None:
        return Says.FAILS
    return Says.DEGRADED if state.state is State.DEGRADED else Says.ANSWERS
