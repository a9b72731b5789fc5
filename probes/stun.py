"""STUN and TURN: does the server tell us our own address, and does it relay for whoever knows the password?

A video endpoint behind a firewall that cannot get a binding, or no relay, will ring and stay black, while TCP to the same host looks healthy.
"""

import asyncio
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated, Final, Literal

from pydantic import ConfigDict, Field

from probes.channel import Channel
from probes.contract import Fact, Family, Finding, Kind, ProbeError, Reason, ok
from probes.datagram import MOST_IGNORED, Datagram, Mark, Tally, open_datagram
from probes.dial import Host, dial
from probes.secret import Secret
from probes.stun_turn import Client, Line, refused
from probes.stun_wire import BINDING, HEAD, Attr, Class, Message, Request, answers, begins, pack, read
from probes.text import excerpt
from probes.tls import TLS_FACTS, handshake
from probes.tools import Tools, literal_address
from probes.trust import SYSTEM, TrustPolicy
from probes.typed import at_host
from probes.units import Port

RTO: Final = 0.5
"""Seconds until a request over UDP is sent again, doubling (RFC 8489 §6.2.1); the run's deadline, not the seventh try, ends it."""

MOST_BYTES: Final = 1 << 20
"""Bytes of other messages that are read over a stream in search of the answer."""

PORTS: Final = {"udp": 3478, "tcp": 3478, "tls": 5349}

