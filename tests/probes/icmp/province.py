"""A province behind a TUN device in a network namespace of its own: what answers there, and how, is ours to say.

A thread steps into the namespace to open the engine's socket there; the loop that uses it stays outside. Nothing of the host is touched.
"""

import asyncio
import errno
import fcntl
import os
import socket
import struct
from collections.abc import Callable
from contextlib import AbstractContextManager
from ipaddress import ip_address

from probes.contract import ProbeError
from probes.echo_socket import open_echo_socket
from tests.network.namespaces import Namespace, must_run

_TUNSETIFF = 0x400454CA
_IFF_TUN_NO_PI = 0x1001

_ROADS = """\
link set lo up
link set province mtu 1400 txqueuelen 20000
link set province up
addr add 10.9.0.1/24 dev province
route add 10.130.0.0/16 dev province
addr add fd00:9::1/64 dev province nodad
route add fd00:130::/32 dev province
"""


def _allowed() -> str:
    """Why ICMP cannot be tested here; empty when it can."""
    try:
        open_echo_socket(socket.AF_INET)[0].close()
    except (ProbeError, OSError) as error:
        return f"no ICMP socket here, so nothing was measured: {error}"
    return ""


needs_icmp = must_run(_allowed())
needs_province = must_run("" if os.geteuid() == 0 and os.path.exists("/dev/net/tun") else "no root or no /dev/net/tun")


def checksum(data: bytes) -> int:
    """RFC 1071, word by word: not the way the engine does it."""
    if len(data) & 1:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


class Request:
    """An echo request that arrived, and the packets that may be sent back for it."""

    def __init__(self, packet: bytes) -> None:
        self.v6 = packet[0] >> 4 == 6
        self.packet = packet
        if self.v6:
            self.source, self.target, self.icmp = packet[8:24], packet[24:40], packet[40:]
        else:
            self.source, self.target, self.icmp = packet[12:16], packet[16:20], packet[20:]
        self.address = str(ip_address(self.target))

    @property
    def is_echo(self) -> bool:
        return self.icmp[0] == (128 if self.v6 else 8)

    @property
    def sequence(self) -> int:
        return int.from_bytes(self.icmp[6:8], "big")

    def wrap(self, icmp: bytes, source: bytes | None = None, *, bad_checksum: bool = False) -> bytes:
        """An ICMP message in an IP packet back to who asked; the checksum is right unless it is not to be."""
        source = source or self.target
        pseudo = source + self.source + struct.pack("!II", len(icmp), 58) if self.v6 else b""
        sum_ = checksum(pseudo + icmp[:2] + b"\0\0" + icmp[4:]) ^ (0x5555 if bad_checksum else 0)
        icmp = icmp[:2] + sum_.to_bytes(2, "big") + icmp[4:]
        if self.v6:
            return struct.pack("!IHBB", 0x60000000, len(icmp), 58, 60) + source + self.source + icmp
        head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(icmp), 0, 0, 60, 1, 0, source, self.source)
        return head[:10] + checksum(head).to_bytes(2, "big") + head[12:] + icmp

    def echo(self) -> bytes:
        return bytes([129 if self.v6 else 0]) + self.icmp[1:]

    def changed(self, at: int, by: int = 0xFF) -> bytes:
        echo = bytearray(self.echo())
        echo[at] ^= by
        return bytes(echo)

    def error(self, type_: int, code: int, *, info: int = 0, quote: bytes | None = None, length: int = 576) -> bytes:
        """An ICMP error that quotes the request, or what is given instead."""
        return struct.pack("!BBHI", type_, code, 0, info) + (quote or self.packet)[:length]


Answer = Callable[["Province", Request], None]


_KNOCK = (
    struct.pack("!IHBB", 0x60000000, 8, 58, 60)
    + ip_address("fd00:9::1").packed
    + ip_address("fd00:130::ffff").packed
    + struct.pack("!BBHHH", 128, 0, 0, 1, 1)
)
"""Turned round by `wrap`: an echo request from the far side to the namespace's own address."""


class Province:
    """Answers whatever is sent to 10.130.0.0/16 and fd00:130::/32, by a table from address to behaviour; others are silent."""

    def __init__(self, answers: dict[str, Answer]) -> None:
        self.answers = answers
        self.requests: list[Request] = []
        self._ready = False
        self._later: list[asyncio.TimerHandle] = []

    async def __aenter__(self) -> "Province":
        self.namespace = Namespace()
        self._tun = self._build()
        asyncio.get_running_loop().add_reader(self._tun, self._arrived)
        # The kernel finishes an IPv6 address in a work queue of its own; what comes in before that is dropped.
        ask = Request(_KNOCK)
        for _ in range(400):
            self.send(ask.wrap(ask.icmp))
            await asyncio.sleep(0.005)
            if self._ready:
                return self
        raise RuntimeError("the namespace does not answer")

    async def __aexit__(self, *_: object) -> None:
        asyncio.get_running_loop().remove_reader(self._tun)
        for timer in self._later:  # What is too late comes to nobody; the descriptor may be another's by then.
            timer.cancel()
        os.close(self._tun)
        self.namespace.close()

    def inside(self) -> AbstractContextManager[None]:
        """This thread is in the namespace meanwhile."""
        return self.namespace.inside()

    def open_socket(self, family: int) -> tuple[socket.socket, bool]:
        """For the engine: its socket, in the province's namespace."""
        with self.inside():
            return open_echo_socket(family)

    def run(self, *command: str) -> None:
        """A command inside the namespace."""
        self.namespace.run(*command)

    def send(self, packet: bytes) -> None:
        os.write(self._tun, packet)

    def later(self, seconds: float, packet: bytes) -> None:
        self._later.append(asyncio.get_running_loop().call_later(seconds, self.send, packet))

    def _build(self) -> int:
        with self.inside():
            tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
            fcntl.ioctl(tun, _TUNSETIFF, struct.pack("16sH", b"province", _IFF_TUN_NO_PI))
        self.namespace.ip(_ROADS)
        return tun

    def _arrived(self) -> None:
        while True:
            try:
                packet = os.read(self._tun, 65536)
            except OSError as error:
                if error.errno == errno.EAGAIN:
                    return
                raise
            v6 = packet[0] >> 4 == 6
            if (packet[6] if v6 else packet[9]) != (58 if v6 else 1):
                continue
            request = Request(packet)
            self._ready = self._ready or (v6 and request.icmp[0] == 129)
            if request.is_echo:
                self.requests.append(request)
                self.answers.get(request.address, lambda province, request: None)(self, request)
