"""Out of the store, into a report's source: everything that a period's figures are made from."""

from datetime import date, datetime, timedelta, tzinfo
from typing import Final

from monitor.model import Catalogue, Gap, Incident, Language
from monitor.report import Source
from monitor.report.capacity import reach
from monitor.rules import calendar, ipv6
from monitor.rules.calendar import Period
from monitor.store import StoreReader

BEHIND: Final = timedelta(days=1)
"""How far behind the period the first transition after it is looked for: it throws doubt on the period's last moments."""


async def read_source(
    store: StoreReader, catalogue: Catalogue, period: Period, *, until: datetime, language: Language | None = None
) -> Source:
    """The source of a report on `period` (and of explanations within it). `until` is the last moment the data knows of."""
    end = period.end + BEHIND
    v6 = [check for checks in ipv6.units(catalogue).values() for check in checks]
    return Source(
        catalogue=catalogue,
        transitions=await store.transitions(list(catalogue.nodes), period.start, end),
        checks=await store.transitions(v6, period.start, end) if v6 else {},
        gaps=await _gaps(store, period, until),
        windows=await store.windows(period.start, period.end),
        incidents=await _incidents(store, period),
        generated_at=until,
        capacity=await store.link_days(*reach(period, catalogue.province.zone)),
        language=language or catalogue.province.language,
    )


async def last_known(store: StoreReader) -> datetime | None:
    """When a daemon was last known to look; None when none ever did."""
    return await store.last_beat()


def ends(name: str, zone: tzinfo) -> datetime:
    """When the period of this name is over; one cut off the calendar's borders has its last day in its name."""
    _, _, after = name.partition("-")
    if name.split("-")[0].isalpha():
        return calendar.midnight(date.fromisoformat(after[-10:]), zone)
    return calendar.parse(name, zone).end


async def _gaps(store: StoreReader, period: Period, until: datetime) -> tuple[Gap, ...]:
    return await store.gaps(period.start, min(period.end, until)) if until > period.start else ()


async def _incidents(store: StoreReader, period: Period) -> tuple[Incident, ...]:
    found: list[Incident] = []
    cursor: str | None = None
    while True:
        page = await store.incidents(since=period.start, until=period.end, cursor=cursor, limit=500)
        found.extend(page.incidents)
        cursor = page.cursor
        if cursor is None:
            return tuple(found)
