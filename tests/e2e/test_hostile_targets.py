"""Every hostile server there is beside ten healthy ones, watched by the daemon for twenty seconds: they cost their own verdict, and nothing else."""

import asyncio
import json
import re
import sqlite3
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.province import Sites
from tests.ports import free_port
from tests.story.daemon import ROOT, Daemon, until

LASTS = 20.0
HEALTHY = [f"healthy{n}" for n in range(10)]

CONFIG = """\
version: 1
province: {{id: "37", name: Tỉnh thử, timezone: Asia/Ho_Chi_Minh, language: vi}}
daemon: {{listen: "127.0.0.1:{port}", public_url: "https://giamsat.example", state_dir: "{state}"}}
defaults: {{every: 1s, timeout: 0.9s, confirm: {{failures: 3, recheck: 1s, successes: 1}}, settle: 1s, recovery_target: 24h}}
nodes:
{nodes}
"""

NODE = '  {id}: {{name: "Hệ {id}", type: {type}, checks: {{home: {{http: {{url: "http://127.0.0.1:{port}/{id}"{more}}}}}}}}}'


@asynccontextmanager
async def city() -> AsyncIterator[list[dict[str, Any]]]:
    """The hostile servers, beside us."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.e2e.hostile", cwd=ROOT,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield json.loads(await process.stdout.readline())
    finally:
        process.stdin.close()
        try:
            async with asyncio.timeout(10):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


@dataclass
class Watch:
    """What twenty seconds among them came to."""

    reasons: dict[str, list[str]] = field(default_factory=dict)
    checks: list[dict[str, Any]] = field(default_factory=list)
    memory: list[int] = field(default_factory=list)
    before: str = ""
    after: str = ""
    pages: dict[str, str] = field(default_factory=dict)
    transitions: list[tuple[str, str]] = field(default_factory=list)
    log: str = ""
    code: int = -1


def resident(pid: int) -> int:
    """KiB in memory now."""
    return int(Path(f"/proc/{pid}/status").read_text().partition("VmRSS:")[2].split()[0])


def values(metrics: str, name: str, label: str) -> Counter[str]:
    """A family's samples, summed by one label."""
    found: Counter[str] = Counter()
    for line in metrics.splitlines():
        if line.startswith(name + "{"):
            known = re.search(rf'{label}="([^"]*)"', line)
            found[known[1] if known else ""] += int(float(line.rpartition(" ")[2]))
    return found


def series(metrics: str) -> set[str]:
    return {line.rpartition(" ")[0] for line in metrics.splitlines() if line and line[0] != "#"}


async def live(folder: Path) -> Watch:
    watch, sites, port = Watch(), Sites(HEALTHY), free_port()
    await sites.open()
    async with city() as doors:
        watch.reasons = {f"hostile{n}": door["reasons"] for n, door in enumerate(doors)}
        nodes = [NODE.format(id=name, type="healthy", port=sites.port, more="") for name in HEALTHY]
        for n, door in enumerate(doors):
            body = (
                ", compression: gzip, expect: {body: fine}"
                if door["reasons"] in MORE_THAN_BYTES
                else ", compression: gzip"
            )
            nodes.append(NODE.format(id=f"hostile{n}", type="hostile", port=door["port"], more=body))
        config = folder / "province.yaml"
        config.write_text(CONFIG.format(port=port, state=folder / "state", nodes="\n".join(nodes)), encoding="utf-8")
        async with Daemon(config, port, folder / "daemon.log") as daemon:
            assert daemon.process is not None
            pid = daemon.process.pid

            async def all_judged() -> bool:
                states = (await daemon.get("/api/v1/status")).json()
                return states["nodes"]["down"] == len(doors) and len(states["incidents"]) == len(doors)

            await until(all_judged, 30, "every hostile server has its incident")
            watch.before = (await daemon.get("/metrics")).text
            for _ in range(int(LASTS * 2)):
                watch.memory.append(resident(pid))
                await asyncio.sleep(0.5)
            watch.after = (await daemon.get("/metrics")).text
            watch.checks = (await daemon.get("/api/v1/checks", limit=500)).json()["items"]
            watch.pages = {path: (await daemon.get(path)).text for path in ("/", "/incidents", "/api/v1/status")}
            watch.code = await daemon.stop()
    assert sites.server is not None
    sites.server.close()
    with closing(sqlite3.connect(folder / "state" / "thongsuot.sqlite3")) as database:
        watch.transitions = database.execute("SELECT subject, state FROM transitions").fetchall()
    watch.log = (folder / "daemon.log").read_text("utf-8")
    return watch


MORE_THAN_BYTES = (["body_regex"],)


@pytest.fixture(scope="module")
def watch(tmp_path_factory: pytest.TempPathFactory) -> Watch:
    return asyncio.run(live(tmp_path_factory.mktemp("hostile")))


def test_each_gets_the_verdict_it_earned(watch: Watch) -> None:
    found = {check["node"]: check["last"]["reason"] for check in watch.checks if check["node"] in watch.reasons}
    assert found.keys() == watch.reasons.keys()
    assert {node: reason for node, reason in found.items() if reason not in watch.reasons[node]} == {}


def test_the_healthy_stay_up(watch: Watch) -> None:
    mine = [(subject, state) for subject, state in watch.transitions if subject.startswith("healthy")]
    assert sorted(mine) == sorted((name, "up") for node in HEALTHY for name in (node, f"{node}/home"))


def test_everything_was_asked_in_time(watch: Watch) -> None:
    ran, late = (
        values(watch.after, name, label) - values(watch.before, name, label)
        for name, label in (
            ("thongsuot_probe_runs_total", "seen"),
            ("thongsuot_schedule_lateness_seconds_bucket", "le"),
        )
    )
    print(f"\nhostile: {ran}, lateness {late}, resident {watch.memory[0]} … {max(watch.memory)} KiB")
    assert ran["blind"] == 0
    assert ran["ok"] >= 0.9 * LASTS * len(HEALTHY)
    assert ran["failed"] >= 0.45 * LASTS * len(watch.reasons)
    assert max(count for bound, count in late.items() if float(bound) <= 0.25) >= 0.99 * late["+Inf"]


def test_memory_does_not_grow(watch: Watch) -> None:
    settled = watch.memory[len(watch.memory) // 4]
    assert max(watch.memory) - settled < 8 * 1024, f"KiB: {watch.memory}"
    assert max(watch.memory) < 150 * 1024


def test_no_target_makes_a_series(watch: Watch) -> None:
    before, after = series(watch.before), series(watch.after)
    per_check = Counter(known[1] for line in after if (known := re.search(r'[{,]check="([^"]*)"', line)))
    assert per_check.keys() == {f"{node}/home" for node in (*HEALTHY, *watch.reasons)}
    assert max(per_check.values()) <= 25
    # Whether a connection was reset before or after it was made is chance, and so is whether its protocol is known.
    assert {line for line in before ^ after if not line.startswith("probe_ip_protocol{")} == set()


def test_the_log_is_whole_and_quiet(watch: Watch) -> None:
    assert watch.code == 0
    lines = [json.loads(line) for line in watch.log.splitlines()]
    assert [line for line in lines if line["level"] not in ("info", "debug")] == []


def test_nobodys_words_are_markup_or_commands(watch: Watch) -> None:
    for path, text in watch.pages.items():
        assert "\x1b" not in text, path
        if path != "/api/v1/status":
            assert "<script>=cmd" not in text, path
    for check in watch.checks:
        assert check["last"]["detail"].isprintable(), check
        assert len(check["last"]["detail"]) <= 200
