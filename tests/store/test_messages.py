"""A message's way: made once, tried, delivered or parked, never dropped."""

from datetime import timedelta

import pytest

from monitor.model import EventType, Message
from monitor.store import Batch, MessageState
from tests.store.conftest import NOW

MINUTE = timedelta(minutes=1)


def message(number: int, receiver: str = "truc", lane: str = "incident", body: bytes = b"{}") -> Message:
    return Message(
        id=f"{receiver}-{lane}-{number}",
        receiver=receiver,
        lane=lane,
        sequence=number,
        type=EventType.OPENED,
        created_at=NOW,
        body=body,
    )


async def test_a_message_made_twice_is_one_with_its_first_bytes(store):
    first, again = message(1, body=b"first"), message(1, body=b"again")
    await store.commit(Batch(messages=[first]))
    await store.commit(Batch(messages=[again, message(2)]))
    assert [(one.message.id, one.message.body) for one in await store.pending()] == [
        (first.id, b"first"),
        (message(2).id, b"{}"),
    ]


async def test_pending_ones_come_by_receiver_lane_and_sequence(store):
    made = [message(10, "b"), message(9, "b"), message(1, "b", "a"), message(2, "a", "z")]
    await store.commit(Batch(messages=made))
    assert [one.message for one in await store.pending()] == [made[3], made[2], made[1], made[0]]
    assert [one.message for one in await store.pending("a")] == [made[3]]


async def test_attempts_are_counted_and_delivery_ends_them(store, reopened):
    await store.commit(Batch(messages=[message(1), message(2)]))
    one, other = (pending.message.id for pending in await store.pending())
    await store.attempt(one, NOW, next_at=NOW + MINUTE, status=503, seconds=0.2, detail="busy")
    await store.attempt(one, NOW + MINUTE, next_at=NOW + 2 * MINUTE)
    again = await reopened(store)
    pending = await again.pending()
    assert [(row.attempts, row.next_at, row.since) for row in pending] == [(2, NOW + 2 * MINUTE, NOW), (0, None, NOW)]
    await again.delivered(one, NOW + 2 * MINUTE, status=204)
    assert [row.message.id for row in await again.pending()] == [other]
    assert [row.message.id for row in (await again.memory()).pending] == [other]
    assert (await again.stats()).messages == {("truc", MessageState.DELIVERED): 1, ("truc", MessageState.PENDING): 1}


@pytest.mark.parametrize(
    ("who", "freed"),
    [({}, 3), ({"receiver": "b"}, 1), ({"message": "truc-incident-2"}, 1), ({"receiver": "nobody"}, 0)],
)
async def test_a_parked_message_waits_for_a_person(store, who, freed):
    await store.commit(Batch(messages=[message(1), message(2), message(3, "b"), message(4)]))
    for parked in (message(1), message(2), message(3, "b")):
        await store.attempt(parked.id, NOW, next_at=NOW + MINUTE)
        await store.park(parked.id, NOW, detail="72 hours")
    assert [row.message for row in await store.pending()] == [message(4)]
    shown = await store.pending(parked=True)
    assert [row.state for row in shown].count(MessageState.PARKED) == 3
    assert await store.unpark(NOW + MINUTE, **who) == freed
    back = [row for row in await store.pending() if row.message != message(4)]
    assert [(row.attempts, row.next_at, row.since) for row in back] == [(0, None, NOW + MINUTE)] * freed
