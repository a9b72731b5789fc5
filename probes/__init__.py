"""Probes: the code that measures once. A leaf library that knows nothing of configuration files, databases or metrics.

`KINDS` is the table of what can be measured, `run` the one way to measure it.
"""

from collections.abc import Coroutine, Mapping
from types import MappingProxyType
from typing import Any, Final

from probes import browser, dns, h323, heartbeat, http, icmp, journey, ocsp, sip, snmp, stun, tcp, tls, tsa
from probes.contract import (
    Address,
    Fact,
    Family,
    Finding,
    Kind,
    Outcome,
    ProbeError,
    Reason,
    Seen,
    blind,
    failed,
    ok,
)
from probes.run import run_kind
from probes.secret import Secret
from probes.tools import Tools, Workbench

__all__ = [
    "KINDS",
    "Address",
    "Fact",
    "Family",
    "Finding",
    "Kind",
    "Outcome",
    "ProbeError",
    "Reason",
    "Secret",
    "Seen",
    "Tools",
    "Workbench",
    "blind",
    "failed",
    "ok",
    "run",
]

KINDS: Final[Mapping[str, Kind]] = MappingProxyType(
    {
        kind.name: kind
        for kind in (
            # One line per kind.
            http.KIND,
            tcp.KIND,
            tls.KIND,
            dns.KIND,
            icmp.KIND,
            journey.KIND,
            heartbeat.KIND,
            sip.KIND,
            stun.KIND,
            h323.KIND,
            tsa.KIND,
            ocsp.KIND,
            browser.KIND,
            snmp.KIND,
        )
    }
)


def run(kind: str, spec: Any, workbench: Workbench, *, timeout: float) -> Coroutine[Any, Any, Outcome]:
    """Run a probe once, ended after `timeout` seconds at the latest; await it. Raises nothing but CancelledError; KeyError for an unknown kind."""
    return run_kind(KINDS[kind], spec, workbench, timeout=timeout)
