"""Echo packets under way: what was to be sent, through which socket, what has come back.

Owns: the identity of every packet (id, sequence, token), the Internet checksum, and the count of a run.
Never: sends, receives, or reads a clock.
"""

import asyncio
import socket
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from probes.contract import ProbeError, Reason
from probes.echo_socket import (
    IP_MTU_DISCOVER,
    IP_PMTUDISC_DO,
    IP_PMTUDISC_DONT,
    IP_PMTUDISC_PROBE,
    IPV6_MTU_DISCOVER,
    Quoted,
    Receiver,
    Socket,
)

if TYPE_CHECKING:
    from probes.echo_sweep import Sweep

TOKEN: Final = 8
"""Bytes of a packet's random token; the smallest payload."""

Where = tuple[str, int] | tuple[str, int, int, int]
"""A socket address, as `sendto` takes it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to send: so many packets, `spacing` seconds apart, with `size` bytes of payload; `ttl` None leaves the host's default.

    Up to `extra` further packets follow at once when some seem lost (see `icmp_extra`). With `probing` fragmentation is forbidden, and what
    our kernel remembers of the path's MTU is not asked: only a packet too large for the interface is refused here.
    """

    count: int = 5
    spacing: float = 0.05
    size: int = 56
    ttl: int | None = None
    dont_fragment: bool = False
    extra: int = 0
    probing: bool = False


@dataclass(slots=True)
class Echoes:
    """What came of one run. Times in seconds, in order of arrival by the kernel's stamps; strays are counted apart and never credited."""

    sent: int = 0
    rtts: list[float] = field(default_factory=list)
    duplicates: int = 0
    late: int = 0
    """Replies to packets of an earlier run, which had been given up."""
    forged: int = 0
    truncated: int = 0
    reordered: int = 0
    """Echoes that arrived after the echo of a packet sent later (RFC 4737 §3.3); known at the end of the run."""
    hop_limit: int | None = None
    error: Quoted | None = None
    """The last ICMP error that quoted a packet of this run."""
    refused: OSError | None = None
    """Why our own kernel did not take or give a packet."""


class Door:
    """One open socket: what it is, what is set on it, and the flights that use it."""

    __slots__ = (
        "born",
        "discover",
        "family",
        "flights",
        "plan",
        "raw",
        "receiver",
        "reply",
        "request",
        "skip",
        "sock",
        "strip",
        "sweeps",
        "ttl",
        "v6",
    )

    def __init__(self, sock: Socket, receiver: Receiver, family: int, *, raw: bool, born: float) -> None:
        self.sock = sock
        self.receiver = receiver
        self.family = family
        self.raw = raw
        self.born = born
        self.v6 = family == socket.AF_INET6
        self.strip = raw and not self.v6
        """A raw IPv4 socket hands over the IP header, and alone leaves the ICMP checksum to us, to write and to verify."""
        self.request = b"\x80\x00" if self.v6 else b"\x08\x00"
        self.reply = b"\x81\x00" if self.v6 else b"\x00\x00"
        self.skip = 4 if raw else 6
        """Bytes of a reply that the kernel has verified or chosen: type and checksum, and a datagram socket's id."""
        self.plan: Plan | None = None
        """Whose settings the socket has now."""
        self.ttl: int | None = None
        self.discover: int | None = None
        """What the kernel has been told of fragmentation; both families have the same numbers."""
        self.flights: set[Flight | Sweep] = set()
        self.sweeps: list[Sweep] = []
        """Those of the flights that are sweeps."""

    def adjust(self, plan: Plan) -> None:
        """Give the shared socket the hop limit and the fragmentation that this plan wants; OSError when the kernel will not."""
        value = IP_PMTUDISC_PROBE if plan.probing else IP_PMTUDISC_DO if plan.dont_fragment else IP_PMTUDISC_DONT
        if value != self.discover:
            if self.v6:
                self.sock.setsockopt(socket.IPPROTO_IPV6, IPV6_MTU_DISCOVER, value)
            else:
                self.sock.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, value)
            self.discover = value
        if plan.ttl != self.ttl:
            value = -1 if plan.ttl is None else plan.ttl  # -1 gives back the host's default (ip(7), ipv6(7)).
            if self.v6:
                self.sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, value)
            else:
                self.sock.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, value)
            self.ttl = plan.ttl
        self.plan = plan

    def swept(self, body: bytes) -> "tuple[Sweep, int] | None":
        """The packet of a sweep that this ICMP message is the exact echo of, whoever sent it."""
        for sweep in self.sweeps:
            index = sweep.find(body)
            if index is not None:
                return sweep, index
        return None


