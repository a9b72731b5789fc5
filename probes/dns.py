"""DNS: does this name server answer, and is the answer what it should be?

A portal whose record was lost in a migration is down for everybody while its web server is well; and the resolver of the whole province is
a system of its own, asked here directly and not through this host's own resolver.
"""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BeforeValidator, ConfigDict, WithJsonSchema

from probes.contract import Fact, Family, Finding, Kind, ProbeError
from probes.names import host_port, wire_name
from probes.patterns import Regex
from probes.tls import TLS_FACTS
from probes.tools import Tools
from probes.trust import SYSTEM, TrustPolicy
from probes.typed import at_server

_CONFIG: Final = ConfigDict(extra="forbid", arbitrary_types_allowed=True)

COUNT: Final = re.compile(r"(>=|<=|==|!=|>|<)?\s*(\d{1,5})")

_NOT_QUESTIONS: Final = frozenset({"AXFR", "IXFR", "OPT", "TSIG", "TKEY", "NONE", "MAILA", "MAILB", "NULL"})


def _listed(value: Any) -> Any:
    return (value,) if isinstance(value, (str, int)) else value


def _count(text: str) -> str:
    if COUNT.fullmatch(text.strip()) is None:
        raise ValueError(f"{text!r} is not a count: write >= 1, == 0 or 2")
    return text


def _rcode(text: str) -> str:
    import dns.rcode

    name = text.upper()
    try:
        dns.rcode.from_text(name)
    except (dns.rcode.UnknownRcode, ValueError) as error:
        raise ValueError(f"{text!r} is not a response code: NOERROR, NXDOMAIN, SERVFAIL, REFUSED …") from error
    return name


def _type(text: str) -> str:
    import dns.rdatatype

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

    def __post_init__(self) -> None:
        _asking()  # Loaded when a configuration is, never within a run.


async def probe(spec: DnsSpec, tools: Tools) -> Finding:
    """Facts: see FACTS. Reasons: rcode (dns_nxdomain, dns_servfail), dns_nodata, answer, dnssec, protocol, truncated, and the way's own."""
    return await _asking()(spec, tools)


def _asking() -> Callable[[DnsSpec, Tools], Awaitable[Finding]]:
    """What reads DNS messages takes a while to load, and memory: nobody pays for it who has no such check."""
    from probes.dns_ask import ask

    return ask


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
    typed=at_server,
)
