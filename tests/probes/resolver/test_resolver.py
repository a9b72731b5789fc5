"""Our own resolver: what a name's trouble is called, and when it is ours."""

import asyncio
import errno
import os
import socket
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dns.message
import dns.rdatatype
import pytest
from pydantic import TypeAdapter

import probes
from probes import dns_wire
from probes.contract import Family, ProbeError, Reason, Seen
from probes.resolver import ENTRIES, Resolver
from probes.tools import Workbench
from tests.probes.dns.bind import ZONE, province_dns
from tests.probes.dns.nameserver import NameServer, Reply, Script, answer, cut

NAME = "portal.ninhbinh.example"


@asynccontextmanager
async def resolving(*servers: str, **files: Any) -> AsyncIterator[Resolver]:
    resolver = Resolver(servers or None, entropy=os.urandom, **files)
    try:
        yield resolver
    finally:
        await resolver.aclose()


async def find(resolver: Resolver, host: str = NAME, family: Family = Family.ANY, *, within: float = 1.0) -> list[str]:
    """Addresses as text, in order; ends in time, whatever happens."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + within
    try:
        return [one.ip for one in await resolver.resolve(host, family, deadline)]
    finally:
        assert loop.time() < deadline + 0.1


async def trouble(resolver: Resolver, host: str = NAME, family: Family = Family.ANY, *, within: float = 1.0) -> Reason:
    with pytest.raises(ProbeError) as caught:
        await find(resolver, host, family, within=within)
    return caught.value.reason


def kind(question: dns.message.Message) -> str:
    return dns.rdatatype.to_text(question.question[0].rdtype)


def asked(question: dns.message.Message) -> str:
    return question.question[0].name.to_text(omit_final_dot=True)


def says(a: list[str] = [], aaaa: list[str] = [], *, ttl: int = 300, rcode: str = "NOERROR") -> Script:  # noqa: B006
    def script(question: dns.message.Message) -> list[Reply]:
        addresses = a if kind(question) == "A" else aaaa
        lines = [f"{asked(question)}. {ttl} IN {kind(question)} {ip}" for ip in addresses]
        return [answer(question, *lines, rcode=rcode)]

    return script


async def test_both_families_are_asked_side_by_side_and_ipv6_comes_first() -> None:
    async with (
        NameServer(says(["192.0.2.1", "192.0.2.2"], ["2001:db8::1"])) as server,
        resolving(server.at) as resolver,
    ):
        assert await find(resolver) == ["2001:db8::1", "192.0.2.1", "192.0.2.2"]
        assert sorted(kind(question) for _, question in server.questions) == ["A", "AAAA"]


@pytest.mark.parametrize(("family", "found"), [(Family.IPV4, "192.0.2.1"), (Family.IPV6, "2001:db8::1")])
async def test_one_family_alone_is_asked_alone(family: Family, found: str) -> None:
    async with NameServer(says(["192.0.2.1"], ["2001:db8::1"])) as server, resolving(server.at) as resolver:
        assert await find(resolver, family=family) == [found]
        assert len(server.questions) == 1


async def test_a_name_of_one_family_is_not_asked_for_the_other_before_every_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("probes.resolver.NEGATIVE", 0.05)
    async with NameServer(says(["192.0.2.1"])) as server, resolving(server.at) as resolver:
        await find(resolver)
        await asyncio.sleep(0.1)
        assert await find(resolver) == ["192.0.2.1"]
        assert sorted(kind(question) for _, question in server.questions) == ["A", "AAAA"]
        assert await trouble(resolver, family=Family.IPV6) is Reason.DNS_NODATA
        assert len(server.questions) == 3, "who insists on the family is answered afresh"


TROUBLES = [
    # what our resolver said of the name                  to all questions                        what it is called
    ("that there is no such name", says(rcode="NXDOMAIN"), Reason.DNS_NXDOMAIN),
    ("that the name has no address", says(), Reason.DNS_NODATA),
    ("0.0.0.0, as a filter does", says(["0.0.0.0"]), Reason.DNS_FILTERED),
    ("multicast addresses only", says(["224.0.0.1"], ["ff02::1"]), Reason.DNS_FILTERED),
    ("that it refuses", says(rcode="REFUSED"), Reason.OWN_DNS),
    ("that it does not understand", says(rcode="FORMERR"), Reason.OWN_DNS),
    ("SERVFAIL, to this and every other name", says(rcode="SERVFAIL"), Reason.OWN_DNS),
    ("nothing at all", lambda question: [], Reason.OWN_DNS),
    ("noise", lambda question: [b"\0" * 40], Reason.OWN_DNS),
    ("what cannot be read", lambda question: [answer(question, f"{NAME}. 9 IN A 192.0.2.1").to_wire()[:-2]], Reason.OWN_DNS),
]  # fmt: skip


@pytest.mark.parametrize(("sentence", "script", "reason"), TROUBLES, ids=[case[0] for case in TROUBLES])
async def test_troubles(sentence: str, script: Script, reason: Reason) -> None:
    async with NameServer(script) as server, resolving(server.at) as resolver:
        assert await trouble(resolver) is reason


async def test_servfail_about_one_name_alone_is_the_names_fault() -> None:
    def script(question: dns.message.Message) -> list[Reply]:
        return [answer(question, rcode="SERVFAIL" if asked(question) == NAME else "NXDOMAIN")]

    async with NameServer(script) as server, resolving(server.at) as resolver:
        assert await trouble(resolver) is Reason.DNS_SERVFAIL
        controls = {asked(question) for _, question in server.questions} - {NAME}
        assert len(controls) == 1
        assert controls.pop().endswith(".example")


async def test_silence_about_one_name_alone_is_the_names_fault() -> None:
    def script(question: dns.message.Message) -> list[Reply]:
        return [] if asked(question) == NAME else [answer(question, rcode="NXDOMAIN")]

    async with NameServer(script) as server, resolving(server.at) as resolver:
        assert await trouble(resolver, within=1.6) is Reason.DNS


async def test_nobody_listening_is_ours_and_known_at_once() -> None:
    async with resolving("127.0.0.1:9") as resolver:
        began = time.monotonic()
        assert await trouble(resolver) is Reason.OWN_DNS
        assert time.monotonic() - began < 0.3


async def test_a_slow_resolver_is_waited_for_and_holds_up_nobody_else() -> None:
    def script(question: dns.message.Message) -> list[Reply]:
        return [0.8 if asked(question) == NAME else 0.0, *says(["192.0.2.1"])(question)]

    async with NameServer(script) as server, resolving(server.at) as resolver:
        slow = asyncio.ensure_future(find(resolver, within=2.0))
        began = time.monotonic()
        many = await asyncio.gather(*(find(resolver, f"n{number}.example", within=2.0) for number in range(40)))
        assert time.monotonic() - began < 0.7
        assert many == [["192.0.2.1"]] * 40
        assert await slow == ["192.0.2.1"]


async def test_a_dead_first_server_costs_a_second_and_no_more() -> None:
    async with NameServer(lambda question: []) as dead, NameServer(says(["192.0.2.1"])) as alive:
        async with resolving(dead.at, alive.at) as resolver:
            assert await find(resolver, within=2.0) == ["192.0.2.1"]
        async with resolving("127.0.0.1:9", alive.at) as resolver:
            began = time.monotonic()
            assert await find(resolver) == ["192.0.2.1"]
            assert time.monotonic() - began < 0.3


async def test_a_family_that_is_never_answered_costs_a_moment() -> None:
    def script(question: dns.message.Message) -> list[Reply]:
        return says(["192.0.2.1"])(question) if kind(question) == "A" else []

    async with NameServer(script) as server, resolving(server.at) as resolver:
        began = time.monotonic()
        assert await find(resolver) == ["192.0.2.1"]
        assert time.monotonic() - began < 0.3


async def test_forged_packets_are_passed_over() -> None:
    def script(question: dns.message.Message) -> list[Reply]:
        true = says(["192.0.2.1"])(question)[0]
        false = answer(question, f"{NAME}. 60 IN A 203.0.113.66")
        false.id ^= 0xFFFF
        return [false, 0.02, true]

    async with NameServer(script) as server, resolving(server.at) as resolver:
        assert await find(resolver, family=Family.IPV4) == ["192.0.2.1"]


async def test_a_packet_from_another_port_never_reaches_us() -> None:
    """Connected sockets: the kernel drops what the server itself did not send."""

    def script(question: dns.message.Message) -> list[Reply]:
        return [0.1, *says(["192.0.2.1"])(question)]

    async with NameServer(script) as server, resolving(server.at) as resolver:
        search = asyncio.ensure_future(find(resolver, family=Family.IPV4))
        await asyncio.sleep(0.05)
        question = server.questions[0][1]
        false = answer(question, f"{NAME}. 60 IN A 203.0.113.66").to_wire()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as liar:
            for line in Path("/proc/net/udp").read_text().splitlines()[1:]:
                port, remote = (int(end.split(":")[1], 16) for end in line.split()[1:3])
                if remote == server.port:
                    liar.sendto(false, ("127.0.0.1", port))
        assert await search == ["192.0.2.1"]


async def test_what_does_not_fit_a_datagram_is_asked_for_over_tcp() -> None:
    def script(question: dns.message.Message) -> list[Reply]:
        transport = server.questions[-1][0]
        return [cut(answer(question))] if transport == "udp" else says(["192.0.2.1"])(question)

    async with NameServer(script) as server, resolving(server.at) as resolver:
        assert await find(resolver, family=Family.IPV4) == ["192.0.2.1"]


async def test_aliases_are_followed_and_circles_are_not() -> None:
    def script(question: dns.message.Message) -> list[Reply]:
        name = asked(question)
        if name == NAME:
            return [answer(question, f"{NAME}. 60 IN CNAME b.example.", "b.example. 60 IN A 192.0.2.5")]
        return [answer(question, f"{name}. 60 IN CNAME b.example.", f"b.example. 60 IN CNAME {name}.")]

    async with NameServer(script) as server, resolving(server.at) as resolver:
        assert await find(resolver, family=Family.IPV4) == ["192.0.2.5"]
        assert await trouble(resolver, "circle.example", Family.IPV4) is Reason.DNS


# The cache.


async def test_the_same_name_wanted_by_many_at_once_is_asked_for_once() -> None:
    async with NameServer(lambda question: [0.05, *says(["192.0.2.1"])(question)]) as server:
        async with resolving(server.at) as resolver:
            assert await asyncio.gather(*(find(resolver) for _ in range(50))) == [["192.0.2.1"]] * 50
        assert len(server.questions) == 2


async def test_an_answer_counts_for_its_ttl_and_no_longer() -> None:
    async with NameServer(says(["192.0.2.1"], ttl=1)) as server, resolving(server.at) as resolver:
        await find(resolver, family=Family.IPV4)
        await find(resolver, NAME.upper() + ".", Family.IPV4)
        assert len(server.questions) == 1
        await asyncio.sleep(1.05)
        server.script = says(["192.0.2.9"], ttl=1)
        assert await find(resolver, family=Family.IPV4) == ["192.0.2.9"]


async def test_a_fault_of_the_resolver_is_never_kept() -> None:
    async with NameServer(says(rcode="REFUSED")) as server, resolving(server.at) as resolver:
        assert await trouble(resolver) is Reason.OWN_DNS
        server.script = says(["192.0.2.1"])
        assert await find(resolver) == ["192.0.2.1"]


async def test_the_cache_has_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("probes.resolver.ENTRIES", 5)
    assert ENTRIES > 5
    async with NameServer(says(["192.0.2.1"])) as server, resolving(server.at) as resolver:
        for number in range(20):
            await find(resolver, f"n{number}.example", Family.IPV4)
        assert len(resolver._cache) == 5


async def test_one_who_is_cancelled_does_not_take_the_answer_from_the_others() -> None:
    async with (
        NameServer(lambda question: [0.1, *says(["192.0.2.1"])(question)]) as server,
        resolving(server.at) as resolver,
    ):
        first = asyncio.ensure_future(find(resolver))
        second = asyncio.ensure_future(find(resolver))
        await asyncio.sleep(0.03)
        first.cancel()
        assert await second == ["192.0.2.1"]


# The host's own files.


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    (tmp_path / "hosts").write_text("10.0.0.1 hub.lan\n2001:db8::1 six.lan\n")
    (tmp_path / "resolv.conf").write_text("nameserver 127.0.0.1\n")
    return {"resolv_conf": tmp_path / "resolv.conf", "hosts": tmp_path / "hosts"}


async def test_the_hosts_file_is_honoured_before_anybody_is_asked(files: dict[str, Path]) -> None:
    async with NameServer(says(["192.0.2.1"])) as server, resolving(server.at, hosts=files["hosts"]) as resolver:
        assert await find(resolver, "HUB.lan.") == ["10.0.0.1"]
        assert await find(resolver, "localhost", Family.IPV4) == ["127.0.0.1"]
        assert await find(resolver, "a.localhost", Family.IPV6) == ["::1"]
        assert server.questions == []
        assert await find(resolver, "six.lan", Family.IPV4) == ["192.0.2.1"]


BROKEN = [
    ("is missing", None),
    ("is empty", ""),
    ("is a picture", "\x89PNG\r\n\x1a\n\x00\x00"),
    ("names a name", "nameserver dns.vnpt.vn\n"),
]


@pytest.mark.parametrize(("sentence", "text"), BROKEN, ids=[case[0] for case in BROKEN])
async def test_our_own_resolv_conf_is_broken(sentence: str, text: str | None, files: dict[str, Path]) -> None:
    files["resolv_conf"].unlink() if text is None else files["resolv_conf"].write_text(text)
    async with resolving(**files) as resolver:
        assert await trouble(resolver) is Reason.OWN_DNS
        assert await find(resolver, "192.0.2.7") == ["192.0.2.7"]
        assert await find(resolver, "[2001:db8::7]") == ["2001:db8::7"]
        assert await find(resolver, "hub.lan") == ["10.0.0.1"]


async def test_a_repaired_resolv_conf_is_noticed(files: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("probes.resolver.REREAD", 0.01)
    async with resolving(**files) as resolver:
        assert await find(resolver, "hub.lan") == ["10.0.0.1"]
        files["hosts"].write_text("10.0.0.2 hub.lan\n")
        for _ in range(50):
            await asyncio.sleep(0.02)
            if await find(resolver, "hub.lan") == ["10.0.0.2"]:
                return
    pytest.fail("the new file was never read")


async def test_what_cannot_be_a_name_is_said_at_once() -> None:
    async with resolving("127.0.0.1:9") as resolver:
        assert await trouble(resolver, "a..b") is Reason.DNS


NO_SOCKETS = [(errno.EMFILE, Reason.OWN_FDS), (errno.ENOMEM, Reason.OWN_MEMORY), (errno.ENETUNREACH, Reason.OWN_DNS)]


@pytest.mark.parametrize(("number", "reason"), NO_SOCKETS)
async def test_no_socket_for_a_question_is_ours(number: int, reason: Reason, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(dns_wire, "Datagrams", refuse)
    async with resolving("127.0.0.1:9") as resolver:
        assert await trouble(resolver) is reason


async def test_closing_stops_whatever_is_under_way() -> None:
    async with NameServer(lambda question: []) as server:
        resolver = Resolver([server.at], entropy=os.urandom)
        waiting = asyncio.ensure_future(trouble(resolver, within=5.0))
        await asyncio.sleep(0.05)
        await resolver.aclose()
        await resolver.aclose()
        assert await waiting is Reason.OWN_DNS


async def test_a_check_by_name_is_blind_when_our_resolver_is_silent_and_one_by_address_is_not() -> None:
    spec = TypeAdapter(probes.KINDS["icmp"].spec)
    async with Workbench(lambda: datetime.now(UTC), nameservers=["127.0.0.1:9"]) as workbench:
        outcome = await probes.run("icmp", spec.validate_python({"host": NAME}), workbench, timeout=0.5)
        assert (outcome.seen, outcome.reason) == (Seen.BLIND, Reason.OWN_DNS)
        outcome = await probes.run("icmp", spec.validate_python({"host": "127.0.0.1"}), workbench, timeout=0.5)
        assert outcome.reason is not Reason.OWN_DNS


# A real one.


@pytest.fixture(scope="module")
def bind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    with province_dns(tmp_path_factory.mktemp("bind")) as both:
        yield both


async def test_bind_as_our_resolver(bind: tuple[str, str]) -> None:
    async with resolving(bind[1]) as resolver:
        six, *four = await find(resolver, f"www.{ZONE}", within=5)
        assert (six, sorted(four)) == ("2001:db8::10", ["192.0.2.10", "192.0.2.11"])
        assert await find(resolver, f"v6only.{ZONE}", within=5) == ["2001:db8::66"]
        assert await trouble(resolver, f"v6only.{ZONE}", Family.IPV4, within=5) is Reason.DNS_NODATA
        assert await trouble(resolver, f"no.{ZONE}", within=5) is Reason.DNS_NXDOMAIN
        assert await trouble(resolver, f"blocked.{ZONE}", within=5) is Reason.DNS_FILTERED
        # The hints lead nowhere: this resolver is cut off from the world, which is no target's fault.
        assert await trouble(resolver, "lost.example", within=5) is Reason.OWN_DNS
