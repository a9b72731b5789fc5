"""The daemon as a process beside the test: started, asked, killed, started again."""

import asyncio
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).parents[2]


class Daemon:
    """`async with Daemon(...)`: running until the end of the block, however it got there."""

    def __init__(self, config: Path, port: int, log: Path, env: Mapping[str, str] | None = None) -> None:
        self.config, self.port, self.log = config, port, log
        self.env = {**os.environ, **(env or {})}
        self.process: asyncio.subprocess.Process | None = None
        self.prefix: tuple[str, ...] = ()
        """Words before the command: what it is to run in."""

    async def __aenter__(self) -> "Daemon":
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self, *, wait: bool = True) -> None:
        with self.log.open("ab") as out:
            self.process = await asyncio.create_subprocess_exec(
                *self.prefix, sys.executable, "-m", "monitor", "run", "--config", str(self.config),
                stdout=out, stderr=out, env=self.env, cwd=ROOT, start_new_session=True,
            )  # fmt: skip
        if wait:
            await self.ready()

    async def ready(self, seconds: float = 30.0) -> None:
        async with asyncio.timeout(seconds):
            while True:
                assert self.process is not None
                if self.process.returncode is not None:
                    raise AssertionError(f"the daemon ended: {self.log.read_text()[-3000:]}")
                try:
                    if (await self.get("/readyz")).status_code == 200:
                        return
                except httpx.TransportError:
                    pass
                await asyncio.sleep(0.05)

    async def get(self, path: str, **params: Any) -> httpx.Response:
        async with httpx.AsyncClient(trust_env=False, verify=False, timeout=10) as client:
            return await client.get(f"http://127.0.0.1:{self.port}{path}", params=params or None)

    async def incidents(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (await self.get("/api/v1/incidents", limit=500)).json()["items"]
        return found

    async def kill(self) -> None:
        """As if the power went: no last word."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        await self.process.wait()

    async def stop(self) -> int:
        process = self.process
        if process is None:
            return 0
        if process.returncode is None:
            process.terminate()
            try:
                async with asyncio.timeout(15):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()
        return process.returncode or 0

    def hup(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGHUP)


async def command(*words: str, config: Path, env: Mapping[str, str] | None = None) -> tuple[int, str, str]:
    """Run `thongsuot …`: exit code, output, errors."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "monitor", *words, "--config", str(config),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        env={**os.environ, **(env or {})}, cwd=ROOT,
    )  # fmt: skip
    out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()


async def until(true: Any, seconds: float, what: str) -> Any:
    """Wait for `await true()` to be truthy; its value."""
    try:
        async with asyncio.timeout(seconds):
            while not (value := await true()):
                await asyncio.sleep(0.1)
            return value
    except TimeoutError:
        raise AssertionError(f"not within {seconds} s: {what}") from None
