"""A port that opens."""

from collections.abc import Sequence

from tests.bench.rig import Stage, per_cpu_second
from tests.bench.scene import Figure, Missing, Scene

TARGET = 4.0


def play() -> Sequence[Figure | Missing]:
    with Stage() as stage:
        plain, _ = stage.nginx()
        hosts = [f"127.0.0.{last}" for last in range(1, 51)]
        seen = per_cpu_second(
            stage,
            "tcp",
            [{"host": host, "port": plain} for host in hosts],
            "tcp",
            [f"{host}:{plain}" for host in hosts],
        )
    return [
        Figure(name="TCP: ours / blackbox_exporter", value=seen["ours"] / seen["blackbox"], unit="×", target=TARGET),
        Figure(name="TCP, ours", value=seen["ours"], unit="probes/CPU-s"),
        Figure(name="TCP, blackbox_exporter", value=seen["blackbox"], unit="probes/CPU-s"),
    ]


SCENE = Scene(name="tcp", title="TCP connects, per CPU-second", play=play)
