"""What a name server may say, what it may not, and what is called how."""

import struct
from typing import Any

import dns.flags
import dns.message
import pytest
from pydantic import TypeAdapter, ValidationError

from probes.contract import Outcome, Reason, Seen
from probes.dns import DnsSpec
from tests.probes.dns.nameserver import NameServer, Reply, Script, answer, cut
from tests.probes.look import look

NAME = "portal.ninhbinh.example"
A = f"{NAME}. 3600 IN A 192.0.2.10"
A2 = f"{NAME}. 3600 IN A 192.0.2.11"


async def ask(script: Script, *, timeout: float = 2.0, udp: bool = True, tcp: bool = True, **keys: Any) -> Outcome:
    async with NameServer(script, udp=udp, tcp=tcp) as server:
        return await look("dns", {"server": server.at, "name": NAME, **keys}, timeout=timeout)


def says(*records: str, **how: Any) -> Script:
    return lambda question: [answer(question, *records, **how)]


NS = [f"{NAME}. 60 IN NS ns1.isp.net.", f"{NAME}. 60 IN NS ns2.isp.net."]
GLUE = ["ns1.isp.net. 60 IN A 192.0.2.53", "ns2.isp.net. 60 IN AAAA 2001:db8::53"]
SOA = f"{NAME}. 900 IN SOA ns1.isp.net. noc.isp.net. 2026120501 7200 3600 86400 300"
BAD = {"rcode": "REFUSED"}

RULES = [
    # what was said                                   by the server              what was expected                                    reason
    ("two addresses", says(A, A2), {}, Reason.OK),
    ("the TTL is the one that is required", says(A), {"answer": "3600", "answer_not": "7200"}, Reason.OK),
    ("the TTL is the one that is forbidden", says(A), {"answer_not": "3600"}, Reason.ANSWER),
    ("what is forbidden and required at once is there", says(A), {"answer": "3600", "answer_not": "3600"}, Reason.ANSWER),
    ("what is forbidden and required at once is not there", says(A), {"answer": "7200", "answer_not": "7200"}, Reason.ANSWER),
    ("none matches", says(A, A2), {"answer": r"192\.0\.2\.99"}, Reason.ANSWER),
    ("one of two matches", says(A, A2), {"answer": r"192\.0\.2\.11$"}, Reason.OK),
    ("each of two rules finds its record", says(A, A2), {"answer": [r"\.10$", r"\.11$"]}, Reason.OK),
    ("one of two rules finds none", says(A), {"answer": [r"\.10$", r"\.11$"]}, Reason.ANSWER),
    ("nothing stands in additional", says(A), {"additional": "."}, Reason.ANSWER),
    ("additional matches, though not every record does", says(A, additional=GLUE), {"additional": r"IN A 192"}, Reason.OK),
    ("authority matches", says(authority=NS), {"authority": r"ns.*\.isp\.net"}, Reason.OK),
    ("authority does not match", says(authority=NS), {"authority": "vnpt"}, Reason.ANSWER),
    ("the server refuses", says(rcode="REFUSED"), {}, Reason.RCODE),
    ("the server refuses, as it should", says(rcode="REFUSED"), {"rcode": "REFUSED"}, Reason.OK),
    ("the server cannot", says(rcode="SERVFAIL"), {}, Reason.DNS_SERVFAIL),
    ("the name does not exist", says(rcode="NXDOMAIN"), {}, Reason.DNS_NXDOMAIN),
    ("the name does not exist, as it should not", says(rcode="NXDOMAIN"), {"rcode": ["nxdomain", "REFUSED"]}, Reason.OK),
    ("the name has no such record", says(authority=[SOA]), {}, Reason.DNS_NODATA),
    ("nothing is there, as it should be", says(), {"count": "== 0"}, Reason.OK),
    ("one address where two are expected", says(A), {"count": ">= 2"}, Reason.ANSWER),
    ("exactly two", says(A, A2), {"count": 2}, Reason.OK),
    ("nobody has verified the answer", says(A), {"dnssec": True}, Reason.DNSSEC),
    ("nobody has verified the answer, which is expected", says(A), {"dnssec": False}, Reason.OK),
]  # fmt: skip


