"""Many links at once: every rule of a single packet holds for each packet of a sweep."""

import asyncio
import errno
import os
import time
from collections.abc import Callable
from ipaddress import ip_address
from typing import Any

import pytest

from probes import echo_sweep
from probes.echo import EchoEngine
from probes.echo_flight import Plan
from tests.probes.icmp.province import Answer, Province, Request, needs_icmp, needs_province
from tests.probes.icmp.test_own_faults import Faulty, failing
from tests.probes.icmp.test_wire import ECHOES, both, echo, icmp


def addresses(count: int, v6: bool) -> list[str]:
    return [f"fd00:130::1:{number:x}" if v6 else f"10.130.1.{number}" for number in range(1, count + 1)]


async def sweep(province: Province, targets: list[str], *, seconds: float = 0.4) -> list[float | None]:
    engine = EchoEngine(os.urandom, open_socket=province.open_socket)
    try:
        return await engine.sweep(targets, until=asyncio.get_running_loop().time() + seconds)
    finally:
        await engine.aclose()


@needs_province
@pytest.mark.parametrize("unprivileged", [False, True], ids=["raw", "unprivileged"])
@pytest.mark.parametrize("v6", [False, True], ids=["v4", "v6"])
async def test_only_an_exact_echo_counts_for_each_of_many(v6: bool, unprivileged: bool) -> None:
    """Every behaviour of a link, thrice, between links that answer."""
    behaviours = [echo, *(case[1] for case in ECHOES)] * 3
    answered = [True, *(bool(case[2]) for case in ECHOES)] * 3
    targets = addresses(len(behaviours), v6)
    async with Province(dict(zip(targets, behaviours, strict=True))) as province:
        if unprivileged:
            province.run("sysctl", "-qw", "net.ipv4.ping_group_range=0 2147483647")
        seen = await sweep(province, targets)
    assert [rtt is not None for rtt in seen] == answered
    assert all(rtt is None or 0 < rtt < 0.3 for rtt in seen)


@needs_province
@pytest.mark.parametrize("v6", [False, True], ids=["v4", "v6"])
async def test_the_first_of_two_echoes_is_the_round_trip(v6: bool) -> None:
    def twice(province: Province, request: Request) -> None:
        for delay in (0.05, 0.45):
            province.later(delay, request.wrap(request.echo()))

    targets = addresses(100, v6)
    async with Province(dict.fromkeys(targets, twice)) as province:
        seen = await sweep(province, targets, seconds=1.0)
        # Both at once: they are read in one batch.
        province.answers = dict.fromkeys(targets, both(echo, echo))
        together = await sweep(province, targets)
    assert all(rtt is not None and 0.05 <= rtt < 0.44 for rtt in seen)
    assert all(rtt is not None and rtt > 0 for rtt in together)


@needs_province
async def test_who_answers_twice_is_counted_once_and_does_not_end_the_wait_for_others() -> None:
    targets = addresses(200, v6=False)

    def slow(province: Province, request: Request) -> None:
        province.later(0.15, request.wrap(request.echo()))

    answers = dict.fromkeys(targets[:100], both(echo, echo)) | dict.fromkeys(targets[100:], slow)
    async with Province(answers) as province:
        seen = await sweep(province, targets)
        # As many second echoes, once the first ones have been read.
        province.answers |= dict.fromkeys(targets[:100], both(echo, lambda p, r: p.later(0.05, r.wrap(r.echo()))))
        again = await sweep(province, targets)
    assert None not in seen + again


@needs_icmp
async def test_a_reply_before_its_packet_is_thought_to_have_left_still_took_some_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    departures = echo_sweep.departures

    def late(edges: list[int], sizes: list[int]) -> tuple[Any, list[int]]:
        return departures(edges, sizes)[0] + 50_000_000, []

    monkeypatch.setattr(echo_sweep, "departures", late)
    engine = EchoEngine(os.urandom)
    seen = await engine.sweep(["127.0.0.1"] * 200, until=asyncio.get_running_loop().time() + 1)
    await engine.aclose()
    assert all(rtt is not None and 0 < rtt < 0.1 for rtt in seen)


def nobody_else(province: Province, request: Request) -> None:
    """The right words, from the neighbour's address."""
    source = ip_address(int.from_bytes(request.target, "big") ^ 1).packed
    province.send(request.wrap(request.echo(), source))


