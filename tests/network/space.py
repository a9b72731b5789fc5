"""The monitor's machine and the province behind it: two namespaces, a line between them, and an nftables set for every kind of weather.

Every address of the province answers echo from the kernel, TCP on ports that are listened on, and says of UDP that nobody is there. Any
number of links are cut, refused or made lossy in one step: one nft transaction.
Owns: the namespaces, the sets, what the kernel counted. Never: a name on the host; a behaviour with delay (that is the shim's).
"""

import asyncio
import json
import socket
import subprocess
import time
from collections.abc import Iterable, Mapping
from contextlib import AsyncExitStack
from enum import StrEnum
from typing import Final

from tests.debian import need
from tests.network.namespaces import Namespace, not_run

HUB, SECOND, ANCHOR = "10.129.255.1", "10.129.255.2", "10.129.255.3"
GATEWAY: Final = "10.0.0.2"
"""The province's end of our own line."""


class Link(StrEnum):
    """What is done to a link's packets on their way in. Refusals are those of a router or a firewall near the site."""

    CUT = "cut"
    UNREACHABLE = "unreachable"
    PROHIBITED = "prohibited"
    LOSS_1 = "loss1"
    LOSS_5 = "loss5"
    LOSS_20 = "loss20"
    LOSS_50 = "loss50"


class Uplink(StrEnum):
    """What is wrong with our own line: the interface is down, our own firewall forbids to send, or what we send goes nowhere."""

    DOWN = "down"
    FIREWALL = "firewall"
    SILENT = "silent"


_REFUSE: Final = {
    ("unreachable", 4): "icmp type host-unreachable",
    ("unreachable", 6): "icmpv6 type addr-unreachable",
    ("prohibited", 4): "icmp type admin-prohibited",
    ("prohibited", 6): "icmpv6 type admin-prohibited",
}

_MONITOR: Final = """\
link set lo up
addr add 10.0.0.1/24 dev line
"""

_LINE: Final = """\
link set line up
addr replace fd00:0::1/64 dev line nodad
route replace 10.129.0.0/16 via 10.0.0.2
route replace fd00:129::/32 via fd00:0::2
"""

_PROVINCE: Final = """\
link set lo up
addr add 10.0.0.2/24 dev line
addr add fd00:0::2/64 dev line nodad
link set line up
route add local 10.129.0.0/16 dev lo
route add local fd00:129::/32 dev lo
"""


def commune(number: int, *, v6: bool = False) -> str:
    """The address of a link, from 1 on; there is room for 60,000."""
    return f"fd00:129::{number:x}" if v6 else f"10.129.{number >> 8}.{number & 255}"


def _ruleset() -> str:
    """The table of the province's side: sets first, a counter for each, then what happens to those who are in them."""
    sets, before, near = [], [], []
    for link in Link:
        for version, kind in ((4, "ipv4_addr"), (6, "ipv6_addr")):
            name = f"{link}_{version}"
            sets.append(f"counter {name} {{ }}\nset {name} {{ type {kind}; }}")
            here = f"{'ip' if version == 4 else 'ip6'} daddr @{name}"
            if link is Link.CUT:
                before.append(f"{here} counter name {name} drop")
            elif link.startswith("loss"):
                before.append(f"{here} numgen random mod 100 < {link[4:]} counter name {name} drop")
            else:
                near.append(f"{here} meta l4proto tcp counter name {name} reject with tcp reset")
                near.append(f"{here} counter name {name} reject with {_REFUSE[link.value, version]}")
    newline = "\n"
    return f"""table inet weather {{
{newline.join(sets)}
chain before {{ type filter hook prerouting priority -300; {newline.join(before)}
}}
chain near {{ type filter hook input priority 0; {newline.join(near)}
}}
}}"""


