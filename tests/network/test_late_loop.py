"""A loop that is late when a run ends, but not so late as to be blind, makes no failure of a link that has answered."""

import asyncio
import time

import pytest

from probes.contract import Reason, Seen
from tests.probes.icmp.province import Answer, Province, Request, needs_province
from tests.probes.icmp.test_wire import V4, echo, first_only, ping

pytestmark = needs_province

CASES = [
    ("one of three was answered", first_only(echo), (Seen.OK, Reason.OK, 1)),
    ("none was", lambda province, request: None, (Seen.FAILED, Reason.NO_REPLY, 0)),
]


@pytest.mark.parametrize(("sentence", "answer", "told"), CASES, ids=[case[0] for case in CASES])
async def test_what_has_come_back_is_told_though_the_deadline_is_over(
    sentence: str, answer: Answer, told: tuple[Seen, Reason, int]
) -> None:
    """The run stops waiting at 0.7 s and must have ended at 0.8 s; the loop stands still over both."""

    def stand_still() -> None:
        until = time.monotonic() + 0.25
        while time.monotonic() < until:
            pass

    def and_then(province: Province, request: Request) -> None:
        if len(province.requests) == 1:
            asyncio.get_running_loop().call_later(0.62, stand_still)
        answer(province, request)

    async with Province({V4: and_then}) as province:
        outcome = await ping(province, V4, timeout=0.8, extra=0)
    assert (outcome.seen, outcome.reason, outcome.facts["received"]) == told, outcome
    assert outcome.facts["loss"] == (3 - told[2]) / 3
