"""A real little HTTP server that says exactly what a test tells it to, byte for byte, and remembers what it was asked."""

import asyncio
import inspect
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from pydantic import TypeAdapter

import probes
from probes.contract import Outcome
from probes.tools import Workbench

SPEC = TypeAdapter(probes.KINDS["http"].spec)

Talk = Callable[["Request", asyncio.StreamWriter], Awaitable[None]]


@dataclass(frozen=True)
class Request:
    """One request as it came."""

    method: str
    target: str
    lines: list[tuple[str, str]]
    body: bytes

    def values(self, name: str) -> list[str]:
        return [value for key, value in self.lines if key.lower() == name.lower()]

    def value(self, name: str) -> str | None:
        values = self.values(name)
        assert len(values) <= 1, f"{name} twice"
        return values[0] if values else None


@dataclass
class Box:
    """A server's port and memory."""

    port: int
    scheme: str = "http"
    asked: list[Request] = field(default_factory=list)
    connections: int = 0

    def url(self, path: str = "/", host: str = "127.0.0.1") -> str:
        return f"{self.scheme}://{host}:{self.port}{path}"


def answer(
    body: bytes = b"",
    status: int = 200,
    headers: Mapping[str, str] | list[tuple[str, str]] = (),
    *,
    length: bool = True,
) -> bytes:
    """A whole response."""
    pairs = list(headers.items()) if isinstance(headers, Mapping) else list(headers)
    if length:
        pairs.append(("Content-Length", str(len(body))))
    lines = [f"HTTP/1.1 {status} X", *(f"{name}: {value}" for name, value in pairs), "", ""]
    return "\r\n".join(lines).encode("utf-8") + body


@asynccontextmanager
async def box(
    reply: bytes | Callable[[Request], bytes] | Talk, *, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1"
) -> AsyncIterator[Box]:
    """A server that answers every request with `reply`: bytes, a function of the request, or a coroutine that writes itself."""
    tasks: set[asyncio.Task[Any]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        here.connections += 1
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError, ssl.SSLError):
            request = await _read(reader)
            here.asked.append(request)
            if isinstance(reply, bytes):
                writer.write(reply)
            elif inspect.iscoroutinefunction(reply):
                await reply(request, writer)
            else:
                writer.write(reply(request))
            await writer.drain()
        writer.close()
        tasks.discard(task)

    server = await asyncio.start_server(serve, host, 0, ssl=tls)
    here = Box(server.sockets[0].getsockname()[1], "https" if tls else "http")
    try:
        yield here
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)


@asynccontextmanager
async def raw(talk: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]) -> AsyncIterator[Box]:
    """A server that does not even wait for a request."""
    tasks: set[asyncio.Task[Any]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await talk(reader, writer)
        writer.close()
        tasks.discard(task)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield Box(server.sockets[0].getsockname()[1])
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)


async def _read(reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("utf-8", "surrogateescape")
    first, *lines = head.removesuffix("\r\n\r\n").split("\r\n")
    pairs = [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines)]
    length = next((int(value) for name, value in pairs if name.lower() == "content-length"), 0)
    return Request(
        method=first.split(" ")[0],
        target=first.split(" ")[1],
        lines=pairs,
        body=await reader.readexactly(length),
    )


async def look(workbench: Workbench, keys: Mapping[str, Any], *, timeout: float = 2.0) -> Outcome:
    """Run a check written as in the file."""
    return await probes.run("http", SPEC.validate_python(dict(keys)), workbench, timeout=timeout)


def now() -> datetime:
    return datetime.now(UTC)
