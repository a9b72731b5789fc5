"""A year's report of a province's 600 nodes, and of a country's 20,000, from their transitions: 200 of each, as the lines of a bad year have.

The quick way in is columns of transitions; beside it the same from one object per transition, and the weekly report of the same province.
"""

import json
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Final

import numpy as np

from monitor.model import Catalogue, Daemon, Gap, Node, Province, Retention, SelfCheck, Severity, State, Window
from monitor.report import Source, build
from monitor.rules import calendar
from monitor.rules.calendar import Period
from monitor.rules.columns import CODES, Columns, micros
from tests.bench.ground import alone
from tests.bench.scene import Figure, Missing, Scene

PROVINCE: Final = Province(id="37", name="Tỉnh", issuer="Sở")
YEAR: Final = calendar.parse("2025", PROVINCE.zone)
WEEK: Final = calendar.parse("2025-W20", PROVINCE.zone)
CHANGES: Final = 200
SMALL, LARGE = 600, 20_000
STATES: Final = [
    CODES[state] for state in (State.UP, State.DOWN, State.UP, State.DEGRADED, State.UP, State.UNREACHABLE)
]


def play() -> Sequence[Figure | Missing]:
    seen = alone("tests.bench.report", {})
    return [
        Figure(
            name="Report: a year of 600 nodes",
            value=seen["small"],
            unit="ms",
            target=50,
            want="most",
            note=f"{SMALL * CHANGES:,} transitions",
        ),
        Figure(
            name="Report: a year of 20,000 nodes",
            value=seen["large"] / 1000,
            unit="s",
            target=1.5,
            want="most",
            note=f"{LARGE * CHANGES:,} transitions",
        ),
        Figure(name="Report: a year of 600 nodes, one object per transition", value=seen["objects"], unit="ms"),
        Figure(name="Report: a week of 600 nodes", value=seen["week"], unit="ms"),
    ]


def catalogue(count: int) -> Catalogue:
    """Links, video endpoints and portals of made-up communes, two carriers, five regions."""
    nodes = {}
    for number in range(count):
        kind = ("link", "video", "portal")[number % 3]
        node = f"{kind}.{number:05d}"
        labels = {"commune": f"{number // 3:05d}", "commune_name": f"Xã {number // 3}", "region": f"Vùng {number % 5}"}
        nodes[node] = Node(
            id=node, name=f"Xã {number}", type=kind, severity=Severity.MEDIUM, owner="skhcn",
            carrier=("vnpt", "viettel")[number % 2], labels=labels,
        )  # fmt: skip
    return Catalogue(
        province=PROVINCE, daemon=Daemon(), parties={}, nodes=nodes, checks={}, receivers={}, routes=(), maintenance=(),
        reports=(), retention=Retention(), monitor=SelfCheck(), fingerprint="",
    )  # fmt: skip


def history(known: Catalogue) -> Columns:
    """Each node's changes at random moments of the year, its first at the start."""
    random, count = np.random.default_rng(11), len(known.nodes)
    one, two = micros(YEAR.start), micros(YEAR.end)
    at = np.sort(random.integers(one, two, (count, CHANGES)), axis=1)
    at[:, 0] = one
    code = np.tile(np.array([STATES[number % len(STATES)] for number in range(CHANGES)]), count)
    subject = np.repeat(np.arange(count), CHANGES)
    flat = at.reshape(-1)
    return Columns(names=tuple(known.nodes), subject=subject, at=flat, after=flat - 30_000_000, code=code)


def source(count: int) -> Source:
    known = catalogue(count)
    night = YEAR.start + timedelta(days=100)
    return Source(
        catalogue=known,
        transitions=history(known),
        gaps=[Gap(since=night, until=night + timedelta(hours=2))],
        windows=[
            Window(
                id=f"w{number}", plan="w", nodes=frozenset(list(known.nodes)[::40]), reason="Bảo trì",
                start=YEAR.start + timedelta(days=30 * number, hours=1), end=YEAR.start + timedelta(days=30 * number, hours=3),
            )
            for number in range(12)
        ],
        generated_at=datetime(2026, 2, 1, tzinfo=UTC),
    )  # fmt: skip


def spent(act: Callable[[], object], count: int) -> float:
    """Milliseconds, the median."""
    times = []
    for _ in range(count):
        start = time.process_time()
        act()
        times.append(time.process_time() - start)
    return 1000 * median(times)


def perform() -> dict[str, float]:
    small = source(SMALL)

    def built(whole: Source, period: Period) -> Callable[[], object]:
        return lambda: build(whole, period)

    answer = {"small": spent(built(small, YEAR), 15), "week": spent(built(small, WEEK), 15)}
    data = small.transitions
    assert isinstance(data, Columns)
    objects = {name: data.history(name) for name in data.names}
    apart = Source(
        catalogue=small.catalogue, transitions=objects, gaps=small.gaps, windows=small.windows, generated_at=small.generated_at
    )  # fmt: skip
    answer["objects"] = spent(built(apart, YEAR), 5)
    del objects, apart, small
    answer["large"] = spent(built(source(LARGE), YEAR), 3)
    return answer


SCENE = Scene(name="report", title="A year's report from transitions", play=play)

if __name__ == "__main__":
    print(json.dumps(perform()))
