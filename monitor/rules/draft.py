"""What is known, and what is about to be: the world, and an overlay on it that can be dropped.

Owns: the containers and their reading-through. Never: decides anything.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from monitor.model import (
    MONITOR,
    CheckState,
    Incident,
    IncidentEvent,
    NodeState,
    Recheck,
    State,
    Transition,
    Window,
)
from monitor.model.habits import Habit, Learned

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitorState:
    """Whether we can see. `cut_since` is the start of the last anchor round that was good, while we are cut off; it is also that incident's start."""

    cut_since: datetime | None = None
    good_at: datetime | None = None
    """The latest good anchor round; not stored, a restart begins without one."""

    @property
    def connected(self) -> bool:
        """Whether the last anchor round reached its quorum."""
        return self.cut_since is None


@dataclass(slots=True)
class World:
    """Everything judged so far, as last committed. Only `Draft.apply` and a reload change it.

    Stored are `checks`, `nodes` and `incidents`: the active ones, and those closed of late (an hour is enough: they may come back); and of
    `habits` what is normal. Windows begin empty, and a check that has left keeps its habit: it may come back.
    The rest is made from these and from what arrives: `seen` (start of each check's latest outcome that saw), `unwell` (nodes with a failure
    that is judged or may become one, since when), and the work that waits for the next tick.
    """

    checks: dict[str, CheckState] = field(default_factory=dict)
    habits: dict[str, Habit] = field(default_factory=dict)
    nodes: dict[str, NodeState] = field(default_factory=dict)
    incidents: dict[str, Incident] = field(default_factory=dict)
    monitor: MonitorState = MonitorState()
    seen: dict[str, datetime] = field(default_factory=dict)
    unwell: dict[str, datetime] = field(default_factory=dict)
    asked: dict[str, datetime] = field(default_factory=dict)
    latest: dict[str, str] = field(default_factory=dict)
    member: dict[str, str] = field(default_factory=dict)
    covered: frozenset[str] = frozenset()
    active: set[str] = field(default_factory=set)
    dirty: set[str] = field(default_factory=set)
    waiting: set[str] = field(default_factory=set)
    touched: set[str] = field(default_factory=set)
    turned: set[str] = field(default_factory=set)
    ticked: datetime | None = None
    booted: dict[str, tuple[datetime, datetime]] = field(default_factory=dict)
    """By node: since when its device has been running, and when it was asked."""
    stirred: set[str] = field(default_factory=set)
    """Nodes about which something new is known, for the grounds of the incidents they bear upon."""
    unsure: set[str] = field(default_factory=set)
    """Incidents whose ground is to be looked at again, and when each last was."""
    reviewed: dict[str, datetime] = field(default_factory=dict)
    due: dict[str, tuple[Incident, datetime]] = field(default_factory=dict)
    """Until when time alone changes nothing about this very version of an incident: a note, true of any draft."""
    windows: tuple[Window, ...] = ()

    @classmethod
    def remember(
        cls,
        *,
        checks: Iterable[CheckState] = (),
        nodes: Iterable[NodeState] = (),
        incidents: Iterable[Incident] = (),
        habits: Iterable[Learned] = (),
    ) -> "World":
        """The world out of the store. Follow it with `resume`, which makes the derived parts and says what the pause means."""
        world = cls(
            checks={state.check: state for state in checks},
            habits={one.check: Habit(check=one.check, normals=one.normals) for one in habits},
            nodes={state.node: state for state in nodes},
            incidents={incident.id: incident for incident in incidents},
        )
        for incident in sorted(world.incidents.values(), key=lambda i: (i.opened_at, i.id)):
            if incident.node not in world.latest or not world.incidents[world.latest[incident.node]].state.active:
                world.latest[incident.node] = incident.id
            if incident.state.active:
                world.active.add(incident.id)
                world.member.update({a.node: incident.id for a in incident.affected if a.until is None})
                world.latest[incident.node] = incident.id
                if incident.node == MONITOR:
                    world.monitor = MonitorState(cut_since=incident.started_at)
        return world


