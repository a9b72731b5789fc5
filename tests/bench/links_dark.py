"""Every link silent at once: what looking at them costs then, and whether every run has its outcome.

Two provinces side by side on one core, each in a network of its own, in one of which nothing answers: the ratio does not depend on the
machine's other work.
"""

from collections.abc import Sequence
from typing import Any

from tests.bench.ground import inside, may_have_a_network
from tests.bench.scene import Figure, Missing, Scene

STRETCHES: dict[int, dict[str, Any]] = {
    129: {"links": 129, "every": 3, "timeout": 2, "before": 2.5, "seconds": 9},
    5000: {"links": 5000, "every": 10, "timeout": 6, "before": 6.5, "seconds": 12},
}


def play() -> Sequence[Figure | Missing]:
    if not may_have_a_network():
        raise LookupError("a network namespace is needed: run as root")
    orders = [{"orders": [stretch | {"dark": dark} for stretch in STRETCHES.values()]} for dark in (False, True)]
    day, night = (answer["answers"] for answer in inside("tests.bench.links", *orders))
    figures: list[Figure | Missing] = []
    for links, up, dark in zip(STRETCHES, day, night, strict=True):
        name = f"{links:,} links"
        figures += [
            Figure(
                name=f"{name}: CPU, all silent / all up",
                value=dark["cpu"] / up["cpu"],
                unit="×",
                target=1.3,
                want="most",
                note=f"{dark['cpu']:.3g} % and {up['cpu']:.3g} % of a core, {up['runs']:.0f} runs/s",
            ),
            Figure(
                name=f"{name}, all silent: runs that did not say so",
                value=dark["missing"] + dark["ok"] + dark["blind"],
                target=0,
                want="most",
                note=f"{dark['failed']:,} did",
            ),
            Figure(
                name=f"{name}, all up: runs that did not say so",
                value=up["missing"] + up["failed"] + up["blind"] + up["lost"],
                target=0,
                want="most",
                note=f"{up['ok']:,} did, no echo lost",
            ),
        ]
    return figures


SCENE = Scene(name="links-dark", title="Every link silent at once", play=play)
