"""Hostile and broken links: what counts as an answer, and whose fault the rest is."""

import asyncio
import os
import subprocess
from datetime import UTC, datetime
from functools import cache
from ipaddress import ip_address
from typing import Any

import pytest
import uvloop
from pydantic import TypeAdapter

import probes
from probes.contract import Outcome, Reason, Seen
from probes.echo import EchoEngine
from probes.echo_flight import Plan
from probes.tools import Workbench
from tests.debian import need
from tests.probes.icmp.province import Answer, Province, Request, needs_province
from tests.probes.icmp.together import Link, together

pytestmark = needs_province

V4, V6 = "10.130.0.1", "fd00:130::1"


async def ping(province: Province, host: str, *, timeout: float = 0.8, **keys: Any) -> Outcome:
    spec = TypeAdapter(probes.KINDS["icmp"].spec).validate_python(
        {"host": host, "packets": 3, "spacing": "5ms", **keys}
    )
    async with Workbench(lambda: datetime.now(UTC), nameservers=()) as workbench:
        workbench._echo = EchoEngine(os.urandom, open_socket=province.open_socket)
        outcome = await probes.run("icmp", spec, workbench, timeout=timeout)
    assert outcome.seconds < timeout + 0.25, outcome
    return outcome


def echo(province: Province, request: Request) -> None:
    province.send(request.wrap(request.echo()))


def icmp(make: Any, **how: Any) -> Answer:
    """Answer with what `make` does to the request."""
    return lambda province, request: province.send(request.wrap(make(request), **how))


def both(*answers: Answer) -> Answer:
    def answer(province: Province, request: Request) -> None:
        for one in answers:
            one(province, request)

    return answer


def first_only(answer: Answer) -> Answer:
    """The first packet of a run is answered, the others are lost."""

    def once(province: Province, request: Request) -> None:
        if len([one for one in province.requests if one.address == request.address]) == 1:
            answer(province, request)

    return once


SOMEBODY = ip_address("10.130.255.254").packed, ip_address("fd00:130::dead").packed


def from_elsewhere(province: Province, request: Request) -> None:
    province.send(request.wrap(request.echo(), SOMEBODY[request.v6]))


def shorter(province: Province, request: Request) -> None:
    province.send(request.wrap(request.echo()[:40]))


def bare(province: Province, request: Request) -> None:
    province.send(request.wrap(request.echo()[:8]))


ECHOES = [
    # what the link did                                     its answer                                     received, and what is counted
    ("answered every packet", echo, 3, {"loss": 0.0, "forged": 0}),
    ("answered the first and lost two", first_only(echo), 1, {"loss": 2 / 3}),
    ("answered everything twice", both(echo, echo), 3, {"duplicates": 3, "loss": 0.0}),
    ("answered one of three, three times over", first_only(both(echo, echo, echo)), 1, {"duplicates": 2, "loss": 2 / 3}),
    ("answered 100 ms later", lambda p, r: p.later(0.1, r.wrap(r.echo())), 3, {"loss": 0.0}),
    ("answered with another id", icmp(lambda r: r.changed(4)), 0, {"loss": 1.0}),
    ("answered with another sequence", icmp(lambda r: r.changed(6)), 0, {"forged": 3, "loss": 1.0}),
    ("changed the token", icmp(lambda r: r.changed(8)), 0, {"forged": 3, "loss": 1.0}),
    ("changed the last byte of the payload", icmp(lambda r: r.changed(-1)), 0, {"forged": 3, "loss": 1.0}),
    ("answered with more than was sent", icmp(lambda r: r.echo() + b"\0"), 0, {"forged": 3}),
    ("answered with a wrong checksum", icmp(Request.echo, bad_checksum=True), 0, {"loss": 1.0}),
    ("answered from another address", from_elsewhere, 0, {"forged": 3, "loss": 1.0}),
    ("answered with half of the payload", shorter, 0, {"truncated": 3, "loss": 1.0}),
    ("answered with a bare header", bare, 0, {"truncated": 3, "loss": 1.0}),
    ("forged first, and then the true ones", both(icmp(lambda r: r.changed(-1)), echo), 3, {"forged": 3, "loss": 0.0}),
    ("swallowed everything", lambda p, r: None, 0, {"loss": 1.0}),
]  # fmt: skip


@cache
def answered(v6: bool) -> dict[str, Outcome]:
    """Every behaviour, looked at in the same moment; packets beyond the first three have tests of their own."""
    links = [Link(answer=case[1], keys={"packets": 3, "extra": 0}) for case in ECHOES]
    return {case[0]: look.outcome for case, look in zip(ECHOES, together(links, v6=v6), strict=True)}


@pytest.mark.parametrize("host", [V4, V6], ids=["v4", "v6"])
@pytest.mark.parametrize(("sentence", "answer", "received", "counted"), ECHOES, ids=[case[0] for case in ECHOES])
def test_only_an_exact_echo_counts(
    sentence: str, answer: Answer, received: int, counted: dict[str, float], host: str
) -> None:
    outcome = answered(host == V6)[sentence]
    assert outcome.facts.get("sent") == 3, outcome
    assert outcome.facts["received"] == received
    assert (outcome.seen, outcome.reason) == ((Seen.OK, Reason.OK) if received else (Seen.FAILED, Reason.NO_REPLY))
    assert {name: outcome.facts[name] for name in counted} == counted


