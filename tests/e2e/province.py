"""A province of sixty nodes in the test's own loop, whose every change is known, and two receivers that remember everything they were sent."""

import asyncio
import json
import random
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from standardwebhooks import Webhook

from monitor.sandbox import new_secret
from tests.e2e.nursery import Forked
from tests.ports import free_port

ALONE = [f"s{n:02}" for n in range(34)]
KEPT = [f"k{n}" for n in range(6)]
"""Not broken before the end: they have not flapped, so that what is said of them in the end is plain."""
HUB, BEHIND = "h", [f"h{n}" for n in range(6)]
LINKS = [f"l{n:02}" for n in range(12)]
RECEIVERS = ("truc", "noc")

CONFIG = """\
version: 1
province: {{id: "37", name: Tỉnh thử, timezone: Asia/Ho_Chi_Minh, language: vi}}
daemon: {{listen: "127.0.0.1:{port}", public_url: "https://giamsat.example", state_dir: "{state}", database: {database}}}
defaults: {{every: 1s, timeout: 0.9s, confirm: {{failures: 2, recheck: 1s, successes: 1}}, settle: 1s, recovery_target: 24h}}
nodes:
{nodes}
{groups}
receivers:
  truc: {{webhook: {{url: "http://127.0.0.1:{inbox}/truc", secret: env:SECRET}}, gather: 10s}}
  noc: {{webhook: {{url: "http://127.0.0.1:{inbox}/noc", secret: env:SECRET}}, gather: false}}
routes: [{{match: {{}}, send: [truc, noc]}}]
"""

GROUP = "groups: {carrier.x: {name: Mạng X, type: carrier, members: {type: link}, down_when: {share: 50%, at_least: 4, within: 3m}}}"


@dataclass
class Sites:
    """One little server of many pages: `/<node>` answers 200, or 500 while the node is broken. `turns` is the truth, in wall time."""

    names: list[str]
    broken: set[str] = field(default_factory=set)
    turns: dict[str, list[tuple[float, bool]]] = field(default_factory=dict)
    server: asyncio.Server | None = None
    port: int = 0

    async def open(self) -> None:
        self.server = await asyncio.start_server(self._talk, "127.0.0.1", self.port, backlog=1024)
        self.port = self.server.sockets[0].getsockname()[1]
        for name in self.names:
            self.turns[name] = [(time.time(), True)]

    def turn(self, name: str, well: bool) -> None:
        """Break it or mend it; written before it can be seen when it breaks and after when it is mended, and known to a millisecond."""
        if well is (name not in self.broken):
            return
        (self.broken.discard if well else self.broken.add)(name)
        self.turns[name].append((time.time(), well))

    def spells(self, name: str, *, well: bool) -> list[tuple[float, float]]:
        """When it was so, in truth."""
        turns = [*self.turns[name], (time.time() + 1, not self.turns[name][-1][1])]
        return [(at, turns[n + 1][0]) for n, (at, was) in enumerate(turns[:-1]) if was is well]

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            head = await reader.readuntil(b"\r\n\r\n")
            name = head.split(b" ", 2)[1].decode().strip("/")
            status = b"500" if name in self.broken else b"200"
            writer.write(b"HTTP/1.1 " + status + b" X\r\nContent-Length: 4\r\nConnection: close\r\n\r\nfine")
            await writer.drain()
        writer.close()


@dataclass(frozen=True)
class Arrival:
    """One request of the daemon to a receiver, whole and rightly signed. `answered` is what it was told: 204, 503, or 0 for a hang-up."""

    at: float
    receiver: str
    id: str
    body: bytes
    answered: int


