"""Whoever means harm, or has lost his mind: every answer ends in a reason of the closed list, in time, and with bounded work."""

import re
import socket
import ssl
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from probes.contract import Reason
from probes.datagram import MOST_IGNORED
from probes.sip import SipSpec
from tests.probes.little import Handler, reset, serving, tls, wait_for_end
from tests.probes.little_udp import talking
from tests.probes.look import look
from tests.probes.sip.answers import VALID, answer
from tests.probes.tls.chains import file, make, root, server

GOOD = "good.example"
Say = Callable[[bytes], list[bytes]]


def branch(request: bytes, other: bytes) -> bytes:
    """Our Via with another branch."""
    match = re.search(rb"Via: ([^\r]*)", request)
    assert match is not None
    return re.sub(rb"branch=[^;]*", b"branch=" + other, match[1])


BOTH: list[tuple[str, Say, Reason, str]] = [
    # what the server says                                            the reason, and words of the detail: over UDP and over TCP
    ("a status that does not exist", lambda r: [answer(r, status=b"799 Never")], Reason.PROTOCOL, "799"),
    ("status 000", lambda r: [answer(r, status=b"000 Nothing")], Reason.TIMEOUT, ""),
    ("a Content-Length below nothing", lambda r: [answer(r, extra=b"Content-Length: -1\r\n")], Reason.PROTOCOL, "Content-Length"),
    ("two that differ", lambda r: [answer(r, extra=b"Content-Length: 5\r\n")], Reason.PROTOCOL, "Content-Length"),
    ("a Content-Length in words", lambda r: [answer(r).replace(b"Length: 0", b"Length: five")], Reason.PROTOCOL, "Content-Length"),
    ("a Content-Length of 99 digits", lambda r: [answer(r).replace(b"Length: 0", b"Length: " + b"9" * 99)], Reason.BODY_TOO_LARGE, "64 KiB"),
    ("a huge Content-Length", lambda r: [answer(r).replace(b"Length: 0", b"Length: 9999999")], Reason.BODY_TOO_LARGE, ""),
    ("300 header lines", lambda r: [answer(r, extra=b"X: y\r\n" * 300)], Reason.HEADERS_TOO_LARGE, "256"),
    ("no reason phrase", lambda r: [answer(r, status=b"200 ")], Reason.OK, "200"),
    ("NULs and bytes that are no text", lambda r: [answer(r, status=b"200 \x00\xff\xfe\x1b[2J")], Reason.OK, "200"),
    ("markup and formulas in the phrase", lambda r: [answer(r, status=b"503 <script>=cmd()\x07")], Reason.SIP_STATUS, "503 <script>=cmd()"),
    ("another branch", lambda r: [answer(r, via=branch(r, b"z9hG4bKother"))], Reason.TIMEOUT, ""),
    ("no branch", lambda r: [answer(r, via=b"SIP/2.0/UDP 127.0.0.1")], Reason.TIMEOUT, ""),
    ("another Call-ID", lambda r: [answer(r, call_id=b"x")], Reason.TIMEOUT, ""),
    ("another number", lambda r: [answer(r, cseq=b"0 OPTIONS")], Reason.TIMEOUT, ""),
    ("an answer to an INVITE that nobody sent", lambda r: [re.sub(rb"(CSeq: \d+) OPTIONS", rb"\1 INVITE", answer(r))], Reason.TIMEOUT, ""),
    ("another tag of ours", lambda r: [answer(r, from_=b"<sip:a;tag=b@c>;tag=x")], Reason.TIMEOUT, ""),
    ("a foreign answer, then ours", lambda r: [answer(r, call_id=b"x"), answer(r)], Reason.OK, "200 OK, little"),
    ("our own request back", lambda r: [r], Reason.TIMEOUT, ""),
    ("a request of its own, then the answer", lambda r: [r.replace(b"OPTIONS sip", b"NOTIFY sip", 1), answer(r)], Reason.OK, "200"),
    ("a keep-alive, then the answer", lambda r: [b"\r\n\r\n", answer(r)], Reason.OK, "200"),
    ("a keep-alive before the answer", lambda r: [b"\r\n\r\n" + answer(r)], Reason.OK, "200"),
]  # fmt: skip

