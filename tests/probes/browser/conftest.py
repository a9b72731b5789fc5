"""One browser for a whole file of tests would hide what one run leaves to the next: each test has its own workbench."""

import asyncio
import os
import socket
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

import pytest
from pydantic import TypeAdapter

import probes
from probes.browser_tree import below
from probes.contract import Outcome
from probes.tools import Workbench
from tests.debian import need
from tests.probes.browser.portal import Server, portal
from tests.probes.look import GRACE, Names, now


@pytest.fixture(scope="session")
def chromium() -> str:
    need("chromium-headless-shell", "chromium-headless-shell")
    return need("chromium", "chromium")


@pytest.fixture
def server() -> Iterator[Server]:
    with portal() as running:
        yield running


@pytest.fixture
def unused_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.fixture
def short_path() -> Iterator[str]:
    """A directory for temporary files; the browser would not use one with a longer name."""
    with tempfile.TemporaryDirectory(prefix="ts-", ignore_cleanup_errors=True) as path:
        yield path


@pytest.fixture
async def workbench(chromium: str, short_path: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Workbench]:
    """Closed at the end; then no process and no file of it is left."""
    monkeypatch.setenv("TMPDIR", short_path)
    before = set(await asyncio.to_thread(below, os.getpid()))
    async with Workbench(now, resolver=Names({"portal.example": ("127.0.0.1",)})) as bench:
        yield bench
    assert set(await asyncio.to_thread(below, os.getpid())) <= before
    assert await asyncio.to_thread(os.listdir, short_path) == []


async def run(bench: Workbench, keys: Mapping[str, Any], *, timeout: float = 12.0) -> Outcome:
    """One run, ended in its time whatever the page does."""
    spec: Any = TypeAdapter(probes.KINDS["browser"].spec).validate_python(dict(keys))
    outcome = await probes.run("browser", spec, bench, timeout=timeout)
    assert outcome.seconds < timeout + GRACE, outcome
    return outcome


async def warm(bench: Workbench, server: Server) -> None:
    """Start the browser, so that a test's own time is not spent on it."""
    assert (await run(bench, {"steps": [{"go": server.url + "/plain"}]}, timeout=30)).seen == "ok"
