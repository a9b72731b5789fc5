"""The largest packet that passes: by what routers say, and without them. The interface of the province carries 1400 bytes."""

from functools import cache

import pytest

from probes.contract import Reason, Seen
from probes.icmp_mtu import LARGEST, PACKETS
from tests.probes.icmp.province import Answer, Province, Request, needs_icmp, needs_province
from tests.probes.icmp.test_wire import echo, error
from tests.probes.icmp.together import Link, Look, together
from tests.probes.look import look as look_at


def told(limit: int, said: int | None = None) -> Answer:
    """A router that carries so much, and says so, or says something else."""

    def answer(province: Province, request: Request) -> None:
        if len(request.packet) <= limit:
            echo(province, request)
        else:
            error((3, 4), (2, 0), info=limit if said is None else said)(province, request)

    return answer


def first(*limits: int) -> Answer:
    """Routers one behind the other, the widest first."""

    def answer(province: Province, request: Request) -> None:
        for limit in limits:
            if len(request.packet) > limit:
                error((3, 4), (2, 0), info=limit)(province, request)
                return
        echo(province, request)

    return answer


def hole(limit: int) -> Answer:
    """What is larger vanishes without a word."""
    return lambda province, request: echo(province, request) if len(request.packet) <= limit else None


def large(request: Request, province: Province) -> int:
    """How many large packets have come from this one's target."""
    return len([one for one in province.requests if one.address == request.address and len(one.packet) > 200])


def unlucky(limit: int, times: int) -> Answer:
    """A hole, and the first packets that are smaller than it were lost by chance."""

    def answer(province: Province, request: Request) -> None:
        fits = [one for one in province.requests if one.address == request.address and 200 < len(one.packet) <= limit]
        if len(request.packet) <= limit and not (request in fits and len(fits) <= times):
            echo(province, request)

    return answer


def every_other(province: Province, request: Request) -> None:
    """A line that loses each second of the large packets."""
    if len(request.packet) <= 200 or large(request, province) % 2 == 0:
        echo(province, request)


def forbidding(limit: int) -> Answer:
    """A firewall that refuses what is larger, in other words than a router's."""
    return lambda p, r: echo(p, r) if len(r.packet) <= limit else error((3, 13), (1, 1))(p, r)


CASES = [
    # what is on the way                                  its answer                                path MTU, packets at most
    ("nothing but our own interface", echo, 1400, 1),
    ("a router that says how much it carries", told(1300), 1300, 2),
    ("two routers that say it, one behind the other", first(1360, 1290), 1290, 3),
    ("a hole", hole(1331), 1331, PACKETS),
    ("a hole for all that is larger than it must be", hole(1280), 1280, PACKETS),
    ("a hole one byte below our own interface", hole(1399), 1399, PACKETS),
    ("a hole for what every link of IPv6 must carry", hole(1006), 1006, PACKETS),
    ("a router that says no number (RFC 1191 section 5)", told(1320, said=0), 1320, PACKETS),
    ("a router that says as much as was sent", told(1320, said=9000), 1320, PACKETS),
    ("a router that says less than what has passed", told(1320, said=20), 1320, PACKETS),
    ("a firewall that forbids large packets", forbidding(1310), 1310, PACKETS),
    ("a hole, and bad luck with the first ones before it", unlucky(1390, 3), 1390, PACKETS),
    ("a line that loses every other packet", every_other, 1400, 5),
]  # fmt: skip

KEYS = {"packets": 3, "path_mtu": True}


@cache
def looked(v6: bool) -> dict[str, Look]:
    links = [Link(answer=case[1], keys=KEYS, timeout=6) for case in CASES]
    return {case[0]: look for case, look in zip(CASES, together(links, v6=v6), strict=True)}


@needs_province
@pytest.mark.parametrize("v6", [False, True], ids=["v4", "v6"])
@pytest.mark.parametrize(("sentence", "answer", "size", "packets"), CASES, ids=[case[0] for case in CASES])
def test_the_largest_packet_is_found(sentence: str, answer: Answer, size: int, packets: int, v6: bool) -> None:
    look = looked(v6)[sentence]
    assert look.outcome.facts.get("path_mtu") == size
    assert len(look.requests) <= 3 + packets
    # The search is no part of the loss, nor of the round trips, and every packet of it forbids fragmentation.
    assert (look.outcome.seen, look.outcome.facts["sent"], look.outcome.facts["loss"]) == (Seen.OK, 3, 0)
    assert v6 or all(request.packet[6] & 0x40 for request in look.requests[3:])
    assert look.outcome.phases["path_mtu"] > 0


@needs_province
def test_what_goes_wrong_in_the_search_is_no_failure_of_the_link() -> None:
    short = Link(answer=hole(1331), keys=KEYS, timeout=0.6)
    silent = Link(answer=lambda province, request: None, keys=KEYS, timeout=0.6)
    unasked = Link(answer=echo, keys={"packets": 3}, timeout=0.6)
    looks = together([short, silent, unasked])
    assert [look.outcome.reason for look in looks] == [Reason.OK, Reason.NO_REPLY, Reason.OK]
    assert not any("path_mtu" in look.outcome.facts for look in looks)
    assert [len(look.requests) for look in looks[1:]] == [3, 3]


@needs_province
@pytest.mark.parametrize("v6", [False, True], ids=["v4", "v6"])
def test_what_the_kernel_remembers_of_the_path_is_not_believed(v6: bool) -> None:
    """A router said 1300 in the first round and has gone by the second one."""
    narrow = [True]

    def changing(province: Province, request: Request) -> None:
        if narrow[0] and len(request.packet) > 1300:
            error((3, 4), (2, 0), info=1300)(province, request)
            return
        narrow[0] = narrow[0] and len(request.packet) != 1300
        echo(province, request)

    [look] = together([Link(answer=changing, keys=KEYS, timeout=3)], v6=v6, rounds=2)
    assert look.outcome.facts["path_mtu"] == 1400


@needs_icmp
async def test_it_is_not_searched_beyond_the_largest_frames_in_use() -> None:
    outcome = await look_at("icmp", {"host": "127.0.0.1", "packets": 1, "path_mtu": True})
    assert outcome.facts["path_mtu"] == LARGEST
