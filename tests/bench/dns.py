"""One question to one name server over UDP."""

import sys
from collections.abc import Sequence

from tests.bench.rig import SERVING, Stage, per_cpu_second
from tests.bench.scene import Figure, Missing, Scene
from tests.ports import free_port


def play() -> Sequence[Figure | Missing]:
    with Stage() as stage:
        port = free_port()
        stage.start(SERVING, [sys.executable, "-m", "tests.bench.names", str(port)], port=port)
        seen = per_cpu_second(
            stage,
            "dns",
            [{"server": f"127.0.0.1:{port}", "name": f"c{number}.bench.example"} for number in range(1, 51)],
            "dns",
            [f"127.0.0.1:{port}"],
        )
    return [
        Figure(name="DNS: ours / blackbox_exporter", value=seen["ours"] / seen["blackbox"], unit="×"),
        Figure(name="DNS, ours", value=seen["ours"], unit="probes/CPU-s"),
        Figure(name="DNS, blackbox_exporter", value=seen["blackbox"], unit="probes/CPU-s"),
    ]


SCENE = Scene(name="dns", title="DNS questions over UDP, per CPU-second", play=play)
