"""One connection and one exchange on it, driven by the loop's callbacks: no task, no stream, no timer of its own.

Owns: the bytes between the socket and the answer, TLS among them (by memory buffers, so that the certificate survives a handshake that
failed), and the moments at which the phases change. Never: waits, retries or knows a deadline; whoever made it aborts it.
"""

import asyncio
import ssl
from time import perf_counter
from typing import Final, cast

from probes.contract import Address, ProbeError, Reason
from probes.wire.answer import INTERIM_LIMIT, Answer

RECORD: Final = 16 * 1024
"""Bytes that one TLS record may hold (RFC 8446 §5.1): no reading gives more, and room for more would be made for nothing."""

EARLY_LIMIT: Final = 64 * 1024
"""Bytes kept of a server that speaks before it is asked."""


class Channel(asyncio.Protocol):
    """`open` begins an exchange whose future is done when it is over; `error` then says what went wrong, or is None.

    `where` names the phase: connect, tls, processing (asked, no byte yet), headers, body. The moments are of `perf_counter`, 0.0 before they came.
    """

    __slots__ = (
        "_answer",
        "_done",
        "_early",
        "_incoming",
        "_loss",
        "_lost",
        "_outgoing",
        "_payload",
        "address",
        "connected",
        "error",
        "first",
        "secured",
        "sent",
        "session",
        "transport",
        "where",
    )

    def __init__(self) -> None:
        self.address: Address | None = None
        self.transport: asyncio.Transport | None = None
        self.session: ssl.SSLObject | None = None
        self.error: BaseException | None = None
        self.where = "connect"
        self.connected = self.secured = self.sent = self.first = 0.0
        self._answer: Answer | None = None
        self._done: asyncio.Future[None] | None = None
        self._early = b""
        self._lost = False
        self._loss: Exception | None = None
        self._payload = b""

    def open(
        self, answer: Answer, payload: bytes, context: ssl.SSLContext | None = None, server_name: str | None = None
    ) -> asyncio.Future[None]:
        """Send a request, through TLS when a context is given, and have `answer` filled. May be called again, for what goes through a tunnel."""
        self._answer = answer
        self._payload = payload
        self._done = done = asyncio.get_running_loop().create_future()
        if context is not None:
            self.where = "tls"
            self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
            try:
                self.session = context.wrap_bio(self._incoming, self._outgoing, server_hostname=server_name)
            except ValueError as error:
                self._end(ProbeError(Reason.OWN_CONFIG, f"{server_name!r} cannot be a TLS server name: {error}"))
                return done
        early, self._early = self._early, b""
        if not self._lost:
            if context is None:
                self._send()
            else:
                self._decrypt(b"")
        if early:
            self.data_received(early)
        if self._lost:  # Closed before we said a word.
            self._close(self._loss)
        return done

    def abort(self) -> None:
        """Close at once, without ceremony."""
        self._done = None
        if self.transport is not None:
            self.transport.abort()

    # What the loop tells us.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.connected = perf_counter()

    def data_received(self, data: bytes) -> None:
        if self._done is None:
            self._early += data[: EARLY_LIMIT - len(self._early)]
        elif self.session is None:
            self._read(data)
        else:
            self._decrypt(data)

    def eof_received(self) -> None:
        self._close(None)

    def connection_lost(self, error: Exception | None) -> None:
        self._close(error)

    # Inside.

    def _send(self) -> None:
        assert self.transport is not None
        self.where = "processing"
        self.first = 0.0
        if self.session is None:
            self.transport.write(self._payload)
        else:
            self.session.write(self._payload)
            self._flush()
        self.sent = perf_counter()

    def _flush(self) -> None:
        if self._outgoing.pending and self.transport is not None:
            self.transport.write(self._outgoing.read())

    def _decrypt(self, data: bytes) -> None:
        session = self.session
        assert session is not None
        self._incoming.write(data)
        try:
            if not self.secured:
                session.do_handshake()
                self.secured = perf_counter()
                self._send()
            # Asked only while bytes are left: an answer "want more" costs as much as a record.
            while self._done is not None and self._incoming.pending:
                self._read(session.read(RECORD))
            self._flush()
        except ssl.SSLWantReadError:
            self._flush()
        except ssl.SSLZeroReturnError:
            self._close(None)
        except (ssl.SSLError, ssl.CertificateError) as error:
            self._flush()  # The alert, which tells the other side why.
            self._end(error)

    def _read(self, data: bytes) -> None:
        assert self._answer is not None
        if not self.first:
            self.first = perf_counter()
        try:
            if self._answer.feed(data):
                self._end(None)
                return
        except ProbeError as error:
            self._end(error)
            return
        self.where = "body" if self._answer.status >= 200 else "headers"
        if self._answer.interim > INTERIM_LIMIT and self.transport is not None:
            self.transport.pause_reading()

    def _close(self, error: Exception | None) -> None:
        """The other side is gone: by FIN (None), or by what `error` says."""
        self._lost = True
        if self._done is None:
            self._loss = self._loss or error
            return
        if error is None and self._answer is not None:
            if self.where == "tls":
                error = ProbeError(Reason.TLS_HANDSHAKE, "the server closed the connection within the handshake")
            else:
                try:
                    self._answer.close()
                except ProbeError as refusal:
                    error = refusal
        self._end(error)

    def _end(self, error: BaseException | None) -> None:
        """The exchange is over; the connection may serve another (through a tunnel) or is aborted by its maker."""
        done, self._done = self._done, None
        if done is not None:
            self.error = error
            if not done.done():
                done.set_result(None)
