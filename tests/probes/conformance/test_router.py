"""P5: a router on the way refuses. That is the way to the target, never our own want of a route, in whatever words the kernel passes it on."""

import json
import subprocess
import sys

import pytest

from probes.contract import Reason, Seen
from tests.probes.own_faults.test_own_faults import OWN_SPACE, ROOT, must

CODES = [
    # RFC 792, RFC 1812 §5.2.7.1. Linux passes 0, 6 and 9 on as ENETUNREACH, the number that it also has for a host without a route.
    ("no route to the network", 0),
    ("no route to the host", 1),
    ("the network is unknown", 6),
    ("the network is forbidden", 9),
    ("the host is forbidden", 10),
    ("a filter forbids it", 13),
]

WORDS = {Reason.UNREACHABLE, Reason.PROHIBITED}


@pytest.mark.parametrize(("sentence", "code"), CODES, ids=[case[0] for case in CODES])
def test_a_router_refuses(sentence: str, code: int) -> None:
    must()
    words = [*OWN_SPACE, sys.executable, "-m", "tests.probes.conformance.router", str(code)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    found: dict[str, list[str]] = json.loads(done.stdout)
    wrong = {
        way: told
        for way, told in found.items()
        # A plain datagram socket hears nothing of refusals that may pass (0, 1): silence it is.
        if told[0] != Seen.FAILED or told[1] not in (WORDS | {Reason.TIMEOUT} if way == "dns" and code < 2 else WORDS)
    }
    assert wrong == {}
    for way in ("icmp", "sip", "stun", "snmp"):
        assert "192.0.2.254" in found[way][2], "who said it"
