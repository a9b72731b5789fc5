"""More packets at once when some seem lost."""

import asyncio
import os
import random
import socket
import time
from collections.abc import Callable
from functools import cache
from itertools import pairwise
from typing import Any

import pytest
import uvloop

from probes import icmp_extra
from probes.contract import Reason, Seen
from probes.echo import BURST, EchoEngine
from probes.echo_batch import OneByOne
from probes.echo_flight import TOKEN, Door, Echoes, Flight, Plan, target
from probes.echo_socket import Quoted
from probes.icmp_extra import FEW, SILENCE, look
from tests.probes.icmp.province import Answer, Province, Request, needs_icmp, needs_province
from tests.probes.icmp.test_wire import echo, error
from tests.probes.icmp.together import Link, Look, together


def packet(behave: Callable[[int], Answer | None]) -> Answer:
    """Behave according to how many packets have come before this one."""

    def answer(province: Province, request: Request) -> None:
        before = len([one for one in province.requests if one.address == request.address]) - 1
        chosen = behave(before)
        if chosen is not None:
            chosen(province, request)

    return answer


def loses(*lost: int) -> Answer:
    return packet(lambda number: None if number in lost else echo)


def after(seconds: float) -> Answer:
    return lambda province, request: province.later(seconds, request.wrap(request.echo()))


LATE = packet(lambda number: after(0.5) if number == 1 else echo)
REFUSED_ONE = packet(lambda number: error((3, 1), (1, 3)) if number == 1 else echo)
SPREAD = {"packets": 3, "spacing": "700ms"}

CASES = [
    # what the link did                                  how, the check's keys, its timeout                sent, received
    ("answered all: nothing more is sent", Link(answer=echo), (5, 5)),
    ("lost one of five: five more are sent", Link(answer=loses(1), timeout=2.5), (10, 9)),
    ("lost one of two: two more", Link(answer=loses(0), keys={"packets": 2}, timeout=2.5), (4, 3)),
    ("lost one, and two more are asked for", Link(answer=loses(1), keys={"extra": 2}, timeout=2.5), (7, 6)),
    ("lost one, and no more are wanted", Link(answer=loses(1), keys={"extra": 0}, timeout=2.5), (5, 4)),
    ("lost one of the further ones as well", Link(answer=loses(1, 6), timeout=2.5), (10, 8)),
    ("lost one of 30: twenty more", Link(answer=loses(7), keys={"packets": 30, "spacing": "1ms"}, timeout=2.5), (50, 49)),
    ("was late with one, but in time", Link(answer=LATE, timeout=2.5), (10, 10)),
    ("was silent: three more tell it from bad luck", Link(answer=loses(*range(99)), timeout=2.5), (5 + FEW, 0)),
    ("was silent, and one packet was all", Link(answer=loses(*range(99)), keys={"packets": 1}, timeout=2.5), (2, 0)),
    ("came back while it was being looked at", Link(answer=loses(*range(5)), timeout=2.8), (10, 5)),
    ("was silent, and there is no time", Link(answer=loses(*range(99)), timeout=1.5), (5, 0)),
    ("lost one, and there is no time", Link(answer=loses(1), timeout=0.3), (5, 4)),
    ("refused one and answered the others", Link(answer=REFUSED_ONE, timeout=2.5), (10, 9)),
    ("refused every packet: that is an answer", Link(answer=error((3, 1), (1, 3))), (5, 0)),
    ("lost the first of three that are far apart", Link(answer=loses(0), keys=SPREAD, timeout=2.2), (6, 5)),
]  # fmt: skip

looked = cache(
    lambda v6: dict(zip((case[0] for case in CASES), together([case[1] for case in CASES], v6=v6), strict=True))
)
"""All cases of a family at once."""


def seen(sentence: str, *, v6: bool = False) -> Look:
    return looked(v6)[sentence]


