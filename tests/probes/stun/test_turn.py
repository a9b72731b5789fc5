"""What no server does on purpose: stale nonces, forged answers, lost ones, open relays; and that an allocation is given back in any case."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from monitor.sandbox.datagram_listener import DatagramListener
from monitor.sandbox.faults import FINE, Condition
from monitor.sandbox.stun_server import PASSWORD as BOX_PASSWORD
from monitor.sandbox.stun_server import USER as BOX_USER
from monitor.sandbox.stun_server import StunServer
from probes.contract import Reason
from probes.secret import Secret
from probes.stun_wire import ALLOCATE, BINDING, MD5, REFRESH, SHA256, Attr, Class, Message, long_term_key, pack, read
from tests.ports import free_port
from tests.probes.little_udp import talking
from tests.probes.look import look
from tests.probes.stun.answers import (
    KEY,
    NONCE,
    PASSWORD,
    REALM,
    USER,
    answer,
    bound,
    challenged,
    error,
    granted,
    plain,
)

TURN = {"user": USER, "password": Secret(PASSWORD)}
Say = Callable[[Message], list[bytes]]


@dataclass
class Server:
    """Binds; says what it is told to for each Allocate and Refresh in turn, the last again and again; remembers what it heard."""

    allocate: list[Say]
    refresh: list[Say] = field(default_factory=lambda: [lambda r: [granted(r)]])
    heard: list[Message] = field(default_factory=list)

    def __call__(self, wire: bytes, _: tuple[str, int]) -> list[bytes]:
        request = read(wire)
        self.heard.append(request)
        if request.method == BINDING:
            return [bound(request)]
        row = self.allocate if request.method == ALLOCATE else self.refresh
        return (row.pop(0) if len(row) > 1 else row[0])(request)

    def released(self) -> list[Message]:
        """The requests that give back."""
        return [one for one in self.heard if one.method == REFRESH and one.get(Attr.LIFETIME) == bytes(4)]


def stale(request: Message) -> list[bytes]:
    return [error(request, 438, "Stale Nonce", (Attr.REALM, REALM), (Attr.NONCE, b"fresh"))]


def challenge(request: Message) -> list[bytes]:
    return [challenged(request)]


def grant(request: Message) -> list[bytes]:
    return [granted(request)] if request.signed_by(KEY, sha256=False) else []


def incomplete(request: Message, *fields: tuple[int, bytes]) -> list[bytes]:
    return [pack(ALLOCATE, Class.SUCCESS, request.transaction, fields, key=KEY)]


CASES: list[tuple[str, list[Say], Reason, str, Mapping[str, float], int]] = [
    # what the server says to Allocate, one after the other      the reason, words, facts, and how often it is given back
    ("a challenge, then the allocation", [challenge, grant], Reason.OK, "for 600 s", {"authenticated": 1, "released": 1}, 1),
    ("a stale nonce in between", [challenge, stale, grant], Reason.OK, "for 600 s", {"released": 1}, 1),
    ("nothing but stale nonces", [challenge, stale], Reason.STUN_ERROR, "438 Stale Nonce", {"error_code": 438}, 0),
    ("a stale nonce before any", [stale], Reason.STUN_ERROR, "438", {}, 0),
    ("nothing but challenges", [challenge], Reason.AUTH, "401", {"error_code": 401}, 0),
    ("wrong credentials", [challenge, lambda r: [error(r, 441, "Wrong Credentials")]], Reason.AUTH, "441", {"error_code": 441}, 0),
    ("forbidden", [challenge, lambda r: [error(r, 403, "Forbidden")]], Reason.STUN_ERROR, "403 Forbidden", {"error_code": 403}, 0),
    ("no room", [challenge, lambda r: [error(r, 508, "Insufficient Capacity")]], Reason.STUN_ERROR, "508", {"error_code": 508}, 0),
    ("elsewhere", [challenge, lambda r: [error(r, 300, "Try Alternate", (Attr.ALTERNATE_SERVER, plain("192.0.2.7", 3478)))]],
     Reason.STUN_ERROR, "try 192.0.2.7 port 3478", {"error_code": 300}, 0),
    ("a relay for anybody", [lambda r: [granted(r, key=None)]], Reason.OK, "no password was asked for", {"authenticated": 0, "released": 1}, 1),
    ("a challenge without a realm", [lambda r: [error(r, 401, "Unauthorized", (Attr.NONCE, NONCE))]], Reason.PROTOCOL, "realm or nonce", {}, 0),
    ("an answer that is not signed", [challenge, lambda r: [granted(r, key=None)]], Reason.PROTOCOL, "not signed", {}, 1),
    ("an answer signed with another password", [challenge, lambda r: [granted(r, key=b"x" * 16)]], Reason.PROTOCOL, "not signed", {}, 1),
    ("no relayed address", [challenge, lambda r: incomplete(r, (Attr.LIFETIME, bytes(4)))], Reason.PROTOCOL, "lifetime or its relayed", {}, 1),
    ("no lifetime", [challenge, lambda r: incomplete(r)], Reason.PROTOCOL, "lifetime or its relayed", {}, 1),
    ("it says the password back", [challenge, lambda r: [error(r, 400, f"no {PASSWORD} here")]], Reason.STUN_ERROR, "<secret>", {}, 0),
    ("silence after the challenge", [challenge, lambda r: []], Reason.TIMEOUT, "in allocate", {}, 1),
    ("silence from the start", [lambda r: []], Reason.TIMEOUT, "in allocate", {}, 1),
]  # fmt: skip


@pytest.mark.parametrize(
    ("sentence", "row", "reason", "words", "facts", "released"), CASES, ids=[case[0] for case in CASES]
)
async def test_allocate(
    sentence: str, row: list[Say], reason: Reason, words: str, facts: Mapping[str, float], released: int
) -> None:
    server = Server(list(row))
    with talking(server) as port:
        outcome = await look("stun", {"host": "127.0.0.1", "port": port, "turn": TURN}, timeout=0.4)
        await asyncio.sleep(0.05)  # What is said without waiting arrives after the outcome.
    assert outcome.reason is reason, outcome
    assert words in outcome.detail
    assert facts.items() <= outcome.facts.items()
    assert len(server.released()) == released
    assert PASSWORD not in str(outcome)
    assert all(PASSWORD.encode() not in one.wire for one in server.heard)


async def test_an_allocation_is_given_back_with_the_credentials_when_the_time_ran_out() -> None:
    server = Server([challenge, lambda r: []])
    with talking(server) as port:
        await look("stun", {"host": "127.0.0.1", "port": port, "turn": TURN}, timeout=0.3)
        await asyncio.sleep(0.05)
    (last,) = server.released()
    assert last.signed_by(KEY, sha256=False)


async def test_a_release_that_nobody_confirms_is_said_and_no_failure() -> None:
    server = Server([challenge, grant], [lambda r: []])
    with talking(server) as port:
        outcome = await look("stun", {"host": "127.0.0.1", "port": port, "turn": TURN}, timeout=3.0)
    assert outcome.reason is Reason.OK, outcome
    assert outcome.facts["released"] == 0
    assert "did not confirm" in outcome.detail
    assert len(server.released()) == 3  # At once, after 0.5 s and after 1.5 s.
    assert outcome.phases["release"] == pytest.approx(1.6, abs=0.1)


async def test_a_release_at_the_last_moment_does_not_spoil_the_outcome() -> None:
    server = Server([challenge, grant], [lambda r: []])
    with talking(server) as port:
        outcome = await look("stun", {"host": "127.0.0.1", "port": port, "turn": TURN}, timeout=0.4)
    assert outcome.reason is Reason.OK, outcome
    assert outcome.facts["released"] == 0
    assert len(server.released()) == 1


async def test_a_stale_nonce_at_the_release_is_answered() -> None:
    server = Server([challenge, grant], [stale, lambda r: [granted(r)]])
    with talking(server) as port:
        outcome = await look("stun", {"host": "127.0.0.1", "port": port, "turn": TURN})
    assert outcome.facts["released"] == 1
    assert [one.get(Attr.NONCE) for one in server.released()] == [NONCE, b"fresh"]


ALGORITHMS = [
    # what the server offers, in its order    what is chosen
    ("SHA-256 before MD5", "0002000000010000", SHA256),
    ("MD5 alone", "00010000", MD5),
    ("something of tomorrow, then SHA-256", "007700030000000000020000", SHA256),
]


@pytest.mark.parametrize(("sentence", "offer", "chosen"), ALGORITHMS, ids=[case[0] for case in ALGORITHMS])
async def test_password_algorithms_of_rfc_8489(sentence: str, offer: str, chosen: int) -> None:
    algorithms = (Attr.PASSWORD_ALGORITHMS, bytes.fromhex(offer))
    key = long_term_key(USER, REALM, PASSWORD, chosen)

    def ask(request: Message) -> list[bytes]:
        nonce = (Attr.NONCE, b"obMatJos2gAAAxyz")
        return [error(request, 401, "Unauthorized", (Attr.REALM, REALM), nonce, algorithms)]

    def check(request: Message) -> list[bytes]:
        right = request.get(Attr.PASSWORD_ALGORITHMS) == bytes.fromhex(offer)
        right &= request.get(Attr.PASSWORD_ALGORITHM) == chosen.to_bytes(2) + b"\0\0"
        right &= request.signed_by(key, sha256=True) and request.get(Attr.INTEGRITY) is None
        return [granted(request, key=key, sha256=True) if right else error(request, 400, "Bad Request")]

    server = Server([ask, check], [check])
    with talking(server) as port:
        outcome = await look("stun", {"host": "127.0.0.1", "port": port, "turn": TURN})
    assert outcome.reason is Reason.OK, outcome
    assert outcome.facts["released"] == 1


OFFERS = [
    ("nothing that is known", b"plain", (Attr.PASSWORD_ALGORITHMS, bytes.fromhex("00770000"))),
    ("taken out on the way", b"obMatJos2gAAAxyz", (Attr.SOFTWARE, b"x")),
]


@pytest.mark.parametrize(("sentence", "nonce", "offer"), OFFERS, ids=[case[0] for case in OFFERS])
async def test_a_challenge_that_cannot_be_answered(sentence: str, nonce: bytes, offer: tuple[int, bytes]) -> None:
    def ask(request: Message) -> list[bytes]:
        return [error(request, 401, "Unauthorized", (Attr.REALM, REALM), (Attr.NONCE, nonce), offer)]

    with talking(Server([ask])) as port:
        outcome = await look("stun", {"host": "127.0.0.1", "port": port, "turn": TURN})
    assert outcome.reason is Reason.PROTOCOL, outcome


async def test_a_user_may_be_a_secret_too() -> None:
    server = Server([challenge, lambda r: [error(r, 400, f"who is {USER}")]])
    with talking(server) as port:
        turn = {"user": Secret(USER), "password": Secret(PASSWORD)}
        outcome = await look("stun", {"host": "127.0.0.1", "port": port, "turn": turn})
    assert outcome.detail == "400 who is <secret>"


async def test_the_valid_answers_are_valid() -> None:
    with talking(lambda wire, _: [answer(wire)]) as port:
        outcome = await look("stun", {"host": "127.0.0.1", "port": port, "turn": TURN})
    assert outcome.reason is Reason.OK, outcome


@dataclass
class Sky:
    """The weather, to be changed."""

    now: Condition = FINE

    def __call__(self) -> Condition:
        return self.now


WEATHER: list[tuple[str, Condition, Reason, str]] = [
    ("fine", FINE, Reason.OK, "for 600 s"),
    ("cut", Condition(cut=True), Reason.TIMEOUT, "in binding"),
    ("wrong", Condition(wrong=True), Reason.STUN_ERROR, "500"),
    ("refused", Condition(refused=True), Reason.REFUSED, ""),
    ("slow", Condition(delay=0.1), Reason.OK, "for 600 s"),
]


@pytest.mark.parametrize(("sentence", "weather", "reason", "words"), WEATHER, ids=[case[0] for case in WEATHER])
async def test_the_sandbox_in_every_weather(sentence: str, weather: Condition, reason: Reason, words: str) -> None:
    sky, port, made = Sky(), free_port(), []

    def server() -> StunServer:
        made.append(StunServer(sky))
        return made[-1]

    ear = DatagramListener("127.0.0.1", port, sky, server)
    turn: dict[str, Any] = {"user": BOX_USER, "password": Secret(BOX_PASSWORD)}
    try:
        for now in (FINE, weather):
            sky.now = now
            await ear.sync()
            await asyncio.sleep(0)
        outcome = await look("stun", {"host": "127.0.0.1", "port": port, "turn": turn}, timeout=0.6)
        wrong = await look(
            "stun", {"host": "127.0.0.1", "port": port, "turn": turn | {"password": Secret("x" * 9)}}, timeout=0.6
        )
    finally:
        ear.close()
    assert outcome.reason is reason, outcome
    assert words in outcome.detail
    assert wrong.reason is (Reason.AUTH if reason is Reason.OK else reason)
    assert not made[0].allocations
