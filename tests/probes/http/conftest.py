import asyncio
from collections.abc import AsyncIterator

import pytest
import uvloop

from probes.tools import Workbench
from tests.probes.http.box import now

BOTH = {"test_hostile", "test_ways"}


def pytest_asyncio_loop_factories(config, item):
    """The daemon runs on uvloop, a developer's machine perhaps on asyncio: what depends on the loop is tried on both."""
    loops = {"asyncio": asyncio.new_event_loop}
    if item.module.__name__.rpartition(".")[2] in BOTH:
        loops["uvloop"] = uvloop.new_event_loop
    return loops


@pytest.fixture
async def workbench() -> AsyncIterator[Workbench]:
    async with Workbench(now) as workbench:
        yield workbench
