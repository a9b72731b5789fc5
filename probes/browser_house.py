"""One browser for all runs: started when first needed, shared, measured, replaced.

Owns: the process that drives Chromium (`probes.browser_worker`), the places in it, and its end in every case: worn out, hung, too large,
killed by somebody else, or no longer wanted.
Never: waits for it beyond a run's deadline; what takes longer is done behind the run's back.
"""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from probes.browser_tree import end_below, remove
from probes.contract import ProbeError, Reason

PLACES: Final = 2
"""Runs at once: each page may take a core of its own."""

RUNS: Final = 200
"""Runs after which the browser is replaced: every program leaks a little."""

IDLE_MEMORY: Final = 768 * 1024 * 1024
"""Bytes the browser may hold while nobody uses it; beyond it, it is replaced."""

START: Final = 40.0
"""Seconds the browser may take to start before it is given up."""

CLOSING: Final = 4.0
"""Seconds for the end of one run inside the browser; more, and the browser is replaced."""

HEAD: Final = 256 * 1024
BLOB: Final = 1024 * 1024

BROWSERS: Final = (
    "chromium-headless-shell",
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
)
"""The same engine without a window system comes first: a login costs it a quarter of the time and half of the memory."""

BEHIND: Final = {"/usr/bin/chromium-headless-shell": "/usr/lib/chromium/chromium-headless-shell"}
"""Debian's script stays as the browser's parent, and a signal to it would not reach the browser: the program behind it is started."""

Frame = Mapping[str, Any]
Hear = Callable[[Frame, bytes], None]


def gone(over: str) -> ProbeError:
    """What a run learns whose browser ended under it."""
    if over:
        return ProbeError(Reason.OWN_MEMORY, over)
    return ProbeError(Reason.OWN_BUG, "the browser ended before the run did")


@dataclass(slots=True)
class Seat:
    """One run in the browser: who hears of it, and whether it is over inside."""

    hear: Hear
    lost: Callable[[ProbeError], None]
    closed: asyncio.Event = field(default_factory=asyncio.Event)


class Engine:
    """One process of `probes.browser_worker` and all below it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._pidfd = os.pidfd_open(process.pid)
        """A signal by it reaches this process or nobody, and does not ask first whether it has ended, which would take its status away."""
        self._seats: dict[int, Seat] = {}
        self._home = ""
        self._over = ""
        self._numbers = 0
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.ready.add_done_callback(lambda done: done.cancelled() or done.exception())  # Somebody may no longer wait.
        self.worn = self.dead = self._ended = False
        self._reading = asyncio.create_task(self._read())

    @classmethod
    async def start(cls, executable: str, *, sandbox: bool) -> "Engine":
        """A new process, not ready yet. OSError when it cannot be started."""
        where = str(Path(__file__).parent.parent)
        code = f"import sys;sys.path.insert(0,{where!r});from probes.browser_worker import main;main()"
        words = ("-P", "-c", code, str(os.getpid()), executable, "sandbox" if sandbox else "bare")
        process = await asyncio.create_subprocess_exec(
            sys.executable, *words,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True, limit=HEAD,
        )  # fmt: skip
        return cls(process)

    @property
    def runs(self) -> int:
        """Runs so far."""
        return self._numbers

    @property
    def pid(self) -> int:
        """Of the process above all others."""
        return self._process.pid

    @property
    def empty(self) -> bool:
        """Whether nobody is in it."""
        return not self._seats

    def begin(self, hear: Hear, lost: Callable[[ProbeError], None], job: Frame) -> int:
        """Start a run; its number."""
        self._numbers += 1
        self._seats[self._numbers] = Seat(hear, lost)
        self.tell(self._numbers, "begin", **job)
        return self._numbers

    def tell(self, number: int, say: str, **more: Any) -> None:
        """One line to the process."""
        line = json.dumps({"run": number, "say": say, **more}, separators=(",", ":")).encode() + b"\n"
        if self._process.stdin is not None and not self._process.stdin.is_closing():
            self._process.stdin.write(line)

    async def leave(self, number: int, *, answered: bool) -> None:
        """Wait until a run is over inside the browser; one that does not end takes the browser with it."""
        seat = self._seats.get(number)
        if seat is None:
            return
        if not answered:
            self.tell(number, "end")
        try:
            async with asyncio.timeout(CLOSING):
                await seat.closed.wait()
        except TimeoutError:
            self.worn = True
        self._seats.pop(number, None)

    async def end(self) -> None:
        """Nothing of it is left when this returns; who asks again does not wait."""
        self.dead = True
        if self._ended:
            return
        self._ended = True
        self._signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(2.5):
                await self._process.wait()
        except TimeoutError:
            await asyncio.to_thread(end_below, self._process.pid)
            self._signal(signal.SIGKILL)
            await self._process.wait()
        await asyncio.wait({self._reading})
        os.close(self._pidfd)

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._pidfd, number)

    async def _read(self) -> None:
        """Hear what it says until it is gone, then tell all who are still in it."""
        try:
            await self._hear_all()
        except (OSError, EOFError, ValueError, LookupError, TypeError):
            pass  # It broke off in the middle of a frame.
        finally:
            self.dead = True
            if not self.ready.done():
                self.ready.set_exception(gone(self._over))
            for seat in self._seats.values():
                seat.lost(gone(self._over))
                seat.closed.set()
            if self._process.stdin is not None:
                self._process.stdin.close()
            if self._home:
                await asyncio.to_thread(remove, self._home)

    async def _hear_all(self) -> None:
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            head = json.loads(line)
            if not 0 <= head["bytes"] <= BLOB:
                raise ValueError("a frame that is too large")
            blob = await self._process.stdout.readexactly(head["bytes"]) if head["bytes"] else b""
            self._hear(head, blob)

    def _hear(self, head: Frame, blob: bytes) -> None:
        say, seat = head["say"], self._seats.get(head["run"])
        if say == "ready":
            self.ready.set_result(None)
        elif say == "home":
            self._home = head["home"]
        elif say == "unable":
            self.ready.set_exception(_unable(head))
        elif say == "over":
            self._over = f"the browser held {head['memory'] >> 20} MiB of at most {head['cap'] >> 20} MiB and was ended"
        elif say == "idle":
            self.worn = self.worn or head["memory"] > IDLE_MEMORY
        elif say == "closed" and seat is not None:
            self.worn = self.worn or not head["clean"]
            seat.closed.set()
        elif seat is not None:
            seat.hear(head, blob)


def _unable(head: Frame) -> ProbeError:
    if head["why"] == "playwright":
        return ProbeError(Reason.OWN_CONFIG, "Playwright is not installed: pip install 'thongsuot[browser]'")
    text = str(head.get("text", ""))
    said = [line.partition("[err]")[2].strip() for line in text.splitlines() if "[err]" in line]
    text = "; ".join(said) or text
    hint = " (its sandbox needs user namespaces)" if "sandbox" in text.lower() and "No usable" in text else ""
    return ProbeError(Reason.OWN_CONFIG, f"Chromium does not start{hint}: {text}")


def find_browser(wanted: str | None) -> str:
    """The program's path; ProbeError `own_config` says what to install. Looks at the disk: not in the loop."""
    for name in (wanted,) if wanted else BROWSERS:
        found = shutil.which(name)
        if found:
            return found if not os.access(BEHIND.get(found, ""), os.X_OK) else BEHIND[found]
    if wanted:
        raise ProbeError(Reason.OWN_CONFIG, f"executable: {wanted} is not a program that can be run")
    raise ProbeError(
        Reason.OWN_CONFIG,
        "no Chromium found: apt-get install chromium-headless-shell (or chromium), or name one with executable",
    )


