"""What every test shares: a blocking call made inside the event loop fails the test."""

import asyncio
from collections.abc import Iterator

import pytest
from blockbuster import BlockBuster, blockbuster_ctx


@pytest.fixture(autouse=True)
def _no_blocking_calls_in_the_loop() -> Iterator[BlockBuster]:
    with blockbuster_ctx(["monitor", "probes"]) as blockbuster:
        yield blockbuster


# Said once, "there is no current loop" keeps pytest-asyncio from making one on the way to its own, which nobody would close.
asyncio.set_event_loop(None)
