"""Run one probe as the daemon does, from keys as they stand in a configuration."""

import asyncio
import socket
from collections.abc import Callable, Coroutine, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
import uvloop
from pydantic import TypeAdapter

import probes
from probes.contract import Address, Family, Outcome, ProbeError, Reason
from probes.tools import Workbench

Run = Callable[[Coroutine[Any, Any, Outcome]], Outcome]

LOOPS = pytest.mark.parametrize("run", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
"""The daemon runs on uvloop, a developer's machine perhaps on asyncio: the outcome is the same."""

GRACE = 0.25
"""Seconds beyond its deadline within which every run has to end."""


class Names:
    """A resolver out of a table; a name that is not in it does not exist."""

    def __init__(self, table: Mapping[str, tuple[str, ...]]) -> None:
        self.table = table

    async def resolve(self, host: str, family: Family, deadline: float) -> tuple[Address, ...]:
        if host not in self.table:
            raise ProbeError(Reason.DNS_NXDOMAIN, f"{host} does not exist")
        return tuple(Address(socket.AF_INET6 if ":" in ip else socket.AF_INET, ip) for ip in self.table[host])

    async def aclose(self) -> None:
        return


def now() -> datetime:
    return datetime.now(UTC)


async def look(
    kind: str, keys: Mapping[str, Any], *, timeout: float = 3.0, names: Mapping[str, tuple[str, ...]] | None = None
) -> Outcome:
    """One run; it ends within its deadline and a quarter of a second, and never raises."""
    spec: Any = TypeAdapter(probes.KINDS[kind].spec).validate_python(dict(keys))
    table = {"good.example": ("127.0.0.1",), **(names or {})}
    async with Workbench(now, resolver=Names(table)) as workbench:
        outcome = await probes.run(kind, spec, workbench, timeout=timeout)
    for _ in range(3):
        await asyncio.sleep(0)  # The loop closes what the probe let go.
    assert outcome.seconds < timeout + GRACE, outcome
    return outcome
