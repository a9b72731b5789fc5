"""Jobs call a real daemon with curl: their calls are durable, their silence is an incident from the moment they were due, a kill loses nothing."""

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import pytest

from tests.app.little import Little
from tests.story.daemon import command, until

TOKEN, QUEUE = "0123456789abcdef0123456789abcdef", "queue-token-of-the-document-axis"
JOBS = """
  sao_luu: {{name: Sao lưu, type: job, checks: {{dem: {{heartbeat: {{token: env:BACKUP, expect_every: {every}, grace: 1s}}}}}}}}
  truc: {{name: Trục, type: job, checks: {{hang_doi: {{heartbeat: {{token: env:QUEUE, expect_every: 1h, facts: {{queue_age: seconds}}}}, \
down_if: ["queue_age > 1h"], degraded_if: ["queue_age > 10m"]}}}}}}
"""


class Jobs(Little):
    """The little province with two jobs."""

    def __init__(self, folder: Path, every: str = "3s") -> None:
        super().__init__(folder)
        self.every = every

    def write(self, change: tuple[str, str] | None = None, more: str = "") -> None:
        super().write(change, more)
        text = self.config.read_text(encoding="utf-8")
        jobs = JOBS.format(every=self.every)
        self.config.write_text(text.replace("receivers:", f"{jobs.lstrip(chr(10))}receivers:", 1), encoding="utf-8")

    async def __aenter__(self) -> "Jobs":
        self._start, start = False, self._start
        await super().__aenter__()
        self.daemon.env |= {"BACKUP": TOKEN, "QUEUE": QUEUE}
        if start:
            await self.daemon.start()
        return self

    async def curl(self, *words: str) -> tuple[str, str]:
        """Status and headers of one call."""
        *options, path = words
        process = await asyncio.create_subprocess_exec(
            "curl", "-sS", "-o", "/dev/null", "-D", "-", "-w", "%{http_code}", "--max-time", "10", *options,
            f"http://127.0.0.1:{self.port}/api/v1/heartbeats/{path}",
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, _ = await process.communicate()
        head, _, status = out.decode().rpartition("\r\n")
        return status.strip(), head.lower()

    async def check(self, id: str) -> dict[str, Any]:
        return dict((await self.daemon.get(f"/api/v1/checks/{id}")).json())

    async def turned(self, id: str, state: str, seconds: float = 10.0) -> dict[str, Any]:
        async def so() -> dict[str, Any] | None:
            check = await self.check(id)
            return check if check["state"] == state and check["last"] else None

        return dict(await until(so, seconds, f"{id} is {state}"))


async def test_a_job_that_falls_silent_is_down_from_when_it_was_due_and_up_from_its_next_call(tmp_path: Path) -> None:
    async with Jobs(tmp_path) as jobs:
        first = await jobs.check("sao_luu/dem")
        assert first["state"] == "unknown"
        assert (await jobs.curl(TOKEN))[0] == "204"
        up = await jobs.turned("sao_luu/dem", "up", 3.0)
        assert up["last"]["facts"]["beats"] >= 1
        last_at = (await jobs.check("sao_luu/dem"))["last"]["facts"]["last_at"]
        down = await jobs.turned("sao_luu/dem", "down", 8.0)
        assert down["last"]["reason"] == "missed"
        (fault,) = [i for i in await _incidents(jobs) if i["node"]["id"] == "sao_luu"]
        started = _unix(fault["started_at"])
        assert started == pytest.approx(last_at + 4.0, abs=1.1)  # RFC 3339 without fractions.
        await jobs.curl("-X", "POST", TOKEN)
        await jobs.turned("sao_luu/dem", "up", 3.0)
        log = (tmp_path / "daemon.log").read_text()
        assert TOKEN not in log
        assert QUEUE not in log
        metrics = (await jobs.daemon.get("/metrics")).text
        assert 'thongsuot_heartbeats_total{result="done"}' in metrics
        assert 'thongsuot_heartbeat_last_timestamp_seconds{check="sao_luu/dem"' in metrics
        assert TOKEN not in metrics


async def _incidents(jobs: Jobs) -> list[dict[str, Any]]:
    async def opened() -> list[dict[str, Any]]:
        return await jobs.daemon.incidents()

    return list(await until(opened, 8.0, "an incident"))


def _unix(text: str) -> float:
    from datetime import datetime

    return datetime.fromisoformat(text).timestamp()


async def test_numbers_a_failure_and_its_exit_status(tmp_path: Path) -> None:
    async with Jobs(tmp_path, every="1h") as jobs:
        status, head = await jobs.curl("--json", json.dumps({"queue_age": 30, "foreign": 1}), QUEUE)
        assert (status, "heartbeat-ignored: 1" in head) == ("204", True)
        up = await jobs.turned("truc/hang_doi", "up")
        assert up["last"]["facts"]["queue_age"] == 30
        assert "foreign" not in up["last"]["facts"]
        await jobs.curl("-d", "queue_age=1200", QUEUE)
        await jobs.turned("truc/hang_doi", "degraded")
        await jobs.curl(f"{QUEUE}?queue_age=7200")
        assert (await jobs.turned("truc/hang_doi", "down"))["last"]["facts"]["queue_age"] == 7200
        metrics = (await jobs.daemon.get("/metrics")).text
        assert (
            'thongsuot_heartbeat_number{check="truc/hang_doi",node="truc",type="job",fact="queue_age"} 7200' in metrics
        )
        assert "foreign" not in metrics
        await jobs.curl(f"{TOKEN}/start")
        assert (await jobs.check("sao_luu/dem"))["state"] == "unknown"
        await jobs.curl(f"{TOKEN}?status=23")
        down = await jobs.turned("sao_luu/dem", "down")
        assert (down["last"]["reason"], down["last"]["facts"]["exit_status"]) == ("reported", 23)
        assert 0 < down["last"]["facts"]["duration_seconds"] < 10
        await jobs.curl("-I", f"{TOKEN}/0")
        await jobs.turned("sao_luu/dem", "up")


async def test_a_reload_keeps_what_was_heard_and_changes_whose_token_it_is(tmp_path: Path) -> None:
    async with Jobs(tmp_path, every="1h") as jobs:
        await jobs.curl("-d", "queue_age=5", QUEUE)
        await jobs.turned("truc/hang_doi", "up")
        text = jobs.config.read_text(encoding="utf-8")
        text = text.replace("{token: env:QUEUE, expect_every: 1h,", "{token: file:queue.token, expect_every: 1h,")
        (tmp_path / "queue.token").write_text("another-token-for-the-queue\n")
        (tmp_path / "queue.token").chmod(0o400)
        jobs.config.write_text(text, encoding="utf-8")
        jobs.daemon.hup()

        async def known() -> bool:
            return (await jobs.curl("another-token-for-the-queue"))[0] == "204"

        await until(known, 8.0, "the new token is known")
        assert (await jobs.curl(QUEUE))[0] == "404"
        check = await jobs.turned("truc/hang_doi", "up")
        assert check["last"]["facts"]["queue_age"] == 5


async def test_a_command_beside_the_daemon_hears_no_calls_and_says_so(tmp_path: Path) -> None:
    async with Jobs(tmp_path) as jobs:
        env = {**jobs.env, "BACKUP": TOKEN, "QUEUE": QUEUE}
        code, out, err = await command("probe", "sao_luu/dem", "--json", config=jobs.config, env=env)
        assert (code, json.loads(out)["reason"]) == (3, "own_not_running")
        assert "only a running daemon hears the calls" in out
        assert TOKEN not in out + err
        await jobs.curl(TOKEN)
        asked = (await jobs.daemon.get("/probe", target="sao_luu/dem")).text
        assert 'probe_success{check="sao_luu/dem"' in asked


async def test_a_kill_amid_calls_loses_none_that_was_answered_and_our_absence_is_nobodys_silence(
    tmp_path: Path,
) -> None:
    async with Jobs(tmp_path, every="4s") as jobs:
        answered: list[int] = []

        async def one(number: int) -> None:
            if (await jobs.curl("-d", f"queue_age={number}", QUEUE))[0] == "204":
                answered.append(number)

        assert (await jobs.curl(TOKEN))[0] == "204"
        calls = [asyncio.create_task(one(number)) for number in range(1, 9)]
        while len(answered) < 2:
            await asyncio.sleep(0.001)
        await jobs.daemon.kill()
        await asyncio.gather(*calls)
        await asyncio.sleep(4.0)  # The other job was due meanwhile, and nobody was there.
        returned = time.time()
        await jobs.daemon.start()
        check = await jobs.turned("truc/hang_doi", "up")
        assert len(answered) <= check["last"]["facts"]["beats"] <= 8
        # A whole grace from our return, and blind until then; only then is silence the job's.
        seen = (await jobs.check("sao_luu/dem"))["last"]
        assert seen is None or seen["reason"] in ("own_not_running", "missed")
        assert (await jobs.turned("sao_luu/dem", "down"))["last"]["reason"] == "missed"
        (fault,) = [i for i in await _incidents(jobs) if i["node"]["id"] == "sao_luu"]
        assert _unix(fault["started_at"]) >= int(returned)
