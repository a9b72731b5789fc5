"""From a page that breaks to the picture on the incident's page: the daemon as a process, with a real browser."""

import asyncio
import os
import tempfile
from pathlib import Path
from typing import Any

import pytest

from probes.browser_tree import below
from tests.debian import need
from tests.ports import free_port
from tests.probes.browser.portal import portal
from tests.story.daemon import Daemon, until

pytestmark = pytest.mark.story

CONFIG = """\
version: 1
province: {{id: "37", name: Tỉnh thử, timezone: Asia/Ho_Chi_Minh, language: vi}}
daemon: {{listen: "127.0.0.1:{port}", state_dir: "{state}"}}
defaults: {{every: 12s, timeout: 11s, confirm: {{failures: 2, recheck: 1s, successes: 1}}, settle: 1s}}
nodes:
  cong:
    name: Cổng
    type: portal
    checks: {{vào: {{browser: {{steps: [{{go: "{page}"}}, {{see: Trang chủ}}]}}}}}}
"""


async def test_the_first_failure_and_the_latest_are_kept_and_shown(tmp_path: Path) -> None:
    need("chromium-headless-shell", "chromium-headless-shell")
    port, state = free_port(), tmp_path / "state"
    before = set(await asyncio.to_thread(below, os.getpid()))  # Other tests' servers.
    with portal() as page, tempfile.TemporaryDirectory(prefix="ts-") as short:
        config = tmp_path / "province.yaml"
        config.write_text(CONFIG.format(port=port, state=state, page=page.url + "/state"), encoding="utf-8")
        async with Daemon(config, port, tmp_path / "daemon.log", {"TMPDIR": short}) as daemon:

            async def node(state: str) -> bool:
                items = (await daemon.get("/api/v1/nodes")).json()["items"]
                return [item["state"] for item in items] == [state]

            async def pieces(count: int) -> list[dict[str, Any]]:
                (incident,) = await daemon.incidents()
                found: list[dict[str, Any]] = (await daemon.get(f"/api/v1/incidents/{incident['id']}/evidence")).json()[
                    "items"
                ]
                return found if len(found) >= count else []

            await until(lambda: node("up"), 30, "the page seen")
            page.broken = True
            await until(daemon.incidents, 60, "the incident open")
            await until(lambda: pieces(2), 60, "two pictures kept")
            first, latest = await pieces(2)
            assert (first["first"], latest["first"], first["check"]) == (True, False, "cong/vào")
            (incident,) = await daemon.incidents()
            assert incident["reason"] == "status"
            for piece in (first, latest):
                answer = await daemon.get(piece["url"])
                assert (answer.status_code, answer.headers["content-type"]) == (200, "image/jpeg")
                assert answer.content.startswith(b"\xff\xd8\xff")
                assert len(answer.content) == piece["bytes"]
            shown = (await daemon.get(f"/incidents/{incident['id']}")).text
            assert first["url"] in shown
            assert "Lần lỗi đầu tiên" in shown
            metrics = (await daemon.get("/metrics")).text
            assert 'probe_browser_steps{check="cong/vào"' in metrics
            last = (await daemon.get("/api/v1/checks/cong/vào")).json()["last"]
            assert "1_go" in last["phases"]
            page.broken = False
            await until(lambda: node("up"), 30, "the page back")
            assert len(list((state / "evidence").rglob("*.jpg"))) == 2
            assert await daemon.stop() == 0
        assert os.listdir(short) == []
        assert set(await asyncio.to_thread(below, os.getpid())) <= before
