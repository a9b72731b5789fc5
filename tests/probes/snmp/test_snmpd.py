"""Against net-snmp's daemon: every version, protocol and way to be refused."""

import asyncio
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

import probes
from probes import Outcome, Reason, Secret, Seen, Workbench
from tests.ports import free_port
from tests.probes.look import LOOPS, Run, look
from tests.probes.snmp.snmpd import COMMUNITY, PASSWORD, PRIVACY, snmpd

UPTIME = "1.3.6.1.2.1.1.3.0"


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with snmpd(tmp_path_factory.mktemp("snmpd")) as listening:
        yield listening


def ask(port: int, timeout: float = 5.0, **keys: Any) -> Outcome:
    spec = {"host": "127.0.0.1", "port": port, **keys}
    return asyncio.run(look("snmp", spec, timeout=timeout))


def user(name: str, auth: str, priv: str = "", password: str = PASSWORD, privacy: str = PRIVACY) -> Mapping[str, Any]:
    keys: dict[str, Any] = {"version": "3", "user": name, "auth": {"protocol": auth, "password": Secret(password)}}
    return {**keys, "priv": {"protocol": priv, "password": Secret(privacy)}} if priv else keys


V2C: Mapping[str, Any] = {"community": Secret(COMMUNITY)}

GOOD: list[tuple[str, Mapping[str, Any]]] = [
    ("a community", V2C),
    ("MD5 and DES, as old devices have", user("md5des", "MD5", "DES")),
    ("SHA and AES", user("sha1aes", "SHA", "AES")),
    ("SHA-256 and AES-256", user("sha256aes256", "SHA-256", "AES-256")),
    ("a key that is longer than its hash", user("sha1aes256", "sha1", "aes256")),
    ("the same as Cisco lengthens it", user("sha1aes256c", "SHA", "AES-256-C")),
    ("SHA-512 and AES-192", user("sha512aes192", "SHA-512", "AES-192")),
    ("SHA-224", user("sha224aes", "SHA-224", "AES")),
    ("SHA-384 and AES-192 for Cisco", user("sha384aes192c", "SHA-384", "AES-192-C")),
    ("SHA and AES-192 for Cisco", user("sha1aes192c", "SHA", "AES-192-C")),
    ("signed and not encrypted", user("signed", "SHA-256")),
]


@pytest.mark.parametrize(("sentence", "keys"), GOOD, ids=[case[0] for case in GOOD])
def test_an_interface_by_name_is_read_by(sentence: str, keys: Mapping[str, Any], port: int) -> None:
    outcome = ask(port, **keys, interfaces=["lo"], capacity="100Mbit", oids={"ticks": UPTIME})
    assert (outcome.seen, outcome.detail) == (Seen.OK, "")
    assert outcome.facts["interfaces_up"] == 1
    assert outcome.facts["uptime_seconds"] == pytest.approx(outcome.facts["ticks"], abs=1)
    assert {"connect", "walk", "request"} <= set(outcome.phases)


@LOOPS
def test_a_v3_device_is_read_on_either_loop(run: Run, port: int) -> None:
    keys = {"host": "127.0.0.1", "port": port, "interfaces": 1, **user("sha256aes256", "SHA-256", "AES-256")}
    assert run(look("snmp", keys)).seen is Seen.OK


BAD: list[tuple[str, Mapping[str, Any], Reason, str]] = [
    # what is wrong                                        keys                                                        reason, word
    ("the user's password", user("sha1aes", "SHA", "AES", password="another-one"), Reason.AUTH, "wrong digest"),
    ("the protocol of auth", user("sha1aes", "SHA-256", "AES"), Reason.AUTH, "wrong digest"),
    (
        "the password that encrypts",
        user("sha1aes", "SHA", "AES", privacy="another-one"),
        Reason.AUTH,
        "ignores what we",
    ),
    ("the protocol that encrypts", user("sha256aes256", "SHA-256", "AES"), Reason.AUTH, "ignores what we"),
    ("a user the device does not know", user("nobody", "SHA", "AES"), Reason.AUTH, "does not know this user"),
    ("a user who must encrypt and does not", user("sha1aes", "SHA"), Reason.AUTH, "authorizationError"),
    ("encryption for a user who has none", user("signed", "SHA-256", "AES"), Reason.AUTH, "security level"),
    ("a community, which no device answers to", {"community": Secret("wrong")}, Reason.TIMEOUT, "no answer within"),
    ("an interface that is not there", {**V2C, "interfaces": ["eth77"]}, Reason.SNMP, "the device has: lo"),
    ("a number that is not there", {**V2C, "interfaces": [7777]}, Reason.SNMP, "there is no interface 7777"),
    ("an object that is not there", {**V2C, "oids": {"x": "1.3.6.1.4.1.1.1.0"}}, Reason.SNMP, "1.3.6.1.4.1.1.1.0 (x)"),
    ("an object that is not a number", {**V2C, "oids": {"x": "1.3.6.1.2.1.1.5.0"}}, Reason.SNMP, "nothing to count"),
]


@pytest.mark.parametrize(("wrong", "keys", "reason", "word"), BAD, ids=[case[0] for case in BAD])
def test_what_is_wrong_is(wrong: str, keys: Mapping[str, Any], reason: Reason, word: str, port: int) -> None:
    outcome = ask(port, timeout=0.8 if reason is Reason.TIMEOUT else 2.5, **keys)
    assert (outcome.seen, outcome.reason) == (Seen.FAILED, reason)
    assert word in outcome.detail
    assert PASSWORD not in outcome.detail


def test_a_port_on_which_nobody_listens_is_refused_at_once() -> None:
    outcome = ask(free_port(), **V2C)
    assert (outcome.seen, outcome.reason) == (Seen.FAILED, Reason.REFUSED)
    assert outcome.seconds < 0.5


def test_an_engine_that_restarts_is_learnt_anew(tmp_path: Path) -> None:
    """The clock we remember is of the life before: the device says so, and is believed once."""

    async def story() -> list[Outcome]:
        seen = []
        async with Workbench(lambda: datetime.now(UTC)) as workbench:
            with snmpd(tmp_path) as first:
                keys = {"host": "127.0.0.1", "port": first, **user("sha1aes", "SHA", "AES")}
                kind: Any = probes.KINDS["snmp"].spec
                spec = TypeAdapter(kind).validate_python(keys)
                seen.append(await probes.run("snmp", spec, workbench, timeout=3))
                # It has restarted a hundred times, and we know the clock of long ago.
                engines = workbench.kept["snmp engines"]
                engine = engines["127.0.0.1", first]
                engines["127.0.0.1", first] = type(engine)(engine.id, 1, 5000, engine.seen_at)
                seen.append(await probes.run("snmp", spec, workbench, timeout=3))
                engines["127.0.0.1", first] = type(engine)(b"\x80\0\0\0\x01another", 1, 50, engine.seen_at)
                seen.append(await probes.run("snmp", spec, workbench, timeout=3))
        return seen

    for outcome in asyncio.run(story()):
        assert (outcome.seen, outcome.detail) == (Seen.OK, "")
