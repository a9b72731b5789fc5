"""A STUN and TURN server over UDP: bindings, and allocations for whoever knows the password. It relays nothing.

Asks the weather at every request: a cut one is silent, a slow one late, a wrong one answers every request with 500; a refused one does not
listen (see `DatagramListener`).
"""

import ipaddress
import secrets
from collections.abc import Callable
from typing import Final

from monitor.sandbox.datagram_listener import Answering, Peer
from monitor.sandbox.faults import Condition
from probes.contract import ProbeError
from probes.stun_wire import (
    ALLOCATE,
    BINDING,
    COOKIE,
    HEAD,
    REFRESH,
    Attr,
    Class,
    Message,
    begins,
    long_term_key,
    pack,
    read,
)

USER: Final = "giam-sat"
PASSWORD: Final = "sandbox"  # noqa: S105 A made-up password of a made-up relay.
REALM: Final = "ninhbinh.example"

_LIFETIME: Final = 600
_FIRST_RELAY_PORT: Final = 49152  # RFC 8656 §7.2

_MOST_ALLOCATIONS: Final = 1024

Reply = tuple[Class, list[tuple[int, bytes]], bytes | None]
"""Class, attributes, and the key that signs them."""


class StunServer(Answering):
    """`allocations` holds who has one; a peer has at most one, and giving it back takes it out."""

    def __init__(
        self,
        weather: Callable[[], Condition],
        *,
        user: str = USER,
        password: str = PASSWORD,
        realm: str = REALM,
        software: str = "Sandbox TURN",
    ) -> None:
        super().__init__(weather)
        self._user, self._realm, self._software = user, realm.encode(), software.encode()
        self._key = long_term_key(user, self._realm, password)
        self._nonce = secrets.token_hex(8).encode()
        self.allocations: dict[Peer, int] = {}

    def answer(self, data: bytes, peer: Peer) -> bytes | None:
        """The response to one datagram; None for what is no request."""
        if len(data) < HEAD or begins(data[:HEAD]) is None:
            return None
        try:
            request = read(data)
        except ProbeError:
            return None
        if request.klass is not Class.REQUEST:
            return None
        klass, attributes, key = self._decide(request, peer)
        attributes.append((Attr.SOFTWARE, self._software))
        return pack(request.method, klass, request.transaction, attributes, key=key, fingerprint=True)

    def _decide(self, request: Message, peer: Peer) -> Reply:
        if self._weather().wrong:
            return _error(500, "Server Error")
        if request.method == BINDING:
            return Class.SUCCESS, [(Attr.XOR_MAPPED_ADDRESS, xored(peer, request.transaction))], None
        if request.method not in (ALLOCATE, REFRESH):
            return _error(400, "Bad Request")
        challenge = [(Attr.REALM, self._realm), (Attr.NONCE, self._nonce)]
        if request.get(Attr.INTEGRITY) is None:
            return _error(401, "Unauthorized", *challenge)
        if request.get(Attr.NONCE) != self._nonce:
            return _error(438, "Stale Nonce", *challenge)
        known = request.get(Attr.USERNAME) == self._user.encode()
        if not known or not request.signed_by(self._key, sha256=False):
            return _error(401, "Unauthorized", *challenge)
        return self._grant(request, peer)

    def _grant(self, request: Message, peer: Peer) -> Reply:
        held = self.allocations.get(peer)
        if request.method == REFRESH:
            lifetime = int.from_bytes(request.get(Attr.LIFETIME) or _LIFETIME.to_bytes(4))
            if held is None:
                return _error(437, "Allocation Mismatch")
            if not lifetime:
                del self.allocations[peer]
            return Class.SUCCESS, [(Attr.LIFETIME, lifetime.to_bytes(4))], self._key
        if held is not None:
            return _error(437, "Allocation Mismatch")
        if len(self.allocations) >= _MOST_ALLOCATIONS:
            return _error(508, "Insufficient Capacity")
        relay = self.allocations[peer] = _FIRST_RELAY_PORT + len(self.allocations) % 16384
        address = self._transport.get_extra_info("sockname")[0] if self._transport is not None else "127.0.0.1"
        fields: list[tuple[int, bytes]] = [
            (Attr.XOR_RELAYED_ADDRESS, xored((address, relay), request.transaction)),
            (Attr.XOR_MAPPED_ADDRESS, xored(peer, request.transaction)),
            (Attr.LIFETIME, _LIFETIME.to_bytes(4)),
        ]
        return Class.SUCCESS, fields, self._key


def xored(peer: Peer, transaction: bytes) -> bytes:
    """An address as XOR-MAPPED-ADDRESS holds it (RFC 8489 §14.2)."""
    address = ipaddress.ip_address(peer[0].partition("%")[0])
    mask = COOKIE.to_bytes(4) + transaction
    packed = bytes(one ^ two for one, two in zip(address.packed, mask, strict=False))
    return bytes((0, 1 if address.version == 4 else 2)) + (peer[1] ^ COOKIE >> 16).to_bytes(2) + packed


def _error(code: int, phrase: str, *fields: tuple[int, bytes]) -> Reply:
    value = bytes((0, 0, code // 100, code % 100)) + phrase.encode()
    return Class.ERROR, [(Attr.ERROR_CODE, value), *fields], None
