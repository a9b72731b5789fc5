"""SIP: does a video endpoint or its registrar answer OPTIONS, and how fast?

A codec whose web page opens and whose SIP stack hangs rings nowhere: the commune finds out when the meeting begins. OPTIONS asks the stack
itself, disturbs nobody and begins no call.
"""

import asyncio
import re
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field

from probes.certificates import ascii_name
from probes.channel import Channel
from probes.contract import Fact, Family, Finding, Kind, ProbeError, Reason, failed, ok
from probes.datagram import MOST_IGNORED, Mark, Tally, open_datagram
from probes.dial import Host, dial
from probes.sip_wire import MOST_HEAD, MOST_HEADERS, Head, Options, Transport, bracketed, read_head
from probes.text import excerpt
from probes.tls import TLS_FACTS, handshake
from probes.tools import Tools, literal_address
from probes.trust import SYSTEM, TrustPolicy
from probes.typed import at_host
from probes.units import Port

T1: Final = 0.5
T2: Final = 4.0
"""Seconds: first repetition of a request over UDP, and the longest pause between two (RFC 3261 §17.1.2.2, table 4)."""

MOST_BYTES: Final = 1 << 20
"""Bytes of other messages that are read over a stream in search of the answer."""

PORTS: Final = {"udp": 5060, "tcp": 5060, "tls": 5061}
UNAVAILABLE: Final = 503

_CONFIG: Final = ConfigDict(extra="forbid", arbitrary_types_allowed=True)
_URI = re.compile(r"sips?:[!-~]{1,255}", re.IGNORECASE)
_RANGE = re.compile(r"([2-6])xx|(\d{3})-(\d{3})|(\d{3})", re.IGNORECASE)


def _uri(text: str | None) -> str | None:
    if text is not None and (_URI.fullmatch(text) is None or not {'"', "<", ">"}.isdisjoint(text)):
        raise ValueError(f"{text!r} is not a SIP URI: write sip:user@host, in ASCII, without a display name")
    return text


def _statuses(item: int | str) -> frozenset[int]:
    """`200`, `"4xx"` or `"200-299"` as the final codes it stands for; ValueError when it is none of them."""
    match = None if isinstance(item, bool) else _RANGE.fullmatch(str(item).strip())
    if match is None:
        raise ValueError(f'{item!r} is not a final SIP status: write 200, "4xx" or "200-299"')
    hundred, low, high, one = match.groups()
    first, last = (int(hundred) * 100, int(hundred) * 100 + 99) if hundred else (int(low or one), int(high or one))
    if first < 200 or last > 699 or first > last:
        raise ValueError(f"{item!r} is not a final SIP status: they run from 200 to 699")
    return frozenset(range(first, last + 1))


@lru_cache(maxsize=256)
def _accepted(items: tuple[int | str, ...]) -> frozenset[int]:
    return frozenset[int]().union(*map(_statuses, items))


def _listed(value: Any) -> Any:
    return value if isinstance(value, list | tuple) else (value,)


def _meant(items: tuple[int | str, ...]) -> tuple[int | str, ...]:
    _accepted(items)
    return items


