"""The sandbox's timestamp authority, OCSP responder and gatekeeper, in every weather, as the probes see them."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID

from monitor.sandbox.datagram_listener import DatagramListener
from monitor.sandbox.faults import Condition
from monitor.sandbox.h323_server import answer, gatekeeper, signalling
from monitor.sandbox.ocsp_server import Revocation, responding
from monitor.sandbox.pki import Authority
from monitor.sandbox.servers import Listener
from monitor.sandbox.tsa_server import Signer, answered, stamping
from probes import ras
from probes.contract import Outcome
from tests.debian import need
from tests.ports import free_port
from tests.probes.h323.vectors import vector
from tests.probes.look import look

AUTHORITY = Authority.make()

WEATHER = [
    # the weather             time stamps          certificates' states      gatekeeper
    (Condition(), ("ok", "granted"), ("ok", "good"), ("ok", "confirmed by Sandbox GK")),
    (Condition(delay=0.2), ("ok", "granted"), ("ok", "good"), ("ok", "confirmed")),
    (Condition(cut=True), ("timeout", ""), ("timeout", ""), ("timeout", "")),
    (Condition(refused=True), ("refused", ""), ("refused", ""), ("refused", "")),
    (Condition(wrong=True), ("tsa", "systemFailure"), ("ocsp", "tryLater"), ("ok", "rejected by Sandbox GK: resourceUnavailable")),
    (Condition(expired=True), ("tsa", "expired 1.0 days ago"), ("ocsp", "stale"), ("ok", "confirmed")),
]  # fmt: skip


async def seen(listener: Any, kind: str, keys: dict[str, Any]) -> Outcome:
    await listener.sync()
    try:
        return await look(kind, keys, timeout=0.6)
    finally:
        listener.close()


def agrees(outcome: Outcome, expected: tuple[str, str]) -> bool:
    return outcome.reason.value == expected[0] and expected[1] in outcome.detail


@pytest.mark.parametrize(("condition", "stamp", "state", "rings"), WEATHER, ids=lambda value: str(value)[:60])
async def test_in_every_weather(
    condition: Condition, stamp: tuple[str, str], state: tuple[str, str], rings: tuple[str, str], tmp_path: Path
) -> None:
    ca = tmp_path / "ca.pem"
    ca.write_bytes(AUTHORITY.pem())
    port = free_port()

    listener = Listener("127.0.0.1", port, lambda: condition, stamping(lambda: condition, AUTHORITY))
    found = await seen(listener, "tsa", {"url": f"http://127.0.0.1:{port}/", "ca": str(ca)})
    assert agrees(found, stamp), found

    revocation = Revocation.make(AUTHORITY)
    (tmp_path / "chu-ky.pem").write_bytes(revocation.pem())
    listener = Listener("127.0.0.1", port, lambda: condition, responding(lambda: condition, revocation))
    keys = {
        "cert": str(tmp_path / "chu-ky.pem"),
        "url": f"http://127.0.0.1:{port}/",
        "crl": f"http://127.0.0.1:{port}/crl",
    }
    for more in ({}, {"method": "GET"}, {"nonce": True, "hash": "sha256"}):
        found = await seen(listener, "ocsp", keys | more)
        assert agrees(found, state), found
    if found.reason.value == "ok":
        assert found.facts["crl_left"] > 80_000
    if condition.wrong or condition.expired:
        found = await seen(listener, "ocsp", keys | {"url": None})
        assert found.reason.value == ("protocol" if condition.wrong else "ocsp"), found

    port = free_port()
    datagrams = DatagramListener("127.0.0.1", port, lambda: condition, gatekeeper(lambda: condition))
    found = await seen(datagrams, "h323", {"host": "127.0.0.1", "ras_port": port, "signalling_port": 0})
    assert agrees(found, rings), found


async def test_call_signalling_opens_and_nothing_more() -> None:
    port = free_port()
    listener = Listener("127.0.0.1", port, Condition, signalling())
    found = await seen(listener, "h323", {"host": "127.0.0.1", "ras_port": 0, "signalling_port": port})
    assert agrees(found, ("ok", "call signalling opens"))


def test_the_gatekeeper_writes_as_the_compiler_does() -> None:
    request = ras.question(65535, "127.0.0.1", 1719)
    assert answer(request, "10.37.0.9", 50000, name="NB-GK") == vector("gcf", "NB-GK")
    busy = answer(ras.question(5, "127.0.0.1", 1719), "10.37.0.9", 1, name="N", wrong=True)
    assert busy is not None
    assert ras.read(busy).why == "resourceUnavailable"
    for junk in (b"", b"hello, gatekeeper", request[:5], bytes(40)):
        assert answer(junk, "10.37.0.9", 1719, name="N") is None


async def test_openssl_agrees_with_the_sandbox(tmp_path: Path) -> None:
    """What our little servers sign, `openssl ts -verify` and `openssl ocsp` take for good: so it is not only our own reading of it."""
    program = need("openssl", "openssl")

    async def run(*words: object) -> str:
        process = await asyncio.create_subprocess_exec(
            program, *map(str, words), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        said, _ = await process.communicate()
        return said.decode()

    ca, query, reply = tmp_path / "ca.pem", tmp_path / "query", tmp_path / "reply"
    ca.write_bytes(AUTHORITY.pem())
    await run("ts", "-query", "-digest", "00" * 32, "-sha256", "-cert", "-out", query)
    signer = Signer.make(AUTHORITY, "Sandbox TSA", ExtendedKeyUsageOID.TIME_STAMPING)
    reply.write_bytes(answered(query.read_bytes(), signer, datetime.now(UTC)))
    assert "Verification: OK" in await run("ts", "-verify", "-queryfile", query, "-in", reply, "-CAfile", ca)

    revocation, chain, request = Revocation.make(AUTHORITY), tmp_path / "chu-ky.pem", tmp_path / "request"
    chain.write_bytes(revocation.pem())
    asked = ("ocsp", "-no_nonce", "-issuer", ca, "-cert", chain)
    await run(*asked, "-reqout", request)
    reply.write_bytes(revocation.answer(request.read_bytes(), datetime.now(UTC)))
    said = await run(*asked, "-respin", reply, "-CAfile", ca)
    assert "Response verify OK" in said
    assert f"{chain}: good" in said
    crl = tmp_path / "crl"
    crl.write_bytes(revocation.crl(datetime.now(UTC)))
    assert "verify OK" in await run("crl", "-inform", "DER", "-in", crl, "-CAfile", ca, "-noout")
