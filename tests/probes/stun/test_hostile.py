"""Whoever means harm, or has lost his mind: every answer ends in a reason of the closed list, in time, and with bounded work."""

import socket
import time
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from probes.contract import Reason
from probes.datagram import MOST_IGNORED
from probes.secret import Secret
from probes.stun import StunSpec
from probes.stun_wire import BINDING, Attr, Class, Message, pack, read
from tests.probes.little import Handler, reset, serving, tls, wait_for_end
from tests.probes.little_udp import talking
from tests.probes.look import LOOPS, Run, look
from tests.probes.stun.answers import bound, classic, error, plain, xored
from tests.probes.tls.chains import file, make, root, server

GOOD = "good.example"
Say = Callable[[Message], list[bytes]]


def success(request: Message, *fields: tuple[int, bytes], transaction: bytes | None = None, **more: Any) -> bytes:
    return pack(BINDING, Class.SUCCESS, transaction or request.transaction, fields, **more)


def mapped(request: Message) -> tuple[int, bytes]:
    return Attr.XOR_MAPPED_ADDRESS, xored("203.0.113.9", 40001, request.transaction)


NOWHERE = (Attr.ALTERNATE_SERVER, b"x")
ALTERNATE = (Attr.ALTERNATE_SERVER, plain("192.0.2.7", 3479))

BOTH: list[tuple[str, Say, Reason, str]] = [
    # what the server says                                             the reason, and words of the detail: over UDP and over TCP
    ("a binding", lambda r: [bound(r)], Reason.OK, "we are 203.0.113.9 port 40001"),
    ("a binding of IPv6", lambda r: [bound(r, "2001:db8::9", 1)], Reason.OK, "we are 2001:db8::9 port 1"),
    ("a binding of RFC 3489", lambda r: [classic(r)], Reason.OK, "we are 203.0.113.9 port 40001"),
    ("attributes that one may ignore", lambda r: [success(r, (0x8FFF, b"abc"), mapped(r), (0xC001, b""))], Reason.OK, ""),
    ("attributes that one must understand", lambda r: [success(r, (0x7FFF, b"abc"), mapped(r))], Reason.PROTOCOL, "0x7fff"),
    ("no address", lambda r: [success(r, (Attr.SOFTWARE, b"x"))], Reason.PROTOCOL, "without an address"),
    ("nothing at all", lambda r: [success(r)], Reason.PROTOCOL, "without an address"),
    ("an address of no family", lambda r: [success(r, (Attr.XOR_MAPPED_ADDRESS, b"\0\7\0\1abcd"))], Reason.PROTOCOL, "XOR-MAPPED-ADDRESS"),
    ("an address of three bytes", lambda r: [success(r, (Attr.XOR_MAPPED_ADDRESS, b"\0\1\0"))], Reason.PROTOCOL, ""),
    ("IPv6 in four bytes", lambda r: [success(r, (Attr.XOR_MAPPED_ADDRESS, b"\0\2\0\1abcd"))], Reason.PROTOCOL, ""),
    ("an error", lambda r: [error(r, 500, "Server Error")], Reason.STUN_ERROR, "500 Server Error"),
    ("it wants a password for it", lambda r: [error(r, 401, "Unauthorized")], Reason.STUN_ERROR, "401"),
    ("elsewhere", lambda r: [error(r, 300, "Try Alternate", ALTERNATE)], Reason.STUN_ERROR, "300 Try Alternate, try 192.0.2.7 port 3479"),
    ("elsewhere, but nobody knows where", lambda r: [error(r, 300, "Try Alternate", NOWHERE)], Reason.STUN_ERROR, "300 Try"),
    ("an error with bytes that are no text", lambda r: [error(r, 420, "\x00\x1b[2J<b>\u202e")], Reason.STUN_ERROR, "420"),
    ("an error without a code", lambda r: [pack(BINDING, Class.ERROR, r.transaction, [])], Reason.PROTOCOL, "without a code"),
    ("error 799", lambda r: [pack(BINDING, Class.ERROR, r.transaction, [(Attr.ERROR_CODE, b"\0\0\7\143")])], Reason.PROTOCOL, "without a code"),
    ("an attribute beyond the end", lambda r: [success(r, (Attr.SOFTWARE, b"1234"))[:-8] + b"\x80\x22\x01\0abcd"], Reason.PROTOCOL, "beyond the end"),
    ("2,000 attributes", lambda r: [success(r, *[(0x8FFF, b"")] * 2000, mapped(r))], Reason.PROTOCOL, "more of them"),
    ("another transaction", lambda r: [success(r, mapped(r), transaction=bytes(12))], Reason.TIMEOUT, ""),
    ("another transaction, then ours", lambda r: [success(r, mapped(r), transaction=bytes(12)), bound(r)], Reason.OK, ""),
    ("our own request back", lambda r: [r.wire], Reason.TIMEOUT, ""),
    ("an indication", lambda r: [pack(BINDING, Class.INDICATION, r.transaction, [mapped(r)])], Reason.TIMEOUT, ""),
    ("an answer to another method", lambda r: [pack(3, Class.SUCCESS, r.transaction, [mapped(r)])], Reason.TIMEOUT, ""),
]  # fmt: skip