_CONFIG: Final = ConfigDict(extra="forbid", arbitrary_types_allowed=True)
_Word = Annotated[str, Field(min_length=1, max_length=508)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """Long-term credentials of a TURN server."""

    __pydantic_config__ = _CONFIG

    user: _Word | Secret
    password: Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class StunSpec:
    """A Binding at `host:port` (3478, over TLS 5349); with `turn` an allocation as well, given back at once."""

    __pydantic_config__ = _CONFIG

    host: Host
    port: Port | None = None
    transport: Literal["udp", "tcp", "tls"] = "udp"
    family: Family = Family.ANY
    tls: TrustPolicy = SYSTEM
    turn: Turn | None = None


async def probe(spec: StunSpec, tools: Tools) -> Finding:
    """Facts: see FACTS. Reasons: `stun_error` with the server's code, `auth`, `protocol`, `truncated`, `tls_…`, and those of the way."""
    port = spec.port or PORTS[spec.transport]
    tally = Tally()
    if spec.turn is not None:
        user = spec.turn.user
        tools.conceal((spec.turn.password.reveal(), *((user.reveal(),) if isinstance(user, Secret) else ())))
    try:
        if spec.transport == "udp":
            async with open_datagram(tools, spec.host, port, spec.family) as datagrams:
                return await _measure(spec, Datagrams(datagrams, tally), tools)
        channel = await dial(tools, spec.host, port, spec.family)
        try:
            if spec.transport == "tls":
                await handshake(channel, tools, spec.tls, spec.tls.server_name or spec.host)
            return await _measure(spec, Stream(channel, tally), tools)
        finally:
            channel.abort()
    finally:
        tools.note(retransmissions=tally.retransmissions, ignored=tally.ignored)
        if tally.rtt is not None:
            tools.note(rtt=tally.rtt)


async def _measure(spec: StunSpec, line: "Datagrams | Stream", tools: Tools) -> Finding:
    with tools.phase("binding"):
        host, port = await _bind(line, tools)
    own_host, own_port = line.local
    same = literal_address(host) == literal_address(own_host) and port == own_port
    tools.note(
        seconds=tools.phases["binding"],
        mapped_port=port,
        translated=float(not same),
        ip_version=6 if ":" in own_host else 4,
    )
    words = f"we are {host} port {port}"
    if spec.turn is None:
        return ok(words)
    user = spec.turn.user.reveal() if isinstance(spec.turn.user, Secret) else spec.turn.user
    given = await Client(line, tools, user, spec.turn.password.reveal()).allocate()
    tools.note(authenticated=float(given.authenticated), released=float(given.released))
    words += f", relayed at {given.relayed[0]} port {given.relayed[1]} for {given.lifetime} s"
    if not given.authenticated:
        words += "; no password was asked for"
    if not given.released:
        words += "; it did not confirm the release"
    return ok(words)


async def _bind(line: Line, tools: Tools) -> tuple[str, int]:
    """Our address as the server sees it."""
    transaction = tools.token(12)
    answer = await line.ask(Request(BINDING, transaction, pack(BINDING, Class.REQUEST, transaction, ())))
    if answer.klass is Class.ERROR:
        raise refused(answer)
    # Servers of RFC 3489 know no other attribute; some firewalls rewrite what stands in that one.
    mapped = answer.address(Attr.XOR_MAPPED_ADDRESS) or answer.address(Attr.MAPPED_ADDRESS)
    if mapped is None:
        raise ProbeError(Reason.PROTOCOL, "a binding without an address")
    return mapped


def known(message: Message) -> Message:
    """The same, when all that must be understood is (RFC 8489 §6.3.3, §6.3.4)."""
    if message.klass is Class.SUCCESS and message.unknown:
        numbers = ", ".join(f"0x{one:04x}" for one in message.unknown[:4])
        raise ProbeError(Reason.PROTOCOL, f"an answer with attributes that one must understand: {numbers}")
    return message


class Datagrams:
    """STUN over UDP."""

    def __init__(self, line: Datagram, tally: Tally) -> None:
        self._line, self._tally = line, tally

    @property
    def local(self) -> tuple[str, int]:
        """Our own address and port."""
        return self._line.local

    async def ask(self, request: Request) -> Message:
        """The answer, asked for again until it comes."""
        message = await self._line.ask(
            lambda _host, _port: request.wire, lambda data: answer_in(request, data), self._tally, first=RTO
        )
        return known(message)

    def say(self, request: Request) -> None:
        """Once, without waiting."""
        self._line.send(request.wire)


def answer_in(request: Request, data: bytes) -> Message | Mark:
    """What a datagram is to a request; ProbeError when it is the answer and cannot be read."""
    if not answers(request, data):
        return Mark.FOREIGN
    message = read(data)
    return message if message.fingerprinted() else Mark.FOREIGN  # §7.3: what has a wrong fingerprint is not STUN.


class Stream:
    """STUN over TCP and TLS: each message says its own length (RFC 8489 §6.2.2)."""

    def __init__(self, channel: Channel, tally: Tally) -> None:
        self._channel, self._tally = channel, tally
        self.local = channel.local

    async def ask(self, request: Request) -> Message:
        """The answer; what is not is passed over, within bounds."""
        loop = asyncio.get_running_loop()
        sent = loop.time()
        self._channel.send(request.wire)
        taken = 0
        while taken <= MOST_BYTES and self._tally.ignored < MOST_IGNORED:
            wire = await self._message()
            taken += len(wire)
            if answers(request, wire):
                message = read(wire)
                if not message.fingerprinted():
                    raise ProbeError(Reason.PROTOCOL, "an answer with a wrong fingerprint")
                if self._tally.rtt is None:
                    self._tally.rtt = loop.time() - sent
                return known(message)
            self._tally.ignored += 1
            if self._tally.ignored % 32 == 0:
                await asyncio.sleep(0)  # Messages that are already here must not keep the loop to themselves.
        raise ProbeError(Reason.PROTOCOL, f"{self._tally.ignored} messages came, and none was the answer")

    def say(self, request: Request) -> None:
        """Once, without waiting."""
        self._channel.send(request.wire)

    async def _message(self) -> bytes:
        head = await self._channel.exactly(HEAD)
        if not head:
            raise ProbeError(Reason.EMPTY_REPLY, "the server closed the connection without an answer")
        size = begins(head) if len(head) == HEAD else None
        if size is None:
            raise ProbeError(Reason.PROTOCOL, f"this is not STUN: {excerpt(head)}")
        rest = await self._channel.exactly(size - HEAD)
        if len(rest) < size - HEAD:
            raise ProbeError(Reason.TRUNCATED, "the connection ended in the middle of an answer")
        return head + rest


FACTS: Final = {
    "seconds": Fact(unit="seconds", meaning="from the first request to the binding, connecting not included"),
    "rtt": Fact(unit="seconds", meaning="round trip of the binding; absent when the request was sent again"),
    "mapped_port": Fact(unit="number", meaning="our port as the server sees it"),
    "translated": Fact(
        unit="number", meaning="1 when the server sees another address or port than ours (NAT), 0 when the same"
    ),
    "ip_version": Fact(unit="number", meaning="4 or 6: the family that was spoken"),
    "retransmissions": Fact(unit="number", meaning="times a request was sent again (UDP)"),
    "ignored": Fact(unit="number", meaning="messages that were no answer to our request"),
    "error_code": Fact(unit="number", meaning="the server's error code, when that was its last word"),
    "allocate_seconds": Fact(
        unit="seconds", meaning="from the first Allocate to the relayed address, with the challenge"
    ),
    "lifetime": Fact(unit="seconds", meaning="for how long the server would have relayed"),
    "relayed_port": Fact(unit="number", meaning="the port at which it would have relayed"),
    "authenticated": Fact(unit="number", meaning="1 when the server asked for the credentials, 0 when for none"),
    "released": Fact(unit="number", meaning="1 when the server confirmed that the allocation is given back"),
    **TLS_FACTS,
}

KIND: Final = Kind(
    name="stun",
    spec=StunSpec,
    probe=probe,
    facts=MappingProxyType(FACTS),
    addresses=("host",),
    summary="STUN binding over UDP, TCP or TLS, and a TURN allocation with credentials, given back at once",
    typed=at_host(),
)
