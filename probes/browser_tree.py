"""The processes below a process: which they are, how much memory they hold, and their end.

Owns: reading /proc, for the browser's own process and for whoever watches it. It reads files: never call it in an event loop.
Never: touches a process that is not below the one it is given.
"""

import contextlib
import os
import signal
import time
from typing import Final

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


def _read(path: str) -> bytes:
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(file, 8192)
    finally:
        os.close(file)
