"""A receiver with a log of its own: a little HTTP server that answers from a script, byte for byte, and writes down what it was sent."""

import asyncio
import contextlib
import ssl
from collections import deque
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field

DRIP = b"<a header line every 20 ms, for ever>"
OK = b"HTTP/1.1 204 No Content\r\n\r\n"


def answer(status: int, *headers: str, body: bytes = b"") -> bytes:
    lines = [f"HTTP/1.1 {status} X", f"content-length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


@dataclass
class Got:
    """One request as it came off the wire."""

    line: str
    headers: dict[str, str]
    body: bytes
    at: float


@dataclass
class Sink:
    """`script` is used up answer by answer, then `ever` is given. None hangs, `b""` closes after having read the request."""

    script: deque[bytes | None] = field(default_factory=deque)
    ever: bytes | None = OK
    got: list[Got] = field(default_factory=list)
    connections: int = 0
    port: int = 0
    scheme: str = "http"
    delay: float = 0.0

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}/hook"

    def say(self, *answers: bytes | None) -> None:
        self.script.extend(answers)

    @property
    def ids(self) -> list[str]:
        return [each.headers["webhook-id"] for each in self.got]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            self.got.append(Got(head[0], headers, body, asyncio.get_running_loop().time()))
            said = self.script.popleft() if self.script else self.ever
            await asyncio.sleep(self.delay)
            if said is None:
                await reader.read()  # Until the other side goes away.
            elif said == DRIP:
                writer.write(b"HTTP/1.1 200 X\r\n")
                while not reader.at_eof():
                    writer.write(b"x: y\r\n")
                    await writer.drain()
                    await asyncio.sleep(0.02)
            else:
                writer.write(said)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError, ssl.SSLError):
                await writer.wait_closed()


@contextlib.asynccontextmanager
async def sink(script: Iterable[bytes | None] = (), *, context: ssl.SSLContext | None = None) -> AsyncIterator[Sink]:
    receiver = Sink(deque(script), scheme="https" if context else "http")
    tasks: set[asyncio.Task[None]] = set()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(receiver.serve(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=context)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()
