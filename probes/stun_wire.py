"""STUN messages on the wire: header, attributes, integrity, fingerprint (RFC 8489), and the attributes of TURN that are used (RFC 8656).

Owns: packing a request, reading an answer that may be hostile, the keys of long-term credentials.
Never: sends, waits, or says what an answer means.
"""

import hashlib
import hmac
import ipaddress
import socket
import struct
import unicodedata
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from probes.contract import ProbeError, Reason
from probes.text import one_line

COOKIE: Final = 0x2112A442
HEAD: Final = 20
MOST_ATTRIBUTES: Final = 128

BINDING: Final = 0x001
ALLOCATE: Final = 0x003
REFRESH: Final = 0x004

UDP_RELAY: Final = bytes((socket.IPPROTO_UDP, 0, 0, 0))
"""REQUESTED-TRANSPORT of a relay that carries datagrams (RFC 8656 §18.7)."""

MD5: Final = 0x0001
SHA256: Final = 0x0002
"""Password algorithms (RFC 8489 §18.5)."""

_HEADER: Final = struct.Struct("!HHI12s")
_ATTRIBUTE: Final = struct.Struct("!HH")
_FINGERPRINT_XOR: Final = 0x5354554E
_NONCE_COOKIE: Final = b"obMatJos2"


class Attr(IntEnum):
    """Attributes that are read or written here, and those that other servers may send without our minding (RFC 8489 §18.3, RFC 8656 §18)."""

    MAPPED_ADDRESS = 0x0001
    RESPONSE_ADDRESS = 0x0002  # To 0x0005, 0x0007 and 0x000B: of RFC 3489, whose servers still answer.
    CHANGE_REQUEST = 0x0003
    SOURCE_ADDRESS = 0x0004
    CHANGED_ADDRESS = 0x0005
    USERNAME = 0x0006
    PASSWORD = 0x0007
    INTEGRITY = 0x0008
    ERROR_CODE = 0x0009
    UNKNOWN = 0x000A
    REFLECTED_FROM = 0x000B
    LIFETIME = 0x000D
    REALM = 0x0014
    NONCE = 0x0015
    XOR_RELAYED_ADDRESS = 0x0016
    REQUESTED_TRANSPORT = 0x0019
    INTEGRITY_SHA256 = 0x001C
    PASSWORD_ALGORITHM = 0x001D
    XOR_MAPPED_ADDRESS = 0x0020
    RESERVATION_TOKEN = 0x0022
    PASSWORD_ALGORITHMS = 0x8002
    SOFTWARE = 0x8022
    ALTERNATE_SERVER = 0x8023
    FINGERPRINT = 0x8028


_KNOWN: Final = frozenset(Attr)
_COMPREHENSION_REQUIRED_BELOW: Final = 0x8000


class Class(IntEnum):
    """What a message is (RFC 8489 §5)."""

    REQUEST = 0
    INDICATION = 1
    SUCCESS = 2
    ERROR = 3


def kind_of(method: int, klass: Class) -> int:
    """The first two bytes of a message: the class's two bits stand among those of the method."""
    return (method & 0xF80) << 2 | (method & 0x070) << 1 | method & 0x00F | (klass & 2) << 7 | (klass & 1) << 4


@dataclass(frozen=True, slots=True)
class Request:
    """What is sent, and by which its answer is known."""

    method: int
    transaction: bytes
    wire: bytes


