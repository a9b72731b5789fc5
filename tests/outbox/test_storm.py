"""Many things at once: what a receiver is sent, how often, and what it then knows. Hours pass in milliseconds."""

import asyncio
import json

import pytest
import structlog

from monitor.model import EventType, Severity
from monitor.notify import Result
from monitor.outbox import Outbox
from monitor.store import MessageState
from tests.outbox.storms import (
    ACKNOWLEDGED,
    OPENED,
    QUARTER,
    RESOLVED,
    Network,
    at_work,
    ids_in,
    outbox_of,
    requests_within,
    tell,
    told,
)
from tests.outbox.world import DEAD, GOOD, Post, Town, failing

pytestmark = pytest.mark.looptime

WARNING, BREACHED, UPDATED = EventType.RECOVERY_WARNING, EventType.RECOVERY_BREACHED, EventType.UPDATED

SHAPES = [
    # how the links go                        how many, over    requests: seconds after the first cut, links told (recovery begins at 1200)
    ("one",                                    1, 0.0,           [(0, 1), (1200, 1)]),
    ("two at once",                            2, 0.0,           [(0, 1), (10, 1), (1200, 1), (1230, 1)]),
    ("five at once",                           5, 0.0,           [(1, 5), (1248, 5)]),
    ("twenty at once",                        20, 0.0,           [(1, 20), (1257, 20)]),
    ("129 at once",                          129, 0.0,           [(1, 129), (1260, 129)]),
    ("twenty over twenty seconds",            20, 20.0,          [(0, 1), (11, 11), (79, 8), (1257, 20)]),
    ("forty over a minute",                   40, 60.0,          [(0, 1), (11, 7), (118, 32), (1258, 40)]),
    ("129 over five minutes",                129, 300.0,         [(0, 1), (12, 5), (314, 123), (1260, 129)]),
    ("four over ten minutes",                  4, 600.0,         [(0, 1), (150, 1), (360, 1), (900, 1), (1245, 4)]),
]  # fmt: skip


@pytest.mark.parametrize(("links", "over", "expected"), [case[1:] for case in SHAPES], ids=[case[0] for case in SHAPES])
async def test_a_storm_is_a_few_requests_and_its_end_is_one(links, over, expected):
    post, town, network = Post(), Town(), Network()
    async with at_work(post, town, "truc") as outbox:
        for number in range(links):
            tell(outbox, post, network.say(number, OPENED))
            await asyncio.sleep(over / links)
        await asyncio.sleep(1200 - over)
        for number in range(links):
            tell(outbox, post, network.say(number, RESOLVED))
            await asyncio.sleep(60 / links)
        await asyncio.sleep(24 * 3600)
    assert [len(ids_in(each)) for each in town.sent("truc")] == [count for _, count in expected]
    assert town.times("truc") == [pytest.approx(at, abs=1.5) for at, _ in expected]
    assert sorted(told(town.sent("truc"))) == sorted(network.made)
    assert links < 3 or requests_within(town.times("truc"), 900) <= 3
    assert post.count(MessageState.DELIVERED) == len(post.rows)


async def test_a_storm_that_is_over_soon_is_three_requests_in_its_quarter_of_an_hour():
    post, town, network = Post(), Town(), Network()
    async with at_work(post, town, "truc") as outbox:
        for number in range(30):
            tell(outbox, post, network.say(number, OPENED))
            await asyncio.sleep(2)
        await asyncio.sleep(240)
        for number in range(30):
            tell(outbox, post, network.say(number, RESOLVED))
            await asyncio.sleep(2)
        await asyncio.sleep(3600)
    assert requests_within(town.times("truc"), 900) == 3
    assert [row["type"] for row in json.loads(town.log[-1][2].body)["data"]["gathered"]] == ["incident.resolved"] * 30


async def test_what_is_alone_is_sent_as_it_was_made():
    post, town, network = Post(), Town(), Network()
    async with at_work(post, town, "truc") as outbox:
        for number in range(6):
            made = network.say(number, OPENED)
            began = asyncio.get_running_loop().time()
            tell(outbox, post, made)
            await asyncio.sleep(1)
            assert town.log[-1][2] == made[0]
            assert town.log[-1][0] == pytest.approx(began, abs=0.1)
            tell(outbox, post, network.say(number, RESOLVED))
            await asyncio.sleep(1000)
    assert town.sent("truc") == list(network.made.values())


