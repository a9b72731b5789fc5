"""The browser's only way out: a SOCKS5 proxy (RFC 1928) of its own for each run.

Owns: asking the gate for every name the browser wants, connecting to the addresses it gives, counting bytes, and remembering why a host
was not reached. Redirects, scripts and web sockets all come through here, so nothing gets around the gate.
Never: decides who may be reached; that is the gate's business, in the daemon.
"""

import asyncio
import contextlib
import errno
import ipaddress
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

CHUNK: Final = 65536
CONNECT: Final = 5.0
"""Seconds for one address when there are others."""

HOSTS: Final = 256
"""Different hosts one run may ask for."""

Ask = Callable[[str, int], Awaitable[Sequence[str]]]
"""Addresses of a host that may be connected to; empty when the gate is closed to it."""


class Socks:
    """One run's proxy. `received` and `sent` are bytes, `lost` says by errno why a host could not be connected to."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._known: dict[str, asyncio.Future[Sequence[str]]] = {}
        self.port = self.received = self.sent = 0
        self.lost: dict[str, int] = {}

    async def open(self) -> None:
        """Listen on a free port of loopback."""
        self._server = await asyncio.start_server(self._come, "127.0.0.1", 0, limit=CHUNK)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Cut everything off."""
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _come(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._serve(reader, writer)
        except (OSError, EOFError, asyncio.CancelledError):
            pass  # Either side is gone, or the run is over.
        finally:
            self._tasks.discard(task)
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        _, count = await reader.readexactly(2)
        await reader.readexactly(count)
        writer.write(b"\x05\x00")
        _, command, _, kind = await reader.readexactly(4)
        host = await _host(reader, kind)
        port = int.from_bytes(await reader.readexactly(2), "big")
        code = 1
        far: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        if command == 1 and host is not None:  # CONNECT
            far, code = await self._connect(host, port)
        writer.write(bytes((5, code, 0, 1)) + bytes(6))
        await writer.drain()
        if far is None:
            return
        try:
            await asyncio.gather(self._pump(reader, far[1], up=True), self._pump(far[0], writer, up=False))
        finally:
            far[1].transport.abort()

    async def _connect(
        self, host: str, port: int
    ) -> tuple[tuple[asyncio.StreamReader, asyncio.StreamWriter] | None, int]:
        addresses = await self._addresses(host, port)
        if not addresses:
            return None, 2  # Not allowed by ruleset; the gate remembers why.
        for address in addresses:
            try:
                async with asyncio.timeout(CONNECT if len(addresses) > 1 else None):
                    streams = await asyncio.open_connection(address, port, limit=CHUNK)
            except TimeoutError:
                self.lost[host] = errno.ETIMEDOUT
            except OSError as error:
                self.lost[host] = error.errno or 0
            else:
                self.lost.pop(host, None)
                return streams, 0
        return None, 5

    async def _addresses(self, host: str, port: int) -> Sequence[str]:
        """Asked once for each host of a run."""
        known = self._known.get(host)
        if known is None:
            if len(self._known) >= HOSTS:
                return ()
            known = self._known[host] = asyncio.ensure_future(self._ask(host, port))
        return await asyncio.shield(known)

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, up: bool) -> None:
        while data := await source.read(CHUNK):
            if up:
                self.sent += len(data)
            else:
                self.received += len(data)
            sink.write(data)
            await sink.drain()
        with contextlib.suppress(OSError, RuntimeError):
            sink.write_eof()


async def _host(reader: asyncio.StreamReader, kind: int) -> str | None:
    """RFC 1928 §5: an IPv4 address, a name, an IPv6 address."""
    if kind == 1:
        return str(ipaddress.IPv4Address(await reader.readexactly(4)))
    if kind == 4:
        return str(ipaddress.IPv6Address(await reader.readexactly(16)))
    if kind == 3:
        length = (await reader.readexactly(1))[0]
        return (await reader.readexactly(length)).decode("ascii", "replace")
    return None
