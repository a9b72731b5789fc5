"""Reading many packets with one system call.

Owns: the two ways to take what has arrived on an echo socket: `recvmmsg` where this platform has it, `recvmsg` one by one elsewhere. Both
give the same; the first costs half.
Never: looks into a packet, or decides what an error means.
"""

import ctypes
import errno
import os
import socket
import struct
from collections.abc import Iterable
from typing import Any, Final

from probes.echo_flight import packed
from probes.echo_socket import SO_TIMESTAMPNS, Packet, Receiver, Socket

SLOTS: Final = 512
"""Packets of one call."""


class OneByOne:
    """`recvmsg`: for any platform, and for what only looks like a socket."""

    __slots__ = ("_sock",)

    slots = 1

    def __init__(self, sock: Socket) -> None:
        self._sock = sock

    def take(self, room: int) -> list[Packet]:
        """At most one packet."""
        try:
            data, ancillary, _flags, source = self._sock.recvmsg(room, 256)
        except BlockingIOError:
            return []
        stamp, hops = 0, None
        for _level, kind, value in ancillary:
            if kind == SO_TIMESTAMPNS and len(value) == 16:
                seconds, nanoseconds = struct.unpack("=qq", value)
                stamp = seconds * 1_000_000_000 + nanoseconds
            elif len(value) == 4:  # IP_TTL or IPV6_HOPLIMIT: the only others asked for.
                hops = int.from_bytes(value, "little")
        return [(data, packed(source), stamp, hops)]


# struct mmsghdr (recvmmsg(2)) and two struct cmsghdr (cmsg(3)) where a pointer has eight bytes.
_HEADER: Final = struct.Struct("@PI4xPNPNi4xI4x")
_RESULT: Final = struct.Struct("@40xN8xI4x")
_CONTROL: Final = struct.Struct("@NiiqqNiii4x")
_VECTOR: Final = struct.Struct("@PN")
_NAME: Final = 32
ONE_CONTROL: Final = 32
"""Bytes of control data when there is a stamp and nothing else."""


class Batch:
    """`recvmmsg` into buffers that are made once."""

    slots = SLOTS

    __slots__ = (
        "_call",
        "_fd",
        "_first",
        "_keep",
        "_length",
        "_room",
        "_template",
        "_written",
        "control",
        "data",
        "headers",
        "names",
    )

    def __init__(self, sock: socket.socket, call: Any) -> None:
        self._fd = sock.fileno()
        self._call = call
        self._length = 16 if sock.family == socket.AF_INET else 28
        self._room = self._written = 0

    def _make(self, room: int) -> None:
        self._room = room
        self.data, self.names, self.control = (
            bytearray(SLOTS * room),
            bytearray(SLOTS * _NAME),
            bytearray(SLOTS * _CONTROL.size),
        )
        data, names, control = _at(self.data), _at(self.names), _at(self.control)
        vectors = bytearray(b"".join(_VECTOR.pack(data + slot * room, room) for slot in range(SLOTS)))
        template = b"".join(
            _HEADER.pack(
                names + slot * _NAME, _NAME, _at(vectors) + slot * _VECTOR.size, 1,
                control + slot * _CONTROL.size, _CONTROL.size, 0, 0,
            )
            for slot in range(SLOTS)
        )  # fmt: skip
        self._template = memoryview(template)
        self.headers = bytearray(template)
        self._first = _at(self.headers)
        self._keep = vectors

    def fill(self, room: int) -> int:
        """Read what has arrived into the slots, at most `room` bytes of each packet; how many packets, at most SLOTS."""
        if room != self._room:
            self._make(room)
        # The kernel has written lengths over the sizes.
        self.headers[: self._written] = self._template[: self._written]
        count = int(self._call(self._fd, self._first, SLOTS, socket.MSG_DONTWAIT, None))
        self._written = max(0, count) * _HEADER.size
        if count < 0:
            number = ctypes.get_errno()
            if number == errno.EAGAIN:
                return 0
            raise OSError(number, os.strerror(number))
        return count

    def packets(self, slots: Iterable[int]) -> list[Packet]:
        """What is in these slots since they were filled."""
        data, names, headers, control = memoryview(self.data), memoryview(self.names), self.headers, self.control
        length, size, room = self._length, _CONTROL.size, self._room
        packets = []
        for slot in slots:
            told, got = _RESULT.unpack_from(headers, slot * _HEADER.size)
            _, _, kind, seconds, nanoseconds, _, _, _, hops = _CONTROL.unpack_from(control, slot * size)
            stamp = seconds * 1_000_000_000 + nanoseconds if told >= ONE_CONTROL and kind == SO_TIMESTAMPNS else 0
            start, name = slot * room, slot * _NAME
            packets.append(
                (
                    bytes(data[start : start + got]),
                    bytes(names[name : name + length]),
                    stamp,
                    hops if told > ONE_CONTROL else None,
                )
            )
        return packets

    def take(self, room: int) -> list[Packet]:
        """At most SLOTS packets."""
        return self.packets(range(self.fill(room)))


def _at(buffer: bytearray) -> int:
    """Where a buffer lies. It must not be resized, and it must be kept."""
    return ctypes.addressof((ctypes.c_char * len(buffer)).from_buffer(buffer))


def _call(name: str, *kinds: Any) -> Any:
    """A system call for many messages, or None where its structures are not those above."""
    call = getattr(ctypes.CDLL(None, use_errno=True), name, None)
    if call is None or struct.calcsize("P") != 8 or _HEADER.size != 64:
        return None
    call.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_int, *kinds)
    call.restype = ctypes.c_int
    return call


_RECVMMSG: Final = _call("recvmmsg", ctypes.c_void_p)
SENDMMSG: Final = _call("sendmmsg")
"""`sendmmsg(descriptor, address of the headers, count, flags)`, or None where there is none that is known here."""


def receiver(sock: Socket) -> Receiver:
    """The best way to read this socket."""
    if _RECVMMSG is not None and isinstance(sock, socket.socket):
        return Batch(sock, _RECVMMSG)
    return OneByOne(sock)
