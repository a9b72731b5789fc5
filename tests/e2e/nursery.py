"""Daemons without the wait for their imports: one process has read all the code, and every daemon is a fork of it.

From there on it is the daemon as it is: `thongsuot run`, its own loop, files, sockets and signals. So a hundred lives fit into minutes, and
a kill during the start strikes the start of the daemon, not Python's.
"""

import asyncio
import contextlib
import json
import os
import signal
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.story.daemon import ROOT, Daemon

SMALL = """\
version: 1
province: {id: "37", name: Tỉnh thử, timezone: Asia/Ho_Chi_Minh, language: vi}
nodes: {a: {name: A, type: system, checks: {home: {http: {url: "http://127.0.0.1:9/"}}}}}
receivers: {truc: {webhook: {url: "http://127.0.0.1:9/"}}}
routes: [{match: {}, send: [truc]}]
"""


CODE = ("monitor.cli", "monitor.cli.daemon", "monitor.app.application", "monitor.store.migrations", "uvloop", "uvicorn")
"""What a daemon imports on its way, by the names that bring the rest along."""


class Born:
    """One forked daemon, with what the tests use of a subprocess."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    @property
    def returncode(self) -> int | None:
        return self.ended.result() if self.ended.done() else None

    def send_signal(self, number: int) -> None:
        if not self.ended.done():
            with contextlib.suppress(ProcessLookupError):  # It has just ended; we have not heard of it yet.
                os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    async def wait(self) -> int:
        return await asyncio.shield(self.ended)


class Nursery:
    """`async with Nursery() as nursery:`; whoever still lives at the end of the block is killed."""

    async def __aenter__(self) -> "Nursery":
        self.born: dict[int, Born] = {}
        self._ready: asyncio.Queue[int] = asyncio.Queue()
        self._turn = asyncio.Lock()
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.e2e.nursery", cwd=ROOT,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        self._hearing = asyncio.create_task(self._hear())
        assert await self._ready.get() == 0
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        await self._process.wait()
        await self._hearing

    async def _hear(self) -> None:
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            said = json.loads(line)
            if "born" in said:
                if said["born"]:
                    self.born[said["born"]] = Born(said["born"])
                self._ready.put_nowait(said["born"])
            else:
                self.born.pop(said["died"]).ended.set_result(said["code"])

    async def bear(self, words: list[str], env: Mapping[str, str], log: Path) -> Born:
        """Fork one that runs `thongsuot <words>`."""
        async with self._turn:
            order = json.dumps({"words": words, "env": dict(env), "log": str(log)})
            assert self._process.stdin is not None
            self._process.stdin.write(order.encode() + b"\n")
            await self._process.stdin.drain()
            return self.born[await self._ready.get()]


class Forked(Daemon):
    """The daemon of the nursery. Between two starts `nursery` may be taken away: the next one is a process of its own again."""

    nursery: Nursery | None = None

    async def start(self, *, wait: bool = True) -> None:
        if self.nursery is None:
            await super().start(wait=wait)
            return
        born: Any = await self.nursery.bear(["run", "--config", str(self.config)], self.env, self.log)
        self.process = born
        if wait:
            await self.ready()


def _live(order: dict[str, Any]) -> None:
    """What the child is."""
    out = os.open(order["log"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (out, 1), (out, 2)):
        os.dup2(source, target)
    os.setsid()
    os.environ.clear()
    os.environ.update(order["env"])
    from monitor.cli import main

    sys.argv = ["thongsuot", *order["words"]]
    code = 1
    try:
        main()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _say(**said: int) -> None:
    os.write(1, json.dumps(said).encode() + b"\n")


def _read_once() -> None:
    """The grammar of the configuration is built with the first file that is read: it belongs to the code, as the imports do."""
    from monitor.notify import KINDS
    from monitor.settings import load

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "province.yaml"
        file.write_text(SMALL, encoding="utf-8")
        load(file, environ={}, receivers=KINDS)


def _serve() -> None:
    """Fork at every line of the input, tell every end; when the input ends, end them all."""
    import importlib
    import select

    for module in CODE:
        importlib.import_module(module)
    _read_once()
    read, write = os.pipe()
    os.set_blocking(write, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(write, warn_on_full_buffer=False)
    _say(born=0)
    children: set[int] = set()
    pending = b""
    while True:
        able, _, _ = select.select([0, read], [], [])
        if read in able:
            os.read(read, 4096)
            children -= set(_reap())
        if 0 not in able:
            continue
        data = os.read(0, 65536)
        if not data:
            break
        *lines, pending = (pending + data).split(b"\n")
        for line in lines:
            pid = os.fork()
            if pid == 0:
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                for descriptor in (read, write):
                    os.close(descriptor)
                _live(json.loads(line))
            children.add(pid)
            _say(born=pid)
    for pid in children:
        os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        _say(died=pid, code=os.waitstatus_to_exitcode(status))


def _reap() -> list[int]:
    gone: list[int] = []
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return gone
        if pid == 0:
            return gone
        _say(died=pid, code=os.waitstatus_to_exitcode(status))
        gone.append(pid)


if __name__ == "__main__":
    _serve()
