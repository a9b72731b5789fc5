"""SIP messages: one OPTIONS request, and which message is its answer (RFC 3261, RFC 3581).

Owns: what is sent, the reading of a head that may be hostile, and the match of an answer to its request.
Never: sends anything but OPTIONS (no call is ever begun), judges a status, or touches a socket.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

from probes.contract import ProbeError, Reason
from probes.text import one_line

Transport = Literal["udp", "tcp", "tls"]

MOST_HEADERS: Final = 256
MOST_HEAD: Final = 64 * 1024
MOST_BODY: Final = 64 * 1024

COOKIE: Final = "z9hG4bK"
"""Begins the branch of whoever follows RFC 3261 §8.1.1.7."""

_COMPACT: Final[Mapping[bytes, bytes]] = MappingProxyType(
    {b"v": b"via", b"f": b"from", b"t": b"to", b"i": b"call-id", b"l": b"content-length"}  # RFC 3261 §7.3.3, §20
)
_KEPT: Final = frozenset(
    {b"via", b"from", b"to", b"call-id", b"cseq", b"content-length", b"server", b"user-agent", b"retry-after"}
)
_STATUS_LINE = re.compile(rb"SIP/2\.0 +(\d{3})(?: ([^\r\n]*))?")
_REQUEST_LINE = re.compile(rb"[A-Z][A-Z0-9-]{0,31} \S+ SIP/2\.0")
_BRANCH = re.compile(rb";\s*branch\s*=\s*([^;,\s]+)", re.IGNORECASE)
_RECEIVED = re.compile(rb";\s*received\s*=\s*\[?([0-9A-Fa-f.:]{2,45})", re.IGNORECASE)
_RPORT = re.compile(rb";\s*rport\s*=\s*(\d{1,5})(?!\d)", re.IGNORECASE)
_TAG = re.compile(rb";\s*tag\s*=\s*([^;,\s>]+)", re.IGNORECASE)
_CSEQ = re.compile(rb"(\d{1,10})\s+(\S+)")


@dataclass(frozen=True, slots=True)
class Head:
    """The head of a message: `status` is 0 for a request; of the fields, the first of each that matters here."""

    status: int
    phrase: str
    fields: Mapping[bytes, bytes]
    lengths: tuple[bytes, ...] = ()
    """Every Content-Length."""

    @property
    def length(self) -> int | None:
        """Bytes of body announced; None when nothing is. ProbeError when it cannot be meant or is more than anybody needs."""
        if not self.lengths:
            return None
        if len(set(self.lengths)) > 1 or not self.lengths[0].isdigit():
            raise ProbeError(Reason.PROTOCOL, "a Content-Length that is no number, or two of them that differ")
        if len(self.lengths[0]) > 9 or int(self.lengths[0]) > MOST_BODY:
            raise ProbeError(Reason.BODY_TOO_LARGE, f"a body of more than {MOST_BODY // 1024} KiB is announced")
        return int(self.lengths[0])

    @property
    def software(self) -> str:
        """What the other side says it is, for a person; empty when it does not."""
        said = self.fields.get(b"server") or self.fields.get(b"user-agent") or b""
        return one_line(said.decode("utf-8", "replace"), 60)

    @property
    def retry_after(self) -> int | None:
        """Seconds after which the other side wants to be asked again."""
        match = re.match(rb"\d{1,9}", self.fields.get(b"retry-after", b""))
        return int(match[0]) if match else None

    def seen_as(self) -> tuple[str, int | None]:
        """Our address and port as the other side sees them (`received`, `rport` of the top Via); empty and None when it does not say."""
        via = self.fields.get(b"via", b"").partition(b",")[0]
        received, port = _RECEIVED.search(via), _RPORT.search(via)
        return received[1].decode() if received else "", int(port[1]) if port else None


def read_head(lines: list[bytes]) -> Head | None:
    """The head in these lines (without their ends, the empty one not among them); None when the first is no line of SIP."""
    status, phrase = 0, ""
    match = _STATUS_LINE.fullmatch(lines[0])
    if match is not None:
        status, phrase = int(match[1]), one_line((match[2] or b"").decode("utf-8", "replace"), 80)
    elif _REQUEST_LINE.fullmatch(lines[0]) is None:
        return None
    fields: dict[bytes, bytes] = {}
    lengths: list[bytes] = []
    last = b""
    for line in lines[1:]:
        if line[:1] in (b" ", b"\t"):  # Folded: goes on with the line before (RFC 3261 §7.3.1).
            if last in fields:
                fields[last] += b" " + line.strip()
            continue
        name, _, value = line.partition(b":")
        name, value = name.strip().lower(), value.strip()
        name = last = _COMPACT.get(name, name)
        if name == b"content-length":
            lengths.append(value)
        elif name in _KEPT:
            fields.setdefault(name, value)
    return Head(status, phrase, fields, tuple(lengths))


def bracketed(host: str) -> str:
    """An address as it stands in a URI and in Via: IPv6 in brackets, without a zone, which means nothing to anybody else."""
    bare = host.removeprefix("[").removesuffix("]").partition("%")[0]
    return f"[{bare}]" if ":" in bare else bare


@dataclass(frozen=True, slots=True)
class Options:
    """One request: who is asked, who asks, and the unguessable words that its answer must repeat."""

    uri: str
    sender: str | None
    transport: Transport
    branch: str
    tag: str
    call_id: str
    sequence: int

    @classmethod
    def make(cls, uri: str, sender: str | None, transport: Transport, token: bytes) -> "Options":
        """`token` is 24 unpredictable bytes: branch, tag, call id and number of the sequence come out of it."""
        text = token.hex()
        return cls(
            uri, sender, transport, COOKIE + text[:16], text[16:28], text[28:44], 1 + (token[-1] << 8 | token[-2])
        )

    def pack(self, host: str, port: int) -> bytes:
        """The request as it is sent from our address and port; `rport` asks for the answer to come back by the same way (RFC 3581)."""
        here = bracketed(host)
        hint = "" if self.transport == "udp" else f";transport={self.transport}"
        sender = self.sender or f"sip:thongsuot@{here}"
        return (
            f"OPTIONS {self.uri} SIP/2.0\r\n"
            f"Via: SIP/2.0/{self.transport.upper()} {here}:{port};branch={self.branch};rport\r\n"
            "Max-Forwards: 70\r\n"
            f"From: <{sender}>;tag={self.tag}\r\n"
            f"To: <{self.uri}>\r\n"
            f"Call-ID: {self.call_id}\r\n"
            f"CSeq: {self.sequence} OPTIONS\r\n"
            f"Contact: <sip:thongsuot@{here}:{port}{hint}>\r\n"
            "Accept: application/sdp\r\n"
            "User-Agent: thongsuot\r\n"
            "Content-Length: 0\r\n\r\n"
        ).encode()

    def answered_by(self, head: Head) -> bool:
        """Whether a message answers this request: the branch of its top Via and the method (§17.1.3), Call-ID, number and tag (§8.2.6)."""
        if not head.status:
            return False
        fields = head.fields
        branch = _BRANCH.search(fields.get(b"via", b"").partition(b",")[0])
        if branch is None or branch[1].lower() != self.branch.lower().encode():
            return False
        if fields.get(b"call-id") != self.call_id.encode():
            return False
        sequence = _CSEQ.fullmatch(fields.get(b"cseq", b""))
        if sequence is None or int(sequence[1]) != self.sequence or sequence[2] != b"OPTIONS":
            return False
        sender = fields.get(b"from", b"")
        tag = _TAG.search(sender, sender.rfind(b">") + 1)
        return tag is not None and tag[1].lower() == self.tag.encode()
