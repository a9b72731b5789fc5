"""20,000 links, five echoes each every 30 s, on one core: the real schedule, runner and kind."""

from collections.abc import Sequence

from tests.bench.ground import inside, may_have_a_network
from tests.bench.links import PACKETS
from tests.bench.scene import Figure, Missing, Scene

LINKS = 20_000


def play() -> Sequence[Figure | Missing]:
    if not may_have_a_network():
        raise LookupError("a network namespace is needed: run as root")
    order = {"links": LINKS, "every": 30, "timeout": 10, "before": 6, "seconds": 30}
    ((said,),) = (answer["answers"] for answer in inside("tests.bench.links", {"orders": [order]}))
    name = "20,000 links × 5 echoes every 30 s"
    return [
        Figure(name=f"{name}: schedule lateness p99", value=said["late99"], unit="ms", target=10, want="most"),
        Figure(name=f"{name}: echoes lost", value=said["lost"], target=0, want="most"),
        Figure(
            name=f"{name}: runs without a good outcome",
            value=said["missing"] + said["failed"] + said["blind"],
            target=0,
            want="most",
        ),
        Figure(
            name=f"{name}: CPU of one core",
            value=said["cpu"],
            unit="%",
            note=f"{said['runs']:.0f} runs/s, {1e4 * said['cpu'] / said['runs'] / PACKETS:.1f} µs an echo",
        ),
        Figure(
            name=f"{name}: schedule lateness p50",
            value=said["late50"],
            unit="ms",
            note=f"all ≤ {said['latemax']:.3g} ms",
        ),
        Figure(name=f"{name}: memory", value=said["peak"], unit="MiB"),
    ]


SCENE = Scene(name="links-load", title="20,000 links, five echoes each every 30 s", play=play)
