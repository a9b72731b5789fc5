"""The largest packet that passes to a target and back in one piece, found by echo.

Owns: the search, bounded in packets and time: by what routers say where they say it, by halving where one is silent (a black hole).
Never: fails a check, or believes a router more than a packet that came back.

Fragmentation is forbidden (over IPv6 nobody on the way may do it anyway), and what our kernel remembers of the path is left out of it
(`IP_PMTUDISC_PROBE`, ip(7)), so that a path that has become wider again is seen. A packet counts as passing only when its exact echo came
back; a way back that is narrower than the way there cannot be told from it.
"""

import asyncio
import socket
from typing import Final

from probes.contract import Reason
from probes.echo import EchoEngine
from probes.echo_flight import Echoes, Plan, target

LARGEST: Final = 9216
"""Bytes up to which is searched: the largest Ethernet frames in use."""

ETHERNET: Final = 1500
"""Bytes with which the search begins: what most paths carry."""

LEAST: Final = 1280
"""Bytes that every IPv6 link carries (RFC 8200 §5), and tunnels over IPv4 with it: tried first when a larger packet vanished."""

LEAST_V4: Final = 68
"""Bytes that every IPv4 link carries (RFC 791 §3.2)."""

PACKETS: Final = 64
"""Echo requests of one search at most."""

WAIT: Final = 0.2
"""Seconds that an answer may take at the least before a packet is thought to have vanished."""

HEADERS: Final = {socket.AF_INET: 28, socket.AF_INET6: 48}
"""Bytes of IP and ICMP before the payload."""


class _SearchError(Exception):
    """Out of time or packets, or our own kernel sends nothing any more."""


class _Path:
    """The way to one target, asked with packets of many sizes. Sizes are bytes of whole IP packets."""

    def __init__(self, engine: EchoEngine, address: str, plan: Plan, wait: float, until: float, strays: Echoes) -> None:
        self._engine, self._address, self._plan = engine, address, plan
        self._wait, self._until, self._strays = wait, until, strays
        self.headers = HEADERS[socket.AddressFamily(target(address).family)]
        self._left = PACKETS

    async def ask(self, size: int) -> int | None:
        """Does a packet of this size pass? The same size: yes; less: no, and so much is said to pass, 0 if nothing is; None: it vanished.

        A single one may have been lost by chance, so two more are sent before that is believed.
        """
        loop = asyncio.get_running_loop()
        for count in (1, 2):
            end = loop.time() + self._wait
            self._left -= count
            if end > self._until or self._left < 0:
                raise _SearchError
            plan = Plan(
                count=count,
                spacing=0.0,
                size=size - self.headers,
                ttl=self._plan.ttl,
                dont_fragment=True,
                probing=True,
            )
            echoes = await self._engine.ping(self._address, plan, until=end)
            for name in ("late", "forged", "truncated", "duplicates"):
                setattr(self._strays, name, getattr(self._strays, name) + getattr(echoes, name))
            if echoes.rtts:
                return size
            if echoes.error is not None and echoes.error.reason is Reason.FRAG_NEEDED:
                # A router of before RFC 1191 says no number, and one that says as much as was sent says nothing.
                return echoes.error.mtu if echoes.error.mtu < size else 0
            if echoes.refused is not None:
                raise _SearchError
        return None


async def path_mtu(
    engine: EchoEngine, address: str, plan: Plan, *, slowest: float, until: float, strays: Echoes
) -> int | None:
    """Bytes of the largest IP packet that passes, at most LARGEST; None when the time (loop time `until`) was too short to know.

    `plan` is what was sent before and answered, `slowest` its longest round trip in seconds. Echoes that belong to nothing are counted in
    `strays`. Raises what `EchoEngine.ping` does.
    """
    path = _Path(engine, address, plan, max(WAIT, 3 * slowest), until, strays)
    least = LEAST_V4 if path.headers == HEADERS[socket.AF_INET] else LEAST
    # An answered packet larger than every link must carry may have come in pieces.
    passed = min(plan.size + path.headers, least)
    try:
        return await _search(path, passed)
    except _SearchError:
        return None


async def _search(path: _Path, passed: int) -> int:
    """Between what has passed and what cannot, by what is said and by halving."""
    ceiling = bound = LARGEST
    size, halving = ETHERNET, False
    while True:
        while passed < bound:
            said = await path.ask(size)
            if said == size:
                passed = size
                size = (passed + bound + 1) // 2 if halving else bound
            elif said is not None and said >= passed:
                ceiling = bound = size = said
            else:
                halving, bound = True, size - 1
                size = LEAST if passed < LEAST < bound else (passed + bound + 1) // 2
        # What vanished may have been lost by chance: then the search goes on from there.
        if not halving or await path.ask(passed + 1) != passed + 1:
            return passed
        passed, bound = passed + 1, ceiling
        size = (passed + bound + 1) // 2
