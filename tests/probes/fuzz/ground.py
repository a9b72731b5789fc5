"""Rows of the kinds that everything else stands on: http, tcp, tls, dns, icmp."""

import ssl
from collections.abc import Sequence
from functools import cache

import dns.flags
import dns.message
import dns.rcode
import dns.rrset

from probes.contract import Reason
from tests.probes.fuzz.cases import Answers, Row
from tests.probes.http import answers as http
from tests.probes.tls.chains import file, intermediate, make, root, server

HTTP_WORDS = http.WORDS


def always(answers: Sequence[bytes]) -> Answers:
    """A server that says the same whatever it is asked."""
    return lambda request: answers


@cache
def sound() -> ssl.SSLContext:
    """A server whom the checks trust."""
    return server(make("g", by=root(), names=["good.vn"], addresses=["127.0.0.1"]))


@cache
def speaks_two() -> ssl.SSLContext:
    context = server(make("g", by=root(), addresses=["127.0.0.1"]))
    context.set_alpn_protocols(["h2"])
    return context


@cache
def old() -> ssl.SSLContext:
    """TLS 1.2: its certificates travel in the clear, so a mutation reaches them."""
    context = server(make("g", by=intermediate(), names=["good.vn"], addresses=["127.0.0.1"]), intermediate())
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    return context


HTTP_EXPECTS: tuple[dict[str, object], ...] = (
    {},
    {"body": "(?i)hello|một", "body_not": "error"},
    {"json": ['$.status == "UP"', "len($.items) > 2", "$.n == null"]},
    {"header": {"Server": "nginx"}, "header_not": {"Set-Cookie": "^z"}, "size": "< 1KiB", "status": ["2xx", 301]},
)

HTTP = (
    Row(
        name="http",
        kind="http",
        way="stream",
        keys=[
            {"url": "http://127.0.0.1:{port}/", "expect": expect, "compression": coding, "redirects": 3}
            for expect in HTTP_EXPECTS
            for coding in ("none", "gzip")
        ],
        answers=always(http.ANSWERS),
        words=http.WORDS,
        deep=10,
    ),
    Row(
        name="http, version 2",
        kind="http",
        way="stream",
        inside=speaks_two,
        keys=[
            {"url": "https://127.0.0.1:{port}/", "version": "2", "expect": expect, "compression": "gzip", "tls": {"ca": file(root())}}
            for expect in HTTP_EXPECTS
        ],
        answers=always(http.ANSWERS_2),
        words=(http.frame(4, 0, 0, bytes(6)), http.frame(6, 0, 0, bytes(8)), http.frame(8, 0, 0, bytes(4)), http.frame(9, 4, 1, b"\x82")),
        count=300,
        turns=2,
        timeout=1.0,
        lanes=8,
    ),
)  # fmt: skip

TALK = (
    b"220 mail.example ESMTP\r\n", b"250-mail.example\r\n250 STARTTLS\r\n", b"220 ready\r\n", b"+OK ready\r\n", b"* OK ready\r\na OK go\r\n",
    b"login: ", b"a\r\n" * 40 + b"220 at last\r\n",
)  # fmt: skip

TCP = (
    Row(
        name="tcp",
        kind="tcp",
        way="stream",
        greets=True,
        turns=3,
        keys=[
            {"host": "127.0.0.1", "port": "{port}", "dialogue": dialogue}
            for dialogue in (
                [{"expect": "^220 (?P<who>.+)"}, {"send": "EHLO {who}\r\n"}, {"expect": "^250 "}],
                [{"expect": "^(220|\\+OK|\\* OK)"}],
                [{"expect": "login: $"}, {"send": "x\r\n"}],
                [{"send": "x\r\n"}, {"expect": "ready"}, {"starttls": True}],
                [{"expect": "^220"}, {"send": "EHLO x\r\n"}, {"expect": "^250 "}, {"send": "STARTTLS\r\n"}, {"expect": "^220"}, {"starttls": True}],
            )
        ],
        answers=always(TALK),
    ),
)  # fmt: skip

LDAP_YES = bytes.fromhex("300c02010178070a010004000400")

STARTTLS: dict[str, dict[bytes, bytes]] = {
    # What the request begins with, and what a server that knows STARTTLS says to it.
    "smtp": {b"": TALK[0], b"EHLO": TALK[1], b"STARTTLS": TALK[2]},
    "imap": {b"": TALK[4][:12], b"a STARTTLS": b"* NOOP\r\na OK go\r\n"},
    "pop3": {b"": TALK[3], b"STLS": TALK[3]},
    "ftp": {b"": b"220-hello\r\n220 go\r\n", b"AUTH": b"234 go\r\n"},
    "ldap": {b"0": LDAP_YES},
    "postgres": {b"\0": b"S"},
    "xmpp": {
        b"<?xml": b"<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></stream:features>",
        b"<starttls": b"<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>",
    },
}
HELLO = bytes.fromhex("160303003a020000360303") + bytes(32) + b"\0\xc0\x2f\0\0\x0e"