@pytest.mark.parametrize("transport", ["udp", "tcp"])
@pytest.mark.parametrize(("sentence", "script", "expect", "reason"), RULES, ids=[case[0] for case in RULES])
async def test_rules(sentence: str, script: Script, expect: dict[str, Any], reason: Reason, transport: str) -> None:
    outcome = await ask(script, expect=expect, transport=transport)
    assert (outcome.reason, outcome.seen) == (reason, Seen.OK if reason is Reason.OK else Seen.FAILED)


async def test_a_recursive_only_server_refuses_a_question_without_recursion() -> None:
    def script(question: dns.message.Message) -> list[Reply]:
        return [answer(question, A) if question.flags & dns.flags.RD else answer(question, **BAD)]

    assert (await ask(script)).reason is Reason.OK
    outcome = await ask(script, recursion=False)
    assert (outcome.reason, outcome.facts["answers"], outcome.facts["rcode"]) == (Reason.RCODE, 0, 5)


async def test_a_record_of_another_class() -> None:
    line = f"{NAME}. 3600 CH TXT 9.18"
    outcome = await ask(says(line), type="TXT", record_class="CH", expect={"answer": " CH ", "answer_not": " IN "})
    assert outcome.seen is Seen.OK


async def test_the_serial_the_ttl_and_the_phases_are_facts() -> None:
    outcome = await ask(says(SOA), type="SOA")
    assert (outcome.facts["serial"], outcome.facts["ttl"], outcome.facts["answers"]) == (2026120501, 900, 1)
    assert 0 < outcome.facts["seconds"] <= outcome.seconds
    assert outcome.phases.keys() == {"connect", "request"}
    async with NameServer(says(A)) as server:
        named = await look("dns", {"server": f"good.example:{server.port}", "name": NAME, "transport": "tcp"})
    assert named.phases.keys() == {"resolve", "connect", "request"}


DECODED = [
    ("A", A, r" A 192\.0\.2\.10$"),
    ("AAAA", f"{NAME}. 60 IN AAAA 2001:db8::1", r" AAAA 2001:db8::1$"),
    ("CNAME", f"{NAME}. 60 IN CNAME cdn.isp.net.", r" CNAME cdn\.isp\.net\.$"),
    ("MX", f"{NAME}. 60 IN MX 10 mx.isp.net.", r" MX 10 mx\.isp\.net\.$"),
    ("NS", NS[0], r" NS ns1\.isp\.net\.$"),
    ("TXT", f'{NAME}. 60 IN TXT "v=spf1 -all"', r' TXT "v=spf1 -all"$'),
]


@pytest.mark.parametrize(("kind", "record", "pattern"), DECODED, ids=[case[0] for case in DECODED])
async def test_records_are_read(kind: str, record: str, pattern: str) -> None:
    assert (await ask(says(record), type=kind, expect={"answer": pattern})).seen is Seen.OK


def other_id(wire: bytes) -> bytes:
    return bytes([wire[0] ^ 0xFF]) + wire[1:]


def other_question(question: dns.message.Message) -> bytes:
    other = dns.message.make_query("evil.example", "A", id=question.id)
    return answer(other, "evil.example. 60 IN A 203.0.113.66").to_wire()


def forged(make: Any) -> Script:
    """A false packet first, the true one after it."""
    return lambda question: [make(question), 0.05, answer(question, A)]


FORGED = [
    ("bears another id", lambda q: other_id(answer(q, A2).to_wire())),
    ("answers another question", other_question),
    ("answers another type", lambda q: answer(dns.message.make_query(NAME, "AAAA", id=q.id)).to_wire()),
    ("is a question itself", lambda q: q.to_wire()),
    ("is three bytes long", lambda q: q.to_wire()[:3]),
    ("is one byte long", lambda q: b"\0"),
    ("has the right id and noise behind it", lambda q: q.to_wire()[:2] + b"\x84\x00\x00\x01" + bytes(40)),
]


