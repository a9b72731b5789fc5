"""From validated blocks to who is told, what is announced and which reports are made.

Owns: receivers, routes, maintenance and reports of the catalogue; leaving out the receivers that nothing can send to yet.
Never: decides who is told of one incident; the rules do.
"""

from collections.abc import Container, Iterable, Mapping
from types import MappingProxyType
from typing import Final, Literal
from zoneinfo import ZoneInfo

from monitor.model import EscalationStep, MaintenancePlan, Match, Receiver, ReportPlan, Route
from monitor.settings import language
from monitor.settings.blocks import RouteMatchBlock
from monitor.settings.build import Draft, check_match, select
from monitor.settings.effect import idle, idle_receiver
from monitor.settings.problems import guess
from monitor.settings.schema import Grammar
from monitor.settings.sentences import Path
from monitor.settings.times import check_at, localized

REPORTS: Final[tuple[Literal["daily", "weekly", "monthly", "quarterly", "yearly"], ...]] = (
    "daily",
    "weekly",
    "monthly",
    "quarterly",
    "yearly",
)


class Telling:
    """Builds what follows an incident, from one file."""

    def __init__(self, draft: Draft, words: Grammar) -> None:
        self.draft, self.words = draft, words
        self.file = draft.file

    def receivers(self) -> dict[str, Receiver]:
        """Those that can be sent to."""
        made: dict[str, Receiver] = {}
        for name, block in self.file.receivers.items():
            kind, spec = block.kind()
            if not idle_receiver(name, self.draft.written(("receivers", name)), self.words):
                made[name] = Receiver(name=name, kind=kind, spec=spec, gather=block.gather or None)
        return made

    def routes(self, receivers: Mapping[str, Receiver]) -> tuple[Route, ...]:
        """In the order of the file."""
        made = []
        for index, block in enumerate(self.file.routes):
            path = ("routes", str(index))
            check_match(self.draft, block.match, (*path, "match"))
            send = self._send(block.send, (*path, "send"), receivers)
            if block.send and not send:
                message = "none of these receivers is in effect yet: nobody is told by this route"
                self.draft.say((*path, "send"), message, warning=True)
            steps = [
                EscalationStep(
                    after=step.after,
                    at=step.at,
                    unless=step.unless,
                    send=self._send(step.send, (*path, "escalate", str(number), "send"), receivers),
                )
                for number, step in enumerate(block.escalate)
            ]
            made.append(Route(match=_match(block.match), send=send, escalate=tuple(steps), go_on=block.go_on))
        return tuple(made)

    def _send(self, names: Iterable[str], path: Path, receivers: Mapping[str, Receiver]) -> tuple[str, ...]:
        known = self.draft.validation.names["receivers"]
        for name in names:
            if name not in known:
                self.draft.say(path, f"there is no receiver {name!r}{guess(name, known)}")
        return tuple(dict.fromkeys(name for name in names if name in receivers))

    def maintenance(self, zone: ZoneInfo, nodes: Container[str]) -> tuple[MaintenancePlan, ...]:
        """Announced work, its nodes resolved."""
        made, seen = [], set()
        for index, block in enumerate(self.file.maintenance):
            path = ("maintenance", str(index))
            if block.id in seen:
                self.draft.say((*path, "id"), f"{block.id!r} is already the id of another window: each needs its own")
            seen.add(block.id)
            start = localized(block.start, zone) if block.start else None
            end = localized(block.end, zone) if block.end else None
            if start and end and end <= start:
                self.draft.say((*path, "to"), "the window ends before it begins: write a later moment than from")
            made.append(
                MaintenancePlan(
                    id=block.id,
                    nodes=tuple(each for each in select(self.draft, block.nodes, (*path, "nodes")) if each in nodes),
                    reason=block.reason,
                    start=start,
                    end=end,
                    cron=block.cron or "",
                    length=block.length,
                    announced_at=localized(block.announced_at, zone) if block.announced_at else None,
                    force_majeure=block.force_majeure,
                )
            )
        return tuple(made)

    def reports(self, receivers: Mapping[str, Receiver]) -> tuple[ReportPlan, ...]:
        """Those that are asked for."""
        made = []
        for kind in REPORTS:
            block: language.ReportBlock | None = getattr(self.file.reports, kind)
            if block is None:
                continue
            try:
                check_at(kind, block.at)
            except ValueError as error:
                self.draft.say(("reports", kind, "at"), str(error))
            send = self._send(block.send, ("reports", kind, "send"), receivers)
            formats = tuple(each for each in block.formats if not idle(("reports", kind, "formats", "0"), each))
            made.append(ReportPlan(kind=kind, at=block.at, formats=formats, send=send))
        return tuple(made)


def _match(block: RouteMatchBlock) -> Match:
    return Match(
        node=block.node,
        type=block.type,
        severity=tuple(severity.value for severity in block.severity),
        owner=block.owner,
        carrier=block.carrier,
        labels=MappingProxyType(dict(block.labels)),
        event=block.event,
    )
