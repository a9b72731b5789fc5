"""`build(source, period)`: from transitions, gaps, windows and incidents to a report.

Owns: which incidents and nodes a report is about, and its groups. Never: reads a store or a clock, or lets availability and recovery
be derived from one another: a single outage that just meets a 24-hour target takes a week to 85.7 %.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from monitor import words
from monitor.model import MONITOR, Bucket, Incident, IncidentState, Node, Span, State, Window
from monitor.report import capacity
from monitor.report.figures import (
    AXES,
    Axis,
    Citizens,
    CommuneRow,
    GroupRow,
    IncidentRow,
    IPv6,
    NodeRow,
    Previous,
    Recovery,
    Report,
    Source,
    WindowRow,
)
from monitor.report.office import vietnam
from monitor.rules import calendar, ipv6, ledger
from monitor.rules.calendar import Office, Period
from monitor.rules.columns import Columns, account_many, columns
from monitor.rules.ledger import ZERO, Ledger

_BAD: Final = (Bucket.DOWN, Bucket.UNREACHABLE)


def build(source: Source, period: Period, *, previous: Report | None = None) -> Report:
    """The report on `period`, or on what is known of it; `previous` is the report on the period before it.

    ValueError when nothing of the period is known yet.
    """
    if source.generated_at <= period.start:
        raise ValueError(f"{period.name} has not begun")
    known = replace(period, end=min(period.end, source.generated_at))
    province = source.catalogue.province
    windows = [window for window in source.windows if window.start < known.end and window.end > known.start]
    rows = _nodes(source, known, windows)
    incidents = _incidents(source, known)
    label = period.label(province.zone, source.language)
    blind = ledger.union((max(gap.since, known.start), min(gap.until, known.end)) for gap in source.gaps)
    report = Report(
        period=known,
        planned_end=period.end,
        label=label,
        generated_at=source.generated_at,
        source=source,
        nodes=rows,
        groups=tuple(_groups(source, rows, incidents)),
        incidents=incidents,
        recovery=recovery(incidents),
        total=ledger.total(row.ledger for row in rows if row.node.group is None and not outside(row.node)),
        citizens=_citizens(source, rows, known, windows),
        ipv6=_ipv6(source, known, windows),
        capacity=capacity.rows(source, known),
        communes=_communes(rows),
        windows=tuple(_windows(source, windows)),
        blind=tuple(blind),
        previous=_previous(previous),
        notes=(),
    )
    return replace(report, notes=tuple(_notes(report)))


def reworded(report: Report, lang: words.Lang) -> Report:
    """The same figures in another language."""
    zone = report.source.catalogue.province.zone
    whole = replace(report.period, end=report.planned_end)
    before = report.previous
    said = replace(
        report,
        source=replace(report.source, language=lang),
        label=whole.label(zone, lang),
        groups=tuple(replace(group, name=_group_name(group.by, group.id, group.name, lang)) for group in report.groups),
        previous=before and replace(before, label=before.period.label(zone, lang)),
    )
    return replace(said, notes=tuple(_notes(said)))


def _windows_by_node(windows: Iterable[Window]) -> dict[str, list[Window]]:
    found: dict[str, list[Window]] = defaultdict(list)
    for window in windows:
        for node in sorted(window.nodes):
            found[node].append(window)
    return found


def _nodes(source: Source, period: Period, windows: Sequence[Window]) -> tuple[NodeRow, ...]:
    nodes = source.catalogue.nodes
    data = source.transitions if isinstance(source.transitions, Columns) else columns(source.transitions, nodes)
    ledgers = dict(
        zip(
            data.names,
            account_many(data, start=period.start, end=period.end, gaps=source.gaps, windows=_windows_by_node(windows)),
            strict=True,
        )
    )
    unseen = Ledger(time={bucket: period.length if bucket is Bucket.UNKNOWN else ZERO for bucket in Bucket})
    return tuple(NodeRow(node=node, ledger=ledgers.get(node.id, unseen)) for node in nodes.values())


# --- incidents --------------------------------------------------------------------------------------------------------


def _incidents(source: Source, period: Period) -> tuple[IncidentRow, ...]:
    """Those that were on at any moment of the period, in the order they began. Merged ones are told by the incident that took them in;
    the monitor's own are notes; withdrawn ones were none."""
    mine = [
        incident
        for incident in source.incidents
        if incident.started_at < period.end
        and (incident.resolved_at is None or incident.resolved_at >= period.start)
        and incident.state not in (IncidentState.MERGED, IncidentState.WITHDRAWN)
        and incident.node != MONITOR
    ]
    rows = (against_target(source, incident, period.end) for incident in mine)
    return tuple(sorted(rows, key=lambda row: (row.incident.started_at, row.incident.id)))


