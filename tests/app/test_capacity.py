"""A line that was full for a week: a real daemon says so by state, metric and report, and still does after it was killed."""

import asyncio
import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from monitor.model import LinkDay
from monitor.sandbox.faults import Condition
from monitor.sandbox.snmp_server import COMMUNITY, WAN, Agent
from monitor.store import Batch, open_store
from tests.app.little import Little
from tests.story.daemon import command, until

HOME = ZoneInfo("Asia/Ho_Chi_Minh")
LINE = (
    "  cpe: {{name: Đường truyền xã, type: link, checks: {{line: {{snmp: {{host: 127.0.0.1, port: {port}, community: env:COMMUNITY, "
    "interfaces: [{wan}], capacity: 100Mbit}}}}}}}}\n"
)


class Line(Little):
    """The little province with a router."""

    def __init__(self, folder: Path, port: int) -> None:
        super().__init__(folder, start=False)
        self.router = port

    async def __aenter__(self) -> "Line":
        await super().__aenter__()
        return self

    def write(self, change: tuple[str, str] | None = None, more: str = "") -> None:
        super().write(change, more)
        text = self.config.read_text(encoding="utf-8")
        line = LINE.format(port=self.router, wan=WAN)
        self.config.write_text(text.replace("receivers:", f"{line}receivers:", 1), encoding="utf-8")

    async def turned(self, state: str) -> dict[str, Any]:
        async def so() -> dict[str, Any] | None:
            check = dict((await self.daemon.get("/api/v1/checks/cpe/line")).json())
            return check if check["state"] == state and check["last"] else None

        return dict(await until(so, 15.0, f"the line is {state}"))


async def test_a_line_that_was_full_for_a_week_is_degraded_and_stays_so_after_a_kill(tmp_path: Path) -> None:
    today = datetime.now(HOME).date()
    week = [
        LinkDay(check="cpe/line", day=today - timedelta(days=back), received=0.3, sent=0.96, samples=288, expected=288)
        for back in range(1, 8)
    ]
    async with await open_store("sqlite", tmp_path / "state", lambda: datetime.now(UTC)) as store:
        await store.commit(Batch(link_days=week))
    loop = asyncio.get_running_loop()
    agent = Agent(Condition, time.monotonic, mbit=100, load=(0.3, 0.5))
    transport, _ = await loop.create_datagram_endpoint(lambda: agent, local_addr=("127.0.0.1", 0))
    async with Line(tmp_path, transport.get_extra_info("sockname")[1]) as little:
        little.daemon.env["COMMUNITY"] = COMMUNITY
        await little.daemon.start()
        seen = await little.turned("degraded")
        facts = seen["last"]["facts"]
        assert (facts["days_over"], facts["p95_in"], facts["p95_out"]) == (7, 0.3, 0.96)
        metrics = (await little.daemon.get("/metrics")).text
        own = 'check="cpe/line",node="cpe",type="link"'
        assert f'thongsuot_link_utilisation_p95_ratio{{direction="out",{own}}} 0.96' in metrics
        assert f"thongsuot_link_days_over_capacity{{{own}}} 7" in metrics
        await little.daemon.kill()
        await little.daemon.start()
        assert (await little.turned("degraded"))["last"]["facts"]["days_over"] == 7
        code, out = await report(little, today - timedelta(days=7), today)
        assert code == 0, out
        (row,) = json.loads(out)["capacity"]
        assert (row["node"], row["congested"], row["direction"]) == ("cpe", True, "out")
        assert row["since"] == str(today - timedelta(days=7))
    transport.close()


async def report(little: Little, start: object, end: object) -> tuple[int, str]:
    words = ["report", "--from", f"{start}T00:00", "--to", f"{end}T00:00", "--format", "json", "--out", "-"]
    code, out, err = await command(*words, config=little.config, env=little.daemon.env)
    return code, out or err
