"""Compressed bodies, unpacked under a cap: 300 KiB of gzip may be 300 MiB of zeros, and must cost no more than the cap.

Owns: gzip and deflate (RFC 1952, 1950, 1951). Never: holds more decoded bytes than it was allowed.
"""

import zlib
from typing import Final

from probes.contract import ProbeError, Reason

CODINGS: Final = {b"gzip": 31, b"x-gzip": 31, b"deflate": 15}
MEMBERS: Final = 64
"""Members of one gzip stream: honest servers send one."""


class TooLargeError(Exception):
    """The decoded body reached its limit."""


class Inflater:
    """Decodes one body into `out`, which never grows beyond `limit` bytes."""

    __slots__ = ("_bits", "_engine", "_limit", "_members", "_started", "out")

    def __init__(self, coding: bytes, out: bytearray, limit: int) -> None:
        self.out = out
        self._limit = limit
        self._bits = CODINGS[coding]
        self._engine = zlib.decompressobj(self._bits)
        self._members = 0
        self._started = False

    def feed(self, data: bytes) -> None:
        """Decode some more; TooLargeError exactly at the limit, ProbeError `bad_encoding` when it is not what it says it is."""
        while data:
            if self._engine.eof:
                if self._bits != CODINGS[b"gzip"] or not data.startswith(b"\x1f"):
                    return  # What follows the end is padding: RFC 1952 §2.2 knows only another member.
                self._next_member()
            data = self._step(data)

    def finish(self) -> None:
        """The body is complete; ProbeError when the compressed stream is not."""
        if self._started and not self._engine.eof:
            raise ProbeError(Reason.BAD_ENCODING, "the compressed body ends too early")

    def _step(self, data: bytes) -> bytes:
        room = self._limit - len(self.out)
        try:
            # One byte more than there is room for: whether it comes tells "just full" from "too large".
            piece = self._engine.decompress(data, room + 1)
        except zlib.error:
            if self._started or self._bits != CODINGS[b"deflate"]:
                raise ProbeError(Reason.BAD_ENCODING, "the body is not compressed as it says") from None
            # RFC 9110 §8.4.1.2: some servers send deflate without its zlib wrapping.
            self._bits, self._started = -15, True
            self._engine = zlib.decompressobj(-15)
            return data
        self._started = True
        self.out += piece[:room]
        if len(piece) > room:
            raise TooLargeError
        return self._engine.unused_data

    def _next_member(self) -> None:
        self._members += 1
        if self._members >= MEMBERS:
            raise ProbeError(Reason.BAD_ENCODING, "the compressed body has too many members")
        self._engine = zlib.decompressobj(self._bits)