def against_target(source: Source, incident: Incident, end: datetime) -> IncidentRow:
    """An incident against its recovery target; one that is still on is measured to `end`."""
    until = incident.resolved_at or end
    paused = incident.paused
    if incident.paused_since is not None and until > incident.paused_since:
        paused += until - incident.paused_since
    elapsed = max(until - incident.started_at, ZERO)
    within = elapsed - paused <= incident.target
    met = within if incident.resolved_at is not None else None if within else False
    node = source.catalogue.nodes.get(incident.node)
    return IncidentRow(
        incident=incident, name=node.name if node else incident.node, elapsed=elapsed, paused=paused, met=met
    )


def recovery(rows: Iterable[IncidentRow]) -> Recovery:
    """How these incidents stood against their targets."""
    mine = list(rows)
    faults = [row.incident for row in mine]
    return Recovery(
        incidents=len(mine),
        met=sum(row.met is True for row in mine),
        breached=sum(row.met is False for row in mine),
        open=sum(row.met is None for row in mine),
        late=sum(row.met is False and row.incident.resolved_at is None for row in mine),
        detect=_mean(fault.detected_at - fault.started_at for fault in faults),
        acknowledge=_mean(fault.acknowledged_at - fault.detected_at for fault in faults if fault.acknowledged_at),
        repair=_mean(row.net for row in mine if row.incident.resolved_at),
    )


def _mean(lengths: Iterable[timedelta]) -> timedelta | None:
    known = [max(length, ZERO) for length in lengths]
    return sum(known, ZERO) / len(known) if known else None


# --- groups -----------------------------------------------------------------------------------------------------------


def axis_value(node: Node, axis: Axis) -> str:
    """What a node is grouped under; blank is nothing."""
    match axis:
        case "type":
            return node.type
        case "carrier":
            return node.carrier
        case "region":
            return node.labels.get("region", "")
        case "owner":
            return node.owner


def _groups(source: Source, rows: Sequence[NodeRow], incidents: Sequence[IncidentRow]) -> Iterable[GroupRow]:
    nodes, parties = source.catalogue.nodes, source.catalogue.parties
    for axis in AXES:
        members: dict[str, list[NodeRow]] = defaultdict(list)
        for row in rows:
            # A group judged from its members would count their seconds twice under their carrier, region or owner.
            if axis == "type" or row.node.group is None:
                members[axis_value(row.node, axis)].append(row)
        faults: dict[str, list[IncidentRow]] = defaultdict(list)
        for fault in incidents:
            if node := nodes.get(fault.incident.node):
                faults[axis_value(node, axis)].append(fault)
        members.pop("", None)
        found = [
            GroupRow(
                by=axis,
                id=value,
                name=_group_name(axis, value, parties[value].name if value in parties else value, source.language),
                nodes=len(mine),
                ledger=ledger.total(row.ledger for row in mine),
                recovery=recovery(faults[value]),
            )
            for value, mine in members.items()
        ]
        yield from sorted(found, key=lambda group: (words.sort_key(group.name), group.id))


def _group_name(axis: Axis, value: str, name: str, lang: words.Lang) -> str:
    return words.capital(words.node_type(value, lang)) if axis == "type" else name


def _communes(rows: Iterable[NodeRow]) -> tuple[CommuneRow, ...]:
    found: dict[str, dict[str, NodeRow]] = defaultdict(dict)
    for row in rows:
        if code := row.node.labels.get("commune"):
            found[code].setdefault(row.node.type, row)
    communes = []
    for code, mine in found.items():
        labels = next(iter(mine.values())).node.labels
        communes.append(
            CommuneRow(code=code, name=labels.get("commune_name", code), region=labels.get("region", ""), rows=mine)
        )
    return tuple(sorted(communes, key=lambda row: (_bare(row.name), row.code)))


def _bare(name: str) -> tuple[words.SortKey, str]:
    """Communes are looked up by their own name, not under X for xã or P for phường."""
    kind, _, rest = name.partition(" ")
    bare = rest if kind.lower() in ("xã", "phường") and rest else name
    return words.sort_key(bare), name


# --- what lies over the period ----------------------------------------------------------------------------------------


def _windows(source: Source, windows: Sequence[Window]) -> Iterable[WindowRow]:
    zone = source.catalogue.province.zone
    office = source.office
    if office is None and windows:
        office = vietnam(min(window.start for window in windows), max(window.end for window in windows))
    for window in sorted(windows, key=lambda window: (window.start, window.id)):
        late = not window.force_majeure and calendar.short_notice(
            window.announced_at, window.start, zone, office or Office()
        )
        yield WindowRow(window=window, nodes=len(window.nodes), short_notice=late)


