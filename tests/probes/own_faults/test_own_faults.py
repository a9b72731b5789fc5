"""Our own faults, each really caused in a process of its own, through every kind: blind with its own reason, never the target's failure.

What a fault cannot be told by stands here as well: see SILENT.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import probes
from probes.contract import Reason, Seen
from tests.debian import need
from tests.probes.own_faults.targets import DATAGRAMS, LOCAL, NETWORK, SECURED, WAYS

ROOT = Path(__file__).parents[3]

OWN_SPACE = ["unshare", "--net"]
OWN_MOUNTS = ["unshare", "--net", "--mount"]

ECHO = frozenset({"icmp"})
STREAMS = frozenset(
    way for way in WAYS if way.endswith("tcp") or way == "h323" or WAYS[way][0] not in (*DATAGRAMS, "icmp")
)
OTHERS = frozenset(WAYS)

# What is wrong with us; its name; where it happens; the reason; ways that it does not concern, or that may do without what is missing.
FAULTS: list[tuple[str, str, list[str], Reason, frozenset[str]]] = [
    ("no descriptor is left", "descriptors", [], Reason.OWN_FDS, frozenset()),
    ("no source port is left; an echo needs none", "ports", OWN_SPACE, Reason.OWN_PORTS, ECHO),
    ("the uplink is gone", "uplink", OWN_SPACE, Reason.OWN_NETWORK, frozenset()),
    ("the uplink has no IPv6", "uplink_v6", OWN_SPACE, Reason.OWN_NETWORK, frozenset()),
    ("the interface went down", "unplugged", OWN_SPACE, Reason.OWN_NETWORK, frozenset()),
    ("our own firewall drops what we send", "firewall", OWN_SPACE, Reason.OWN_PERMISSION, STREAMS),
    ("our own routes forbid the target", "forbidden", OWN_SPACE, Reason.OWN_PERMISSION, frozenset()),
    ("our resolver is silent", "resolver_silent", OWN_SPACE, Reason.OWN_DNS, frozenset()),
    ("nobody listens where our resolver should be", "resolver_dead", OWN_SPACE, Reason.OWN_DNS, frozenset()),
    ("our resolver says SERVFAIL to everything", "resolver_sick", OWN_SPACE, Reason.OWN_DNS, frozenset()),
    ("/etc/resolv.conf is empty", "resolv_conf", OWN_MOUNTS, Reason.OWN_DNS, frozenset()),
    ("CAP_NET_RAW was taken; only echoes need it", "capability", OWN_SPACE, Reason.OWN_PERMISSION, OTHERS - ECHO),
    ("memory is full; a bare connection may do without", "memory", OWN_SPACE, Reason.OWN_MEMORY, OTHERS - {"http", "icmp"}),
    ("we were stopped for a while", "stalled", OWN_SPACE, Reason.OWN_STALL, frozenset()),
    ("our clock is years ahead", "clock", OWN_SPACE, Reason.OWN_CLOCK, frozenset()),
    ("our clock is years behind", "clock_behind", OWN_SPACE, Reason.OWN_CLOCK, frozenset()),
    ("the file of authorities is gone", "authorities", OWN_SPACE, Reason.OWN_CONFIG, frozenset()),
]  # fmt: skip

PART = {
    # Faults that not every way can meet, and the ways that do.
    "capability": {"icmp", "tcp"},
    "memory": {way for way in WAYS if way not in SECURED and WAYS[way][0] not in DATAGRAMS},
    "authorities": set(SECURED),
    "clock": set(SECURED),
    "clock_behind": set(SECURED),
}

SILENT = {
    "firewall": "Linux does not tell a connecting socket that its SYN was dropped by our own rules: it looks like silence from outside. "
    "Datagrams and echoes are told (EPERM); an anchor by either, or all anchors silent, makes the outcomes of such a moment blind.",
}
"""Faults that some ways cannot tell from the target's; the daemon's anchors do."""


def may() -> bool:
    return os.geteuid() == 0 and subprocess.run([*OWN_MOUNTS, "true"], capture_output=True, check=False).returncode == 0


def must() -> None:
    """Skip loudly, or fail in CI, where nothing can be caused."""
    if not may():
        words = "NOT RUN: our own faults are caused in namespaces of their own, which needs root"
        if os.environ.get("CI") == "true":
            pytest.fail(words)
        pytest.skip(words)


def caused(fault: str, space: list[str], *ways: str) -> dict[str, list[str]]:
    must()
    words = [*space, sys.executable, "-m", "tests.probes.own_faults.child", fault, *ways]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    found: dict[str, list[str]] = json.loads(done.stdout)
    return found


def test_every_kind_is_concerned_or_says_why_not() -> None:
    assert NETWORK.keys() | LOCAL.keys() == probes.KINDS.keys()
    assert {each[1] for each in FAULTS} >= PART.keys() | SILENT.keys()


@pytest.mark.parametrize(("sentence", "fault", "space", "reason", "spared"), FAULTS, ids=[each[0] for each in FAULTS])
def test_own_fault(sentence: str, fault: str, space: list[str], reason: Reason, spared: frozenset[str]) -> None:
    found = caused(fault, space)
    assert {way.partition(" 127")[0] for way in found} == PART.get(fault, WAYS.keys())
    wrong = {}
    for way, (seen, why, detail) in found.items():
        blind = (seen, why) == (Seen.BLIND, reason)
        good = way in spared and seen == Seen.OK
        untold = way in spared and fault in SILENT and why == Reason.TIMEOUT
        if not (blind or good or untold):
            wrong[way] = (seen, why, detail)
    assert wrong == {}
    assert any(why == reason for _, why, _ in found.values())


@pytest.mark.parametrize(
    ("fault", "reason"),
    [("unplugged", Reason.OWN_NETWORK), ("forbidden", Reason.OWN_PERMISSION), ("resolver_silent", Reason.OWN_DNS)],
)
def test_a_browser_goes_out_through_us(fault: str, reason: Reason) -> None:
    """Chromium says ERR_CONNECTION_FAILED to everything; what our own kernel and resolver said decides."""
    need("chromium", "chromium")
    (seen, why, detail) = caused(fault, OWN_SPACE, "browser")["browser"]
    assert (seen, why) == (Seen.BLIND, reason), detail
