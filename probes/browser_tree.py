"""The processes below a process: which they are, how much memory they hold, and their end with all their files.

Owns: reading /proc, for the browser's own process and for whoever watches it. It reads files: never call it in an event loop.
Never: touches a process that is not below the one it is given.
"""

import contextlib
import fcntl
import os
import shutil
import signal
import tempfile
import time
from pathlib import Path
from typing import Final

LOCK: Final = "lock"

POLL: Final = 0.02
"""Seconds between two looks at processes that should be gone."""


def below(root: int) -> tuple[int, ...]:
    """Every process started by `root` or by one of these, near ones first; `root` itself is not among them."""
    parents: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError, ValueError, IndexError):
                # proc(5): the name stands in brackets and may hold anything, so what follows is counted from the last one.
                fields = _read(f"/proc/{entry}/stat").rpartition(b")")[2].split()
                if fields[0] != b"Z":
                    parents.setdefault(int(fields[1]), []).append(int(entry))
    found: list[int] = []
    waiting = [root]
    while waiting:
        children = parents.get(waiting.pop(0), [])
        found += children
        waiting += children
    return tuple(found)


def memory(pids: tuple[int, ...]) -> int:
    """Bytes that these processes hold and could not be given back without them: anonymous and shared memory, not mapped files."""
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError, ValueError):
            for line in _read(f"/proc/{pid}/status").splitlines():
                if line.startswith((b"RssAnon:", b"RssShmem:")):
                    total += int(line.split()[1]) * 1024
    return total


def end_below(root: int, *, seconds: float = 1.0) -> None:
    """Kill everything below `root`, also what is started meanwhile, for at most so long."""
    until = time.monotonic() + seconds
    while (left := below(root)) and time.monotonic() < until:
        for pid in left:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(POLL)


def make_home(prefix: str) -> str:
    """A directory for files of this process and those below it; what processes left behind that are no more is removed first."""
    # unix(7): the path of a socket has 108 bytes, and Chromium makes one deep inside.
    where = tempfile.gettempdir()
    where = where if len(where) <= 32 else "/tmp"  # noqa: S108 mkdtemp makes it ours alone.
    for former in Path(where).glob(f"{prefix}*"):
        with contextlib.suppress(OSError), (former / LOCK).open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # Whoever made it is gone.
            shutil.rmtree(former, ignore_errors=True)
    home = tempfile.mkdtemp(prefix=prefix, dir=where)
    file = os.open(f"{home}/{LOCK}", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(file, fcntl.LOCK_EX)  # Held until this process ends, however it does.
    return home


def remove(path: str, *, seconds: float = 2.0) -> None:
    """Remove a directory, also while those who write into it are still ending."""
    until = time.monotonic() + seconds
    while os.path.lexists(path) and time.monotonic() < until:
        shutil.rmtree(path, ignore_errors=True)
        time.sleep(POLL)


def _read(path: str) -> bytes:
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(file, 8192)
    finally:
        os.close(file)
