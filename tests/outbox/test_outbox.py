"""What a receiver may do, and what the outbox must then do; hours pass in milliseconds."""

import asyncio
from collections import Counter
from datetime import timedelta
from itertools import pairwise

import pytest

from monitor.notify import Delivery, Result
from monitor.outbox import HOURLY, PATIENCE, SLOW, STEPS, TRIES, spent, wait_after
from monitor.store import MessageState
from tests.outbox.world import DEAD, GOOD, START, Post, Town, failing, message, receivers, running

pytestmark = pytest.mark.looptime

DELIVERED, PENDING, PARKED = MessageState.DELIVERED, MessageState.PENDING, MessageState.PARKED


def give(outbox, post, *messages):
    post.commit(*messages)
    outbox.offer(messages)


async def test_a_message_that_was_committed_goes_at_once_and_once():
    post, town = Post(), Town()
    async with running(post, town, "truc") as outbox:
        give(outbox, post, message("truc", "i1", 1))
        outbox.offer([message("truc", "i1", 1)])
        outbox.wake()
        await asyncio.sleep(5)
        outbox.offer([message("truc", "i1", 1)])
        await asyncio.sleep(5)
    assert town.times("truc") == [pytest.approx(0, abs=0.01)]
    assert post.count(DELIVERED) == 1


async def test_what_was_left_undelivered_is_taken_up_at_the_start():
    post, town = Post(), Town()
    post.commit(message("truc", "i1", 2), message("truc", "i1", 1), message("lanhdao", "i1", 1))
    async with running(post, town, "truc", "lanhdao"):
        await asyncio.sleep(1)
    assert [each.sequence for each in town.sent("truc")] == [1, 2]
    assert post.count(DELIVERED) == 3


async def test_a_receiver_dead_for_three_days_is_tried_for_three_days_and_then_the_message_is_parked():
    post, town = Post(), Town(answers={"truc": lambda _m: DEAD})
    async with running(post, town, "truc", seed=1) as outbox:
        give(outbox, post, message("truc", "i1", 1), message("truc", "i1", 2))
        await asyncio.sleep(72 * 3600)
        assert post.count(PENDING) == 2, "72 hours are not over for it"
        await asyncio.sleep(30 * 3600)
        (queue,) = outbox.queues()
    assert (post.count(PARKED), post.count(PENDING), post.count(DELIVERED)) == (1, 1, 0)
    assert (queue.parked, queue.waiting, queue.retrying) == (2, 0, 0)
    assert {each.sequence for each in town.sent("truc")} == {1}, "what comes after waits behind it"
    times = town.times("truc")
    assert times[-1] >= 72 * 3600
    assert len(times) >= TRIES
    nominal = [*STEPS, *[HOURLY] * (len(times) - 1 - len(STEPS))]
    gaps = [b - a for a, b in pairwise(times)]
    assert all(0.79 * step <= gap <= 1.21 * step + 0.1 for step, gap in zip(nominal, gaps, strict=True))
    assert len({round(gap) for gap in gaps[10:]}) > 20, "with jitter no two receivers fall into step"


async def test_the_first_five_minutes_are_fast():
    post, town = Post(), Town(answers={"truc": lambda _m: DEAD})
    async with running(post, town, "truc") as outbox:
        give(outbox, post, message("truc", "i1", 1))
        await asyncio.sleep(300)
    assert [round(at) for at in town.times("truc")] == [0, 5, 20, 50, 110, 230]


async def test_when_the_receiver_is_back_everything_arrives_in_the_order_of_each_incident():
    post, town = Post(), Town(answers={"truc": lambda _m: DEAD})
    everything = [message("truc", f"i{lane}", sequence) for sequence in (1, 2, 3) for lane in range(20)]
    async with running(post, town, "truc", seed=2) as outbox:
        give(outbox, post, *everything)
        await asyncio.sleep(90 * 3600)
        town.answers.clear()
        back = asyncio.get_running_loop().time()
        give(outbox, post, message("truc", "news", 1))
        await asyncio.sleep(60)
    assert post.count(DELIVERED) == 61
    arrived = [each for at, _, each in town.log if at >= back]
    assert len(arrived) == 61, "each of them once"
    for lane in range(20):
        assert [each.sequence for each in arrived if each.lane == f"i{lane}"] == [1, 2, 3]


