"""A big outage: 4,000 targets accept and never answer. Are the healthy ones beside them still seen as healthy, and as fast as they are?"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from statistics import quantiles
from typing import Any

from tests.bench.rig import Stage, Worker
from tests.bench.scene import Figure, Missing, Scene

DARK = 4000
PACE = 50
RAMP = 2.5
SECONDS = 11.0
"""Longer than the 10 s after which dark ones are given up and asked again."""

THEIR_SECONDS = 5.0
"""Enough to see theirs: it holds 4,000 waiting probes just so."""


def play() -> Sequence[Figure | Missing]:
    with Stage(first=True) as stage:
        plain, _ = stage.nginx()
        dark = stage.dark()
        calm: dict[str, Any] = {
            "mode": "blackout",
            "healthy": [f"http://127.0.0.{last}:{plain}/" for last in range(1, 51)],
            "dark": [],
            "pace": PACE,
            "ramp": RAMP,
            "seconds": SECONDS,
        }
        night = calm | {"dark": [f"http://127.1.{number // 250}.{number % 250 + 1}:{dark}/" for number in range(DARK)]}
        day, ours = both((stage.engine(), calm), (stage.engine(), night))
        quiet, exporter = stage.blackbox(), stage.blackbox()
        short = {"seconds": THEIR_SECONDS}
        their_day, theirs = both(
            (stage.scraper(), calm | short | {"port": quiet.port}),
            (stage.scraper(), night | short | {"port": exporter.port}),
        )
        peak = exporter.peak()
    return [
        Figure(name="Blackout: healthy ones reported failed", value=ours["failed"], target=0, want="most"),
        Figure(name="Blackout: p99 off by", value=late(ours, 99) - late(day, 99), unit="ms", target=5, want="most"),
        Figure(name="Blackout: memory", value=ours["peak"], unit="MiB", target=64, want="most"),
        Figure(name="Blackout, ours: memory before the first check", value=ours["idle"], unit="MiB"),
        Figure(name="Blackout, ours: dark ones timed out", value=ours["timeouts"]),
        Figure(name="Blackout, ours: CPU", value=ours["cpu"] * 100, unit="%"),
        *latency("ours", day, ours),
        Figure(name="Blackout, blackbox_exporter: reported failed", value=theirs["failed"]),
        *latency("blackbox_exporter", their_day, theirs),
        Figure(name="Blackout, blackbox_exporter: memory", value=peak, unit="MiB"),
    ]


def both(*orders: tuple[Worker, dict[str, Any]]) -> list[dict[str, Any]]:
    """The same healthy ones without and with dark ones, at the same time on the same core: whatever else the machine does hits both."""
    with ThreadPoolExecutor(len(orders)) as pool:
        return list(pool.map(lambda order: order[0].ask(order[1]), orders))


def late(said: dict[str, Any], percent: int) -> float:
    """A percentile of the healthy ones' latency, milliseconds."""
    return quantiles(said["seconds"], n=100)[percent - 1] * 1000


def latency(whose: str, day: dict[str, Any], night: dict[str, Any]) -> list[Figure]:
    """The healthy ones' latency as measured, beside the dark ones and without them."""
    return [
        Figure(
            name=f"Blackout, {whose}: p{percent}",
            value=late(night, percent),
            unit="ms",
            note=f"{late(day, percent):.2f} ms without dark ones",
        )
        for percent in (50, 99)
    ]


SCENE = Scene(name="blackout", title="50 healthy probes a second beside 4,000 targets that never answer", play=play)
