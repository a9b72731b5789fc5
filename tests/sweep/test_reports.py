"""Reports on schedule: owed once, caught up after downtime, the same bytes from the same store; maintenance that comes round."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from monitor.model import (
    Catalogue,
    Daemon,
    EventType,
    MaintenancePlan,
    Message,
    Node,
    Province,
    ReportPlan,
    Retention,
    SelfCheck,
    State,
    Transition,
)
from monitor.rules import calendar
from monitor.schedule import Clock
from monitor.store import Batch, Store, open_store
from monitor.sweep import Reports, expand
from monitor.sweep.reports import compute, write_report

HANOI = ZoneInfo("Asia/Ho_Chi_Minh")


def local(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=HANOI).astimezone(UTC)  # type: ignore[arg-type,misc]


START = local(2026, 11, 9)
MONDAY = local(2026, 11, 23, 8)
"""An hour after the weekly report is due."""


def catalogue(state: Path, *plans: ReportPlan) -> Catalogue:
    node = Node(id="a", name="Hệ A", type="system", checks=("a/x",))
    return Catalogue(
        province=Province(id="37", name="Tỉnh thử", zone=HANOI), daemon=Daemon(state_dir=str(state)), parties={},
        nodes={"a": node}, checks={}, receivers={}, routes=(), maintenance=(), reports=plans, retention=Retention(),
        monitor=SelfCheck(), fingerprint="x",
    )  # fmt: skip


WEEKLY = ReportPlan(kind="weekly", at="mon 07:00", formats=("json", "csv", "html", "pdf"), send=("truc", "lanhdao"))


class Desk:
    """A store that was watched from START to some moment, and a clock that stands at another."""

    def __init__(self, folder: Path, store: Store) -> None:
        self.folder, self.store, self.now = folder, store, MONDAY
        self.offered: list[Message] = []
        self.catalogue = catalogue(folder, WEEKLY)

    async def make(self) -> None:
        clock = Clock(wall=self.now.timestamp, steady=lambda: 0.0)
        await Reports(self.store, clock, self.catalogue, self.offered.extend).make_due()

    async def made(self) -> list[tuple[str, tuple[str, ...]]]:
        return [(run.period, run.formats) for run in await self.store.reports("weekly")]

    async def watched(self, start: datetime, end: datetime) -> None:
        await self.store.begin_run(start, version="1")
        down = Transition(
            subject="a", at=start + timedelta(days=1), state=State.DOWN, judged_at=start + timedelta(days=1)
        )
        back = Transition(subject="a", at=start + timedelta(days=1, hours=2), state=State.UP)
        first = Transition(subject="a", at=start, state=State.UP)
        await self.store.commit(Batch(transitions=[first, down, back]))
        await self.store.end_run(end)


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with await open_store("sqlite", tmp_path, lambda: MONDAY) as store:
        yield Desk(tmp_path, store)


async def test_a_due_report_is_made_once_with_its_files_and_told_once_to_each(desk: Desk) -> None:
    await desk.watched(START, MONDAY)
    await desk.make()
    await desk.make()
    assert await desk.made() == [("2026-W47", ("csv", "html", "json"))]
    files = sorted(path.name for path in (desk.folder / "reports").iterdir())
    assert files == ["thongsuot-2026-W47.csv.zip", "thongsuot-2026-W47.html", "thongsuot-2026-W47.json"]
    assert [(message.receiver, message.type) for message in desk.offered] == [
        ("truc", EventType.REPORT_READY),
        ("lanhdao", EventType.REPORT_READY),
    ]
    assert "Tuần 47 (16/11/2026–22/11/2026)" in desk.offered[0].body.decode()


async def test_before_its_hour_nothing_is_due(desk: Desk) -> None:
    await desk.watched(START, MONDAY)
    desk.now = local(2026, 11, 23, 6, 59)
    await desk.make()
    assert [period for period, _ in await desk.made()] == ["2026-W46"]


async def test_what_was_missed_while_the_daemon_was_off_is_made_at_the_next_start(desk: Desk) -> None:
    await desk.watched(START, local(2026, 11, 26))
    desk.now = MONDAY
    await desk.make()
    desk.now = local(2026, 12, 8, 9)
    await desk.make()
    made = dict(await desk.made())
    assert list(made) == ["2026-W47", "2026-W48", "2026-W49"]
    assert made["2026-W48"]
    assert made["2026-W49"] == ()  # Nobody looked at any of it: recorded, and no paper full of "unknown".


async def test_a_fresh_installation_owes_nothing_of_the_time_before_it(desk: Desk) -> None:
    await desk.watched(MONDAY - timedelta(minutes=5), MONDAY)
    await desk.make()
    assert [formats for _, formats in await desk.made()] == [()]
    assert desk.offered == []


async def test_the_same_store_gives_the_same_bytes(desk: Desk, tmp_path: Path) -> None:
    await desk.watched(START, MONDAY)
    period = calendar.parse("2026-W47", HANOI)
    digests = []
    for folder in ("one", "two"):
        report = await compute(desk.store, desk.catalogue, period, until=MONDAY, language="vi")
        written = await asyncio.to_thread(write_report, report, ["json", "csv", "html"], tmp_path / folder, "vi")
        digests.append({name: digest for name, (_, digest) in written.items()})
    assert digests[0] == digests[1]


async def test_the_figures_are_the_stores(desk: Desk) -> None:
    await desk.watched(local(2026, 11, 16), MONDAY)
    await desk.make()
    report = json.loads((desk.folder / "reports" / "thongsuot-2026-W47.json").read_text("utf-8"))
    (row,) = report["nodes"]
    assert row["seconds"]["down"] == 7200
    assert sum(row["seconds"].values()) == 7 * 86400
    assert row["availability"]["value"] == pytest.approx(1 - 7200 / (7 * 86400))


def plan(**more: object) -> MaintenancePlan:
    return MaintenancePlan(id="w", nodes=("a",), reason="Nâng cấp", **more)  # type: ignore[arg-type]


def test_work_by_cron_comes_round_in_the_provinces_zone_with_ids_that_stay(tmp_path: Path) -> None:
    monthly = plan(cron="0 1 1 * *", length=timedelta(hours=2))
    span = (local(2026, 11, 1), local(2027, 1, 15))
    found = list(expand([monthly], catalogue(tmp_path), *span))
    assert [(w.start, w.end - w.start) for w in found] == [
        (local(2026, month, 1, 1), timedelta(hours=2)) for month in (11, 12)
    ] + [(local(2027, 1, 1, 1), timedelta(hours=2))]
    later = list(expand([monthly], catalogue(tmp_path), span[0] + timedelta(days=20), span[1]))
    assert {w.id for w in later} < {w.id for w in found}


def test_a_window_that_is_on_now_is_found_although_it_began_before(tmp_path: Path) -> None:
    nightly = plan(cron="0 22 * * *", length=timedelta(hours=4))
    (window,) = expand([nightly], catalogue(tmp_path), local(2026, 11, 22, 1), local(2026, 11, 22, 1, 30))
    assert (window.start, window.end) == (local(2026, 11, 21, 22), local(2026, 11, 22, 2))


def test_work_once_is_one_window_or_none(tmp_path: Path) -> None:
    once = plan(start=local(2026, 12, 5, 22), end=local(2026, 12, 6, 2))
    assert len(list(expand([once], catalogue(tmp_path), local(2026, 12, 6, 1), local(2026, 12, 7)))) == 1
    assert list(expand([once], catalogue(tmp_path), local(2026, 12, 6, 2), local(2026, 12, 7))) == []
