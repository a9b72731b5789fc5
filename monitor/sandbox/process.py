"""The box seen from outside: start it, tell it what to break, hear what happens, stop it."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self

from monitor.sandbox.box import Pace
from monitor.sandbox.faults import Fault


class BoxProcess:
    """`async with BoxProcess(...) as box:` runs the box beside us; its end is certain, because its input ends with us."""

    def __init__(self, folder: Path, port: int, secret: str, pace: Pace) -> None:
        self._folder, self._port, self._secret, self._pace = folder, port, secret, pace
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        words = ("--folder", str(self._folder), "--port", str(self._port), "--slow", f"{self._pace.slow:g}")
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "monitor.sandbox", *words,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            env=os.environ | {"THONGSUOT_SANDBOX_SECRET": self._secret},
            cwd=Path(__file__).parents[2], start_new_session=True, limit=1 << 20,
        )  # fmt: skip
        first = await self._read()
        if first.get("event") != "ready":
            raise RuntimeError("the sandbox did not start")
        return self

    async def __aexit__(self, *_: object) -> None:
        process = self._process
        assert process is not None
        assert process.stdin is not None
        process.stdin.close()
        try:
            async with asyncio.timeout(5):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()

    async def _read(self) -> dict[str, Any]:
        assert self._process is not None
        assert self._process.stdout is not None
        line = await self._process.stdout.readline()
        event: dict[str, Any] = json.loads(line) if line else {"event": "ended"}
        return event

    async def events(self) -> AsyncIterator[dict[str, Any]]:
        """What happens, as it happens, until the box ends."""
        while (event := await self._read()).get("event") != "ended":
            yield event

    async def tell(self, command: dict[str, Any]) -> None:
        """One command; see `monitor.sandbox.__main__`."""
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(command).encode() + b"\n")
        await self._process.stdin.drain()

    async def begin(self, fault: Fault) -> None:
        """Break it."""
        await self.tell({"begin": asdict(fault)})

    async def end(self, fault: Fault) -> None:
        """Mend it."""
        await self.tell({"end": asdict(fault)})

    async def play(self, script: tuple[Fault, ...]) -> None:
        """Let a script happen."""
        await self.tell({"play": [asdict(fault) for fault in script]})
