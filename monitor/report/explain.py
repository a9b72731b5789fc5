"""Where a figure comes from: `explain(source, node or incident, period)`, down to the outcomes at the edge of every interval.

Owns: the intervals with the row of the history, the parent, the window or the gap that put them in their bucket, and how they are told.
Never: computes differently from the report: the ledger here is the reference that the report's columns are held to.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from monitor import words
from monitor.model import Bucket, Gap, Ground, Incident, IncidentEvent, Node, Span, State, Transition, Window
from monitor.report.as_json import Json, figures, moment, seconds
from monitor.report.build import against_target
from monitor.report.figures import Source
from monitor.rules import ledger
from monitor.rules.calendar import Period
from monitor.rules.ledger import Ledger
from monitor.rules.public import ground_object

INDENT = "    "


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """One interval in one bucket, and all that put it there.

    `row` is the transition in force when it begins. `parents` were down above it, when it is unreachable. `window` and `gap` are what lies
    over it, when it is excluded or unknown.
    """

    span: Span
    row: Transition | None
    parents: tuple[str, ...] = ()
    window: Window | None = None
    gap: Gap | None = None

    def as_dict(self) -> Json:
        """As plain values."""
        row, window, gap = self.row, self.window, self.gap
        return {
            "since": moment(self.span.since),
            "until": moment(self.span.until),
            "seconds": seconds(self.span.until - self.span.since),
            "bucket": self.span.bucket.value,
            "transition": None
            if row is None
            else {
                "at": moment(row.at),
                "state": row.state.value,
                "reason": row.reason.value,
                "detail": row.detail,
                "after": moment(row.after) if row.after else None,
                "judged_at": moment(row.judged_at) if row.judged_at else None,
                "sampling_gap_seconds": seconds(row.at - row.after) if row.after else None,
            },
            "parents": list(self.parents),
            "maintenance": None if window is None else {"id": window.id, "reason": window.reason},
            "gap": None
            if gap is None
            else {"since": moment(gap.since), "until": moment(gap.until), "reason": gap.reason.value},
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """A node's intervals over a period with the figures they add up to; and the incident, when one was asked about."""

    source: Source
    period: Period
    node: Node
    ledger: Ledger
    pieces: tuple[Piece, ...]
    incident: Incident | None = None
    events: tuple[IncidentEvent, ...] = ()

    def as_dict(self) -> Json:
        """As plain values, for `--json`."""
        found: Json = {
            "node": {"id": self.node.id, "name": self.node.name, "type": self.node.type},
            "period": {"start": moment(self.period.start), "end": moment(self.period.end)},
            "figures": figures(self.ledger),
            "intervals": [piece.as_dict() for piece in self.pieces],
            "incident": None,
        }
        if self.incident is not None:
            found["incident"] = self._incident(self.incident)
        return found

    def _incident(self, incident: Incident) -> Json:
        row = against_target(self.source, incident, self.period.end)
        return {
            "id": incident.id,
            "state": incident.state.value,
            "started_at": moment(incident.started_at),
            "detected_at": moment(incident.detected_at),
            "opened_at": moment(incident.opened_at),
            "resolved_at": moment(incident.resolved_at) if incident.resolved_at else None,
            "deadline": moment(incident.started_at + incident.target + row.paused),
            "elapsed_seconds": seconds(row.elapsed),
            "paused_seconds": seconds(row.paused),
            "target_seconds": seconds(incident.target),
            "met": row.met,
            "evidence": incident.evidence,
            "ground": ground_object(incident.ground, self.source.catalogue) if incident.ground is not None else None,
            "merged_into": incident.merged_into or None,
            "affected": [
                {"id": one.node, "since": moment(one.since), "until": moment(one.until) if one.until else None}
                for one in incident.affected
            ],
            "events": [
                {"sequence": event.sequence, "type": event.type.value, "at": moment(event.at), "by": event.by}
                | {"text": event.text}
                for event in self.events
            ],
        }

    def text(self, lang: words.Lang | None = None) -> str:
        """For a person to read, line by line."""
        return "\n".join(_Teller(self, lang or self.source.language).lines())


