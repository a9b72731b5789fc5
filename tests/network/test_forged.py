"""No reply but the exact echo is ever credited: every mutation, over every kind of socket, for a run and for a sweep.

Each forgery has an address of its own and comes at once; the true echo follows later. A round trip shorter than that would be the forgery's.
"""

import asyncio
import os

import pytest

from probes.echo import EchoEngine
from probes.echo_flight import Plan
from tests.network.forgeries import LENGTH, PAYLOAD, Forgery, forgeries
from tests.probes.icmp.province import Province, Request, needs_province

pytestmark = needs_province

TRUE_AFTER = 0.25
"""Seconds from a forgery to the true echo; the shim is the loop's, and answers hundreds before the loop reads."""

AT_ONCE = 640
"""Addresses asked together: few enough that all their forgeries are read before the first true echo goes."""


def addresses(count: int, *, v6: bool) -> list[str]:
    """Next to one another, so that a flipped bit of the source is often another one that is being asked."""
    return [f"fd00:130::{n:x}" if v6 else f"10.130.{n >> 8}.{n & 255}" for n in range(1, count + 1)]


class Forger(Province):
    """Answers each address with its forgery, and then with the truth, unless `silent` for ever."""

    def __init__(self, table: dict[str, Forgery], *, true: bool = True) -> None:
        super().__init__(dict.fromkeys(table, self._forge))
        self.table, self.true = table, true
        self.alike: list[str] = []

    def _forge(self, _: Province, request: Request) -> None:
        forgery = self.table[request.address]
        packet, true = forgery.packet(request), request.wrap(request.echo())
        if packet == true:
            self.alike.append(forgery.name)  # Two equal words, exchanged.
            return
        self.send(packet)
        if self.true:
            self.later(TRUE_AFTER, true)


async def credited(province: Forger, hosts: list[str], *, way: str, wait: float) -> dict[str, float | None]:
    """Round trips by address."""
    engine = EchoEngine(os.urandom, open_socket=province.open_socket)
    loop = asyncio.get_running_loop()
    found: dict[str, float | None] = {}
    for start in range(0, len(hosts), AT_ONCE):
        part, until = hosts[start : start + AT_ONCE], loop.time() + wait
        if way == "sweep":
            found |= dict(zip(part, await engine.sweep(part, until=until, size=PAYLOAD), strict=True))
        else:
            plan = Plan(count=1, size=PAYLOAD)
            runs = await asyncio.gather(*(engine.ping(host, plan, until=until) for host in part))
            found |= {host: next(iter(run.rtts), None) for host, run in zip(part, runs, strict=True)}
    await engine.aclose()
    return found


@pytest.mark.parametrize("way", ["ping", "sweep"])
@pytest.mark.parametrize("unprivileged", [False, True], ids=["raw", "datagram"])
@pytest.mark.parametrize("v6", [False, True], ids=["v4", "v6"])
async def test_no_forged_reply_is_accepted_and_none_keeps_the_true_one_out(
    v6: bool, unprivileged: bool, way: str
) -> None:
    every = list(forgeries(v6=v6))
    table = dict(zip(addresses(len(every), v6=v6), every, strict=True))
    async with Forger(table) as province:
        if unprivileged:
            province.namespace.setting("ipv4/ping_group_range", "0 2147483647")
        found = await credited(province, list(table), way=way, wait=2.5)
    true = {host: rtt for host, rtt in found.items() if table[host].name not in province.alike}
    assert len(true) > 1_700
    assert [table[host].name for host, rtt in true.items() if rtt is not None and rtt < TRUE_AFTER] == []
    assert [table[host].name for host, rtt in true.items() if rtt is None] == []


@pytest.mark.parametrize("v6", [False, True], ids=["v4", "v6"])
def test_the_forgeries_are_every_byte_and_no_two_are_the_same(v6: bool) -> None:
    asked = Request(bytes.fromhex("45" + "00" * 19) + os.urandom(LENGTH))
    if v6:
        asked = Request(b"\x60" + os.urandom(39) + os.urandom(LENGTH))
    made = [forgery.packet(asked) for forgery in forgeries(v6=v6)]
    true = asked.wrap(asked.echo())
    assert true not in made
    assert len(set(made)) > 0.9 * len(made)
    start = len(true) - LENGTH
    touched = {
        at - start for packet in made if len(packet) == len(true) for at in range(len(true)) if packet[at] != true[at]
    }
    assert touched >= set(range(LENGTH)), "a byte that nobody changed"
