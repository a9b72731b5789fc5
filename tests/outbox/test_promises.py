"""The promises under chance: receivers that fail in every way, crashes at any moment, a database that is busy. Days in milliseconds."""

import asyncio
import os
import random
from collections import Counter
from datetime import timedelta

import pytest

from monitor.notify import Delivery, Result
from monitor.outbox import Outbox
from monitor.store import MessageState
from tests.outbox.world import DEAD, GOOD, START, Post, Town, failing, message, receivers

NAMES = ("truc", "noc", "lanhdao")
TROUBLE = (
    DEAD,
    Delivery(result=Result.TIMEOUT),
    failing(500, Result.RETRY),
    failing(429, Result.THROTTLED, 120),
    failing(404, Result.REJECTED),
    failing(401, Result.CREDENTIALS),
)


class Chaos:
    """One run of a few virtual days; everything random comes from one seed."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.post, self.town = Post(), Town()
        self.accepted: list[tuple[str, str, bytes]] = []
        self.lied = Counter[str]()
        self.crashes = Counter[str]()
        self.unwell: dict[str, Delivery | None] = dict.fromkeys(NAMES)
        for name in NAMES:
            self.town.answers[name] = self.answer
            self.town.delay[name] = self.chance.choice([0.01, 1.0, 9.0])
        self.sequences = Counter[tuple[str, str]]()

    def answer(self, each):
        said = self.unwell[each.receiver] or (self.chance.choice(TROUBLE) if self.chance.random() < 0.1 else GOOD)
        if said.result is Result.DELIVERED or (said.result is Result.TIMEOUT and self.chance.random() < 0.5):
            # A time-out after the receiver took it: only the copy's id tells.
            self.accepted.append((each.receiver, each.id, each.body))
            self.lied[each.id] += said.result is Result.TIMEOUT
        return said

    def outbox(self):
        loop = asyncio.get_running_loop()
        return Outbox(
            self.post,
            receivers(*NAMES),
            self.town.deliver,
            now=lambda: START + timedelta(seconds=loop.time()),
            jitter=lambda: self.chance.uniform(-1, 1),
        )

    def news(self, outbox):
        made = []
        for _ in range(self.chance.randrange(4)):
            name, lane = self.chance.choice(NAMES), f"i{self.chance.randrange(6)}"
            self.sequences[name, lane] += 1
            made.append(message(name, lane, self.sequences[name, lane]))
        loop = asyncio.get_running_loop()
        self.post.commit(*made, at=START + timedelta(seconds=loop.time()))
        if outbox is not None and self.chance.random() < 0.9:
            outbox.offer(made)
        elif outbox is not None:
            outbox.wake()

    async def live(self, rounds):
        outbox, task = None, None
        for _ in range(rounds):
            if task is None:
                outbox = self.outbox()
                task = asyncio.get_running_loop().create_task(outbox.run())
            self.news(outbox)
            self.unwell[self.chance.choice(NAMES)] = self.chance.choice([None, None, *TROUBLE])
            self.post.trouble = self.chance.choice([0, 0, 0, 3])
            await asyncio.sleep(self.chance.choice([0.005, 0.5, 20, 1800, 20000]))
            if self.chance.random() < 0.2:
                for each in (row for row in self.post.rows.values() if row.state is MessageState.PENDING):
                    self.crashes[each.message.id] += 1
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
                task = None
        self.unwell = dict.fromkeys(NAMES)
        self.town.answers = dict.fromkeys(NAMES, self.well)
        if task is None:
            outbox = self.outbox()
            task = asyncio.get_running_loop().create_task(outbox.run())
        await asyncio.sleep(3 * 3600)
        for name in NAMES:  # A receiver that had no news while it was back.
            fresh = message(name, "last", 1)
            self.post.commit(fresh)
            outbox.offer([fresh])
        await asyncio.sleep(3 * 3600)
        await outbox.stop(10)
        await task

    def well(self, each):
        self.accepted.append((each.receiver, each.id, each.body))
        return GOOD


@pytest.mark.looptime
@pytest.mark.parametrize("seed", range(15))
async def test_nothing_is_lost_everything_is_in_order_and_every_copy_is_known(seed):
    await promises_hold(seed)


@pytest.mark.soak
@pytest.mark.skipif(not os.environ.get("SOAK"), reason="a campaign of minutes: make soak")
@pytest.mark.looptime
async def test_a_thousand_lives_of_the_outbox():
    for seed in range(1000, 2000):
        await promises_hold(seed)


async def promises_hold(seed):
    chaos = Chaos(seed)
    await chaos.live(40)
    rows = chaos.post.rows
    assert {row.state for row in rows.values()} == {MessageState.DELIVERED}
    received = [id for _, id, _ in chaos.accepted]
    assert set(received) == set(rows), "each arrived, and nothing that was not committed"
    bodies = {(id, body) for _, id, body in chaos.accepted}
    assert len(bodies) == len(rows), "one id, one body"
    copies = Counter(received)
    assert all(count <= 1 + chaos.crashes[id] + chaos.lied[id] for id, count in copies.items())
    firsts: dict[tuple[str, str], list[int]] = {}
    for id in dict.fromkeys(received):
        each = rows[id].message
        firsts.setdefault((each.receiver, each.lane), []).append(each.sequence)
    assert all(sequences == sorted(sequences) for sequences in firsts.values()), "in order within each incident"


@pytest.mark.looptime
@pytest.mark.parametrize("moment", [0.0, 0.5, 1.005, 1.02], ids=["before", "sending", "between", "after"])
async def test_a_crash_around_the_sending_makes_at_most_one_copy_with_the_same_id(moment):
    post, town = Post(slow=0.01), Town()
    town.delay["truc"] = 1.0
    post.commit(message("truc", "i1", 1))
    loop = asyncio.get_running_loop()
    for life in (moment, 60.0):
        outbox = Outbox(
            post,
            receivers("truc"),
            town.deliver,
            now=lambda: START + timedelta(seconds=loop.time()),
            jitter=lambda: 0.0,
        )
        task = loop.create_task(outbox.run())
        await asyncio.sleep(life)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    sent = town.sent("truc")
    assert 1 <= len(sent) <= 2
    assert len({(each.id, each.body) for each in sent}) == 1
    assert post.count(MessageState.DELIVERED) == 1
