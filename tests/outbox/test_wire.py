"""The outbox with real HTTP receivers and the real store: what a duty officer's receiver sees."""

import asyncio
import contextlib
import json
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import TypeAdapter
from standardwebhooks.webhooks import Webhook

from monitor.model import Receiver
from monitor.notify import Courier, deliver, together
from monitor.notify.webhook import WebhookSpec
from monitor.outbox import Outbox
from monitor.store import Batch, MessageState, open_store
from probes.secret import Secret
from tests.notify.sink import OK, answer, sink
from tests.outbox.storms import CATALOGUE, OPENED, RESOLVED, Network, ids_in
from tests.outbox.world import Post, message

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def now() -> datetime:
    return datetime.now(UTC)


def gathering(name, messages):
    return together(name, messages, CATALOGUE, at=now())


def webhook(name: str, url: str) -> Receiver:
    spec = TypeAdapter(WebhookSpec).validate_python({"url": url, "secret": Secret(SECRET), "timeout": "300ms"})
    return Receiver(name=name, kind="webhook", spec=spec, gather=timedelta(seconds=30))


@contextlib.asynccontextmanager
async def at_work(store, *receivers: Receiver, **keys):
    """The schedule's seconds are a hundredth of their length, nothing else is changed."""
    async with Courier() as courier:
        outbox = Outbox(
            store,
            {each.name: each for each in receivers},
            lambda receiver, each: deliver(receiver, each, courier=courier, now=now()),
            now=now,
            jitter=lambda: 0.0,
            **keys,
        )
        task = asyncio.get_running_loop().create_task(outbox.run())
        try:
            yield outbox
            await outbox.stop(2)
            await task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def until(condition, patience: float = 5.0) -> None:
    async with asyncio.timeout(patience):
        while not condition():
            await asyncio.sleep(0.01)


@pytest.fixture(autouse=True)
def _hurry(monkeypatch):
    monkeypatch.setattr("monitor.outbox.schedule.STEPS", (0.05, 0.15, 0.3, 0.6))
    monkeypatch.setattr("monitor.outbox.schedule.SLOW", 0.3)


async def test_a_good_receiver_has_each_message_once_while_the_other_is_dead_and_then_it_has_them_too():
    post = Post()
    async with sink() as good, sink() as bad:
        bad.ever = answer(500)
        async with at_work(post, webhook("good", good.url), webhook("bad", bad.url)) as outbox:
            for number in range(1, 6):
                made = [message(name, "i1", number) for name in ("good", "bad")]
                post.commit(*made)
                outbox.offer(made)
            await until(lambda: len(good.got) == 5)
            assert all(each.headers["webhook-id"] == message("bad", "i1", 1).id for each in bad.got)
            bad.ever = OK
            await until(lambda: post.count(MessageState.DELIVERED) == 10)
    assert good.ids == [message("good", "i1", number).id for number in range(1, 6)]
    assert bad.ids[-5:] == [message("bad", "i1", number).id for number in range(1, 6)]


async def test_a_receiver_that_took_it_and_hung_up_gets_a_copy_it_can_recognise():
    post = Post()
    async with sink([b"", None, OK]) as receiver:
        made = message("truc", "i1", 1)
        post.commit(made)
        async with at_work(post, webhook("truc", receiver.url)):
            await until(lambda: post.count(MessageState.DELIVERED) == 1)
    assert len(receiver.got) == 3
    assert len({(each.headers["webhook-id"], each.body) for each in receiver.got}) == 1
    for each in receiver.got:
        Webhook(SECRET).verify(each.body, each.headers)


async def test_on_the_real_store_a_restart_delivers_what_was_left_and_repeats_nothing(tmp_path):
    async with sink() as receiver:
        receiver.ever = answer(503)
        store = await open_store("sqlite", tmp_path, now)
        try:
            made = [message("truc", "i1", number) for number in (1, 2)]
            await store.commit(Batch(messages=made))
            async with at_work(store, webhook("truc", receiver.url)) as outbox:
                outbox.offer(made)
                await until(lambda: len(receiver.got) >= 2)
            left = await store.pending()
            assert [each.message for each in left] == made
            assert left[0].attempts >= 1
            receiver.got.clear()
            receiver.ever = OK
            async with at_work(store, webhook("truc", receiver.url)):
                await until(lambda: len(receiver.got) == 2)
                await asyncio.sleep(0.4)
            assert receiver.ids == [each.id for each in made]
            assert await store.pending(parked=True) == ()
            await store.park(made[0].id, now() + timedelta(seconds=1))
        finally:
            await store.close()


async def test_on_the_real_store_a_storm_is_one_signed_message_and_its_rows_are_delivered_with_it(tmp_path):
    network = Network()
    async with sink() as receiver:
        receiver.ever = answer(503)
        store = await open_store("sqlite", tmp_path, now)
        try:
            made = [message for number in range(8) for message in network.say(number, OPENED)]
            await store.commit(Batch(messages=made))
            async with at_work(store, webhook("truc", receiver.url), together=gathering) as outbox:
                outbox.offer(made)
                await until(lambda: len(receiver.got) >= 2)
            held = await store.pending()
            (whole,) = [each for each in held if not each.told_in]
            assert {each.told_in for each in held} == {"", whole.message.id}
            assert len(held) == 9
            receiver.ever = OK
            async with at_work(store, webhook("truc", receiver.url), together=gathering):
                await until(lambda: whole.message.id in receiver.ids[-1:])
                await asyncio.sleep(0.2)
            assert {(each.headers["webhook-id"], each.body) for each in receiver.got} == {
                (whole.message.id, whole.message.body)
            }
            assert sorted(ids_in(whole.message)) == sorted(each.id for each in made)
            Webhook(SECRET).verify(receiver.got[-1].body, receiver.got[-1].headers)
            assert await store.pending(parked=True) == ()
            rows = await store.released(now() - timedelta(minutes=1))
            assert {row.message for row in rows if row.told_in == whole.message.id} == {each.id for each in made}
            assert (await store.stats()).messages == {("truc", MessageState.DELIVERED): 9}
        finally:
            await store.close()


async def test_on_the_real_store_what_was_released_before_a_restart_is_never_gathered_after_it(tmp_path):
    network = Network()
    async with sink() as receiver:
        receiver.ever = answer(503)
        store = await open_store("sqlite", tmp_path, now)
        try:
            first = network.say(0, OPENED)
            await store.commit(Batch(messages=first))
            async with at_work(store, webhook("truc", receiver.url), together=gathering) as outbox:
                outbox.offer(first)
                await until(lambda: len(receiver.got) >= 1)
            rest = [message for number in range(1, 8) for message in network.say(number, OPENED)]
            await store.commit(Batch(messages=[*network.say(0, RESOLVED), *rest]))
            receiver.ever = OK
            receiver.got.clear()
            async with at_work(store, webhook("truc", receiver.url), together=gathering):
                async with asyncio.timeout(10):
                    while await store.pending(parked=True):
                        await asyncio.sleep(0.02)
            assert first[0].id in receiver.ids
            inside = [each["id"] for each in told_of(receiver.got)]
            assert first[0].id not in inside
            assert sorted({*receiver.ids, *inside} & network.made.keys()) == sorted(network.made)
        finally:
            await store.close()


def told_of(requests):
    """What the requests with many messages in them told."""
    wholes = [json.loads(each.body)["data"] for each in requests]
    return [message for data in wholes for row in data.get("gathered", ()) for message in row["messages"]]