@dataclass(frozen=True, slots=True)
class Message:
    """An answer as read: its attributes in order, each with where it begins in `wire`."""

    method: int
    klass: Class
    transaction: bytes
    attributes: tuple[tuple[int, bytes, int], ...]
    wire: bytes

    def get(self, wanted: Attr) -> bytes | None:
        """The first attribute of a type (RFC 8489 §14: later ones are ignored)."""
        return next((value for kind, value, _ in self.attributes if kind == wanted), None)

    @property
    def unknown(self) -> tuple[int, ...]:
        """Attributes that one must understand and that are not understood here."""
        return tuple(
            kind for kind, _, _ in self.attributes if kind < _COMPREHENSION_REQUIRED_BELOW and kind not in _KNOWN
        )

    @property
    def software(self) -> str:
        """What the server says it is, for a person."""
        return one_line((self.get(Attr.SOFTWARE) or b"").decode("utf-8", "replace"), 60)

    def error(self) -> tuple[int, str]:
        """Code and phrase of an error; ProbeError `protocol` when it has none."""
        value = self.get(Attr.ERROR_CODE)
        if value is None or len(value) < 4 or not 3 <= value[2] & 7 <= 6 or value[3] > 99:
            raise ProbeError(Reason.PROTOCOL, "an error without a code")
        return (value[2] & 7) * 100 + value[3], one_line(value[4:].decode("utf-8", "replace"), 80)

    def address(self, wanted: Attr) -> tuple[str, int] | None:
        """Address and port in an attribute, the XOR undone where there is one (§14.1, §14.2); None when it is not there."""
        value = self.get(wanted)
        if value is None:
            return None
        size = {1: 4, 2: 16}.get(value[1]) if len(value) >= 4 else None
        if size is None or len(value) != 4 + size:
            raise ProbeError(Reason.PROTOCOL, f"an address in {wanted.name.replace('_', '-')} that is none")
        port, packed = int.from_bytes(value[2:4]), value[4:]
        if wanted in (Attr.XOR_MAPPED_ADDRESS, Attr.XOR_RELAYED_ADDRESS):
            port ^= COOKIE >> 16
            mask = (COOKIE.to_bytes(4) + self.transaction)[:size]
            packed = bytes(one ^ two for one, two in zip(packed, mask, strict=True))
        return str(ipaddress.ip_address(packed)), port

    def fingerprinted(self) -> bool:
        """Whether the FINGERPRINT is right, or there is none (§14.7): the last attribute, over all before it."""
        if not self.attributes or all(kind != Attr.FINGERPRINT for kind, _, _ in self.attributes):
            return True
        kind, value, at = self.attributes[-1]
        return kind == Attr.FINGERPRINT and value == _fingerprint(self.wire[:at])

    def signed_by(self, key: bytes, *, sha256: bool) -> bool:
        """Whether the message carries the integrity that this key makes (§14.5, §14.6); what follows it is not covered."""
        wanted = Attr.INTEGRITY_SHA256 if sha256 else Attr.INTEGRITY
        for kind, value, at in self.attributes:
            if kind == wanted:
                if sha256 and not (16 <= len(value) <= 32 and len(value) % 4 == 0):
                    return False
                expected = _integrity(self.wire[:at], key, sha256=sha256, size=len(value))
                return hmac.compare_digest(value, expected)
        return False


def pack(
    method: int,
    klass: Class,
    transaction: bytes,
    attributes: Iterable[tuple[int, bytes]],
    *,
    key: bytes | None = None,
    sha256: bool = False,
    fingerprint: bool = False,
    padding: bytes = b"\0",
) -> bytes:
    """A message; with a `key` its integrity, by SHA-1 or SHA-256; with `fingerprint` that as well. `padding` is any byte (§14)."""
    body = bytearray()
    for kind, value in attributes:
        body += _ATTRIBUTE.pack(kind, len(value)) + value + padding * (-len(value) % 4)
    wire = _HEADER.pack(kind_of(method, klass), len(body), COOKIE, transaction) + bytes(body)
    if key is not None:
        size = 32 if sha256 else 20
        value = _integrity(wire, key, sha256=sha256, size=size)
        kind = Attr.INTEGRITY_SHA256 if sha256 else Attr.INTEGRITY
        wire = _sized(wire + _ATTRIBUTE.pack(kind, size) + value)
    if fingerprint:
        wire = _sized(wire + _ATTRIBUTE.pack(Attr.FINGERPRINT, 4) + _fingerprint(wire))
    return wire


def _sized(wire: bytes, *, more: int = 0) -> bytes:
    """The same with its length in the header, as if `more` bytes followed."""
    return wire[:2] + (len(wire) - HEAD + more).to_bytes(2) + wire[4:]


def _integrity(before: bytes, key: bytes, *, sha256: bool, size: int) -> bytes:
    """The value of the integrity attribute that follows `before`."""
    digest = "sha256" if sha256 else "sha1"
    return hmac.digest(key, _sized(before, more=4 + size), digest)[:size]