@needs_province
@pytest.mark.parametrize("v6", [False, True], ids=["v4", "v6"])
@pytest.mark.parametrize(
    "answer", [nobody_else, icmp(lambda request: request.changed(-1))], ids=["from a neighbour", "changed"]
)
async def test_a_whole_sweep_of_forgeries_is_a_sweep_of_losses(answer: Answer, v6: bool) -> None:
    targets = addresses(100, v6)
    async with Province(dict.fromkeys(targets, answer)) as province:
        assert await sweep(province, targets, seconds=0.3) == [None] * 100


@needs_province
async def test_a_late_reply_to_a_sweep_is_known_as_one() -> None:
    waits = {"10.130.1.1": [0.25, 0.0]}

    def slow_once(province: Province, request: Request) -> None:
        left = waits.get(request.address, [])
        province.later(left.pop(0) if left else 0.0, request.wrap(request.echo()))

    targets = addresses(20, v6=False)
    async with Province(dict.fromkeys(targets, slow_once)) as province:
        engine = EchoEngine(os.urandom, open_socket=province.open_socket)
        loop = asyncio.get_running_loop()
        swept = await engine.sweep(targets, until=loop.time() + 0.1)
        after = await engine.ping("10.130.1.1", Plan(count=2, spacing=0.2), until=loop.time() + 0.6)
        await engine.aclose()
    assert [rtt is None for rtt in swept] == [True] + [False] * 19
    assert (len(after.rtts), after.late, after.forged) == (2, 1, 0)


@needs_province
async def test_one_link_without_a_route_does_not_keep_the_others_from_being_asked() -> None:
    targets = addresses(100, v6=False)
    async with Province(dict.fromkeys(targets, echo)) as province:
        province.run("ip", "route", "add", "unreachable", "10.130.1.40/32")
        seen = await sweep(province, targets)
    assert [number for number, rtt in enumerate(seen, 1) if rtt is None] == [40]


@needs_icmp
@pytest.mark.parametrize("number", [errno.EAGAIN, errno.EHOSTUNREACH])
async def test_a_passing_trouble_of_the_socket_costs_no_packet(number: int) -> None:
    """Through a socket that is not the kernel's own, too: one packet after the other."""
    engine = EchoEngine(os.urandom, open_socket=Faulty(send=failing(number, 2)).open)
    seen = await engine.sweep(["127.0.0.1", "127.0.0.2"] * 20, until=asyncio.get_running_loop().time() + 1)
    await engine.aclose()
    assert None not in seen
    assert len(seen) == 40


@needs_icmp
async def test_more_targets_than_there_are_sequence_numbers_are_swept_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(echo_sweep, "MOST", 30)
    engine = EchoEngine(os.urandom)
    until = asyncio.get_running_loop().time() + 2
    seen = await engine.sweep([f"127.0.3.{number}" for number in range(1, 101)], until=until)
    nothing = await engine.sweep([], until=until)
    await engine.aclose()
    assert (len(seen), None in seen, nothing) == (100, False, [])


@needs_icmp
async def test_two_sweeps_and_a_run_at_once_do_not_take_each_others_echoes() -> None:
    engine = EchoEngine(os.urandom)
    targets = [f"127.0.3.{number}" for number in range(1, 251)]
    until = asyncio.get_running_loop().time() + 2
    one, two, run = await asyncio.gather(
        engine.sweep(targets, until=until),
        engine.sweep(targets[::-1], until=until),
        engine.ping("127.0.3.7", Plan(count=20, spacing=0.001), until=until),
    )
    await engine.aclose()
    assert None not in one + two
    assert (len(run.rtts), run.duplicates, run.forged, run.late) == (20, 0, 0, 0)


@needs_icmp
async def test_a_sweep_is_of_one_family() -> None:
    engine = EchoEngine(os.urandom)
    with pytest.raises(ValueError, match="one family"):
        await engine.sweep(["127.0.0.1", "::1"], until=0.0)
    await engine.aclose()


@needs_icmp
@pytest.mark.parametrize("offset", [3600, -3600, 0.002, -0.002])
async def test_a_step_of_the_wall_clock_does_not_touch_a_round_trip(offset: float) -> None:
    stepped = stepping(int(offset * 1e9))
    engine = EchoEngine(os.urandom, wall=stepped)
    seen = await engine.sweep(["127.0.0.1"] * 1000, until=asyncio.get_running_loop().time() + 2)
    await engine.aclose()
    assert all(rtt is not None and 0 < rtt < 0.1 for rtt in seen)


def stepping(offset: int) -> Callable[[], int]:
    """The wall clock, off by so many nanoseconds from the third reading on."""
    readings = 0

    def wall() -> int:
        nonlocal readings
        readings += 1
        return time.time_ns() + (offset if readings > 2 else 0)

    return wall
