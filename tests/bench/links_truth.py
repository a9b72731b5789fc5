"""Is the round trip that we report the one that the packet had? Held against the kernel's own stamps of every packet, seen by a packet socket.

A packet socket on the loopback of a network of its own stamps each request as it leaves and each echo as it arrives; it is read on another core.
The engine pings as the checks do (five packets a run, 400 runs a second) and sweeps 5,000 addresses, alone on its core and beside a
process that burns the same core.
"""

import asyncio
import json
import os
import select
import socket
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import uvloop

from probes.echo import EchoEngine
from probes.echo_batch import receiver
from probes.echo_flight import Plan
from probes.echo_socket import RECEIVE_BUFFER, SO_RCVBUFFORCE, SO_TIMESTAMPNS
from probes.pauses import settle
from tests.bench.ground import inside, may_have_a_network, place
from tests.bench.links import PACKETS, alone_on_a_core
from tests.bench.scene import Figure, Missing, Scene

RUNS: Final = 1000
PACE: Final = 400
SWEPT: Final = 5000
SWEEPS: Final = 2
PROMISED: Final = 50.0
"""Microseconds."""

ETH_P_ALL: Final = 3
PACKET_HOST: Final = 0
PACKET_OUTGOING: Final = 4
PROTOCOL_ICMP: Final = 1


def play() -> Sequence[Figure | Missing]:
    if not may_have_a_network():
        raise LookupError("a network namespace is needed: run as root")
    (said,) = inside("tests.bench.links_truth", {})
    figures = []
    for way, name in (("runs", "round trips of checks"), ("sweeps", "round trips of sweeps")):
        for where, words in (("alone", ""), ("hog", ", the core burnt beside us")):
            errors = said[where][way]
            figures.append(
                Figure(
                    name=f"{name}{words}: error p99",
                    value=errors["p99"],
                    unit="µs",
                    target=PROMISED,
                    want="most",
                    note=f"p50 {errors['p50']:.2g} µs, true p50 {errors['true']:.2g} µs, {errors['count']:,} packets",
                )
            )
    return figures


# The engine's side: a process of its own.


async def look() -> dict[str, dict[str, list[float | None]]]:
    """The round trips we report, by address, in the order of sending."""
    engine = EchoEngine(os.urandom)
    loop = asyncio.get_running_loop()
    settle()
    seen: dict[str, list[float | None]] = {}
    plan = Plan(count=PACKETS, spacing=0.05)

    async def run(address: str) -> None:
        seen[address] = list((await engine.ping(address, plan, until=loop.time() + 3)).rtts)

    start = loop.time()
    async with asyncio.TaskGroup() as group:
        for number in range(RUNS):
            await asyncio.sleep(start + number / PACE - loop.time())
            group.create_task(run(place(number)))
    addresses = [place(number) for number in range(RUNS, RUNS + SWEPT)]
    swept: dict[str, list[float | None]] = {address: [] for address in addresses}
    for _ in range(SWEEPS):
        for address, rtt in zip(addresses, await engine.sweep(addresses, until=loop.time() + 3), strict=True):
            swept[address].append(rtt)
        await asyncio.sleep(0.5)
    await engine.aclose()
    return {"runs": seen, "sweeps": swept}


# The truth's side.


def tap() -> socket.socket:
    """Every packet of the loopback, with the kernel's stamp."""
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_ALL))
    sock.bind(("lo", ETH_P_ALL))
    sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 32 * RECEIVE_BUFFER)
    sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    return sock


class Truth:
    """What the kernel stamped: of each packet, known by its token, when it left, for where, and when its echo came."""

    def __init__(self) -> None:
        self.left: dict[bytes, tuple[int, str]] = {}
        self.came: dict[bytes, int] = {}

    def take(self, packets: Iterable[tuple[bytes, bytes, int, int | None]]) -> None:
        """Packets as a tap gives them."""
        for data, name, stamp, _hops in packets:
            if len(data) < 36 or data[9] != PROTOCOL_ICMP:
                continue
            if name[10] == PACKET_OUTGOING and data[20] == 8:
                self.left[data[28:36]] = (stamp, socket.inet_ntoa(data[16:20]))
            elif name[10] == PACKET_HOST and data[20] == 0:
                self.came[data[28:36]] = stamp

    def by_address(self) -> dict[str, list[float]]:
        """True round trips in seconds, by address, in the order of sending."""
        trips: dict[str, list[tuple[int, float]]] = defaultdict(list)
        for token, (left, address) in self.left.items():
            if token in self.came:
                trips[address].append((left, (self.came[token] - left) / 1e9))
        return {address: [trip for _, trip in sorted(seen)] for address, seen in trips.items()}


def errors(said: Mapping[str, Sequence[float | None]], truth: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """How far what was said is from the truth, in microseconds; addresses of which the tap missed something are left out."""
    pairs = []
    for address, seen in said.items():
        trips = truth.get(address, ())
        if len(trips) == len(seen):
            pairs += [(mine, true) for mine, true in zip(seen, trips, strict=True) if mine is not None]
        elif len(trips) > len(seen):  # Some were asked again, and one of the two was told.
            pairs += [(mine, min(trips, key=lambda true: abs(true - mine))) for mine in seen if mine is not None]
    wanted = sum(map(len, said.values()))
    if len(pairs) < 0.95 * wanted:
        raise RuntimeError(f"the packet socket saw {len(pairs)} of {wanted} packets and their echoes")
    off = sorted(1e6 * abs(mine - true) for mine, true in pairs)
    true = sorted(1e6 * true for _, true in pairs)
    return {
        "p50": off[len(off) // 2],
        "p99": off[len(off) * 99 // 100],
        "true": true[len(true) // 2],
        "count": len(off),
    }


def compare(*, hog: bool) -> dict[str, dict[str, float]]:
    """The engine's account beside the kernel's, while nobody or somebody burns the engine's core."""
    truth = Truth()
    with tap() as sock:
        reader = receiver(sock)
        burning = subprocess.Popen([sys.executable, "-m", "tests.bench.links_truth", "burn"]) if hog else None
        looking = subprocess.Popen([sys.executable, "-m", "tests.bench.links_truth", "look"], stdout=subprocess.PIPE)
        assert looking.stdout is not None
        try:
            said = b""
            while True:
                ready, _, _ = select.select([sock.fileno(), looking.stdout.fileno()], [], [], 30)
                if sock.fileno() in ready:
                    truth.take(reader.take(256))
                if looking.stdout.fileno() in ready:
                    part = os.read(looking.stdout.fileno(), 1 << 20)
                    said += part
                    if not part:
                        break
                if not ready:
                    raise RuntimeError("the engine says nothing")
        finally:
            for process in (looking, burning):
                if process is not None:
                    process.kill()
                    process.wait()
        while packets := reader.take(256):
            truth.take(packets)
    by_address = truth.by_address()
    return {way: errors(seen, by_address) for way, seen in json.loads(said).items()}


def perform() -> dict[str, Any]:
    """Alone, and beside somebody."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    return {"alone": compare(hog=False), "hog": compare(hog=True)}


SCENE = Scene(name="links-truth", title="Round trips against the kernel's stamps of every packet", play=play)

if __name__ == "__main__":
    if sys.argv[1] in ("look", "burn"):
        alone_on_a_core(first=False)
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    if sys.argv[1] == "look":
        print(json.dumps(uvloop.run(look())), flush=True)
    elif sys.argv[1] == "burn":
        while True:
            pass
    else:
        print(json.dumps(perform()))