def _fingerprint(before: bytes) -> bytes:
    return (zlib.crc32(_sized(before, more=8)) ^ _FINGERPRINT_XOR).to_bytes(4)


def answers(request: Request, head: bytes) -> bool:
    """Whether a message that begins so answers this request: method, class, magic cookie, transaction."""
    if len(head) < HEAD:
        return False
    kind, _, cookie, transaction = _HEADER.unpack_from(head)
    if cookie != COOKIE or transaction != request.transaction:
        return False
    return kind in (kind_of(request.method, Class.SUCCESS), kind_of(request.method, Class.ERROR))


def begins(head: bytes) -> int | None:
    """The size of the whole message that begins with these 20 bytes; None when no STUN message does."""
    kind, length, cookie, _ = _HEADER.unpack_from(head)
    return None if kind & 0xC000 or length % 4 or cookie != COOKIE else HEAD + length


def read(wire: bytes) -> Message:
    """The message in these bytes, whole and nothing else; ProbeError `truncated` or `protocol` when it is not."""
    kind, length, _, transaction = _HEADER.unpack_from(wire)
    if length > len(wire) - HEAD:
        raise ProbeError(Reason.TRUNCATED, f"{len(wire)} bytes of an answer of {HEAD + length}")
    if length % 4 or length < len(wire) - HEAD:
        raise ProbeError(Reason.PROTOCOL, "a length that does not fit the message")
    attributes: list[tuple[int, bytes, int]] = []
    at = HEAD
    while at < len(wire):
        attribute, size = _ATTRIBUTE.unpack_from(wire, at)
        if at + 4 + size > len(wire) or len(attributes) >= MOST_ATTRIBUTES:
            raise ProbeError(Reason.PROTOCOL, "an attribute beyond the end, or more of them than anybody needs")
        attributes.append((attribute, wire[at + 4 : at + 4 + size], at))
        at += 4 + size + -size % 4
    method = (kind & 0x3E00) >> 2 | (kind & 0x00E0) >> 1 | kind & 0x000F
    return Message(method, Class((kind & 0x100) >> 7 | (kind & 0x10) >> 4), transaction, tuple(attributes), wire)


def prepared(text: str) -> str:
    """A user or a password as it enters a key: OpaqueString (RFC 8265 §4.2), spaces of every kind alike, then form C."""
    return unicodedata.normalize("NFC", "".join(" " if unicodedata.category(one) == "Zs" else one for one in text))


def long_term_key(user: str, realm: bytes, password: str, algorithm: int = MD5) -> bytes:
    """The key of long-term credentials (RFC 8489 §9.2.2, §18.5.1)."""
    text = b":".join((prepared(user).encode(), realm, prepared(password).encode()))
    if algorithm == SHA256:
        return hashlib.sha256(text).digest()
    return hashlib.md5(text, usedforsecurity=False).digest()


def offered(message: Message) -> tuple[int, ...] | None:
    """Password algorithms that a challenge offers, in its order (§14.11); None when it knows of none.

    ProbeError `protocol` when the nonce says that there are and they are missing: somebody took them out (§9.2.5).
    """
    value = message.get(Attr.PASSWORD_ALGORITHMS)
    if value is None:
        if _promises_algorithms(message.get(Attr.NONCE) or b""):
            raise ProbeError(Reason.PROTOCOL, "the password algorithms that the nonce promises are missing")
        return None
    found: list[int] = []
    at = 0
    while at + 4 <= len(value):
        algorithm, size = _ATTRIBUTE.unpack_from(value, at)
        found.append(algorithm)
        at += 4 + size + -size % 4
    return tuple(found)


def _promises_algorithms(nonce: bytes) -> bool:
    """Whether the first bit of the security features in a nonce is set: `obMatJos2`, then 24 bits in base64 (§9.2)."""
    return (
        nonce.startswith(_NONCE_COOKIE)
        and len(nonce) > len(_NONCE_COOKIE)
        and nonce[9:10] in b"ghijklmnopqrstuvwxyz0123456789+/"
    )
