"""The province in a box: who stands where on 127.37/16, the servers that play them, and the configuration that watches them.

Owns: addresses, servers, the generated configuration. Nothing of it is a real address of the province.
"""

import asyncio
import csv
import json
import os
import secrets
import socket
import time
from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

from monitor.sandbox import servers
from monitor.sandbox.beat_client import BeatClient
from monitor.sandbox.datagram_listener import DatagramListener
from monitor.sandbox.faults import Fault, Plan, Weather
from monitor.sandbox.h323_server import Gatekeeper, signalling
from monitor.sandbox.login_server import axis, login, soap
from monitor.sandbox.ocsp_server import Revocation, responding
from monitor.sandbox.pki import Authority
from monitor.sandbox.receiver import Receiver
from monitor.sandbox.sip_server import SipDatagrams, SipStream
from monitor.sandbox.snmp_server import Agent
from monitor.sandbox.stun_server import StunServer
from monitor.sandbox.tsa_server import stamping

NETWORK: Final = "127.37"
HUB, MOTCUA, QLVB, LGSP, CONG, MCU, PORTALS, NAMES, INBOX, SSO, AXIS, SIGNING = (
    f"{NETWORK}.0.{n}" for n in range(1, 13)
)
PORTALS6: Final = "::1"
"""The communes' portals once more, over IPv6, where this machine has it."""
ANCHORS: Final = tuple(f"{NETWORK}.0.{n}" for n in (250, 251, 252))
SYSTEMS: Final = ("motcua", "qlvb", "lgsp", "cong_ttdt", "hnth", "ten_mien", "cong_xa", "sso", "truc_vb", "ky_so")
JOB: Final = "job.json"
"""Where the configuration leaves whom the box's backup calls (`base`, `token`) and how often (`every`, seconds)."""
PASSWORD: Final = "sandbox"  # noqa: S105 Of everything made up in here.
CARRIERS: Final = ("vnpt", "viettel")


@dataclass(frozen=True, slots=True, kw_only=True)
class Commune:
    """One of the 129, with its made-up place in the box."""

    code: str
    name: str
    province: str
    district: str
    carrier: str
    address: str
    second: str = ""
    """Where it is reached by another way, if it has one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How fast the box is watched: seconds between the probes of systems, links and portals, and the length of the recovery target."""

    systems: float = 5.0
    links: float = 10.0
    portals: float = 30.0
    target: str = "24h"

    @property
    def timeout(self) -> float:
        """Seconds a probe may take: always less than the shortest interval."""
        return min(0.6 * min(self.systems, self.links), 2.0)

    @property
    def slow(self) -> float:
        """Seconds by which a slow page is slow: seen as degraded (over a quarter of the timeout), never as down."""
        return self.timeout / 2


def communes_file() -> Path:
    """The list of the 129 communes: inside the package when installed, in the configuration of a checkout else."""
    here = Path(__file__).with_name("communes.csv")
    return here if here.exists() else Path(__file__).parents[2] / "config" / "ninhbinh" / "communes.csv"


def communes(path: Path | None = None) -> tuple[Commune, ...]:
    """The 129 in the order of the list; carriers are dealt out in turn, which is made up."""
    with (path or communes_file()).open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    return tuple(
        Commune(
            code=row["code"],
            name=row.get("full_name") or f"{row['kind'].capitalize()} {row['name']}",
            province=row["former_province"],
            district=row["former_district"],
            carrier=CARRIERS[index % len(CARRIERS)],
            address=f"{NETWORK}.{1 + index // 200}.{1 + index % 200}",
            second=f"{NETWORK}.{101 + index // 200}.{1 + index % 200}" if index % 3 == 0 else "",
        )
        for index, row in enumerate(rows)
    )


def plan(people: Sequence[Commune]) -> Plan:
    """Who is behind whom."""
    return Plan(
        links={f"tslcd.{c.code}": c.carrier for c in people},
        behind_links={f"hnth.{c.code}": f"tslcd.{c.code}" for c in people},
        seconds={f"tslcd.{c.code}": f"second.{c.code}" for c in people if c.second},
        systems=SYSTEMS,
        jobs=("sao_luu",),
        anchors=tuple(f"anchor.{n}" for n in range(len(ANCHORS))),
    )


def free_port() -> int:
    """A port that is free on the box's first addresses now, outside the range that outgoing connections take theirs from.

    Each process begins to look elsewhere: two boxes that are started at once do not find the same one.
    """
    ports = list(range(18_037, 19_937, 10))
    first = os.getpid() % len(ports)
    for port in ports[first:] + ports[:first]:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HUB, port))
            except OSError:
                continue
            return port
    raise OSError("no free port for the sandbox between 18037 and 19937")


def has_ipv6() -> bool:
    """Whether this machine has an IPv6 loopback; containers often have none."""
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind((PORTALS6, 0))
    except OSError:
        return False
    return True


def new_secret() -> str:
    """A fresh signing secret in the form of Standard Webhooks."""
    return "whsec_" + b64encode(secrets.token_bytes(24)).decode()