class Flight:
    """Packets under way together: one run's to one target.

    `noise` is two random bytes for the id, two for the first sequence, and a token for each packet.
    """

    __slots__ = (
        "base", "blamed", "door", "end", "expected", "first", "head", "ident", "keys", "left", "pack", "peers", "plan",
        "result", "rtts", "sent", "targets",
    )  # fmt: skip

    def __init__(
        self, door: Door, targets: Sequence["Target"], plan: Plan, noise: bytes, end: "asyncio.Future[None]"
    ) -> None:
        count = len(targets)
        self.door = door
        self.sent = [0] * count
        self.targets = [target.where for target in targets]
        self.peers = [target.peer for target in targets]
        self.plan = plan
        self.ident = noise[:2]
        self.first = int.from_bytes(noise[2:4], "big")
        self.head = door.request
        self.base = _words(self.head + self.ident)  # The padding is zeros, which add nothing.
        self.pack = _packer(plan.size)
        self.expected = [b""] * count
        """What must come back for each packet sent, to the byte; see `request`."""
        self.keys = _keys(self.first, noise[4 : 4 + TOKEN * count])
        """Sequence and token of each packet: bytes 6 to 16 of it and of its echo."""
        self.rtts: list[int | None] = [None] * count
        self.left = count
        self.result = Echoes()
        self.end = end
        self.blamed: set[int] = set()
        """Packets of which an ICMP error has said that they will not arrive. Their echoes count nevertheless while the run lasts."""

    def extend(self, noise: bytes) -> int:
        """Make room for further packets to the same target, `noise` being a token for each. The index of the first of them."""
        start, count = len(self.sent), len(noise) // TOKEN
        self.sent += [0] * count
        self.targets += self.targets[:1] * count
        self.peers += self.peers[:1] * count
        self.expected += [b""] * count
        self.rtts += [None] * count
        self.keys += _keys(self.first + start, noise)
        self.left += count
        return start

    def request(self, index: int) -> bytes:
        """One packet's echo request; what its echo must be is kept in `expected`.

        Over a raw IPv4 socket that is the whole ICMP message, its checksum too; elsewhere the kernel has verified what is left out.
        """
        key = self.keys[index]
        if self.door.strip:
            words = self.base + int.from_bytes(key, "big")
            check = 0xFFFF - (words - 0x0800) % 0xFFFF
            if check == 0xFFFF:  # The same as 0 to the one who verifies, and either may be written: take another token.
                key = self.keys[index] = key[:-1] + bytes((key[-1] ^ 1,))
                return self.request(index)
            self.expected[index] = self.pack(b"\0\0", check, self.ident, key)
            return self.pack(self.head, 0xFFFF - words % 0xFFFF, self.ident, key)
        packet = self.pack(self.head, 0, self.ident, key)
        self.expected[index] = packet[self.door.skip :]
        return packet

    def answered(self, index: int) -> bool:
        """Whether its echo has come."""
        return self.rtts[index] is not None

    def index(self, packet: bytes) -> int | None:
        """Which of the packets sent bears the sequence of this one, and its token as far as it is there; None when none does."""
        index = (int.from_bytes(packet[6:8], "big") - self.first) & 0xFFFF
        if len(packet) < 8 or index >= len(self.sent) or not self.sent[index]:
            return None
        return index if self.keys[index].startswith(packet[6:16]) else None

    def quoted(self, packet: bytes) -> int | None:
        """Which of the packets sent this is the beginning of, to the byte, as an ICMP error quotes it; None when none is.

        RFC 792 obliges a router to quote 8 bytes only: the sequence, the id, and over IPv4 a checksum that the token went into. An IPv6 router
        quotes as much as fits (RFC 4443 §2.4), so the token must be there: the checksum depends on an address that the kernel chose.
        """
        index = self.index(packet)
        if index is None or packet[:2] != self.head or (self.door.raw and packet[4:6] != self.ident):
            return None
        whole = self.pack(self.head, 0, packet[4:6], self.keys[index])
        if packet[6:] != whole[6 : len(packet)]:
            return None
        if self.door.v6:
            return index if len(packet) >= 8 + TOKEN else None
        check = 0xFFFF - _words(whole) % 0xFFFF
        return index if int.from_bytes(packet[2:4], "big") % 0xFFFF == check % 0xFFFF else None

    def order(self) -> None:
        """Have the run's round trips in order of arrival, and count those that came out of order: see `Echoes`.

        Packets are known by when they were sent, which is the order of their sequence unless further ones went between those of the burst.
        """
        moments = [sent + rtt for sent, rtt in zip(self.sent, self.rtts, strict=True) if rtt is not None]
        if len(self.sent) == self.plan.count and moments == sorted(moments):
            return
        both = zip(self.sent, self.rtts, strict=True)
        arrived = sorted((sent + rtt, sent) for sent, rtt in both if rtt is not None)
        newest = 0
        for _, sent in arrived:
            if sent < newest:
                self.result.reordered += 1
            else:
                newest = sent
        if self.result.reordered:
            self.result.rtts[-len(arrived) :] = [(at - sent) / 1e9 for at, sent in arrived]

    def settle(self, count: int = 1) -> None:
        """So many packets will not be waited for any more."""
        self.left -= count
        if self.left <= 0 and not self.end.done():
            self.end.set_result(None)