async def test_a_dead_and_a_slow_receiver_delay_no_other():
    post = Post()
    town = Town(answers={"dead": lambda _m: DEAD})
    town.delay |= {"slow": 29.0, "dead": 10.0}
    async with running(post, town, "dead", "slow", "good", within=60) as outbox:
        for number in range(300):
            give(outbox, post, *(message(name, f"i{number}", 1) for name in ("dead", "slow", "good")))
            await asyncio.sleep(0.1)
        await asyncio.sleep(1)
        assert len(town.sent("good")) == 300
    offered = [number * 0.1 for number in range(300)]
    assert max(at - when for at, when in zip(town.times("good"), offered, strict=True)) <= 1.0


async def test_a_dead_receiver_costs_one_delivery_at_a_time_whatever_waits_for_it():
    post, town = Post(), Town(answers={"truc": lambda _m: DEAD})
    town.delay["truc"] = 10.0
    async with running(post, town, "truc") as outbox:
        give(outbox, post, message("truc", "first", 1))
        await asyncio.sleep(11)
        town.most.clear()
        give(outbox, post, *(message("truc", f"i{lane}", 1) for lane in range(500)))
        await asyncio.sleep(3600)
        assert town.most["truc"] == 1
        town.answers.clear()
        town.delay["truc"] = 0.01
        await asyncio.sleep(30)
    assert post.count(DELIVERED) == 501
    assert town.most["truc"] <= 4


async def test_a_new_message_is_tried_before_what_already_failed():
    post, town = Post(), Town(answers={"truc": lambda _m: DEAD})
    town.delay["truc"] = 10.0
    async with running(post, town, "truc") as outbox:
        give(outbox, post, *(message("truc", f"i{lane}", 1) for lane in range(100)))
        await asyncio.sleep(3000)
        began = asyncio.get_running_loop().time()
        give(outbox, post, message("truc", "news", 1))
        await asyncio.sleep(60)
    tried = next(at for at, _, each in town.log if each.lane == "news")
    assert tried - began <= 10.0


ANSWERS = [
    # what it says                        seconds until the second try
    ("unreachable is tried again soon", DEAD, 5),
    ("500 is tried again soon", failing(500, Result.RETRY), 5),
    ("it asks for two minutes", failing(429, Result.THROTTLED, 120), 120),
    ("it asks for less than we would wait", failing(503, Result.RETRY, 1), 5),
    ("400 is tried slowly", failing(400, Result.REJECTED), SLOW),
    ("401 is tried slowly", failing(401, Result.CREDENTIALS), SLOW),
    ("a redirect is tried slowly", failing(302, Result.REDIRECTED), SLOW),
    ("an address that is not allowed is tried slowly", Delivery(result=Result.BLOCKED), SLOW),
]


@pytest.mark.parametrize(("said", "wait"), [case[1:] for case in ANSWERS], ids=[case[0] for case in ANSWERS])
async def test_when_it_is_tried_again(said, wait):
    post, town = Post(), Town(answers={"truc": lambda _m: said})
    async with running(post, town, "truc") as outbox:
        give(outbox, post, message("truc", "i1", 1))
        await asyncio.sleep(wait + 1)
        (queue,) = outbox.queues()
    first, second, *_ = town.times("truc")
    assert second - first == pytest.approx(wait, abs=0.1)
    assert queue.alarm is (said.result if said.result.alarming else None)
    assert post.count(PENDING) == 1


