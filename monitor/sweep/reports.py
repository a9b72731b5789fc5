"""Reports on schedule: which are owed is decided from the store, so one that was missed is made at the next start, once.

Owns: making them, the files, the message that one is ready. Never: computes a figure.
"""

import asyncio
import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import structlog

from monitor.model import Catalogue, EventType, Language, Message, ReportPlan
from monitor.notify import message_id, report_body
from monitor.report import FORMATS, Report, build, render
from monitor.rules import calendar
from monitor.rules.calendar import Period
from monitor.schedule import Clock
from monitor.store import Batch, ReportRun, Store, StoreError, StoreReader
from monitor.sweep.archive import ends, last_known, read_source

log = structlog.get_logger()


class Reports:
    """Ask `make_due` now and then; it makes what is owed."""

    def __init__(
        self, store: Store, clock: Clock, catalogue: Catalogue, offer: Callable[[Sequence[Message]], None]
    ) -> None:
        self._store, self._clock, self._offer = store, clock, offer
        self.catalogue = catalogue

    async def make_due(self) -> None:
        """Every report that is due and not made, oldest first."""
        zone, now = self.catalogue.province.zone, self._clock.now()
        for plan in self.catalogue.reports:
            due = calendar.read_due(plan.kind, plan.at)
            try:
                made = await self._store.reports(plan.kind)
                last = ends(made[-1].period, zone) if made else None
                for period in calendar.owed(due, now, zone, last=last):
                    await self._make(plan, period)
            except (StoreError, OSError) as problem:
                log.warning("report.failed", kind=plan.kind, problem=str(problem))

    async def _make(self, plan: ReportPlan, period: Period) -> None:
        zone, language = self.catalogue.province.zone, self.catalogue.province.language
        known = await last_known(self._store)
        unseen = sum((gap.until - gap.since for gap in await self._store.gaps(period.start, period.end)), timedelta(0))
        if known is None or known <= period.start or unseen >= period.length:
            # Nobody looked at any of it: a paper full of "unknown" helps nobody, but it is not owed for ever.
            await self._store.commit(Batch(reports=[_run(plan, period, self._clock.now(), {})]))
            return
        report = await compute(self._store, self.catalogue, period, until=known, language=language)
        formats = [name for name in plan.formats if name in FORMATS]
        folder = Path(self.catalogue.daemon.state_dir) / "reports"
        files = await asyncio.to_thread(write_report, report, formats, folder, language)
        digests = {name: digest for name, (_, digest) in files.items()}
        now = self._clock.now()
        label = period.label(zone, language)
        said = report_body(
            kind=plan.kind, start=period.start, end=period.end, label=label,
            files={name: path.name for name, (path, _) in files.items()}, at=now, lang=language,
        )  # fmt: skip
        lane = f"report-{plan.kind}-{period.name}"
        messages = [
            Message(
                id=message_id(receiver, lane, 1), receiver=receiver, lane=lane, sequence=1,
                type=EventType.REPORT_READY, created_at=now, body=said,
            )
            for receiver in plan.send
        ]  # fmt: skip
        await self._store.commit(Batch(reports=[_run(plan, period, now, digests)], messages=messages))
        self._offer(messages)
        log.info("report.made", kind=plan.kind, period=period.name, formats=sorted(files))


def _run(plan: ReportPlan, period: Period, now: datetime, digests: Mapping[str, str]) -> ReportRun:
    return ReportRun(
        kind=plan.kind, period=period.name, generated_at=now, formats=tuple(sorted(digests)), sha=digests
    )  # fmt: skip


async def compute(
    store: StoreReader, catalogue: Catalogue, period: Period, *, until: datetime, language: Language
) -> Report:
    """The report on a period, with the period before it for the change."""
    before = calendar.previous(period, catalogue.province.zone)
    source = await read_source(store, catalogue, period, until=until, language=language)
    earlier = await read_source(store, catalogue, before, until=until, language=language)

    def build_both() -> Report:
        previous = build(earlier, before) if until > before.start else None
        return build(source, period, previous=previous)

    return await asyncio.to_thread(build_both)


def write_report(
    report: Report, formats: Sequence[str], folder: Path, language: Language
) -> dict[str, tuple[Path, str]]:
    """Write each format beside the others, whole or not at all; path and SHA-256 by format."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    written: dict[str, tuple[Path, str]] = {}
    for name in formats:
        data = render(report, name, language)
        path = folder / f"{report.stem}.{FORMATS[name].suffix}"
        scratch = path.with_name(path.name + ".new")
        with scratch.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        scratch.replace(path)
        written[name] = (path, hashlib.sha256(data).hexdigest())
    return written
