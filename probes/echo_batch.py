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
from typing import Any, Final

from probes.echo_flight import packed
from probes.echo_socket import SO_TIMESTAMPNS, Packet, Receiver, Socket

SLOTS: Final = 64
"""Packets of one call."""


class OneByOne:
    """`recvmsg`: for any platform, and for what only looks like a socket."""

    __slots__ = ("_sock",)

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
_ONE_CONTROL: Final = 32


class Batch:
    """`recvmmsg` into buffers that are made once."""

    __slots__ = (
        "_call",
        "_control",
        "_data",
        "_fd",
        "_first",
        "_headers",
        "_keep",
        "_length",
        "_names",
        "_room",
        "_template",
    )

    def __init__(self, sock: socket.socket, call: Any) -> None:
        self._fd = sock.fileno()
        self._call = call
        self._length = 16 if sock.family == socket.AF_INET else 28
        self._room = 0

    def _make(self, room: int) -> None:
        self._room = room
        self._data, self._names, self._control = (
            bytearray(SLOTS * room),
            bytearray(SLOTS * _NAME),
            bytearray(SLOTS * _CONTROL.size),
        )
        data, names, control = _at(self._data), _at(self._names), _at(self._control)
        vectors = bytearray(b"".join(_VECTOR.pack(data + slot * room, room) for slot in range(SLOTS)))
        self._template = b"".join(
            _HEADER.pack(
                names + slot * _NAME, _NAME, _at(vectors) + slot * _VECTOR.size, 1,
                control + slot * _CONTROL.size, _CONTROL.size, 0, 0,
            )
            for slot in range(SLOTS)
        )  # fmt: skip
        self._headers = bytearray(self._template)
        self._first = _at(self._headers)
        self._keep = vectors

    def take(self, room: int) -> list[Packet]:
        """At most SLOTS packets."""
        if room != self._room:
            self._make(room)
        headers = self._headers
        headers[:] = self._template  # The kernel has written lengths over the sizes.
        count = self._call(self._fd, self._first, SLOTS, socket.MSG_DONTWAIT, None)
        if count < 0:
            number = ctypes.get_errno()
            if number == errno.EAGAIN:
                return []
            raise OSError(number, os.strerror(number))
        data = bytes(memoryview(self._data)[: count * room])
        names = bytes(memoryview(self._names)[: count * _NAME])
        length, size = self._length, _CONTROL.size
        packets = []
        for slot in range(count):
            told, got = _RESULT.unpack_from(headers, slot * 64)
            _, _, kind, seconds, nanoseconds, _, _, _, hops = _CONTROL.unpack_from(self._control, slot * size)
            stamp = seconds * 1_000_000_000 + nanoseconds if told >= _ONE_CONTROL and kind == SO_TIMESTAMPNS else 0
            start, name = slot * room, slot * _NAME
            packets.append(
                (data[start : start + got], names[name : name + length], stamp, hops if told > _ONE_CONTROL else None)
            )
        return packets


def _at(buffer: bytearray) -> int:
    """Where a buffer lies. It must not be resized, and it must be kept."""
    return ctypes.addressof((ctypes.c_char * len(buffer)).from_buffer(buffer))


def _recvmmsg() -> Any:
    """The system call, or None where its structures are not those above."""
    call = getattr(ctypes.CDLL(None, use_errno=True), "recvmmsg", None)
    if call is None or struct.calcsize("P") != 8 or _HEADER.size != 64:
        return None
    call.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_int, ctypes.c_void_p)
    call.restype = ctypes.c_int
    return call


_CALL: Final = _recvmmsg()


def receiver(sock: Socket) -> Receiver:
    """The best way to read this socket."""
    if _CALL is not None and isinstance(sock, socket.socket):
        return Batch(sock, _CALL)
    return OneByOne(sock)
