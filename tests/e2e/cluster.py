"""A PostgreSQL server that may die and come back, on a socket and on a port of the loopback."""

import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.ports import free_port
from tests.store.postgres import NoPostgresError, binaries


class Cluster:
    """`start` and `crash` as often as you like; its data stays until `remove`."""

    def __init__(self) -> None:
        self.bin, self.port = binaries(), free_port()
        self.where = Path(tempfile.mkdtemp(prefix="tspg"))
        self._as: dict[str, Any] = {}
        if os.geteuid() == 0:
            self._as = {"user": "postgres", "group": "postgres", "extra_groups": []}
            shutil.chown(self.where, "postgres", "postgres")
        self._run("initdb", "-D", str(self.where / "data"), "-U", "postgres", "-A", "trust", "--no-sync")
        self.process: subprocess.Popen[bytes] | None = None

    def _run(self, program: str, *arguments: str) -> str:
        done = subprocess.run(
            [str(self.bin / program), *arguments],
            cwd=self.where, capture_output=True, text=True, timeout=60, check=True, **self._as,
        )  # fmt: skip
        return done.stdout

    def start(self) -> None:
        """Wait until it answers."""
        settings = (
            "listen_addresses=127.0.0.1",
            f"port={self.port}",
            f"unix_socket_directories={self.where}",
            "shared_buffers=16MB",
        )
        words = [str(self.bin / "postgres"), "-D", str(self.where / "data")]
        words += [word for setting in settings for word in ("-c", setting)]
        with (self.where / "log").open("ab") as log:
            self.process = subprocess.Popen(words, cwd=self.where, stdout=log, stderr=log, **self._as)
        end = time.monotonic() + 30
        ask = [str(self.bin / "pg_isready"), "-q", "-h", str(self.where), "-p", str(self.port)]
        while subprocess.run(ask, check=False, timeout=10).returncode:
            assert self.process.poll() is None, (self.where / "log").read_text()
            assert time.monotonic() < end, "it did not start"
            time.sleep(0.05)

    def crash(self) -> None:
        """Its end, at once and without a checkpoint: the log has to be replayed."""
        if self.process is not None:
            self.process.send_signal(signal.SIGCONT)
            self.process.send_signal(signal.SIGQUIT)
            self.process.wait(20)
            self.process = None

    def freeze(self) -> None:
        """It takes no connection any more, though the kernel does."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    def url(self) -> str:
        """How the store is told of it."""
        return f"postgresql+asyncpg://postgres:any@/postgres?host={self.where}&port={self.port}"

    def table(self, query: str) -> list[dict[str, Any]]:
        """Rows, by the server's own shell."""
        whole = f"SELECT coalesce(json_agg(t), '[]') FROM ({query}) t"
        found: list[dict[str, Any]] = json.loads(
            self._run(
                "psql", "-h", str(self.where), "-p", str(self.port), "-U", "postgres", "-At", "-c", whole, "postgres"
            )
        )
        return found

    def remove(self) -> None:
        """Nothing of it is left."""
        self.crash()
        shutil.rmtree(self.where, ignore_errors=True)


@contextmanager
def cluster() -> Iterator[Cluster]:
    """One that runs. Where PostgreSQL cannot be had, the test says loudly that it was not run; in CI it fails."""
    try:
        own = Cluster()
    except NoPostgresError as missing:
        if os.environ.get("CI") == "true":
            pytest.fail(f"NOT RUN: {missing}")
        pytest.skip(f"NOT RUN: {missing}")
    try:
        own.start()
        yield own
    finally:
        own.remove()
