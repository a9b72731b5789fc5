"""One TCP connection: speak, wrap in TLS, let go.

Owns: a small byte and line channel with caps, its TLS, and letting go without TIME_WAIT.
Never: connects (see `dial`), keeps time, or says what an error means: errors are raised as they come.
"""

import asyncio
import errno
import socket
import ssl
import struct
from collections.abc import Callable
from contextlib import suppress
from typing import Final, cast

from probes.certificates import ascii_name
from probes.contract import ProbeError, Reason

LINE_LIMIT: Final = 64 * 1024
BUFFER_LIMIT: Final = 256 * 1024
"""Bytes held unread before the kernel is told to wait."""

QUIET: Final = 0.25
"""Seconds of silence after which a prompt without a line end (`login: `) is taken as it stands."""

RECORD_HEAD: Final = 5
LONGEST_ALERT: Final = 32
"""Bytes of a protected record that may be an alert: 2 of alert, 1 of type, 16 of tag, some padding. A ticket has hundreds."""

_RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)


class Channel(asyncio.Protocol):
    """One TCP connection: bytes or lines in, bytes out, TLS from the moment `secure` is called."""

    __slots__ = (
        "_at",
        "_ended",
        "_error",
        "_incoming",
        "_outgoing",
        "_raw",
        "_text",
        "_tls",
        "_transport",
        "_waiter",
        "_wrapped",
    )

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._raw = bytearray()
        self._text = bytearray()
        self._at = 0  # Up to here the text has been read.
        self._ended = False
        self._error: Exception | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._wrapped: ssl.SSLObject | None = None
        self._tls: ssl.SSLObject | None = None  # The same, once the handshake is done.
        self._incoming: ssl.MemoryBIO | None = None
        self._outgoing: ssl.MemoryBIO | None = None

    # What the loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._raw += data
        if len(self._raw) > BUFFER_LIMIT and self._transport is not None:
            self._transport.pause_reading()
        self._wake()

    def eof_received(self) -> bool:
        self._ended = True
        self._wake()
        return True  # The other side has finished, we may not have.

    def connection_lost(self, exc: Exception | None) -> None:
        self._ended, self._error = True, exc
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    # What a probe calls.

    @property
    def unread(self) -> bool:
        """Whether something has come that nobody has read: before a STARTTLS handshake, a sign of injected text."""
        return bool(self._raw) or self._at < len(self._text)

    @property
    def local(self) -> tuple[str, int]:
        """Our own address and port; OSError when the connection is gone."""
        name = self._transport.get_extra_info("sockname") if self._transport is not None else None
        if not name:
            raise ConnectionResetError(errno.ECONNRESET, "the connection is gone")
        return str(name[0]), int(name[1])

    async def receive(self) -> bytes:
        """Whatever comes next, decrypted; empty when the other side has finished. Raises the connection's error (a reset)."""
        if self._at < len(self._text):
            return self._take(len(self._text))
        return await self._decrypted()

    async def line(self, prompt: Callable[[bytes], bool] | None = None) -> bytes | None:
        """The next line without its end, or None when there are no more; ProbeError `line_too_long` beyond 64 KiB.

        With `prompt`, unfinished text that satisfies it and stays alone for `QUIET` seconds is a line too.
        """
        searched = self._at
        while True:
            end = self._text.find(b"\n", searched)
            if end >= 0:
                return self._take(end, skip=1).removesuffix(b"\r")
            searched = len(self._text)
            if searched - self._at > LINE_LIMIT:
                raise ProbeError(Reason.LINE_TOO_LONG, f"a line of more than {LINE_LIMIT // 1024} KiB")
            if not await self._more(prompt):
                rest = self._take(len(self._text))
                return rest or None
            if self._at == 0:
                continue
            # What was taken is cut off only here, once per piece received: cutting at every line would be quadratic.
            del self._text[: self._at]
            searched, self._at = searched - self._at, 0

    async def _more(self, prompt: Callable[[bytes], bool] | None) -> bool:
        """Add what comes next to the text; False at the end, or when the unfinished text is a prompt that nothing follows."""
        unfinished = bytes(self._text[self._at :])
        if prompt is not None and unfinished and prompt(unfinished):
            try:
                async with asyncio.timeout(QUIET):
                    data = await self._decrypted()
            except TimeoutError:
                return False
        else:
            data = await self._decrypted()
        self._text += data
        return bool(data)

    def _take(self, end: int, *, skip: int = 0) -> bytes:
        """The unread text up to `end`; what follows after `skip` more bytes is next."""
        taken = bytes(self._text[self._at : end])
        self._at = end + skip
        return taken

    async def exactly(self, count: int) -> bytes:
        """So many bytes; fewer when the other side finishes before."""
        while len(self._text) - self._at < count and await self._more(None):
            pass
        return self._take(min(self._at + count, len(self._text)))

    def send(self, data: bytes) -> None:
        """Write; nothing is awaited, and what the other side does not take is dropped with the channel."""
        if self._transport is None or self._transport.is_closing():
            return
        if self._tls is None:
            self._transport.write(data)
        else:
            self._tls.write(data)
            self._flush()

    def wrap(self, context: ssl.SSLContext, name: str) -> ssl.SSLObject:
        """Prepare TLS, `name` for SNI and the check of names. The object knows the peer's certificate even after a handshake that failed."""
        bare = name.removeprefix("[").removesuffix("]").partition("%")[0]
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._wrapped = context.wrap_bio(self._incoming, self._outgoing, server_hostname=ascii_name(bare))
        return self._wrapped

    async def secure(self) -> None:
        """The handshake of what was wrapped; ssl.SSLError when it fails."""
        tls = self._wrapped
        assert tls is not None
        while True:
            try:
                tls.do_handshake()
            except ssl.SSLWantReadError:
                self._flush()
                await self._feed()
            except ssl.SSLError:
                self._flush()  # The alert that says why we do not go on.
                raise
            else:
                break
        self._tls = tls

    async def confirm(self, patience: float) -> None:
        """See that the server took our side of the handshake as well: in TLS 1.3 it refuses a client's certificate after we are done.

        Says goodbye (close_notify) together with the last flight, then waits for its first answer: a session ticket or the
        end means yes, an alert is raised. A server that says nothing for `patience` seconds has nothing against us.
        """
        tls = self._tls
        assert tls is not None
        with suppress(ssl.SSLError):
            tls.unwrap()  # Our goodbye is on its way; theirs is not awaited.
        self._flush()
        if tls.version() != "TLSv1.3":
            return
        assert self._incoming is not None
        bell = asyncio.get_running_loop().call_later(patience, self._stop_waiting)
        try:
            data = await self._receive_raw()
            # An alert is a record of 19 bytes (RFC 8446 §5.2, §6). Whatever is longer is a ticket or data, and means yes unread.
            if len(data) >= RECORD_HEAD and int.from_bytes(data[3:RECORD_HEAD]) <= LONGEST_ALERT:
                self._incoming.write(data)
                tls.read(1)
        except (ssl.SSLWantReadError, ssl.SSLZeroReturnError, ssl.SSLEOFError, ConnectionError):
            return
        finally:
            bell.cancel()

    def close(self) -> None:
        """Let go so that what was sent still arrives; a peer that has not taken it by now is cut off."""
        if self._transport is None:
            return
        if self._transport.get_write_buffer_size():
            self.abort()
        else:
            self._transport.abort()

    def abort(self) -> None:
        """Let go at once, by a reset: no TIME_WAIT is left, so that probes cannot run out of ports."""
        if self._transport is None:
            return
        connection = self._transport.get_extra_info("socket")
        if connection is not None and connection.fileno() >= 0:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        self._transport.abort()

    # Inside.

    def _stop_waiting(self) -> None:
        """As if the other side had finished: for a wait that has a good end without an answer."""
        self._ended = True
        self._wake()

    async def _decrypted(self) -> bytes:
        if self._tls is None:
            return await self._receive_raw()
        while True:
            try:
                data = self._tls.read(65536)
            except ssl.SSLWantReadError:
                self._flush()
                await self._feed()
            except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
                return b""  # Many servers close without close_notify; what they sent counts.
            else:
                self._flush()
                return data

    async def _receive_raw(self) -> bytes:
        while not self._raw:
            if self._error is not None:
                raise self._error
            if self._ended:
                return b""
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        data = bytes(self._raw)
        self._raw.clear()
        if len(data) > BUFFER_LIMIT and self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()
        return data

    async def _feed(self) -> None:
        """Give the TLS object what comes next, or the end."""
        assert self._incoming is not None
        data = await self._receive_raw()
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()

    def _flush(self) -> None:
        assert self._outgoing is not None
        if self._outgoing.pending and self._transport is not None and not self._transport.is_closing():
            self._transport.write(self._outgoing.read())
