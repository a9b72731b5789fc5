"""A process that writes and says what it was told is stored: made to be killed.

For each number a batch with a transition, its incident, event, message, sample and states; the number is sent back only after the commit.
It is forked from a server that has everything imported, so that a hundred of them cost little.
"""

import asyncio
import contextlib
import multiprocessing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

from monitor.model import (
    CheckState,
    EventType,
    Incident,
    IncidentEvent,
    Message,
    NodeState,
    Severity,
    State,
    Transition,
)
from monitor.store import Batch, Sample, StoreError, open_store
from probes.contract import Seen

START = datetime(2026, 11, 21, tzinfo=UTC)


def batch(number: int) -> Batch:
    """Rows in seven tables that belong together."""
    at = START + timedelta(minutes=number)
    incident = Incident(
        id=f"i{number}",
        node=f"n{number}",
        severity=Severity.HIGH,
        started_at=at,
        detected_at=at,
        opened_at=at,
        target=timedelta(hours=24),
        sequence=1,
    )
    return Batch(
        samples=[Sample(check=f"n{number % 7}/c", at=at, seen=Seen.FAILED, seconds=0.5)],
        checks=[CheckState(check=f"n{number % 7}/c", state=State.DOWN, since=at, seen_at=at)],
        nodes=[NodeState(node=f"n{number}", state=State.DOWN, since=at)],
        transitions=[Transition(subject=f"n{number}", at=at, state=State.DOWN)],
        incidents=[incident],
        events=[IncidentEvent(incident=incident, sequence=1, type=EventType.OPENED, at=at)],
        messages=[
            Message(
                id=f"m{number}",
                receiver="truc",
                lane=f"i{number}",
                sequence=1,
                type=EventType.OPENED,
                created_at=at,
                body=b"x" * 2000,
            )
        ],
    )


async def write(url: str, directory: str, first: int, count: int, sealing: bool, line: Connection) -> None:
    """Write, two at a time, until done or killed. Says -1 when the store is open, and goes on when told to."""
    async with await open_store(url, directory, lambda: START) as store:
        line.send(-1)
        line.recv()
        with contextlib.suppress(StoreError):
            await store.begin_run(START, version="1")
        for number in range(first, first + count, 2):
            pair = (number, number + 1)
            results = await asyncio.gather(*(store.commit(batch(one)) for one in pair), return_exceptions=True)
            for one, result in zip(pair, results, strict=True):
                if result is None:
                    line.send(one)
                elif not isinstance(result, StoreError):
                    raise result
            if sealing and number % 10 == 0:
                await store.seal(START + timedelta(minutes=number))


def main(url: str, directory: str, first: int, count: int, sealing: bool, line: Connection) -> None:
    """The process: begins when it is told to."""
    line.recv()
    asyncio.run(write(url, directory, first, count, sealing, line))


@dataclass
class Scribe:
    """The process as its killer sees it."""

    process: BaseProcess
    line: Connection

    @classmethod
    def start(cls, url: str, directory: str, first: int, count: int, *, sealing: bool = False) -> "Scribe":
        """Fork one; it waits for `go`."""
        server = multiprocessing.get_context("forkserver")
        server.set_forkserver_preload(["tests.store.scribe"])
        ours, theirs = server.Pipe()
        process = server.Process(target=main, args=(url, directory, first, count, sealing, theirs), daemon=True)
        process.start()
        theirs.close()
        return cls(process, ours)

    def go(self, steps: int = 2) -> None:
        """Begin, or with one step: open, and wait."""
        for _ in range(steps):
            self.line.send("go")

    def ready(self) -> None:
        """Wait until the store is open."""
        assert self.line.poll(20)
        assert self.line.recv() == -1

    def end(self) -> set[int]:
        """What was acknowledged, once the process has ended."""
        told: set[int] = set()
        try:
            while True:
                told.add(self.line.recv())
        except (EOFError, OSError):
            pass
        self.line.close()
        self.process.join(20)
        return told - {-1}
