"""The sockets under the echo engine: how one is opened, and what the kernel says through it.

Owns: the choice between an unprivileged datagram socket and a raw one, their options, and the reading of quoted ICMP errors.
Never: matches a packet to a run; keeps state.
"""

import errno
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol

from probes.contract import ProbeError, Reason

RECEIVE_BUFFER: Final = 8 * 1024 * 1024
"""Bytes asked for: a burst of replies from thousands of links must wait here while the loop is busy."""

# Linux numbers that Python's socket module does not name (asm-generic/socket.h, linux/in.h, in6.h, icmp.h, icmpv6.h, errqueue.h).
SO_TIMESTAMPNS: Final = 35
SO_RCVBUFFORCE: Final = 33
IP_RECVTTL: Final = 12
IP_RECVERR: Final = 11
IP_MTU_DISCOVER: Final = 10
IP_PMTUDISC_DONT: Final = 0
IP_PMTUDISC_DO: Final = 2
IP_PMTUDISC_PROBE: Final = 3
IPV6_RECVERR: Final = 25
IPV6_MTU_DISCOVER: Final = 23
ICMP_FILTER: Final = 1
ICMP6_FILTER: Final = 1
SOL_RAW: Final = 255
SO_EE_ORIGIN_LOCAL: Final = 1

ICMP_ECHO: Final = 8
ICMP_ECHO_REPLY: Final = 0
ICMP6_ECHO: Final = 128
ICMP6_ECHO_REPLY: Final = 129

SOFT: Final = frozenset(
    {
        errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ECONNREFUSED, errno.EHOSTDOWN, errno.ENONET,
        errno.EPROTO, errno.ENOPROTOOPT, errno.EMSGSIZE, errno.EACCES, errno.EOPNOTSUPP,
    }
)  # fmt: skip
"""What a pending ICMP error leaves on a socket: read and cleared by the next call, it concerns nobody in particular."""

BUSY: Final = frozenset({errno.EAGAIN, errno.ENOBUFS})

LINE_TO_RUN: Final = (
    'no ICMP socket allowed; run: sysctl -w net.ipv4.ping_group_range="0 2147483647" '
    "(or give the service CAP_NET_RAW: AmbientCapabilities=CAP_NET_RAW)"
)


class Socket(Protocol):
    """The part of `socket.socket` the engine uses; a test may stand in for the kernel."""

    def fileno(self) -> int: ...
    def sendto(self, data: bytes, address: Any, /) -> int: ...
    def recvmsg(
        self, size: int, ancillary: int = ..., flags: int = ..., /
    ) -> tuple[bytes, list[tuple[int, int, bytes]], int, Any]: ...
    def setsockopt(self, level: int, option: int, value: int, /) -> None: ...
    def close(self) -> None: ...


Packet = tuple[bytes, bytes, int, int | None]
"""What arrived: the bytes; who sent it, a socket address as the kernel has it; the kernel's stamp; the hop limit if it was told.

The stamp is in nanoseconds of the wall clock; 0 when there is none.
"""


class Receiver(Protocol):
    """A way to read a socket, `slots` packets at a time."""

    @property
    def slots(self) -> int: ...

    def take(self, room: int) -> list[Packet]:
        """What has arrived, at most `room` bytes of each packet; empty when nothing has. OSError when the socket cannot be read."""
        ...


OpenSocket = Callable[[int], tuple[Socket, bool]]
"""Address family to an open, non-blocking ICMP socket and whether it is a raw one."""


def open_echo_socket(family: int) -> tuple[socket.socket, bool]:
    """An ICMP socket for one family: unprivileged if the host's administrator allows it, else raw.

    ProbeError `own_permission` with the line to run when neither may be had, `own_network` when the host has no such family; OSError for
    what else can go wrong (descriptors, memory).
    """
    protocol = socket.IPPROTO_ICMP if family == socket.AF_INET else socket.IPPROTO_ICMPV6
    for kind in (socket.SOCK_DGRAM, socket.SOCK_RAW):
        try:
            opened = socket.socket(family, kind | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC, protocol)
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EPERM, errno.EPROTONOSUPPORT, errno.ESOCKTNOSUPPORT):
                continue
            if error.errno == errno.EAFNOSUPPORT:
                raise ProbeError(Reason.OWN_NETWORK, f"this host has no {_name(family)}") from error
            raise
        try:
            _prepare(opened, family, raw=kind == socket.SOCK_RAW)
        except BaseException:
            opened.close()
            raise
        return opened, kind == socket.SOCK_RAW
    raise ProbeError(Reason.OWN_PERMISSION, LINE_TO_RUN)


def _name(family: int) -> str:
    return "IPv4" if family == socket.AF_INET else "IPv6"


def _prepare(opened: socket.socket, family: int, *, raw: bool) -> None:
    """Big buffer, kernel receive stamps, hop limits, quoted errors; a raw socket hears only echo replies."""
    try:
        opened.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER)
    except PermissionError:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
    opened.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    if family == socket.AF_INET:
        opened.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)
        if raw:
            # A set bit blocks that type (linux/icmp.h). Errors come through the error queue instead.
            opened.setsockopt(SOL_RAW, ICMP_FILTER, struct.pack("=I", ~(1 << ICMP_ECHO_REPLY) & 0xFFFFFFFF))
        else:
            opened.setsockopt(socket.IPPROTO_IP, IP_RECVTTL, 1)
        return
    opened.setsockopt(socket.IPPROTO_IPV6, IPV6_RECVERR, 1)
    opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVHOPLIMIT, 1)
    if raw:
        blocked = [0xFFFFFFFF] * 8
        blocked[ICMP6_ECHO_REPLY >> 5] &= ~(1 << (ICMP6_ECHO_REPLY & 31))
        opened.setsockopt(socket.IPPROTO_ICMPV6, ICMP6_FILTER, struct.pack("=8I", *blocked))


