"""What routers say by ICMP, said by the kernel's own firewall in a network namespace: the reason, and who said it."""

import json
import os
import subprocess
import sys

import pytest

from tests.debian import need

CHILD = """
import asyncio, json, subprocess, sys
from tests.probes.look import look

async def main():
    seen = {}
    for kind in ("sip", "stun"):
        outcome = await look(kind, {"host": "127.0.0.1", "port": 4000}, timeout=0.5)
        seen[kind] = [outcome.reason.value, outcome.detail, outcome.seconds]
    print(json.dumps(seen))

subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
chain = "add table ip t; add chain ip t i { type filter hook input priority 0; }"
subprocess.run([sys.argv[1], f"{chain}; add rule ip t i udp dport 4000 {sys.argv[2]}"], check=True)
asyncio.run(main())
"""

CASES = [
    # what the firewall does                                         the reason, and words of the detail
    ("the port is closed", "reject with icmp type port-unreachable", "refused", "connection refused"),
    ("the host is not there", "reject with icmp type host-unreachable", "unreachable", "host unreachable (said by 127.0.0.1)"),
    ("the network is not there", "reject with icmp type net-unreachable", "unreachable", "network unreachable (said by 127.0.0.1)"),
    ("it is forbidden", "reject with icmp type admin-prohibited", "prohibited", "prohibited (said by 127.0.0.1)"),
    ("it is swallowed", "drop", "timeout", "no answer within 0.5 s"),
]  # fmt: skip


@pytest.mark.parametrize(("sentence", "rule", "reason", "words"), CASES, ids=[case[0] for case in CASES])
def test_what_a_router_says(sentence: str, rule: str, reason: str, words: str) -> None:
    if os.geteuid() != 0 or subprocess.run(["unshare", "--net", "true"], capture_output=True, check=False).returncode:
        pytest.skip("NOT RUN: a network namespace needs root")
    command = ["unshare", "--net", sys.executable, "-c", CHILD, need("nft", "nftables"), rule]
    child = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert child.returncode == 0, child.stderr
    for kind, (said, detail, seconds) in json.loads(child.stdout).items():
        assert said == reason, (kind, detail)
        assert words in detail
        assert seconds < (0.7 if rule == "drop" else 0.3)