async def test_a_receiver_that_asked_to_be_left_alone_is_not_asked_about_something_else():
    post, town = Post(), Town(answers={"truc": lambda _m: failing(429, Result.THROTTLED, 600)})
    async with running(post, town, "truc", "other") as outbox:
        give(outbox, post, message("truc", "i1", 1))
        await asyncio.sleep(1)
        town.answers.clear()
        give(outbox, post, message("truc", "i2", 1), message("other", "i2", 1))
        await asyncio.sleep(590)
        assert (len(town.sent("truc")), len(town.sent("other"))) == (1, 1)
        await asyncio.sleep(30)
    assert post.count(DELIVERED) == 3


async def test_one_message_that_is_refused_holds_up_only_its_own_incident():
    def answer(each):
        return failing(422, Result.REJECTED) if each.lane == "bad" else GOOD

    post, town = Post(), Town(answers={"truc": answer})
    async with running(post, town, "truc") as outbox:
        give(outbox, post, message("truc", "bad", 1), message("truc", "bad", 2))
        for number in range(100):
            give(outbox, post, message("truc", f"i{number}", 1))
            await asyncio.sleep(1)
        (queue,) = outbox.queues()
        assert queue.alarm is Result.REJECTED
        assert Counter(each.lane for each in town.sent("truc"))["bad"] == 1, "good news of others is none for it"
        town.answers.clear()
        await asyncio.sleep(SLOW)
        (queue,) = outbox.queues()
    assert (queue.alarm, post.count(DELIVERED)) == (None, 102)


async def test_410_disables_the_receiver_until_the_configuration_is_loaded_again():
    post, town = Post(), Town(answers={"truc": lambda _m: failing(410, Result.GONE)})
    async with running(post, town, "truc") as outbox:
        give(outbox, post, message("truc", "i1", 1), message("truc", "i1", 2))
        await asyncio.sleep(1)
        give(outbox, post, message("truc", "i2", 1))
        await asyncio.sleep(7200)
        (queue,) = outbox.queues()
        assert (queue.disabled, queue.alarm, queue.parked) == (True, Result.GONE, 3)
        assert len(town.sent("truc")) == 1
        town.answers.clear()
        outbox.reload(receivers("truc"))
        await asyncio.sleep(5)
    assert post.count(DELIVERED) == 3
    assert [each.sequence for each in town.sent("truc") if each.lane == "i1"][1:] == [1, 2]


async def test_a_receiver_that_was_taken_out_of_the_configuration_keeps_its_messages():
    post, town = Post(), Town(answers={"truc": lambda _m: DEAD})
    async with running(post, town, "truc") as outbox:
        give(outbox, post, message("truc", "i1", 1))
        await asyncio.sleep(1)
        outbox.reload(receivers("khac"))
        await asyncio.sleep(3600)
        assert post.count(PARKED) == 1
        town.answers.clear()
        outbox.reload(receivers("khac", "truc"))
        await asyncio.sleep(5)
    assert post.count(DELIVERED) == 1


async def test_a_reload_in_the_middle_loses_nothing_and_repeats_nothing():
    post, town = Post(), Town()
    town.delay["truc"] = 3.0
    async with running(post, town, "truc") as outbox:
        give(outbox, post, *(message("truc", f"i{lane}", sequence) for lane in range(8) for sequence in (1, 2)))
        for _ in range(10):
            await asyncio.sleep(1)
            outbox.reload(receivers("truc"))
        await asyncio.sleep(60)
    assert post.count(DELIVERED) == 16
    assert max(Counter(each.id for each in town.sent("truc")).values()) == 1


async def test_a_person_takes_a_parked_message_out_of_parking():
    post, town = Post(), Town(answers={"truc": lambda _m: DEAD})
    async with running(post, town, "truc") as outbox:
        give(outbox, post, message("truc", "i1", 1))
        await asyncio.sleep(80 * 3600)
        assert post.count(PARKED) == 1
        tries = len(town.sent("truc"))
        await asyncio.sleep(80 * 3600)
        assert len(town.sent("truc")) == tries, "a parked message does not knock"
        town.answers.clear()
        await post.unpark(START)
        outbox.wake()
        await asyncio.sleep(1)
    assert post.count(DELIVERED) == 1


