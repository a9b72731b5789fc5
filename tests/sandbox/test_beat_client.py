"""The little job of the box calls a real door as its weather allows."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from monitor.sandbox.beat_client import BeatClient
from monitor.sandbox.faults import Condition
from monitor.web import WebServer, create_app
from probes.heartbeat_calls import Said
from tests.web.still import TOKEN, StillView


@pytest.fixture
def view() -> StillView:
    return StillView()


@pytest.fixture
async def box(view: StillView) -> AsyncIterator[tuple[StillView, str]]:
    server = WebServer(create_app(view), "127.0.0.1", 0)
    serving = asyncio.create_task(server.serve())
    yield view, f"http://127.0.0.1:{server.port}"
    await server.stop()
    await serving


WEATHERS = [
    ("fine: it begins, ends, and tells its queue", Condition(), [(Said.STARTED, {}), (Said.DONE, {"queue_age": 20.0})]),
    ("wrong: it says that it failed", Condition(wrong=True), [(Said.STARTED, {}), (Said.FAILED, {"queue_age": 20.0})]),
    ("slow: its queue grows", Condition(delay=0.05), [(Said.STARTED, {}), (Said.DONE, {"queue_age": 70.0})]),
    ("cut: silence", Condition(cut=True), []),
    ("refused: silence", Condition(refused=True), []),
]


@pytest.mark.parametrize(("sentence", "weather", "said"), WEATHERS, ids=[case[0] for case in WEATHERS])
async def test_a_run(box, sentence, weather, said):
    view, base = box
    client = BeatClient(base, TOKEN, lambda: weather)
    await client.once()
    assert [(call.said, dict(call.numbers)) for call in view.door.calls] == said
    assert client.answers == ({204: 2} if said else {})


async def test_a_daemon_that_is_away_is_no_trouble_of_the_job(box):
    view, base = box
    client = BeatClient("http://127.0.0.1:9", TOKEN, Condition)
    await client.once()
    assert client.answers == {0: 2}
    running = asyncio.create_task(BeatClient(base, TOKEN, Condition, every=0.01).run())
    await asyncio.sleep(0.3)
    running.cancel()
    assert len(view.door.calls) > 4