@needs_province
@pytest.mark.parametrize("v6", [False, True], ids=["v4", "v6"])
@pytest.mark.parametrize(("sentence", "link", "counted"), CASES, ids=[case[0] for case in CASES])
def test_further_packets(sentence: str, link: Link, counted: tuple[int, int], v6: bool) -> None:
    outcome = seen(sentence, v6=v6).outcome
    assert (outcome.facts["sent"], outcome.facts["received"]) == counted
    assert outcome.facts["loss"] == pytest.approx(1 - counted[1] / counted[0])
    assert (outcome.seen is Seen.OK) is (counted[1] > 0)
    assert outcome.facts["duplicates"] == outcome.facts["late"] == outcome.facts["forged"] == 0


@needs_province
def test_they_are_like_the_first_ones_in_sequence_and_with_tokens_of_their_own() -> None:
    requests = seen("lost one of five: five more are sent").requests
    assert len({request.icmp[8:16] for request in requests}) == 10
    assert len({request.icmp[4:6] for request in requests}) == 1
    steps = {(after.sequence - before.sequence) & 0xFFFF for before, after in pairwise(requests)}
    assert steps == {1}


@needs_province
def test_they_do_not_wait_for_the_rest_of_a_burst_that_is_far_apart_and_are_not_out_of_order() -> None:
    look = seen("lost the first of three that are far apart")
    order = [(request.sequence - look.requests[0].sequence) & 0xFFFF for request in look.requests]
    assert order == [0, 1, 3, 4, 5, 2]
    assert look.outcome.facts["reordered"] == 0


@needs_province
def test_what_a_router_refuses_is_told_at_once_and_what_it_refuses_of_many_is_no_failure() -> None:
    refused = seen("refused every packet: that is an answer").outcome
    assert (refused.reason, refused.seconds < 0.4) == (Reason.UNREACHABLE, True)
    assert seen("refused one and answered the others").outcome.reason is Reason.OK


@needs_province
def test_only_as_many_are_sent_as_have_time_to_come_back() -> None:
    keys = {"packets": 2, "spacing": "50ms", "extra": 100}
    [look] = together([Link(answer=loses(0), keys=keys, timeout=1.0)])
    sent = look.outcome.facts["sent"]
    assert 4 < sent < 20
    assert look.outcome.facts["received"] == sent - 1


def flight(plan: Plan, sent: list[float | None], rtts: list[float | None]) -> Flight:
    """A run as it stands: when each packet left, in seconds, and the round trips of those that were answered."""
    with socket.socket() as sock:
        door = Door(sock, OneByOne(sock), socket.AF_INET, raw=True, born=0.0)
    made = Flight(door, [target("192.0.2.1")] * plan.count, plan, os.urandom(4 + TOKEN * plan.count), asyncio.Future())
    if len(sent) > plan.count:
        made.extend(os.urandom(TOKEN * (len(sent) - plan.count)))
    made.sent = [0 if at is None else 1 + int(at * 1e9) for at in sent]
    made.rtts = [None if rtt is None else int(rtt * 1e9) for rtt in rtts]
    made.left = made.rtts.count(None)
    return made


TWO = Plan(count=2, spacing=0.05, extra=10)
DOUBTS = [
    # how the run stands                                         sent at      round trips     at, of    more, look again in
    ("a quick link: a fifth of a second is enough", TWO, [0, 0.05], [None, 0.01], 0.2, 5, (10, None)),
    ("and a little earlier it is not", TWO, [0, 0.05], [None, 0.01], 0.15, 5, (0, 0.05)),
    ("a slow link has three times as long as the slowest", TWO, [0, 0.05], [None, 0.5], 1.4, 5, (0, 0.1)),
    ("and no more than that", TWO, [0, 0.05], [None, 0.5], 1.5, 5, (10, None)),
    ("silence is believed after a second", TWO, [0, 0.05], [None, None], 1.0, 5, (3, 1.15)),
    ("and not sooner", TWO, [0, 0.05], [None, None], 0.5, 5, (0, 0.5)),
    ("silence goes on: it is not asked a third time", TWO, [0, 0.05, 1, 1.05, 1.1], [None] * 5, 2.2, 5, (0, None)),
    ("it is over: the rest is asked for", TWO, [0, 0.05, 1, 1.05, 1.1], [None, None, 0.01, 0.01, 0.01], 2.2, 5, (7, None)),
    ("as many as wanted were sent", TWO, [0] * 12, [None, *[0.01] * 11], 2.0, 5, (0, None)),
    ("a packet that has not left is not lost", TWO, [0, None], [0.01, None], 3.0, 5, (0, 1.0)),
    ("there is time for three", TWO, [0, 0.05], [None, 0.01], 0.2, 0.31, (3, None)),
    ("there is no time", TWO, [0, 0.05], [None, 0.01], 0.2, 0.19, (0, None)),
    ("all at once is all at once", Plan(count=2, spacing=0, extra=10), [0, 0], [None, 0.01], 0.2, 0.3, (10, None)),
]  # fmt: skip


