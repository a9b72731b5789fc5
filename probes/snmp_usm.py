"""SNMPv3's user-based security (RFC 3414; SHA-2 by RFC 7860; AES by RFC 3826, 192 and 256 bits as net-snmp and Cisco have them).

Owns: keys out of pass phrases, sealing and opening of messages. Never: opens a socket, keeps time, or gives a key away.
"""

import hashlib
import hmac
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.decrepit.ciphers.modes import CFB
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from probes.snmp_ber import OCTETS, SEQUENCE, Reader, UnreadableError, integer, wrap

MAX_SIZE: Final = 65_507
"""Bytes that a UDP datagram can carry: what we are ready to receive."""

AUTH, PRIV, REPORTABLE = 1, 2, 4

DIGESTS: Final = {
    # Name: hash, bytes of its authentication parameter.
    "MD5": ("md5", 12), "SHA": ("sha1", 12), "SHA-224": ("sha224", 16), "SHA-256": ("sha256", 24),
    "SHA-384": ("sha384", 32), "SHA-512": ("sha512", 48),
}  # fmt: skip
CIPHERS: Final = {"DES": 16, "AES": 16, "AES-192": 24, "AES-256": 32}
"""Bytes of key; DES: 8 of key, 8 of pre-IV."""

WINDOW: Final = 150
"""Seconds by which a message may be off its engine's clock (RFC 3414 §2.2.3)."""


