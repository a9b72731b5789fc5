"""A job of the province in a box: a little backup that calls the daemon's heartbeat address at the end of each run, and tells its numbers.

Asks the weather at every run: a cut or refused one is dead and calls nobody, a wrong one says that it failed, a slow one takes longer and its
queue grows. Never: minds whether the daemon is there; a job has other work to do.
"""

import asyncio
from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit

from monitor.sandbox.faults import Condition

QUEUE: Final = 20.0
"""Seconds that the oldest document of a healthy job's queue waits."""

PATIENCE: Final = 5.0


class BeatClient:
    """Calls `<base>/api/v1/heartbeats/<token>` every `every` seconds while `run` lives. `base` is http://host:port.

    Each run brings `queue_age` (seconds, declared under `facts`), and its start and end, so that the daemon knows how long it took.
    """

    def __init__(self, base: str, token: str, weather: Callable[[], Condition], *, every: float = 10.0) -> None:
        where = urlsplit(base)
        if where.scheme != "http" or not where.hostname or not where.port:
            raise ValueError(f"{base!r} is not http://host:port")
        self._host, self._port = where.hostname, where.port
        self._path = f"/api/v1/heartbeats/{token}"
        self._weather, self._every = weather, every
        self.answers: dict[int, int] = {}
        """How often which status was answered; 0 is none."""

    async def run(self) -> None:
        """Live until cancelled."""
        while True:
            await self.once()
            await asyncio.sleep(self._every)

    async def once(self) -> None:
        """One run of the job, as the weather is."""
        condition = self._weather()
        if condition.cut or condition.refused:
            return
        await self._call("/start")
        if condition.delay:
            await asyncio.sleep(condition.delay)
        age = QUEUE + 1000.0 * condition.delay
        await self._call("/fail" if condition.wrong else "", f"queue_age={age:g}")

    async def _call(self, word: str, form: str = "") -> None:
        status = 0
        try:
            async with asyncio.timeout(PATIENCE):
                status = await self._post(f"{self._path}{word}", form)
        except (OSError, TimeoutError, ValueError):
            pass  # The daemon is away: it knows, and waits for the next call.
        self.answers[status] = self.answers.get(status, 0) + 1

    async def _post(self, path: str, form: str) -> int:
        reader, writer = await asyncio.open_connection(self._host, self._port)
        try:
            head = (
                f"POST {path} HTTP/1.1\r\nHost: {self._host}:{self._port}\r\nConnection: close\r\n"
                f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(form)}\r\n\r\n"
            )
            writer.write((head + form).encode("ascii"))
            await writer.drain()
            return int((await reader.readline()).split(b" ")[1])
        except IndexError:
            return 0
        finally:
            writer.close()
