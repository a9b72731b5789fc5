"""Pages that mean no good: each run ends in its time, the browser lives on or is replaced, the loop notices nothing."""

import asyncio
import os
import signal
import socket
import sys
import tempfile
import time
from pathlib import Path

import pytest

import probes
from probes import browser_gate
from probes.browser_house import House
from probes.browser_tree import below, make_home
from probes.contract import Address
from probes.tools import Workbench
from tests.probes.browser.conftest import run, warm
from tests.probes.look import LOOPS, Names, now

HOSTILE = [
    # what the page does              path        further step            seen      reason     facts
    ("a script that never ends", "/loop", {"see": "Không có", "within": "2s"}, "failed", "timeout", {}),
    ("a storm of dialogs", "/alerts", {"see": "Thông báo", "within": "3s"}, "any", "any", {}),
    ("a storm of windows", "/popups", {"see": "Cửa sổ"}, "ok", "ok", {}),
    ("ten thousand errors in the console", "/console", {"see": "Lỗi"}, "ok", "ok", {"console_errors": 1000}),
    ("a hundred thousand elements", "/huge", {"see": {"selector": "h1"}}, "any", "any", {}),
]


async def test_a_page_that_means_no_good_costs_only_its_own_check(workbench, server):
    await warm(workbench, server)
    late = 0.0

    async def pulse():
        nonlocal late
        while True:
            due = time.monotonic() + 0.02
            await asyncio.sleep(0.02)
            late = max(late, time.monotonic() - due)

    beating = asyncio.create_task(pulse())
    for sentence, path, step, seen, reason, facts in HOSTILE:
        outcome = await run(workbench, {"steps": [{"go": server.url + path}, step]}, timeout=8)
        if seen != "any":
            assert (outcome.seen, outcome.reason) == (seen, reason), (sentence, outcome)
        assert outcome.seen != "blind", (sentence, outcome)
        assert facts.items() <= outcome.facts.items(), (sentence, outcome)
        after = await run(workbench, {"steps": [{"go": server.url + "/plain"}, {"see": "Trang chủ"}]}, timeout=15)
        assert after.seen == "ok", (sentence, after)
    beating.cancel()
    assert late < 0.5


async def test_a_page_that_eats_memory_ends_the_browser_and_is_not_believed(workbench, server):
    await warm(workbench, server)
    keys = {"steps": [{"go": server.url + "/hog"}, {"see": "Không có"}], "memory": "700MiB"}
    outcome = await run(workbench, keys, timeout=15)
    assert (outcome.seen, outcome.reason) == ("blind", "own_memory"), outcome
    assert outcome.seconds < 12
    await warm(workbench, server)


def browser_below(root: int) -> int:
    """Chromium's first process: the one that Playwright speaks to."""
    for pid in below(root):
        words = Path(f"/proc/{pid}/cmdline").read_bytes()
        if b"--remote-debugging-pipe" in words and b"--type=" not in words:
            return pid
    raise LookupError


async def test_a_browser_killed_under_a_run_is_replaced(workbench, server):
    await warm(workbench, server)
    for victim in ("worker", "browser"):
        going = asyncio.create_task(run(workbench, {"steps": [{"go": server.url + "/silent"}]}, timeout=10))
        while not any("/silent" in asked for asked in server.asked):
            await asyncio.sleep(0.05)
        server.asked.clear()
        pid = workbench.browsers[None].pid
        if victim == "browser":
            pid = await asyncio.to_thread(browser_below, pid)
        os.kill(pid, signal.SIGKILL)
        outcome = await going
        assert outcome.seen == "blind", (victim, outcome)
        await warm(workbench, server)


async def test_a_browser_that_stands_still_is_replaced_in_time(workbench, server):
    await warm(workbench, server)
    pids = await asyncio.to_thread(below, workbench.browsers[None].pid)
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    outcome = await run(workbench, {"steps": [{"go": server.url + "/plain"}]}, timeout=4)
    assert (outcome.seen, outcome.reason) == ("blind", "own_stall"), outcome
    await warm(workbench, server)
    assert not set(pids) & set(await asyncio.to_thread(below, os.getpid()))


async def test_a_browser_that_has_done_its_share_is_replaced(workbench, server):
    house = workbench.browsers[None] = House(None, runs=2)
    pids = []
    for _ in range(5):
        await warm(workbench, server)
        pids.append(house.pid)
    assert pids[0] == pids[1] != pids[2] == pids[3] != pids[4]


async def test_two_at_once_and_the_third_waits(workbench, server):
    await warm(workbench, server)
    keys = {"steps": [{"go": server.url + "/silent"}]}
    first = [asyncio.create_task(run(workbench, keys, timeout=4)) for _ in range(2)]
    await asyncio.sleep(0.1)
    third = await run(workbench, {"steps": [{"go": server.url + "/plain"}]}, timeout=2)
    assert (third.seen, third.reason) == ("blind", "own_overload"), third
    assert [(await each).reason for each in first] == ["timeout", "timeout"]