@dataclass(frozen=True, slots=True)
class Quoted:
    """An error that quotes a packet of this host, maybe ours: who it was sent to, its ICMP part as sent, and why it did not arrive."""

    packet: bytes
    where: Any
    reason: Reason
    detail: str
    local: bool
    """Said by our own kernel when sending, not by a router."""
    mtu: int


# RFC 792, RFC 1122 §3.2.2.1, RFC 1812 §5.2.7.1
_CODES_V4: Final = {
    4: (Reason.FRAG_NEEDED, "fragmentation needed"),
    9: (Reason.PROHIBITED, "network administratively prohibited"),
    10: (Reason.PROHIBITED, "host administratively prohibited"),
    13: (Reason.PROHIBITED, "communication administratively prohibited"),
    14: (Reason.PROHIBITED, "host precedence violation"),
    15: (Reason.PROHIBITED, "precedence cutoff in effect"),
    0: (Reason.UNREACHABLE, "network unreachable"),
    1: (Reason.UNREACHABLE, "host unreachable"),
    2: (Reason.UNREACHABLE, "protocol unreachable"),
    6: (Reason.UNREACHABLE, "network unknown"),
    7: (Reason.UNREACHABLE, "host unknown"),
    11: (Reason.UNREACHABLE, "network unreachable for this type of service"),
    12: (Reason.UNREACHABLE, "host unreachable for this type of service"),
}
# RFC 4443 §3.1
_CODES_V6: Final = {
    0: (Reason.UNREACHABLE, "no route to destination"),
    1: (Reason.PROHIBITED, "administratively prohibited"),
    2: (Reason.UNREACHABLE, "beyond scope of source address"),
    3: (Reason.UNREACHABLE, "address unreachable"),
    5: (Reason.PROHIBITED, "source address failed policy"),
    6: (Reason.PROHIBITED, "reject route to destination"),
}
_EXTENDED: Final = struct.Struct("=IBBBBII")


def quoted(packet: bytes, ancillary: list[tuple[int, int, bytes]], where: Any) -> Quoted | None:
    """Read one entry of the error queue (`struct sock_extended_err` and the address of who said it); None when it is something else."""
    for level, kind, data in ancillary:
        wanted = (socket.IPPROTO_IP, IP_RECVERR), (socket.IPPROTO_IPV6, IPV6_RECVERR)
        if (level, kind) not in wanted or len(data) < _EXTENDED.size:
            continue
        _number, origin, type_, code, _pad, info, _data = _EXTENDED.unpack_from(data)
        v6 = level == socket.IPPROTO_IPV6
        reason, text = _meaning(type_, code, v6=v6)
        local = origin == SO_EE_ORIGIN_LOCAL
        if local:
            reason, text = Reason.FRAG_NEEDED, "larger than the path's MTU"
        mtu = info if reason is Reason.FRAG_NEEDED else 0
        if mtu:
            text = f"{text}, MTU {mtu}"
        speaker = _speaker(data[_EXTENDED.size :], v6=v6)
        detail = f"{text} (said by {speaker})" if speaker and not local else text
        return Quoted(packet, where, reason, detail, local, mtu)
    return None


def _meaning(type_: int, code: int, *, v6: bool) -> tuple[Reason, str]:
    """What an ICMP error's type and code say about the way to the target."""
    if (type_ == 11 and not v6) or (type_ == 3 and v6):
        if code == 1:  # RFC 792, RFC 4443 §3.3: a piece of the packet was lost, hops were left.
            return Reason.NO_REPLY, "fragment reassembly time exceeded"
        return Reason.TTL_EXCEEDED, "time to live exceeded"
    if v6 and type_ == 2:
        return Reason.FRAG_NEEDED, "packet too big"
    if type_ == (1 if v6 else 3):
        table = _CODES_V6 if v6 else _CODES_V4
        return table.get(code, (Reason.UNREACHABLE, f"destination unreachable (code {code})"))
    return Reason.PROTOCOL, f"ICMP error type {type_} code {code}"


def _speaker(data: bytes, *, v6: bool) -> str:
    """The address of the router in a `sockaddr_in` or `sockaddr_in6`; empty when there is none."""
    if v6 and len(data) >= 24 and int.from_bytes(data[:2], "little") == socket.AF_INET6:
        return socket.inet_ntop(socket.AF_INET6, data[8:24])
    if not v6 and len(data) >= 8 and int.from_bytes(data[:2], "little") == socket.AF_INET:
        return socket.inet_ntop(socket.AF_INET, data[4:8])
    return ""


def own_fault(error: OSError) -> tuple[Reason, str]:
    """Why our own kernel did not take or give a packet: always ours, by errno alone."""
    number = error.errno or 0
    text = errno.errorcode.get(number, "OSError")
    if number in (errno.EPERM,):
        return Reason.OWN_PERMISSION, f"our own firewall or a lost capability forbids sending ({text})"
    if number in (errno.EACCES,):
        return Reason.OWN_PERMISSION, f"our own routes forbid the address, or it is a broadcast address ({text})"
    if number in (errno.EMFILE, errno.ENFILE):
        return Reason.OWN_FDS, f"no descriptor left ({text})"
    if number in (errno.ENOMEM,):
        return Reason.OWN_MEMORY, f"no memory for a packet ({text})"
    if number in (errno.EAGAIN, errno.ENOBUFS):
        return Reason.OWN_OVERLOAD, f"the send buffer stayed full ({text})"
    return Reason.OWN_NETWORK, f"our own network cannot send there ({text})"
