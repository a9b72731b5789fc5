"""A page over a fresh verified TLS connection, certificate read."""

from collections.abc import Sequence

from tests.bench.rig import Stage, per_cpu_second
from tests.bench.scene import Figure, Missing, Scene

TARGET = 1.3


def play() -> Sequence[Figure | Missing]:
    with Stage() as stage:
        _, tls = stage.nginx()
        url = f"https://127.0.0.1:{tls}/"
        seen = per_cpu_second(
            stage, "http", [{"url": url, "tls": {"ca": stage.ca}, "expect": {"status": 200}}], "http", [url]
        )
    return [
        Figure(name="HTTPS: ours / blackbox_exporter", value=seen["ours"] / seen["blackbox"], unit="×", target=TARGET),
        Figure(name="HTTPS, ours", value=seen["ours"], unit="probes/CPU-s"),
        Figure(name="HTTPS, blackbox_exporter", value=seen["blackbox"], unit="probes/CPU-s"),
    ]


SCENE = Scene(name="https", title="HTTPS probes on fresh connections, full handshakes, per CPU-second", play=play)