@pytest.mark.parametrize(("sentence", "plan", "sent", "rtts", "now", "left", "expected"), DOUBTS, ids=[case[0] for case in DOUBTS])  # fmt: skip
async def test_when_a_packet_is_plausibly_lost(
    sentence: str, plan: Plan, sent: Any, rtts: Any, now: float, left: float, expected: tuple[int, float | None]
) -> None:
    seen = look(flight(plan, sent, rtts), 1 + int(now * 1e9), left)
    assert (seen.more, seen.again) == (expected[0], pytest.approx(expected[1], abs=1e-6) if expected[1] else None)


async def test_nothing_more_is_sent_while_our_own_kernel_refuses() -> None:
    run = flight(TWO, [0, 0.05], [None, 0.01])
    run.result.refused = OSError(1, "")
    assert look(run, 10**10, 5).more == 0


async def test_a_run_that_was_refused_as_a_whole_is_over_and_one_in_part_is_not() -> None:
    for last, more in ((None, 0), (0.01, 10)):
        run = flight(TWO, [0, 0.05], [None, last])
        run.result.error, run.left = Quoted(b"", None, Reason.UNREACHABLE, "", False, 0), 0
        assert look(run, 10**8, 5).more == more


@needs_province
def test_a_link_that_stays_silent_costs_no_more_than_its_own_packets_and_one_that_is_back_is_looked_at_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What is known to be silent is not in question: all links down must not cost more than all links up."""
    monkeypatch.setattr(icmp_extra, "SILENCE", 0.15)
    dead = packet(lambda number: None if number < 13 or number == 14 else echo)
    [look] = together([Link(answer=dead, timeout=0.8)], rounds=3)
    # 5 and FEW, then 5 alone; in the third run one of five is lost again, and five more are sent.
    assert len(look.requests) == 5 + FEW + 5 + 10
    assert (look.outcome.facts["sent"], look.outcome.facts["received"]) == (10, 9)


@needs_icmp
def test_echoes_that_we_have_not_read_yet_are_not_lost() -> None:
    """Our loop stands still, and then the bell rings before all of the socket is read, which is done in parts."""

    async def story() -> Echoes:
        engine = EchoEngine(os.urandom)
        loop = asyncio.get_running_loop()
        plan = Plan(count=3 * BURST, spacing=0.0, extra=3)
        run = loop.create_task(engine.ping("127.0.0.1", plan, until=loop.time() + 4))
        loop.call_soon(time.sleep, SILENCE)
        echoes = await run
        await engine.aclose()
        return echoes

    echoes = uvloop.run(story())
    assert echoes.sent == len(echoes.rtts) == 3 * BURST


async def test_many_runs_together_tell_the_loss_as_it_is() -> None:
    """Wald's identity: pooled, the further packets do not bend the figure; the mean of the runs' own ratios is too low."""
    chance, truth, runs = random.Random(4), 0.05, 4000
    plan = Plan(count=5, spacing=0.0, extra=5)
    sent = lost = 0
    ratios = []
    for _ in range(runs):
        rtts = [None if chance.random() < truth else 0.01 for _ in range(5)]
        run = flight(plan, [0.0] * 5, rtts)
        more = look(run, 2 * 10**9, 5).more if None in rtts else 0
        rtts += [None if chance.random() < truth else 0.01 for _ in range(more)]
        sent, lost = sent + len(rtts), lost + rtts.count(None)
        ratios.append(rtts.count(None) / len(rtts))
    deviation = (truth * (1 - truth) / sent) ** 0.5
    assert abs(lost / sent - truth) < 4 * deviation
    assert sum(ratios) / runs < truth - 4 * deviation
