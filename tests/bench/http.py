"""A page over a fresh connection, plain: what most checks of a province are."""

from collections.abc import Sequence

from tests.bench.rig import Stage, per_cpu_second
from tests.bench.scene import Figure, Missing, Scene

TARGET = 8.0


def play() -> Sequence[Figure | Missing]:
    with Stage() as stage:
        plain, _ = stage.nginx()
        urls = [f"http://127.0.0.{last}:{plain}/" for last in range(1, 51)]
        seen = per_cpu_second(stage, "http", [{"url": url, "expect": {"status": 200}} for url in urls], "http", urls)
    return [
        Figure(name="HTTP: ours / blackbox_exporter", value=seen["ours"] / seen["blackbox"], unit="×", target=TARGET),
        Figure(name="HTTP, ours", value=seen["ours"], unit="probes/CPU-s"),
        Figure(name="HTTP, blackbox_exporter", value=seen["blackbox"], unit="probes/CPU-s"),
    ]


SCENE = Scene(name="http", title="HTTP probes on fresh connections, per CPU-second", play=play)