@lru_cache(maxsize=1024)
def _master(name: str, phrase: bytes) -> bytes:
    """RFC 3414 A.2: the hash of a megabyte of the phrase. A millisecond or two, once for each pass phrase."""
    return hashlib.new(name, (phrase * (1_048_576 // len(phrase) + 1))[:1_048_576]).digest()


def _localized(name: str, phrase: bytes, engine: bytes, size: int) -> bytes:
    """A key for this engine alone, made as long as the cipher wants (draft-reeder: localized keys of localized keys)."""
    master = _master(name, phrase)
    key = found = hashlib.new(name, master + engine + master).digest()
    while len(key) < size:
        again = hashlib.new(name, (found * (1_048_576 // len(found) + 1))[:1_048_576]).digest()
        found = hashlib.new(name, again + engine + again).digest()
        key += found
    return key


def _extended(name: str, phrase: bytes, engine: bytes, size: int) -> bytes:
    """The same, extended after draft-blumenthal-aes-usm-04 §3.1.2.1, which is what net-snmp and most devices do."""
    master = _master(name, phrase)
    key = hashlib.new(name, master + engine + master).digest()
    while len(key) < size:
        key += hashlib.new(name, key).digest()
    return key


@dataclass(frozen=True, slots=True)
class User:
    """Who asks, and with what: names of DIGESTS and CIPHERS, blank for none."""

    name: bytes
    digest: str = ""
    phrase: bytes = field(default=b"", repr=False)
    cipher: str = ""
    privacy: bytes = field(default=b"", repr=False)
    cisco: bool = False
    """Keys of AES-192 and AES-256 extended as Cisco's devices do (draft-reeder-snmpv3-usm-3desede)."""

    @property
    def flags(self) -> int:
        """msgFlags without the reportable bit."""
        return (AUTH if self.digest else 0) | (PRIV if self.cipher else 0)


@lru_cache(maxsize=1024)
def _keys(user: User, engine: bytes) -> tuple[bytes, bytes]:
    """Both localized keys: a hash of a few bytes each, once for each device."""
    if not user.digest:
        return b"", b""
    name = DIGESTS[user.digest][0]
    auth = _extended(name, user.phrase, engine, 0)
    if not user.cipher:
        return auth, b""
    make = _localized if user.cisco else _extended
    return auth, make(name, user.privacy, engine, CIPHERS[user.cipher])[: CIPHERS[user.cipher]]


@dataclass(frozen=True, slots=True)
class Engine:
    """A device's own name and clock: `boots`, and `time` in seconds since, read at `seen_at` (monotonic seconds)."""

    id: bytes
    boots: int
    time: int
    seen_at: float

    def clock(self, now: float) -> int:
        """Its time at `now`, by ours."""
        return self.time + int(now - self.seen_at)


@dataclass(frozen=True, slots=True)
class Opened:
    """A message as it arrived: its engine, how it was protected, and the plain scoped PDU (None when it could not be proved genuine)."""

    id: int
    flags: int
    engine: bytes
    boots: int
    time: int
    scoped: Reader | None


def discovery(id: int, pdu: bytes) -> bytes:
    """A message that asks an engine who it is (RFC 3414 §4)."""
    return _message(
        id, REPORTABLE, wrap(SEQUENCE, b"\x04\x00\x02\x01\x00\x02\x01\x00\x04\x00\x04\x00\x04\x00"), _scoped(b"", pdu)
    )


def seal(id: int, user: User, engine: Engine, now: float, salt: bytes, pdu: bytes) -> bytes:
    """A question to an engine, signed and encrypted as the user wants it. `salt` is 8 fresh bytes."""
    auth, privacy = _keys(user, engine.id)
    boots, time = engine.boots, engine.clock(now)
    data = _scoped(engine.id, pdu)
    salted = b""
    if user.cipher:
        data, salted = _encrypt(user.cipher, privacy, boots, time, salt, data)
        data = wrap(OCTETS, data)
    size = DIGESTS[user.digest][1] if user.digest else 0
    who = wrap(OCTETS, engine.id) + integer(boots) + integer(time) + wrap(OCTETS, user.name)
    tail = wrap(OCTETS, salted)
    blank = bytes(size)
    params = wrap(SEQUENCE, who + wrap(OCTETS, blank) + tail)
    whole = _message(id, user.flags | REPORTABLE, params, data)
    if not size:
        return whole
    sign = hmac.digest(auth, whole, DIGESTS[user.digest][0])[:size]
    at = len(whole) - len(data) - len(tail) - size
    return whole[:at] + sign + whole[at + size :]


def open_message(data: bytes, user: User, known: bytes) -> Opened | None:
    """Take a message apart; None when it is of another version. `scoped` is None when it claims a protection that does not prove true.

    Only what the engine `known` signed is looked into: making keys for every name that somebody sends would be work without bounds.
    """
    message = Reader(data).inside()
    if message.number() != 3:
        return None
    head = message.inside()
    id, _ = head.number(), head.number()
    flags = (head.content(OCTETS) or b"\0")[0]
    if head.number() != 3:
        return None
    params = Reader(message.content(OCTETS)).inside()
    engine, boots, time = params.content(OCTETS), params.number(), params.number()
    name, sign, salt = params.content(OCTETS), params.content(OCTETS), params.content(OCTETS)
    opened = Opened(id, flags, engine, boots, time, None)
    if not 0 <= boots < 1 << 31 or not 0 <= time < 1 << 31 or len(engine) > 32:
        raise UnreadableError("an engine whose name or clock is out of bounds")
    auth, privacy = b"", b""
    if flags & AUTH:
        if not user.digest or engine != known or name != user.name or len(sign) != DIGESTS[user.digest][1]:
            return opened
        auth, privacy = _keys(user, engine)
        if not _genuine(user, auth, data, sign, salt, message.at):
            return opened
    if flags & PRIV:
        if not user.cipher or not flags & AUTH:
            return opened
        plain = _decrypt(user.cipher, privacy, boots, time, salt, message.content(OCTETS))
        return Opened(id, flags, engine, boots, time, _inside(Reader(plain)))
    return Opened(id, flags, engine, boots, time, _inside(message))


def _genuine(user: User, key: bytes, data: bytes, sign: bytes, salt: bytes, end: int) -> bool:
    """Whether the message's digest is right. The parameter lies right before the salt, the last of the security parameters."""
    at = end - len(wrap(OCTETS, salt)) - len(sign)
    if data[at : at + len(sign)] != sign:
        return False  # Encoded in some other way than the shortest: nobody does.
    blank = data[:at] + bytes(len(sign)) + data[at + len(sign) :]
    right = hmac.digest(key, blank, DIGESTS[user.digest][0])[: len(sign)]
    return hmac.compare_digest(right, sign)


def _inside(reader: Reader) -> Reader:
    """The PDU's place in a scoped PDU."""
    scoped = reader.inside()
    scoped.content(OCTETS)
    scoped.content(OCTETS)
    return scoped


def _scoped(engine: bytes, pdu: bytes) -> bytes:
    return wrap(SEQUENCE, wrap(OCTETS, engine) + b"\x04\x00" + pdu)


def _message(id: int, flags: int, params: bytes, data: bytes) -> bytes:
    head = wrap(SEQUENCE, integer(id) + integer(MAX_SIZE) + wrap(OCTETS, bytes((flags,))) + b"\x02\x01\x03")
    return wrap(SEQUENCE, b"\x02\x01\x03" + head + wrap(OCTETS, params) + data)


def _encrypt(cipher: str, key: bytes, boots: int, time: int, salt: bytes, data: bytes) -> tuple[bytes, bytes]:
    """The data encrypted, and the privacy parameter that says how."""
    if cipher == "DES":
        salt = boots.to_bytes(4, "big") + salt[:4]
        data += bytes(-len(data) % 8)
    encryptor = _cipher(cipher, key, boots, time, salt).encryptor()
    return encryptor.update(data) + encryptor.finalize(), salt


def _decrypt(cipher: str, key: bytes, boots: int, time: int, salt: bytes, data: bytes) -> bytes:
    if len(salt) != 8 or (cipher == "DES" and len(data) % 8):
        raise UnreadableError("encrypted in another way than was agreed")
    decryptor = _cipher(cipher, key, boots, time, salt).decryptor()
    return decryptor.update(data) + decryptor.finalize()


def _cipher(cipher: str, key: bytes, boots: int, time: int, salt: bytes) -> "Cipher[CFB] | Cipher[modes.CBC]":
    if cipher == "DES":
        # RFC 3414 §8: the second half of the key is the pre-IV. Thrice the same key makes triple DES the single one.
        start = bytes(one ^ other for one, other in zip(key[8:16], salt, strict=True))
        return Cipher(TripleDES(key[:8] * 3), modes.CBC(start))
    return Cipher(algorithms.AES(key), CFB(boots.to_bytes(4, "big") + time.to_bytes(4, "big") + salt))
