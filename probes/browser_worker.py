"""The browser's process: Playwright and Chromium, driven by what the daemon asks over standard input.

Owns: the browser, one context (cookies, storage, a way out of its own) for each run, the measure of its memory, and the end of everything
it started. A page that floods its console, opens a thousand dialogs or eats memory does so here, not in the daemon's loop.
Never: judges. It says which step was reached and what the browser said; what that means is decided by `probes.browser`.

The two speak in frames: a line of JSON, and after it as many bytes as its `bytes` says. When standard input ends, or the daemon is gone,
nothing of this is left.
"""

import asyncio
import contextlib
import ctypes
import json
import os
import shutil
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, Final

from probes.browser_pages import Run
from probes.browser_tree import below, end_below, make_home, memory, remove

FLAGS: Final = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-crash-reporter",
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",  # The proxy is the only way out.
    "--proxy-server=socks5://127.0.0.1:1",  # Of the browser itself; every run has a way of its own.
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
    "--js-flags=--max-old-space-size=512",
)
UNWANTED: Final = ("--disable-popup-blocking", "--disable-ipc-flooding-protection")
"""Of Playwright's own: a page under test may flood us, one of a stranger may not."""

LOOK: Final = 0.1
"""Seconds between two looks at the memory of all processes."""

LEASH: Final = "import ctypes,os,sys;ctypes.CDLL(None).prctl(1,9);os.execv(sys.argv[1],sys.argv[1:])"
"""PR_SET_PDEATHSIG, SIGKILL: whoever started it is gone, so it goes."""

PR_SET_PDEATHSIG: Final = 1
PR_SET_CHILD_SUBREAPER: Final = 36


class Pipe:
    """Frames to the daemon, from the loop and from the watching thread alike."""

    def __init__(self, out: int) -> None:
        self._out, self._lock, self._shut = out, threading.Lock(), False

    def last(self, head: dict[str, Any]) -> None:
        """The last frame: what happens from now on happens because of our own end."""
        self.send(head)
        self._shut = True

    def send(self, head: dict[str, Any], blob: bytes = b"") -> None:
        """One frame. The daemon reads at once whatever comes; when it is gone, so are we."""
        data = memoryview(json.dumps({**head, "bytes": len(blob)}, separators=(",", ":")).encode() + b"\n" + blob)
        with self._lock:
            while data and not self._shut:
                data = data[os.write(self._out, data) :]


class Worker:
    """Runs by number; told to begin, to end, and what the gate says."""

    def __init__(self, pipe: Pipe, home: str) -> None:
        self._pipe, self._home = pipe, home
        self.runs: dict[int, tuple[Run, asyncio.Task[None]]] = {}
        self.browser: Any = None
        self._asked: dict[int, asyncio.Future[list[str]]] = {}
        self._count = 0

    async def serve(self, executable: str, *, sandbox: bool) -> None:
        """Start the browser, say so, and do as told until standard input ends."""
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(limit=1 << 20)
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(0, "rb", buffering=0))
        from playwright.async_api import async_playwright

        os.environ["PLAYWRIGHT_NODEJS_PATH"] = leashed(self._home, "node", _node())
        async with async_playwright() as playwright:
            self.browser = await playwright.chromium.launch(
                executable_path=leashed(self._home, "browser", executable),
                chromium_sandbox=sandbox,
                args=list(FLAGS),
                ignore_default_args=list(UNWANTED),
                handle_sigint=False, handle_sigterm=False, handle_sighup=False,
                timeout=30_000,
            )  # fmt: skip
            self.browser.on("disconnected", lambda _: self._ended())
            self._pipe.send({"say": "ready", "run": 0, "version": self.browser.version})
            while line := await reader.readline():
                self._hear(json.loads(line))

    def _ended(self) -> None:
        """Somebody killed the browser, or it crashed."""
        self._pipe.last({"say": "ended", "run": 0})
        finish(self._home)

    def _hear(self, told: dict[str, Any]) -> None:
        number = told["run"]
        if told["say"] == "begin":
            run = Run(self.browser, told, lambda host, port: self._ask(number, host, port), self._tell)
            self.runs[number] = (run, asyncio.create_task(self._do(number, run)))
        elif told["say"] == "end" and number in self.runs:
            self.runs[number][1].cancel()
        elif told["say"] == "gate" and (waiting := self._asked.pop(told["question"], None)) and not waiting.done():
            waiting.set_result(told["addresses"])

    async def _do(self, number: int, run: Run) -> None:
        closed = False
        try:
            await run.play()
        finally:
            try:
                closed = await run.close()
            finally:
                self.runs.pop(number, None)
                self._tell(number, "closed", clean=closed)

    def _tell(self, number: int, say: str, blob: bytes = b"", **more: Any) -> None:
        self._pipe.send({"say": say, "run": number, **more}, blob)

    async def _ask(self, number: int, host: str, port: int) -> list[str]:
        self._count += 1
        answer: asyncio.Future[list[str]] = asyncio.get_running_loop().create_future()
        self._asked[self._count] = answer
        self._tell(number, "gate", question=self._count, host=host, port=port)
        return await answer


