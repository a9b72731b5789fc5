"""Debian's coturn in a process of its own, with users of ours."""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.debian import need
from tests.ports import free_port
from tests.probes.sip.peers import process
from tests.probes.tls.chains import Pair, file

USER, PASSWORD = "giam-sat", "mật-khẩu-đúng"


@dataclass(frozen=True)
class Coturn:
    """Where it listens, and its log."""

    port: int
    tls: int
    log: Path

    def sessions(self) -> dict[str, list[str]]:
        """What became of each allocation, in order: `new 600`, `refreshed 0`, `delete`."""
        found: dict[str, list[str]] = {}
        for line in self.log.read_text().splitlines():
            match = re.search(r"session (\d+): (new|refreshed|delete)\b(?:.*\blifetime=(\d+))?", line)
            if match is not None:
                found.setdefault(match[1], []).append(" ".join(filter(None, match.groups()[1:])))
        return found

    def wait(self, wanted: list[str], *, count: int, seconds: float = 5.0) -> bool:
        """Whether so many allocations came to exactly this in time: coturn writes its log when it pleases."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if sum(each[: len(wanted)] == wanted for each in self.sessions().values()) >= count:
                return True
            time.sleep(0.05)
        return False


@contextmanager
def coturn(home: Path, certificate: Pair, *options: str) -> Iterator[Coturn]:
    """A relay on loopback that knows one user."""
    program = need("turnserver", "coturn")
    port, tls = free_port(), free_port()
    pem = file(certificate, key=True)
    command = [
        program, "-n", "-v", "--simple-log", "--log-file=stdout", "--no-cli", "--no-dtls", "--listening-ip=127.0.0.1",
        f"--listening-port={port}", f"--tls-listening-port={tls}", "--relay-ip=127.0.0.1", "--allow-loopback-peers",
        "--lt-cred-mech", "--realm=tinh.example", f"--user={USER}:{PASSWORD}", f"--cert={pem}", f"--pkey={pem}",
        f"--userdb={home / 'db'}", f"--pidfile={home / 'pid'}", "--relay-threads=1", *options,
    ]  # fmt: skip
    with process(command, port=tls, home=home):
        yield Coturn(port, tls, home / "log")