class House:
    """The browser of one program. `taken` inside it at most PLACES at once; who waits longer than its own time has failed through us."""

    def __init__(self, wanted: str | None, *, runs: int = RUNS) -> None:
        self._wanted, self._most = wanted, runs
        self._places = asyncio.Semaphore(PLACES)
        self._engine: Engine | None = None
        self._making: asyncio.Task[Engine] | None = None
        self._errands: set[asyncio.Task[None]] = set()

    @property
    def pid(self) -> int | None:
        """Of the process that drives the browser; None while there is none."""
        return self._engine.pid if self._engine is not None and not self._engine.dead else None

    async def place(self) -> None:
        """Wait for a place. Whoever has one gives it back by `leave` or `release`."""
        await self._places.acquire()

    def release(self) -> None:
        """Give back a place that was not used."""
        self._places.release()

    async def engine(self) -> Engine:
        """A browser that is ready. It goes on starting when whoever asked has given up."""
        old = self._engine
        if old is not None and (old.dead or old.worn or old.runs >= self._most):
            self._engine = None
            if old.empty or old.dead:
                self._errand(old.end())  # Else whoever leaves it last ends it.
        if self._engine is None:
            if self._making is None or self._making.done():
                self._making = asyncio.create_task(self._make())
                self._making.add_done_callback(lambda done: done.cancelled() or done.exception())
            await asyncio.shield(self._making)
        assert self._engine is not None
        return self._engine

    def leave(self, engine: Engine, number: int, *, answered: bool) -> None:
        """The run is over for whoever asked; the browser may take a moment longer, and keeps the place until then."""
        self._errand(self._left(engine, number, answered=answered))

    async def aclose(self) -> None:
        """End the browser and whatever is still being ended."""
        if self._making is not None:
            self._making.cancel()
            await asyncio.wait({self._making})
        if self._engine is not None:
            self._retire(self._engine)
        while self._errands:
            await asyncio.wait(set(self._errands))

    async def _left(self, engine: Engine, number: int, *, answered: bool) -> None:
        try:
            await engine.leave(number, answered=answered)
        finally:
            self._places.release()
        if engine.empty and (engine.worn or engine is not self._engine):
            self._retire(engine)

    async def _make(self) -> Engine:
        path = await asyncio.to_thread(find_browser, self._wanted)
        engine = await Engine.start(path, sandbox=os.geteuid() != 0)
        try:
            async with asyncio.timeout(START):
                await asyncio.shield(engine.ready)
        except BaseException as error:
            self._errand(engine.end())
            if isinstance(error, TimeoutError):
                raise ProbeError(Reason.OWN_OVERLOAD, "the browser did not start") from None
            raise
        self._engine = engine
        return engine

    def _retire(self, engine: Engine) -> None:
        if engine is self._engine:
            self._engine = None
        self._errand(engine.end())

    def _errand(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._errands.add(task)
        task.add_done_callback(self._errands.discard)
