"""Every way to change an echo reply: each byte, each bit of the checksum and the source, each type and code, each length.

Owns: the list, in a fixed order, each with a name. Never: makes one that is the true echo.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from tests.probes.icmp.province import Request, checksum

PAYLOAD = 56
LENGTH = 8 + PAYLOAD


@dataclass(frozen=True, slots=True)
class Forgery:
    """How one reply differs. `flips` are (byte of the ICMP message, bits); `source` a bit of the sender's address; `length` what is left of it."""

    name: str
    flips: tuple[tuple[int, int], ...] = ()
    sum_right: bool = True
    sum_flip: int = 0
    source: int | None = None
    length: int = LENGTH
    type: int | None = None
    swapped: tuple[int, int] | None = None

    def packet(self, request: Request) -> bytes:
        """The IP packet that goes back for a request."""
        icmp = bytearray(request.echo())
        for at, bits in self.flips:
            icmp[at] ^= bits
        if self.swapped is not None:
            one, other = (slice(at, at + 2) for at in self.swapped)
            icmp[one], icmp[other] = icmp[other], icmp[one]
        if self.type is not None:
            icmp[0] = self.type
        body = bytes(icmp[: self.length]).ljust(self.length, b"\0")
        source = request.target
        if self.source is not None:
            source = (int.from_bytes(source, "big") ^ (1 << self.source)).to_bytes(len(source), "big")
        return _wrapped(request, body, source, self)


def _wrapped(request: Request, body: bytes, source: bytes, how: Forgery) -> bytes:
    packet = bytearray(request.wrap(body, source) if len(body) >= 4 else _short(request, body, source))
    start = 40 if request.v6 else 20
    if not how.sum_right:
        # The true echo's own checksum, beside other bytes.
        true = request.wrap(request.echo())
        packet[start + 2 : start + 4] = true[start + 2 : start + 4]
    for at, bits in ((2, how.sum_flip >> 8), (3, how.sum_flip & 0xFF)):
        if bits:
            packet[start + at] ^= bits
    return bytes(packet)


def _short(request: Request, body: bytes, source: bytes) -> bytes:
    """Fewer bytes than a checksum needs."""
    if request.v6:
        return struct.pack("!IHBB", 0x60000000, len(body), 58, 60) + source + request.source + body
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(body), 0, 0, 60, 1, 0, source, request.source)
    return head[:10] + checksum(head).to_bytes(2, "big") + head[12:] + body


def forgeries(*, v6: bool) -> Iterator[Forgery]:
    """All of them."""
    reply, width = (129, 128) if v6 else (0, 32)
    for at in range(LENGTH):
        part = ["type", "code", "sum", "sum", "id", "id", "seq", "seq"][at] if at < 8 else "payload"
        if at in (2, 3):
            continue
        for bits in (*(1 << bit for bit in range(8)), 0xFF):
            for right in (True, False):
                if at < 1:
                    continue  # All types come below.
                words = "a checksum to match" if right else "the old checksum"
                yield Forgery(f"byte {at} ({part}) ^ {bits:#04x}, {words}", ((at, bits),), right)
    for bit in range(16):
        yield Forgery(f"checksum, bit {bit}", sum_flip=1 << bit)
    yield Forgery("checksum, all bits but one", sum_flip=0xFFFE)
    for bit in range(width):
        yield Forgery(f"source, bit {bit}", source=bit)
    for length in (*range(LENGTH), LENGTH + 1, LENGTH + 2, LENGTH + 8, 2 * LENGTH, 1200):
        yield Forgery(f"{length} bytes long", length=length)
    for type_ in range(256):
        if type_ != reply:
            yield Forgery(f"type {type_}", type=type_)
    for code in range(1, 256):
        yield Forgery(f"code {code}", ((1, code),))
    for one in range(4, 16, 2):
        for other in range(one + 2, 18, 2):
            # The sum stays the same: it does not know the order.
            yield Forgery(f"words at {one} and {other} exchanged", swapped=(one, other), sum_right=False)