def _spans(source: Source, node: str, period: Period, windows: Mapping[str, Sequence[Window]]) -> tuple[Span, ...]:
    base = ledger.spans(source.history(node), start=period.start, end=period.end)
    return tuple(ledger.lay(base, source.gaps, windows.get(node, ())))


def spans_of(report: Report, node: str) -> tuple[Span, ...]:
    """One node's period, span by span, for a picture of it."""
    windows = {node: [row.window for row in report.windows if node in row.window.nodes]}
    return _spans(report.source, node, report.period, windows)


def serves_citizens(node: Node) -> bool:
    """Whether citizens submit files through it: of type `tthc`, or labelled `key_system: tthc`."""
    return node.type == "tthc" or node.labels.get("key_system") == "tthc"


def outside(node: Node) -> bool:
    """Whether it is not the province's: it can explain an outage, and counts for nobody's availability here."""
    return node.type == "external" or node.labels.get("tier") == "ngoai_tinh"


def _citizens(source: Source, rows: Iterable[NodeRow], period: Period, windows: Iterable[Window]) -> Citizens:
    over = _windows_by_node(windows)
    mine = [row for row in rows if serves_citizens(row.node)]
    sure, lost, most = [], [], []
    for row in mine:
        history = source.history(row.node.id)
        bad = [(span.since, span.until) for span in _spans(source, row.node.id, period, over) if span.bucket in _BAD]
        cover = [(span.since, span.until) for span in ledger.covers(source.gaps, over.get(row.node.id, ()))]
        ends = [until for _, until in cover]
        doubts = list(ledger.doubts(history, start=period.start, end=period.end))
        open_to_doubt = [
            (piece, doubt.edge) for doubt in doubts for piece in ledger.minus((doubt.since, doubt.until), cover, ends)
        ]
        regained = ledger.union(piece for piece, edge in open_to_doubt if edge[1] is Bucket.UP)
        regained_ends = [until for _, until in regained]
        sure += [piece for stretch in bad for piece in ledger.minus(stretch, regained, regained_ends)]
        lost += bad
        most += bad + [piece for piece, edge in open_to_doubt if edge[0] is Bucket.UP]
    return Citizens(
        nodes=tuple(row.node.id for row in mine),
        lost=_length(lost),
        low=_length(sure),
        high=_length(most),
        coverage=ledger.total(row.ledger for row in mine).coverage,
    )


def _ipv6(source: Source, period: Period, windows: Sequence[Window]) -> IPv6 | None:
    """By commune, from the checks that insist on IPv6: see `rules.ipv6`. Maintenance of a node that has such a check is its commune's."""
    if not source.checks:
        return None
    communes = ipv6.units(source.catalogue)

    def state(check: str) -> State:
        base = ledger.spans(source.checks.get(check, ()), start=period.start, end=period.end)
        *_, last = ledger.lay(base, source.gaps, ())
        return State(last.bucket.value)

    watched = {commune: checks for commune, checks in communes.items() if checks}
    histories = {commune: ipv6.history(checks, source.checks, commune) for commune, checks in watched.items()}
    over = _windows_by_node(windows)
    mine = {
        commune: [window for node in dict.fromkeys(map(_node_of, checks)) for window in over.get(node, ())]
        for commune, checks in watched.items()
    }
    ledgers = account_many(
        columns(histories, watched), start=period.start, end=period.end, gaps=source.gaps, windows=mine
    )
    return IPv6(share=ipv6.share(communes, state), time=ledger.total(ledgers))


def _node_of(check: str) -> str:
    return check.rpartition("/")[0]


def _length(stretches: Iterable[tuple[datetime, datetime]]) -> timedelta:
    return sum((until - since for since, until in ledger.union(stretches)), ZERO)


def _previous(report: Report | None) -> Previous | None:
    if report is None:
        return None
    return Previous(
        period=report.period,
        label=report.label,
        total=report.total,
        recovery=report.recovery,
        nodes={row.node.id: row.ledger for row in report.nodes},
    )


def _notes(report: Report) -> Iterable[str]:
    """What a reader has to know to read the figures rightly."""
    lang, zone = report.source.language, report.source.catalogue.province.zone
    if not report.complete:
        yield words.say("report.note.incomplete", lang, until=words.moment(report.period.end, zone, lang))
    if report.blind:
        length = words.duration(_length(report.blind), lang)
        yield words.say("report.note.blind", lang, count=len(report.blind), length=length)
    poor = [row for row in report.nodes if row.verdict == "insufficient_data"]
    if poor:
        yield words.say("report.note.insufficient", lang, count=len(poor), total=len(report.nodes))
    late = sum(row.short_notice for row in report.windows)
    if late:
        yield words.say("report.note.short_notice", lang, count=late, days=calendar.NOTICE_DAYS)
    yield words.say("report.note.bounds", lang)
    yield words.say("report.note.sums", lang)
    yield words.say("report.note.apart", lang)