def broken_fingerprint(request: Message) -> bytes:
    return bound(request)[:-1] + b"\0"


UDP: list[tuple[str, Say, Reason, str]] = [
    ("garbage", lambda r: [b"\xff" * 60000, b"", b"\0" * 20], Reason.TIMEOUT, ""),
    ("garbage, then the answer", lambda r: [b"\xff" * 60000, b"", b"\0" * 20, bound(r)], Reason.OK, ""),
    ("another cookie", lambda r: [bound(r)[:4] + bytes(4) + bound(r)[8:]], Reason.TIMEOUT, ""),
    ("a wrong fingerprint", lambda r: [broken_fingerprint(r)], Reason.TIMEOUT, ""),
    ("a wrong fingerprint, then a right one", lambda r: [broken_fingerprint(r), bound(r)], Reason.OK, ""),
    ("half of it", lambda r: [bound(r)[:30]], Reason.TRUNCATED, "30 bytes"),
    ("more than it says", lambda r: [bound(r) + b"more"], Reason.PROTOCOL, "length"),
    ("a length that is not of whole words", lambda r: [bound(r)[:2] + b"\0\x0d" + bound(r)[4:33]], Reason.PROTOCOL, "length"),
]  # fmt: skip


@pytest.mark.parametrize(("sentence", "say", "reason", "words"), [*BOTH, *UDP], ids=[c[0] for c in [*BOTH, *UDP]])
async def test_over_udp(sentence: str, say: Say, reason: Reason, words: str) -> None:
    with talking(lambda request, _: say(read(request))) as port:
        outcome = await look("stun", {"host": "127.0.0.1", "port": port}, timeout=0.3)
    assert outcome.reason is reason, outcome
    assert words in outcome.detail
    assert outcome.detail.isprintable()


def stream(say: Say, then: Callable[[socket.socket], Any] = wait_for_end) -> Handler:
    def handler(connection: socket.socket) -> None:
        for piece in say(read(connection.recv(4096))):
            connection.sendall(piece)
        then(connection)

    return handler


def close(connection: socket.socket) -> None:
    connection.close()


@pytest.mark.parametrize(("sentence", "say", "reason", "words"), BOTH, ids=[case[0] for case in BOTH])
async def test_over_tcp(sentence: str, say: Say, reason: Reason, words: str) -> None:
    with serving(stream(say)) as port:
        outcome = await look("stun", {"host": "127.0.0.1", "port": port, "transport": "tcp"}, timeout=0.3)
    assert outcome.reason is reason, outcome
    assert words in outcome.detail
    assert outcome.detail.isprintable()


def drip(connection: socket.socket) -> None:
    for byte in bound(read(connection.recv(4096))):
        connection.sendall(bytes((byte,)))
        time.sleep(0.02)


TCP: list[tuple[str, Handler, Reason, str]] = [
    ("it closes after the request", stream(lambda r: [], close), Reason.EMPTY_REPLY, "without an answer"),
    ("it resets", stream(lambda r: [], reset), Reason.RESET, ""),
    ("it is silent", wait_for_end, Reason.TIMEOUT, "in binding"),
    ("half of the head", stream(lambda r: [bound(r)[:11]], close), Reason.PROTOCOL, "not STUN"),
    ("half of the body", stream(lambda r: [bound(r)[:30]], close), Reason.TRUNCATED, "middle"),
    ("in pieces", stream(lambda r: [bound(r)[:9], bound(r)[9:33], bound(r)[33:]]), Reason.OK, ""),
    ("a byte at a time", drip, Reason.TIMEOUT, ""),
    ("HTTP", stream(lambda r: [b"HTTP/1.1 400 Bad Request\r\n\r\n"]), Reason.PROTOCOL, "HTTP/1.1 400"),
    ("another cookie", stream(lambda r: [bound(r)[:4] + bytes(4) + bound(r)[8:]]), Reason.PROTOCOL, "not STUN"),
    ("a wrong fingerprint", stream(lambda r: [broken_fingerprint(r)]), Reason.PROTOCOL, "fingerprint"),
    ("foreign answers without end", stream(lambda r: [success(r, transaction=bytes(12)) * 5000]), Reason.PROTOCOL, "none was the answer"),
    ("large foreign answers without end", stream(lambda r: [success(r, (0x8FFF, bytes(65000)), transaction=bytes(12)) * 40]),
     Reason.PROTOCOL, "none was the answer"),
]  # fmt: skip


