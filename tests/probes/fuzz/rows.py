"""The table: a row for each way of each kind to be lied to. A new kind is a new row."""

import random
from collections.abc import Sequence
from functools import cache, lru_cache

from probes.secret import Secret
from probes.snmp_ber import integer
from probes.snmp_wire import REPORT, RESPONSE
from probes.stun_wire import read
from tests.probes.fuzz.cases import Row, Way
from tests.probes.fuzz.ground import GROUND, HTTP_WORDS
from tests.probes.fuzz.mutate import mutate
from tests.probes.h323 import answers as h323
from tests.probes.h323.vectors import GIVEN, numbered
from tests.probes.journey import answers as journey
from tests.probes.ocsp import answers as ocsp
from tests.probes.ocsp.responder import crl, leaf
from tests.probes.sip import answers as sip
from tests.probes.snmp import answers as snmp
from tests.probes.snmp import test_security as v3
from tests.probes.stun import answers as stun
from tests.probes.tls.chains import file, intermediate, root
from tests.probes.tsa import answers as tsa
from tests.probes.web import said

WAYS: tuple[tuple[str, Way], ...] = (("udp", "datagram"), ("tcp", "stream"))

SIP_WORDS = (
    b"SIP/2.0 100 Trying\r\n", b"SIP/2.0 503 No\r\nRetry-After: 9999999999\r\n", b"Content-Length: 99999\r\n", b"l: -1\r\n", b"\r\n\r\n",
    b";received=[::", b";rport=99999", b";branch=z9hG4bK", b"Via: x\r\n" * 300, b"OPTIONS sip:a SIP/2.0\r\n", b"CSeq: 1 INVITE\r\n",
)  # fmt: skip


def fixed(count: int) -> bytes:
    """Nonces that are always the same."""
    return bytes(range(1, count + 1))


SIP = tuple(
    Row(
        name=f"sip over {transport}",
        kind="sip",
        way=way,
        keys=[
            {"host": "127.0.0.1", "port": "{port}", "transport": transport, **more}
            for more in ({}, {"expect": {"status": [200, "4xx"]}}, {"from": "sip:a@b.vn", "uri": "sip:c@d.vn"})
        ],
        answers=lambda request: [make(request) for make in sip.VALID],
        words=SIP_WORDS,
        count=5000,
    )
    for transport, way in WAYS
)


def stunned(wire: bytes) -> Sequence[bytes]:
    """What servers say to a request, the right thing three times as often."""
    request = read(wire)
    others = [stun.bound(request), stun.classic(request), stun.challenged(request), stun.granted(request)]
    return (
        [stun.answer(wire)] * 6
        + others
        + [stun.error(request, 300, "Try Alternate"), stun.error(request, 438, "Stale Nonce")]
    )


STUN = tuple(
    Row(
        name=f"stun over {transport}",
        kind="stun",
        way=way,
        keys=[
            {"host": "127.0.0.1", "port": "{port}", "transport": transport, **more}
            for more in ({}, {"turn": {"user": stun.USER, "password": Secret(stun.PASSWORD)}})
        ],
        answers=stunned,
        words=(b"\x21\x12\xa4\x42", b"\0\x20\0\x08\0\x01", b"\x80\x28\0\4", b"\0\x08\0\x14" + bytes(20)),
        count=5000,
        turns=4,
        deep=4,
    )
    for transport, way in WAYS
)

H323 = (
    Row(
        name="h323",
        kind="h323",
        way="datagram",
        keys=[
            {"host": "127.0.0.1", "ras_port": "{port}", "signalling_port": 0, **more}
            for more in ({}, {"gatekeeper": "NB-GK"})
        ],
        answers=lambda request: [h323.answer(request), *(numbered(data, request) for _, _, _, data in GIVEN)],
        lanes=200,
        deep=2,
    ),
)


@lru_cache(4096)
def device(request: bytes) -> Sequence[bytes]:
    return (snmp.answer(request),)


def secured(question: bytes) -> Sequence[bytes]:
    """A device of version 3: it introduces itself, then answers; half of the answers are damaged before they are signed and sealed."""
    id_, flags = v3.header(question)
    if not flags & 1:
        return [v3.report(question, 4)]
    request = v3.opened(question)[1]
    body = v3.pdu(RESPONSE, request, v3.UPTIME, integer(123400, 0x43))
    bent = mutate(random.Random(question), [body])[:1200]
    sealed = [v3.said(id_, v3.GOOD, one, v3.engine()) for one in (body, bent)]
    return [*sealed, *sealed, v3.said(id_, v3.SIGNED, v3.pdu(REPORT, 0, f"{v3.USM}2.0", integer(1, 0x41)), v3.engine())]


SIGNED = {
    "auth": {"protocol": "SHA-256", "password": Secret("mat-khau-ky-1")},
    "priv": {"protocol": "AES", "password": Secret("mat-khau-ma-2")},
}