@dataclass(frozen=True, slots=True, kw_only=True)
class SipExpect:
    """Which final answers are good: codes, `"4xx"`, `"200-299"`; one of them or a list. Nothing else is then."""

    __pydantic_config__ = _CONFIG

    status: Annotated[
        tuple[int | str, ...],
        Field(min_length=1),
        BeforeValidator(_listed, json_schema_input_type=int | str | list[int | str]),
        AfterValidator(_meant),
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class SipSpec:
    """OPTIONS to `host:port` (5060, over TLS 5061) for `uri`, which is `sip:host` unless written."""

    __pydantic_config__ = _CONFIG

    host: Host
    port: Port | None = None
    transport: Transport = "udp"
    uri: Annotated[str | None, AfterValidator(_uri)] = None
    sender: Annotated[str | None, AfterValidator(_uri), Field(alias="from")] = None
    family: Family = Family.ANY
    tls: TrustPolicy = SYSTEM
    expect: SipExpect | None = None

    def __post_init__(self) -> None:
        if self.transport != "tls" and self.uri is not None and self.uri.lower().startswith("sips:"):
            raise ValueError("uri: sips: is asked over TLS; write transport: tls")

    @property
    def asked(self) -> str:
        """Whose abilities are asked for: with a port of its own where that is not the usual one, else a proxy takes it for another host."""
        if self.uri is not None:
            return self.uri
        port = f":{self.port}" if self.port not in (None, PORTS[self.transport]) else ""
        return f"sip:{bracketed(ascii_name(self.host))}{port}"


async def probe(spec: SipSpec, tools: Tools) -> Finding:
    """Facts: see FACTS. Reasons: `sip_status`, `protocol` and its kin, `tls_…`, and those of the way (`refused` also over UDP, by ICMP).

    Any final answer is a living stack, a challenge (401, 407), a refusal (404, 405) or an error of its own (5xx, 6xx) too; 503 alone says
    that it cannot serve. `expect.status` replaces that rule.
    """
    options = Options.make(spec.asked, spec.sender, spec.transport, tools.token(24))
    port = spec.port or PORTS[spec.transport]
    tally = Tally()
    try:
        if spec.transport == "udp":
            head = await _ask_datagrams(spec, port, options, tools, tally)
        else:
            head = await _ask_stream(spec, port, options, tools, tally)
    finally:
        tools.note(retransmissions=tally.retransmissions, ignored=tally.ignored, provisional=tally.provisional)
        if tally.rtt is not None:
            tools.note(rtt=tally.rtt)
    tools.note(status=head.status, seconds=tools.phases["request"])
    return judge(spec, head)


def judge(spec: SipSpec, head: Head) -> Finding:
    """Hold a final answer against what was expected."""
    words = f"{head.status} {head.phrase}".strip()
    good = head.status in _accepted(spec.expect.status) if spec.expect else head.status != UNAVAILABLE
    if not good:
        later = f", to be asked again in {head.retry_after} s" if head.retry_after is not None else ""
        return failed(Reason.SIP_STATUS, words + later)
    return ok(f"{words}, {head.software}" if head.software else words)


async def _ask_datagrams(spec: SipSpec, port: int, options: Options, tools: Tools, tally: Tally) -> Head:
    async with open_datagram(tools, spec.host, port, spec.family) as line:
        with tools.phase("request"):
            head = await line.ask(options.pack, lambda data: read(options, data), tally, first=T1, longest=T2)
        _note_way(head, line.local, tools)
        return head


def read(options: Options, data: bytes) -> Head | Mark:
    """What a datagram is to a request; ProbeError when it is the answer and cannot be read to its end."""
    if options.branch.encode() not in data:
        return Mark.FOREIGN  # Most of what is foreign is told without reading it.
    data = data.lstrip(b"\r\n")
    head, end, body = data.partition(b"\r\n\r\n")
    lines = head.split(b"\r\n", MOST_HEADERS + 1)
    found = read_head(lines)
    if found is None or not options.answered_by(found):
        return Mark.FOREIGN
    if len(lines) > MOST_HEADERS + 1:
        raise ProbeError(Reason.HEADERS_TOO_LARGE, f"more than {MOST_HEADERS} header lines")
    if not end or len(body) < (found.length or 0):
        raise ProbeError(Reason.TRUNCATED, "the datagram ends in the middle of the answer")
    return _final(found)


def _final(head: Head) -> Head | Mark:
    if not 100 <= head.status <= 699:
        raise ProbeError(Reason.PROTOCOL, f"there is no SIP status {head.status}")
    return Mark.PROVISIONAL if head.status < 200 else head


async def _ask_stream(spec: SipSpec, port: int, options: Options, tools: Tools, tally: Tally) -> Head:
    channel = await dial(tools, spec.host, port, spec.family)
    try:
        if spec.transport == "tls":
            await handshake(channel, tools, spec.tls, spec.tls.server_name or spec.host)
        here = channel.local
        with tools.phase("request"):
            start = asyncio.get_running_loop().time()
            channel.send(options.pack(*here))
            head = await _answer(channel, options, tally, start)
        _note_way(head, here, tools)
        return head
    finally:
        channel.abort()


async def _answer(channel: Channel, options: Options, tally: Tally, start: float) -> Head:
    """The final answer out of a stream of messages: those of others are passed over, each by its Content-Length (RFC 3261 §18.3)."""
    read_bytes = 0
    while read_bytes <= MOST_BYTES and tally.ignored + tally.provisional < MOST_IGNORED:
        lines, size = await _head(channel)
        head = read_head(lines)
        if head is None:
            raise ProbeError(Reason.PROTOCOL, f"this is not SIP: {excerpt(lines[0])}")
        length = head.length or 0
        if len(await channel.exactly(length)) < length:
            raise ProbeError(Reason.TRUNCATED, "the connection ended in the middle of an answer")
        read_bytes += size + length
        if not options.answered_by(head):
            tally.ignored += 1
        else:
            if tally.rtt is None:
                tally.rtt = asyncio.get_running_loop().time() - start
            final = _final(head)
            if not isinstance(final, Mark):
                return final
            tally.provisional += 1
        if (tally.ignored + tally.provisional) % 32 == 0:
            await asyncio.sleep(0)  # Messages that are already here must not keep the loop to themselves.
    raise ProbeError(Reason.PROTOCOL, f"{tally.ignored + tally.provisional} messages came, and none was the answer")


async def _head(channel: Channel) -> tuple[list[bytes], int]:
    """The lines of the next head and their size; empty lines before it are somebody's keep-alive (RFC 5626 §3.5.1)."""
    lines: list[bytes] = []
    size = count = 0
    while True:
        line = await channel.line()
        if line is None:
            if lines:
                raise ProbeError(Reason.TRUNCATED, "the connection ended in the middle of an answer")
            raise ProbeError(Reason.EMPTY_REPLY, "the server closed the connection without an answer")
        size += len(line) + 2
        count += 1
        if size > MOST_HEAD or count > MOST_HEADERS + 2:
            raise ProbeError(
                Reason.HEADERS_TOO_LARGE, f"more than {MOST_HEADERS} header lines, or {MOST_HEAD // 1024} KiB"
            )
        if line:
            if not lines and read_head([line]) is None:
                raise ProbeError(Reason.PROTOCOL, f"this is not SIP: {excerpt(line)}")
            lines.append(line)
        elif lines:
            return lines, size


def _note_way(head: Head, here: tuple[str, int], tools: Tools) -> None:
    """The family that was spoken, and whether the other side sees another address than ours: translation on the way."""
    host, port = here
    tools.note(ip_version=6 if ":" in host else 4)
    seen_host, seen_port = head.seen_as()
    if seen_host or seen_port is not None:
        other = bool(seen_host) and literal_address(seen_host) != literal_address(host)
        tools.note(translated=float(other or seen_port not in (None, port)))


FACTS: Final = {
    "status": Fact(unit="number", meaning="final status, 200 to 699"),
    "seconds": Fact(unit="seconds", meaning="from the first request to the final answer, connecting not included"),
    "rtt": Fact(
        unit="seconds", meaning="to the first word, provisional ones too; absent when the request was sent again"
    ),
    "retransmissions": Fact(unit="number", meaning="times the request was sent again (UDP)"),
    "ignored": Fact(unit="number", meaning="messages that were no answer to our request"),
    "provisional": Fact(unit="number", meaning="provisional answers (1xx) before the final one"),
    "translated": Fact(
        unit="number", meaning="1 when the server sees another address or port than ours (NAT), 0 when the same"
    ),
    "ip_version": Fact(unit="number", meaning="4 or 6: the family that was spoken"),
    **TLS_FACTS,
}

KIND: Final = Kind(
    name="sip",
    spec=SipSpec,
    probe=probe,
    facts=MappingProxyType(FACTS),
    addresses=("host",),
    summary="SIP OPTIONS over UDP, TCP or TLS: any final answer is alive, 503 is not; never a call",
    typed=at_host(),
)
