"""Links whose truth is exact: what we measure is what happened on the wire, and fping on the same links in the same seconds beside us."""

import asyncio
import os
import random
import statistics
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import sqrt
from typing import Any

import pytest
from pydantic import TypeAdapter

import probes
from probes.contract import Outcome
from probes.echo import EchoEngine
from probes.tools import Workbench
from tests.debian import need
from tests.network.behaviour import Behaviour, Bursts, Link
from tests.network.shim import Shim, Truth
from tests.probes.icmp.province import needs_province

pytestmark = needs_province

COUNT, SPACING = 150, 0.015
FPING_SIZE = 64
"""Bytes of payload by which fping's packets are told from ours, which have 56."""

LINKS: Mapping[str, tuple[str, Behaviour]] = {
    "clean, 12 ms": ("10.130.0.1", Behaviour(delay=0.012)),
    "clean, 60 ms": ("10.130.0.2", Behaviour(delay=0.060)),
    "jittery": ("10.130.0.3", Behaviour(delay=0.030, jitter=0.006)),
    "2 % loss": ("10.130.0.4", Behaviour(delay=0.010, loss=0.02)),
    "20 % loss": ("10.130.0.5", Behaviour(delay=0.010, loss=0.20)),
    "bursts": ("10.130.0.6", Behaviour(delay=0.020, bursts=Bursts(worsens=0.03, heals=0.25))),
    "bursts in both states": ("10.130.0.7", Behaviour(bursts=Bursts(worsens=0.1, heals=0.3, good=0.01, bad=0.6))),
    "duplicates": ("10.130.0.8", Behaviour(delay=0.008, duplicates=0.3)),
    "IPv6, all of it": ("fd00:130::1", Behaviour(delay=0.025, jitter=0.004, loss=0.1, duplicates=0.1)),
}


async def measure(shim: Shim, hosts: list[str], *, timeout: float = 4.0, **keys: Any) -> list[Outcome]:
    kind = TypeAdapter(probes.KINDS["icmp"].spec)
    specs = [kind.validate_python({"host": host, "packets": COUNT, "spacing": f"{SPACING}s", **keys}) for host in hosts]
    async with Workbench(lambda: datetime.now(UTC), nameservers=()) as workbench:
        workbench._echo = EchoEngine(os.urandom, open_socket=shim.open_socket)
        return await asyncio.gather(*(probes.run("icmp", spec, workbench, timeout=timeout) for spec in specs))


