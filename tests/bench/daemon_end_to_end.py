"""A verdict from end to end: scheduled, probed, judged, stored and exposed by the daemon, beside blackbox_exporter that only probes.

The daemon asks 4,000 pages every second and is scraped every 5 s; the exporter is driven just before and just after it, on the same core.
"""

import json
import sys
import time
from collections.abc import Sequence
from statistics import median
from typing import Any, Final

from tests.bench.ground import Ground, inside, place
from tests.bench.scene import Figure, Missing, Scene

CHECKS: Final = 4000
SECONDS: Final = 20.0
SLICES: Final = 8
TARGET: Final = 5.0


def play() -> Sequence[Figure | Missing]:
    (seen,) = inside("tests.bench.daemon_end_to_end", {})
    ours = seen["ok"] / seen["spent"]
    return [
        Figure(
            name="End to end: ours / blackbox_exporter alone", value=ours / seen["blackbox"], unit="×", target=TARGET
        ),
        Figure(
            name="End to end, ours",
            value=ours,
            unit="verdicts/CPU-s",
            note=f"{seen['runs']:.0f} a second, {seen['failed']:.0f} failed, {seen['dropped']:.0f} dropped",
        ),
        Figure(name="End to end, ours: CPU of one core", value=seen["cpu"], unit="%"),
        Figure(
            name="End to end, ours: schedule lateness p50",
            value=seen["late50"],
            unit="ms",
            note=f"p99 {seen['late99']:.3g} ms",
        ),
        Figure(name="End to end, ours: rows stored", value=seen["rows"] / SECONDS, unit="/s"),
        Figure(name="End to end, blackbox_exporter alone", value=seen["blackbox"], unit="probes/CPU-s"),
    ]


def perform(_order: dict[str, Any]) -> dict[str, Any]:
    """The exporter, the daemon, the exporter once more."""
    with Ground() as ground:
        web = ground.web("pages")
        exporter, scraper = ground.blackbox(), ground.scraper()
        urls = [f"http://{place(number)}:{web.plain}/" for number in range(50)]

        def slices() -> list[float]:
            seen = []
            for _ in range(SLICES):
                before = exporter.cpu()
                said = scraper.ask(
                    {
                        "mode": "rate",
                        "port": exporter.port,
                        "module": "http",
                        "targets": urls,
                        "seconds": 0.5,
                        "lanes": 32,
                    }
                )
                seen.append(float(said["done"]) / (exporter.cpu() - before))
            return seen[1:]

        theirs = slices()
        rows = [{"code": f"{number:05d}", "address": place(number)} for number in range(CHECKS)]
        page = {"http": {"url": f"http://{{address}}:{web.plain}/", "expect": {"status": 200}}}
        node = {"name": "Trang {code}", "type": "portal", "checks": {"home": page}}
        defaults = {"every": "1s", "timeout": "900ms"}
        nodes = {"page.{code}": node}
        daemon = ground.daemon({"defaults": defaults, "for_each": [{"inventory": "rows", "nodes": nodes}]}, rows)
        time.sleep(CHECKS / 500 + 3)
        stretch = daemon.watch(SECONDS, scrape=5.0)
        daemon.end()
        theirs += slices()
    spent = stretch.after.cpu - stretch.before.cpu
    return stretch.said() | {"blackbox": median(theirs), "spent": spent}


SCENE = Scene(name="daemon-end-to-end", title="HTTP verdicts from end to end, per CPU-second", play=play)

if __name__ == "__main__":
    print(json.dumps(perform(json.loads(sys.argv[1]))))
