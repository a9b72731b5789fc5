"""What every test shares: a blocking call made inside the event loop fails the test."""

from collections.abc import Iterator

import pytest
from blockbuster import BlockBuster, blockbuster_ctx


@pytest.fixture(autouse=True)
def _no_blocking_calls_in_the_loop() -> Iterator[BlockBuster]:
    with blockbuster_ctx(["monitor", "probes"]) as blockbuster:
        yield blockbuster