def error(v4: tuple[int, int], v6: tuple[int, int], **how: Any) -> Answer:
    return icmp(lambda request: request.error(*(v6 if request.v6 else v4), **how))


def about_somebody_else(province: Province, request: Request) -> None:
    """A router's complaint about a packet that another program sent to the same address."""
    other = bytearray(request.packet)
    start = 40 if request.v6 else 20
    other[start + 4 : start + 16] = os.urandom(12)
    code = (1, 0) if request.v6 else (3, 1)
    province.send(request.wrap(request.error(*code, quote=bytes(other))))


ERRORS = [
    ("the host cannot be reached", error((3, 1), (1, 3)), Reason.UNREACHABLE),
    ("there is no route to its network", error((3, 0), (1, 0)), Reason.UNREACHABLE),
    ("an administrator forbids it", error((3, 13), (1, 1)), Reason.PROHIBITED),
    ("routers send it in circles", error((11, 0), (3, 0)), Reason.TTL_EXCEEDED),
    ("a router quotes eight bytes only", error((3, 1), (1, 3), length=28), Reason.UNREACHABLE),
    ("somebody else's packet could not be delivered", about_somebody_else, Reason.NO_REPLY),
]


@cache
def refused(v6: bool) -> dict[str, Outcome]:
    """Every error, said in the same moment."""
    links = [Link(answer=case[1], keys={"packets": 3}, timeout=0.6) for case in ERRORS]
    return {case[0]: look.outcome for case, look in zip(ERRORS, together(links, v6=v6), strict=True)}


@pytest.mark.parametrize("host", [V4, V6], ids=["v4", "v6"])
@pytest.mark.parametrize(("sentence", "answer", "reason"), ERRORS, ids=[case[0] for case in ERRORS])
def test_errors_that_quote_our_packet_are_reasons(sentence: str, answer: Answer, reason: Reason, host: str) -> None:
    if "eight bytes" in sentence and host == V6:
        pytest.skip("IPv6 routers quote as much as fits (RFC 4443)")
    outcome = refused(host == V6)[sentence]
    assert (outcome.seen, outcome.reason) == (Seen.FAILED, reason)
    assert "rtt" not in outcome.facts
    assert (outcome.seconds < 0.3) is (reason is not Reason.NO_REPLY)


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
@pytest.mark.parametrize("host", [V4, V6], ids=["v4", "v6"])
def test_after_an_error_the_engine_still_hears(run: Any, host: str) -> None:
    """An error event makes libuv stop watching a descriptor."""
    good = "10.130.0.2" if host == V4 else "fd00:130::2"

    async def story() -> list[int]:
        counts = []
        async with Province({host: error((3, 1), (1, 3)), good: echo}) as province:
            engine = EchoEngine(os.urandom, open_socket=province.open_socket)
            loop = asyncio.get_running_loop()
            for _ in range(5):
                await engine.ping(host, Plan(count=2, spacing=0), until=loop.time() + 0.5)
                echoes = await engine.ping(good, Plan(count=2, spacing=0.001), until=loop.time() + 0.5)
                counts.append(len(echoes.rtts))
            await engine.aclose()
        return counts

    assert run(story()) == [2] * 5


@pytest.mark.parametrize("host", [V4, V6], ids=["v4", "v6"])
async def test_a_packet_larger_than_our_own_mtu_is_told_with_the_mtu(host: str) -> None:
    async with Province({host: echo}) as province:
        outcome = await ping(province, host, size=1500, dont_fragment=True)
        assert (outcome.reason, outcome.facts["mtu"]) == (Reason.FRAG_NEEDED, 1400)
        assert "1400" in outcome.detail


async def test_a_packet_larger_than_a_routers_mtu_is_told_with_the_mtu() -> None:
    def too_big(province: Province, request: Request) -> None:
        code = (2, 0, 1300) if request.v6 else (3, 4, 1280)
        province.send(request.wrap(request.error(*code[:2], info=code[2])))

    async with Province({V4: too_big, V6: too_big}) as province:
        v4 = await ping(province, V4, size=1350, dont_fragment=True)
        v6 = await ping(province, V6, size=1350, dont_fragment=True)
    assert (v4.reason, v4.facts["mtu"]) == (Reason.FRAG_NEEDED, 1280)
    assert (v6.reason, v6.facts["mtu"]) == (Reason.FRAG_NEEDED, 1300)


