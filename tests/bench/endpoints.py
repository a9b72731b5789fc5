"""A round of questions to every video endpoint of the province, ours and a rival's."""

import sys
from collections.abc import Callable

from tests.bench.rig import SERVING, SLICE, Stage
from tests.bench.scene import Figure, rounds
from tests.ports import free_port

ENDPOINTS = 129
TARGET = 0.2
"""CPU seconds of one round."""

Cost = Callable[[Stage, int], float]
"""CPU seconds of one question of a rival's, by the stage and the port of the endpoints."""


def asked(kind: str, what: str, rival: Cost | None) -> tuple[list[Figure], float | None]:
    """Our figures for questions of a kind over UDP, and CPU seconds of one of the rival's."""
    with Stage() as stage:
        port = free_port()
        stage.start(SERVING, [sys.executable, "-m", "tests.bench.talker", kind, str(port), str(ENDPOINTS)], port=port)
        engine = stage.engine()
        specs = [{"host": f"127.0.0.{last}", "port": port} for last in range(1, ENDPOINTS + 1)]
        order = {"mode": "rate", "kind": kind, "specs": specs, "lanes": ENDPOINTS, "seconds": SLICE}
        first = last = float(engine.ask(order)["peak"])

        def ours() -> float:
            nonlocal last
            said = engine.ask(order)
            last = float(said["peak"])
            return float(said["cpu"]) / float(said["done"])

        rivals = {"ours": ours}
        if rival is not None:
            cost = rival
            rivals["theirs"] = lambda: cost(stage, port)
        seen = rounds(rivals, count=8)
    figures = [
        Figure(
            name=f"{what}, a round of {ENDPOINTS} over UDP", value=seen["ours"] * ENDPOINTS, unit="CPU-s",
            target=TARGET, want="most",
        ),
        Figure(name=f"{what}, ours", value=seen["ours"] * 1e6, unit="CPU-µs/probe"),
        Figure(name=f"{what}, resident growth over nine turns", value=last - first, unit="MiB"),
    ]  # fmt: skip
    return figures, seen.get("theirs")
