"""The box and the configuration that watches it belong together: every check finds what it looks for, and sees it break."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from monitor.app.configuration import load_configuration
from monitor.model import Catalogue, Check
from monitor.sandbox import BoxProcess, Fault, Pace, communes, configuration, free_port, new_secret
from probes import Outcome, Seen, Workbench, run

PACE = Pace(systems=2.0, links=2.0)
NEED_THE_DAEMON = {"heartbeat", "browser"}
"""Kinds that look at what has been told to the daemon, or need a program that a fresh machine has not."""


@dataclass
class Watched:
    box: BoxProcess
    catalogue: Catalogue

    async def look(self, check: Check) -> Outcome:
        async with Workbench(lambda: datetime.now(UTC)) as workbench:
            return await run(check.kind, check.spec, workbench, timeout=check.timeout.total_seconds())

    def one_of_each(self) -> list[Check]:
        """The checks of everything that there is once, and of one commune."""
        checks = self.catalogue.checks.values()
        return [c for c in checks if "." not in c.node or c.node.endswith(".13285")]


@pytest.fixture
def written(tmp_path: Path) -> tuple[Path, int]:
    """The configuration, written before there is a loop: the list of communes is a file."""
    port = free_port()
    return configuration(tmp_path, communes(), port=port, listen=9464, pace=PACE, echo=False), port


@pytest.fixture
async def watched(tmp_path: Path, written: tuple[Path, int]) -> AsyncIterator[Watched]:
    (path, port), secret = written, new_secret()
    environ = {"THONGSUOT_SANDBOX_SECRET": secret, "THONGSUOT_SANDBOX_CLIENT": "sandbox"}
    async with BoxProcess(tmp_path, port, secret, PACE) as box:
        loaded = await asyncio.to_thread(load_configuration, path, environ, strict=True)
        assert not loaded.not_in_effect
        listening = asyncio.create_task(_listen(box))
        yield Watched(box, loaded.catalogue)
        listening.cancel()


async def _listen(box: BoxProcess) -> None:
    async for _ in box.events():
        pass


async def test_everything_in_the_box_is_well(watched: Watched) -> None:
    checks = [c for c in watched.one_of_each() if c.kind not in NEED_THE_DAEMON]
    assert len({c.kind for c in checks}) >= 10
    outcomes = dict(zip((c.id for c in checks), await asyncio.gather(*map(watched.look, checks)), strict=True))
    assert {id: (o.reason, o.detail) for id, o in outcomes.items() if o.seen is not Seen.OK} == {}


async def test_all_that_the_hub_takes_with_it_fails_and_is_not_our_fault(watched: Watched) -> None:
    checks = [c for c in watched.one_of_each() if c.kind not in NEED_THE_DAEMON]
    await watched.box.begin(Fault(kind="hub", after=0, lasts=60))
    await asyncio.sleep(0.3)
    outcomes = dict(zip((c.id for c in checks), await asyncio.gather(*map(watched.look, checks)), strict=True))
    ways = {id: outcomes.pop(id) for id in list(outcomes) if watched.catalogue.checks[id].witness}
    assert {id: o.seen for id, o in ways.items()} == {"tslcd.13285/duong_hai": Seen.OK}  # Another way than by the hub.
    assert {id: (o.reason, o.detail) for id, o in outcomes.items() if o.seen is not Seen.FAILED} == {}
