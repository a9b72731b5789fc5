"""STUN bindings over UDP, and coturn's own client doing the same."""

import os
import subprocess
from collections.abc import Sequence

from tests.bench.endpoints import asked
from tests.bench.rig import PROBING, pinned
from tests.bench.scene import Figure, Missing, Scene
from tests.debian import found

TIMES = 20


def play() -> Sequence[Figure | Missing]:
    program = found("turnutils_stunclient", "coturn")
    figures, theirs = asked("stun", "STUN binding", program and (lambda stage, port: client_cost(program, port)))
    if theirs is None:
        return [*figures, Missing(name="STUN binding, coturn's client", why="missing: apt-get install coturn")]
    name = "STUN binding, turnutils_stunclient (a process each, as a script starts it)"
    return [*figures, Figure(name=name, value=theirs * 1e6, unit="CPU-µs")]


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
