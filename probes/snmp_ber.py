"""The little of ASN.1's basic encoding (X.690) that SNMP uses: values into bytes, bytes into values.

Owns: the forms of SMIv2 (RFC 2578) and the refusal of everything else.
Never: recurses, trusts a length, or gives back more than it was given: a message is read flat, each byte once.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from probes.contract import ProbeError, Reason

INTEGER: Final = 0x02
OCTETS: Final = 0x04
NULL: Final = 0x05
OBJECT: Final = 0x06
SEQUENCE: Final = 0x30
ADDRESS: Final = 0x40
COUNTER32: Final = 0x41
GAUGE32: Final = 0x42
TICKS: Final = 0x43
OPAQUE: Final = 0x44
COUNTER64: Final = 0x46
NO_OBJECT: Final = 0x80
NO_INSTANCE: Final = 0x81
END_OF_VIEW: Final = 0x82

ABSENT: Final = frozenset({NULL, NO_OBJECT, NO_INSTANCE, END_OF_VIEW})
NUMBERS: Final = frozenset({INTEGER, COUNTER32, GAUGE32, TICKS, COUNTER64})

MOST_ARCS: Final = 128
"""Sub-identifiers of an object identifier (RFC 2578 §3.5)."""

LONGEST_NUMBER: Final = 9
"""Bytes of a 64-bit number with its leading zero."""


class UnreadableError(ProbeError):
    """Bytes that are not what they claim to be."""

    def __init__(self, why: str) -> None:
        super().__init__(Reason.PROTOCOL, f"an answer that cannot be read: {why}")


def wrap(tag: int, content: bytes) -> bytes:
    """Tag, length, content."""
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    if size < 0x100:
        return bytes((tag, 0x81, size)) + content
    return bytes((tag, 0x82, size >> 8, size & 0xFF)) + content


def integer(value: int, tag: int = INTEGER) -> bytes:
    """A number in as few bytes as it takes, two's complement."""
    return wrap(tag, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))


@lru_cache(maxsize=16384)
def object_id(text: str) -> bytes:
    """`1.3.6.1` as tag, length and content; ValueError when it is no object identifier."""
    arcs = [int(arc) for arc in text.removeprefix(".").split(".")]
    if not 2 <= len(arcs) <= MOST_ARCS or arcs[0] > 2 or (arcs[0] < 2 and arcs[1] > 39) or min(arcs) < 0:
        raise ValueError(f"{text!r} is not an object identifier")
    content = bytearray()
    for arc in (arcs[0] * 40 + arcs[1], *arcs[2:]):
        if arc >> 32:
            raise ValueError(f"{text!r} is not an object identifier: {arc} does not fit 32 bits")
        groups = [arc & 0x7F]
        while arc := arc >> 7:
            groups.append(arc & 0x7F | 0x80)
        content += bytes(reversed(groups))
    return wrap(OBJECT, bytes(content))


@lru_cache(maxsize=4096)
def binding_to_nothing(text: str) -> bytes:
    """One variable of a question: its identifier, and NULL for the value."""
    return wrap(SEQUENCE, object_id(text) + b"\x05\x00")


class Reader:
    """A window on bytes, read from front to back. Everything that does not fit raises UnreadableError."""

    __slots__ = ("_at", "_data", "_end")

    def __init__(self, data: bytes, start: int = 0, end: int | None = None) -> None:
        self._data, self._at = data, start
        self._end = len(data) if end is None else end

    def __bool__(self) -> bool:
        return self._at < self._end

    @property
    def at(self) -> int:
        """Where in the whole the next byte is."""
        return self._at

    def _head(self) -> tuple[int, int, int]:
        """Tag, start and end of the next element; steps over it."""
        data, at = self._data, self._at
        if self._end - at < 2:
            raise UnreadableError("it ends too early")
        tag, size = data[at], data[at + 1]
        at += 2
        if size >= 0x80:
            count = size & 0x7F
            if not 1 <= count <= 4:
                raise UnreadableError("a length that is indefinite" if count == 0 else "a length of too many bytes")
            if self._end - at < count:
                raise UnreadableError("it ends within a length")
            size = int.from_bytes(data[at : at + count], "big")
            at += count
        if size > self._end - at:
            raise UnreadableError("it ends too early")
        self._at = at + size
        return tag, at, at + size

    def any(self) -> tuple[int, bytes]:
        """Tag and content of whatever comes next."""
        tag, start, end = self._head()
        return tag, self._data[start:end]

    def inside(self, tag: int = SEQUENCE) -> "Reader":
        """A reader of the next element's content, which must have this tag."""
        found, start, end = self._head()
        if found != tag:
            raise UnreadableError(f"tag {found:#04x} where {tag:#04x} belongs")
        return Reader(self._data, start, end)

    def content(self, tag: int) -> bytes:
        """The next element's content, which must have this tag."""
        found, content = self.any()
        if found != tag:
            raise UnreadableError(f"tag {found:#04x} where {tag:#04x} belongs")
        return content

    def number(self) -> int:
        """The next element as an INTEGER."""
        return number(self.content(INTEGER))


def number(content: bytes) -> int:
    """A number's content; RFC 2578 knows none of more than 64 bits."""
    if not 1 <= len(content) <= LONGEST_NUMBER:
        raise UnreadableError(f"a number of {len(content)} bytes")
    return int.from_bytes(content, "big", signed=True)


def unsigned(content: bytes) -> int:
    """A counter's content: some devices forget the leading zero of a large one."""
    if not 1 <= len(content) <= LONGEST_NUMBER or (len(content) == LONGEST_NUMBER and content[0]):
        raise UnreadableError(f"a number of {len(content)} bytes")
    return int.from_bytes(content, "big")


def value(tag: int, content: bytes) -> int | bytes | None:
    """A variable's value: a number, bytes as they are, or None for what is not there."""
    if tag == INTEGER:
        return number(content)
    if tag in NUMBERS:
        return unsigned(content)
    return None if tag in ABSENT else content


def arcs(content: bytes) -> tuple[int, ...]:
    """An object identifier's content as numbers, the first two in one as they are encoded: for comparing, not for showing."""
    found: list[int] = []
    arc = 0
    for byte in content:
        arc = arc << 7 | byte & 0x7F
        if arc >> 32:
            raise UnreadableError("a sub-identifier of more than 32 bits")
        if byte < 0x80:
            found.append(arc)
            arc = 0
    if len(found) >= MOST_ARCS or not content or content[-1] & 0x80:
        raise UnreadableError("an object identifier that does not end, or is too long")
    return tuple(found)


def sequence(parts: Sequence[bytes]) -> bytes:
    """Several elements in one."""
    return wrap(SEQUENCE, b"".join(parts))