def _keys(first: int, tokens: bytes) -> list[bytes]:
    """Sequence numbers from `first` on, which wrap at 65,536, each with its token."""
    return [
        ((first + at) & 0xFFFF).to_bytes(2, "big") + tokens[at * TOKEN : (at + 1) * TOKEN]
        for at in range(len(tokens) // TOKEN)
    ]


@lru_cache(maxsize=256)
def _packer(size: int) -> Callable[..., bytes]:
    """Type and code, checksum, id, sequence and token, and zeros up to so many bytes of payload."""
    return struct.Struct(f"!2sH2s10s{size - TOKEN}x").pack


def _words(data: bytes) -> int:
    """A number congruent modulo 65535 to the sum of the data's 16-bit words: 2**16 is 1 there (RFC 1071)."""
    number = int.from_bytes(data, "big")
    return number << 8 if len(data) & 1 else number


class Target(NamedTuple):
    """Where packets are sent: the family, the address for `sendto`, and the same as the kernel writes it beside a reply."""

    family: int
    where: Where
    peer: bytes


def target(address: str) -> Target:
    """An address in text as a target; a link-local one carries its zone (`fe80::1%eth0`).

    ProbeError `own_config` when this host has no interface of that name.
    """
    if "%" not in address:
        return _target(address)
    bare, _, zone = address.partition("%")
    try:
        scope = int(zone) if zone.isdecimal() else socket.if_nametoindex(zone)
    except OSError as error:
        raise ProbeError(Reason.OWN_CONFIG, f"this host has no interface {zone}") from error
    plain = _target(bare)
    return Target(plain.family, (plain.where[0], 0, 0, scope), plain.peer[:-4] + struct.pack("=I", scope))


@lru_cache(maxsize=65536)
def _target(address: str) -> Target:
    """Canonical, so that replies can be compared with it: `struct sockaddr_in`, `struct sockaddr_in6`."""
    parsed = ip_address(address)
    if parsed.version == 4:
        ip = socket.inet_ntop(socket.AF_INET, parsed.packed)
        return Target(socket.AF_INET, (ip, 0), struct.pack("=HH4s8x", socket.AF_INET, 0, parsed.packed))
    ip = socket.inet_ntop(socket.AF_INET6, parsed.packed)
    return Target(socket.AF_INET6, (ip, 0, 0, 0), struct.pack("=HHI16sI", socket.AF_INET6, 0, 0, parsed.packed, 0))


class Targets:
    """Many targets of one family: the same as `Target`, in lists, and all the peers' names in one piece."""

    __slots__ = ("family", "names", "peers", "where")

    def __init__(self, targets: Sequence[Target]) -> None:
        """ValueError when they are not of one family."""
        self.family = targets[0].family
        if any(one.family != self.family for one in targets):
            raise ValueError("the addresses of a sweep are of one family")
        self.where = [one.where for one in targets]
        self.peers = [one.peer for one in targets]
        self.names = b"".join(self.peers)

    def __len__(self) -> int:
        return len(self.peers)


def many_targets(addresses: Sequence[str]) -> Targets:
    """The targets of a sweep; those of the last sweeps are kept, unless a zone is among them, whose number may change."""
    known = _many_targets(tuple(addresses))
    return known or Targets([target(address) for address in addresses])


@lru_cache(maxsize=8)
def _many_targets(addresses: tuple[str, ...]) -> Targets | None:
    """None when a zone is among them."""
    return (
        None if any("%" in address for address in addresses) else Targets([_target(address) for address in addresses])
    )


def packed(where: Any) -> bytes:
    """A socket address as Python gives it, as the kernel writes it; the port, which ICMP has none of, left out."""
    scope = where[3] if len(where) > 3 else 0
    return target(f"{where[0]}%{scope}" if scope else where[0]).peer
