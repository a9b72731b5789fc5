"""The few words by which each protocol turns to TLS on an open connection (RFC 3207, 2595, 4217, 4511, 6120).

Owns: the dialogue up to the moment the handshake may begin; a refusal is `starttls` with the server's own words.
Never: shakes hands itself, or accepts text that came along with the agreement (that text was not protected: CVE-2011-0411).
"""

from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Final

from probes.channel import Channel
from probes.contract import ProbeError, Reason

MOST_LINES: Final = 100
"""Lines of one reply; an EHLO answer has some twenty."""

MOST_BYTES: Final = 64 * 1024


async def smtp(channel: Channel, name: str) -> None:
    """RFC 3207."""
    await _reply(channel, b"220", "greeting")
    channel.send(b"EHLO monitor.invalid\r\n")
    await _reply(channel, b"250", "EHLO")
    channel.send(b"STARTTLS\r\n")
    await _reply(channel, b"220", "STARTTLS")


async def ftp(channel: Channel, name: str) -> None:
    """RFC 4217 §4."""
    await _reply(channel, b"220", "greeting")
    channel.send(b"AUTH TLS\r\n")
    await _reply(channel, b"234", "AUTH TLS")


async def imap(channel: Channel, name: str) -> None:
    """RFC 3501 §6.2.1; answers that are not ours (untagged ones) are passed over."""
    greeting = await _line(channel, "greeting")
    if not greeting.upper().startswith(b"* OK"):
        raise _refused("greeting", greeting)
    channel.send(b"a STARTTLS\r\n")
    for _ in range(MOST_LINES):
        line = await _line(channel, "STARTTLS")
        if line.startswith(b"a "):
            if not line.upper().startswith(b"A OK"):
                raise _refused("STARTTLS", line)
            return
    raise _refused("STARTTLS", b"no answer to it")


async def pop3(channel: Channel, name: str) -> None:
    """RFC 2595 §4."""
    for words, what in ((None, "greeting"), (b"STLS\r\n", "STLS")):
        if words is not None:
            channel.send(words)
        line = await _line(channel, what)
        if not line.upper().startswith(b"+OK"):
            raise _refused(what, line)


async def postgres(channel: Channel, name: str) -> None:
    """SSLRequest of PostgreSQL's protocol: length 8, code 80877103; the answer is one letter."""
    channel.send(bytes.fromhex("0000000804d2162f"))
    answer = await channel.exactly(1)
    if answer != b"S":
        raise _refused("SSLRequest", answer)


async def ldap(channel: Channel, name: str) -> None:
    """RFC 4511 §4.14: an extended request with the StartTLS name; result code 0 is yes."""
    channel.send(bytes.fromhex("301d02010177188016") + b"1.3.6.1.4.1.1466.20037")
    _, body = await _ber(channel)
    _, rest = _element(body)  # The message's number.
    tag, response = _element(rest)
    code_tag, code = _element(response, value=True)
    if tag != 0x78 or code_tag != 0x0A:
        raise ProbeError(Reason.PROTOCOL, "the answer is not an LDAP extended response")
    if any(code):
        raise ProbeError(Reason.STARTTLS, f"LDAP refuses StartTLS with result code {int.from_bytes(code)}")


async def xmpp(channel: Channel, name: str) -> None:
    """RFC 6120 §5.4."""
    channel.send(
        b"<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'"
        + f" version='1.0' to={_quoted(name)}>".encode()
    )
    features = await _until(channel, b"</stream:features>", "stream")
    if b"urn:ietf:params:xml:ns:xmpp-tls" not in features:
        raise ProbeError(Reason.STARTTLS, "the server does not offer STARTTLS")
    channel.send(b"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
    answer = await _until(channel, b">", "STARTTLS")
    if b"<proceed" not in answer:
        raise _refused("STARTTLS", answer)


STARTTLS: Final[Mapping[str, Callable[[Channel, str], Awaitable[None]]]] = MappingProxyType(
    {"smtp": smtp, "ftp": ftp, "imap": imap, "pop3": pop3, "postgres": postgres, "ldap": ldap, "xmpp": xmpp}
)


async def upgrade(channel: Channel, protocol: str, name: str) -> None:
    """Bring the connection to where the handshake begins; ProbeError `starttls` when the server will not."""
    await STARTTLS[protocol](channel, name)
    if channel.unread:
        raise ProbeError(Reason.STARTTLS, "the server sent unprotected text behind its agreement")


def _refused(what: str, answer: bytes) -> ProbeError:
    said = answer[:100].decode("utf-8", "backslashreplace") if answer else "nothing"
    return ProbeError(Reason.STARTTLS, f"{what}: the server said {said}")


async def _line(channel: Channel, what: str) -> bytes:
    line = await channel.line()
    if line is None:
        raise ProbeError(Reason.STARTTLS, f"{what}: the server closed the connection")
    return line


async def _reply(channel: Channel, code: bytes, what: str) -> None:
    """One reply of SMTP or FTP: lines `250-…` up to `250 …` (RFC 5321 §4.2.1)."""
    for _ in range(MOST_LINES):
        line = await _line(channel, what)
        if not line.startswith(code):
            raise _refused(what, line)
        if line[3:4] != b"-":
            return
    raise _refused(what, b"a reply without end")


async def _until(channel: Channel, end: bytes, what: str) -> bytes:
    kept = bytearray()
    while end not in kept:
        data = await channel.receive()
        if not data or len(kept) > MOST_BYTES:
            raise _refused(what, bytes(kept))
        kept += data
    return bytes(kept)


async def _ber(channel: Channel) -> tuple[int, bytes]:
    """One BER element from the wire: its tag and its content."""
    head = await channel.exactly(2)
    if len(head) < 2 or head[0] != 0x30:
        raise ProbeError(Reason.PROTOCOL, "the answer is not LDAP")
    length = head[1]
    if length & 0x80:
        length = int.from_bytes(await channel.exactly(min(length & 0x7F, 4)))
    if length > MOST_BYTES:
        raise ProbeError(Reason.PROTOCOL, "the LDAP answer is too long")
    return head[0], await channel.exactly(length)


def _element(data: bytes, *, value: bool = False) -> tuple[int, bytes]:
    """Tag of the first element, and what follows: its content when it is constructed or `value` is asked, else what stands behind it."""
    if len(data) < 2:
        raise ProbeError(Reason.PROTOCOL, "the LDAP answer is cut off")
    tag, length, start = data[0], data[1], 2
    if length & 0x80:
        width = length & 0x7F
        length, start = int.from_bytes(data[2 : 2 + width]), 2 + width
    content = data[start : start + length]
    return tag, content if value or tag & 0x20 else data[start + length :]


def _quoted(text: str) -> str:
    """A value of an XML attribute; what the standard library has for it comes with an HTTP client and a mail parser."""
    for mark, name in (("&", "amp"), ("<", "lt"), (">", "gt"), ('"', "quot")):
        text = text.replace(mark, f"&{name};")
    return f'"{text}"'