def agreeing(words: dict[bytes, bytes]) -> Answers:
    """A server that says to each request what belongs to it, and to a ClientHello the beginning of its own."""
    known = sorted(words, reverse=True)
    return lambda request: (
        next((words[start] for start in known if start and request.startswith(start)), None)
        or words.get(request, HELLO),
    )


TLS = (
    Row(
        name="tls, its records in TLS 1.2",
        kind="tls",
        way="handshake",
        inside=old,
        keys=[
            {"host": "127.0.0.1", "port": "{port}", "ca": file(root())},
            {"host": "127.0.0.1", "port": "{port}", "verify": False},
            {"host": "127.0.0.1", "port": "{port}", "server_name": "other.vn", "ca": file(root())},
        ],
        answers=always(()),
        lanes=24,
        count=4000,
        turns=3,
    ),
    Row(
        name="tls, its records in TLS 1.3",
        kind="tls",
        way="handshake",
        inside=sound,
        keys=[
            {"host": "127.0.0.1", "port": "{port}", "ca": file(root())},
            {"host": "127.0.0.1", "port": "{port}", "verify": False},
        ],
        answers=always(()),
        lanes=24,
        count=2000,
        turns=3,
    ),
    *(
        Row(
            name=f"tls after {protocol}",
            kind="tls",
            way="stream",
            greets=b"" in words,
            turns=3,
            keys=[{"host": "127.0.0.1", "port": "{port}", "starttls": protocol, "verify": False}],
            answers=agreeing(words),
            count=600,
            deep=3,
            reaches=(Reason.TLS_HANDSHAKE, Reason.TLS_PLAINTEXT, Reason.TLS_VERSION),
        )
        for protocol, words in STARTTLS.items()
    ),
)  # fmt: skip


@cache
def _zone(question: bytes) -> tuple[bytes, ...]:
    """Answers to one question, whatever its id."""
    asked_for = dns.message.from_wire(b"\0\0" + question)
    name = asked_for.question[0].name.to_text()
    records = (
        (f"{name} 300 IN A 192.0.2.1", f"{name} 60 IN A 192.0.2.2"),
        (f"{name} 300 IN CNAME a.{name}", f"a.{name} 300 IN A 192.0.2.1"),
        (f"{name} 300 IN CNAME {name}",),
        (f"{name} 300 IN MX 10 mail.{name}", f'{name} 300 IN TXT "v=spf1 -all" "két"', f"{name} 9 IN AAAA 2001:db8::1"),
        (f"{name} 300 IN SOA ns.{name} root.{name} 2026112201 1 2 3 4", f"{name} 300 IN NS ns.{name}"),
        (),
    )
    wires = []
    for lines in records:
        for code, cut in ((dns.rcode.NOERROR, False), (dns.rcode.SERVFAIL, False), (dns.rcode.NOERROR, True)):
            if (code or cut) and len(lines) != 1:
                continue
            reply = dns.message.make_response(asked_for, recursion_available=True)
            reply.set_rcode(code)
            if cut:
                reply.flags |= dns.flags.TC
            for line in lines:
                owner, ttl, group, kind, data = line.split(" ", 4)
                reply.answer.append(dns.rrset.from_text(owner, int(ttl), group, kind, data))
            wires.append(reply.to_wire()[2:])
    return tuple(wires)


def zone(request: bytes) -> Sequence[bytes]:
    """A name server's datagrams."""
    return [request[:2] + wire for wire in _zone(request[2:])]


def zone_framed(request: bytes) -> Sequence[bytes]:
    """The same over a stream: two bytes of length before each (RFC 7766)."""
    return [len(wire).to_bytes(2) + wire for wire in zone(request[2:])]


DNS_EXPECTS = (
    {"type": "A"},
    {"type": "A", "expect": {"answer": "192\\.0\\.2", "answer_not": "192\\.0\\.2\\.9", "count": ">= 1"}},
    {"type": "SOA", "expect": {"dnssec": False}},
    {"type": "MX", "expect": {"rcode": ["NOERROR", "NXDOMAIN"], "count": ">= 0"}},
)

DNS = tuple(
    Row(
        name=f"dns over {transport}",
        kind="dns",
        way=way,  # type: ignore[arg-type]
        keys=[
            {"server": "127.0.0.1:{port}", "name": "tinh.vn", "transport": transport, **expect}
            for expect in DNS_EXPECTS
        ],
        answers=answers,
        count=count,
        deep=6,
    )
    for transport, way, answers, count in (("udp", "datagram", zone, 7000), ("tcp", "stream", zone_framed, 3000))
)

ICMP = (
    Row(
        name="icmp",
        kind="icmp",
        way="echo",
        keys=[{"host": "{host}", "packets": 2, "spacing": "1ms"}, {"host": "{host}", "packets": 1, "dont_fragment": True}],
        answers=always(()),
        timeout=0.4,
        lanes=100,
        deep=4,
    ),
)  # fmt: skip

GROUND: tuple[Row, ...] = (*HTTP, *TCP, *TLS, *DNS, *ICMP)