SNMP = (
    Row(
        name="snmp",
        kind="snmp",
        way="datagram",
        keys=[
            {"host": "127.0.0.1", "port": "{port}", "community": Secret(snmp.COMMUNITY), **keys}
            for keys in (snmp.KEYS, {"oids": snmp.KEYS["oids"]})
        ],
        answers=device,
        entropy=fixed,
        words=(b"\x30\x82\xff\xff", b"\x02\x01\x00", b"\x46\x08\xff\xff\xff\xff\xff\xff\xff\xff", b"\x06\x20" + b"\xff" * 32, b"\x05\0", b"\x82\0"),
        free_facts=frozenset(snmp.KEYS["oids"]),
        lanes=24,
        timeout=0.8,
        deep=3,
    ),
    Row(
        name="snmp, version 3",
        kind="snmp",
        way="datagram",
        keys=[
            {"host": "127.0.0.1", "port": "{port}", "version": "3", "user": "giamsat", **SIGNED},
            {"host": "127.0.0.1", "port": "{port}", "version": "3", "user": "giamsat"},
        ],
        answers=secured,
        count=500,
        lanes=24,
        timeout=0.8,
        deep=3,
    ),
)  # fmt: skip


@cache
def stamped(query: bytes) -> bytes:
    return tsa.answer(b"\r\n\r\n" + query)


TSA = (
    Row(
        name="tsa",
        kind="tsa",
        way="stream",
        lanes=24,
        keys=[{"url": "http://127.0.0.1:{port}/", "max_offset": "30d"}, {"url": "http://127.0.0.1:{port}/", "ca": file(root()), "max_offset": "30d"}],
        answers=lambda request: (stamped(request.partition(b"\r\n\r\n")[2]),),
        words=HTTP_WORDS[:8],
        entropy=fixed,
    ),
)  # fmt: skip


@cache
def lists() -> Sequence[bytes]:
    return [said(crl(intermediate())), said(crl(intermediate(), revoked=(leaf().certificate.serial_number,)))]


OCSP = (
    Row(
        name="ocsp",
        kind="ocsp",
        way="stream",
        lanes=24,
        keys=[
            {"cert": file(leaf(), intermediate()), **more}
            for more in (
                {"url": "http://127.0.0.1:{port}/"},
                {"url": "http://127.0.0.1:{port}/", "method": "GET", "expect": "revoked"},
                {"url": "http://127.0.0.1:{port}/", "crl": "http://127.0.0.1:{port}/crl"},
            )
        ],
        forgets=False,
        answers=lambda request: lists() if b"/crl " in request[:40] else ocsp.answers(),
        words=HTTP_WORDS[:8],
    ),
)

EXTRACTS = (
    {"css": "input[name=_csrf]@value"},
    {"json": "$.items[0].id"},
    {"xpath": "//v:State", "namespaces": {"v": "urn:lgsp:1"}},
)

PATHS = {
    b"GET /login": journey.LOGIN,
    b"POST /login": journey.ENTERED,
    b"GET /home": journey.FOUND,
    b"POST /soap": journey.PONG,
}


def province(request: bytes) -> Sequence[bytes]:
    """Whose form, page and service a journey goes through; mostly what belongs to the request."""
    right = next((answer for path, answer in PATHS.items() if request.startswith(path)), None)
    return [*([right] * 12 if right else ()), *journey.ANSWERS]


JOURNEY = (
    Row(
        name="journey",
        kind="journey",
        way="stream",
        lanes=24,
        keys=[
            {"base_url": "http://127.0.0.1:{port}", **journey.KEYS},
            *(
                {"base_url": "http://127.0.0.1:{port}", "steps": [{"name": "a", "get": "/", "extract": {"x": one}}, {"name": "b", "get": "/{x}"}]}
                for one in EXTRACTS
            ),
        ],
        answers=province,
        free_facts=frozenset(f"step_{number}_seconds" for number in (1, 2, 3)),
        words=(*HTTP_WORDS[:10], b"<!ENTITY a 'b'>", b"<a>" * 2000, b"<x:y>", b"]]>", b"<input name=_csrf value='", b"&#0;", b"\\ud800"),
        timeout=0.8,
    ),
)  # fmt: skip

ROWS: tuple[Row, ...] = (*GROUND, *SIP, *STUN, *H323, *SNMP, *TSA, *OCSP, *JOURNEY)

NO_BYTES: dict[str, str] = {
    "heartbeat": "a job calls us, nothing is read from a target: its calls are mutated in test_heartbeat",
    "browser": "a run starts a page in Chromium, which takes a second: hostile pages are looked at in tests/probes/browser, not ten thousand",
}
"""Kinds that have no row, each with the reason."""
