"""Devices that lie, stutter or never end: the outcome is of the closed list, in time, and bounded."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from probes import Outcome, Reason, Secret, Seen
from probes.snmp_ber import OBJECT, OCTETS, Reader, integer, object_id, sequence, wrap
from probes.snmp_wire import RESPONSE
from tests.probes.look import look
from tests.probes.snmp.answers import COMMUNITY, KEYS, answer
from tests.probes.snmp.hostile import Answering, device

UPTIME = "1.3.6.1.2.1.1.3.0"
TICKS = integer(4711, 0x43)


def ask(answering: Answering, *, timeout: float = 2.5, **keys: Any) -> tuple[Outcome, int]:
    with device(answering) as (port, asked):
        spec = {"host": "127.0.0.1", "port": port, "community": Secret(COMMUNITY), **keys}
        return asyncio.run(look("snmp", spec, timeout=timeout)), len(asked)


def id_of(question: bytes) -> int:
    message = Reader(question).inside()
    message.number()
    message.content(OCTETS)
    return Reader(message.any()[1]).number()


def reply(
    question: bytes, value: bytes = TICKS, *, oid: str = UPTIME, plus: int = 0, status: int = 0, kind: int = RESPONSE
) -> bytes:
    row = sequence([object_id(oid), value])
    body = wrap(kind, integer(id_of(question) + plus) + integer(status) + integer(0) + sequence([row]))
    return sequence([b"\x02\x01\x01", wrap(OCTETS, COMMUNITY.encode()), body])


def nested(depth: int) -> bytes:
    inside = b"\x05\x00"
    for _ in range(depth):
        inside = wrap(0x30, inside)
    return inside


OK, FAILED = Seen.OK, Seen.FAILED
CASES: list[tuple[str, Answering, Seen, Reason]] = [
    ("it answers", lambda q, n: [reply(q)], OK, Reason.OK),
    ("it answers the second time", lambda q, n: [reply(q)] if n > 1 else [], OK, Reason.OK),
    ("only with other ids", lambda q, n: [reply(q, plus=1)], FAILED, Reason.TIMEOUT),
    ("with another id, then ours", lambda q, n: [reply(q, plus=1), reply(q)], OK, Reason.OK),
    ("with garbage, then ours", lambda q, n: [b"\xff" * 40, b"", reply(q)], OK, Reason.OK),
    ("twice", lambda q, n: [reply(q)] * 2, OK, Reason.OK),
    ("with our own question", lambda q, n: [q], FAILED, Reason.PROTOCOL),
    ("cut off", lambda q, n: [reply(q)[:-3]], FAILED, Reason.PROTOCOL),
    ("nothing at all", lambda q, n: [b""], FAILED, Reason.PROTOCOL),
    ("an indefinite length", lambda q, n: [b"\x30\x80" + reply(q)[2:] + b"\0\0"], FAILED, Reason.PROTOCOL),
    ("a length of 4 GiB", lambda q, n: [b"\x30\x84\xff\xff\xff\xff" + reply(q)], FAILED, Reason.PROTOCOL),
    ("a length of 127 bytes", lambda q, n: [b"\x30\xff" + b"\x01" * 200], FAILED, Reason.PROTOCOL),
    ("a hundred levels for a message", lambda q, n: [nested(100)], FAILED, Reason.PROTOCOL),
    ("a hundred levels for a value", lambda q, n: [reply(q, nested(100))], FAILED, Reason.SNMP),
    ("a huge text", lambda q, n: [reply(q, wrap(OCTETS, b"9" * 60_000))], FAILED, Reason.SNMP),
    ("a number of 40 bytes", lambda q, n: [reply(q, wrap(0x46, b"\x7f" * 40))], FAILED, Reason.PROTOCOL),
    ("a number of no bytes", lambda q, n: [reply(q, wrap(0x02, b""))], FAILED, Reason.PROTOCOL),
    ("not a number, as a text", lambda q, n: [reply(q, wrap(OCTETS, b"nan"))], FAILED, Reason.SNMP),
    ("another variable", lambda q, n: [reply(q, oid="1.3.6.1.2.1.1.4.0")], FAILED, Reason.PROTOCOL),
    ("genErr", lambda q, n: [reply(q, status=5)], FAILED, Reason.SNMP),
    ("authorizationError", lambda q, n: [reply(q, status=16)], FAILED, Reason.AUTH),
    ("tooBig for one variable", lambda q, n: [reply(q, status=1)], FAILED, Reason.SNMP),
    ("a status that nobody knows", lambda q, n: [reply(q, status=99)], FAILED, Reason.SNMP),
]


@pytest.mark.parametrize(("sentence", "answering", "seen", "reason"), CASES, ids=[case[0] for case in CASES])
def test_a_device_that_answers(sentence: str, answering: Answering, seen: Seen, reason: Reason) -> None:
    keys: dict[str, Any] = {"oids": {"value": UPTIME}} if reason in (Reason.OK, Reason.SNMP, Reason.PROTOCOL) else {}
    if "one variable" in sentence:
        keys = {}
    outcome, _ = ask(answering, timeout=0.8 if reason is Reason.TIMEOUT else 2.5, **keys)
    assert (outcome.seen, outcome.reason) == (seen, reason), outcome.detail


def walking(step: Callable[[int], tuple[str, bytes]]) -> Answering:
    """Every question is answered by one row of the walk."""

    def answering(question: bytes, number: int) -> Sequence[bytes]:
        oid, value = step(number)
        return [reply(question, value, oid=oid)]

    return answering


NAMES = "1.3.6.1.2.1.31.1.1.1.1"
WALKS: list[tuple[str, Answering, str, int]] = [
    ("stands still", walking(lambda n: (f"{NAMES}.7", wrap(OCTETS, b"x"))), "does not advance", 2),
    ("goes back", walking(lambda n: (f"{NAMES}.{1000 - n}", wrap(OCTETS, b"x"))), "does not advance", 2),
    ("never ends, row by row", walking(lambda n: (f"{NAMES}.{n}", wrap(OCTETS, b"x"))), "does not end", 512),
    ("never ends, level by level", walking(lambda n: (f"{NAMES}.1{'.1' * n}", wrap(OCTETS, b"x"))), "no number", 3),
]


@pytest.mark.parametrize(("sentence", "answering", "word", "most"), WALKS, ids=[case[0] for case in WALKS])
def test_a_walk_that(sentence: str, answering: Answering, word: str, most: int) -> None:
    outcome, asked = ask(answering, timeout=10, interfaces=["wan"])
    assert (outcome.seen, outcome.reason) == (Seen.FAILED, Reason.PROTOCOL), outcome.detail
    assert word in outcome.detail
    assert asked <= most


def test_a_well_behaved_agent_is_read_whole() -> None:
    outcome, asked = ask(lambda question, _: [answer(question)], **KEYS)
    assert outcome.seen is Seen.OK, outcome.detail
    assert outcome.facts["interfaces_up"] == 1
    assert outcome.facts["ticks"] == outcome.facts["uptime_seconds"]
    assert asked == 2


def test_an_agent_whose_answers_must_be_small_is_asked_for_less() -> None:
    def answering(question: bytes, _: int) -> Sequence[bytes]:
        rows = Reader(question).inside()
        rows.number(), rows.content(OCTETS)
        pdu = Reader(rows.any()[1])
        pdu.number(), pdu.number(), pdu.number()
        names, inside = [], pdu.inside()
        while inside:
            names.append(inside.inside().content(OBJECT))
        return [reply(question, status=1)] if len(names) > 4 else [answer(question)]

    outcome, asked = ask(answering, **KEYS)
    assert outcome.seen is Seen.OK, outcome.detail
    assert asked > 4


def test_a_device_that_says_tooBig_for_ever_is_left() -> None:
    outcome, asked = ask(
        lambda question, _: [reply(question, status=1)], oids={f"x{n}": f"1.3.6.1.4.{n}" for n in range(30)}
    )
    assert (outcome.reason, asked) == (Reason.SNMP, 5)


def test_a_flood_of_other_answers_is_borne_for_a_while() -> None:
    """What the kernel has no room for is lost, so it may as well be the deadline that ends it."""
    outcome, _ = ask(lambda question, _: [reply(question, plus=7)] * 3000)
    assert outcome.reason in (Reason.PROTOCOL, Reason.TIMEOUT)
    assert outcome.facts["ignored"] >= 100
