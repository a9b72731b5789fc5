"""What every test shares: a blocking call made inside the event loop fails the test."""

import asyncio
import os
from collections.abc import Iterator

import pytest
from blockbuster import BlockBuster, blockbuster_ctx


@pytest.fixture(autouse=True)
def _no_blocking_calls_in_the_loop() -> Iterator[BlockBuster]:
    with blockbuster_ctx(["monitor", "probes"]) as blockbuster:
        yield blockbuster


# Said once, "there is no current loop" keeps pytest-asyncio from making one on the way to its own, which nobody would close.
asyncio.set_event_loop(None)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Longer campaigns are only run by `make soak`, and everything else is not."""
    if not os.environ.get("SOAK"):
        long = [item for item in items if "soak" in item.keywords]
        config.hook.pytest_deselected(items=long)
        items[:] = [item for item in items if "soak" not in item.keywords]
    # Files of minutes begin first, so that none of them is what everybody waits for in the end (with --no-loadscope-reorder).
    items.sort(key=lambda item: "story" not in item.keywords)
