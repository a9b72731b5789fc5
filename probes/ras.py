"""H.225.0 RAS in packed encoding (X.691, aligned): GatekeeperRequest written, the answers to it read.

Owns: those bytes, which agree with an ASN.1 compiler's (see the vectors of the tests). Never: sends; knows any message of a call.
"""

import ipaddress
from dataclasses import dataclass
from enum import Enum
from typing import Final

MOST_BYTES: Final = 8192
"""Of one answer: RAS is sent in one datagram, honest ones have some hundred bytes."""

PROTOCOL: Final = bytes((0, 8, 0x91, 0x4A, 0, 4))
"""{itu-t(0) recommendation(0) h(8) 2250 version(0) 4}: version 4, which every gatekeeper since 2000 understands."""
FAMILY: Final = PROTOCOL[:5]

REASONS: Final = ("resourceUnavailable", "terminalExcluded", "invalidRevision", "undefinedReason")
MORE_REASONS: Final = ("securityDenial", "genericDataReason", "neededFeatureNotSupported", "securityError")


class RasError(ValueError):
    """It is not a RAS message that answers a GatekeeperRequest."""


class Said(Enum):
    """What an answer is."""

    CONFIRM = "GatekeeperConfirm"
    REJECT = "GatekeeperReject"
    UNKNOWN = "UnknownMessageResponse"
    IN_PROGRESS = "RequestInProgress"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """`number` is the request's; `gatekeeper` the identifier it gives itself; `why` stands beside REJECT."""

    said: Said
    number: int
    gatekeeper: str = ""
    why: str = ""


def question(number: int, host: str, port: int, gatekeeper: str | None = None) -> bytes:
    """GatekeeperRequest of a terminal at `host:port`, where the answer shall go; `number` is 1 to 65535."""
    bits = Writer()
    bits.add(0, 1)  # A known message …
    bits.add(0, 5)  # … the first of 25.
    bits.add(0, 1)
    bits.add(0, 1)  # nonStandardData
    bits.add(gatekeeper is not None, 1)
    bits.add(0, 2)  # callServices, endpointAlias
    bits.octets((number - 1).to_bytes(2))
    bits.octets(bytes((len(PROTOCOL),)) + PROTOCOL)
    address = ipaddress.ip_address(host.partition("%")[0])
    bits.add(0, 1)
    bits.add(0 if address.version == 4 else 3, 3)  # ipAddress, ip6Address
    bits.add(0, 1)
    bits.octets(address.packed + port.to_bytes(2))
    bits.add(0, 1)
    bits.add(0b000001, 6)  # EndpointType: of vendor, gatekeeper, gateway, mcu and terminal the last alone.
    bits.add(0, 2)  # TerminalType, empty.
    bits.add(0, 2)  # mc, undefinedNode
    if gatekeeper is not None:
        text = gatekeeper.encode("utf-16-be")
        bits.add(len(text) // 2 - 1, 7)
        bits.octets(text)
    return bits.done()


def read(data: bytes) -> Answer:
    """Take an answer apart; RasError when it is none."""
    if len(data) > MOST_BYTES:
        raise RasError("too long")
    bits = Reader(data)
    if bits.take(1):
        if bits.take(1) or bits.take(6):
            raise RasError("another message")
        bits = Reader(bits.sized())  # RequestInProgress came with version 2, wrapped.
        bits.take(5)
        return Answer(said=Said.IN_PROGRESS, number=bits.number(2) + 1)
    kind = bits.take(5)
    bits.take(1)
    if kind == 24:
        return Answer(said=Said.UNKNOWN, number=bits.number(2) + 1)
    if kind not in (1, 2):
        raise RasError("another message")
    foreign, named = bits.take(1), bits.take(1)
    number = bits.number(2) + 1
    if not bits.sized().startswith(FAMILY):
        raise RasError("another protocol")
    if foreign:
        _skip_foreign(bits)
    gatekeeper = bits.octets(2 * (bits.take(7) + 1)).decode("utf-16-be", "replace") if named else ""
    if kind == 1:
        return Answer(said=Said.CONFIRM, number=number, gatekeeper=gatekeeper)
    if not bits.take(1):
        why = REASONS[bits.take(2)]
    else:
        more = 64 if bits.take(1) else bits.take(6)
        why = MORE_REASONS[more] if more < len(MORE_REASONS) else "a reason of a newer version"
    return Answer(said=Said.REJECT, number=number, gatekeeper=gatekeeper, why=why)


def _skip_foreign(bits: "Reader") -> None:
    """NonStandardParameter: whose it is, and what only they understand."""
    if bits.take(1):
        raise RasError("a vendor named in an unknown way")
    if bits.take(1):
        if bits.take(1):
            raise RasError("a vendor named at length")
        bits.octets(4)  # Country, extension, manufacturer.
    else:
        bits.sized()
    bits.sized()


class Writer:
    """Bits in a row."""

    __slots__ = ("_count", "_value")

    def __init__(self) -> None:
        self._value = self._count = 0

    def add(self, value: int, count: int) -> None:
        """So many bits."""
        self._value = self._value << count | value
        self._count += count

    def octets(self, data: bytes) -> None:
        """Whole bytes, at the next boundary."""
        self.add(0, -self._count % 8)
        self.add(int.from_bytes(data), 8 * len(data))

    def done(self) -> bytes:
        """All of it, filled up to whole bytes."""
        self.add(0, -self._count % 8)
        return self._value.to_bytes(self._count // 8)


class Reader:
    """Bits in a row, each reading checked against what is there."""

    __slots__ = ("_at", "_data")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, count: int) -> int:
        """So many bits (8 at most) as a number."""
        end = self._at + count
        if end > 8 * len(self._data):
            raise RasError("cut off")
        pair = int.from_bytes(self._data[self._at // 8 : self._at // 8 + 2].ljust(2, b"\0"))
        found = pair >> (16 - self._at % 8 - count) & ((1 << count) - 1)
        self._at = end
        return found

    def octets(self, count: int) -> bytes:
        """Whole bytes, at the next boundary."""
        start = -(-self._at // 8)
        if start + count > len(self._data):
            raise RasError("cut off")
        self._at = 8 * (start + count)
        return self._data[start : start + count]

    def number(self, count: int) -> int:
        """A number of so many bytes."""
        return int.from_bytes(self.octets(count))

    def sized(self) -> bytes:
        """Bytes behind their length (X.691 §11.9; nothing here is sent in fragments)."""
        size = self.number(1)
        if size >= 0xC0:
            raise RasError("in fragments")
        if size >= 0x80:
            size = (size & 0x3F) << 8 | self.number(1)
        return self.octets(size)
