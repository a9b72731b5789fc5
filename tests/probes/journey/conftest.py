from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import pytest

from monitor.sandbox import login_server
from monitor.sandbox.faults import FINE
from monitor.sandbox.servers import Listener, gateway
from probes.contract import Outcome
from probes.tools import Workbench
from tests.probes.journey.house import Sandbox, now, travel

Travel = Callable[..., Awaitable[Outcome]]


@pytest.fixture
async def workbench() -> AsyncIterator[Workbench]:
    async with Workbench(now) as workbench:
        yield workbench


@pytest.fixture
def go(workbench: Workbench) -> Travel:
    """One run of a journey, on a workbench that lives as long as the test."""

    async def run(keys, **more):
        return await travel(workbench, keys, **more)

    return run


@pytest.fixture
async def province() -> AsyncIterator[Sandbox]:
    """The sandbox's login application, SOAP service, document axis and gateway, each on a port of its own, under one weather."""
    weather = [FINE]
    kinds = {
        "login": login_server.login(lambda: weather[0], "Một cửa"),
        "soap": login_server.soap(lambda: weather[0]),
        "axis": login_server.axis(lambda: weather[0], takes=0.4),
        "gateway": gateway(lambda: weather[0]),
    }
    async with AsyncExitStack() as stack:
        ports = {}
        for name, kind in kinds.items():
            listener = Listener("127.0.0.1", 0, lambda: weather[0], kind)
            await listener.sync()
            stack.callback(listener.close)
            ports[name] = listener._server.sockets[0].getsockname()[1]
        yield Sandbox(ports, weather)
