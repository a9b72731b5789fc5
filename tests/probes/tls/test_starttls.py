"""Each protocol turns to TLS in its own words; a refusal is `starttls`, with the server's words."""

import socket
import ssl

import pytest

from probes.contract import Reason, Seen
from tests.probes.little import Handler, serving, wait_for_end
from tests.probes.look import look
from tests.probes.tls.chains import file, make, root, server

GOOD = "good.example"

Script = list[bytes | None]
"""What the server says in turn; None stands for reading something first."""

SMTP: Script = [
    b"220 mail ESMTP\r\n",
    None,
    b"250-mail\r\n250-PIPELINING\r\n250 STARTTLS\r\n",
    None,
    b"220 go ahead\r\n",
]
IMAP: Script = [b"* OK ready\r\n", None, b"* CAPABILITY IMAP4rev1\r\na OK begin\r\n"]
POP3: Script = [b"+OK ready\r\n", None, b"+OK begin\r\n"]
FTP: Script = [b"220-welcome\r\n220 ready\r\n", None, b"234 go\r\n"]
LDAP: Script = [None, bytes.fromhex("300c02010178070a010004000400")]
LDAP_LONG: Script = [None, bytes.fromhex("30840000001002010178840000000 70a010004000400".replace(" ", ""))]
POSTGRES: Script = [None, b"S"]
XMPP: Script = [
    None,
    b"<stream:stream><stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></stream:features>",
    None,
    b"<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>",
]


def scripted(script: Script, context: ssl.SSLContext | None = None) -> Handler:
    """Follow the script, then shake hands."""

    def handler(connection: socket.socket) -> None:
        for line in script:
            if line is None:
                if not connection.recv(4096):
                    return
            else:
                connection.sendall(line)
        if context is not None:
            with context.wrap_socket(connection, server_side=True) as secured:
                wait_for_end(secured)

    return handler


AGREED = [
    ("smtp", SMTP), ("imap", IMAP), ("pop3", POP3), ("ftp", FTP), ("ldap", LDAP), ("ldap", LDAP_LONG),
    ("postgres", POSTGRES), ("xmpp", XMPP),
]  # fmt: skip


@pytest.mark.parametrize(("protocol", "script"), AGREED)
async def test_agreed(protocol: str, script: Script) -> None:
    context = server(make(GOOD, by=root(), names=[GOOD]))
    with serving(scripted(script, context)) as port:
        outcome = await look("tls", {"host": GOOD, "port": port, "starttls": protocol, "ca": file(root())})
    assert outcome.seen is Seen.OK, outcome
    assert outcome.facts["certificate_days"] == pytest.approx(90, abs=0.1)
    assert {"connect", "starttls", "tls"} <= outcome.phases.keys()


REFUSED: list[tuple[str, str, Script, Reason, str]] = [
    ("the greeting is a refusal", "smtp", [b"554 no service\r\n"], Reason.STARTTLS, "554 no service"),
    ("TLS is not offered", "smtp", [b"220 x\r\n", None, b"250 x\r\n", None, b"502 not implemented\r\n"], Reason.STARTTLS, "502 not"),
    ("IMAP says no", "imap", [b"* OK x\r\n", None, b"a NO not today\r\n"], Reason.STARTTLS, "NO not today"),
    ("the server goes in the middle", "pop3", [b"+OK x\r\n", None], Reason.STARTTLS, "closed"),
    ("LDAP answers 52", "ldap", [None, bytes.fromhex("300c02010178070a013404000400")], Reason.STARTTLS, "result code 52"),
    ("LDAP answers in another language", "ldap", [None, b"HTTP/1.1 400 Bad\r\n\r\n"], Reason.PROTOCOL, "not LDAP"),
    ("LDAP is cut off", "ldap", [None, bytes.fromhex("3003020101")], Reason.PROTOCOL, "cut off"),
    ("PostgreSQL without TLS", "postgres", [None, b"N"], Reason.STARTTLS, "said N"),
    ("text is slipped in behind the agreement", "smtp",
     [b"220 x\r\n", None, b"250 x\r\n", None, b"220 go\r\n250 injected\r\n"], Reason.STARTTLS, "unprotected text"),
    ("a reply without end", "smtp", [b"220-x\r\n" * 200], Reason.STARTTLS, "without end"),
    ("a line without end", "smtp", [b"220" + b"x" * 70000], Reason.LINE_TOO_LONG, "64 KiB"),
]  # fmt: skip


@pytest.mark.parametrize(("sentence", "protocol", "script", "reason", "words"), REFUSED, ids=[c[0] for c in REFUSED])
async def test_refused(sentence: str, protocol: str, script: Script, reason: Reason, words: str) -> None:
    with serving(scripted(script)) as port:
        outcome = await look("tls", {"host": GOOD, "port": port, "starttls": protocol, "ca": file(root())})
    assert outcome.reason is reason, outcome
    assert words in outcome.detail


async def test_a_name_that_does_not_exist() -> None:
    outcome = await look("tls", {"host": "nowhere.example", "port": 25, "starttls": "smtp"})
    assert outcome.reason is Reason.DNS_NXDOMAIN


async def test_nobody_listens() -> None:
    with serving(wait_for_end) as port:
        pass
    outcome = await look("tls", {"host": "127.0.0.1", "port": port, "starttls": "smtp"})
    assert outcome.reason is Reason.REFUSED
