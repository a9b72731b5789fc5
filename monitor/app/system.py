"""The process and the system around it: descriptors, the service manager, the log."""

import contextlib
import ctypes
import logging
import os
import resource
import socket
import sys
from collections.abc import MutableMapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

import structlog

M_MMAP_THRESHOLD: Final = -3
"""mallopt(3)."""

BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")


def own_version() -> str:
    """The version that was installed; a checkout says so."""
    try:
        return version("thongsuot")
    except PackageNotFoundError:
        return "0.1.0+checkout"


def boot_id() -> str:
    """What tells one boot of this machine from another; empty where the system does not say."""
    try:
        return BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return ""


def raise_descriptors() -> int:
    """Take as many file descriptors as we may have; how many that is."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = min(hard, 1 << 20) if hard != resource.RLIM_INFINITY else 1 << 20
    if soft < wanted:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def give_back_large_blocks() -> None:
    """Large blocks (a scrape of a country is 20 MB) go back to the system when they are free.

    glibc raises its limit for that to the largest block it has seen freed, and so keeps what it should not. Elsewhere this does nothing.
    """
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, 1 << 18)


def notify(state: str) -> None:
    """Tell the service manager (sd_notify(3)): `READY=1`, `WATCHDOG=1`, `RELOADING=1`, `STOPPING=1`, `STATUS=…`. Nobody there: nothing."""
    where = os.environ.get("NOTIFY_SOCKET", "")
    if not where:
        return
    address = "\0" + where[1:] if where.startswith("@") else where
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
        out.setblocking(False)
        out.sendto(state.encode(), address)


def watchdog_seconds() -> float | None:
    """How often the service manager wants to hear `WATCHDOG=1` (half its patience); None when it does not."""
    patience = os.environ.get("WATCHDOG_USEC", "")
    return int(patience) / 2e6 if patience.isdecimal() and int(patience) > 0 else None


def _one_line(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Text from outside must not break the log: one event is one line, control characters are shown as escapes."""
    for key, value in event.items():
        if isinstance(value, str):
            event[key] = value.encode("unicode_escape").decode("ascii") if not value.isprintable() else value[:2000]
    return event


def log_to(stream: Any = None, *, colours: bool | None = None) -> None:
    """Set up the log: for a person at a terminal, JSON lines for a machine. Libraries' warnings come through it too."""
    target = stream or sys.stderr
    human = target.isatty() if colours is None else colours
    renderer: Any = structlog.dev.ConsoleRenderer() if human else structlog.processors.JSONRenderer(ensure_ascii=False)
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _one_line,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(target)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                renderer,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    for noisy in ("alembic", "httpx", "httpcore", "apscheduler", "uvicorn.access", "uvicorn.error"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
