"""Network namespaces of a test's own: stepped into by a thread, or by a program that is started there.

Owns: making one, being inside, running programs in it, its kernel settings. Never: a name on the host. A namespace is held by a descriptor
and by who runs in it, so that nothing is left of it however the test ends.
"""

import asyncio
import ctypes
import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NoReturn

import pytest

from tests.debian import need

_HERE: Final = "/proc/thread-self/ns/net"
_CLONE_NEWNET: Final = 0x40000000


def _call(name: str, *arguments: int) -> None:
    """A system call that Python 3.11 does not have."""
    if getattr(ctypes.CDLL(None, use_errno=True), name)(*arguments):
        raise OSError(ctypes.get_errno(), name)


def must_run(reason: str) -> pytest.MarkDecorator:
    """Skips with the reason, if there is one; under CI=true that is an error instead."""
    if reason and os.environ.get("CI") == "true":
        raise RuntimeError(f"under CI these tests must run: {reason}")
    return pytest.mark.skipif(bool(reason), reason=f"NOT RUN: {reason}" if reason else "")


def not_run(reason: str) -> NoReturn:
    """The same from within a test."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"under CI these tests must run: {reason}")
    pytest.skip(f"NOT RUN: {reason}")


def _lacking() -> str:
    """Why no namespace can be had here; empty when one can."""
    if os.geteuid() != 0:
        return "a network of our own needs root"
    try:
        Namespace().close()
    except OSError as error:
        return f"no network namespace can be made here: {error}"
    return ""


class Namespace:
    """A fresh network namespace: nothing in it but a loopback that is down."""

    def __init__(self) -> None:
        home = os.open(_HERE, os.O_RDONLY | os.O_CLOEXEC)
        try:
            _call("unshare", _CLONE_NEWNET)
            try:
                self.handle = os.open(_HERE, os.O_RDONLY | os.O_CLOEXEC)
            finally:
                _call("setns", home, _CLONE_NEWNET)
        finally:
            os.close(home)

    def close(self) -> None:
        os.close(self.handle)

    @property
    def path(self) -> str:
        """What `ip … netns` and `nsenter --net=` take for it, from any process of ours."""
        return f"/proc/{os.getpid()}/fd/{self.handle}"

    @property
    def prefix(self) -> tuple[str, ...]:
        """Words before a command that make it run inside."""
        return (need("nsenter", "util-linux"), f"--net={self.path}", "--")

    @contextmanager
    def inside(self) -> Iterator[None]:
        """This thread is in the namespace meanwhile: sockets it opens stay there. No `await` in between: the loop's others would be there too."""
        home = os.open(_HERE, os.O_RDONLY | os.O_CLOEXEC)
        try:
            _call("setns", self.handle, _CLONE_NEWNET)
            try:
                yield
            finally:
                _call("setns", home, _CLONE_NEWNET)
        finally:
            os.close(home)

    def run(self, *command: str, given: str = "") -> str:
        """A command inside the namespace: what it printed. CalledProcessError when it fails."""
        with self.inside():
            done = subprocess.run(command, check=True, capture_output=True, input=given, text=True, timeout=30)
        return done.stdout

    async def command(self, *command: str, given: str = "") -> str:
        """The same while the loop goes on. RuntimeError with its last words when it fails."""
        process = await asyncio.create_subprocess_exec(
            *self.prefix, *command,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        try:
            out, err = await process.communicate(given.encode())
        except asyncio.CancelledError:
            process.kill()
            await process.wait()
            raise
        if process.returncode:
            raise RuntimeError(f"{' '.join(command)}: {err.decode()}")
        return out.decode()

    def ip(self, lines: str) -> None:
        """Lines of `ip -batch`."""
        self.run(need("ip", "iproute2"), "-batch", "-", given=lines)

    def setting(self, name: str, value: str) -> None:
        """One of the kernel's, below /proc/sys/net: `ipv4/ping_group_range`."""
        with self.inside():
            Path("/proc/sys/net", name).write_text(value, "ascii")

    def socket(self, family: int, kind: int, protocol: int = 0) -> socket.socket:
        """A non-blocking socket of this namespace, to be used from anywhere."""
        with self.inside():
            return socket.socket(family, kind | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC, protocol)


needs_namespaces = must_run(_lacking())
