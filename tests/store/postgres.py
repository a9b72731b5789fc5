"""A PostgreSQL server of our own for the tests: Debian's binaries, a temporary directory, a unix socket, no network.

Where it is missing: installed by apt for root; else the tests that need it say so aloud, and fail when `CI=true`.
"""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.debian import install


class NoPostgresError(Exception):
    """There is no server here, and none can be had."""


def binaries() -> Path:
    """Where `initdb` and `postgres` are, newest version first; installs Debian's when root may."""
    for attempt in range(2):
        found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
        if found:
            return found[-1].parent
        if attempt == 0:
            install("postgresql")
    raise NoPostgresError("PostgreSQL's server is not installed (apt-get install postgresql)")


class Server:
    """Start it, ask it for databases, stop it. Root lends it the user `postgres`, for it does not run as root."""

    def __init__(self) -> None:
        self.bin = binaries()
        self.where = Path(tempfile.mkdtemp(prefix="tspg"))
        self._as: dict[str, Any] = {}
        if os.geteuid() == 0:
            self._as = {"user": "postgres", "group": "postgres", "extra_groups": ["postgres"]}
            shutil.chown(self.where, "postgres", "postgres")
        self._process: subprocess.Popen[bytes] | None = None
        self._count = 0

    def _command(self, program: str, *arguments: str) -> list[str]:
        return [str(self.bin / program), *arguments]

    def start(self) -> None:
        """Make a cluster and start it; about a second. Without fsync: it is our process that is killed here, not the machine."""
        data = str(self.where / "data")
        make = self._command(
            "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync", "--locale=C.UTF-8"
        )
        made = subprocess.run(make, cwd=self.where, capture_output=True, text=True, timeout=60, check=False, **self._as)
        if made.returncode:
            raise NoPostgresError(f"initdb: {made.stdout}{made.stderr}")
        settings = ("listen_addresses=", f"unix_socket_directories={self.where}", "fsync=off", "shared_buffers=16MB")
        options = [word for setting in settings for word in ("-c", setting)]
        with (self.where / "log").open("wb") as log:
            serve = self._command("postgres", "-D", data, *options)
            self._process = subprocess.Popen(
                serve, cwd=self.where, stdout=log, stderr=log, stdin=subprocess.DEVNULL, **self._as
            )
        until = time.monotonic() + 30
        while subprocess.run(
            self._command("pg_isready", "-q", "-h", str(self.where)), timeout=10, check=False
        ).returncode:
            if self._process.poll() is not None or time.monotonic() > until:
                raise NoPostgresError("it did not start: " + (self.where / "log").read_text())
            time.sleep(0.02)

    def database(self) -> str:
        """The URL of a new, empty database."""
        self._count += 1
        name = f"test{self._count}"
        self.sql(f"CREATE DATABASE {name}")
        return self.url(name)

    def url(self, name: str) -> str:
        """How the store is told of a database. With a password (never asked for), the driver looks for no file of passwords."""
        return f"postgresql+asyncpg://postgres:any@/{name}?host={self.where}"

    def sql(self, statement: str) -> str:
        """Run a statement by the server's own shell."""
        shell = self._command("psql", "-h", str(self.where), "-U", "postgres", "-At", "-c", statement, "postgres")
        done = subprocess.run(shell, cwd=self.where, capture_output=True, text=True, timeout=30, check=True, **self._as)
        return done.stdout.strip()

    def cut(self, url: str) -> None:
        """End every connection to a database, as a restart of the server does."""
        name = url.partition("@/")[2].partition("?")[0]
        self.sql(f"SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = '{name}'")

    def stop(self) -> None:
        """Stop it and leave nothing."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)  # at once, without a checkpoint
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        shutil.rmtree(self.where, ignore_errors=True)
