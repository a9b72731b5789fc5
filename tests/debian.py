"""Real counterparts from Debian: found, installed when we may, else said loudly to be missing (under CI=true: a failure)."""

import fcntl
import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest

SEARCH = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"


def install(*packages: str) -> None:
    """Install Debian packages where we are root and there is apt; where not, nothing. A fresh machine's lists are fetched first."""
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        return
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    words = ["apt-get", "install", "-y", "-q", "--no-install-recommends", *packages]
    with Path("/var/lock/thongsuot-tests").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # Two workers must not run apt at once.
        for command in (words, ["apt-get", "update", "-q"], words):
            done = subprocess.run(command, env=environment, capture_output=True, timeout=300, check=False)
            if command is words and done.returncode == 0:
                return


@cache
def found(program: str, package: str) -> str | None:
    """Where the program is; installed from its package when it is missing and we are root."""
    where = shutil.which(program, path=SEARCH)
    if where is None:
        install(package)
        where = shutil.which(program, path=SEARCH)
    return where


def need(program: str, package: str) -> str:
    """The program, or a skipped test that says what was not run; in CI nothing is skipped."""
    where = found(program, package)
    if where is None:
        words = f"NOT RUN: {program} is missing (apt-get install {package})"
        if os.environ.get("CI") == "true":
            pytest.fail(words)
        pytest.skip(words)
    return where
