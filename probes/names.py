"""Names and the host's own files about them: no network here.

Owns: how a name is written on the wire, the reading of `/etc/resolv.conf` and `/etc/hosts`, and which addresses a probe may be sent to.
Never: asks anybody.
"""

import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Final

from probes.contract import Address, ProbeError, Reason

if TYPE_CHECKING:
    import dns.name

DNS_PORT: Final = 53

LOOPBACK: Final = (Address(socket.AF_INET6, "::1"), Address(socket.AF_INET, "127.0.0.1"))


@dataclass(frozen=True, slots=True)
class Server:
    """A name server of ours."""

    address: Address
    port: int = DNS_PORT

    def __str__(self) -> str:
        return self.address.ip if self.port == DNS_PORT else f"{self.address.ip} port {self.port}"


@dataclass(frozen=True, slots=True)
class Local:
    """What this host knows without asking."""

    servers: tuple[Server, ...] = ()
    hosts: Mapping[str, tuple[Address, ...]] = field(default_factory=dict)
    problem: str = ""
    """Why there are no servers, in words."""


def address(text: str) -> Address | None:
    """An address as text, with or without brackets; None when it is none."""
    try:
        parsed = ip_address(text.strip().removeprefix("[").removesuffix("]"))
    except ValueError:
        return None
    return Address(socket.AF_INET if parsed.version == 4 else socket.AF_INET6, str(parsed))


def host_port(text: str, port: int) -> tuple[str, int]:
    """`host`, `host:port`, `[v6]:port` or a bare IPv6 address taken apart; ValueError when it is none of them."""
    text = text.strip()
    if address(text) is not None:
        return text.removeprefix("[").removesuffix("]"), port
    host, colon, number = text.rpartition(":")
    if not colon:
        host, number = text, str(port)
    bare = host.removeprefix("[").removesuffix("]")
    if not bare or (":" in bare and bare == host) or not number.isdecimal() or not 1 <= int(number) <= 65535:
        raise ValueError(f"{text!r} is not a server: write host, host:port or [address]:port")
    return bare, int(number)


def server(text: str) -> Server:
    """A name server by address; ValueError for a name: what resolves names cannot be one."""
    host, port = host_port(text, DNS_PORT)
    where = address(host)
    if where is None:
        raise ValueError(f"{text!r}: a name server is given by its address")
    return Server(where, port)


def wire_name(text: str) -> "dns.name.Name":
    """A host name, Vietnamese letters and a final dot allowed, as an absolute lower-case name; ProbeError `dns` when it cannot be one."""
    import dns.exception  # Only those who ask for names wait for it.
    import dns.name

    try:
        name = dns.name.from_text(text, dns.name.root, idna_codec=dns.name.IDNA_2008_UTS_46)
    except (dns.exception.DNSException, ValueError) as error:
        raise ProbeError(Reason.DNS, f"{text[:80]!r} cannot be a name ({type(error).__name__})") from error
    if name == dns.name.root:
        raise ProbeError(Reason.DNS, "an empty name")
    return name.canonicalize()


def usable(where: Address) -> bool:
    """Whether something may be sent there: not to nobody, to everybody, nor to an IPv4 address in disguise.

    A resolver that blocks a name often says 0.0.0.0, and a connection to that reaches this very host.
    """
    parsed = ip_address(where.ip)
    if parsed.is_unspecified or parsed.is_multicast or where.ip == "255.255.255.255":
        return False
    return not (parsed.version == 6 and getattr(parsed, "ipv4_mapped", None) is not None)


def local(resolv: Path, hosts: Path, servers: Sequence[Server] | None) -> Local:
    """Read the host's files (blocking: never in the event loop); a missing or unreadable one knows nothing."""
    found, problem = tuple(servers or ()), ""
    if servers is None:
        text, problem = _text(resolv)
        found = parse_resolv(text)
        problem = problem or f"{resolv} names no nameserver"
    return Local(found, parse_hosts(_text(hosts)[0]), "" if found else problem or "no nameserver is configured")


def _text(path: Path) -> tuple[str, str]:
    try:
        return path.read_text("utf-8", "replace")[: 1 << 20], ""
    except OSError as error:
        return "", f"{path}: {error.strerror}"


def parse_resolv(text: str) -> tuple[Server, ...]:
    """The `nameserver` lines of a resolv.conf, in order; what cannot be read is passed over, as resolv.conf(5) has it."""
    found = []
    for line in text.splitlines():
        words = line.split()
        if len(words) >= 2 and words[0] == "nameserver":
            where = address(words[1])
            if where is not None:
                found.append(Server(where))
    return tuple(dict.fromkeys(found))


def parse_hosts(text: str) -> dict[str, tuple[Address, ...]]:
    """Names, in lower case and without a final dot, to addresses in the order of the file (hosts(5))."""
    found: dict[str, list[Address]] = {}
    for line in text.splitlines():
        first, *names = line.partition("#")[0].split() or [""]
        where = address(first)
        if where is None:
            continue
        for name in names:
            there = found.setdefault(name.lower().rstrip("."), [])
            if where not in there:
                there.append(where)
    return {name: tuple(there) for name, there in found.items()}
