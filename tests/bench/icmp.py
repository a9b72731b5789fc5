"""Echo requests to thousands of addresses: the links of a province, or of the country, in one go."""

import os
import subprocess
from collections.abc import Sequence

from tests.bench.rig import PROBING, SLICE, Stage, pinned
from tests.bench.scene import Figure, Missing, Scene, rounds
from tests.debian import found

ADDRESSES = [f"127.0.{third}.{last}" for third in range(1, 21) for last in range(1, 251)]
FPING_ROUNDS = 4


def play() -> Sequence[Figure | Missing]:
    fping = found("fping", "fping")
    if fping is None:
        raise LookupError("fping is missing: apt-get install fping")
    with Stage() as stage:
        exporter = stage.blackbox()
        engine, scraper = stage.engine(), stage.scraper()

        def sweep() -> float:
            said = engine.ask({"mode": "sweep", "targets": ADDRESSES, "seconds": SLICE})
            return float(said["done"]) / float(said["cpu"])

        def kind() -> float:
            specs = [{"host": host, "packets": 5, "spacing": "0s"} for host in ADDRESSES[:500]]
            said = engine.ask({"mode": "rate", "kind": "icmp", "specs": specs, "seconds": SLICE, "lanes": 32})
            return 5 * float(said["done"]) / float(said["cpu"])

        def theirs() -> float:
            before = exporter.cpu()
            order = {"mode": "rate", "port": exporter.port, "module": "icmp", "targets": ADDRESSES[:500]}
            said = scraper.ask(order | {"seconds": SLICE, "lanes": 32})
            return float(said["done"]) / (exporter.cpu() - before)

        seen = rounds({"sweep": sweep, "kind": kind, "fping": lambda: fping_rate(fping), "blackbox": theirs}, count=8)
    return [
        Figure(name="ICMP: ours / blackbox_exporter", value=seen["sweep"] / seen["blackbox"], unit="×", target=60),
        Figure(name="ICMP: ours / fping -i0", value=seen["sweep"] / seen["fping"], unit="×", target=1.5),
        Figure(name="ICMP, our sweep", value=seen["sweep"], unit="echoes/CPU-s"),
        Figure(name="ICMP, our checks of 5 packets", value=seen["kind"], unit="echoes/CPU-s"),
        Figure(name="ICMP, fping -i0", value=seen["fping"], unit="echoes/CPU-s"),
        Figure(name="ICMP, blackbox_exporter", value=seen["blackbox"], unit="echoes/CPU-s"),
    ]


def fping_rate(program: str) -> float:
    """Echoes per CPU-second of one fping, its start included (it is 2 % of it)."""
    command = pinned(PROBING, [program, "-q", "-i0", "-p20", f"-c{FPING_ROUNDS}"])
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    assert process.stdin is not None
    process.stdin.write("\n".join(ADDRESSES).encode())
    process.stdin.close()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = status
    if status:
        raise RuntimeError(f"fping ended with {status}")
    return FPING_ROUNDS * len(ADDRESSES) / (usage.ru_utime + usage.ru_stime)


SCENE = Scene(name="icmp", title="ICMP echoes to 5,000 addresses, per CPU-second", play=play)
