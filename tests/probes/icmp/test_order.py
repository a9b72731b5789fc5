"""Echoes out of order: RFC 4737, by the moments at which the kernel says they arrived."""

import asyncio
import os
import socket
from functools import cache

import pytest

from probes.echo_batch import OneByOne
from probes.echo_flight import TOKEN, Door, Echoes, Flight, Plan, target
from probes.icmp import figures
from tests.probes.icmp.province import Answer, needs_province
from tests.probes.icmp.test_extra import loses, packet
from tests.probes.icmp.test_wire import both, echo
from tests.probes.icmp.together import Link, Look, together


def waits(*milliseconds: float) -> Answer:
    """Each packet is answered so much later."""

    def after(number: int) -> Answer:
        return lambda province, request: province.later(milliseconds[number] / 1000, request.wrap(request.echo()))

    return packet(after)


CASES = [
    # what the link did                                   four packets, 20 ms apart           reordered of those received
    ("kept the order", echo, 0.0),
    ("held the first back until all had passed", waits(100, 0, 0, 0), 1 / 4),
    ("let the last overtake all others", waits(120, 120, 120, 0), 3 / 4),
    ("turned two pairs round", waits(50, 0, 50, 0), 2 / 4),
    ("answered in order what it answered", loses(1), 0.0),
    ("sent a second copy of the first at the end", both(echo, waits(100, 100, 100, 100)), 0.0),
]  # fmt: skip


KEYS = {"packets": 4, "spacing": "20ms", "extra": 0}

looked = cache(lambda v6: together([Link(answer=case[1], keys=KEYS, timeout=0.7) for case in CASES], v6=v6))


@needs_province
@pytest.mark.parametrize("v6", [False, True], ids=["v4", "v6"])
@pytest.mark.parametrize(("sentence", "answer", "reordered"), CASES, ids=[case[0] for case in CASES])
def test_reordered(sentence: str, answer: Answer, reordered: float, v6: bool) -> None:
    looks: list[Look] = looked(v6)
    [facts] = [look.outcome.facts for case, look in zip(CASES, looks, strict=True) if case[0] == sentence]
    assert facts["reordered"] == reordered


async def test_the_order_is_that_of_the_kernels_stamps_not_that_of_reading() -> None:
    """Two processors may hand packets to the socket in another order than that of their arrival."""
    with socket.socket() as sock:
        door = Door(sock, OneByOne(sock), socket.AF_INET, raw=True, born=0.0)
    plan = Plan(count=4)
    run = Flight(door, [target("192.0.2.1")] * 4, plan, os.urandom(4 + TOKEN * 4), asyncio.Future())
    run.sent = [1_000, 2_000, 3_000, 4_000]
    run.rtts = [9_000, 1_000, 3_000, None]  # They arrived at 10,000, 3,000 and 6,000.
    run.result.rtts = [0.009e-3, 0.003e-3, 0.001e-3]
    run.order()
    assert run.result.rtts == pytest.approx([0.001e-3, 0.003e-3, 0.009e-3])
    assert run.result.reordered == 1
    assert figures(Echoes(sent=4, rtts=run.result.rtts, reordered=1))["reordered"] == 1 / 3


def test_nothing_is_said_of_the_order_of_nothing() -> None:
    assert "reordered" not in figures(Echoes(sent=3))
