"""Valid raw answers of a device, for whoever bends them: `answer(request)` is what a well-behaved agent would send."""

from typing import Any

from monitor.sandbox.faults import Condition
from monitor.sandbox.snmp_server import Agent

COMMUNITY = "ninhbinh-doc"

KEYS: dict[str, Any] = {"interfaces": ["wan"], "capacity": "100Mbit", "oids": {"ticks": "1.3.6.1.2.1.1.3.0"}}
"""Keys of a check that asks for what the agent has; host, port and community are the caller's."""

_agent = Agent(Condition, lambda: 1000.0, community=COMMUNITY)


def answer(request: bytes) -> bytes:
    """The answer to a question of version 2c, or nothing."""
    return _agent.answer(request) or b""