async def test_critical_and_high_never_wait_and_take_nothing_from_the_others():
    post, town, network = Post(), Town(), Network()
    async with at_work(post, town, "truc") as outbox:
        for number in range(40):
            tell(outbox, post, network.say(number, OPENED))
            tell(outbox, post, network.say(100 + number, OPENED, Severity.HIGH))
            tell(outbox, post, network.say(200 + number, OPENED, Severity.CRITICAL))
            await asyncio.sleep(2)
        await asyncio.sleep(600)
    alone = [(at, each) for at, _, each in town.log if ids_in(each) == [each.id]]
    urgent = [at for at, each in alone if int(each.lane[2:]) >= 100]
    assert urgent == [pytest.approx(2 * number, abs=0.5) for number in range(40) for _ in (1, 2)]
    assert len(town.log) == 80 + 3


async def test_what_becomes_urgent_takes_along_what_waits_before_it():
    post, town, network = Post(), Town(), Network()
    async with at_work(post, town, "truc") as outbox:
        for number in range(20):
            tell(outbox, post, network.say(number, OPENED))
            await asyncio.sleep(1)
        assert [each.lane for each in town.sent("truc")][-1] != "i-19"
        tell(outbox, post, network.say(19, EventType.ESCALATED, Severity.HIGH))
        await asyncio.sleep(0.5)
        assert [(each.lane, each.type) for each in town.sent("truc")[-2:]] == [
            ("i-19", OPENED),
            ("i-19", EventType.ESCALATED),
        ]
        await asyncio.sleep(900)
    assert sorted(told(town.sent("truc"))) == sorted(network.made)


async def test_an_acknowledgement_is_told_at_once_unless_nobody_knows_of_what():
    post, town, network = Post(), Town(), Network()
    async with at_work(post, town, "truc") as outbox:
        for number in range(10):
            tell(outbox, post, network.say(number, OPENED))
        await asyncio.sleep(60)
        tell(outbox, post, [*network.say(3, ACKNOWLEDGED), *network.say(10, OPENED), *network.say(11, OPENED)])
        tell(outbox, post, network.say(11, ACKNOWLEDGED))
        await asyncio.sleep(0.5)
        assert [each.type for each in town.sent("truc")] == [OPENED, ACKNOWLEDGED]
        await asyncio.sleep(60)
    (row,) = [row for row in json.loads(town.log[-1][2].body)["data"]["gathered"] if row["incident"]["id"] == "i-11"]
    assert [each["type"] for each in row["messages"]] == ["incident.opened", "incident.acknowledged"]


async def test_what_came_and_went_while_it_waited_is_told_as_that():
    post, town, network = Post(), Town(), Network()
    async with at_work(post, town, "truc") as outbox:
        for number in range(10):
            tell(outbox, post, network.say(number, OPENED))
        await asyncio.sleep(60)
        for number in range(10, 20):
            tell(outbox, post, network.say(number, OPENED))
        await asyncio.sleep(1)
        tell(outbox, post, network.say(10, UPDATED))
        tell(outbox, post, network.say(10, RESOLVED))
        await asyncio.sleep(60)
    (row,) = [row for row in json.loads(town.log[-1][2].body)["data"]["gathered"] if row["incident"]["id"] == "i-10"]
    assert row["type"] == "incident.resolved"
    assert [each["type"] for each in row["messages"]] == ["incident.opened", "incident.updated", "incident.resolved"]
    assert "Xảy ra rồi đã tự khắc phục: 1 đường truyền" in json.loads(town.log[-1][2].body)["message"]["text"]


