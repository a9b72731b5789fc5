"""The two databases on which everything must hold."""

import os
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
import pytest_asyncio

from monitor.store import Store, open_store
from tests.store.postgres import NoPostgresError, Server

NOW = datetime(2026, 11, 21, 7, 0, tzinfo=UTC)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """One server for all tests."""
    server = None
    try:
        server = Server()
        server.start()
    except NoPostgresError as missing:
        if server:
            server.stop()
        if os.environ.get("CI") == "true":
            pytest.fail(f"not run on PostgreSQL: {missing}")
        warnings.warn(f"NOT RUN on PostgreSQL: {missing}", pytest.PytestWarning, stacklevel=1)
        pytest.skip(f"NOT RUN on PostgreSQL: {missing}")
    yield server
    server.stop()


@dataclass
class Place:
    """Where a store lives: opening it again is a restart."""

    url: str
    directory: Path
    now: datetime = NOW

    async def open(self) -> Store:
        """Open it."""
        return await open_store(self.url, self.directory, lambda: self.now)


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """An empty place on each database."""
    url = "sqlite"
    if request.param == "postgresql":
        server: Server = request.getfixturevalue("postgres")
        url = server.database()
    return Place(url, tmp_path)


@pytest_asyncio.fixture
async def store(place: Place) -> AsyncIterator[Store]:
    """An open store there."""
    async with await place.open() as opened:
        yield opened


@pytest_asyncio.fixture
async def reopened(place: Place) -> AsyncIterator[Callable[[Store], Awaitable[Store]]]:
    """Close a store and open the place again; what is open at the end is closed."""
    stores: list[Store] = []

    async def again(store: Store) -> Store:
        await store.close()
        stores.append(await place.open())
        return stores[-1]

    yield again
    for one in stores:
        await one.close()
