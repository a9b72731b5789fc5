"""The province's own configuration, its daemon inside a `Space`, and a receiver that remembers: everything a test of the whole needs.

Owns: the copy of config/ with addresses filled in, the daemon's process, what came to the receiver, what the store holds.
Never: changes what is judged or told; only addresses, carriers and the place of files are ours.
"""

import asyncio
import csv
import json
import shutil
import socket
import sqlite3
import time
from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from re import sub
from typing import Any

import httpx
from standardwebhooks import Webhook

from monitor.sandbox import new_secret
from monitor.store.engines import FILE
from tests.network.space import ANCHOR, GATEWAY, HUB, SECOND, Link, Space, commune
from tests.story.daemon import ROOT, Daemon

UPLINKS = ("10.129.255.11", "10.129.255.12")
PORT, INBOX = 9464, 9465
"""In the namespace nobody else is."""


@dataclass(frozen=True, slots=True)
class Commune:
    """One row of the list, with the link's address and its carrier."""

    code: str
    name: str
    region: str
    carrier: str
    address: str

    @property
    def node(self) -> str:
        return f"tslcd.{self.code}"


@dataclass(frozen=True, slots=True)
class Arrival:
    """One request of the daemon to the receiver, rightly signed: wall clock, id, and the message."""

    at: float
    id: str
    message: dict[str, Any]

    @property
    def type(self) -> str:
        kind: str = self.message["type"]
        return kind

    @property
    def incident(self) -> dict[str, Any]:
        found: dict[str, Any] = self.message["data"].get("incident") or {}
        return found

    @property
    def text(self) -> str:
        return json.dumps(self.message, ensure_ascii=False)