@pytest.mark.parametrize("kind", [WARNING, BREACHED, EventType.ESCALATED], ids=str)
async def test_a_moment_that_twenty_links_share_is_one_message(kind):
    post, town, network = Post(), Town(), Network()
    async with at_work(post, town, "truc") as outbox:
        for number in range(20):
            tell(outbox, post, network.say(number, OPENED))
        await asyncio.sleep(12 * 3600)
        for number in range(20):
            tell(outbox, post, network.say(number, kind))
        await asyncio.sleep(3600)
    assert [len(ids_in(each)) for each in town.sent("truc")] == [20, 20]
    assert town.log[-1][0] == pytest.approx(12 * 3600 + 1, abs=0.1)
    assert town.log[-1][2].type is kind


async def test_two_thirds_come_back_and_are_told_without_the_rest():
    post, town, network = Post(), Town(), Network()
    async with at_work(post, town, "truc") as outbox:
        for number in range(30):
            tell(outbox, post, network.say(number, OPENED))
        await asyncio.sleep(3600)
        for number in range(20):
            tell(outbox, post, network.say(number, RESOLVED))
            await asyncio.sleep(3)
        await asyncio.sleep(100)
        assert len(ids_in(town.log[-1][2])) == 20
        await asyncio.sleep(3600)
        for number in range(20, 30):
            tell(outbox, post, network.say(number, RESOLVED))
        await asyncio.sleep(5)
    assert [len(ids_in(each)) for each in town.sent("truc")] == [30, 20, 10]


@pytest.mark.parametrize("after", [0.0, 0.5, 5.0, 12.0, 200.0, 400.0])
async def test_a_restart_in_the_middle_gives_nobody_more_requests(after):
    post, town, network = Post(slow=0.01), Town(), Network()
    loop = asyncio.get_running_loop()
    for life in range(4):
        outbox = outbox_of(post, town, "truc")
        task = loop.create_task(outbox.run())
        for number in range(life * 10, life * 10 + 10):
            tell(outbox, post, network.say(number, OPENED))
        await asyncio.sleep(after)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    async with at_work(post, town, "truc"):
        await asyncio.sleep(1000)
    copies = len(town.sent("truc")) - len({each.id for each in town.sent("truc")})
    assert requests_within(town.times("truc"), 900) - copies <= 3
    assert sorted(told(town.sent("truc"))) == sorted(network.made)


async def test_a_receiver_dead_for_an_hour_of_a_storm_gets_a_handful_when_it_is_back():
    post, town, network = Post(), Town(answers={"truc": lambda _m: DEAD}), Network()
    async with at_work(post, town, "truc") as outbox:
        for number in range(240):
            tell(outbox, post, network.say(number, OPENED))
            await asyncio.sleep(15)
        town.answers.clear()
        back = asyncio.get_running_loop().time()
        await asyncio.sleep(3600)
    arrived = [each for at, _, each in town.log if at >= back]
    assert len(arrived) <= 7
    assert sorted(told(arrived)) == sorted(network.made)


async def test_a_machine_that_groups_by_itself_gets_every_message():
    post, town, network = Post(), Town(), Network()
    async with at_work(post, town, "truc", gather=None) as outbox:
        for number in range(40):
            tell(outbox, post, network.say(number, OPENED))
        await asyncio.sleep(5)
    assert sorted(each.id for each in town.sent("truc")) == sorted(network.made)


async def test_one_receivers_storm_is_nothing_to_another():
    post, town, network = Post(), Town(), Network(receivers=("truc", "noc"))
    quiet = Network(receivers=("lanhdao",))
    async with at_work(post, town, "truc", "noc", "lanhdao") as outbox:
        for number in range(40):
            tell(outbox, post, network.say(number, OPENED))
        tell(outbox, post, quiet.say(50, OPENED))
        await asyncio.sleep(60)
    assert [len(town.sent(name)) for name in ("truc", "noc", "lanhdao")] == [1, 1, 1]
    assert town.sent("truc")[0].id != town.sent("noc")[0].id
    assert town.sent("truc")[0].body != town.sent("noc")[0].body, "the ids inside are each receiver's own"


