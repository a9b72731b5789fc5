"""DNS: does this name server answer, and is the answer what it should be?

A portal whose record was lost in a migration is down for everybody while its web server is well; and the resolver of the whole province is
a system of its own, asked here directly and not through this host's own resolver.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated, Any, Final, Literal

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset
from pydantic import AfterValidator, BeforeValidator, ConfigDict, WithJsonSchema

from probes.contract import Address, Fact, Family, Finding, Kind, ProbeError, Reason, failed, ok
from probes.dial import Channel, dial
from probes.dns_wire import Datagrams, Question, Tally, ask_stream, cut_short, open_stream, read
from probes.names import host_port, wire_name
from probes.patterns import Regex, compiled
from probes.text import one_line
from probes.tls import TLS_FACTS, handshake
from probes.tools import Tools
from probes.trust import SYSTEM, TrustPolicy

PORTS: Final = {"udp": 53, "tcp": 53, "tls": 853}

_CONFIG: Final = ConfigDict(extra="forbid", arbitrary_types_allowed=True)

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
_COUNT: Final = re.compile(r"(>=|<=|==|!=|>|<)?\s*(\d{1,5})")

_NOT_QUESTIONS: Final = frozenset({"AXFR", "IXFR", "OPT", "TSIG", "TKEY", "NONE", "MAILA", "MAILB", "NULL"})


def _listed(value: Any) -> Any:
    return (value,) if isinstance(value, (str, int)) else value


def _count(text: str) -> str:
    if _COUNT.fullmatch(text.strip()) is None:
        raise ValueError(f"{text!r} is not a count: write >= 1, == 0 or 2")
    return text


def _rcode(text: str) -> str:
    name = text.upper()
    try:
        dns.rcode.from_text(name)
    except (dns.rcode.UnknownRcode, ValueError) as error:
        raise ValueError(f"{text!r} is not a response code: NOERROR, NXDOMAIN, SERVFAIL, REFUSED …") from error
    return name


def _type(text: str) -> str:
    name = text.upper()
    try:
        dns.rdatatype.from_text(name)
    except (dns.rdatatype.UnknownRdatatype, ValueError) as error:
        raise ValueError(f"{text!r} is not a record type: A, AAAA, CNAME, MX, NS, SOA, TXT …") from error
    if name in _NOT_QUESTIONS:
        raise ValueError(f"{text!r} is not a type one can ask for in one question")
    return name


def _server(text: str) -> str:
    if text:  # Blank while it is not known yet.
        host_port(text, 53)
    return text


def _name(text: str) -> str:
    if text and text != ".":
        try:
            wire_name(text)
        except ProbeError as error:
            raise ValueError(error.detail) from error
    return text


Patterns = Annotated[
    tuple[Regex, ...],
    BeforeValidator(_listed),
    WithJsonSchema({"type": ["string", "array"], "items": {"type": "string"}}),
]
Rcodes = Annotated[
    tuple[Annotated[str, AfterValidator(_rcode)], ...],
    BeforeValidator(_listed),
    WithJsonSchema({"type": ["string", "array"], "items": {"type": "string"}}),
]
Count = Annotated[
    str,
    BeforeValidator(str),
    AfterValidator(_count),
    WithJsonSchema({"type": ["string", "integer"], "examples": [">= 1"]}),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class DnsExpect:
    """What the answer must be; one value or a list of each, and all must hold.

    Expressions see each record as one line, `name ttl class type data`. Each of `answer`, `authority`, `additional` must match a record of
    its section; none of `answer_not` may match any of the answer's. `count` is of the records in the answer; without it (and without a word
    on the other sections) at least one record of the type asked for is expected. `dnssec` is the server's word that it has verified.
    """

    __pydantic_config__ = _CONFIG

    rcode: Rcodes = ("NOERROR",)
    answer: Patterns = ()
    answer_not: Patterns = ()
    authority: Patterns = ()
    additional: Patterns = ()
    count: Count | None = None
    dnssec: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DnsSpec:
    """Ask `server` (a name or an address, with a port if it is not 53, or 853 over `tls`) for `name`."""

    __pydantic_config__ = _CONFIG

    server: Annotated[str, AfterValidator(_server)]
    name: Annotated[str, AfterValidator(_name)]
    type: Annotated[str, AfterValidator(_type)] = "A"
    record_class: Literal["IN", "CH", "HS"] = "IN"
    transport: Literal["udp", "tcp", "tls"] = "udp"
    recursion: bool = True
    family: Family = Family.ANY
    tls: TrustPolicy = SYSTEM
    expect: DnsExpect = DnsExpect()


async def probe(spec: DnsSpec, tools: Tools) -> Finding:
    """Facts: see FACTS. Reasons: rcode (dns_nxdomain, dns_servfail), dns_nodata, answer, dnssec, protocol, truncated, and the way's own."""
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


def judge(spec: DnsSpec, message: dns.message.Message) -> Finding:
    """Hold an answer against what was expected of it; the first rule that does not hold is the reason."""
    expect = spec.expect
    code = dns.rcode.to_text(message.rcode())
    if code not in expect.rcode:
        reason = {"NXDOMAIN": Reason.DNS_NXDOMAIN, "SERVFAIL": Reason.DNS_SERVFAIL}.get(code, Reason.RCODE)
        return failed(reason, f"{spec.name}: {code} instead of {' or '.join(expect.rcode)}")
    answers = _lines(message.answer)
    if expect.count is not None:
        match = _COUNT.fullmatch(expect.count.strip())
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


def _has_data(spec: DnsSpec, message: dns.message.Message) -> bool:
    """Whether the answer holds the type asked for, aliases followed; ProbeError `protocol` when they run in a circle."""
    if spec.type == "ANY":
        return bool(message.answer)
    assert isinstance(message, dns.message.QueryMessage)
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


FACTS: Final = {
    "seconds": Fact(unit="seconds", meaning="from the question to its answer, connecting not included"),
    "answers": Fact(unit="number", meaning="records in the answer"),
    "authority": Fact(unit="number", meaning="records in the authority section"),
    "additional": Fact(unit="number", meaning="records in the additional section"),
    "rcode": Fact(unit="number", meaning="response code: 0 NOERROR, 2 SERVFAIL, 3 NXDOMAIN, 5 REFUSED"),
    "ttl": Fact(unit="seconds", meaning="shortest time to live in the answer"),
    "serial": Fact(unit="number", meaning="serial of the zone, when its SOA was asked for"),
    "size": Fact(unit="bytes", meaning="size of the answer"),
    "authenticated": Fact(unit="number", meaning="1 when the server says that it verified the answer (DNSSEC), else 0"),
    "authoritative": Fact(unit="number", meaning="1 when the server answers for the zone itself, else 0"),
    "retransmissions": Fact(unit="number", meaning="times the question was sent again"),
    "ignored": Fact(unit="number", meaning="packets that were no answer to our question"),
    "cut_short": Fact(
        unit="number", meaning="1 when the answer did not fit a datagram and was asked for again over TCP"
    ),
    **TLS_FACTS,
}

KIND: Final = Kind(
    name="dns",
    spec=DnsSpec,
    probe=probe,
    facts=MappingProxyType(FACTS),
    addresses=("server",),
    summary="one question to one name server: response code, records, DNSSEC",
)
