"""A login in three steps: the form with its token, the login with its redirect, a search: four requests on four connections."""

import sys
from collections.abc import Sequence

from tests.bench.rig import LANES, SERVING, SLICE, Stage
from tests.bench.scene import Figure, Missing, Scene, rounds
from tests.ports import free_port

REQUESTS = 4


def play() -> Sequence[Figure | Missing]:
    with Stage() as stage:
        plain, _ = stage.nginx()
        port = free_port()
        stage.start(SERVING, [sys.executable, "-m", "tests.bench.talker", "login", str(port), "1"], port=port)
        engine = stage.engine()
        steps = [
            {"name": "form", "get": "/login", "extract": {"csrf": {"css": "input[name=_csrf]@value"}}},
            {
                "name": "enter",
                "post": "/login",
                "form": {"_csrf": "{csrf}", "username": "giamsat", "password": {"secret": "bench"}},
                "expect": {"body": "Xin chào"},
            },
            {"name": "search", "get": "/api/hoso?ma=TEST", "expect": {"json": "$.total == 1"}},
        ]
        peaks: list[float] = []

        def cost(kind: str, spec: dict[str, object]) -> float:
            said = engine.ask({"mode": "rate", "kind": kind, "specs": [spec], "lanes": LANES, "seconds": SLICE})
            if said["failed"]:
                raise RuntimeError(said["example"])
            peaks.append(float(said["peak"]))
            return float(said["cpu"]) / float(said["done"])

        seen = rounds(
            {
                "journey": lambda: cost("journey", {"base_url": f"http://127.0.0.1:{port}", "steps": steps}),
                "page": lambda: cost("http", {"url": f"http://127.0.0.1:{plain}/"}),
            }
        )
    return [
        Figure(
            name="Journey of four requests / four plain pages",
            value=seen["journey"] / seen["page"] / REQUESTS,
            unit="×",
        ),
        Figure(name="Journey, ours", value=seen["journey"] * 1e6, unit="CPU-µs/probe"),
        Figure(name="Journey, resident growth over the later turns", value=peaks[-1] - peaks[1], unit="MiB"),
    ]


SCENE = Scene(name="journey", title="A login in three steps, per CPU-second", play=play)