async def test_a_receiver_that_is_taken_out_and_comes_back_is_told_together():
    post, town, network = Post(), Town(), Network()
    async with at_work(post, town, "truc") as outbox:
        for number in range(10):
            tell(outbox, post, network.say(number, OPENED))
        await asyncio.sleep(60)
        receivers = dict(outbox.receivers)
        outbox.reload({})
        for number in range(10, 30):
            tell(outbox, post, network.say(number, OPENED))
        await asyncio.sleep(60)
        (queue,) = outbox.queues()
        assert (queue.parked, queue.held, len(town.log)) == (20, 0, 1)
        outbox.reload(receivers)
        await asyncio.sleep(30)
    assert [len(ids_in(each)) for each in town.sent("truc")] == [10, 20]


async def test_a_reload_that_ends_the_gathering_lets_go_of_what_waits():
    post, town, network = Post(), Town(), Network()
    async with at_work(post, town, "truc") as outbox:
        for number in range(10):
            tell(outbox, post, network.say(number, OPENED))
            await asyncio.sleep(5)
        (queue,) = outbox.queues()
        assert queue.held > 0
        outbox.reload(outbox_of(post, town, "truc", gather=None).receivers)
        await asyncio.sleep(1)
    assert sorted(told(town.sent("truc"))) == sorted(network.made)


async def test_a_refused_message_of_many_holds_up_only_what_it_tells():
    def answer(each):
        return failing(422, Result.REJECTED) if each.lane.startswith("gathered") else GOOD

    post, town, network = Post(), Town(answers={"truc": answer}), Network()
    async with at_work(post, town, "truc") as outbox:
        for number in range(10):
            tell(outbox, post, network.say(number, OPENED))
        await asyncio.sleep(30)
        tell(outbox, post, network.say(50, OPENED, Severity.CRITICAL))
        tell(outbox, post, network.say(3, EventType.ESCALATED, Severity.CRITICAL))
        await asyncio.sleep(30)
        assert [each.lane for each in town.sent("truc")][1:] == ["i-50"]
        (queue,) = outbox.queues()
        assert queue.alarm is Result.REJECTED
        town.answers.clear()
        await asyncio.sleep(600)
    assert sorted(told(town.sent("truc"))) == sorted(network.made)
    assert town.sent("truc")[-1].lane == "i-3"


async def test_what_waits_is_shown_and_what_was_gathered_is_counted():
    post, town, network, counted = Post(), Town(), Network(), []
    async with at_work(post, town, "truc", gathered=lambda name, count: counted.append((name, count))) as outbox:
        for number in range(10):
            tell(outbox, post, network.say(number, OPENED))
            await asyncio.sleep(5)
        (queue,) = outbox.queues()
        assert queue.held == 10 - len(told(town.sent("truc")))
        assert (queue.waiting, queue.retrying, queue.parked) == (0, 0, 0)
        await asyncio.sleep(900)
        (queue,) = outbox.queues()
    assert queue.held == 0
    assert sum(count for _, count in counted) == sum(
        len(ids_in(each)) for each in town.sent("truc") if len(ids_in(each)) > 1
    )


async def test_a_mistake_in_the_words_costs_the_gathering_and_not_the_news():
    post, town, network = Post(), Town(), Network()
    loop = asyncio.get_running_loop()

    def broken(_receiver, _messages):
        raise RuntimeError("words")

    outbox = outbox_of(post, town, "truc")
    outbox = Outbox(post, outbox.receivers, town.deliver, now=outbox.now, jitter=lambda: 0.0, together=broken)
    task = loop.create_task(outbox.run())
    with structlog.testing.capture_logs() as logs:
        for number in range(10):
            tell(outbox, post, network.say(number, OPENED))
        await asyncio.sleep(30)
        await outbox.stop(5)
        await task
    assert "gathering.failed" in {line["event"] for line in logs}
    assert sorted(each.id for each in town.sent("truc")) == sorted(network.made)


async def test_the_lengths_go_with_the_window():
    post, town, network = Post(), Town(), Network()
    async with at_work(post, town, "truc", gather=QUARTER / 90) as outbox:
        for number in range(30):
            tell(outbox, post, network.say(number, OPENED))
            await asyncio.sleep(0.1)
        await asyncio.sleep(60)
    assert requests_within(town.times("truc"), 10) == 3
    assert town.times("truc")[-1] < 4