UDP: list[tuple[str, Say, Reason, str]] = [
    ("garbage", lambda r: [b"\x16\x03\x01\x00\xff" * 9], Reason.TIMEOUT, ""),
    ("an empty datagram", lambda r: [b""], Reason.TIMEOUT, ""),
    ("garbage, then the answer", lambda r: [b"\x00" * 60000, b"", b"SIP/2.0", answer(r)], Reason.OK, "200"),
    ("no end of the head", lambda r: [answer(r).rstrip(b"\r\n")], Reason.TRUNCATED, "middle"),
    ("half of the body", lambda r: [answer(r, body=b"v=0\r\n" * 9)[:-20]], Reason.TRUNCATED, "middle"),
    ("another version", lambda r: [answer(r).replace(b"SIP/2.0 200", b"SIP/3.0 200")], Reason.TIMEOUT, ""),
    ("HTTP", lambda r: [b"HTTP/1.1 400 Bad Request\r\n\r\n"], Reason.TIMEOUT, ""),
]  # fmt: skip


@pytest.mark.parametrize(("sentence", "say", "reason", "words"), [*BOTH, *UDP], ids=[c[0] for c in [*BOTH, *UDP]])
async def test_over_udp(sentence: str, say: Say, reason: Reason, words: str) -> None:
    with talking(lambda request, _: say(request)) as port:
        outcome = await look("sip", {"host": "127.0.0.1", "port": port}, timeout=0.3)
    assert outcome.reason is reason, outcome
    assert words in outcome.detail
    assert outcome.detail.isprintable()


def stream(say: Say, then: Callable[[socket.socket], Any] = wait_for_end) -> Handler:
    def handler(connection: socket.socket) -> None:
        request = b""
        while not request.endswith(b"\r\n\r\n"):
            request += connection.recv(4096)
        for piece in say(request):
            connection.sendall(piece)
        then(connection)

    return handler


def close(connection: socket.socket) -> None:
    connection.close()


@pytest.mark.parametrize(("sentence", "say", "reason", "words"), BOTH, ids=[case[0] for case in BOTH])
async def test_over_tcp(sentence: str, say: Say, reason: Reason, words: str) -> None:
    with serving(stream(say)) as port:
        outcome = await look("sip", {"host": "127.0.0.1", "port": port, "transport": "tcp"}, timeout=0.3)
    assert outcome.reason is reason, outcome
    assert words in outcome.detail
    assert outcome.detail.isprintable()


def mute(connection: socket.socket) -> None:
    connection.shutdown(socket.SHUT_WR)
    wait_for_end(connection)


def soon_reset(connection: socket.socket) -> None:
    time.sleep(0.1)
    reset(connection)


def ssh(connection: socket.socket) -> None:
    connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
    wait_for_end(connection)


def halves(request: bytes) -> list[bytes]:
    whole = answer(request, status=b"100 Trying", body=b"x" * 9) + answer(request)
    return [whole[:7], whole[7:90], whole[90:-30], whole[-30:]]


