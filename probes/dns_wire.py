"""Questions to name servers and their answers, over datagrams and over streams.

Owns: which packet is an answer to which question, asking again, and the reading of an answer that may be hostile.
Never: decides what an answer means, resolves the server's own name, or keeps time beyond what it is told.
"""

import asyncio
import errno
import os
import socket
import struct
from dataclasses import dataclass
from typing import Final

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype

from probes.channel import Channel
from probes.contract import Address, ProbeError, Reason
from probes.dial import far_away

FIRST_WAIT: Final = 1.0
"""Seconds until a datagram is sent again, doubling each time: one lost packet is no outage."""

WITHOUT_QUESTION: Final = frozenset({dns.rcode.FORMERR, dns.rcode.SERVFAIL, dns.rcode.NOTIMP, dns.rcode.REFUSED})
"""Refusals that some servers send without repeating the question."""

_HEADER: Final = struct.Struct("!HHHHHH")
_UNREADABLE: Final = (dns.exception.DNSException, ValueError, IndexError, struct.error)


@dataclass(slots=True)
class Tally:
    """What happened on the way to an answer."""

    retransmissions: int = 0
    ignored: int = 0
    """Packets that were no answer to our question: another id, another question, not an answer at all."""
    size: int = 0
    """Bytes of the answer."""


@dataclass(frozen=True, slots=True)
class Question:
    """One question, ready to be sent, with what its answer must repeat."""

    message: dns.message.QueryMessage
    wire: bytes

    @classmethod
    def make(
        cls,
        name: dns.name.Name,
        rdtype: dns.rdatatype.RdataType,
        *,
        token: bytes,
        rdclass: dns.rdataclass.RdataClass = dns.rdataclass.IN,
        recursion: bool = True,
        dnssec: bool = False,
    ) -> "Question":
        """`token` is two unpredictable bytes: the id. With `dnssec` the answer may be large and says whether it was authenticated."""
        flags = (dns.flags.RD if recursion else 0) | (dns.flags.AD if dnssec else 0)
        message = dns.message.make_query(
            name,
            rdtype,
            rdclass,
            use_edns=0 if dnssec else False,
            want_dnssec=dnssec,
            payload=1232 if dnssec else None,  # What passes unfragmented everywhere (DNS flag day 2020).
            id=int.from_bytes(token, "big"),
            flags=flags,
        )
        return cls(message, message.to_wire())

    def answered_by(self, wire: bytes) -> bool:
        """Whether a packet answers this question: id, direction, and the question repeated (in any case of letters)."""
        if len(wire) < _HEADER.size:
            return False
        ident, flags, questions, *_ = _HEADER.unpack_from(wire)
        if ident != self.message.id or not flags & dns.flags.QR:
            return False
        if questions == 0:
            return flags & 0xF in WITHOUT_QUESTION
        name = self.message.question[0].name.to_wire()
        assert name is not None
        end = _HEADER.size + len(name)
        theirs, ours = wire[_HEADER.size : end], self.wire[_HEADER.size : end]
        return questions == 1 and theirs.lower() == ours.lower() and wire[end : end + 4] == self.wire[end : end + 4]


def read(wire: bytes) -> dns.message.QueryMessage:
    """The answer in a packet; ProbeError `protocol` when it cannot be read."""
    try:
        message = dns.message.from_wire(wire, ignore_trailing=True)
    except _UNREADABLE as error:
        raise ProbeError(Reason.PROTOCOL, f"an answer that cannot be read ({type(error).__name__})") from error
    if not isinstance(message, dns.message.QueryMessage):
        raise ProbeError(Reason.PROTOCOL, "the answer is to another kind of request than a question")
    return message


def cut_short(wire: bytes) -> bool:
    """Whether the server says that the whole answer did not fit."""
    return bool(_HEADER.unpack_from(wire)[1] & dns.flags.TC)