FLOOR = [
    # what the page does                                    address it leads to     reason
    ("redirects to our own admin port", "/to?{own}/plain", "redirect_blocked"),
    ("redirects to a cloud's metadata", "/to?http://169.254.169.254/latest/", "redirect_blocked"),
]


async def test_a_page_reaches_no_host_that_only_we_can(workbench, server, monkeypatch):
    """The one thing pretended is how public the portal's address is: a public one cannot be had here."""
    real = browser_gate.publicness
    portal = Address(socket.AF_INET, "127.0.0.1")
    workbench._resolver = Names({"portal.example": ("127.0.0.1",), "router.example": ("127.0.0.1",)})
    public = {"n": 0}

    def publicness(address):
        if address == portal and public["n"] == 0:
            public["n"] = 1
            return 3
        return real(address)

    monkeypatch.setattr(browser_gate, "publicness", publicness)
    base = f"http://portal.example:{server.server_port}"
    own = f"http://router.example:{server.server_port}"
    await warm(workbench, server)
    for sentence, path, reason in FLOOR:
        public["n"] = 0
        outcome = await run(workbench, {"steps": [{"go": base + path.format(own=own)}]}, timeout=8)
        assert (outcome.seen, outcome.reason) == ("failed", reason), (sentence, outcome)
    public["n"] = 0
    server.asked.clear()
    keys = {"steps": [{"go": f"{base}/fetch?{own}/inner"}, {"see": "Tìm"}]}
    assert (await run(workbench, keys, timeout=8)).facts["failed_requests"] >= 1
    assert "/inner" not in server.asked
    public["n"] = 0
    assert (await run(workbench, keys | {"allow": ["router.example"]}, timeout=8)).seen == "ok"


@LOOPS
def test_without_playwright_or_a_browser_it_says_what_to_install(run, tmp_path, monkeypatch):
    async def both():
        spec = probes.KINDS["browser"].spec
        step = probes.KINDS[
            "browser"
        ].spec.__dataclass_fields__  # The spec's own steps, made as the settings make them.
        assert "steps" in step
        from pydantic import TypeAdapter

        keys = {"steps": [{"go": "http://127.0.0.1:1/"}]}
        async with Workbench(now) as bench:
            bad = TypeAdapter(spec).validate_python(keys | {"executable": str(tmp_path / "none")})
            return [
                await probes.run("browser", bad, bench, timeout=5),
                await probes.run(
                    "browser", TypeAdapter(spec).validate_python(keys | {"executable": "/bin/false"}), bench, timeout=20
                ),
            ]

    missing, broken = run(both())
    assert (missing.seen, missing.reason) == ("blind", "own_config")
    assert "none is not a program" in missing.detail
    assert (broken.seen, broken.reason) == ("blind", "own_config"), broken
    assert "Chromium does not start" in broken.detail


DAEMON = """
import asyncio, os, sys
from datetime import UTC, datetime
from pydantic import TypeAdapter
import probes
from probes.browser_tree import below
from probes.tools import Workbench

async def main():
    spec = TypeAdapter(probes.KINDS["browser"].spec).validate_python({"steps": [{"go": sys.argv[1]}]})
    async with Workbench(lambda: datetime.now(UTC)) as bench:
        outcome = await probes.run("browser", spec, bench, timeout=30)
        print(outcome.seen, outcome.detail, file=sys.stderr)
        print(outcome.seen, *await asyncio.to_thread(below, os.getpid()), flush=True)
        await asyncio.sleep(60)

asyncio.run(main())
"""


@pytest.mark.parametrize("how", ["daemon", "daemon and worker"])
async def test_the_browser_does_not_outlive_the_daemon_however_that_ends(
    how, chromium, server, short_path, monkeypatch
):
    daemon = await asyncio.create_subprocess_exec(
        sys.executable, "-c", DAEMON, server.url + "/plain", stdout=asyncio.subprocess.PIPE,
        env=os.environ | {"TMPDIR": short_path},
    )  # fmt: skip
    try:
        assert daemon.stdout is not None
        seen, *pids = (await asyncio.wait_for(daemon.stdout.readline(), 40)).split()
        assert seen == b"ok"
        assert len(pids) > 4
    finally:
        daemon.kill()
        if how == "daemon and worker":
            os.kill(int(pids[0]), signal.SIGKILL)
        await daemon.wait()
    left = {int(pid) for pid in pids}
    until = time.monotonic() + 5
    while (left := {pid for pid in left if Path(f"/proc/{pid}").exists()}) and time.monotonic() < until:
        await asyncio.sleep(0.05)
    assert not left
    if how == "daemon":
        assert os.listdir(short_path) == []
    else:  # Nobody was left to remove the files: whoever comes next does.
        monkeypatch.setenv("TMPDIR", short_path)
        monkeypatch.setattr(tempfile, "tempdir", None)
        home = await asyncio.to_thread(make_home, "thongsuot-browser-")
        assert [f"{short_path}/{name}" for name in os.listdir(short_path)] == [home]
