"""Lines against their capacity in a period: article 5.6 of circular 06/2026/TT-BKHCN, by `rules.capacity`.

Owns: which days belong to a period, and the worst that stood at the end of one of them. Never: reads a store or a clock.
"""

from collections import defaultdict
from collections.abc import Iterator
from datetime import date, timedelta, tzinfo

from monitor.model import LinkDay
from monitor.report.figures import CapacityRow, Source
from monitor.rules import capacity
from monitor.rules.calendar import Period


def days_of(period: Period, zone: tzinfo) -> list[date]:
    """The days of the province that lie wholly in the period."""
    day = capacity.day_of(period.start, zone)
    found = []
    while capacity.bounds(day, zone)[1] <= period.end:
        if capacity.bounds(day, zone)[0] >= period.start:
            found.append(day)
        day += timedelta(days=1)
    return found


def reach(period: Period, zone: tzinfo) -> tuple[date, date]:
    """Which days [first, end) a period's rows are made from: a row of days may have begun long before it."""
    return (
        capacity.day_of(period.start, zone) - capacity.REACH,
        capacity.day_of(period.end, zone) + timedelta(days=1),
    )


def rows(source: Source, period: Period) -> tuple[CapacityRow, ...]:
    """Every line that was measured on a day of the period: those over capacity first, then by the order of the catalogue."""
    zone = source.catalogue.province.zone
    days = days_of(period, zone)
    known: dict[str, dict[date, LinkDay]] = defaultdict(dict)
    for one in source.capacity:
        known[one.check][one.day] = one
    found = [
        row for check in source.catalogue.checks if check in known for row in _row(source, check, known[check], days)
    ]
    return tuple(sorted(found, key=lambda row: not row.congested))


def _row(source: Source, check: str, known: dict[date, LinkDay], days: list[date]) -> Iterator[CapacityRow]:
    measured = [known[day] for day in days if day in known and known[day].measured]
    if not measured:
        return
    node = source.catalogue.checks[check].node
    # Of equally long rows the later one: it is nearer to now.
    loads = [(capacity.load(known, day), day) for day in days]
    load, until = max(loads, key=lambda each: (each[0].longest.days, each[1]))
    row = load.longest
    yield CapacityRow(
        check=check,
        node=node,
        name=source.catalogue.nodes[node].name,
        received=max(day.received for day in measured),
        sent=max(day.sent for day in measured),
        measured=len(measured),
        days_over=row.days,
        direction="" if not row.days else "in" if load.received.days == row.days else "out",
        since=row.since,
        until=until if row.days else None,
        unmeasured=row.unmeasured,
        congested=load.congested,
    )
