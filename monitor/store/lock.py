"""One daemon for one state directory.

Owns: a kernel lock on a file there. It dies with the process that holds it, however that ends, so nothing is ever stale;
the pid inside is for the person who reads the refusal, never for a decision.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from monitor.store.records import AlreadyRunning

LOCK = "lock"


@contextmanager
def state_lock(state_dir: str | Path) -> Iterator[Path]:
    """Hold the directory (made with mode 0700 if it is not there), or raise AlreadyRunning at once."""
    directory = Path(state_dir)
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(directory / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            text = os.pread(descriptor, 20, 0).strip()
            raise AlreadyRunning(str(directory), int(text) if text.isdigit() else None) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, b"%d\n" % os.getpid(), 0)
        yield directory
    finally:
        os.close(descriptor)
