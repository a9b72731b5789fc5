"""The sandbox's own endpoint, in every weather."""

import asyncio
from dataclasses import dataclass

import pytest

from monitor.sandbox.datagram_listener import DatagramListener
from monitor.sandbox.faults import FINE, Condition
from monitor.sandbox.servers import Listener
from monitor.sandbox.sip_server import SipDatagrams, SipStream
from probes.contract import Reason
from tests.ports import free_port
from tests.probes.look import look


@dataclass
class Sky:
    """The weather, to be changed."""

    now: Condition = FINE

    def __call__(self) -> Condition:
        return self.now


CASES = [
    ("fine", FINE, Reason.OK, "200 OK, Sandbox VC"),
    ("cut", Condition(cut=True), Reason.TIMEOUT, ""),
    ("wrong", Condition(wrong=True), Reason.SIP_STATUS, "503"),
    ("refused", Condition(refused=True), Reason.REFUSED, ""),
    ("slow", Condition(delay=0.15), Reason.OK, "200"),
]


@pytest.mark.parametrize(("sentence", "weather", "reason", "words"), CASES, ids=[case[0] for case in CASES])
@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_weather(transport: str, sentence: str, weather: Condition, reason: Reason, words: str) -> None:
    sky, port = Sky(), free_port()
    ears = (
        DatagramListener("127.0.0.1", port, sky, lambda: SipDatagrams(sky)),
        Listener("127.0.0.1", port, sky, lambda: SipStream(sky)),
    )
    try:
        for now in (FINE, weather):
            sky.now = now
            for ear in ears:
                await ear.sync()
            await asyncio.sleep(0)
        outcome = await look("sip", {"host": "127.0.0.1", "port": port, "transport": transport}, timeout=0.4)
    finally:
        for ear in ears:
            ear.close()
    assert outcome.reason is reason, outcome
    assert words in outcome.detail
    if weather.delay:
        assert outcome.facts["seconds"] >= weather.delay
