"""The way to a device: names with several addresses, IPv6, and what is said when there is none."""

import asyncio
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import TypeAdapter

import probes
from probes import Outcome, Reason, Secret, Seen, Workbench
from tests.probes.look import LOOPS, Run, look
from tests.probes.snmp.answers import COMMUNITY, KEYS, answer
from tests.probes.snmp.hostile import device


@contextmanager
def silent(host: str, port: int) -> Iterator[None]:
    """Somebody who hears and says nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        line.bind((host, port))
        yield


def well(question: bytes, _: int) -> Sequence[bytes]:
    return [answer(question)]


def keys(host: str, port: int, **more: Any) -> dict[str, Any]:
    return {"host": host, "port": port, "community": Secret(COMMUNITY), **KEYS, **more}


@LOOPS
def test_the_second_address_of_a_name_answers_when_the_first_is_silent(run: Run) -> None:
    with device(well) as (port, _), silent("127.0.0.9", port):
        outcome = run(
            look("snmp", keys("cpe.example", port), timeout=3, names={"cpe.example": ("127.0.0.9", "127.0.0.1")})
        )
    assert outcome.seen is Seen.OK, outcome.detail
    assert outcome.facts["retransmissions"] == 1


def test_and_at_once_when_nobody_listens_at_the_first() -> None:
    with device(well) as (port, _):
        names = {"cpe.example": ("127.0.0.9", "127.0.0.1")}
        outcome = asyncio.run(look("snmp", keys("cpe.example", port), timeout=3, names=names))
    assert outcome.seen is Seen.OK, outcome.detail
    assert outcome.seconds < 0.8


def test_a_device_is_asked_over_ipv6() -> None:
    with device(well, host="::1") as (port, _):
        outcome = asyncio.run(look("snmp", keys("::1", port, family="ipv6")))
    assert outcome.seen is Seen.OK, outcome.detail
    assert outcome.facts["ip_version"] == 6


WAYS = [
    ("a name that does not exist", {"host": "gone.example"}, Seen.FAILED, Reason.DNS_NXDOMAIN),
    ("an IPv4 address for a check that insists on IPv6", {"host": "127.0.0.1", "family": "ipv6"}, Seen.FAILED, Reason.DNS_NODATA),
    ("a link-local address on an interface that is not there", {"host": "fe80::1%nothere"}, Seen.BLIND, Reason.OWN_NETWORK),
]  # fmt: skip


@pytest.mark.parametrize(("sentence", "more", "seen", "reason"), WAYS, ids=[case[0] for case in WAYS])
def test_there_is_no_way_to(sentence: str, more: dict[str, Any], seen: Seen, reason: Reason) -> None:
    outcome = asyncio.run(look("snmp", {**keys("127.0.0.1", 9), **more}))
    assert (outcome.seen, outcome.reason) == (seen, reason), outcome.detail


def test_three_hundred_devices_at_once_are_read_within_their_time() -> None:
    """One silent device holds up nobody."""

    async def everybody(port: int) -> list[Outcome]:
        kind: Any = probes.KINDS["snmp"].spec
        there, dead = (TypeAdapter(kind).validate_python(keys(host, port)) for host in ("127.0.0.1", "127.0.0.9"))
        async with Workbench(lambda: datetime.now(UTC)) as workbench:
            many = [probes.run("snmp", there, workbench, timeout=8) for _ in range(60)]
            none = [probes.run("snmp", dead, workbench, timeout=2) for _ in range(240)]
            return await asyncio.gather(*many, *none)

    with device(well) as (port, _), silent("127.0.0.9", port):
        outcomes = asyncio.run(everybody(port))
    assert [outcome.reason for outcome in outcomes] == [Reason.OK] * 60 + [Reason.TIMEOUT] * 240
