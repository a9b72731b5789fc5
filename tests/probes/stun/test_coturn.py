"""The real relay of Debian: bindings, allocations, wrong passwords, and that nothing is left behind."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from probes.contract import Outcome, Reason
from probes.secret import Secret
from tests.probes.look import look
from tests.probes.stun.coturn import PASSWORD, USER, Coturn, coturn
from tests.probes.tls.chains import DAY, file, make, root

GOOD = "good.example"


@pytest.fixture(scope="module")
def relay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Coturn]:
    with coturn(tmp_path_factory.mktemp("coturn"), make(GOOD, by=root(), names=[GOOD])) as running:
        yield running


def keys(relay: Coturn, transport: str, **turn: str) -> dict[str, Any]:
    way: dict[str, Any] = {"host": "127.0.0.1", "port": relay.port, "transport": transport}
    if transport == "tls":
        way |= {"host": GOOD, "port": relay.tls, "tls": {"ca": file(root())}}
    return way | ({"turn": {"user": turn["user"], "password": Secret(turn["password"])}} if turn else {})


TRANSPORTS = pytest.mark.parametrize("transport", ["udp", "tcp", "tls"])


@TRANSPORTS
async def test_a_binding(relay: Coturn, transport: str) -> None:
    outcome = await look("stun", keys(relay, transport))
    assert outcome.reason is Reason.OK, outcome
    facts = outcome.facts
    assert outcome.detail == f"we are 127.0.0.1 port {facts['mapped_port']:.0f}"
    assert (facts["translated"], facts["ip_version"], facts["retransmissions"], facts["ignored"]) == (0, 4, 0, 0)
    assert 0 < facts["rtt"] <= facts["seconds"] < 1
    assert facts.get("verified") == (1 if transport == "tls" else None)
    assert set(outcome.phases) - {"resolve"} == {"connect", "binding"} | ({"tls"} if transport == "tls" else set())


@TRANSPORTS
async def test_an_allocation_is_granted_and_given_back(relay: Coturn, transport: str) -> None:
    before = sum(each[:2] == ["new 600", "refreshed 0"] for each in relay.sessions().values())
    outcome = await look("stun", keys(relay, transport, user=USER, password=PASSWORD))
    assert outcome.reason is Reason.OK, outcome
    facts = outcome.facts
    assert f"relayed at 127.0.0.1 port {facts['relayed_port']:.0f} for 600 s" in outcome.detail
    assert (facts["lifetime"], facts["authenticated"], facts["released"]) == (600, 1, 1)
    assert facts["allocate_seconds"] == outcome.phases["allocate"]
    assert "release" in outcome.phases
    assert await asyncio.to_thread(relay.wait, ["new 600", "refreshed 0"], count=before + 1)


REFUSED = [("a wrong password", USER, "mật-khẩu-sai"), ("an unknown user", "nobody-here", PASSWORD)]


@pytest.mark.parametrize(("sentence", "user", "password"), REFUSED, ids=[case[0] for case in REFUSED])
@TRANSPORTS
async def test_credentials_that_are_refused(
    relay: Coturn, transport: str, sentence: str, user: str, password: str
) -> None:
    outcome = await look("stun", keys(relay, transport, user=user, password=password))
    assert outcome.reason is Reason.AUTH, outcome
    assert "401" in outcome.detail
    assert outcome.facts["error_code"] == 401
    assert outcome.facts["mapped_port"] > 0  # The binding stands all the same.
    assert password not in str(outcome)


async def test_a_quota_of_one_is_enough_for_ever(tmp_path: Path) -> None:
    """Were an allocation left behind, its 600 seconds would use up the quota; coturn forgets one that was given back within seconds."""
    with coturn(tmp_path, make(GOOD, names=[GOOD]), "--user-quota=1") as relay:
        for _ in range(3):
            outcome = await again(relay)
            assert outcome.reason is Reason.OK, outcome


async def again(relay: Coturn) -> Outcome:
    """An allocation, as soon as the quota allows it."""
    for _ in range(40):
        outcome = await look("stun", keys(relay, "udp", user=USER, password=PASSWORD))
        if outcome.reason is not Reason.STUN_ERROR:
            break
        assert "486 Allocation Quota Reached" in outcome.detail
        assert outcome.facts["error_code"] == 486
        await asyncio.sleep(0.1)
    return outcome


CERTIFICATES = [
    ("expired", {"starts": -9 * DAY, "ends": -DAY, "names": [GOOD]}, Reason.TLS_EXPIRED),
    ("for another name", {"names": ["other.example"]}, Reason.TLS_NAME),
]


@pytest.mark.parametrize(("sentence", "made", "reason"), CERTIFICATES, ids=[case[0] for case in CERTIFICATES])
async def test_certificates(tmp_path: Path, sentence: str, made: dict[str, Any], reason: Reason) -> None:
    with coturn(tmp_path, make(GOOD, by=root(), **made)) as relay:
        outcome = await look("stun", keys(relay, "tls"))
    assert outcome.reason is reason, outcome
    assert "certificate_days" in outcome.facts