class Space:
    """`async with Space() as space:`, then `await space.change({commune(7): Link.CUT})`. Everything is gone with the block."""

    def __init__(self) -> None:
        self.weather: dict[str, Link] = {}
        self._uplink: Uplink | None = None

    async def __aenter__(self) -> "Space":
        self._nft = need("nft", "nftables")
        async with AsyncExitStack() as stack:
            self.monitor, self.province = Namespace(), Namespace()
            stack.callback(self.monitor.close)
            stack.callback(self.province.close)
            self.monitor.ip(f"link add line type veth peer name line netns {self.province.path}\n{_MONITOR}")
            self.province.ip(_PROVINCE)
            self.monitor.ip(_LINE)
            for name in ("ipv4/icmp_ratelimit", "ipv4/icmp_ratemask", "ipv6/icmp/ratelimit"):
                self.province.setting(name, "0")
            try:
                self.province.run(self._nft, "add table inet weather")
            except subprocess.CalledProcessError as error:
                not_run(f"nftables cannot be used here: {error.stderr}")
            self.province.run(self._nft, "-f", "-", given=_ruleset())
            await self._answers()
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def listen(self, port: int) -> None:
        """Every address of the province takes connections on this TCP port, and hangs up."""

        async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.close()

        sock = self.province.socket(socket.AF_INET6, socket.SOCK_STREAM)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("::", port))
        server = await asyncio.start_server(hang_up, sock=sock, backlog=4096)
        self._stack.callback(server.close)

    async def change(self, links: Mapping[str, Link | None]) -> tuple[float, float]:
        """Change the weather of so many links in one step, None makes one well: the wall clock before and after."""
        lines = []
        for gone in (True, False):
            for link in Link:
                for version in (4, 6):
                    chosen = [at for at in self._moved(links, link, gone=gone) if (":" in at) is (version == 6)]
                    if chosen:
                        words = f"{'delete' if gone else 'add'} element inet weather {link}_{version}"
                        lines.append(f"{words} {{ {', '.join(chosen)} }}")
        began = time.time()
        if lines:
            await self.province.command(self._nft, "-f", "-", given="\n".join(lines))
        self.weather = {at: link for at, link in (self.weather | dict(links)).items() if link is not None}
        return began, time.time()

    def _moved(self, links: Mapping[str, Link | None], link: Link, *, gone: bool) -> Iterable[str]:
        """Those that leave a set, or that come into it."""
        for at, wanted in links.items():
            known = self.weather.get(at)
            if known is not wanted and (known if gone else wanted) is link:
                yield at

    async def heal(self) -> tuple[float, float]:
        """Everything is well again, in one step."""
        return await self.change(dict.fromkeys(self.weather))

    async def uplink(self, fault: Uplink | None) -> tuple[float, float]:
        """Our own line: broken so, or well again (None)."""
        began = time.time()
        former, self._uplink = self._uplink, fault
        for what, on in ((former, False), (fault, True)):
            if what is Uplink.DOWN:
                lines = "link set line down" if on else _LINE
                await self.monitor.command(need("ip", "iproute2"), "-batch", "-", given=lines)
            elif what is Uplink.FIREWALL:
                rule = "add table inet own; add chain inet own out { type filter hook output priority 0; }; "
                rule += 'add rule inet own out oifname "line" drop'
                await self.monitor.command(self._nft, rule if on else "delete table inet own")
            elif what is Uplink.SILENT:
                rule = "add chain inet weather whole { type filter hook prerouting priority -310; }; "
                rule += 'add rule inet weather whole iifname "line" drop'
                await self.province.command(self._nft, rule if on else "delete chain inet weather whole")
        return began, time.time()

    async def counted(self) -> dict[Link, int]:
        """Packets that each kind of weather has dropped or refused so far."""
        said = json.loads(await self.province.command(self._nft, "-j", "list", "counters", "table", "inet", "weather"))
        found = dict.fromkeys(Link, 0)
        for entry in said["nftables"]:
            if "counter" in entry:
                found[Link(entry["counter"]["name"].rpartition("_")[0])] += entry["counter"]["packets"]
        return found

    async def _answers(self) -> None:
        """Wait until the kernel has finished the addresses."""
        for family, address in ((socket.AF_INET, commune(1)), (socket.AF_INET6, commune(1, v6=True))):
            for _ in range(200):
                with self.monitor.socket(family, socket.SOCK_STREAM) as sock:
                    try:
                        await asyncio.wait_for(asyncio.get_running_loop().sock_connect(sock, (address, 9)), 1)
                    except ConnectionRefusedError:
                        break
                    except OSError:
                        pass
                await asyncio.sleep(0.02)
            else:
                raise RuntimeError(f"{address} does not answer")
