"""The same against BIND: a zone's own server, and a resolver that verifies signatures."""

from collections.abc import Iterator
from typing import Any

import pytest

from probes.contract import Reason, Seen
from tests.probes.dns.bind import ZONE, province_dns
from tests.probes.look import look


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    with province_dns(tmp_path_factory.mktemp("bind")) as both:
        yield both


OWNER, RESOLVER = 0, 1
PORTAL = f"portal.{ZONE}"

CASES = [
    # who is asked, and for what                           server    the keys of the check                                             reason, facts
    ("both addresses of the portal", OWNER, {"name": PORTAL, "expect": {"count": 2, "answer": r" A 192\.0\.2\.10$"}}, Reason.OK,
     {"answers": 2, "ttl": 300, "authoritative": 1}),
    ("its IPv6 address", OWNER, {"name": PORTAL, "type": "AAAA", "expect": {"answer": "2001:db8::10"}}, Reason.OK, {"answers": 1}),
    ("an alias and where it leads", OWNER, {"name": f"www.{ZONE}", "expect": {"answer": "CNAME portal"}}, Reason.OK, {"answers": 3}),
    ("the zone's serial", OWNER, {"name": ZONE, "type": "SOA"}, Reason.OK, {"serial": 2026120501}),
    ("mail, and in additional its address", OWNER,
     {"name": ZONE, "type": "MX", "expect": {"additional": r"mail\..* A 192\.0\.2\.25"}}, Reason.OK, {}),
    ("text", OWNER, {"name": f"spf.{ZONE}", "type": "TXT", "expect": {"answer": "v=spf1"}}, Reason.OK, {}),
    ("a name that does not exist", OWNER, {"name": f"no.{ZONE}"}, Reason.DNS_NXDOMAIN, {"answers": 0, "rcode": 3}),
    ("a name without such a record", OWNER, {"name": f"v6only.{ZONE}"}, Reason.DNS_NODATA, {"answers": 0, "rcode": 0}),
    ("a name that is not the server's to know", OWNER, {"name": "elsewhere.example"}, Reason.RCODE, {"rcode": 5}),
    ("aliases in a circle, which BIND notices itself", OWNER, {"name": f"old.{ZONE}"}, Reason.DNS_SERVFAIL, {"rcode": 2}),
    ("an answer too large for a datagram", OWNER, {"name": f"large.{ZONE}", "type": "TXT", "expect": {"count": 30}}, Reason.OK, {"answers": 30}),
    ("the server's version, in class CH", OWNER,
     {"name": "version.bind", "type": "TXT", "record_class": "CH", "expect": {"answer": r"CH TXT"}}, Reason.OK, {}),
    ("a verified answer", RESOLVER, {"name": PORTAL, "expect": {"dnssec": True}}, Reason.OK, {"authenticated": 1}),
    ("an answer that its own server does not verify", OWNER, {"name": PORTAL, "expect": {"dnssec": True}}, Reason.DNSSEC, {"authenticated": 0}),
    ("an unsigned zone", RESOLVER, {"name": "host.lan", "expect": {"dnssec": True}}, Reason.DNSSEC, {}),
    ("a name no server can be found for", RESOLVER, {"name": "lost.example"}, Reason.DNS_SERVFAIL, {"rcode": 2}),
]  # fmt: skip


@pytest.mark.parametrize("transport", ["udp", "tcp"])
@pytest.mark.parametrize(("sentence", "server", "keys", "reason", "facts"), CASES, ids=[case[0] for case in CASES])
async def test_bind(
    sentence: str, server: int, keys: dict[str, Any], reason: Reason, facts: dict[str, float], transport: str,
    servers: tuple[str, str],
) -> None:  # fmt: skip
    outcome = await look("dns", {"server": servers[server], "transport": transport, **keys}, timeout=5.0)
    assert (outcome.reason, outcome.seen) == (reason, Seen.OK if reason is Reason.OK else Seen.FAILED), outcome
    assert {name: outcome.facts[name] for name in facts} == facts
    assert outcome.facts.get("cut_short", 0) == (1 if "too large" in sentence and transport == "udp" else 0)