@pytest.mark.parametrize("transport", ["udp", "tcp"])
@pytest.mark.parametrize(("sentence", "make"), FORGED, ids=[case[0] for case in FORGED])
async def test_a_packet_that_is_no_answer_is_passed_over(sentence: str, make: Any, transport: str) -> None:
    outcome = await ask(forged(make), transport=transport, expect={"answer": r"\.10$", "answer_not": r"\.66$|\.11$"})
    assert (outcome.seen, outcome.facts["ignored"]) == (Seen.OK, 1)


async def test_a_question_echoed_in_other_letters_is_the_same_question() -> None:
    def script(question: dns.message.Message) -> list[Reply]:
        wire = bytearray(answer(question, A).to_wire())
        wire[13] ^= 0x20
        return [bytes(wire)]

    assert (await ask(script)).seen is Seen.OK


def loop_of_aliases(question: dns.message.Message) -> list[Reply]:
    return [answer(question, f"{NAME}. 60 IN CNAME b.example.", f"b.example. 60 IN CNAME {NAME}.")]


def loop_of_pointers(question: dns.message.Message) -> list[Reply]:
    """A hundred compression pointers, each to the next, the last to the first."""
    head = bytearray(question.to_wire())
    head[2:4] = b"\x84\x00"
    head[6:8] = b"\x00\x01"
    start = len(head)
    jumps = b"".join(struct.pack("!H", 0xC000 | (start + 2 * ((number + 1) % 100))) for number in range(100))
    return [bytes(head) + jumps + bytes(10)]


def pointer_forward(question: dns.message.Message) -> list[Reply]:
    head = bytearray(question.to_wire())
    head[2:4], head[6:8] = b"\x84\x00", b"\x00\x01"
    return [bytes(head) + b"\xff\xff" + bytes(10)]


def fewer_than_declared(question: dns.message.Message) -> list[Reply]:
    return [answer(question, A, A2).to_wire()[:-9]]


def data_longer_than_the_packet(question: dns.message.Message) -> list[Reply]:
    wire = bytearray(answer(question, A).to_wire())
    wire[-6:-4] = b"\xff\xff"
    return [bytes(wire)]


BROKEN = [
    ("aliases that go in a circle", loop_of_aliases),
    ("a hundred compression pointers in a circle", loop_of_pointers),
    ("a compression pointer past the end", pointer_forward),
    ("an end in the middle of a record", fewer_than_declared),
    ("data that claims to be longer than the packet", data_longer_than_the_packet),
]


@pytest.mark.parametrize("transport", ["udp", "tcp"])
@pytest.mark.parametrize(("sentence", "script"), BROKEN, ids=[case[0] for case in BROKEN])
async def test_an_answer_that_cannot_be_read_is_a_fault_of_the_protocol(
    sentence: str, script: Script, transport: str
) -> None:
    outcome = await ask(script, transport=transport)
    assert (outcome.seen, outcome.reason) == (Seen.FAILED, Reason.PROTOCOL)
    assert outcome.seconds < 0.5


async def test_64_kib_of_text_and_a_nul_in_a_name_do_no_harm() -> None:
    text = " ".join(f'"{"x" * 255}"' for _ in range(250))
    large = await ask(says(f"{NAME}. 60 IN TXT {text}"), type="TXT", transport="tcp")
    assert (large.seen, len(large.detail) <= 200, large.facts["size"] > 60_000) == (Seen.OK, True, True)
    nul = await ask(says(f"{NAME}. 60 IN CNAME a\\000\\027b.example."), type="CNAME")
    assert (nul.seen, nul.detail.isprintable()) == (Seen.OK, True)


async def test_more_bytes_than_the_answer_needs_are_passed_over() -> None:
    assert (await ask(lambda question: [answer(question, A).to_wire() + b"junk" * 9])).seen is Seen.OK


async def test_what_does_not_fit_a_datagram_is_asked_for_over_tcp() -> None:
    def script(question: dns.message.Message) -> list[Reply]:
        return [cut(answer(question)) if len(server.questions) == 1 else answer(question, A, A2)]

    async with NameServer(script) as server:
        outcome = await look("dns", {"server": server.at, "name": NAME})
        assert [transport for transport, _ in server.questions] == ["udp", "tcp"]
    assert (outcome.seen, outcome.facts["answers"], outcome.facts["cut_short"]) == (Seen.OK, 2, 1)


