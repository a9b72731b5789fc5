"""One fault is one page: 129 links cut in fifty ways, from the first outcome to the last request a receiver got, in virtual time.

The province is its own configuration (129 communes, three regions, two carriers, a hub); the way is the whole of it: rules, messages, outbox with
its gathering, and a receiver that counts. The truth decides the root: a carrier's links are the carrier, a region's the region (each carrier lost
but half of its own there), all of them the network, with the hub silent the hub; links by chance are as many faults.
"""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import groupby
from random import Random
from typing import Any

import pytest

from monitor.model import MONITOR, Message, State
from monitor.notify import together
from monitor.outbox import Outbox
from tests.outbox.storms import tell
from tests.outbox.world import START, Post, Town
from tests.rules.mass import Spell, Storm, links, plan

QUARTER = 900
LASTS = 1200
"""Seconds of an outage: longer than the quarter of an hour in which requests are counted."""
BUSY = {True: 400, False: 120}
"""Seconds from the first cut in which every second is lived through, when links fail slowly and when they do not."""
AFTER = 150
"""Seconds after it, in which everything has come back."""

CARRIERS, REGIONS = ("vnpt", "viettel"), {"Hà Nam": "ha_nam", "Nam Định": "nam_dinh", "Ninh Bình": "ninh_binh"}

VARIANTS = [
    *(("all in one second", seed) for seed in range(9)),
    *(("all over five minutes", seed) for seed in range(6)),
    *(("a few in one second", seed) for seed in range(5)),
    *(("a few over five minutes", seed) for seed in range(5)),
    *(("a carrier in one second", seed) for seed in range(5)),
    *(("a carrier over five minutes", seed) for seed in range(5)),
    *(("a region in one second", seed) for seed in range(5)),
    *(("a region over five minutes", seed) for seed in range(4)),
    *(("the hub", seed) for seed in range(3)),
    *(("our own uplink", seed) for seed in range(3)),
]


@dataclass
class Case:
    """What is cut, when, and whose fault that is."""

    kind: str
    seed: int
    start: float = 0.0
    end: float = 0.0
    links: list[str] = field(default_factory=list)
    roots: set[str] = field(default_factory=set)
    cuts: dict[str, Spell] = field(default_factory=dict)
    silent: Spell | None = None

    def __post_init__(self) -> None:
        chance = Random(f"{self.kind} {self.seed}")
        self.start = 90 + chance.uniform(0, 60)
        self.links, self.roots = self._whom(chance)
        slow = self.kind.endswith("over five minutes")
        moments = {link: self.start + (chance.uniform(0, 300) if slow else 0.0) for link in self.links}
        if moments:
            self.start = min(moments.values())
        self.end = self.start + LASTS
        self.cuts = {link: (since, self.end) for link, since in moments.items()}
        if self.kind == "the hub":
            self.cuts["hub"] = (self.start, self.end)
        if self.kind == "our own uplink":
            self.silent = (self.start, self.end)

    def run(self) -> Storm:
        """Second by second while something happens."""
        storm = Storm(self.cuts, self.silent)
        storm.run(self.start - 1, step=5).run(self.start + BUSY["five" in self.kind]).run(self.end - 1, step=5)
        return storm.run(self.end + AFTER)

    def _whom(self, chance: Random) -> tuple[list[str], set[str]]:
        if self.kind.startswith("a carrier"):
            carrier = CARRIERS[self.seed % 2]
            return links(carrier=carrier), {f"carrier.{carrier}"}
        if self.kind.startswith("a region"):
            region = list(REGIONS)[self.seed % 3]
            return links(region=region), {f"vung.{REGIONS[region]}"}
        if self.kind.startswith("a few"):
            found = chance.sample(links(), chance.randint(4, 24))
            return found, set(found)
        if self.kind == "our own uplink":
            return [], {MONITOR}
        return links(), {"hub"} if self.kind == "the hub" else {"tslcd"}


@dataclass
class Heard:
    """What the receiver got: each request's second and body."""

    at: list[float]
    bodies: list[Mapping[str, Any]]

    def most(self, within: float) -> int:
        """The most requests in any stretch of so many seconds."""
        return max(sum(first <= each < first + within for each in self.at) for first in self.at)

    def named(self) -> set[str]:
        """Nodes that were named."""
        found: set[str] = set()
        for body in self.bodies:
            data = body["data"]
            found |= {data["incident"]["node"]["id"], *(one["id"] for one in data["incident"]["affected"])}
            found |= {one["incident"]["node"]["id"] for one in data.get("gathered", ())}
        return found

    def counted(self) -> int:
        """The most nodes that one request speaks of."""
        said = [body["data"] for body in self.bodies]
        return max(int(max(data["incident"]["affected_total"], data.get("gathered_total", 1))) for data in said)

    def since(self, second: float) -> "Heard":
        """Only what came from then on."""
        kept = [place for place, when in enumerate(self.at) if when >= second]
        return Heard([self.at[place] for place in kept], [self.bodies[place] for place in kept])


async def deliver(messages: list[tuple[float, Message]], until: float) -> Heard:
    """Each message committed and offered at its second; what the receiver got."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    post, town = Post(), Town()
    outbox = Outbox(
        post,
        plan().receivers,
        town.deliver,
        now=lambda: START + timedelta(seconds=loop.time()),
        jitter=lambda: 0.0,
        together=lambda name, many: together(name, many, plan(), at=START + timedelta(seconds=loop.time())),
    )
    task = loop.create_task(outbox.run())
    for second, together_made in groupby(messages, key=lambda pair: pair[0]):
        await asyncio.sleep(max(0.0, began + second - loop.time()))
        tell(outbox, post, [message for _, message in together_made])
    await asyncio.sleep(max(0.0, began + until - loop.time()))
    await outbox.stop(10)
    await task
    log = [(when - began, message) for when, name, message in town.log if name == "truc"]
    return Heard([when for when, _ in log], [json.loads(message.body) for _, message in log])


@pytest.fixture(scope="module", autouse=True)
def province() -> None:
    """Read before any loop runs."""
    plan()


@pytest.mark.looptime
@pytest.mark.parametrize(("kind", "seed"), VARIANTS, ids=[f"{kind}, {seed}" for kind, seed in VARIANTS])
async def test_one_fault_is_one_page(kind: str, seed: int) -> None:
    case = Case(kind, seed)
    storm = case.run()
    heard = await deliver(storm.messages, case.end + AFTER + 700)

    assert heard.at[0] - case.start <= 90
    assert heard.most(QUARTER) <= 3
    cut, back = heard.since(0), heard.since(case.end)
    assert set(case.links) <= cut.named() or cut.counted() >= len(case.links)
    assert len(back.at) == 1

    # The root is who it was; all that was told on the way there was merged into it.
    assert {i.node for i in storm.incidents if not i.merged_into} == case.roots
    if kind == "our own uplink":
        assert [body["type"] for body in heard.bodies] == ["monitor.impaired", "monitor.recovered"]
        assert not [row for row in storm.transitions if row.state.failing]
    if kind in ("all in one second", "a carrier in one second", "the hub", "our own uplink"):
        assert len(heard.at) - len(back.at) == 1
    assert all(not i.state.active for i in storm.incidents)
    assert all(storm.state(link) is State.UP for link in links())