class Box:
    """All the servers of the province, on one port of many loopback addresses, under one weather."""

    def __init__(
        self, folder: Path, port: int, secret: str, slow: float, arrived: Callable[[dict[str, Any]], None]
    ) -> None:
        self.folder, self.port = folder, port
        self.people = communes()
        truth = folder / "truth.jsonl"
        self.weather = Weather(plan=plan(self.people), truth=truth, now=lambda: datetime.now(UTC), slow=slow)
        self.receiver = Receiver(secret, folder / "inbox.jsonl", arrived)
        self._listeners: list[servers.Listener | DatagramListener] = []
        self._inbox: asyncio.Server | None = None
        self._job: asyncio.Task[None] | None = None
        self._syncing: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Start every server; OSError when an address or the port cannot be had."""
        authority = Authority.make()
        (self.folder / "ca.pem").write_bytes(authority.pem())
        good, expired = (authority.server(CONG, self.folder, expired=ran_out) for ran_out in (False, True))
        portal = partial(servers.web, title="Cổng thông tin điện tử")
        self._add("cong_ttdt", CONG, 0, portal, good=good, expired=expired)
        self._add_systems()
        self._add_meeting_rooms()
        self._add_signing(authority)
        for index, address in enumerate(ANCHORS):
            self._add(f"anchor.{index}", address, 0, partial(servers.line, name="anchor"))
        for commune in self.people:
            self._add(f"tslcd.{commune.code}", commune.address, 0, partial(servers.line, name=commune.code))
            self._add_datagrams(f"hnth.{commune.code}", commune.address, 1, SipDatagrams)
            if commune.second:
                self._add(f"second.{commune.code}", commune.second, 0, partial(servers.line, name=commune.code))
        await asyncio.gather(*(listener.sync() for listener in self._listeners))
        self._inbox = await self.receiver.serve(INBOX, self.port)
        self._job = self._begin_job()
        self.weather.listeners.append(self._sync)

    def _add_systems(self) -> None:
        self._add("hub", HUB, 0, partial(servers.line, name="hub"))
        self._add_datagrams("hub", HUB, 1, partial(Agent, clock=time.monotonic, community=PASSWORD))
        self._add("motcua", MOTCUA, 0, partial(servers.web, title="Cổng dịch vụ: một cửa"))
        self._add("qlvb", QLVB, 0, partial(servers.web, title="Quản lý văn bản"))
        self._add("lgsp", LGSP, 0, servers.gateway)
        self._add("lgsp", LGSP, 1, soap)
        self._add("sso", SSO, 0, partial(login, title="Xác thực tập trung", password=PASSWORD))
        self._add("truc_vb", AXIS, 0, axis)
        self._add("cong_xa", PORTALS, 0, partial(servers.web, title="Cổng xã"))
        if has_ipv6():
            self._add("cong_xa", PORTALS6, 0, partial(servers.web, title="Cổng xã"))
        self._add_datagrams("ten_mien", NAMES, 0, partial(servers.Names, address=MOTCUA))

    def _add_meeting_rooms(self) -> None:
        """The multipoint control unit: SIP over both, TURN, and a gatekeeper beside it."""
        self._add("hnth", MCU, 0, lambda weather: partial(SipStream, weather, name="Sandbox MCU"))
        self._add_datagrams("hnth", MCU, 0, partial(SipDatagrams, name="Sandbox MCU"))
        self._add_datagrams("hnth", MCU, 1, partial(StunServer, password=PASSWORD))
        self._add("hnth", MCU, 2, lambda _: signalling())
        self._add_datagrams("hnth", MCU, 2, Gatekeeper)

    def _add_signing(self, authority: Authority) -> None:
        """Time stamps and the state of certificates, as the authority of official signatures serves them."""
        revocation = Revocation.make(authority)
        (self.folder / "van-thu.pem").write_bytes(revocation.pem())
        self._add("ky_so", SIGNING, 0, partial(stamping, authority=authority))
        self._add("ky_so", SIGNING, 1, partial(responding, revocation=revocation))

    def _begin_job(self) -> "asyncio.Task[None] | None":
        """A backup that calls the daemon, where the configuration has said whom to call."""
        told = self.folder / JOB
        if not told.exists():
            return None
        job = json.loads(told.read_text("utf-8"))
        client = BeatClient(job["base"], job["token"], partial(self.weather.of, "sao_luu"), every=job["every"])
        return asyncio.ensure_future(client.run())

    def _add(self, node: str, host: str, offset: int, kind: Callable[..., Any], **tls: Any) -> None:
        weather = partial(self.weather.of, node)
        self._listeners.append(servers.Listener(host, self.port + offset, weather, kind(weather), **tls))

    def _add_datagrams(self, node: str, host: str, offset: int, kind: Callable[..., asyncio.DatagramProtocol]) -> None:
        weather = partial(self.weather.of, node)
        self._listeners.append(DatagramListener(host, self.port + offset, weather, partial(kind, weather)))

    def _sync(self) -> None:
        for listener in self._listeners:
            task = asyncio.ensure_future(listener.sync())
            self._syncing.add(task)
            task.add_done_callback(self._syncing.discard)

    def close(self) -> None:
        """Stop every server."""
        for listener in self._listeners:
            listener.close()
        if self._inbox is not None:
            self._inbox.close()
        if self._job is not None:
            self._job.cancel()

    async def play(self, script: Sequence[Fault], told: Callable[[str, Fault], None]) -> None:
        """Let the script happen; returns when its last fault has ended."""
        async with asyncio.TaskGroup() as group:
            for fault in script:
                group.create_task(self._suffer(fault, told))

    async def _suffer(self, fault: Fault, told: Callable[[str, Fault], None]) -> None:
        await asyncio.sleep(fault.after)
        told("begins", fault)
        if fault.kind == "flap":
            for _ in range(max(1, int(fault.lasts / fault.period))):
                self.weather.begin(fault)
                await asyncio.sleep(fault.period / 2)
                self.weather.end(fault)
                await asyncio.sleep(fault.period / 2)
        else:
            self.weather.begin(fault)
            await asyncio.sleep(fault.lasts)
            self.weather.end(fault)
        told("ends", fault)
