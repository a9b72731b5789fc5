"""Who stands beside the wire: every ICMP packet of a namespace's interface, with the kernel's own stamp of its passing.

A late loop, of ours or of the shim's, moves no stamp: what is held against it is what was on the wire.
Owns: the packet socket. Never: sends.
"""

import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from probes.echo_socket import SO_RCVBUFFORCE, SO_TIMESTAMPNS
from tests.network.namespaces import Namespace

_EVERYTHING: Final = 0x0003
"""ETH_P_ALL (linux/if_ether.h): what goes out, too."""

_STAMP: Final = struct.Struct("=qq")

ROOM: Final = 64 * 1024 * 1024
"""Bytes for packets that wait to be read: nobody reads while something is measured."""


@dataclass(frozen=True, slots=True)
class Passed:
    """One packet that went by: nanoseconds of the wall clock, whether it went out, and its bytes from the IP header on."""

    at: int
    out: bool
    packet: bytes


class Witness:
    """Hears one interface from now on."""

    def __init__(self, namespace: Namespace, interface: str) -> None:
        self._sock = namespace.socket(socket.AF_PACKET, socket.SOCK_DGRAM)
        self._sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, ROOM)
        self._sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self._sock.bind((interface, _EVERYTHING))

    def close(self) -> None:
        self._sock.close()

    def passed(self) -> Iterator[Passed]:
        """What went by since the last time, in order."""
        while True:
            try:
                packet, ancillary, _flags, where = self._sock.recvmsg(65536, 64)
            except BlockingIOError:
                break
            stamps = [data for level, kind, data in ancillary if (level, kind) == (socket.SOL_SOCKET, SO_TIMESTAMPNS)]
            seconds, nanoseconds = _STAMP.unpack(stamps[0][:16])
            yield Passed(seconds * 1_000_000_000 + nanoseconds, where[2] == socket.PACKET_OUTGOING, packet)
        dropped = struct.unpack("=II", self._sock.getsockopt(263, 6, 8))[1]  # SOL_PACKET, PACKET_STATISTICS
        assert not dropped, f"the witness missed {dropped} packets"
