"""A login in a real browser: what one costs, beside the daemon and in it."""

import asyncio
import os
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from statistics import median
from typing import Any

from pydantic import TypeAdapter

import probes
from probes.browser_tree import below, memory
from probes.secret import Secret
from probes.tools import Workbench
from tests.bench.scene import Figure, Missing, Scene
from tests.debian import found
from tests.probes.browser.portal import portal

RUNS = 12
TICKS = os.sysconf("SC_CLK_TCK")


def used(pids: Sequence[int]) -> float:
    """CPU seconds of these processes and of those they have already waited for."""
    total = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/stat", "rb") as file:
                total += sum(int(part) for part in file.read().rpartition(b")")[2].split()[11:15])
        except OSError:
            continue  # It ended meanwhile.
    return total / TICKS


async def measure(url: str) -> list[Figure]:
    keys = {
        "steps": [
            {"go": url + "/home"},
            {"fill": {"#user": "lan", "#password": Secret("mat-khau-bi-mat")}},
            {"click": "text=Đăng nhập"},
            {"see": "Hồ sơ của tôi"},
        ]
    }
    spec: Any = TypeAdapter(probes.KINDS["browser"].spec).validate_python(keys)
    async with Workbench(lambda: datetime.now(UTC)) as bench:
        first = await probes.run("browser", spec, bench, timeout=60)
        await probes.run("browser", spec, bench, timeout=60)
        seconds, peaks = [], []
        mine = used([os.getpid()])
        pids = below(os.getpid())
        theirs = used(pids)
        for _ in range(RUNS):
            outcome = await probes.run("browser", spec, bench, timeout=60)
            assert outcome.seen == "ok", outcome
            seconds.append(outcome.seconds)
            peaks.append(outcome.facts["memory_bytes"])
        mine, theirs = used([os.getpid()]) - mine, used([*{*pids, *below(os.getpid())}]) - theirs
        idle = memory(below(os.getpid()))
    return [
        Figure(
            name="a login in the browser, CPU in the daemon",
            value=mine / RUNS * 1000,
            unit="ms",
            target=25.0,
            want="most",
        ),
        Figure(name="a login in the browser, CPU of the browser", value=theirs / RUNS, unit="CPU-s"),
        Figure(name="a login in the browser, time", value=median(seconds), unit="s"),
        Figure(name="the browser's start", value=first.phases["browser"], unit="s"),
        Figure(
            name="the browser's memory, at most", value=max(peaks) / (1 << 20), unit="MiB", target=512.0, want="most"
        ),
        Figure(name="the browser's memory, idle", value=idle / (1 << 20), unit="MiB"),
    ]


def play() -> Sequence[Figure | Missing]:
    if found("chromium-headless-shell", "chromium-headless-shell") is None:
        return [Missing(name="a login in the browser", why="chromium-headless-shell is missing")]
    with portal() as server, tempfile.TemporaryDirectory(prefix="ts-") as home:
        before = os.environ.get("TMPDIR")
        os.environ["TMPDIR"] = home
        try:
            return asyncio.run(measure(server.url))
        finally:
            os.environ.pop("TMPDIR") if before is None else os.environ.update(TMPDIR=before)


SCENE = Scene(name="browser", title="A login in a real browser", play=play)
