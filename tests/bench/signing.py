"""Time stamps, states of certificates, revocation lists, gatekeepers: what one check costs, beside the command that people put in a script.

Without a promise but one: a list of 12 MB is verified in less CPU time than a check's interval could ever notice.
"""

import resource
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Sequence
from typing import Any

from tests.bench.rig import SERVING, SLICE, Stage
from tests.bench.scene import Figure, Missing, Scene, rounds
from tests.debian import found
from tests.ports import free_port


def play() -> Sequence[Figure | Missing]:
    openssl = found("openssl", "openssl")
    if openssl is None:
        raise LookupError("openssl is missing: apt-get install openssl")
    with Stage() as stage:
        port = free_port()
        here, folder = f"http://127.0.0.1:{port}", stage.folder
        state = f"http://127.0.0.1:{port + 1}/"
        stage.start(SERVING, [sys.executable, "-m", "tests.bench.signers", str(port), str(folder)], port=port)
        engine = stage.engine()
        ca, chain = str(folder / "ca.pem"), str(folder / "chu-ky.pem")
        peaks: dict[str, float] = {}

        def ours(name: str, kind: str, spec: dict[str, Any], lanes: int = 8) -> Callable[[], float]:
            def turn() -> float:
                order = {"mode": "rate", "kind": kind, "specs": [spec], "seconds": SLICE, "lanes": lanes}
                said = engine.ask(order)
                peaks[name] = max(peaks.get(name, 0.0), float(said["peak"]))
                return float(said["done"]) / float(said["cpu"])

            return turn

        query = [openssl, "ts", "-query", "-digest", "00" * 32, "-sha256", "-cert", "-out", str(folder / "query")]
        subprocess.run(query, check=True, capture_output=True)
        request = urllib.request.Request(
            here, (folder / "query").read_bytes(), {"Content-Type": "application/timestamp-query"}
        )
        with urllib.request.urlopen(request, timeout=5) as answer:
            (folder / "reply").write_bytes(answer.read())
        verify = [openssl, "ts", "-verify", "-queryfile", str(folder / "query"), "-in", str(folder / "reply")]
        asked = [openssl, "ocsp", "-issuer", ca, "-cert", chain, "-url", state, "-CAfile", ca]
        rivals = {
            "tsa": ours("tsa", "tsa", {"url": here, "ca": ca}),
            "ts -verify": commands([[*query[:-1], str(folder / "another")], [*verify, "-CAfile", ca]]),
            "ocsp": ours("ocsp", "ocsp", {"cert": chain, "url": state}),
            "openssl ocsp": commands([asked]),
            "h323": ours("h323", "h323", {"host": "127.0.0.1", "ras_port": port, "signalling_port": 0}),
        }
        seen = rounds(rivals, count=5)
        large = {"cert": chain, "crl": f"http://127.0.0.1:{port + 2}/big"}
        lists = rounds({"crl": ours("crl", "ocsp", large, 1)}, count=3)
    return [
        Figure(name="TSA: ours / openssl ts -query and -verify", value=seen["tsa"] / seen["ts -verify"], unit="×"),
        Figure(name="OCSP: ours / openssl ocsp", value=seen["ocsp"] / seen["openssl ocsp"], unit="×"),
        Figure(name="TSA, one check", value=1e6 / seen["tsa"], unit="µs of CPU", note="sent, verified up to its ca"),
        Figure(
            name="TSA, openssl ts, two processes", value=1e6 / seen["ts -verify"], unit="µs of CPU", note="no network"
        ),
        Figure(name="OCSP, one check", value=1e6 / seen["ocsp"], unit="µs of CPU"),
        Figure(name="OCSP, openssl ocsp, one process", value=1e6 / seen["openssl ocsp"], unit="µs of CPU"),
        Figure(name="H.323, one GatekeeperRequest", value=1e6 / seen["h323"], unit="µs of CPU"),
        Figure(name="a revocation list of 12 MB", value=1e3 / lists["crl"], unit="ms of CPU", target=250, want="most"),
        Figure(name="peak of the process: stamps and states", value=max(peaks["tsa"], peaks["ocsp"]), unit="MiB"),
        Figure(name="peak of the process: with that list", value=peaks["crl"], unit="MiB"),
    ]


def commands(row: Sequence[Sequence[str]], times: int = 10) -> Callable[[], float]:
    """Rounds per CPU-second of commands that are run one after the other."""

    def turn() -> float:
        before = _children()
        for _ in range(times):
            for command in row:
                subprocess.run(command, check=True, capture_output=True, timeout=20)
        return times / (_children() - before)

    return turn


def _children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


SCENE = Scene(
    name="signing", title="Time stamps, certificates' states and lists, gatekeepers: CPU time of one check", play=play
)