@dataclass
class Inbox:
    """Two receivers. `mood` is `take`, `refuse` (503) or `swallow` (it has it, but hangs up without a word); `struck` is called on every arrival."""

    secret: str
    mood: str = "take"
    log: list[Arrival] = field(default_factory=list)
    forged: int = 0
    struck: Callable[[], None] | None = None
    server: asyncio.Server | None = None
    port: int = 0

    async def open(self) -> None:
        self.server = await asyncio.start_server(self._talk, "127.0.0.1", self.port)
        self.port = self.server.sockets[0].getsockname()[1]

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            first, *lines = head.split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
            body = await reader.readexactly(int(headers["content-length"]))
            receiver = first.split(" ")[1].strip("/")
            answer = {"take": 204, "refuse": 503, "swallow": 0}[self.mood]
            try:
                Webhook(self.secret).verify(body, headers)
            except Exception:
                self.forged += 1
                answer = 400
            else:
                self.log.append(Arrival(time.time(), receiver, headers["webhook-id"], body, answer))
                if self.struck is not None:
                    self.struck()
            if answer:
                writer.write(f"HTTP/1.1 {answer} X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
                await writer.drain()
        writer.close()

    def taken(self) -> dict[str, bytes]:
        """What the receivers said they have, by id."""
        return {arrival.id: arrival.body for arrival in self.log if arrival.answered == 204}


class Province:
    """`async with Province(folder) as province:` sites, inbox and a daemon that is not started yet."""

    def __init__(self, folder: Path, *, database: str = "sqlite", small: bool = False) -> None:
        self.folder, self.database = folder, database
        self.alone = ALONE[:4] if small else ALONE
        self.links = [] if small else LINKS
        self.sites = Sites([*self.alone, *KEPT, HUB, *BEHIND, *self.links])
        self.inbox = Inbox(new_secret())
        self.port = free_port()
        self.config = folder / "province.yaml"
        self.daemon = Forked(self.config, self.port, folder / "daemon.log", {"SECRET": self.inbox.secret})

    async def __aenter__(self) -> "Province":
        await self.sites.open()
        await self.inbox.open()
        self.config.write_text(self._text(), encoding="utf-8")
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.daemon.stop()
        for part in (self.sites, self.inbox):
            assert part.server is not None
            part.server.close()

    def _text(self) -> str:
        lines = []
        for n, name in enumerate(self.sites.names):
            more = ', depends_on: ["h"]' if name in BEHIND else ""
            more += ", recovery_target: 6s" if name in self.alone and n % 3 == 0 else ""
            kind = "link" if name in self.links else "system"
            check = f'{{http: {{url: "http://127.0.0.1:{self.sites.port}/{name}"}}}}'
            lines.append(f"  {name}: {{name: Hệ {name}, type: {kind}{more}, checks: {{home: {check}}}}}")
        return CONFIG.format(
            port=self.port,
            state=self.folder / "state",
            database=json.dumps(self.database),
            nodes="\n".join(lines),
            groups=GROUP if self.links else "",
            inbox=self.inbox.port,
        )

    async def weather(self, chance: random.Random) -> None:
        """Break and mend for ever: a dozen of the single sites at a time, the hub now and then, the links in droves."""
        mine = [*self.alone, HUB, *BEHIND]
        while True:
            await asyncio.sleep(chance.uniform(0.1, 0.5))
            # A site goes out for the third time only when all others have been out twice: what flaps is told no more.
            ready = [n for n in mine if n not in self.sites.broken and self._calm(n)]
            chance.shuffle(ready)
            ready.sort(key=lambda n: len(self.sites.turns[n]))
            down = [n for n in mine if n in self.sites.broken]
            if ready and len(down) < 9:
                self.sites.turn(ready[0], well=False)
            for name in down:
                if self._calm(name, chance.uniform(4, 14)):
                    self.sites.turn(name, well=True)
            if self.links and chance.random() < 0.02:
                chosen = chance.sample(self.links, chance.choice((2, 7, 12)))
                well = bool(self.sites.broken & set(self.links))
                for name in self.links if well else chosen:
                    self.sites.turn(name, well=well)

    def _calm(self, name: str, seconds: float = 4.0) -> bool:
        return time.time() - self.sites.turns[name][-1][0] > seconds

    async def moods(self, chance: random.Random) -> None:
        """The receivers take what comes most of the time."""
        while True:
            self.inbox.mood = chance.choices(("take", "refuse", "swallow"), (8, 2, 1))[0]
            await asyncio.sleep(chance.uniform(0.3, 3.0))

    async def states(self) -> dict[str, str]:
        """The daemon's verdicts."""
        items = (await self.daemon.get("/api/v1/nodes", limit=500)).json()["items"]
        return {node["id"]: node["state"] for node in items}

    async def waiting(self) -> int:
        """Messages that the daemon still has to deliver."""
        status = (await self.daemon.get("/api/v1/status")).json()
        return sum(queue["count"] for queue in status["deliveries"])
