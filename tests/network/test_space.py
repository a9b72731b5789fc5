"""The network that the daemon is tried in does what it is told, for 20,000 addresses as for one, and leaves nothing behind."""

import asyncio
import os
import socket
from contextlib import suppress
from pathlib import Path

import pytest

from probes.contract import Reason
from probes.echo import EchoEngine
from probes.echo_flight import Plan
from probes.echo_socket import open_echo_socket
from tests.network.namespaces import needs_namespaces
from tests.network.space import HUB, Link, Space, Uplink, commune

pytestmark = needs_namespaces


def engine_of(space: Space) -> EchoEngine:
    def opened(family: int) -> tuple[socket.socket, bool]:
        with space.monitor.inside():
            return open_echo_socket(family)

    return EchoEngine(os.urandom, open_socket=opened)


async def answering(space: Space, hosts: list[str], seconds: float = 0.5) -> set[str]:
    engine = engine_of(space)
    rtts = await engine.sweep(hosts, until=asyncio.get_running_loop().time() + seconds)
    await engine.aclose()
    return {host for host, rtt in zip(hosts, rtts, strict=True) if rtt is not None}


@pytest.mark.parametrize("v6", [False, True], ids=["v4", "v6"])
async def test_twenty_thousand_addresses_answer_and_half_of_them_are_cut_in_one_step(v6: bool) -> None:
    hosts = [commune(number, v6=v6) for number in range(1, 20_001)]
    async with Space() as space:
        assert await answering(space, hosts, 5) == set(hosts)
        cut = hosts[::2]
        began, ended = await space.change(dict.fromkeys(cut, Link.CUT))
        assert await answering(space, hosts, 1.5) == set(hosts[1::2])
        assert (await space.counted())[Link.CUT] == len(cut)
        assert 0 < ended - began < 5
        await space.heal()
        assert await answering(space, cut, 5) == set(cut)


@pytest.mark.parametrize("v6", [False, True], ids=["v4", "v6"])
async def test_links_are_refused_as_routers_and_firewalls_do(v6: bool) -> None:
    async with Space() as space:
        hosts = [commune(number, v6=v6) for number in range(1, 4)]
        await space.change({hosts[0]: Link.UNREACHABLE, hosts[1]: Link.PROHIBITED})
        engine = engine_of(space)
        loop = asyncio.get_running_loop()
        runs = [await engine.ping(host, Plan(count=2, spacing=0.01), until=loop.time() + 0.5) for host in hosts]
        await engine.aclose()
    reasons = [run.error.reason if run.error else None for run in runs]
    assert reasons == [Reason.UNREACHABLE, Reason.PROHIBITED, None]
    assert [len(run.rtts) for run in runs] == [0, 0, 2]


@pytest.mark.parametrize(
    ("link", "share"), [(Link.LOSS_1, 0.01), (Link.LOSS_5, 0.05), (Link.LOSS_20, 0.2), (Link.LOSS_50, 0.5)]
)
async def test_links_lose_what_they_are_told_to_and_the_kernel_counts_it(link: Link, share: float) -> None:
    hosts = [commune(number) for number in range(1, 4_001)]
    async with Space() as space:
        await space.change(dict.fromkeys(hosts, link))
        answered = await answering(space, hosts, 1)
        assert len(hosts) - len(answered) == (await space.counted())[link]
    deviation = (share * (1 - share) / len(hosts)) ** 0.5
    assert abs(1 - len(answered) / len(hosts) - share) < 4.5 * deviation


async def test_tcp_is_taken_where_somebody_listens_and_refused_or_dropped_by_the_weather() -> None:
    async def connect(host: str, port: int) -> str:
        with space.monitor.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM) as sock:
            try:
                await asyncio.wait_for(asyncio.get_running_loop().sock_connect(sock, (host, port)), 0.4)
            except (OSError, TimeoutError) as error:
                return type(error).__name__
            return "taken"

    async with Space() as space:
        await space.listen(53)
        assert [await connect(host, 53) for host in (HUB, commune(9), commune(9, v6=True))] == ["taken"] * 3
        assert await connect(HUB, 54) == "ConnectionRefusedError"
        await space.change({commune(9): Link.UNREACHABLE, commune(10): Link.CUT})
        assert await connect(commune(9), 53) == "ConnectionRefusedError"
        assert await connect(commune(10), 53) == "TimeoutError"


@pytest.mark.parametrize("fault", Uplink, ids=[fault.value for fault in Uplink])
async def test_our_own_line_breaks_and_is_mended(fault: Uplink) -> None:
    hosts = [commune(1), commune(1, v6=True), HUB]
    async with Space() as space:
        for _ in range(2):
            for host in hosts:
                assert await answering(space, [host], 1) == {host}
            await space.uplink(fault)
            for host in hosts:
                assert await answering(space, [host], 0.1) == set()
            await space.uplink(None)


async def test_nothing_is_left_of_a_space_whose_test_fails() -> None:
    def known() -> tuple[int, str, str]:
        return (
            len(os.listdir("/proc/self/fd")),
            os.readlink("/proc/thread-self/ns/net"),
            Path("/proc/net/dev").read_text().count(":"),
        )

    before = known()
    with suppress(ZeroDivisionError):
        async with Space() as space:
            await space.listen(80)
            await space.change({commune(1): Link.CUT})
            raise ZeroDivisionError
    await asyncio.sleep(0.05)
    assert known() == before
