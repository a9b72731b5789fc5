"""A little province of two nodes and a receiver, all in the test's own loop, for trying the daemon as a process."""

import asyncio
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from standardwebhooks import Webhook

from monitor.sandbox import new_secret
from tests.ports import free_port
from tests.story.daemon import Daemon

CONFIG = """\
version: 1
province: {{id: "37", name: Tỉnh thử, timezone: Asia/Ho_Chi_Minh, language: vi}}
daemon: {{listen: "127.0.0.1:{port}", public_url: "https://giamsat.example", state_dir: "{state}"}}
defaults: {{every: 1s, timeout: 0.5s, confirm: {{failures: 2, recheck: 1s, successes: 1}}, settle: 1s, recovery_target: {target}}}
nodes:
  a: {{name: Hệ A, type: system, severity: critical, checks: {{home: {{http: {{url: "http://127.0.0.1:{a}/"}}}}}}}}
  b: {{name: Hệ B, type: system, depends_on: [a], checks: {{home: {{http: {{url: "http://127.0.0.1:{b}/", expect: {{body: fine}}}}}}}}}}
receivers: {{truc: {{webhook: {{url: "http://127.0.0.1:{inbox}/", secret: env:SECRET}}}}}}
routes: [{{match: {{}}, send: [truc]}}]
"""


@dataclass
class Site:
    """One page that can be made to fail."""

    status: int = 200
    body: bytes = b"fine"
    server: asyncio.Server | None = None
    port: int = 0
    hits: int = 0

    async def open(self) -> None:
        self.server = await asyncio.start_server(self._talk, "127.0.0.1", self.port)
        self.port = self.server.sockets[0].getsockname()[1]

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            self.hits += 1
            head = f"HTTP/1.1 {self.status} X\r\nContent-Length: {len(self.body)}\r\nConnection: close\r\n\r\n"
            writer.write(head.encode() + self.body)
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@dataclass
class Inbox:
    """A receiver that checks every signature, keeps what came, and may refuse."""

    secret: str
    refuse: bool = False
    got: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    bad: int = 0
    port: int = 0
    server: asyncio.Server | None = None

    async def open(self) -> None:
        self.server = await asyncio.start_server(self._talk, "127.0.0.1", 0)
        self.port = self.server.sockets[0].getsockname()[1]

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in head.split("\r\n")[1:])}
            body = await reader.readexactly(int(headers["content-length"]))
            status = 503 if self.refuse else 204
            if not self.refuse:
                try:
                    Webhook(self.secret).verify(body, headers)
                    self.got.append((headers["webhook-id"], json.loads(body)))
                except Exception:
                    self.bad += 1
            writer.write(f"HTTP/1.1 {status} X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    @property
    def types(self) -> list[str]:
        """Types in order of arrival, copies taken once."""
        return [message["type"] for message in dict(self.got).values()]


class Little:
    """`async with Little(tmp_path) as little:` the two sites, the inbox, and a daemon that watches them."""

    def __init__(self, folder: Path, *, target: str = "24h", start: bool = True) -> None:
        self.folder, self.target, self._start = folder, target, start
        self.a, self.b, self.inbox = Site(), Site(), Inbox(new_secret())
        self.config = folder / "province.yaml"
        self.port = free_port()

    async def __aenter__(self) -> "Little":
        for part in (self.a, self.b, self.inbox):
            await part.open()
        self.write()
        self.env = {"SECRET": self.inbox.secret}
        self.daemon = Daemon(self.config, self.port, self.folder / "daemon.log", self.env)
        if self._start:
            await self.daemon.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.daemon.stop()
        for part in (self.a, self.b, self.inbox):
            assert part.server is not None
            part.server.close()

    def write(self, change: tuple[str, str] | None = None, more: str = "") -> None:
        text = CONFIG.format(
            port=self.port,
            state=self.folder / "state",
            a=self.a.port,
            b=self.b.port,
            inbox=self.inbox.port,
            target=self.target,
        )
        if change is not None:
            assert change[0] in text
            text = text.replace(*change)
        self.config.write_text(text + more, encoding="utf-8")

    async def states(self) -> dict[str, str]:
        nodes = (await self.daemon.get("/api/v1/nodes")).json()["items"]
        return {node["id"]: node["state"] for node in nodes}
