"""One HTTP/1.1 response, read from bytes under caps (RFC 9110, RFC 9112; framing by llhttp).

Owns: status, headers and the decoded body, and what makes an answer malformed, truncated or too large.
Never: touches a socket; believes a length; holds more of a body than its limit.
"""

import re
from typing import Final

import httptools

from probes.contract import Address, ProbeError, Reason
from probes.wire.inflate import CODINGS, Inflater, TooLargeError
from probes.wire.url import Url

HEAD_LIMIT: Final = 64 * 1024
"""Bytes of one response's headers."""
LINES_LIMIT: Final = 200
"""Header lines of one response."""
INTERIM_LIMIT: Final = 64
"""Interim (1xx) answers read; an endless stream of them is read no longer, and the deadline ends it."""
SPARE: Final = 64 * 1024
"""Compressed bytes accepted beyond the decoded limit."""

_BLANK: Final = re.compile(rb"\n\r?\n")


class Answer:
    """Filled by `feed`; `complete` when the message is over.

    `length` is the declared Content-Length (-1: none), `wire_bytes` the body as it came, `body` as it was decoded, within its limit.
    `address` and `tls` say where it came from and how, `url` what was asked after redirects; whoever asked fills them in.
    """

    __slots__ = (
        "_error",
        "_head",
        "_head_only",
        "_headers",
        "_inflater",
        "_limit",
        "_parser",
        "_rest",
        "_until_close",
        "_wants_coding",
        "address",
        "body",
        "complete",
        "interim",
        "length",
        "status",
        "tls",
        "url",
        "version",
        "wire_bytes",
    )

    def __init__(self, *, limit: int, wants_coding: bool = False, head_only: bool = False) -> None:
        """`limit`: decoded bytes of the body. `wants_coding`: compression was asked for, so undo it. `head_only`: HEAD and CONNECT."""
        self._limit = limit
        self._wants_coding = wants_coding
        self._head_only = head_only
        self._parser: httptools.HttpResponseParser | None = (
            None  # Made with the first byte: a silent target costs none.
        )
        self._error: ProbeError | None = None
        self._inflater: Inflater | None = None
        self._head = self._rest = b""
        self._headers: list[tuple[bytes, bytes]] | None = None
        self._until_close = True
        self.interim = self.wire_bytes = self.status = 0
        self.complete = self.tls = False
        self.length = -1
        self.version = ""
        self.body: bytes | bytearray = b""
        self.address: Address | None = None
        self.url: Url | None = None

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        """Names as they were written and values, in order. Taken apart when somebody asks: most checks never do."""
        if self._headers is None:
            pairs = (line.partition(b":") for line in self._head.split(b"\n")[1:])
            self._headers = [(name, value.strip(b" \t\r")) for name, colon, value in pairs if colon]
        return self._headers

    def values(self, name: bytes) -> list[bytes]:
        """Every value of a header, in order; `name` in lower case."""
        return [value for key, value in self.headers if key.lower() == name]

    def feed(self, data: bytes) -> bool:
        """Read some bytes; true when the answer is complete. ProbeError when it is not one that can be accepted."""
        parser = self._parser
        if parser is None:
            if not (data.startswith(b"HTTP/") or b"HTTP/".startswith(data)):
                raise ProbeError(Reason.PROTOCOL, foreign(data))
            parser = self._parser = httptools.HttpResponseParser(self)
            # A bare LF ends a line for every browser: a page that people can read is not down.
            parser.set_dangerous_leniencies(lenient_optional_cr_before_lf=True)
        if not self.status:
            self._head = self._head + data if self._head else data
        try:
            parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self.complete = True
        except httptools.HttpParserError as error:
            if isinstance(error.__context__, MemoryError):  # Of our own callback: not the target's doing.
                raise error.__context__ from None
            if not self.complete and self._error is None:
                raise ProbeError(Reason.PROTOCOL, f"not HTTP as it should be: {error}") from None
        if self._error is not None:
            raise self._error
        if not self.status and len(self._head) > HEAD_LIMIT and not self.complete:
            raise ProbeError(Reason.HEADERS_TOO_LARGE, f"more than {HEAD_LIMIT} bytes of headers")
        return self.complete

    def close(self) -> None:
        """The other side will send no more; ProbeError unless that ends the answer properly."""
        if self.complete:
            return
        if self._parser is None:
            raise ProbeError(Reason.EMPTY_REPLY, "the connection was closed without an answer")
        if not self.status:
            raise ProbeError(Reason.TRUNCATED, "the connection was closed within the headers")
        if not self._until_close:
            declared = f" of {self.length}" if self.length >= 0 else ""
            raise ProbeError(
                Reason.TRUNCATED, f"the connection was closed after {self.wire_bytes}{declared} bytes of body"
            )
        self.finish()

    # The same answer from another parser (HTTP/2), under the same caps.

    def begin(self, status: int, version: str, headers: list[tuple[bytes, bytes]]) -> None:
        """Status and headers as they came."""
        self._head = b"\r\n".join([b"HTTP/2", *(name + b": " + value for name, value in headers), b"", b""])
        self._begin(status, version)
        self._raise()

    def take(self, data: bytes) -> None:
        """Some of the body."""
        self.on_body(data)
        self._raise()

    def finish(self) -> None:
        """The body is complete."""
        self.on_message_complete()
        self._raise()

    def release(self) -> None:
        """Let the parser go: it knows us as we know it, and such a ring would wait for the garbage collector, with a pause for everyone."""
        self._parser = None

    def note(self, facts: dict[str, float]) -> None:
        """The numbers that are known by now."""
        if self.status:
            facts["status"] = float(self.status)
            facts["http_version"] = float(self.version)
            facts["body_bytes"] = float(len(self.body))
            facts["wire_bytes"] = float(self.wire_bytes)
            facts["content_length"] = float(self.length)

    def _raise(self) -> None:
        if self._error is not None:
            raise self._error

    # What the parser says. Once over, it may run on through its bytes: nothing of that counts.

    def on_headers_complete(self) -> None:
        if self.complete or self._error is not None:
            return
        assert self._parser is not None
        self._begin(self._parser.get_status_code(), self._parser.get_http_version())

    def _begin(self, status: int, version: str) -> None:
        said = self._head.lstrip(b"\r\n")
        blank = _BLANK.search(said)
        assert blank is not None  # llhttp has just passed it.
        self._head = head = said[: blank.start() + 1]
        if status < 200:
            self._rest = said[blank.end() :]
        if status < 100 or status > 999:
            self._refuse(Reason.PROTOCOL, f"the status {status} is not one of HTTP")
            return
        if len(head) > HEAD_LIMIT or head.count(b"\n") > LINES_LIMIT + 1:
            self._refuse(
                Reason.HEADERS_TOO_LARGE, f"more than {LINES_LIMIT} header lines or {HEAD_LIMIT} bytes of them"
            )
            return
        self.status = status
        self.version = version
        if status < 200:
            return
        if self._head_only:
            self.complete = True
        lower = head.lower()
        if (value := _value(lower, b"\ncontent-length:")) is not None:
            self._until_close = False
            self.length = int(value) if value.isdigit() and len(value) < 19 else -1
        if (value := _value(lower, b"\ntransfer-encoding:")) is not None and value.endswith(b"chunked"):
            self._until_close = False
        coding = b""
        if self._wants_coding and b"\ncontent-encoding:" in lower:
            coding = b",".join(self.values(b"content-encoding")).lower()
        self._steer(status, coding)

    def _steer(self, status: int, coding: bytes) -> None:
        """What the headers say of the body."""
        if self.complete:
            return
        if coding and coding != b"identity":
            if coding not in CODINGS:
                self._refuse(Reason.BAD_ENCODING, f"encoded as {coding[:40]!r}, which was not asked for")
                return
            self.body = body = bytearray()
            self._inflater = Inflater(coding, body, self._limit)
        elif self.length > self._limit and status not in (204, 304):
            self._refuse(Reason.BODY_TOO_LARGE, f"a body of {self.length} bytes, more than {self._limit}")

    def on_body(self, data: bytes) -> None:
        if self.complete or self._error is not None or self.status < 200:
            return
        self.wire_bytes += len(data)
        if self._inflater is not None:
            try:
                self._inflater.feed(data)
            except TooLargeError:
                self._refuse(Reason.BODY_TOO_LARGE, f"the decoded body is larger than {self._limit} bytes")
            except ProbeError as error:
                self._error = error
            if self.wire_bytes > self._limit + SPARE:
                self._refuse(Reason.BODY_TOO_LARGE, f"{self.wire_bytes} compressed bytes for a body of {self._limit}")
            return
        room = self._limit - len(self.body)
        if not self.body:
            self.body = bytearray()
        self.body += data if len(data) <= room else data[:room]
        if len(data) > room:
            self._refuse(Reason.BODY_TOO_LARGE, f"the body is larger than {self._limit} bytes")

    def on_message_complete(self) -> None:
        if self.complete or self._error is not None:
            return
        if self.status < 200 and self.status != 101:
            self.interim += 1
            self.status = 0
            self._head = self._rest
            self._headers = None
            return
        if self._inflater is not None:
            try:
                self._inflater.finish()
            except ProbeError as error:
                self._error = error
                return
        self.complete = True

    def _refuse(self, reason: Reason, detail: str) -> None:
        if self._error is None:
            self._error = ProbeError(reason, detail)


def _value(lower: bytes, name: bytes) -> bytes | None:
    """The last value of a header in a head that is in lower case; llhttp has already refused a second Content-Length."""
    at = lower.rfind(name)
    return None if at < 0 else lower[at + len(name) : lower.find(b"\n", at + 1)].strip()


def foreign(data: bytes) -> str:
    """What it was instead, for a person: a banner is quoted, bytes that are no text are named."""
    if data[:1] in (b"\x15", b"\x16") and data[1:2] == b"\x03":
        return "not HTTP: the port speaks TLS"
    return f"not HTTP: the answer begins with {data[:40]!r}"