TCP: list[tuple[str, Handler, Reason, str]] = [
    ("it has nothing to say from the start", mute, Reason.EMPTY_REPLY, "without an answer"),
    ("it closes after the request", stream(lambda r: [], close), Reason.EMPTY_REPLY, "without an answer"),
    ("it resets", stream(lambda r: [], reset), Reason.RESET, ""),
    ("it resets after the answer", stream(lambda r: [answer(r)], soon_reset), Reason.OK, ""),
    ("it is silent", wait_for_end, Reason.TIMEOUT, "in request"),
    ("half of the head", stream(lambda r: [answer(r)[:80]], close), Reason.TRUNCATED, "middle"),
    ("half of the body", stream(lambda r: [answer(r, body=b"v=0\r\n" * 9)[:-20]], close), Reason.TRUNCATED, "middle"),
    ("in pieces, a provisional one with a body before it", stream(halves), Reason.OK, "200"),
    ("only line feeds", stream(lambda r: [answer(r).replace(b"\r\n", b"\n")]), Reason.OK, "200"),
    ("garbage", stream(lambda r: [b"\x15\x03\x01\x00\x02\x02\x28\r\n"]), Reason.PROTOCOL, "not SIP"),
    ("a banner of SSH", ssh, Reason.PROTOCOL, "SSH-2.0"),
    ("HTTP", stream(lambda r: [b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"]), Reason.PROTOCOL, "HTTP/1.1 400"),
    ("a line of 70,000 bytes", stream(lambda r: [b"SIP/2.0 200 " + b"x" * 70000]), Reason.LINE_TOO_LONG, "64 KiB"),
    ("headers without end", stream(lambda r: [b"SIP/2.0 200 OK\r\n" + b"X: y\r\n" * 100_000]), Reason.HEADERS_TOO_LARGE, ""),
    ("one header of many lines without end", stream(lambda r: [b"SIP/2.0 200 OK\r\nX: y\r\n" + b" z\r\n" * 100_000]), Reason.HEADERS_TOO_LARGE, ""),
    ("keep-alives without end", stream(lambda r: [b"\r\n" * 100_000]), Reason.HEADERS_TOO_LARGE, ""),
    ("foreign answers without end", stream(lambda r: [answer(r, call_id=b"x") * 5000]), Reason.PROTOCOL, "none was the answer"),
    ("provisional answers without end", stream(lambda r: [answer(r, status=b"100 Trying") * 5000]), Reason.PROTOCOL, "none was the answer"),
    ("foreign bodies without end", stream(lambda r: [answer(r, call_id=b"x", body=b"x" * 65000) * 40]), Reason.PROTOCOL, "none was the answer"),
]  # fmt: skip


@pytest.mark.parametrize(("sentence", "handler", "reason", "words"), TCP, ids=[case[0] for case in TCP])
async def test_streams(sentence: str, handler: Handler, reason: Reason, words: str) -> None:
    with serving(handler) as port:
        outcome = await look("sip", {"host": "127.0.0.1", "port": port, "transport": "tcp"}, timeout=0.8)
    assert outcome.reason is reason, outcome
    assert words in outcome.detail


@pytest.mark.parametrize("made", VALID, ids=[made.__name__ for made in VALID])
async def test_every_valid_form_is_understood(made: Callable[[bytes], bytes]) -> None:
    with talking(lambda request, _: [made(request)]) as port, serving(stream(lambda request: [made(request)])) as other:
        for keys in ({"port": port}, {"port": other, "transport": "tcp"}):
            outcome = await look("sip", {"host": "127.0.0.1"} | keys)
            assert outcome.reason is Reason.OK, outcome
            assert outcome.facts.get("translated", 0) == (1 if made.__name__ == "natted" else 0)


async def test_a_drip_ends_at_the_deadline() -> None:
    def drip(connection: socket.socket) -> None:
        for byte in b"SIP/2.0 200 OK\r\n" * 9:
            connection.sendall(bytes((byte,)))
            time.sleep(0.05)

    with serving(drip) as port:
        outcome = await look("sip", {"host": "127.0.0.1", "port": port, "transport": "tcp"}, timeout=0.4)
    assert outcome.reason is Reason.TIMEOUT


async def test_a_flood_over_udp_is_bounded() -> None:
    with talking(lambda request, _: [answer(request, call_id=b"x")] * (MOST_IGNORED + 500)) as port:
        outcome = await look("sip", {"host": "127.0.0.1", "port": port}, timeout=6.0)
    assert outcome.reason in (Reason.PROTOCOL, Reason.TIMEOUT), outcome
    assert outcome.facts["ignored"] <= MOST_IGNORED


async def test_memory_is_bounded() -> None:
    cases = [handler for sentence, handler, *_ in TCP if "without end" in sentence]
    for handler in cases:
        with serving(handler) as port:
            keys = {"host": "127.0.0.1", "port": port, "transport": "tcp"}
            tracemalloc.start()
            await look("sip", keys, timeout=5.0)
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
        assert peak < 6 << 20  # The handler's own answer is made in this process as well.


async def test_nobody_listens() -> None:
    with talking(lambda request, _: []) as port, serving(close) as other:
        pass
    for keys in ({"port": port}, {"port": other, "transport": "tcp"}, {"host": "::1", "port": port}):
        outcome = await look("sip", {"host": "127.0.0.1"} | keys)
        assert outcome.reason is Reason.REFUSED, outcome
        assert outcome.seconds < 0.5


async def test_over_ipv6_the_address_stands_in_brackets() -> None:
    heard: list[bytes] = []

    def listen(request: bytes, _: tuple[str, int]) -> list[bytes]:
        heard.append(request)
        return [answer(request)]

    with talking(listen, host="::1") as port:
        outcome = await look("sip", {"host": "::1", "port": port})
        assert outcome.reason is Reason.OK, outcome
        assert outcome.facts["ip_version"] == 6
        text = heard[0].decode()
        assert text.startswith(f"OPTIONS sip:[::1]:{port} SIP/2.0\r\n")
        assert re.search(r"\r\nVia: SIP/2\.0/UDP \[::1\]:\d+;branch=z9hG4bK[0-9a-f]{16};rport\r\n", text)
        assert re.search(r"\r\nFrom: <sip:thongsuot@\[::1\]>;tag=[0-9a-f]+\r\n", text)
        only = await look("sip", {"host": "::1", "port": port, "family": "ipv4"})
        assert only.reason is Reason.DNS_NODATA


async def test_no_two_requests_are_alike_and_none_is_an_invite() -> None:
    heard: list[bytes] = []

    def listen(request: bytes, _: tuple[str, int]) -> list[bytes]:
        heard.append(request)
        return [answer(request)]

    with talking(listen) as port:
        for _ in range(20):
            await look("sip", {"host": "127.0.0.1", "port": port})
    for pattern in (rb"branch=([^;]+)", rb"tag=(\S+)", rb"Call-ID: (\S+)"):
        assert len({re.findall(pattern, request)[0] for request in heard}) == 20
    assert {request.split()[0] for request in heard} == {b"OPTIONS"}


def hello(connection: socket.socket) -> None:
    connection.recv(4096)
    connection.sendall(b"SIP/2.0 400 Bad Request\r\n\r\n")
    wait_for_end(connection)


def dropped(connection: socket.socket) -> None:
    connection.recv(4096)
    reset(connection)


def demanding() -> ssl.SSLContext:
    """A server's context that lets nobody in without a certificate."""
    context = server(make(GOOD, by=root(), names=[GOOD]))
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(file(root()))
    return context


SECURED: list[tuple[str, Handler, Reason, str]] = [
    ("plain SIP on the port of TLS", hello, Reason.TLS_PLAINTEXT, ""),
    ("silence to the ClientHello", wait_for_end, Reason.TIMEOUT, "in tls"),
    ("a reset in the handshake", dropped, Reason.RESET, ""),
    ("an answer", tls(server(make(GOOD, by=root(), names=[GOOD])), stream(lambda r: [answer(r)])), Reason.OK, "200"),
    ("it wants a certificate of ours", tls(demanding(), stream(lambda r: [answer(r)])), Reason.TLS_CLIENT_CERT, ""),
    ("an authority nobody knows", tls(server(make(GOOD, names=[GOOD], by=make("X", authority=True)))), Reason.TLS_UNKNOWN_CA, ""),
]  # fmt: skip


@pytest.mark.parametrize(("sentence", "handler", "reason", "words"), SECURED, ids=[case[0] for case in SECURED])
async def test_over_tls(sentence: str, handler: Handler, reason: Reason, words: str) -> None:
    with serving(handler) as port:
        keys = {"host": GOOD, "port": port, "transport": "tls", "tls": {"ca": file(root())}}
        outcome = await look("sip", keys, timeout=0.8)
    assert outcome.reason is reason, outcome
    assert words in outcome.detail


REFUSED_KEYS: list[tuple[str, dict[str, Any], str]] = [
    ("port 0", {"port": 0}, "greater than or equal to 1"),
    ("port 65536", {"port": 65536}, "less than or equal to 65535"),
    ("a URI for a host", {"host": "sip:a@b"}, "not a host"),
    ("a URI that is none", {"uri": "http://a"}, "not a SIP URI"),
    ("a URI with a line of its own", {"uri": "sip:a@b\r\nX: y"}, "not a SIP URI"),
    ("a display name", {"from": '"A" <sip:a@b>'}, "not a SIP URI"),
    ("sips over UDP", {"uri": "sips:a@b"}, "transport: tls"),
    ("a provisional status", {"expect": {"status": 100}}, "not a final SIP status"),
    ("status 700", {"expect": {"status": "700"}}, "not a final SIP status"),
    ("an empty list", {"expect": {"status": []}}, "at least 1"),
    ("an unknown transport", {"transport": "sctp"}, "transport"),
    ("an unknown key", {"method": "INVITE"}, "method"),
]


@pytest.mark.parametrize(("sentence", "keys", "words"), REFUSED_KEYS, ids=[case[0] for case in REFUSED_KEYS])
def test_keys_that_are_refused(sentence: str, keys: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError) as refused:
        TypeAdapter(SipSpec).validate_python({"host": "a"} | keys)
    assert words in str(refused.value)
