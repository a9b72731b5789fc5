"""Valid raw answers to a request of ours, as real servers write them: for tests, and as seeds to be mutated."""

import ipaddress

from probes.stun_wire import ALLOCATE, BINDING, COOKIE, REFRESH, Attr, Class, Message, long_term_key, pack, read

USER, PASSWORD, REALM, NONCE = "giam-sat", "mat-khau-dung", b"tinh.example", b"f0a1b2c3d4e5"
KEY = long_term_key(USER, REALM, PASSWORD)


def xored(ip: str, port: int, transaction: bytes) -> bytes:
    """As in XOR-MAPPED-ADDRESS."""
    address = ipaddress.ip_address(ip)
    mask = COOKIE.to_bytes(4) + transaction
    packed = bytes(one ^ two for one, two in zip(address.packed, mask, strict=False))
    return bytes((0, 1 if address.version == 4 else 2)) + (port ^ COOKIE >> 16).to_bytes(2) + packed


def plain(ip: str, port: int) -> bytes:
    """As in MAPPED-ADDRESS."""
    address = ipaddress.ip_address(ip)
    return bytes((0, 1 if address.version == 4 else 2)) + port.to_bytes(2) + address.packed


def error(request: Message, code: int, phrase: str, *fields: tuple[int, bytes], fingerprint: bool = False) -> bytes:
    """An error response."""
    value = bytes((0, 0, code // 100, code % 100)) + phrase.encode()
    fields = ((Attr.ERROR_CODE, value), *fields)
    return pack(request.method, Class.ERROR, request.transaction, fields, fingerprint=fingerprint)


def bound(request: Message, ip: str = "203.0.113.9", port: int = 40001) -> bytes:
    """A binding."""
    fields = [(Attr.XOR_MAPPED_ADDRESS, xored(ip, port, request.transaction)), (Attr.SOFTWARE, b"little")]
    return pack(BINDING, Class.SUCCESS, request.transaction, fields, fingerprint=True)


def classic(request: Message) -> bytes:
    """As a server of RFC 3489 says it."""
    fields = [
        (one, plain("203.0.113.9", 40001)) for one in (Attr.MAPPED_ADDRESS, Attr.SOURCE_ADDRESS, Attr.CHANGED_ADDRESS)
    ]
    return pack(BINDING, Class.SUCCESS, request.transaction, fields)


def challenged(request: Message) -> bytes:
    """Who are you?"""
    return error(request, 401, "Unauthorized", (Attr.REALM, REALM), (Attr.NONCE, NONCE))


def granted(request: Message, *, key: bytes | None = KEY, sha256: bool = False) -> bytes:
    """An allocation, or the end of one."""
    fields: list[tuple[int, bytes]] = [(Attr.LIFETIME, request.get(Attr.LIFETIME) or (600).to_bytes(4))]
    if request.method == ALLOCATE:
        fields.append((Attr.XOR_RELAYED_ADDRESS, xored("198.51.100.7", 50000, request.transaction)))
        fields.append((Attr.XOR_MAPPED_ADDRESS, xored("203.0.113.9", 40001, request.transaction)))
    return pack(request.method, Class.SUCCESS, request.transaction, fields, key=key, sha256=sha256)


def answer(wire: bytes) -> bytes:
    """What a server that knows the user says to any request."""
    request = read(wire)
    if request.method in (ALLOCATE, REFRESH):
        return granted(request) if request.signed_by(KEY, sha256=False) else challenged(request)
    return bound(request)
