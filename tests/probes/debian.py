"""Real counterparts from Debian: found, installed when we may, else said loudly to be missing (under CI=true: a failure)."""

import os
import shutil
import subprocess
from functools import cache

import pytest


@cache
def found(program: str, package: str) -> str | None:
    """Where the program is; installed from its package when it is missing and we are root."""
    search = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    where = shutil.which(program, path=search)
    if where is None and os.geteuid() == 0 and shutil.which("apt-get"):
        environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        command = ["apt-get", "install", "-y", "-q", "--no-install-recommends", package]
        subprocess.run(command, env=environment, capture_output=True, timeout=180, check=False)
        where = shutil.which(program, path=search)
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
