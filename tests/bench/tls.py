"""A handshake and the certificate read out of it.

Without a promise: here there is nothing but OpenSSL against Go's own TLS, whose P-256 is faster than all that OpenSSL 3 spends on a
handshake. The promise for TLS stands on whole HTTPS probes (`https`).
"""

from collections.abc import Sequence

from tests.bench.rig import GOOD, Stage, per_cpu_second
from tests.bench.scene import Figure, Missing, Scene


def play() -> Sequence[Figure | Missing]:
    with Stage() as stage:
        _, tls = stage.nginx()
        spec = {"host": "127.0.0.1", "port": tls, "server_name": GOOD, "ca": stage.ca}
        seen = per_cpu_second(stage, "tls", [spec], "tls", [f"127.0.0.1:{tls}"])
    return [
        Figure(name="TLS: ours / blackbox_exporter", value=seen["ours"] / seen["blackbox"], unit="×"),
        Figure(name="TLS, ours", value=seen["ours"], unit="handshakes/CPU-s"),
        Figure(name="TLS, blackbox_exporter", value=seen["blackbox"], unit="handshakes/CPU-s"),
    ]


SCENE = Scene(name="tls", title="Verified TLS handshakes with the certificate's facts, per CPU-second", play=play)