@pytest.mark.parametrize(("sentence", "handler", "reason", "words"), TCP, ids=[case[0] for case in TCP])
async def test_streams(sentence: str, handler: Handler, reason: Reason, words: str) -> None:
    with serving(handler) as port:
        outcome = await look("stun", {"host": "127.0.0.1", "port": port, "transport": "tcp"}, timeout=0.6)
    assert outcome.reason is reason, outcome
    assert words in outcome.detail


async def test_a_flood_over_udp_is_bounded() -> None:
    def flood(request: bytes, _: tuple[str, int]) -> list[bytes]:
        return [success(read(request), transaction=bytes(12))] * (MOST_IGNORED + 500)

    with talking(flood) as port:
        outcome = await look("stun", {"host": "127.0.0.1", "port": port}, timeout=4.0)
    assert outcome.reason in (Reason.PROTOCOL, Reason.TIMEOUT), outcome
    assert outcome.facts["ignored"] <= MOST_IGNORED


async def test_nobody_listens() -> None:
    with talking(lambda request, _: []) as port, serving(close) as other:
        pass
    for keys in ({"port": port}, {"port": other, "transport": "tcp"}, {"host": "::1", "port": port}):
        outcome = await look("stun", {"host": "127.0.0.1"} | keys)
        assert outcome.reason is Reason.REFUSED, outcome
        assert outcome.seconds < 0.5


@LOOPS
def test_over_both_families_and_whether_an_address_is_translated(run: Run) -> None:
    for host, family in (("127.0.0.1", 4), ("::1", 6)):
        with talking(lambda request, where: [bound(read(request), *where)], host=host) as port:
            outcome = run(look("stun", {"host": host, "port": port}))
        assert outcome.reason is Reason.OK, outcome
        assert (outcome.facts["translated"], outcome.facts["ip_version"]) == (0, family)
        with talking(lambda request, _: [bound(read(request))], host=host) as port:
            outcome = run(look("stun", {"host": host, "port": port}))
        assert (outcome.facts["translated"], outcome.facts["mapped_port"]) == (1, 40001)


async def test_a_lost_request_is_sent_again_as_it_was() -> None:
    heard: list[bytes] = []

    def second(request: bytes, _: tuple[str, int]) -> list[bytes]:
        heard.append(request)
        return [bound(read(request))] if len(heard) == 2 else []

    with talking(second) as port:
        outcome = await look("stun", {"host": "127.0.0.1", "port": port})
    assert outcome.reason is Reason.OK
    assert heard[0] == heard[1]
    assert outcome.facts["retransmissions"] == 1
    assert "rtt" not in outcome.facts
    assert 0.5 <= outcome.facts["seconds"] < 0.8


SECURED: list[tuple[str, Handler, Reason, str]] = [
    ("an answer", tls(server(make(GOOD, by=root(), names=[GOOD])), stream(lambda r: [bound(r)])), Reason.OK, "we are"),
    ("another name", tls(server(make("x", by=root(), names=["x.example"]))), Reason.TLS_NAME, ""),
    ("silence to the ClientHello", wait_for_end, Reason.TIMEOUT, "in tls"),
    (
        "plain text",
        lambda connection: connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
        Reason.TLS_PLAINTEXT,
        "",
    ),
]


@pytest.mark.parametrize(("sentence", "handler", "reason", "words"), SECURED, ids=[case[0] for case in SECURED])
async def test_over_tls(sentence: str, handler: Handler, reason: Reason, words: str) -> None:
    with serving(handler) as port:
        keys = {"host": GOOD, "port": port, "transport": "tls", "tls": {"ca": file(root())}}
        outcome = await look("stun", keys, timeout=0.8)
    assert outcome.reason is reason, outcome
    assert words in outcome.detail


REFUSED_KEYS: list[tuple[str, dict[str, Any]]] = [
    ("port 0", {"port": 0}),
    ("a URI for a host", {"host": "stun:a"}),
    ("a password in the file", {"turn": {"user": "a", "password": "plain"}}),
    ("a password without a user", {"turn": {"password": Secret("x")}}),
    ("an empty user", {"turn": {"user": "", "password": Secret("x")}}),
    ("an unknown transport", {"transport": "dtls"}),
    ("an unknown key", {"relay": True}),
]


@pytest.mark.parametrize(("sentence", "keys"), REFUSED_KEYS, ids=[case[0] for case in REFUSED_KEYS])
def test_keys_that_are_refused(sentence: str, keys: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(StunSpec).validate_python({"host": "a"} | keys)
