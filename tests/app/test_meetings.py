"""A video meeting from its readiness run to its end, with the daemon as a process: one dead point, one message, and no second one after a restart."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.app.little import Little
from tests.story.daemon import command, until

pytestmark = pytest.mark.story


def meeting(
    start: datetime, *, ready_before: str = "30s", length: timedelta = timedelta(minutes=5), every: str = "1s"
) -> str:
    return (
        f"meetings:\n  - {{id: giao-ban, name: Giao ban tuần, from: {start:%Y-%m-%dT%H:%M:%SZ}, "
        f"to: {start + length:%Y-%m-%dT%H:%M:%SZ}, ready_before: {ready_before}, every: {every}, nodes: [a, b]}}\n"
    )


def soon(seconds: float) -> datetime:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).replace(microsecond=0)


async def told(little: Little) -> list[dict[str, Any]]:
    return [body for body in dict(little.inbox.got).values() if body["type"] == "meeting.readiness"]


async def five_more(little: Little, seconds: float) -> None:
    """The site is asked five times more within so many seconds."""
    enough = little.a.hits + 5

    async def asked() -> bool:
        return little.a.hits >= enough

    await until(asked, seconds, "it is asked every second, and not every fifteenth")


async def test_a_dead_point_is_told_once_before_the_meeting_whatever_restarts(tmp_path: Path) -> None:
    async with Little(tmp_path, start=False) as little:
        little.b.status = 500
        little.write(("every: 1s, timeout", "every: 15s, timeout"), meeting(soon(30)))
        await little.daemon.start()
        (said,) = await until(lambda: told(little), 30, "the readiness told")
        data = said["data"]["meeting"]
        assert (data["ready"], data["total"], data["sequence"]) == (1, 2, 1)
        (point,) = data["not_ready"]
        assert (point["id"], point["lack"], point["reason"]) == ("b", "endpoint", "status")
        assert "1 trên 2 điểm cầu sẵn sàng" in said["message"]["title"]
        assert "Thiết bị điểm cầu không đạt (1): Hệ B" in said["message"]["text"]
        assert data["changed"] == {"ready": [], "not_ready": []}

        await five_more(little, 14)

        await little.daemon.kill()
        await little.daemon.start()
        await five_more(little, 14)
        little.daemon.hup()
        await asyncio.sleep(2)
        assert len(await told(little)) == 1

        (shown,) = (await little.daemon.get("/api/v1/meetings")).json()["items"]
        assert (shown["plan"], shown["ready"], shown["total"], shown["told"]["sequence"]) == ("giao-ban", 1, 2, 1)
        assert [each["id"] for each in shown["not_ready"]] == ["b"]
        page = (await little.daemon.get("/meetings")).text
        assert "Giao ban tuần" in page
        assert "1 trên 2 điểm cầu sẵn sàng" in page
        assert "Hệ B" in page
        english = (await little.daemon.get("/meetings?lang=en")).text
        assert "1 of 2 points ready" in english
        metrics = (await little.daemon.get("/metrics")).text
        assert 'thongsuot_meeting_points{meeting="giao-ban",ready="false"} 1' in metrics
        assert 'thongsuot_meeting_points{meeting="giao-ban",ready="true"} 1' in metrics

        code, out, err = await command(
            "meetings", "check", "giao-ban", "--lang", "vi", config=little.config, env=little.env
        )
        assert code == 1, err
        assert "1 trên 2 điểm cầu sẵn sàng" in out
        assert "Hệ B" in out
        code, out, _ = await command("meetings", "list", "--json", config=little.config, env=little.env)
        assert (code, json.loads(out)["items"][0]["plan"]) == (0, "giao-ban")
        code, _, _ = await command("meetings", "check", "no-such", config=little.config, env=little.env)
        assert code == 2
        assert len(await told(little)) == 1
        assert little.inbox.bad == 0


async def test_the_run_that_was_missed_is_made_at_start_and_the_pace_ends_with_the_meeting(tmp_path: Path) -> None:
    async with Little(tmp_path, start=False) as little:
        start = soon(25)
        little.write(
            ("every: 1s, timeout", "every: 10s, timeout"),
            meeting(start, ready_before="1h", length=timedelta(seconds=3)),
        )
        await little.daemon.start()
        (said,) = await until(lambda: told(little), 20, "the readiness told, late")
        assert "Tất cả điểm cầu sẵn sàng" in said["message"]["text"]
        await asyncio.sleep(max(0.0, (start - datetime.now(UTC)).total_seconds() + 4))
        assert (await little.daemon.get("/api/v1/meetings")).json()["items"] == []
        before = little.a.hits
        await asyncio.sleep(6)
        assert little.a.hits - before <= 1
        assert "thongsuot_meeting_points" not in (await little.daemon.get("/metrics")).text