def explain(
    source: Source,
    subject: str,
    period: Period,
    *,
    incident: Incident | None = None,
    events: Sequence[IncidentEvent] = (),
) -> Explanation:
    """Explain a node, or an incident (given, or one of the source's), over what is known of `period`.

    Of an incident only the intervals it touches are told. LookupError when `subject` is neither.
    """
    incident = incident or next((one for one in source.incidents if one.id == subject), None)
    name = incident.node if incident is not None else subject
    node = source.catalogue.nodes.get(name)
    if node is None and incident is None:
        raise LookupError(f"{subject} is neither a node nor an incident")
    node = node or Node(id=name, name=name, type="")
    known = replace(period, end=max(min(period.end, source.generated_at), period.start + timedelta(microseconds=1)))
    windows = [window for window in source.windows if node.id in window.nodes]
    history = source.history(node.id)
    pieces = _pieces(source, node, known, windows)
    if incident is not None:
        over = incident.resolved_at or known.end
        pieces = [piece for piece in pieces if piece.span.until > incident.started_at and piece.span.since < over]
    return Explanation(
        source=source,
        period=known,
        node=node,
        ledger=ledger.account(history, start=known.start, end=known.end, gaps=source.gaps, windows=windows),
        pieces=tuple(pieces),
        incident=incident,
        events=tuple(events),
    )


def _pieces(source: Source, node: Node, period: Period, windows: Sequence[Window]) -> list[Piece]:
    history = ledger.order(source.history(node.id))
    base = ledger.spans(history, start=period.start, end=period.end)
    pieces = []
    for span in ledger.lay(base, source.gaps, windows):
        row = next((row for row in reversed(history) if row.at <= span.since), None)
        over: dict[str, Any] = {}
        if span.bucket is Bucket.UNREACHABLE:
            over["parents"] = tuple(_down_above(source, node, span))
        elif span.bucket is Bucket.EXCLUDED:
            over["window"] = next((w for w in windows if w.start <= span.since < w.end), None)
        elif span.bucket is Bucket.UNKNOWN:
            over["gap"] = next((gap for gap in source.gaps if gap.since <= span.since < gap.until), None)
        pieces.append(Piece(span=span, row=row, **over))
    return pieces


def _down_above(source: Source, node: Node, span: Span) -> Iterator[str]:
    """The ancestors, and the groups it is a member of, that were down at some moment of the interval; nearest first."""
    nodes = source.catalogue.nodes
    queue = [*node.depends_on, *(one.id for one in nodes.values() if one.group and node.id in one.group.members)]
    seen: set[str] = set()
    while queue:
        name = queue.pop(0)
        if name in seen or name not in nodes:
            continue
        seen.add(name)
        above = ledger.spans(source.history(name), start=span.since, end=span.until)
        if any(one.bucket is Bucket.DOWN for one in above):
            yield name
        queue.extend(nodes[name].depends_on)