def leashed(home: str, name: str, program: str) -> str:
    """A program that cannot outlive whoever starts it; the program itself where the file system lets nothing be executed."""
    if os.statvfs(home).f_flag & os.ST_NOEXEC:
        return program
    path = Path(home) / name
    words = " ".join(f"'{word}'" for word in (sys.executable, "-I", "-S", "-c", LEASH, program))
    path.write_text(f'#!/bin/sh\nexec {words} "$@"\n', encoding="utf-8")
    path.chmod(0o700)
    return str(path)


def _node() -> str:
    import playwright

    own = Path(playwright.__file__).parent / "driver" / "node"
    return str(own) if own.is_file() else shutil.which("node") or "node"


def watch(worker: Worker, pipe: Pipe, home: str, parent: int) -> None:
    """In a thread: is the daemon still there, and does the browser keep within its memory?"""
    me, idle = os.getpid(), 0
    while True:
        time.sleep(LOOK)
        if os.getppid() != parent:
            finish(home)
        idle = 0 if worker.runs else idle + 1
        if idle > 5 and idle % 20:
            continue  # Nobody uses it: look seldom.
        held = memory(below(me))
        runs = list(worker.runs.values())
        for run, _ in runs:
            run.peak = max(run.peak, held)
        caps = [run.cap for run, _ in runs]
        if caps and held > min(caps):
            pipe.last({"say": "over", "run": 0, "memory": held, "cap": min(caps)})
            finish(home)
        if idle:
            pipe.send({"say": "idle", "run": 0, "memory": held})


def finish(home: str) -> None:
    """The end, at once: every process below is killed and reaped, every file removed."""
    end_below(os.getpid())
    until = time.monotonic() + 0.5
    try:
        while time.monotonic() < until:
            if os.waitpid(-1, os.WNOHANG) == (0, 0):
                time.sleep(0.01)
    except ChildProcessError:
        pass
    remove(home, seconds=0.5)
    os._exit(0)


def main() -> None:
    """`python -P -c "from probes.browser_worker import main; main()" PARENT EXECUTABLE SANDBOX`."""
    parent, executable, sandbox = int(sys.argv[1]), sys.argv[2], sys.argv[3] == "sandbox"
    pipe = Pipe(os.dup(1))
    os.dup2(2, 1)  # Whatever a library prints goes where it does no harm.
    home = make_home("thongsuot-browser-")
    os.environ.update(TMPDIR=home, HOME=home, XDG_CONFIG_HOME=home, XDG_CACHE_HOME=home)
    tempfile.tempdir = home
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda _number, _frame: finish(home))
    libc = ctypes.CDLL(None)
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1)
    libc.prctl(PR_SET_PDEATHSIG, int(signal.SIGTERM))
    pipe.send({"say": "home", "run": 0, "home": home})
    worker = Worker(pipe, home)
    threading.Thread(target=watch, args=(worker, pipe, home, parent), daemon=True).start()
    with contextlib.suppress(OSError):
        # When memory is short, it is the browser that goes, not the daemon.
        Path("/proc/self/oom_score_adj").write_text("800", encoding="ascii")
    try:
        asyncio.run(worker.serve(executable, sandbox=sandbox))
    except ImportError:
        pipe.send({"say": "unable", "run": 0, "why": "playwright"})
    except Exception as error:
        pipe.send({"say": "unable", "run": 0, "why": "start", "text": f"{type(error).__name__}: {error}"[:2000]})
    finally:
        finish(home)
