"""The province's 129 links, as its own configuration draws them, in virtual time: looks at their cadence, answers that take their time, anchors.

What comes out are the events of the rules and the messages that they make, each with its second.
"""

import csv
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from heapq import heappop, heappush
from pathlib import Path
from tempfile import TemporaryDirectory

from monitor.app.application import compose
from monitor.model import Catalogue, Incident, IncidentEvent, Message, State, Transition
from monitor.notify import KINDS
from monitor.rules.spread import phase
from monitor.rules.topology import House
from monitor.rules.world import Draft, World, observe, observe_anchors, resume, tick
from monitor.settings import load
from probes.contract import Outcome, Reason, Seen

START = datetime(2026, 11, 21, 7, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
CONFIG = Path(__file__).parents[2] / "config"
ENVIRON = {
    "ONCALL_URL": "https://127.0.0.1/",
    "ONCALL_SECRET": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "NB_HUB": "127.0.0.2",
    "NB_DC_HUONG_1": "127.0.0.3",
    "NB_DC_HUONG_2": "127.0.0.4",
    "NB_ANCHOR_GATEWAY": "127.0.0.5",
    "NB_ANCHOR_DNS": "127.0.0.6",
    "NB_ANCHOR_CORE": "127.0.0.7",
}
ROUND = 0.02
"""Seconds in which anchors that live have answered."""


@cache
def plan() -> Catalogue:
    """config/ninhbinh with its links' addresses filled in, two carriers taking turns; what else waits for an address is left out."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copytree(CONFIG, folder, dirs_exist_ok=True)
        table = folder / "ninhbinh" / "communes.csv"
        with table.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        for number, row in enumerate(rows):
            row |= {"carrier": ("vnpt", "viettel")[number % 2], "cpe_ipv4": f"127.1.0.{number + 1}"}
        with table.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
        return load(folder / "ninhbinh.yaml", environ=ENVIRON, receivers=KINDS).catalogue


@cache
def house() -> House:
    return House.build(plan())


def links(**wanted: str) -> list[str]:
    """The links of a carrier, or with a label."""
    return [
        id
        for id, node in plan().nodes.items()
        if node.type == "link" and all(value in (node.carrier, node.labels.get(key)) for key, value in wanted.items())
    ]


def at(second: float) -> datetime:
    return START + timedelta(seconds=second)


def second(moment: datetime | None) -> float:
    assert moment is not None
    return (moment - START).total_seconds()


Spell = tuple[float, float]


@dataclass
class Storm:
    """Runs the province: `cuts` are nodes that answer nothing from..to, `silent` the seconds in which nothing answers us, the anchors included."""

    cuts: Mapping[str, Spell]
    silent: Spell | None = None
    events: list[IncidentEvent] = field(default_factory=list)
    messages: list[tuple[float, Message]] = field(default_factory=list)
    transitions: list[Transition] = field(default_factory=list)
    looks: int = 0

    def __post_init__(self) -> None:
        self.plan, self.house, self.world = plan(), house(), World()
        self.queue: list[tuple[float, int, str, Outcome | None]] = []
        self.count, self.now = 0, 0
        self.slots: dict[str, float] = {}
        self.extra: dict[str, float] = {}
        self.flying: set[str] = set()
        self.round_ends: float | None = None
        self.began = 0.0
        self.held: list[tuple[str, Outcome]] = []
        for check in self.house.checks.values():
            self.push(phase(check.id, check.every).total_seconds(), check.id)
            self.slots[check.id] = self.queue[-1][0]
        self.slots = {name: when for when, _, name, _ in self.queue}
        draft = Draft(self.world)
        resume(draft, self.house, None, at(0))
        self.keep(draft)

    def push(self, when: float, check: str, outcome: Outcome | None = None) -> None:
        self.count += 1
        heappush(self.queue, (when, self.count, check, outcome))

    def dead(self, node: str, when: float) -> bool:
        if self.silent and self.silent[0] <= when < self.silent[1]:
            return True
        spell = self.cuts.get(node)
        return spell is not None and spell[0] <= when < spell[1]

    def run(self, until: float, *, step: int = 1) -> "Storm":
        """Go on to a second; where nothing is to be seen, in longer steps."""
        while self.now < int(until):
            self.now = min(self.now + step, int(until))
            backlog: list[tuple[str, Outcome]] = []
            draft = Draft(self.world)
            while self.queue and self.queue[0][0] <= self.now:
                when, _, name, outcome = heappop(self.queue)
                if outcome is None:
                    self.fire(when, name)
                else:
                    self.flying.discard(name)
                    if outcome.seen is Seen.FAILED:
                        self.held.append((name, outcome))
                        if self.round_ends is None:
                            self.round(when)
                    else:
                        backlog.append((name, outcome))
            if self.round_ends is None and self.now - self.began >= 10:
                self.round(self.now)
            self.anchors(draft, backlog)
            for name, outcome in backlog:
                observe(draft, self.house, name, outcome, at(self.now))
            tick(draft, self.house, (), at(self.now))
            self.keep(draft)
        return self

    def fire(self, when: float, name: str) -> None:
        check = self.house.checks[name]
        if when == self.slots[name]:
            self.slots[name] = when + check.every.total_seconds()
            self.push(self.slots[name], name)
        elif self.extra.get(name) == when:
            del self.extra[name]
        else:
            return  # An earlier wish took its place.
        if name in self.flying:
            return
        self.flying.add(name)
        self.looks += 1
        if self.dead(check.node, when):
            seconds = check.timeout.total_seconds()
            seen, reason = Seen.FAILED, Reason.TIMEOUT
        else:
            seconds, seen, reason = 0.5, Seen.OK, Reason.OK
        outcome = Outcome(seen=seen, reason=reason, detail="", started_at=at(when), seconds=seconds, facts={})
        self.push(when + seconds, name, outcome)

    def round(self, when: float) -> None:
        """Ask the anchors; who is silent is waited for."""
        self.began = when
        self.round_ends = when + (10.0 if self.silent and self.silent[0] <= when < self.silent[1] else ROUND)

    def anchors(self, draft: Draft, backlog: list[tuple[str, Outcome]]) -> None:
        """A round that has ended: what failed is believed, or it was we."""
        if self.round_ends is None or self.round_ends > self.now:
            return
        self.round_ends = None
        alive = not (self.silent and self.silent[0] <= self.began < self.silent[1])
        answers = {anchor.id: alive for anchor in self.house.monitor.anchors}
        observe_anchors(draft, self.house, answers, at(self.now), started_at=at(self.began))
        if alive:
            backlog += self.held
        self.held.clear()

    def keep(self, draft: Draft) -> None:
        self.transitions += draft.transitions
        for event in draft.events:
            self.events.append(event)
            self.messages += [(self.now, message) for message in compose(self.plan, event, at(self.now))]
        for wish in draft.rechecks:
            due = max(self.now + 0.001, second(wish.at))
            if self.extra.get(wish.check, float("inf")) <= due or self.slots[wish.check] <= due:
                continue
            self.extra[wish.check] = due
            self.push(due, wish.check)
        draft.apply()

    @property
    def incidents(self) -> list[Incident]:
        """Every incident there was, as it stands."""
        return list({event.incident.id: event.incident for event in self.events}.values())

    def state(self, node: str) -> State:
        return Draft(self.world).node(node).state
