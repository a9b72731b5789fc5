"""A PostgreSQL server of our own for the tests: Debian's binaries, a temporary directory, a unix socket, no network.

Where it is missing: installed by apt for root; else the tests that need it say so aloud, and fail when `CI=true`.
"""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path


class NoPostgresError(Exception):
    """There is no server here, and none can be had."""


def binaries() -> Path:
    """Where `initdb` and `postgres` are, newest version first; installs Debian's when root may."""
    for attempt in range(2):
        found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
        if found:
            return found[-1].parent
        if attempt == 0 and os.geteuid() == 0 and shutil.which("apt-get"):
            subprocess.run(
                ["apt-get", "install", "-y", "-q", "postgresql"], capture_output=True, timeout=300, check=False
            )
    raise NoPostgresError("PostgreSQL's server is not installed (apt-get install postgresql)")


class Server:
    """Start it, ask it for databases, stop it."""

    def __init__(self) -> None:
        self.bin = binaries()
        self.where = Path(tempfile.mkdtemp(prefix="tspg"))
        self._as = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        if self._as:
            shutil.chown(self.where, "postgres")
        self._count = 0

    def _run(self, *command: str) -> None:
        done = subprocess.run(
            [*self._as, *command], cwd=self.where, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL
        )
        if done.returncode:
            raise NoPostgresError(f"{command[0]}: {done.stdout}{done.stderr}")

    def start(self) -> None:
        """Make a cluster and start it; about a second. Without fsync: it is our process that is killed here, not the machine."""
        data = str(self.where / "data")
        self._run(
            str(self.bin / "initdb"),
            "-D",
            data,
            "-U",
            "postgres",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--no-sync",
            "--locale=C.UTF-8",
        )
        options = (
            f"-c listen_addresses= -c unix_socket_directories={self.where} -c shared_buffers=16MB -c max_connections=50"
        )
        self._run(str(self.bin / "pg_ctl"), "-D", data, "-w", "-o", options, "-l", str(self.where / "log"), "start")

    def database(self) -> str:
        """The URL of a new, empty database."""
        self._count += 1
        name = f"test{self._count}"
        self.sql(f"CREATE DATABASE {name}")
        return self.url(name)

    def url(self, name: str) -> str:
        """How the store is told of a database. With a password (never asked for), the driver looks for no file of passwords."""
        return f"postgresql+asyncpg://postgres:any@/{name}?host={self.where}"

    def sql(self, statement: str, database: str = "postgres") -> str:
        """Run a statement by the server's own shell."""
        command = [
            *self._as,
            str(self.bin / "psql"),
            "-h",
            str(self.where),
            "-U",
            "postgres",
            "-At",
            "-c",
            statement,
            database,
        ]
        done = subprocess.run(command, cwd=self.where, capture_output=True, text=True, timeout=30, check=True)
        return done.stdout.strip()

    def restart(self) -> None:
        """Stop it at once, without asking, and start it again."""
        self._run(str(self.bin / "pg_ctl"), "-D", str(self.where / "data"), "-m", "immediate", "-w", "restart")

    def stop(self) -> None:
        """Stop it and leave nothing."""
        try:
            if (self.where / "data" / "postmaster.pid").exists():
                self._run(str(self.bin / "pg_ctl"), "-D", str(self.where / "data"), "-m", "immediate", "-w", "stop")
        finally:
            shutil.rmtree(self.where, ignore_errors=True)
