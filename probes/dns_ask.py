"""One question of a check, asked and judged.

Owns: the way to the name server by the check's transport, the facts of its answer, and what was expected of it.
Never: decides which packet is an answer (`dns_wire` does).
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from probes.channel import Channel
from probes.contract import Address, Family, Finding, ProbeError, Reason, failed, ok
from probes.dial import dial
from probes.dns import COUNT, DnsSpec
from probes.dns_wire import Datagrams, Question, Tally, ask_stream, cut_short, open_stream, read
from probes.names import host_port, wire_name
from probes.patterns import compiled
from probes.text import one_line
from probes.tls import handshake
from probes.tools import Tools

PORTS: Final = {"udp": 53, "tcp": 53, "tls": 853}

_COMPARE: Final[Mapping[str, Callable[[int, int], bool]]] = MappingProxyType(
    {
        ">=": lambda a, b: a >= b,
        "<=": lambda a, b: a <= b,
        "==": lambda a, b: a == b,
        "!=": lambda a, b: a != b,
        ">": lambda a, b: a > b,
        "<": lambda a, b: a < b,
    }
)


async def ask(spec: DnsSpec, tools: Tools) -> Finding:
    """The whole probe: see `probes.dns.probe`."""
    question = Question.make(
        wire_name(spec.name) if spec.name != "." else dns.name.root,
        dns.rdatatype.from_text(spec.type),
        token=tools.token(2),
        rdclass=dns.rdataclass.from_text(spec.record_class),
        recursion=spec.recursion,
        dnssec=spec.expect.dnssec is not None,
    )
    tally = Tally()
    try:
        message = read(await _ask(spec, question, tools, tally))
    finally:
        tools.notes({"retransmissions": tally.retransmissions, "ignored": tally.ignored})
    tools.notes(figures(message, tally))
    tools.note(seconds=tools.phases.get("request", 0.0))
    return judge(spec, message)


async def _ask(spec: DnsSpec, question: Question, tools: Tools, tally: Tally) -> bytes:
    """The answer's packet, over the transport of the check; UDP goes on over TCP when the answer did not fit."""
    host, port = host_port(spec.server, PORTS[spec.transport])
    if spec.transport == "udp":
        address, wire = await _ask_datagram(host, port, spec.family, question, tools, tally)
        if not cut_short(wire):
            return wire
        tools.note(cut_short=1)
        with tools.phase("connect"):
            channel = await open_stream(address, port)
        return await _ask_channel(channel, question, tools, tally)
    channel = await dial(tools, host, port, spec.family)
    try:
        if spec.transport == "tls":
            await handshake(channel, tools, spec.tls, spec.tls.server_name or host)
    except BaseException:
        channel.abort()
        raise
    return await _ask_channel(channel, question, tools, tally)


async def _ask_channel(channel: Channel, question: Question, tools: Tools, tally: Tally) -> bytes:
    try:
        with tools.phase("request"):
            wire = await ask_stream(question, channel, tally)
    finally:
        channel.abort()
    if cut_short(wire):
        raise ProbeError(Reason.TRUNCATED, "the server cuts its answer short even over TCP")
    return wire


async def _ask_datagram(
    host: str, port: int, family: Family, question: Question, tools: Tools, tally: Tally
) -> tuple[Address, bytes]:
    """Ask the first of the server's addresses that this host has a way to."""
    addresses = await tools.resolve(host, family)
    with tools.phase("connect"):
        for number, address in enumerate(addresses):
            try:
                datagrams = Datagrams(address, port)
            except OSError:
                if number == len(addresses) - 1:
                    raise
                continue
            break
    try:
        with tools.phase("request"):
            return address, await datagrams.ask(question, tally)
    finally:
        datagrams.close()


def judge(spec: DnsSpec, message: dns.message.QueryMessage) -> Finding:
    """Hold an answer against what was expected of it; the first rule that does not hold is the reason."""
    expect = spec.expect
    code = dns.rcode.to_text(message.rcode())
    if code not in expect.rcode:
        reason = {"NXDOMAIN": Reason.DNS_NXDOMAIN, "SERVFAIL": Reason.DNS_SERVFAIL}.get(code, Reason.RCODE)
        return failed(reason, f"{spec.name}: {code} instead of {' or '.join(expect.rcode)}")
    answers = _lines(message.answer)
    if expect.count is not None:
        match = COUNT.fullmatch(expect.count.strip())
        assert match is not None
        if not _COMPARE[match[1] or "=="](len(answers), int(match[2])):
            return failed(Reason.ANSWER, f"{spec.name}: {len(answers)} records, expected {expect.count}")
    elif code == "NOERROR" and not (expect.authority or expect.additional) and not _has_data(spec, message):
        return failed(Reason.DNS_NODATA, f"{spec.name} has no {spec.type} record")
    for pattern in expect.answer_not:
        for line in answers:
            if compiled(pattern).search(line):
                return failed(Reason.ANSWER, f"forbidden by {pattern!r}: {line}")
    for section, patterns, lines in (
        ("answer", expect.answer, answers),
        ("authority", expect.authority, _lines(message.authority)),
        ("additional", expect.additional, _lines(message.additional)),
    ):
        for pattern in patterns:
            if not any(compiled(pattern).search(line) for line in lines):
                return failed(Reason.ANSWER, f"nothing in {section} matches {pattern!r}{_seen(lines)}")
    authenticated = bool(message.flags & dns.flags.AD)
    if expect.dnssec is not None and authenticated is not expect.dnssec:
        return failed(Reason.DNSSEC, "authenticated" if authenticated else "the server has not verified the answer")
    return ok(one_line("; ".join(answers[:3])))


def _seen(lines: list[str]) -> str:
    return f" (first: {lines[0][:80]})" if lines else " (it is empty)"


def _has_data(spec: DnsSpec, message: dns.message.QueryMessage) -> bool:
    """Whether the answer holds the type asked for, aliases followed; ProbeError `protocol` when they run in a circle."""
    if spec.type == "ANY":
        return bool(message.answer)
    try:
        return message.resolve_chaining().answer is not None
    except dns.exception.DNSException as error:
        raise ProbeError(Reason.PROTOCOL, f"aliases that lead nowhere ({type(error).__name__})") from error


def _lines(section: list[dns.rrset.RRset]) -> list[str]:
    """Each record in one line, in presentation form: whatever bytes it holds, this is printable."""
    found = []
    for rrset in section:
        kind, group = dns.rdatatype.to_text(rrset.rdtype), dns.rdataclass.to_text(rrset.rdclass)
        found += [f"{rrset.name} {rrset.ttl} {group} {kind} {record}" for record in rrset]
    return found


def figures(message: dns.message.Message, tally: Tally) -> dict[str, float]:
    """The answer in numbers."""
    facts: dict[str, float] = {
        "rcode": int(message.rcode()),
        "answers": sum(len(rrset) for rrset in message.answer),
        "authority": sum(len(rrset) for rrset in message.authority),
        "additional": sum(len(rrset) for rrset in message.additional),
        "size": tally.size,
        "authenticated": int(bool(message.flags & dns.flags.AD)),
        "authoritative": int(bool(message.flags & dns.flags.AA)),
    }
    if message.answer:
        facts["ttl"] = min(rrset.ttl for rrset in message.answer)
    for rrset in message.answer:
        if rrset.rdtype == dns.rdatatype.SOA:
            facts["serial"] = rrset[0].serial
    return facts
