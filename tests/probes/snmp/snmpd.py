"""Debian's snmpd as the device: its own configuration in a folder, on a free port of loopback, ended with the test."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.debian import need
from tests.ports import free_port

COMMUNITY = "ninhbinh-doc"
PASSWORD, PRIVACY = "mat-khau-ky-1", "mat-khau-ma-2"

USERS = (
    # name, protocols of auth and priv as snmpd writes them
    ("md5des", "MD5", "DES"),
    ("sha1aes", "SHA", "AES"),
    ("sha256aes256", "SHA-256", "AES256"),
    ("sha1aes256", "SHA", "AES256"),
    ("sha1aes256c", "SHA", "AES256C"),
    ("sha512aes192", "SHA-512", "AES192"),
    ("sha224aes", "SHA-224", "AES"),
    ("sha384aes192c", "SHA-384", "AES192C"),
    ("sha1aes192c", "SHA", "AES192C"),
    ("signed", "SHA-256", ""),
)


def configuration(port: int, more: str, host: str) -> str:
    lines = [f"agentaddress udp:{host}:{port}", f"rocommunity {COMMUNITY} 127.0.0.1", "sysname cpe"]
    for name, auth, priv in USERS:
        lines.append(f"createUser {name} {auth} {PASSWORD} {f'{priv} {PRIVACY}' if priv else ''}")
        lines.append(f"rouser {name} {'priv' if priv else 'auth'}")
    return "\n".join([*lines, more, ""])


@contextmanager
def snmpd(folder: Path, more: str = "", *, everywhere: bool = False) -> Iterator[int]:
    """The daemon, answering on the port that is given; `everywhere`: on every loopback address."""
    program = need("snmpd", "snmpd")
    port = free_port()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "state").mkdir(exist_ok=True)
    file = folder / "snmpd.conf"
    file.write_text(configuration(port, more, "0.0.0.0" if everywhere else "127.0.0.1"))
    environment = os.environ | {"SNMP_PERSISTENT_DIR": str(folder / "state"), "SNMPCONFPATH": str(folder), "MIBS": ""}
    command = [
        program,
        "-f",
        "-C",
        "-c",
        str(file),
        "-Lf",
        str(folder / "log"),
        "-I",
        "-smux",
        "-p",
        str(folder / "pid"),
    ]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait(port, process)
        yield port
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(10)
        if process.poll() is None:
            process.kill()
            process.wait(10)


def _wait(port: int, process: "subprocess.Popen[bytes]") -> None:
    """Until it answers a question for sysUpTime."""
    from probes.snmp_wire import GET, Ask, message_2c

    question = message_2c(COMMUNITY.encode(), Ask(GET, ("1.3.6.1.2.1.1.3.0",)).pdu(7))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        line.settimeout(0.1)
        line.connect(("127.0.0.1", port))
        until = time.monotonic() + 15
        while time.monotonic() < until:
            if process.poll() is not None:
                raise RuntimeError(f"snmpd ended with {process.returncode}")
            with suppress(OSError):
                line.send(question)
                if line.recv(2048):
                    return
            time.sleep(0.05)
    raise RuntimeError("snmpd does not answer")


def passing(root: str, table: Path) -> str:
    """A line of configuration: below `root` the device says what stands in the file `table` at that moment (see `tell`)."""
    script = Path(__file__).with_name("passing.py")
    return f"pass_persist {root} {shutil.which(sys.executable) or sys.executable} {script} {table}"


def tell(table: Path, values: Mapping[str, tuple[str, object]]) -> None:
    """Write what the device shall say from now on: identifier to type and value, in snmpd's words for types (`counter64`)."""
    fresh = table.with_suffix(".new")
    fresh.write_text("".join(f"{oid}\t{kind}\t{value}\n" for oid, (kind, value) in values.items()))
    fresh.replace(table)