async def test_a_busy_database_does_not_make_a_sent_message_go_twice():
    post, town = Post(), Town()
    async with running(post, town, "truc") as outbox:
        post.trouble = 5
        give(outbox, post, message("truc", "i1", 1), message("truc", "i1", 2))
        await asyncio.sleep(120)
    assert [each.sequence for each in town.sent("truc")] == [1, 2]
    assert post.count(DELIVERED) == 2


@pytest.mark.parametrize("step", [timedelta(days=365), timedelta(days=-365)], ids=["a year forward", "a year back"])
async def test_a_stepped_wall_clock_neither_parks_early_nor_stops_the_tries(step):
    post, town = Post(), Town(answers={"truc": lambda _m: DEAD})
    loop, jump = asyncio.get_running_loop(), [timedelta(0)]
    async with running(post, town, "truc", now=lambda: START + timedelta(seconds=loop.time()) + jump[0]) as outbox:
        give(outbox, post, message("truc", "i1", 1))
        await asyncio.sleep(10)
        jump[0] = step
        await asyncio.sleep(70 * 3600)
        assert post.count(PENDING) == 1
    assert len(town.sent("truc")) >= 70


async def test_a_restart_goes_on_in_the_schedule_and_not_from_its_start():
    post, town = Post(), Town(answers={"truc": lambda _m: DEAD})
    async with running(post, town, "truc") as outbox:
        give(outbox, post, message("truc", "i1", 1))
        await asyncio.sleep(2 * 3600)
    tries = len(town.sent("truc"))
    async with running(post, town, "truc"):
        await asyncio.sleep(3000)
        assert len(town.sent("truc")) - tries <= 1
        await asyncio.sleep(4000)
        assert len(town.sent("truc")) - tries >= 1


async def test_a_parked_message_still_blocks_its_lane_after_a_restart():
    post, town = Post(), Town(answers={"truc": lambda _m: DEAD})
    post.commit(message("truc", "i1", 1), message("truc", "i1", 2))
    await post.park(message("truc", "i1", 1).id, START)
    async with running(post, town, "truc") as outbox:
        await asyncio.sleep(3600)
        assert town.sent("truc") == []
        (queue,) = outbox.queues()
        assert queue.parked == 2


async def test_stopping_lets_what_is_in_flight_end_and_starts_nothing_more():
    post, town = Post(), Town()
    town.delay["truc"] = 5.0
    async with running(post, town, "truc") as outbox:
        give(outbox, post, *(message("truc", f"i{lane}", 1) for lane in range(10)))
        await asyncio.sleep(1)
        began = asyncio.get_running_loop().time()
        await outbox.stop(10)
        assert asyncio.get_running_loop().time() - began <= 5
    assert post.count(DELIVERED) == len(town.sent("truc")) == 4
    assert post.count(PENDING) == 6


async def test_stopping_cuts_off_what_does_not_end_in_time():
    post, town = Post(), Town()
    town.delay["truc"] = 500.0
    async with running(post, town, "truc") as outbox:
        give(outbox, post, message("truc", "i1", 1))
        await asyncio.sleep(1)
        began = asyncio.get_running_loop().time()
        await outbox.stop(10)
        assert asyncio.get_running_loop().time() - began == pytest.approx(10, abs=0.1)
    assert post.count(PENDING) == 1


async def test_receivers_are_shown_even_when_nothing_waits_for_them():
    async with running(Post(), Town(), "truc", "lanhdao") as outbox:
        assert [queue.receiver for queue in outbox.queues()] == ["lanhdao", "truc"]


def test_the_tries_last_for_72_hours_even_with_the_shortest_jitter():
    waits = [wait_after(number, DEAD, -1.0) for number in range(1, 2 * TRIES)]
    assert sum(wait_after(number, DEAD, 0.0) for number in range(1, TRIES)) >= PATIENCE.total_seconds()
    elapsed = timedelta(0)
    for number, wait in enumerate(waits, start=1):
        if spent(number, elapsed):
            break
        elapsed += timedelta(seconds=wait)
    assert elapsed >= PATIENCE