class Draft:
    """An overlay on a world: reads through, collects what changes. `apply` writes it down; dropped, it never was.

    To be stored in one transaction: `checks`, `learned` (habits whose normals changed), `nodes`, `incidents` (changed ones only),
    `transitions`, `events`, in the order they came.
    `rechecks` are wishes to the schedule. `gone` are ids of nodes and checks that left the configuration.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self.checks: dict[str, CheckState] = {}
        self.habits: dict[str, Habit] = {}
        self.learned: dict[str, Habit] = {}
        self.nodes: dict[str, NodeState] = {}
        self.incidents: dict[str, Incident] = {}
        self.transitions: list[Transition] = []
        self.events: list[IncidentEvent] = []
        self.rechecks: list[Recheck] = []
        self.gone: set[str] = set()
        self.monitor = world.monitor
        self.windows: tuple[Window, ...] = world.windows
        self.seen: dict[str, datetime] = {}
        self.unwell: dict[str, datetime | None] = {}
        self.asked: dict[str, datetime] = {}
        self.latest: dict[str, str] = {}
        self.member: dict[str, str | None] = {}
        self.covered = world.covered
        self.active = set(world.active)
        self.dirty = set(world.dirty)
        self.waiting = set(world.waiting)
        self.touched = set(world.touched)
        self.turned = set(world.turned)
        self.booted: dict[str, tuple[datetime, datetime]] = {}
        self.stirred = set(world.stirred)
        self.unsure = set(world.unsure)
        self.reviewed: dict[str, datetime] = {}
        self.ticked = world.ticked
        self.spare: dict[str, datetime] = {}
        """Nodes whose redundancy was lost or came back, and the earliest moment from which it is so."""
        self.forgotten: set[str] = set()

    @property
    def empty(self) -> bool:
        """Whether there is nothing to store (what is only remembered may still have moved)."""
        kept = self.checks or self.nodes or self.incidents or self.transitions or self.events
        return not (kept or self.gone or self.learned)

    def check(self, id: str) -> CheckState:
        """The check as it stands in this draft; one never seen is `unknown`."""
        return self.checks.get(id) or self.world.checks.get(id) or CheckState(check=id)

    def habit(self, id: str) -> Habit:
        """How the check usually measures, as it stands in this draft."""
        return self.habits.get(id) or self.world.habits.get(id) or Habit(check=id)

    def learn(self, habit: Habit, *, stored: bool) -> None:
        """Keep this version of a habit; `stored` when what is normal has changed."""
        self.habits[habit.check] = habit
        if stored:
            self.learned[habit.check] = habit

    def node(self, id: str) -> NodeState:
        """The node as it stands in this draft; one never judged is `unknown`."""
        return self.nodes.get(id) or self.world.nodes.get(id) or NodeState(node=id)

    def incident(self, id: str) -> Incident | None:
        """The incident as it stands in this draft, while it is remembered."""
        return self.incidents.get(id) or self.world.incidents.get(id)

    def latest_incident(self, node: str) -> Incident | None:
        """The latest incident whose root is this node, active or closed of late."""
        id = self.latest.get(node) or self.world.latest.get(node)
        return self.incident(id) if id else None

    def active_incident(self, node: str) -> Incident | None:
        """The active incident whose root is this node."""
        incident = self.latest_incident(node)
        return incident if incident is not None and incident.state.active else None

    def seen_at(self, check: str) -> datetime | None:
        """When the check's latest outcome that saw anything had started."""
        return self.seen.get(check) or self.world.seen.get(check) or self.world_seen(check)

    def world_seen(self, check: str) -> datetime | None:
        """What the store remembers of it: exact when the check last changed, else older."""
        state = self.world.checks.get(check)
        return state.seen_at if state else None

    def unwell_since(self, node: str) -> datetime | None:
        """The start of the node's failure, judged or still suspected."""
        return self.unwell[node] if node in self.unwell else self.world.unwell.get(node)

    def member_of(self, node: str) -> str | None:
        """The incident in which the node is listed as affected, and still is."""
        return self.member[node] if node in self.member else self.world.member.get(node)

    def asked_at(self, key: str) -> datetime | None:
        """When this check, or the members of this group, were last asked out of turn."""
        return self.asked.get(key) or self.world.asked.get(key)

    def booted_at(self, node: str) -> tuple[datetime, datetime] | None:
        """Since when the node's device has been running, and when it was asked."""
        return self.booted.get(node) or self.world.booted.get(node)

    def reviewed_at(self, incident: str) -> datetime | None:
        """When the incident's ground was last looked at."""
        return self.reviewed.get(incident) or self.world.reviewed.get(incident)

    def put(self, incident: Incident) -> None:
        """Keep this version of an incident."""
        self.incidents[incident.id] = incident
        if incident.state.active:
            self.active.add(incident.id)
        else:
            self.active.discard(incident.id)

    def in_maintenance(self, node: str, now: datetime) -> Window | None:
        """The window that covers the node now; of several the one that ends last."""
        found = [w for w in self.windows if w.start <= now < w.end and node in w.nodes]
        return max(found, key=lambda w: (w.end, w.id)) if found else None

    def apply(self) -> None:
        """Write the overlay into the world: call it once, after the commit."""
        world = self.world
        world.checks.update(self.checks)
        world.habits.update(self.habits)
        world.nodes.update(self.nodes)
        world.incidents.update(self.incidents)
        world.seen.update(self.seen)
        world.asked.update(self.asked)
        world.latest.update(self.latest)
        _overlay(world.unwell, self.unwell)
        _overlay(world.member, self.member)
        for id in self.gone:
            for table in (world.checks, world.nodes, world.seen, world.unwell, world.asked, world.member, world.latest):
                table.pop(id, None)
        world.monitor, world.windows, world.covered = self.monitor, self.windows, self.covered
        world.active, world.dirty, world.waiting = self.active, self.dirty, self.waiting
        world.touched, world.turned, world.ticked = self.touched, self.turned, self.ticked
        world.stirred, world.unsure = self.stirred, self.unsure
        world.booted.update(self.booted)
        world.reviewed.update(self.reviewed)
        for id in self.forgotten:
            incident = world.incidents.pop(id, None)
            world.due.pop(id, None)
            world.reviewed.pop(id, None)
            if incident is not None and world.latest.get(incident.node) == id:
                del world.latest[incident.node]


def _overlay(table: dict[str, Value], changes: dict[str, Value | None]) -> None:
    """Write changes into a table; None takes the key away."""
    for key, value in changes.items():
        if value is None:
            table.pop(key, None)
        else:
            table[key] = value


def display(state: CheckState) -> State:
    """What the ledger shows of a check now: unknown while we are blind, whatever the verdict that stands."""
    return State.UNKNOWN if state.blind_since is not None else state.state