class Inbox:
    """A webhook's receiver on the monitor's own loopback: its line does not touch it."""

    def __init__(self, space: Space) -> None:
        self.space, self.secret = space, new_secret()
        self.log: list[Arrival] = []
        self.forged = 0

    async def open(self) -> asyncio.Server:
        sock = self.space.monitor.socket(socket.AF_INET, socket.SOCK_STREAM)
        sock.bind(("127.0.0.1", INBOX))
        return await asyncio.start_server(self._talk, sock=sock)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            lines = [line.partition(":") for line in head.split("\r\n")[1:]]
            headers = {name.lower(): value.strip() for name, _, value in lines}
            body = await reader.readexactly(int(headers["content-length"]))
            try:
                Webhook(self.secret).verify(body, headers)
                self.log.append(Arrival(time.time(), headers["webhook-id"], json.loads(body)))
            except Exception:
                self.forged += 1
            writer.write(b"HTTP/1.1 204 X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            await writer.drain()
        writer.close()

    def since(self, at: float) -> list[Arrival]:
        return [arrival for arrival in self.log if arrival.at >= at]


class Inside(Daemon):
    """The daemon in the monitor's namespace, asked through a socket that is there too."""

    def __init__(self, space: Space, config: Path, log: Path, env: Mapping[str, str]) -> None:
        super().__init__(config, PORT, log, env)
        self.space, self.prefix = space, space.monitor.prefix

    async def get(self, path: str, **params: Any) -> httpx.Response:
        request = httpx.Request("GET", f"http://127.0.0.1:{PORT}{path}", params=params or None)
        sock = self.space.monitor.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", PORT))
            reader, writer = await asyncio.open_connection(sock=sock)
        except OSError as error:
            sock.close()
            raise httpx.ConnectError(str(error)) from error
        try:
            target = request.url.raw_path.decode()
            writer.write(f"GET {target} HTTP/1.0\r\nHost: 127.0.0.1:{PORT}\r\n\r\n".encode())
            async with asyncio.timeout(10):
                head, _, body = (await reader.read(-1)).partition(b"\r\n\r\n")
        finally:
            writer.close()
        if not head:
            raise httpx.ReadError("no answer")
        return httpx.Response(int(head.split(b" ", 2)[1]), content=body, request=request)


class Duty:
    """`async with Duty(folder) as duty:` 129 links at the province's own cadence, known to be up when the block begins."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.space = Space()
        self.inbox = Inbox(self.space)
        self.communes: list[Commune] = []

    async def __aenter__(self) -> "Duty":
        await self.space.__aenter__()
        try:
            await self.space.listen(53)
            self._receiver = await self.inbox.open()
            self.daemon = Inside(self.space, self._configured(), self.folder / "daemon.log", self._environment())
            await self.daemon.start(wait=False)
            await self.daemon.ready(120)
            await self._known()
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        if hasattr(self, "daemon"):
            self.ended = await self.daemon.stop()
        if hasattr(self, "_receiver"):
            self._receiver.close()
        await self.space.__aexit__()

    async def cut(self, communes: list[Commune], link: Link | None = Link.CUT) -> tuple[float, float]:
        """So many links in one step."""
        return await self.space.change({each.address: link for each in communes})

    async def states(self) -> dict[str, str]:
        """The daemon's verdicts on nodes."""
        found: dict[str, str] = {}
        cursor: str | None = ""
        while cursor is not None:
            page = (await self.daemon.get("/api/v1/nodes", limit=500, **({"cursor": cursor} if cursor else {}))).json()
            found |= {node["id"]: node["state"] for node in page["items"]}
            cursor = page["next"]
        return found

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """What the store holds, read as anybody may."""
        database = self.folder / "var" / FILE
        with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=10)) as connection:
            return connection.execute(query, values).fetchall()

    def judged(self, state: str = "down") -> dict[str, tuple[float, float]]:
        """Links' first transitions to a state: when it began, and when that was judged; wall clock."""
        found: dict[str, tuple[float, float]] = {}
        query = "SELECT subject, at, judged_at FROM transitions WHERE state = ? AND judged_at NOT NULL ORDER BY id"
        for subject, at, judged in self.rows(query, state):
            found.setdefault(subject, (at / 1e6, judged / 1e6))
        return found

    async def _known(self) -> None:
        """Wait until every link has been seen to be up."""
        async with asyncio.timeout(60):
            while True:
                states = await self.states()
                if all(states.get(each.node) == "up" for each in self.communes) and states.get("hub") == "up":
                    return
                await asyncio.sleep(0.5)

    def _environment(self) -> dict[str, str]:
        return {
            "NB_HUB": HUB,
            "NB_DC_HUONG_1": UPLINKS[0],
            "NB_DC_HUONG_2": UPLINKS[1],
            "NB_ANCHOR_GATEWAY": GATEWAY,
            "NB_ANCHOR_DNS": ANCHOR,
            "NB_ANCHOR_CORE": SECOND,
            "ONCALL_URL": f"http://127.0.0.1:{INBOX}/",
            "ONCALL_SECRET": self.inbox.secret,
        }

    def _configured(self) -> Path:
        shutil.copytree(ROOT / "config", self.folder / "config")
        folder = self.folder / "config" / "ninhbinh"
        for path in folder.glob("*.yaml"):
            # What is known by name to the world is nobody here.
            text = sub(
                r'"https?://[a-z][^"{]*"|(?<=host: )[a-z]+(\.[a-z]+)*\.gov\.vn',
                "env:NB_NOBODY",
                path.read_text("utf-8"),
            )
            path.write_text(text, "utf-8")
        main = self.folder / "config" / "ninhbinh.yaml"
        text = main.read_text("utf-8")
        assert "state_dir: var " in text
        main.write_text(text.replace("state_dir: var ", f'state_dir: "{self.folder / "var"}" '), "utf-8")
        listed = folder / "communes.csv"
        with listed.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        for number, row in enumerate(rows, 1):
            row["cpe_ipv4"], row["carrier"] = commune(number), ("vnpt", "viettel")[number % 2]
            self.communes.append(
                Commune(row["code"], row["full_name"], row["former_province"], row["carrier"], row["cpe_ipv4"])
            )
        with listed.open("w", encoding="utf-8", newline="") as file:
            table = csv.DictWriter(file, rows[0].keys(), lineterminator="\n")
            table.writeheader()
            table.writerows(rows)
        return main