class Datagrams:
    """A connected UDP socket of its own for one question: a fresh port, and the kernel drops what comes from elsewhere."""

    __slots__ = ("_address", "_loop", "_sock", "_waiter")

    def __init__(self, address: Address, port: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._waiter: asyncio.Future[None] | None = None
        self._address = address
        self._sock = socket.socket(address.family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        try:
            self._sock.connect(_target(address, port))
        except BlockingIOError as error:
            self._sock.close()
            # Linux says EAGAIN, not EADDRNOTAVAIL, when no port is left to bind a datagram socket to.
            raise OSError(errno.EADDRNOTAVAIL, os.strerror(errno.EADDRNOTAVAIL)) from error
        except BaseException:
            self._sock.close()
            raise
        self._loop.add_reader(self._sock.fileno(), self._wake)

    def close(self) -> None:
        """Let go of the socket."""
        self._loop.remove_reader(self._sock.fileno())
        self._sock.close()

    async def ask(self, question: Question, tally: Tally, *, first_wait: float = FIRST_WAIT) -> bytes:
        """The first packet that answers the question, asked again at growing intervals until the caller has had enough.

        OSError when the way is closed (nobody listens there, no route).
        """
        wait = first_wait
        while True:
            self._send(question.wire)
            try:
                async with asyncio.timeout(wait):
                    return await self._answer(question, tally)
            except TimeoutError:
                wait *= 2
                tally.retransmissions += 1
            except OSError as error:
                told = far_away(error, (self._address,))
                if told is None:
                    raise
                raise told from error

    async def _answer(self, question: Question, tally: Tally) -> bytes:
        while True:
            wire = await self._receive()
            if question.answered_by(wire):
                tally.size = len(wire)
                return wire
            tally.ignored += 1
            if tally.ignored % 32 == 0:
                await asyncio.sleep(0)  # A flood that is already here must not keep the loop to itself.

    def _send(self, wire: bytes) -> None:
        try:
            self._sock.send(wire)
        except BlockingIOError:
            return  # No room now; it is sent again when no answer comes.

    async def _receive(self) -> bytes:
        while True:
            try:
                return self._sock.recv(65535)
            except BlockingIOError:
                self._waiter = self._loop.create_future()
                try:
                    await self._waiter
                finally:
                    self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


def _target(address: Address, port: int) -> tuple[str, int] | tuple[str, int, int, int]:
    bare, _, zone = address.ip.partition("%")
    if address.family == socket.AF_INET:
        return (bare, port)
    return (bare, port, 0, socket.if_nametoindex(zone) if zone else 0)


async def ask_datagram(question: Question, address: Address, port: int, tally: Tally) -> bytes:
    """One question by UDP; ends when answered, or when the caller stops it."""
    datagrams = Datagrams(address, port)
    try:
        return await datagrams.ask(question, tally)
    finally:
        datagrams.close()


async def open_stream(address: Address, port: int) -> Channel:
    """A TCP channel to a name server; the caller lets it go."""
    loop = asyncio.get_running_loop()
    _, channel = await loop.create_connection(
        Channel, address.ip, port, family=address.family, flags=socket.AI_NUMERICHOST
    )
    return channel


async def ask_stream(question: Question, channel: Channel, tally: Tally) -> bytes:
    """One question over a channel (RFC 7766: two bytes of length before each message); ProbeError when it ends too early."""
    channel.send(struct.pack("!H", len(question.wire)) + question.wire)
    while True:
        head = await channel.exactly(2)
        if not head:
            raise ProbeError(Reason.EMPTY_REPLY, "the server closed the connection without an answer")
        length = int.from_bytes(head, "big")
        wire = await channel.exactly(length) if len(head) == 2 else b""
        if len(head) < 2 or len(wire) < length:
            raise ProbeError(Reason.TRUNCATED, "the connection ended in the middle of an answer")
        if question.answered_by(wire):
            tally.size = length
            return wire
        tally.ignored += 1
