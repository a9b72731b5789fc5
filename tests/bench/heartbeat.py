"""Looking whether a job has called: the one kind that asks nobody."""

from collections.abc import Sequence

from tests.bench.rig import LANES, SLICE, Stage
from tests.bench.scene import Figure, Missing, Scene, rounds


def play() -> Sequence[Figure | Missing]:
    with Stage() as stage:
        engine = stage.engine()
        specs = [{"token": {"secret": f"{number:024d}"}, "expect_every": "60s"} for number in range(50)]
        order = {"mode": "rate", "kind": "heartbeat", "breath": True, "specs": specs, "lanes": LANES, "seconds": SLICE}
        peaks: list[float] = []

        def ours() -> float:
            said = engine.ask(order)
            peaks.append(float(said["peak"]))
            return float(said["cpu"]) / float(said["done"])

        seen = rounds({"ours": ours})
    return [
        Figure(name="Heartbeat, a look", value=seen["ours"] * 1e6, unit="CPU-µs/probe"),
        Figure(name="Heartbeat, resident growth over the later turns", value=peaks[-1] - peaks[1], unit="MiB"),
    ]


SCENE = Scene(name="heartbeat", title="Whether a job has called", play=play)
