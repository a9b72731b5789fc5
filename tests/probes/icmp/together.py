"""Many links looked at in the same moment, each with a behaviour of its own, so that a table of slow cases takes as long as the slowest."""

import asyncio
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from pydantic import TypeAdapter

import probes
from probes.contract import Outcome
from probes.echo import EchoEngine
from probes.tools import Workbench
from tests.probes.icmp.province import Answer, Province, Request


@dataclass(frozen=True, kw_only=True)
class Link:
    """What is there, the check's keys beside `host`, and how long it may take."""

    answer: Answer
    keys: Mapping[str, Any] = field(default_factory=dict)
    timeout: float = 0.8


@dataclass(frozen=True, kw_only=True)
class Look:
    """What was seen of a link, and the requests that reached it."""

    outcome: Outcome
    requests: list[Request]


NOBODY = "10.130.255.1", "fd00:130::ffff"


def nothing(province: Province, request: Request) -> None:
    """No answer."""


def together(links: Sequence[Link], *, v6: bool = False, unprivileged: bool = False, rounds: int = 1) -> list[Look]:
    """One run of each link's check, all at once; of several `rounds` the last one's outcome."""
    hosts = [f"fd00:130::{number:x}" if v6 else f"10.130.0.{number}" for number in range(1, len(links) + 1)]

    async def story() -> list[Look]:
        answers = {host: link.answer for host, link in zip(hosts, links, strict=True)}
        async with Province(answers) as province, Workbench(lambda: datetime.now(UTC), nameservers=()) as workbench:
            if unprivileged:
                province.run("sysctl", "-qw", "net.ipv4.ping_group_range=0 2147483647")
            workbench._echo = EchoEngine(os.urandom, open_socket=province.open_socket)
            # The first run of all opens the socket, and would make the first links look slow.
            await look(workbench, NOBODY[v6], Link(answer=nothing, keys={"packets": 1}, timeout=0.05))
            for _ in range(rounds):
                outcomes = await asyncio.gather(*(look(workbench, *one) for one in zip(hosts, links, strict=True)))
            asked: dict[str, list[Request]] = {host: [] for host in hosts}
            for request in province.requests:
                asked.setdefault(request.address, []).append(request)
        return [Look(outcome=outcome, requests=asked[host]) for outcome, host in zip(outcomes, hosts, strict=True)]

    return asyncio.run(story())


async def look(workbench: Workbench, host: str, link: Link) -> Outcome:
    """It ends within its deadline and a quarter of a second."""
    spec = TypeAdapter(probes.KINDS["icmp"].spec).validate_python({"host": host, "spacing": "5ms", **link.keys})
    outcome = await probes.run("icmp", spec, workbench, timeout=link.timeout)
    assert outcome.seconds < link.timeout + 0.25, outcome
    return outcome
