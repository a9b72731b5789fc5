"""The province, 600 checks every 30 s, watched by the real daemon; and the same daemon when everything goes dark at once.

Two daemons side by side on one core, each in a network of its own: under one of them, half of the servers end (connections are refused) and half
stop where they stand (silence). Both are measured in the same half minute, so the ratio does not depend on the machine's other work.
"""

import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from tests.bench.ground import GOOD, Ground, inside, place
from tests.bench.scene import Figure, Missing, Scene

COMMUNES: Final = 129
PAGES: Final = 60
NAMES: Final = 24
CHECKS: Final = 4 * COMMUNES + PAGES + NAMES

SETTLING: Final = 8.0
"""Seconds for the first round of a fresh start."""

FALL: Final = 45.0
"""Seconds in which everything is found to be down: a round of 30 s, a timeout and a recheck."""

NIGHT: Final = 30.0


def play() -> Sequence[Figure | Missing]:
    day, night = inside("tests.bench.daemon_province", {"dark": False}, {"dark": True})
    ratio = night["late"]["cpu"] / day["late"]["cpu"]
    fall = night["early"]["cpu"] / day["early"]["cpu"]
    up, all_down = day["states"], night["states"]
    return [
        Figure(name="600 checks: CPU, all down / all up", value=ratio, unit="×", target=1.3, want="most"),
        Figure(
            name="600 checks: memory",
            value=max(day["late"]["peak"], night["late"]["peak"]),
            unit="MiB",
            target=150,
            want="most",
        ),
        Figure(name="600 checks: loop lag p99", value=day["late"]["lag99"], unit="ms", target=50, want="most"),
        Figure(
            name="600 checks, all down: loop lag p99", value=night["late"]["lag99"], unit="ms", target=50, want="most"
        ),
        Figure(
            name="600 checks: CPU of one core",
            value=day["late"]["cpu"],
            unit="%",
            note=f"{up['up']} nodes up, {up['other']} not",
        ),
        Figure(
            name="600 checks, all down: CPU of one core",
            value=night["late"]["cpu"],
            unit="%",
            note=f"{all_down['down']} nodes down or unreachable, {all_down['other']} not",
        ),
        Figure(
            name="600 checks, going down: CPU / all up",
            value=fall,
            unit="×",
            note="while every node falls, rechecks included",
        ),
        *timing("600 checks", day["late"]),
        *timing("600 checks, all down", night["late"]),
        *timing("600 checks, going down", night["early"]),
    ]


def timing(whose: str, said: dict[str, Any]) -> list[Figure]:
    """Lateness of the schedule and lag of the loop, from the daemon's own histograms."""
    return [
        Figure(
            name=f"{whose}: {word} p50",
            value=said[f"{key}50"],
            unit="ms",
            note=f"p99 {said[f'{key}99']:.2g} ms, all ≤ {said[f'{key}max']:.4g} ms; {said['runs']:.3g} runs/s",
        )
        for word, key in (("schedule lateness", "late"), ("loop lag", "lag"))
    ]


def perform(order: dict[str, Any]) -> dict[str, Any]:
    """One daemon's hour."""
    with Ground() as ground:
        halves = ground.web("refused"), ground.web("silent")
        names = ground.names(), ground.names()
        always = ground.web("anchor")
        rows = [row(number, halves[number % 2], ground) for number in range(COMMUNES)]
        daemon = ground.daemon(configuration(halves, names, always, ground), rows)
        time.sleep(SETTLING)
        if order["dark"]:
            for number, servers in ((0, halves), (0, names)):
                servers[number].refused()
                servers[1 - number].silent()
            if ground.own:
                Path("/proc/sys/net/ipv4/icmp_echo_ignore_all").write_text("1")
        early = daemon.watch(FALL)
        late = daemon.watch(NIGHT)
        states = late.after.nodes
    good = sum(count for value, count in states.items() if value in (0, 1))
    bad = sum(count for value, count in states.items() if value in (2, 3))
    other = sum(states.values()) - (bad if order["dark"] else good)
    return {"early": early.said(), "late": late.said(), "states": {"up": good, "down": bad, "other": other}}


