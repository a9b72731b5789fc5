"""Against the kernel of this host, with fping beside it."""

import asyncio
import os
import shutil
import subprocess

import pytest
import uvloop

from probes.contract import Reason, Seen
from probes.echo import EchoEngine
from probes.echo_flight import Plan
from probes.echo_socket import open_echo_socket
from tests.probes.icmp.province import needs_icmp
from tests.probes.look import look

pytestmark = needs_icmp


async def test_loopback_answers_all_five() -> None:
    outcome = await look("icmp", {"host": "127.0.0.1", "spacing": "1ms"})
    assert (outcome.seen, outcome.facts["received"], outcome.facts["loss"]) == (Seen.OK, 5, 0)
    assert 0 < outcome.facts["rtt_min"] <= outcome.facts["rtt"] <= outcome.facts["rtt_max"] < 0.1
    assert outcome.facts["hop_limit"] == 64
    assert outcome.phases["rtt"] > 0


@pytest.mark.parametrize("family", ["any", "ipv6"])
async def test_so_does_ipv6(family: str) -> None:
    outcome = await look("icmp", {"host": "::1", "family": family, "spacing": "1ms", "packets": 2})
    assert (outcome.seen, outcome.facts["received"]) == (Seen.OK, 2)


async def test_a_link_local_address_is_reached_through_its_interface() -> None:
    outcome = await look("icmp", {"host": "fe80::1%no-such-if", "packets": 1})
    assert (outcome.seen, outcome.reason) == (Seen.BLIND, Reason.OWN_CONFIG)


async def test_an_odd_size_and_a_large_one() -> None:
    for size in (8, 57, 9000):
        outcome = await look("icmp", {"host": "127.0.0.1", "packets": 1, "size": size})
        assert outcome.seen is Seen.OK, size


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
def test_a_thousand_links_in_the_same_moment_lose_nothing_by_us(run) -> None:
    addresses = [f"127.1.{number // 250}.{number % 250 + 1}" for number in range(1000)]

    async def story() -> tuple[list[float | None], list[int]]:
        engine = EchoEngine(os.urandom)
        until = asyncio.get_running_loop().time() + 5
        swept = await engine.sweep(addresses, until=until)
        runs = [engine.ping(address, Plan(count=3, spacing=0.01), until=until) for address in addresses[:129]]
        apart = await asyncio.gather(*runs)
        await engine.aclose()
        return swept, [len(echoes.rtts) for echoes in apart]

    swept, counts = run(story())
    assert all(rtt is not None and 0 < rtt < 0.5 for rtt in swept)
    assert set(counts) == {3}


@pytest.mark.skipif(
    shutil.which("fping") is None, reason="fping is not installed: our figures were not compared with its"
)
def test_fping_beside_us_sees_the_same_and_neither_hears_the_other() -> None:
    addresses = [f"127.2.0.{number}" for number in range(1, 201)]

    async def story() -> tuple[list[float | None], bytes]:
        engine = EchoEngine(os.urandom)
        command = ("fping", "-q", "-c3", "-p20", "-i1", *addresses)
        fping = await asyncio.create_subprocess_exec(*command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)
        until = asyncio.get_running_loop().time() + 5
        rtts: list[float | None] = []
        while fping.returncode is None and len(rtts) < 2000:
            rtts += await engine.sweep(addresses, until=until)
            await asyncio.sleep(0.02)
        _, said = await fping.communicate()
        await engine.aclose()
        return rtts, said

    rtts, said = asyncio.run(story())
    lines = said.decode().splitlines()
    assert len(lines) == 200
    assert all("3/3/0%" in line for line in lines)
    assert None not in rtts


async def test_two_engines_on_one_host_do_not_hear_each_other() -> None:
    loop = asyncio.get_running_loop()
    one, two = EchoEngine(os.urandom), EchoEngine(os.urandom)
    plan = Plan(count=20, spacing=0.001)
    results = await asyncio.gather(
        *(engine.ping("127.3.0.1", plan, until=loop.time() + 3) for engine in (one, two) for _ in range(5))
    )
    await one.aclose()
    await two.aclose()
    assert [(len(echoes.rtts), echoes.duplicates, echoes.forged, echoes.late) for echoes in results] == [
        (20, 0, 0, 0)
    ] * 10


def test_the_socket_is_given_up_with_the_engine() -> None:
    async def story() -> int:
        engine = EchoEngine(os.urandom)
        loop = asyncio.get_running_loop()
        waiting = loop.create_task(engine.ping("127.0.0.1", Plan(count=2, spacing=5), until=loop.time() + 10))
        await asyncio.sleep(0.05)
        await engine.aclose()
        await engine.aclose()
        return len((await waiting).rtts)

    sock, _raw = open_echo_socket(2)
    sock.close()
    assert asyncio.run(story()) == 1