async def test_a_server_that_cuts_short_and_has_no_tcp_has_failed() -> None:
    outcome = await ask(lambda question: [cut(answer(question))], tcp=False)
    assert (outcome.seen, outcome.reason) == (Seen.FAILED, Reason.REFUSED)


async def test_a_server_that_cuts_short_over_tcp_too_has_failed() -> None:
    outcome = await ask(lambda question: [cut(answer(question))])
    assert (outcome.seen, outcome.reason) == (Seen.FAILED, Reason.TRUNCATED)


async def test_udp_is_asked_where_no_transport_is_named_so_a_tcp_only_server_has_failed() -> None:
    outcome = await ask(says(A), udp=False)
    assert (outcome.seen, outcome.reason) == (Seen.FAILED, Reason.REFUSED)
    assert (await ask(says(A), udp=False, transport="tcp")).seen is Seen.OK


async def test_silence_is_a_timeout() -> None:
    outcome = await ask(lambda question: [], timeout=0.4)
    assert (outcome.seen, outcome.reason) == (Seen.FAILED, Reason.TIMEOUT)
    outcome = await ask(lambda question: [], timeout=0.4, transport="tcp")
    assert (outcome.seen, outcome.reason) == (Seen.FAILED, Reason.TIMEOUT)


async def test_one_lost_datagram_is_no_outage() -> None:
    def script(question: dns.message.Message) -> list[Reply]:
        return [answer(question, A)] if len(server.questions) > 1 else []

    async with NameServer(script) as server:
        outcome = await look("dns", {"server": server.at, "name": NAME}, timeout=2.0)
        assert server.questions[0][1].id == server.questions[1][1].id
    assert (outcome.seen, outcome.facts["retransmissions"]) == (Seen.OK, 1)
    assert outcome.facts["seconds"] > 0.9


async def test_every_run_asks_with_an_id_and_from_a_port_of_its_own() -> None:
    async with NameServer(says(A)) as server:
        for _ in range(4):
            await look("dns", {"server": server.at, "name": NAME})
        assert len({question.id for _, question in server.questions}) >= 3


async def test_a_stream_that_ends_early() -> None:
    async with NameServer(lambda question: []) as server:
        server.script = lambda question: (_ for _ in ()).throw(ConnectionResetError())
        outcome = await look("dns", {"server": server.at, "name": NAME, "transport": "tcp"})
    assert (outcome.seen, outcome.reason) in [(Seen.FAILED, Reason.RESET), (Seen.FAILED, Reason.EMPTY_REPLY)]


async def test_a_name_in_vietnamese_is_asked_for_as_the_wire_has_it() -> None:
    async with NameServer(says(rcode="NXDOMAIN")) as server:
        await look("dns", {"server": server.at, "name": "Một-Cửa.ninhbình.vn."})
        assert server.questions[0][1].question[0].name.to_text() == "xn--mt-ca-4b2bxf.xn--ninhbnh-3ya.vn."


REFUSED = [
    ("a response code that there is not", {"expect": {"rcode": "NOTHING"}}, "response code"),
    ("a type that there is not", {"type": "AAAAA"}, "record type"),
    ("a whole zone", {"type": "AXFR"}, "not a type"),
    ("a transport that there is not", {"transport": "doh"}, "transport"),
    ("a bad expression", {"expect": {"answer": "("}}, "regular expression"),
    ("a count that is none", {"expect": {"count": "many"}}, "count"),
    ("a port that is none", {"server": "192.0.2.1:dns"}, "server"),
    ("a port out of range", {"server": "192.0.2.1:70000"}, "server"),
    ("a name with an empty label", {"name": "a..b"}, "name"),
    ("a label of 64 letters", {"name": "a" * 64 + ".vn"}, "name"),
    ("a key that there is not", {"expect": {"answers": "x"}}, "answers"),
]


@pytest.mark.parametrize(("sentence", "keys", "said"), REFUSED, ids=[case[0] for case in REFUSED])
def test_refused(sentence: str, keys: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        TypeAdapter(DnsSpec).validate_python({"server": "192.0.2.1", "name": "a.vn", **keys})