class _Teller:
    """An explanation in words."""

    def __init__(self, told: Explanation, lang: words.Lang) -> None:
        self.told, self.lang = told, lang
        self.zone = told.source.catalogue.province.zone

    def say(self, key: str, **values: Any) -> str:
        return words.say(f"explain.{key}", self.lang, **values)

    def at(self, when: datetime | None) -> str:
        return words.moment(when, self.zone, self.lang, seconds=True)

    def long(self, length: timedelta | None) -> str:
        return words.duration(length, self.lang)

    def percent(self, share: float | None) -> str:
        return words.percent(share, self.lang)

    def name(self, node: str) -> str:
        known = self.told.source.catalogue.nodes.get(node)
        return f"{known.name} ({node})" if known else node

    def lines(self) -> Iterator[str]:
        told = self.told
        if told.incident is not None:
            yield from self.incident(told.incident)
        yield self.say("node", name=told.node.name, id=told.node.id)
        yield self.say("period", start=self.at(told.period.start), end=self.at(told.period.end))
        yield from self.figures(told.ledger)
        yield ""
        for piece in told.pieces:
            yield from self.piece(piece)

    def figures(self, account: Ledger) -> Iterator[str]:
        share, own = account.availability, account.own
        if share.value is None:
            yield self.say("nothing_counts")
        else:
            counted = account.good + account.bad
            yield self.say(
                "formula", good=self.long(account.good), counted=self.long(counted), value=self.percent(share.value)
            )
            lost = sum((length for edge, length in account.slack.items() if edge[0] is Bucket.UP), ledger.ZERO)
            won = sum((length for edge, length in account.slack.items() if edge[1] is Bucket.UP), ledger.ZERO)
            yield self.say(
                "bounds",
                low=self.percent(share.low),
                high=self.percent(share.high),
                lost=self.long(lost),
                won=self.long(won),
            )
        if own.value is not None:
            counted = account.good + account.time[Bucket.DOWN]
            yield self.say(
                "own", good=self.long(account.good), counted=self.long(counted), value=self.percent(own.value)
            )
        yield self.say("coverage", value=self.percent(account.coverage))
        yield self.say(
            "outages", count=account.outages, longest=self.long(account.longest), mttr=self.long(account.mttr)
        )

    def piece(self, piece: Piece) -> Iterator[str]:
        span = piece.span
        yield self.say(
            "span",
            since=self.at(span.since),
            until=self.at(span.until),
            length=self.long(span.until - span.since),
            bucket=words.bucket(span.bucket, self.lang),
        )
        for line in self.why(piece):
            yield INDENT + line

    def why(self, piece: Piece) -> Iterator[str]:
        if piece.window is not None:
            yield self.say("why.window", id=piece.window.id, reason=piece.window.reason)
            return
        if piece.gap is not None:
            reason = words.reason(piece.gap.reason, self.lang)
            yield self.say("why.gap", reason=reason, since=self.at(piece.gap.since), until=self.at(piece.gap.until))
            return
        row = piece.row
        if row is None:
            yield self.say("why.never")
            return
        detail = f" ({words.measured(row.detail, self.lang) or row.detail})" if row.detail else ""
        reason = words.reason(row.reason, self.lang) if row.reason.value != "ok" else self.state(row.state)
        yield self.say("why.outcome", at=self.at(row.at), reason=reason, detail=detail, judged=self.at(row.judged_at))
        if row.at < self.told.period.start:
            yield self.say("why.before", at=self.at(row.at))
        elif row.at < piece.span.since:
            yield self.say("why.again")
        elif row.after is not None and row.after < row.at:
            gap = self.long(row.at - row.after)
            yield self.say("why.sampling", after=self.at(row.after), gap=gap, at=self.at(row.at))
        if piece.parents:
            yield self.say("why.parent", parents=", ".join(self.name(parent) for parent in piece.parents))

    def state(self, state: State) -> str:
        return words.state(state, self.lang, long=True)

    def ground(self, ground: Ground) -> Iterator[str]:
        """Whose fault it was, and each voice that was heard; one against it is marked."""
        told = ground_object(ground, self.told.source.catalogue)
        yield INDENT + words.verdict(told, self.lang)
        for one, shown in zip(ground.testimony, told["testimony"], strict=True):
            reason = f" ({words.reason(one.reason, self.lang)})" if one.reason.value != "ok" else ""
            line = self.say(
                "incident.testimony",
                says=words.says(one.says, self.lang),
                name=shown["name"],
                since=self.at(one.since),
                reason=reason,
            )
            against = f"  ! {words.say('page.ground.against', self.lang)}" if one.against else ""
            yield f"{INDENT}{INDENT}{line}{against}"

    def incident(self, incident: Incident) -> Iterator[str]:
        row = against_target(self.told.source, incident, self.told.period.end)
        yield self.say("incident", id=incident.id, name=self.name(incident.node))
        yield INDENT + self.say(
            "incident.times",
            started=self.at(incident.started_at),
            detected=self.at(incident.detected_at),
            opened=self.at(incident.opened_at),
            resolved=self.at(incident.resolved_at),
        )
        result = "running" if row.met is None else "met" if row.met else "breached"
        yield INDENT + self.say(
            "incident.clock",
            target=self.long(incident.target),
            paused=self.long(row.paused),
            deadline=self.at(incident.started_at + incident.target + row.paused),
            elapsed=self.long(row.elapsed),
            net=self.long(row.net),
            result=words.clock(result, self.lang),
        )
        if incident.evidence:
            yield INDENT + self.say("incident.evidence", evidence=incident.evidence)
        if incident.ground is not None:
            yield from self.ground(incident.ground)
        if incident.merged_into:
            yield INDENT + self.say("incident.merged", into=incident.merged_into)
        for one in incident.affected:
            over = one.until or incident.resolved_at
            until = self.at(over) if over else self.say("still")
            yield INDENT + self.say(
                "incident.affected", name=self.name(one.node), since=self.at(one.since), until=until
            )
        for event in self.told.events:
            what = words.event(event.type, self.lang)
            yield f"{INDENT}{self.at(event.at)}  {what}  {event.by}  {event.text}".rstrip()
        yield ""
