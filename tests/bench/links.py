"""Links under measurement: the real schedule and runner with checks of five echoes, and nobody behind them who judges or stores.

Owns: one province or country of links for some seconds, in a network of its own: what it cost, how late runs were, whether every run had an
outcome. Never: says what is good; a scene does.
"""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import uvloop

from monitor.model import Check, SelfCheck
from monitor.pipeline.anchors import Anchors
from monitor.pipeline.runner import Runner
from monitor.schedule import Cadence
from probes.contract import Outcome, Seen
from probes.icmp import IcmpSpec
from probes.pauses import settle
from probes.tools import Workbench
from tests.bench.engine import cpu, peak
from tests.bench.ground import place
from tests.bench.rig import CORES, PROBING

PACKETS: Final = 5


class Count:
    """What came of the runs of one stretch."""

    def __init__(self) -> None:
        self.late: list[float] = []
        self.fired = self.outcomes = self.ok = self.failed = self.blind = self.sent = self.received = 0

    def heard(self, outcome: Outcome) -> None:
        """One more outcome."""
        self.outcomes += 1
        self.ok += outcome.seen is Seen.OK
        self.failed += outcome.seen is Seen.FAILED
        self.blind += outcome.seen is Seen.BLIND
        self.sent += int(outcome.facts.get("sent", 0))
        self.received += int(outcome.facts.get("received", 0))


class Links:
    """So many links, each asked every so often, spread by the real cadence; counted from `begin` to `end`."""

    def __init__(self, workbench: Workbench, number: int, every: float, timeout: float) -> None:
        self.checks = {
            check.id: check
            for check in (
                Check(
                    id=f"link.{at}/echo", node=f"link.{at}", name="echo", kind="icmp",
                    spec=IcmpSpec(host=place(at), packets=PACKETS),
                    every=timedelta(seconds=every), timeout=timedelta(seconds=timeout),
                )
                for at in range(number)
            )
        }  # fmt: skip
        self.count = Count()
        self._loop = asyncio.get_running_loop()
        self._counted: dict[str, Count] = {}
        nobody = Anchors((), workbench, lambda answers, at: None)
        self.runner = Runner(
            self.checks, workbench, nobody, SelfCheck(), self._take, limit=len(self.checks), late=lambda late: None
        )
        self.cadence = Cadence(fire=self._fire, skipped=self.runner.skipped)

    def _fire(self, check: str, late: float) -> None:
        # uvloop's clock stands still within a turn, and is of whole milliseconds.
        self.count.late.append(late + time.monotonic() - self._loop.time())
        self.count.fired += 1
        self._counted[check] = self.count
        self.runner.fire(check, late)

    def _take(self, check: str, outcome: Outcome) -> None:
        self._counted.pop(check, self.count).heard(outcome)

    @property
    def open(self) -> int:
        """Runs that have no outcome yet."""
        return len(self._counted)


async def measure(order: Mapping[str, Any]) -> dict[str, Any]:
    """One stretch, after a while in which everything finds its pace."""
    async with Workbench(lambda: datetime.now(UTC)) as workbench:
        links = Links(workbench, order["links"], order["every"], order["timeout"])
        settle()
        links.cadence.keep({check.id: check.every for check in links.checks.values()})
        await asyncio.sleep(order["before"])
        count = links.count = Count()
        used, began = cpu(), time.monotonic()
        await asyncio.sleep(order["seconds"])
        used, took = cpu() - used, time.monotonic() - began
        links.count = Count()
        links.cadence.stop()
        for _ in range(int(10 * order["timeout"]) + 10):
            if links.open:
                await asyncio.sleep(0.1)
        await links.runner.stop()
        late = sorted(count.late)
        return {
            "cpu": 100 * used / took,
            "runs": count.fired / took,
            "missing": count.fired - count.outcomes,
            "ok": count.ok,
            "failed": count.failed,
            "blind": count.blind,
            "sent": count.sent,
            "lost": count.sent - count.received,
            "late50": 1000 * late[len(late) // 2],
            "late99": 1000 * late[len(late) * 99 // 100],
            "latemax": 1000 * late[-1],
            "peak": peak(),
        }


def alone_on_a_core(*, first: bool = True) -> None:
    """This process on the probing core, before the machine's other work where we may."""
    if CORES > 1:
        os.sched_setaffinity(0, {int(PROBING)})
    if first and os.geteuid() == 0:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))


def perform(orders: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The orders, one after the other, each with a loop of its own; `dark` makes every link silent."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    alone_on_a_core()
    answers = []
    for order in orders:
        Path("/proc/sys/net/ipv4/icmp_echo_ignore_all").write_text("1" if order.get("dark") else "0")
        answers.append(uvloop.run(measure(order)))
    return answers


if __name__ == "__main__":
    print(json.dumps({"answers": perform(json.loads(sys.argv[1])["orders"])}))
