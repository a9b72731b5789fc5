"""ASN.1 as it stands in signed answers: taken apart lazily under caps, and the little that has to be written.

Owns: tag, length and value (X.690), BER's indefinite lengths turned into definite ones, the few types that a time stamp, a status of a
certificate and a revocation list are made of. Never: knows what a structure means; copies what it does not have to.

What comes from a target is hostile: every length is checked against what is there, nothing recurses without a limit, and whatever is wrong is
one `Asn1Error`.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

MOST_DEPTH: Final = 32
MOST_ITEMS: Final = 4096
"""Values of one message that are rewritten, or listed in a row."""

INTEGER, BIT_STRING, OCTET_STRING, NULL, OID, ENUMERATED = 0x02, 0x03, 0x04, 0x05, 0x06, 0x0A
BOOLEAN: Final = 0x01
UTF8: Final = 0x0C
UTC_TIME, GENERALIZED_TIME = 0x17, 0x18
SEQUENCE, SET = 0x30, 0x31


class Asn1Error(ValueError):
    """It is not the ASN.1 that it should be."""


class Value(NamedTuple):
    """One value of a message: `whole[start:end]` with its tag and length, `whole[inside:end]` without."""

    whole: memoryview
    start: int
    inside: int
    end: int

    @property
    def tag(self) -> int:
        """The first byte: class, whether it is made of others, number."""
        return self.whole[self.start]

    @property
    def content(self) -> bytes:
        """What is inside."""
        return bytes(self.whole[self.inside : self.end])

    @property
    def encoded(self) -> bytes:
        """With its tag and length."""
        return bytes(self.whole[self.start : self.end])

    @property
    def size(self) -> int:
        """Bytes with tag and length."""
        return self.end - self.start

    def items(self, most: int = MOST_ITEMS) -> Iterator["Value"]:
        """The values inside, in order."""
        at, count = self.inside, 0
        while at < self.end:
            count += 1
            if count > most:
                raise Asn1Error(f"more than {most} values in one")
            found = one(self.whole, at, self.end)
            at = found.end
            yield found

    def first(self) -> "Value":
        """The first value inside."""
        return one(self.whole, self.inside, self.end)


class Fields:
    """The values inside of a SEQUENCE, read in order."""

    __slots__ = ("_row", "next")

    def __init__(self, value: Value, tag: int = SEQUENCE) -> None:
        if value.tag != tag:
            raise Asn1Error(f"tag {value.tag:#04x} where {tag:#04x} belongs")
        self._row = value.items()
        self.next = next(self._row, None)

    def take(self, *tags: int) -> Value:
        """The next value, which must have one of these tags (any when none is given)."""
        found = self.next
        if found is None:
            raise Asn1Error("a value is missing")
        if tags and found.tag not in tags:
            raise Asn1Error(f"tag {found.tag:#04x} where {tags[0]:#04x} belongs")
        self.next = next(self._row, None)
        return found

    def maybe(self, *tags: int) -> Value | None:
        """The next value if it has one of these tags."""
        return self.take(*tags) if self.next is not None and self.next.tag in tags else None


def parse(data: bytes | bytearray) -> Value:
    """The one value that `data` is; BER with indefinite lengths is rewritten first, what follows the value is refused."""
    try:
        found = one(memoryview(data), 0, len(data))
    except _IndefiniteError:
        data = definite(data)
        found = one(memoryview(data), 0, len(data))
    if found.end != len(data):
        raise Asn1Error("something follows the message")
    return found


class _IndefiniteError(Asn1Error):
    pass


def one(data: memoryview, at: int, end: int) -> Value:
    """The value that begins at `at` and must not go beyond `end`."""
    if at + 2 > end:
        raise Asn1Error("cut off")
    if data[at] & 0x1F == 0x1F:
        raise Asn1Error("a tag of many bytes")
    size, inside = data[at + 1], at + 2
    if size == 0x80:
        raise _IndefiniteError("indefinite length")
    if size > 0x80:
        count = size & 0x7F
        inside += count
        if count > 4 or inside > end:
            raise Asn1Error("a length that cannot be")
        size = int.from_bytes(data[at + 2 : inside])
    if inside + size > end:
        raise Asn1Error("cut off")
    return Value(data, at, inside, inside + size)


def definite(data: bytes | bytearray) -> bytes:
    """BER as DER would frame it: definite lengths, octet strings in one piece (RFC 5652 allows senders of CMS the other)."""
    whole, _, _ = _rewritten(memoryview(data), 0, len(data), 0, 0)
    return whole


def _rewritten(data: memoryview, at: int, end: int, depth: int, done: int) -> tuple[bytes, int, int]:
    """One value rewritten, where it ended, and how many have been rewritten by now."""
    if depth > MOST_DEPTH or done > MOST_ITEMS:
        raise Asn1Error("nested too deep, or in too many pieces")
    if at + 2 > end:
        raise Asn1Error("cut off")
    tag, done = data[at], done + 1
    if data[at + 1] != 0x80:
        known = one(data, at, end)
        if not tag & 0x20:
            return known.encoded, known.end, done
        inside, stop, open_end = known.inside, known.end, False
    else:
        if not tag & 0x20:
            raise Asn1Error("an indefinite length where there is nothing inside")
        inside, stop, open_end = at + 2, end, True
    parts: list[bytes] = []
    while True:
        if open_end and bytes(data[inside : inside + 2]) == b"\0\0":
            inside += 2
            break
        if not open_end and inside >= stop:
            break
        part, inside, done = _rewritten(data, inside, stop, depth + 1, done)
        parts.append(part)
    if tag == OCTET_STRING | 0x20:
        pieces = [one(memoryview(part), 0, len(part)) for part in parts]
        if any(piece.tag != OCTET_STRING for piece in pieces):
            raise Asn1Error("an octet string made of something else")
        return tlv(OCTET_STRING, *(piece.content for piece in pieces)), inside, done
    return tlv(tag, *parts), inside, done


# Types.


def integer(value: Value) -> int:
    """An INTEGER or ENUMERATED of at most 64 bytes."""
    if value.end - value.inside > 64 or value.end == value.inside:
        raise Asn1Error("a number that cannot be")
    return int.from_bytes(value.content, signed=True)


def oid(value: Value) -> str:
    """An OBJECT IDENTIFIER in dots."""
    content = value.content
    if value.tag != OID or not content or len(content) > 64 or content[-1] & 0x80:
        raise Asn1Error("an object identifier that cannot be")
    arcs, number = [], 0
    for byte in content:
        number = number << 7 | byte & 0x7F
        if not byte & 0x80:
            arcs.append(number)
            number = 0
    head = min(arcs[0] // 40, 2)
    return ".".join(map(str, [head, arcs[0] - 40 * head, *arcs[1:]]))


def algorithm(value: Value) -> tuple[str, Value | None]:
    """An AlgorithmIdentifier: its name and its parameters."""
    fields = Fields(value)
    return oid(fields.take(OID)), fields.next


def moment(value: Value) -> datetime:
    """A GeneralizedTime or UTCTime in UTC (RFC 5280 §4.1.2.5; fractions of a second as RFC 3161 §2.4.2 allows them)."""
    text = value.content.decode("ascii", "replace")
    if value.tag == UTC_TIME:
        text = ("20" if text[:2] < "50" else "19") + text
    elif value.tag != GENERALIZED_TIME:
        raise Asn1Error("a time that is none")
    digits, dot, fraction = text.removesuffix("Z").partition(".")
    if not (
        text.endswith("Z")
        and digits.isdecimal()
        and digits.isascii()
        and len(digits) in (12, 14)
        and (not dot or (fraction.isdecimal() and fraction.isascii() and len(fraction) <= 9))
    ):
        raise Asn1Error(f"a time that cannot be: {text[:30]!r}")
    try:
        found = datetime.strptime(digits.ljust(14, "0"), "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        raise Asn1Error(f"a time that cannot be: {text[:30]!r}") from None
    return found + timedelta(microseconds=int(fraction[:6].ljust(6, "0"))) if dot else found


# Writing.


def tlv(tag: int, *parts: bytes) -> bytes:
    """A value out of what is inside of it."""
    size = sum(map(len, parts))
    if size < 0x80:
        return b"".join((bytes((tag, size)), *parts))
    length = size.to_bytes((size.bit_length() + 7) // 8)
    return b"".join((bytes((tag, 0x80 | len(length))), length, *parts))


def number(value: int) -> bytes:
    """An INTEGER."""
    return tlv(INTEGER, value.to_bytes(value.bit_length() // 8 + 1, signed=True))


def name(dotted: str) -> bytes:
    """An OBJECT IDENTIFIER out of its dots; ValueError when it is none."""
    try:
        arcs = [int(arc) for arc in dotted.split(".")]
    except ValueError:
        raise ValueError(f"{dotted!r} is not an object identifier: numbers with dots, such as 1.2.704.1") from None
    if len(arcs) < 2 or min(arcs) < 0 or arcs[0] > 2 or (arcs[0] < 2 and arcs[1] > 39):
        raise ValueError(f"{dotted!r} is not an object identifier: numbers with dots, such as 1.2.704.1")
    content = b""
    for arc in (arcs[0] * 40 + arcs[1], *arcs[2:]):
        piece = bytes((arc & 0x7F,))
        while arc := arc >> 7:
            piece = bytes((arc & 0x7F | 0x80,)) + piece
        content += piece
    return tlv(OID, content)
