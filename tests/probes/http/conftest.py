from collections.abc import AsyncIterator

import pytest

from probes.tools import Workbench
from tests.probes.http.box import now


@pytest.fixture
async def workbench() -> AsyncIterator[Workbench]:
    async with Workbench(now) as workbench:
        yield workbench
