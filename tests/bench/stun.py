"""STUN bindings over UDP, and coturn's own client doing the same."""

import os
import subprocess
import sys
from collections.abc import Sequence

from tests.bench.rig import PROBING, SERVING, SLICE, Stage, pinned
from tests.bench.scene import Figure, Missing, Scene, rounds
from tests.debian import found
from tests.ports import free_port

ENDPOINTS = 129
TARGET = 0.2
"""CPU seconds of one round: as for SIP."""

TIMES = 20


def play() -> Sequence[Figure | Missing]:
    with Stage() as stage:
        port = free_port()
        stage.start(SERVING, [sys.executable, "-m", "tests.bench.talker", "stun", str(port), str(ENDPOINTS)], port=port)
        engine, program = stage.engine(), found("turnutils_stunclient", "coturn")
        specs = [{"host": f"127.0.0.{last}", "port": port} for last in range(1, ENDPOINTS + 1)]
        order = {"mode": "rate", "kind": "stun", "specs": specs, "lanes": ENDPOINTS, "seconds": SLICE}
        first = float(engine.ask(order)["peak"])
        last_peak = first

        def ours() -> float:
            nonlocal last_peak
            said = engine.ask(order)
            last_peak = float(said["peak"])
            return float(said["cpu"]) / float(said["done"])

        rivals = {"ours": ours}
        if program is not None:
            rivals["coturn"] = lambda: client_cost(program, port)
        seen = rounds(rivals, count=8)
    figures: list[Figure | Missing] = [
        Figure(
            name=f"STUN binding, a round of {ENDPOINTS} over UDP", value=seen["ours"] * ENDPOINTS, unit="CPU-s",
            target=TARGET, want="most",
        ),
        Figure(name="STUN binding, ours", value=seen["ours"] * 1e6, unit="CPU-µs/probe"),
        Figure(name="STUN binding, resident growth over nine turns", value=last_peak - first, unit="MiB"),
    ]  # fmt: skip
    if program is None:
        return [*figures, Missing(name="STUN binding, coturn's client", why="missing: apt-get install coturn")]
    name = "STUN binding, turnutils_stunclient (a process each, as a script starts it)"
    return [*figures, Figure(name=name, value=seen["coturn"] * 1e6, unit="CPU-µs")]


def client_cost(program: str, port: int) -> float:
    """CPU seconds of one binding by coturn's client, its start included."""
    spent = 0.0
    for _ in range(TIMES):
        process = subprocess.Popen(
            pinned(PROBING, [program, "-p", str(port), "127.0.0.1"]),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if status:
            raise RuntimeError(f"turnutils_stunclient ended with {process.returncode}")
        spent += usage.ru_utime + usage.ru_stime
    return spent / TIMES


SCENE = Scene(name="stun", title="STUN bindings over UDP, per CPU-second", play=play)
