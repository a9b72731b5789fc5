"""A scrape of the whole country, 160,000 series: how long it holds the loop, beside prometheus_client with as many in the same process.

Between two scrapes half of the checks have run (every 30 s, scraped every 15 s), each with new durations.
"""

import json
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Any, Final

from prometheus_client import CollectorRegistry, Gauge, generate_latest

from monitor.metrics import Exposition
from monitor.model import (
    Catalogue,
    Check,
    Daemon,
    Node,
    NodeState,
    Province,
    Retention,
    SelfCheck,
    State,
)
from probes.contract import Outcome, Reason, Seen
from tests.bench.ground import alone
from tests.bench.scene import Figure, Missing, Scene

COMMUNES: Final = 3321
CHECKS: Final = {"https": "http", "echo": "icmp", "http": "http"}
SERIES: Final = 160_000
NOW: Final = datetime(2026, 11, 21, 7, tzinfo=UTC)
SCRAPES: Final = 15
NAMES: Final = 8
"""Metrics of each of prometheus_client's 20,000 label sets."""


def play() -> Sequence[Figure | Missing]:
    seen = alone("tests.bench.scrape", {})
    return [
        Figure(
            name="Scrape of 160,000 series: time of the loop",
            value=seen["ours"],
            unit="ms",
            target=50,
            want="most",
            note=f"{seen['series']} series",
        ),
        Figure(name="Scrape: prometheus_client / ours", value=seen["theirs"] / seen["ours"], unit="×"),
        Figure(name="Scrape, prometheus_client", value=seen["theirs"], unit="ms", note=f"{SERIES} series"),
        Figure(name="Scrape, ours, when availability is new", value=seen["figures"], unit="ms", note="once a minute"),
        Figure(name="Scrape, ours: taking an outcome", value=seen["outcome"], unit="µs"),
    ]


def catalogue() -> Catalogue:
    """3,321 communes with three checks each."""
    places = [f"commune.{number:05d}" for number in range(COMMUNES)]
    every = timedelta(seconds=30)
    checks = {
        f"{node}/{name}": Check(id=f"{node}/{name}", node=node, name=name, kind=kind, spec=None, every=every, timeout=every / 3)
        for node in places
        for name, kind in CHECKS.items()
    }  # fmt: skip
    return Catalogue(
        province=Province(id="37", name="Tỉnh", issuer="Sở"),
        daemon=Daemon(),
        parties={},
        nodes={node: Node(id=node, name=node, type="commune", checks=tuple(f"{node}/{name}" for name in CHECKS)) for node in places},
        checks=checks, monitor=SelfCheck(), receivers={}, routes=(), maintenance=(), reports=(), retention=Retention(), fingerprint="",
    )  # fmt: skip


def outcomes(known: Catalogue, part: int, count: int) -> Iterator[tuple[Check, Outcome]]:
    """A run of every second check."""
    for number, check in enumerate(known.checks.values()):
        if number % 2 != part:
            continue
        seconds = 0.01 + (number * 7 + count * 13) % 1000 / 50_000
        phases = {
            "resolve": seconds / 9,
            "connect": seconds / 8,
            "tls": seconds / 7,
            "processing": seconds / 5,
            "transfer": seconds / 6,
        }
        facts = {
            "status": 200.0, "redirects": 0.0, "tls": 1.0, "http_version": 1.1, "ip_version": 4.0, "body_bytes": 601.0,
            "failed_due_to_regex": 0.0, "certificate_not_after": 1.8e9, "tls_version": 1.3,
            "loss": 0.0, "rtt": seconds, "jitter": seconds / 10, "mos": 4.4, "hop_limit": 64.0,
        }  # fmt: skip
        yield (
            check,
            Outcome(
                seen=Seen.OK, reason=Reason.OK, detail="", started_at=NOW, seconds=seconds, phases=phases, facts=facts
            ),
        )


def ours() -> dict[str, float]:
    """Milliseconds of a scrape, as the daemon answers it: the world told, then rendered."""
    known, exposition = catalogue(), Exposition(version="bench")
    nodes = {node: NodeState(node=node, state=State.UP) for node in known.nodes}
    shares = {(node, window): (1.0, 0.9) for node in known.nodes for window in ("1d", "7d", "30d")}
    usual, minute, taking, body = [], [], [], b""
    for count in range(SCRAPES):
        fresh = list(outcomes(known, count % 2, count))
        start = time.process_time()
        for check, outcome in fresh:
            exposition.outcome(check.id, check.node, "commune", check.kind, outcome)
        taking.append((time.process_time() - start) / len(fresh))
        if new := count % 4 == 3:
            shares = dict.fromkeys(shares, (1.0, 0.9 + count / 1000))
        start = time.process_time()
        exposition.world(now=NOW, catalogue=known, nodes=nodes, incidents=(), figures=shares)
        _, body = exposition.render("text/plain")
        (minute if new else usual).append(time.process_time() - start)
    return {
        "ours": 1000 * median(usual[2:]),
        "figures": 1000 * median(minute),
        "outcome": 1e6 * median(taking[2:]),
        "series": sum(not line.startswith(b"#") for line in body.splitlines()),
    }


def theirs() -> float:
    """Milliseconds of `generate_latest` with as many gauges."""
    registry = CollectorRegistry()
    gauges = [Gauge(f"probe_{number}", "h", ("check", "node", "type"), registry=registry) for number in range(NAMES)]
    for number in range(SERIES // NAMES):
        for gauge in gauges:
            gauge.labels(f"commune.{number:05d}/http", f"commune.{number:05d}", "commune").set(0.01 + number / 1e6)
    spent = []
    for _ in range(3):
        start = time.process_time()
        generate_latest(registry)
        spent.append(time.process_time() - start)
    return 1000 * median(spent)


SCENE = Scene(name="scrape", title="A scrape of 160,000 series", play=play)

if __name__ == "__main__":
    answer: dict[str, Any] = ours()
    print(json.dumps(answer | {"theirs": theirs()}))
