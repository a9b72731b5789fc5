"""`report` and `explain`: figures, and where they come from. They read the store; the daemon may run beside them or not."""

import asyncio
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli import common
from monitor.cli.common import DEFAULT, Config, Json, Language_

if TYPE_CHECKING:
    from monitor.model import Catalogue, Language
    from monitor.rules.calendar import Period
    from monitor.store import StoreReader

KINDS = ("daily", "weekly", "monthly", "quarterly", "yearly")

From = Annotated[
    str | None, typer.Option("--from", help="RFC 3339, or local to the province: 2026-11-16 or 2026-11-16T08:00.")
]
To = Annotated[str | None, typer.Option("--to", help="The same; the moment itself is left out.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(report)
    app.command()(explain)


def report(
    kind: Annotated[str | None, typer.Argument(help="daily, weekly, monthly, quarterly or yearly.")] = None,
    period: Annotated[
        str | None, typer.Option(help="2026-W47, 2026-11, 2026-Q4, 2026 or 2026-11-21; the last one over without it.")
    ] = None,
    start: From = None,
    end: To = None,
    formats: Annotated[str, typer.Option("--format", help="json, csv, html; several with commas.")] = "html",
    out: Annotated[str, typer.Option(help="A folder, or - for standard output.")] = ".",
    config: Config = DEFAULT,
    lang: Annotated[common.Lang | None, typer.Option("--lang", help="vi or en; the province's without it.")] = None,
) -> None:
    """Make a report on a period of the calendar, or on any other (--from, --to)."""
    from monitor.report import FORMATS

    names = [name.strip() for name in formats.split(",") if name.strip()]
    unknown = [name for name in names if name not in FORMATS]
    if unknown or not names:
        common.leave(common.WRONG, f"no such format: {', '.join(unknown)}; there are {', '.join(FORMATS)}")
    catalogue = common.load(config).catalogue
    asked = _period(catalogue, kind, period, start, end)
    language: Language = catalogue.province.language if lang is None else common.language(lang)
    asyncio.run(_report(catalogue, asked, names, out, language))


def _period(
    catalogue: "Catalogue", kind: str | None, period: str | None, start: str | None, end: str | None
) -> "Period":
    """What was asked for, as a stretch of time; ends the program when it makes no sense."""
    from datetime import UTC

    from monitor.rules import calendar

    zone = catalogue.province.zone
    try:
        if start is not None or end is not None:
            if start is None or end is None:
                common.leave(common.WRONG, "give both --from and --to")
            return calendar.between(_moment(start, catalogue), _moment(end, catalogue), zone)
        if period is not None:
            return calendar.parse(period, zone)
        if kind not in KINDS:
            common.leave(common.WRONG, f"say which report: {', '.join(KINDS)}, or give --period, or --from and --to")
        return calendar.latest(kind, datetime.now(UTC), zone)  # type: ignore[arg-type]
    except ValueError as problem:
        common.leave(common.WRONG, str(problem))


def _moment(text: str, catalogue: "Catalogue") -> datetime:
    """RFC 3339, or local to the province."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is no time: write 2026-11-16T08:00 or 2026-11-16T01:00:00Z") from None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=catalogue.province.zone)


async def _report(catalogue: "Catalogue", period: "Period", names: list[str], out: str, language: "Language") -> None:
    from monitor.report import render
    from monitor.store import StoreError
    from monitor.sweep.archive import last_known
    from monitor.sweep.reports import compute, write_report

    try:
        async with await _store(catalogue) as store:
            until = await last_known(store)
            if until is None or until <= period.start:
                common.leave(common.BLIND, "the store knows nothing of this period")
            made = await compute(store, catalogue, period, until=until, language=language)
    except StoreError as problem:
        common.leave(common.BLIND, f"the store cannot be read: {problem}")
    if out == "-":
        for name in names:
            sys.stdout.buffer.write(render(made, name, language))
        return
    for path, _ in write_report(made, names, Path(out), language).values():
        common.say(str(path))


async def _store(catalogue: "Catalogue") -> "StoreReader":
    from datetime import UTC

    from monitor.store import open_reader

    database = catalogue.daemon.database
    address = database if isinstance(database, str) else database.reveal()
    return await open_reader(address, catalogue.daemon.state_dir, lambda: datetime.now(UTC))


def explain(
    subject: Annotated[str, typer.Argument(help="A node's or an incident's id.")],
    period: Annotated[str | None, typer.Option(help="2026-W47 and the like; the running week without it.")] = None,
    start: From = None,
    end: To = None,
    config: Config = DEFAULT,
    as_json: Json = False,
    lang: Language_ = None,
) -> None:
    """Where a figure comes from: the intervals, the outcomes at their edges, the rule, the parent, the maintenance."""
    from datetime import UTC

    from monitor.rules import calendar

    catalogue = common.load(config).catalogue
    if period is None and start is None and end is None:
        asked = calendar.containing("weekly", datetime.now(UTC), catalogue.province.zone)
    else:
        asked = _period(catalogue, None, period, start, end)
    asyncio.run(_explain(catalogue, subject, asked, common.language(lang), as_json=as_json))


async def _explain(
    catalogue: "Catalogue", subject: str, period: "Period", language: "Language", *, as_json: bool
) -> None:
    from monitor.report import explain as explained
    from monitor.store import StoreError
    from monitor.sweep.archive import last_known, read_source

    try:
        async with await _store(catalogue) as store:
            until = await last_known(store)
            if until is None:
                common.leave(common.BLIND, "the store knows nothing yet")
            source = await read_source(store, catalogue, period, until=until, language=language)
            incident = await store.incident(subject)
            events = await store.events(subject) if incident is not None else ()
    except StoreError as problem:
        common.leave(common.BLIND, f"the store cannot be read: {problem}")
    try:
        explanation = explained(source, subject, period, incident=incident, events=events)
    except LookupError:
        common.leave(common.WRONG, f"{subject}: no such node or incident")
    if as_json:
        common.say_json(explanation.as_dict())
    else:
        common.say(explanation.text(language))
