"""From the blocks of video meetings to plans, and the announced work that would fall into one.

Owns: the meetings of the catalogue and what is wrong with them.
Never: computes the moments of a cron line or reads a clock; who loads the configuration gives both.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Final
from zoneinfo import ZoneInfo

from monitor.model import Check, MaintenancePlan, MeetingPlan, Node
from monitor.settings.build import Draft, select
from monitor.settings.sentences import Path, span
from monitor.settings.times import localized

POINTS: Final = "video"
"""The type of nodes that take part when a meeting does not say which."""

AHEAD: Final = timedelta(days=35)
"""How far ahead what comes round is held against other things that come round."""

MOST: Final = 1000
"""Occurrences of one line that are looked at."""

Occurrences = Callable[[str, ZoneInfo, datetime, datetime], Iterable[datetime]]
"""The moments in [start, end) that a cron line names in a zone."""


@dataclass(frozen=True, slots=True)
class Almanac:
    """What telling the moments of a cron line takes: `now` is where looking ahead begins."""

    occurrences: Occurrences
    now: datetime


class Meetings:
    """Builds the meetings of one file."""

    def __init__(self, draft: Draft, zone: ZoneInfo, almanac: Almanac | None) -> None:
        self.draft, self.zone, self.almanac = draft, zone, almanac

    def build(
        self, nodes: Mapping[str, Node], checks: Mapping[str, Check], maintenance: Sequence[MaintenancePlan]
    ) -> tuple[MeetingPlan, ...]:
        """The plans in the order of the file; announced work over any of their points is a warning."""
        made, seen = [], set()
        for index, block in enumerate(self.draft.file.meetings):
            path = ("meetings", str(index))
            if block.id in seen:
                message = f"{block.id!r} is already the id of another meeting: each needs its own"
                self.draft.say((*path, "id"), message)
            seen.add(block.id)
            start = localized(block.start, self.zone) if block.start else None
            end = localized(block.end, self.zone) if block.end else None
            if start and end and end <= start:
                self.draft.say((*path, "to"), "the meeting ends before it begins: write a later moment than from")
            plan = MeetingPlan(
                id=block.id,
                name=block.name,
                nodes=self._points(index, nodes),
                start=start,
                end=end,
                cron=block.cron or "",
                length=block.length,
                ready_before=block.ready_before,
                every=block.every,
            )
            self._check_pace(plan, path, nodes, checks)
            self._check_work(plan, path, nodes, maintenance)
            made.append(plan)
        return tuple(made)

    def _points(self, index: int, nodes: Mapping[str, Node]) -> tuple[str, ...]:
        """Those that take part and are watched."""
        path, block = ("meetings", str(index)), self.draft.file.meetings[index]
        if block.nodes is None:
            found = [name for name, node in self.draft.file.nodes.items() if node.type == POINTS]
            if not found and not self.draft.incomplete:
                self.draft.say(path, f"there is no node of type {POINTS}: write which nodes take part")
        else:
            found = select(self.draft, block.nodes, (*path, "nodes"))
            for name in found:
                if name in self.draft.file.groups:
                    self.draft.say((*path, "nodes"), f"{name!r} is a group: what takes part in a meeting is a node")
        watched = tuple(name for name in found if name in nodes)
        if found and not watched:
            message = "none of its points is watched yet: nothing will be said of their readiness"
            self.draft.say(path, message, warning=True)
        return watched

    def _check_pace(
        self, plan: MeetingPlan, path: Path, nodes: Mapping[str, Node], checks: Mapping[str, Check]
    ) -> None:
        slow = [
            check
            for node in plan.nodes
            for name in nodes[node].checks
            if (check := checks.get(name)) is not None and check.timeout >= plan.every < check.every
        ]
        if slow:
            first = f"{slow[0].id} may take {span(slow[0].timeout)}"
            more = f" (and {len(slow) - 1} more like it)" if len(slow) > 1 else ""
            message = f"{first}{more}: it keeps its own pace, which every {span(plan.every)} does not change"
            self.draft.say(path, message, warning=True)

    def _check_work(
        self, plan: MeetingPlan, path: Path, nodes: Mapping[str, Node], maintenance: Sequence[MaintenancePlan]
    ) -> None:
        """No work while people meet: what is announced over a point, or over what it depends on, is told."""
        concerned = _with_ancestors(plan.nodes, nodes)
        for work in maintenance:
            if concerned.isdisjoint(work.nodes):
                continue
            moment = next(self._both(plan, work), None)
            if moment is not None:
                local = moment.astimezone(self.zone)
                message = (
                    f"the maintenance {work.id!r} falls into this meeting ({local:%Y-%m-%d %H:%M}): move one of them"
                )
                self.draft.say(path, message, warning=True)

    def _both(self, plan: MeetingPlan, work: MaintenancePlan) -> Iterator[datetime]:
        """The beginnings of what lies in both, soonest first."""
        around = (plan.start, plan.end) if plan.start and plan.end else (work.start, work.end)
        meetings, works = self._stretches(plan, around), self._stretches(work, around)
        for since, until in meetings:
            for begins, ends in works:
                if begins < until and ends > since:
                    yield max(since, begins)

    def _stretches(
        self, plan: MeetingPlan | MaintenancePlan, around: tuple[datetime | None, datetime | None]
    ) -> list[tuple[datetime, datetime]]:
        """When it takes place, as far as that meets `around`, or the next weeks where there is none."""
        if plan.start is not None and plan.end is not None:
            return [(plan.start, plan.end)]
        if self.almanac is None or plan.length is None:
            return []
        now, (since, until) = self.almanac.now, around
        since, until = since or now, until or now + AHEAD
        found = self.almanac.occurrences(plan.cron, self.zone, since - plan.length, until)
        return [(moment, moment + plan.length) for moment in islice(found, MOST)]


def _with_ancestors(points: Iterable[str], nodes: Mapping[str, Node]) -> set[str]:
    found: set[str] = set()
    waiting = list(points)
    while waiting:
        name = waiting.pop()
        if name in nodes and name not in found:
            found.add(name)
            waiting.extend(nodes[name].depends_on)
    return found
