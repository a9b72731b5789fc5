"""The whole country: 3,321 communes, six verdicts each every 30 s, by one daemon on one core; and 20,000 separate probes on two.

Of a commune, one https connection gives four verdicts (page, certificate, connect and name, which is asked for as often as its TTL of 1 to
5 minutes says), an echo of one packet the fifth, a plain page the sixth. The separate probes share nothing: half of them are full TLS handshakes.
"""

import json
import sys
import time
from collections.abc import Sequence
from typing import Any, Final

from tests.bench.ground import GOOD, PROBING, SERVING, ZONE, Ground, Server, inside, place
from tests.bench.rig import CORES
from tests.bench.scene import Figure, Missing, Scene

COMMUNES: Final = 3321
VERDICTS: Final = {"https": 4, "echo": 1, "http": 1}
"""Of one run of each check."""

EVERY: Final = 30
SECONDS: Final = 60.0

MIX: Final = ("https", "https", "tls", "http", "tcp", "icmp")
"""Separate probes of one commune: half of them TLS."""


def play() -> Sequence[Figure | Missing]:
    (shared,) = inside("tests.bench.daemon_country", {"shared": True})
    figures: list[Figure | Missing] = [
        Figure(name="20,000 verdicts: CPU of one core", value=shared["cpu"], unit="%", target=50, want="most"),
        Figure(name="20,000 verdicts: memory", value=shared["resident"], unit="MiB", target=128, want="most"),
        Figure(
            name="20,000 verdicts: schedule lateness p99", value=shared["late99"], unit="ms", target=10, want="most"
        ),
        Figure(name="20,000 verdicts: runs dropped", value=shared["dropped"], target=0, want="most"),
        *behind("20,000 verdicts", shared),
    ]
    if CORES < 2:
        return [*figures, Missing(name="20,000 separate probes", why="they need two cores")]
    (apart,) = inside("tests.bench.daemon_country", {"shared": False})
    return [
        *figures,
        Figure(
            name="20,000 separate probes: schedule lateness p99",
            value=apart["late99"],
            unit="ms",
            target=10,
            want="most",
        ),
        Figure(name="20,000 separate probes: runs dropped", value=apart["dropped"], target=0, want="most"),
        Figure(
            name="20,000 separate probes: CPU of two cores", value=apart["cpu"] / 2, unit="%", target=50, want="most"
        ),
        Figure(name="20,000 separate probes: memory", value=apart["resident"], unit="MiB", target=128, want="most"),
        *behind("20,000 separate probes", apart),
    ]


def behind(whose: str, said: dict[str, Any]) -> list[Figure]:
    """What explains it."""
    return [
        Figure(
            name=f"{whose}: runs",
            value=said["runs"],
            unit="/s",
            note=f"{said['ok']:.0f} ok, {said['failed']:.0f} failed, {said['blind']:.0f} blind",
        ),
        Figure(
            name=f"{whose}: schedule lateness p50",
            value=said["late50"],
            unit="ms",
            note=f"all ≤ {said['latemax']:.4g} ms",
        ),
        Figure(
            name=f"{whose}: loop lag p50",
            value=said["lag50"],
            unit="ms",
            note=f"p99 {said['lag99']:.3g} ms, all ≤ {said['lagmax']:.4g} ms",
        ),
        Figure(
            name=f"{whose}: scrape of {said['series']:.0f} series",
            value=said["scrape"],
            unit="s",
            note="from the first byte asked for to the last one read",
        ),
        Figure(
            name=f"{whose}: peak memory",
            value=said["peak"],
            unit="MiB",
            note="while it starts and reads its configuration",
        ),
    ]


def perform(order: dict[str, Any]) -> dict[str, Any]:
    """One daemon, after its first round."""
    with Ground() as ground:
        web = ground.web("country")
        named = ground.resolver()
        rows = [
            {"code": f"{n:05d}", "host": f"c{n}.{ZONE}" if named else place(n), "address": place(n)}
            for n in range(COMMUNES)
        ]
        checks = (shared if order["shared"] else apart)(web, ground)
        config = {
            "defaults": {"every": f"{EVERY}s", "timeout": "10s"},
            "for_each": [{"inventory": "rows", "nodes": {
                "commune.{code}": {"name": "Xã {code}", "type": "commune", "labels": {"commune": "{code}"}, "checks": checks},
            }}],
            "self": {"anchors": [{"tcp": {"host": f"127.0.0.{n}", "port": web.plain}} for n in (1, 2, 3)], "quorum": 2},
        }  # fmt: skip
        daemon = ground.daemon(config, rows, cores=PROBING if order["shared"] else f"{SERVING},{PROBING}")
        time.sleep(len(checks) * COMMUNES / 500 + 5)
        stretch = daemon.watch(SECONDS)
    scrapes = sorted(daemon.scrapes)
    return stretch.said() | {"scrape": scrapes[len(scrapes) // 2], "series": stretch.after.series}


def shared(web: Server, ground: Ground) -> dict[str, Any]:
    """Three checks that give six verdicts."""
    https = {"url": f"https://{{host}}:{web.tls}/", "tls": {"ca": ground.ca}, "expect": {"status": 200}}
    return {
        "https": {"http": https, "degraded_if": ["certificate_days < 30"]},
        "echo": {"icmp": {"host": "{address}", "packets": 1}, "degraded_if": ["rtt > 100ms"]},
        "http": {"http": {"url": f"http://{{address}}:{web.plain}/", "expect": {"status": 200}}},
    }


def apart(web: Server, ground: Ground) -> dict[str, Any]:
    """Six checks that share nothing."""
    trust = {"ca": ground.ca, "server_name": GOOD}
    page = {"http": {"url": f"https://{{address}}:{web.tls}/", "tls": trust, "expect": {"status": 200}}}
    kinds = {
        "https": page,
        "tls": {"tls": {"host": "{address}", "port": web.tls, **trust}},
        "http": {"http": {"url": f"http://{{address}}:{web.plain}/", "expect": {"status": 200}}},
        "tcp": {"tcp": {"host": "{address}", "port": web.plain}},
        "icmp": {"icmp": {"host": "{address}", "packets": 1}},
    }
    return {f"{kind}{place}": kinds[kind] for place, kind in enumerate(MIX)}


SCENE = Scene(name="daemon-country", title="20,000 verdicts every 30 s in the daemon", play=play)

if __name__ == "__main__":
    print(json.dumps(perform(json.loads(sys.argv[1]))))