async def fping(shim: Shim, hosts: list[str]) -> dict[str, list[float | None]]:
    """Round trips in seconds by address, None for what it calls lost."""
    process = await asyncio.create_subprocess_exec(
        *shim.namespace.prefix, need("fping", "fping"), "-q", "-C", str(COUNT), "-p", str(int(SPACING * 1000)),
        "-i", "1", "-t", "1000", "-b", str(FPING_SIZE), *hosts,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    _, errors = await asyncio.wait_for(process.communicate(), 20)
    found: dict[str, list[float | None]] = {}
    for line in errors.decode().splitlines():
        host, colon, figures = line.partition(" : ")
        if colon and not figures.startswith("duplicate"):
            found[host.strip()] = [None if word == "-" else float(word) / 1000 for word in figures.split()]
    return found


def errors_of_fping(seen: list[float | None], truth: Truth) -> tuple[int, float]:
    """Packets by which its count of losses is off, and seconds by which its average round trip is."""
    rtts = [rtt for rtt in seen if rtt is not None]
    return abs(len(rtts) - truth.received), abs(statistics.fmean(rtts) - truth.rtt)


@dataclass
class Beside:
    """One run on all links with fping beside it: wrong counts, times that are off, and errors of the round trip in seconds."""

    miscounted: list[str] = field(default_factory=list)
    off: list[str] = field(default_factory=list)
    table: list[str] = field(default_factory=list)
    ours: list[float] = field(default_factory=list)
    theirs: list[float] = field(default_factory=list)

    def look(self, name: str, facts: Mapping[str, float], truth: Truth, lost: int, late: float) -> None:
        """Ours against its truth; of fping, by how many packets and seconds it is off its own."""
        rtt, jitter = abs(facts["rtt"] - truth.rtt), abs(facts["jitter"] - truth.jitter)
        counted = [facts[fact] for fact in ("sent", "received", "duplicates")]
        if counted != [truth.sent, truth.received, truth.duplicates] or abs(facts["loss"] - truth.loss) > 1e-9:
            self.miscounted.append(f"{name}: {dict(facts)} for {truth.sent}, {truth.received}, {truth.duplicates}")
        if max(rtt, jitter) > 0.0005:
            self.off.append(f"{name}: round trip off by {rtt * 1e3:.3f} ms, jitter by {jitter * 1e3:.3f} ms")
        self.ours.append(rtt)
        self.theirs.append(late)
        self.table.append(
            f"{name:22} loss {facts['loss']:7.2%} (truth {truth.loss:7.2%}, fping off by {lost}), round trip "
            f"{facts['rtt'] * 1e3:7.3f} ms off by {rtt * 1e6:5.1f} µs (fping {late * 1e6:5.1f}), jitter off by {jitter * 1e6:5.1f} µs"
        )


async def side_by_side(hosts: Mapping[str, str]) -> Beside:
    beside = Beside()
    async with Shim(dict(LINKS.values())) as shim:
        outcomes, *fpings = await asyncio.gather(
            measure(shim, list(hosts.values()), extra=0),
            fping(shim, [host for host in hosts.values() if ":" not in host]),
            fping(shim, [host for host in hosts.values() if ":" in host]),
        )
        seen = fpings[0] | fpings[1]
        for (name, host), outcome in zip(hosts.items(), outcomes, strict=True):
            errors = errors_of_fping(seen[host], shim.truth(host, FPING_SIZE))
            beside.look(name, outcome.facts, shim.truth(host), *errors)
    return beside


async def test_loss_round_trip_and_jitter_are_the_wires_own_and_no_worse_than_fpings(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A stamp is late when the machine takes the processor away just then; not in three runs."""
    for _ in range(3):
        beside = await side_by_side({name: host for name, (host, _) in LINKS.items()})
        assert not beside.miscounted, "\n".join(beside.miscounted)
        # fping writes a tenth of a millisecond at these lengths.
        worse = statistics.fmean(beside.ours) > statistics.fmean(beside.theirs) + 0.00005
        if not beside.off and not worse:
            break
    with capsys.disabled():
        print("\n" + "\n".join(beside.table))
    assert not beside.off, "\n".join(beside.off)
    assert not worse


async def test_further_packets_at_a_loss_are_counted_as_they_were_sent() -> None:
    lossy = {f"10.130.1.{number}": Behaviour(delay=0.005, loss=0.3) for number in range(1, 31)}
    async with Shim(lossy) as shim:
        outcomes = await measure(shim, list(lossy), packets=5, spacing="10ms", timeout=1.5)
        truths = [shim.truth(host) for host in lossy]
    counted = [(outcome.facts["sent"], outcome.facts["received"]) for outcome in outcomes]
    assert counted == [(truth.sent, truth.received) for truth in truths]
    assert sum(truth.sent for truth in truths) > 5 * len(lossy), "nobody was asked again"


ODD = {
    "10.130.2.1": Behaviour(delay=0.010, late=0.2, late_by=2.0),
    "10.130.2.2": Behaviour(delay=0.010, behind=0.2, behind_by=0.040),
    "10.130.2.3": Behaviour(delay=0.010, forged=0.3, loss=0.1),
    "10.130.2.4": Behaviour(delay=0.010, forged=1.0, loss=1.0),
    "fd00:130::2": Behaviour(delay=0.010, late=0.1, late_by=2.0, behind=0.1, behind_by=0.040, forged=0.2, loss=0.1),
}


async def test_late_overtaken_and_forged_replies_are_told_apart() -> None:
    async with Shim(ODD) as shim:
        outcomes = await measure(shim, list(ODD), packets=60, extra=0, timeout=1.9)
        for host, outcome in zip(ODD, outcomes, strict=True):
            packets, facts = shim.truth(host).packets, outcome.facts
            in_time = [packet for packet in packets if not packet.lost and not packet.fate.late]
            assert facts["sent"] == len(packets) == 60, host
            assert facts["received"] == len(in_time), host
            assert facts["forged"] == sum(packet.fate.forged for packet in packets), host
            assert facts["duplicates"] == 0, host
            if in_time:
                assert abs(facts["rtt"] - sum(packet.rtt for packet in in_time) / len(in_time)) < 0.0005, host


LOSSES = [
    ("independent, 1 %", Behaviour(loss=0.01), 0.01, sqrt(0.01 * 0.99 / 40_000)),
    ("independent, 20 %", Behaviour(loss=0.2), 0.2, sqrt(0.2 * 0.8 / 40_000)),
    ("Gilbert", Behaviour(bursts=Bursts(worsens=0.03, heals=0.25)), 0.03 / 0.28, None),
    ("Gilbert and Elliott", Behaviour(bursts=Bursts(worsens=0.1, heals=0.3, good=0.01, bad=0.6)), 0.1575, None),
]


@pytest.mark.parametrize(("name", "behaviour", "loss", "deviation"), LOSSES, ids=[case[0] for case in LOSSES])
def test_the_shim_loses_what_it_was_told_to(
    name: str, behaviour: Behaviour, loss: float, deviation: float | None
) -> None:
    fates = [link.fate() for link in [Link(behaviour, random.Random(7))] for _ in range(40_000)]
    if behaviour.bursts is not None:
        deviation = behaviour.bursts.deviation(len(fates))
    assert deviation is not None
    assert abs(sum(not fate.echoes for fate in fates) / len(fates) - loss) < 4 * deviation


def test_bursts_are_as_long_as_they_should_be() -> None:
    link = Link(Behaviour(bursts=Bursts(worsens=0.03, heals=0.25)), random.Random(7))
    lost = "".join("x" if not link.fate().echoes else " " for _ in range(40_000)).split()
    assert abs(statistics.fmean(map(len, lost)) - 4) < 0.4
