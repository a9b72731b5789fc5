"""A whole daemon without a daemon: virtual time, checks at their cadence and rechecks, a world that says what is true.

The driver feeds outcomes and ticks in order, and can be told to lose drafts, to forget the process, and to commit whenever it likes.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from heapq import heappop, heappush
from typing import Any

from monitor.model import (
    Catalogue,
    Check,
    Daemon,
    Effect,
    Gap,
    GroupRule,
    Incident,
    IncidentEvent,
    Node,
    Policy,
    Province,
    Receiver,
    Retention,
    SelfCheck,
    State,
    Transition,
    Window,
)
from monitor.rules.topology import House
from monitor.rules.world import Draft, World, observe, observe_anchors, resume, tick
from probes.contract import Outcome, Reason, Seen

START = datetime(2026, 11, 21, 7, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def t(seconds: float) -> datetime:
    """Seconds after the start of the story."""
    return START + timedelta(seconds=seconds)


def sec(moment: datetime | None) -> float | None:
    return None if moment is None else (moment - START).total_seconds()


def outcome(seen: Seen | str, at: float, **facts: float) -> Outcome:
    seen = Seen(seen)
    reason = {Seen.OK: Reason.OK, Seen.FAILED: Reason.TIMEOUT, Seen.BLIND: Reason.OWN_NETWORK}[seen]
    return Outcome(seen=seen, reason=reason, detail=f"{seen}", started_at=t(at), seconds=0.01, facts=facts)


def check(id: str, every: float = 60, effect: Effect = Effect.DOWN, policy: Policy | None = None, **more: Any) -> Check:
    node, name = id.split("/")
    return Check(
        id=id,
        node=node,
        name=name,
        kind="icmp",
        spec=None,
        every=timedelta(seconds=every),
        timeout=timedelta(seconds=10),
        policy=policy or Policy(),
        effect=effect,
        **more,
    )


def catalogue(nodes: Iterable[Node], checks: Iterable[Check] = (), **more: Any) -> Catalogue:
    nodes = list(nodes)
    checks = list(checks) or [check(f"{n.id}/v4") for n in nodes if n.group is None]
    byid = {c.id: c for c in checks}
    of: dict[str, list[str]] = {n.id: [] for n in nodes}
    for c in checks:
        of[c.node].append(c.id)
    return Catalogue(
        province=Province(),
        daemon=Daemon(),
        parties={},
        nodes={n.id: replace(n, checks=tuple(of[n.id])) for n in nodes},
        checks=byid,
        receivers=more.pop("receivers", {"truc": Receiver(name="truc", kind="webhook", spec=None)}),
        routes=more.pop("routes", ()),
        maintenance=(),
        reports=(),
        retention=Retention(),
        monitor=more.pop("monitor", SelfCheck()),
        fingerprint="",
        **more,
    )


def node(id: str, *depends_on: str, **more: Any) -> Node:
    return Node(id=id, name=id, type=more.pop("type", "system"), depends_on=depends_on, **more)


def group(
    id: str,
    members: Sequence[str],
    share: float,
    at_least: int,
    within: float = 180,
    degraded: int | None = None,
    **more: Any,
) -> Node:
    rule = GroupRule(
        members=tuple(members),
        share=share,
        at_least=at_least,
        within=timedelta(seconds=within),
        degraded_at_least=degraded,
    )
    return Node(id=id, name=id, type="carrier", group=rule, **more)


Truth = Callable[[str, float], Seen | Outcome]
"""What a look at a check sees; a whole outcome where the reason or a fact matters."""


@dataclass
class Story:
    """Runs a catalogue against a truth, second by second. `phase` spreads the first looks."""

    catalogue: Catalogue
    truth: Truth
    windows: list[Window] = field(default_factory=list)
    anchors: Callable[[float], Mapping[str, bool]] | None = None
    commit: Callable[[int], str] = lambda _: "keep"
    transitions: list[Transition] = field(default_factory=list)
    events: list[IncidentEvent] = field(default_factory=list)
    stored: dict[str, dict[str, Any]] = field(default_factory=lambda: {"checks": {}, "nodes": {}, "incidents": {}})
    now: int = 0
    looks: int = 0
    after_tick: Callable[["Story"], None] | None = None

    def __post_init__(self) -> None:
        self.house = House.build(self.catalogue)
        self.world = World()
        self.queue: list[tuple[float, int, str, bool]] = []
        self.count = 0
        total = max(1, len(self.house.checks))
        for place, c in enumerate(self.house.checks.values()):
            self.push(c.every.total_seconds() * place / total, c.id, regular=True)
        draft = Draft(self.world)
        resume(draft, self.house, None, t(0))
        self.keep(draft)

    def push(self, at: float, id: str, *, regular: bool) -> None:
        self.count += 1
        heappush(self.queue, (at, self.count, id, regular))

    def keep(self, draft: Draft) -> None:
        self.transitions += draft.transitions
        self.events += draft.events
        for name, table in self.stored.items():
            table.update(getattr(draft, name))
            for id in draft.gone:
                table.pop(id, None)
        draft.apply()

    def run(self, until: int) -> "Story":
        backlog: list[tuple[str, Outcome]] = []
        while self.now < until:
            self.now += 1
            while self.queue and self.queue[0][0] <= self.now:
                at, _, id, regular = heappop(self.queue)
                found = self.house.checks.get(id)
                if found is None:
                    continue
                self.looks += 1
                seen = self.truth(id, at)
                backlog.append((id, seen if isinstance(seen, Outcome) else outcome(seen, at)))
                if regular:
                    self.push(at + found.every.total_seconds(), id, regular=True)
            draft = Draft(self.world)
            if self.anchors is not None and self.now % 5 == 0:
                observe_anchors(draft, self.house, self.anchors(self.now), t(self.now))
            for id, seen in backlog:
                observe(draft, self.house, id, seen, t(self.now))
            tick(draft, self.house, self.windows, t(self.now))
            verdict = self.commit(self.now)
            if verdict == "drop":
                continue
            backlog.clear()
            for wish in draft.rechecks:
                self.push(max(self.now + 0.001, sec(wish.at) or 0), wish.check, regular=False)
            self.keep(draft)
            if verdict == "restart":
                self.restart()
            if self.after_tick is not None:
                self.after_tick(self)
        return self

    def restart(self, gap: int = 0) -> None:
        """The process dies after the commit; `gap` seconds later another one reads the store."""
        self.world = World.remember(**{name: list(table.values()) for name, table in self.stored.items()})
        since, self.now = self.now, self.now + gap
        draft = Draft(self.world)
        resume(draft, self.house, Gap(since=t(since), until=t(self.now)), t(self.now))
        self.keep(draft)
        missed = [(at, id) for at, _, id, regular in self.queue if regular]
        self.queue.clear()
        for at, id in sorted(missed):
            every = self.house.checks[id].every.total_seconds()
            while at <= self.now:
                at += every
            self.push(at, id, regular=True)

    def act(self, act: Callable[..., Any], *args: Any, **more: Any) -> Any:
        draft = Draft(self.world)
        result = act(draft, *args, now=t(self.now), **more)
        self.keep(draft)
        return result

    @property
    def incidents(self) -> list[Incident]:
        return sorted(self.stored["incidents"].values(), key=lambda i: (i.opened_at, i.id))

    def told(self) -> list[tuple[float, str, str]]:
        """What receivers heard: when, what, about which node."""
        return [
            (sec(e.at) or 0, e.type.value.removeprefix("incident."), e.incident.node)
            for e in self.events
            if e.type.told and not e.data.get("quiet")
        ]

    def state(self, node: str) -> State:
        return Draft(self.world).node(node).state

    def ledger(self, subject: str) -> list[tuple[float, State]]:
        return ledger(self.transitions, subject)


def ledger(transitions: Iterable[Transition], subject: str) -> list[tuple[float, State]]:
    """The law of reading: sort by (at, judged_at), keep the last row of each `at`; rows that change nothing are left out."""
    rows: dict[datetime, State] = {}
    for row in sorted((r for r in transitions if r.subject == subject), key=lambda r: (r.at, r.judged_at)):
        rows[row.at] = row.state
    found: list[tuple[float, State]] = []
    for at, state in sorted(rows.items()):
        if not found or found[-1][1] is not state:
            found.append((sec(at) or 0, state))
    return found


def broken(*stretches: tuple[str, float, float]) -> Truth:
    """Nodes (or checks) that fail from..to; a name ending in `*` is a prefix."""

    def truth(id: str, at: float) -> Seen:
        for name, since, until in stretches:
            hit = id.startswith(name[:-1]) if name.endswith("*") else id == name or id.split("/")[0] == name
            if hit and since <= at < until:
                return Seen.FAILED
        return Seen.OK

    return truth


def province(per_carrier: int = 43) -> Catalogue:
    """129 links of three carriers below a hub, a video endpoint on each, as the configuration draws them."""
    carriers = ("vnpt", "viettel", "cmc")
    links = {c: [f"tslcd.{c}.{i}" for i in range(per_carrier)] for c in carriers}
    every = [link for c in carriers for link in links[c]]
    return catalogue(
        [
            node("hub"),
            *(node(link, "hub", type="link") for link in every),
            *(node(link.replace("tslcd", "hnth"), link, type="video") for link in every),
            *(group(f"carrier.{c}", links[c], 0.3, 3) for c in carriers),
            group("tslcd", every, 0.6, 10),
        ]
    )


def one(truth: Any, **more: Any) -> Story:
    """A single node `n`, looked at every 30 s."""
    return Story(catalogue([node("n", **more.pop("node", {}))], [check("n/a", every=30)]), truth, **more)


def heard(story: Story) -> list[str]:
    """What was told of it, in order."""
    return [what for _, what, _ in story.told()]