async def test_a_late_reply_is_lost_for_its_run_and_not_credited_to_the_next() -> None:
    waits = [0.25, 0.0, 0.0]

    def slow_once(province: Province, request: Request) -> None:
        province.later(waits.pop(0), request.wrap(request.echo()))

    async with Province({V4: slow_once}) as province:
        engine = EchoEngine(os.urandom, open_socket=province.open_socket)
        loop = asyncio.get_running_loop()
        first = await engine.ping(V4, Plan(count=1), until=loop.time() + 0.15)
        second = await engine.ping(V4, Plan(count=2, spacing=0.2), until=loop.time() + 0.6)
        await engine.aclose()
    assert (first.sent, first.rtts) == (1, [])
    assert (second.sent, len(second.rtts), second.late, second.forged) == (2, 2, 1, 0)
    assert max(second.rtts) < 0.1


async def test_every_run_has_an_id_of_its_own_so_that_a_firewall_forgets_the_outage() -> None:
    async with Province({V4: echo}) as province:
        for _ in range(4):
            await ping(province, V4, packets=1)
        assert len({request.icmp[4:6] for request in province.requests}) >= 3


async def test_the_sequence_wraps_without_a_loss() -> None:
    def at_the_end(count: int) -> bytes:
        return b"\x12\x34\xff\xfe" + os.urandom(count - 4)

    async with Province({V4: echo}) as province:
        engine = EchoEngine(at_the_end, open_socket=province.open_socket)
        until = asyncio.get_running_loop().time() + 1
        echoes = await engine.ping(V4, Plan(count=5, spacing=0), until=until)
        await engine.aclose()
        assert [request.sequence for request in province.requests] == [65534, 65535, 0, 1, 2]
    assert (len(echoes.rtts), echoes.duplicates) == (5, 0)


async def test_delay_is_measured_to_a_few_milliseconds() -> None:
    async with Province({V4: lambda p, r: p.later(0.05, r.wrap(r.echo()))}) as province:
        outcome = await ping(province, V4)
    assert 0.05 <= outcome.facts["rtt_min"] < 0.075


async def test_the_hop_limit_asked_for_is_the_one_sent_and_does_not_stay_for_the_next() -> None:
    async with Province({V4: echo, V6: echo}) as province:
        engine = EchoEngine(os.urandom, open_socket=province.open_socket)
        loop = asyncio.get_running_loop()
        seen = []
        for address in (V4, V6):
            for ttl in (9, None):
                echoes = await engine.ping(address, Plan(count=1, ttl=ttl), until=loop.time() + 1)
                packet = province.requests[-1].packet
                seen.append((packet[7] if address == V6 else packet[8], echoes.hop_limit))
        await engine.aclose()
    assert seen == [(9, 60), (64, 60)] * 2


async def test_fragmentation_is_forbidden_only_where_it_was_asked_for() -> None:
    async with Province({V4: echo}) as province:
        for flag in (True, False):
            assert (await ping(province, V4, packets=1, dont_fragment=flag)).seen is Seen.OK
        assert [request.packet[6] >> 6 for request in province.requests] == [1, 0]


OWN = [
    ("our own uplink is down", ["ip", "link", "set", "province", "down"], Reason.OWN_NETWORK),
    ("our own route is a black hole", ["ip", "route", "add", "blackhole", "10.130.0.1/32"], Reason.OWN_NETWORK),
    ("our own route says unreachable", ["ip", "route", "add", "unreachable", "10.130.0.1/32"], Reason.OWN_NETWORK),
    ("our own routes forbid it", ["ip", "route", "add", "prohibit", "10.130.0.1/32"], Reason.OWN_PERMISSION),
]  # fmt: skip


@pytest.mark.parametrize(("sentence", "command", "reason"), OWN, ids=[case[0] for case in OWN])
async def test_our_own_faults_are_blind(sentence: str, command: list[str], reason: Reason) -> None:
    async with Province({V4: echo}) as province:
        province.run(*command)
        outcome = await ping(province, V4)
    assert (outcome.seen, outcome.reason) == (Seen.BLIND, reason)
    assert outcome.facts["sent"] == 0
    assert "loss" not in outcome.facts


async def test_our_own_firewall_is_blind() -> None:
    nft = need("nft", "nftables")
    async with Province({V4: echo}) as province:
        try:
            province.run(
                nft, "add table ip t; add chain ip t o { type filter hook output priority 0; }; add rule ip t o drop"
            )
        except (OSError, subprocess.CalledProcessError) as error:
            pytest.skip(f"nft cannot be used here, so an own firewall was not tried: {error}")
        outcome = await ping(province, V4)
    assert (outcome.seen, outcome.reason) == (Seen.BLIND, Reason.OWN_PERMISSION)


async def test_an_unprivileged_socket_does_the_same() -> None:
    async with Province({V4: echo, V6: echo, "10.130.0.2": error((3, 1), (1, 3))}) as province:
        province.run("sysctl", "-qw", "net.ipv4.ping_group_range=0 2147483647")
        sock, raw = province.open_socket(2)
        sock.close()
        assert not raw
        for host in (V4, V6):
            outcome = await ping(province, host)
            assert (outcome.facts["received"], outcome.facts["hop_limit"]) == (3, 60)
        assert (await ping(province, "10.130.0.2")).reason is Reason.UNREACHABLE
