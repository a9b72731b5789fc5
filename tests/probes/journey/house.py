"""What the journeys of these tests are told by: a run of keys as they stand in a file, and the sandbox's servers."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pydantic import TypeAdapter

import probes
from monitor.sandbox.faults import Condition
from probes.contract import Outcome
from probes.tools import Workbench

SPEC = TypeAdapter(probes.KINDS["journey"].spec)
GRACE = 0.25


@dataclass
class Sandbox:
    """Where the servers are, and what the weather is for all of them."""

    ports: Mapping[str, int]
    weather: list[Condition]

    def url(self, name: str, path: str = "") -> str:
        return f"http://127.0.0.1:{self.ports[name]}{path}"


async def travel(workbench: Workbench, keys: Mapping[str, Any], *, timeout: float = 5.0) -> Outcome:
    """One run; it ends within its deadline and a quarter of a second."""
    outcome = await probes.run("journey", SPEC.validate_python(dict(keys)), workbench, timeout=timeout)
    assert outcome.seconds < timeout + GRACE, outcome
    return outcome


def now() -> datetime:
    return datetime.now(UTC)