def row(number: int, half: Any, ground: Ground) -> dict[str, str]:
    return {
        "code": f"{number:05d}",
        "address": place(number),
        "carrier": "vnpt" if number % 3 else "viettel",
        "plain": str(half.plain),
        "tls": str(half.tls),
    }


def configuration(halves: Any, names: Any, always: Any, ground: Ground) -> dict[str, Any]:
    """129 communes with a link (echo and a dialogue), a video endpoint and a portal; 60 systems with a page and 24 with names."""
    say = [{"send": "GET / HTTP/1.0\r\n\r\n"}, {"expect": "^HTTP/1"}]
    labels = {"commune": "{code}", "region": "x"}
    line = {"tcp": {"host": "127.0.0.1", "port": always.plain}}
    systems: dict[str, Any] = {"hub": {"name": "Hub", "type": "hub", "checks": {"line": line}}}
    for number in range(PAGES):
        page = {
            "http": {
                "url": f"http://{place(number)}:{halves[number % 2].plain}/",
                "expect": {"status": 200, "body": "Cong"},
            }
        }
        systems[f"system{number}"] = {
            "name": f"Hệ thống {number}",
            "type": "system",
            "depends_on": ["hub"],
            "checks": {"home": page},
        }
    for number in range(NAMES):
        name = {"dns": {"server": f"127.0.0.1:{names[number % 2].plain}", "name": f"c{number}.xa.example"}}
        systems[f"zone{number}"] = {"name": f"Miền {number}", "type": "system", "checks": {"a": name}}
    return {
        "defaults": {"every": "30s", "timeout": "10s", "confirm": {"failures": 2, "recheck": "5s"}},
        "nodes": systems,
        "for_each": [{"inventory": "rows", "nodes": {
            "link.{code}": {
                "name": "Đường truyền {code}", "type": "link", "carrier": "{carrier}", "labels": labels, "depends_on": ["hub"],
                "checks": {
                    "echo": {"icmp": {"host": "{address}"}, "degraded_if": ["loss >= 1%", "rtt > 100ms"]},
                    "line": {"tcp": {"host": "{address}", "port": "{plain}", "dialogue": say}},
                },
            },
            "video.{code}": {
                "name": "Điểm cầu {code}", "type": "video", "labels": labels, "depends_on": ["link.{code}"],
                "checks": {"call": {"tcp": {"host": "{address}", "port": "{plain}", "dialogue": say}}},
            },
            "portal.{code}": {
                "name": "Trang {code}", "type": "portal", "labels": labels, "depends_on": ["hub"],
                "checks": {"home": {
                    "http": {"url": "https://{address}:{tls}/", "tls": {"ca": ground.ca, "server_name": GOOD}, "expect": {"status": 200}},
                    "degraded_if": ["certificate_days < 30"],
                }},
            },
        }}],
        "parties": {"vnpt": {"name": "VNPT", "role": "carrier"}, "viettel": {"name": "Viettel", "role": "carrier"}},
        "groups": {
            f"carrier.{name}": {
                "name": f"Mạng {name}", "type": "carrier", "members": {"type": "link", "carrier": name},
                "down_when": {"share": "30%", "at_least": 3, "within": "3m"},
            }
            for name in ("vnpt", "viettel")
        },
        "self": {"anchors": [{"tcp": {"host": f"127.0.0.{n}", "port": always.plain}} for n in (1, 2, 3)], "quorum": 2},
        "receivers": {"truc": {"webhook": {"url": f"http://127.0.0.1:{always.plain}/"}}},
        "routes": [{"match": {}, "send": ["truc"]}],
    }  # fmt: skip


SCENE = Scene(
    name="daemon-province", title="600 checks every 30 s in the daemon, and everything down at once", play=play
)

if __name__ == "__main__":
    print(json.dumps(perform(json.loads(sys.argv[1]))))
