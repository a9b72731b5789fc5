"""Version 3 against whoever is between: what is not proved to be the device's is nobody's word."""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes import Outcome, Reason, Secret, Seen
from probes.snmp_ber import OBJECT, OCTETS, Reader, UnreadableError, integer, object_id, sequence, wrap
from probes.snmp_usm import Engine, Opened, User, open_message, seal
from probes.snmp_wire import REPORT, RESPONSE
from tests.probes.look import look
from tests.probes.snmp.hostile import device

ENGINE = b"\x80\x00\x1f\x88\x04ninhbinh"
BOOTS = 5
GOOD = User(b"giamsat", "SHA-256", b"mat-khau-ky-1", "AES", b"mat-khau-ma-2")
SIGNED = User(b"giamsat", "SHA-256", b"mat-khau-ky-1")
WRONG = User(b"giamsat", "SHA-256", b"khong-phai-no")
OPEN = User(b"giamsat")
UPTIME = "1.3.6.1.2.1.1.3.0"
USM = "1.3.6.1.6.3.15.1.1."


def engine(boots: int = BOOTS, clock: int = 1000, id: bytes = ENGINE) -> Engine:
    return Engine(id, boots, clock, time.monotonic())


def pdu(kind: int, id: int, oid: str, value: bytes) -> bytes:
    return wrap(kind, integer(id) + b"\x02\x01\x00\x02\x01\x00" + sequence([sequence([object_id(oid), value])]))


def said(id: int, user: User, body: bytes, at: Engine) -> bytes:
    """A message from the device: as a question is sealed, with the reportable bit off."""
    return seal(id, user, at, time.monotonic(), bytes(8), body)


def header(question: bytes) -> tuple[int, int]:
    """Message id and flags."""
    message = Reader(question).inside()
    message.number()
    head = message.inside()
    id, _ = head.number(), head.number()
    return id, head.content(OCTETS)[0]


def report(question: bytes, number: int, *, user: User = OPEN, at: Engine | None = None) -> bytes:
    id, _ = header(question)
    return said(id, user, pdu(REPORT, 0, f"{USM}{number}.0", integer(1, 0x41)), at or engine())


def opened(question: bytes, user: User = GOOD) -> tuple[Opened, int]:
    """A question as the device reads it, and its request id."""
    found = open_message(question, user, ENGINE)
    assert found is not None
    assert found.scoped is not None
    return found, Reader(found.scoped.any()[1]).number()


Saying = Callable[[int, int], Sequence[bytes]]
"""From message id and request id to what is sent."""


def asked(saying: Saying, *, user: User = GOOD, timeout: float = 2.2) -> tuple[Outcome, int]:
    """A device that introduces itself as it should and then answers a question for sysUpTime by `saying`."""

    def answering(question: bytes, _: int) -> Sequence[bytes]:
        id, flags = header(question)
        if not flags & 1:
            return [report(question, 4)]
        return saying(id, opened(question, user)[1])

    keys: dict[str, Any] = {
        "version": "3",
        "user": "giamsat",
        "auth": {"protocol": "SHA-256", "password": Secret("mat-khau-ky-1")},
    }
    if user.cipher:
        keys["priv"] = {"protocol": "AES", "password": Secret("mat-khau-ma-2")}
    with device(answering) as (port, questions):
        outcome = asyncio.run(look("snmp", {"host": "127.0.0.1", "port": port, **keys}, timeout=timeout))
        return outcome, len(questions)


def answer(id: int, request: int, user: User = GOOD, at: Engine | None = None) -> bytes:
    return said(id, user, pdu(RESPONSE, request, UPTIME, integer(123400, 0x43)), at or engine())


def flipped(data: bytes, place: int) -> bytes:
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


def test_the_device_itself_is_believed() -> None:
    outcome, questions = asked(lambda id, request: [answer(id, request)])
    assert (outcome.seen, outcome.facts["uptime_seconds"], questions) == (Seen.OK, 1234, 2)


FORGED: list[tuple[str, Saying]] = [
    ("an answer in the clear to a question that was signed and encrypted", lambda i, r: [answer(i, r, OPEN)]),
    ("an answer that is signed and not encrypted", lambda i, r: [answer(i, r, SIGNED)]),
    ("an answer signed with another key", lambda i, r: [answer(i, r, WRONG)]),
    ("an answer with one bit of its data turned", lambda i, r: [flipped(answer(i, r), -1)]),
    ("an answer to another message", lambda i, r: [answer(i ^ 1, r)]),
    ("an answer to another request", lambda i, r: [answer(i, r ^ 1)]),
    ("an answer of another engine", lambda i, r: [answer(i, r, at=engine(id=ENGINE[:-1] + b"x"))]),
    ("an answer of the life before", lambda i, r: [answer(i, r, at=engine(boots=BOOTS - 1))]),
    ("an answer of five minutes ago", lambda i, r: [answer(i, r, at=engine(clock=700))]),
]


@pytest.mark.parametrize(("sentence", "saying"), FORGED, ids=[case[0] for case in FORGED])
def test_nobodys_word_is(sentence: str, saying: Saying) -> None:
    forged, _ = asked(saying, timeout=0.6)
    assert (forged.seen, forged.reason) == (Seen.FAILED, Reason.TIMEOUT), forged.detail
    assert forged.facts["ignored"] >= 1
    besides, _ = asked(lambda id, request: [*saying(id, request), answer(id, request)], timeout=2.0)
    assert besides.seen is Seen.OK, besides.detail


@given(st.integers(0, 1000), st.integers(1, 255), st.integers(0, 40), st.binary(max_size=8))
def test_whatever_becomes_of_a_message_on_its_way_it_is_whole_or_nobodys(
    place: int, turn: int, lost: int, more: bytes
) -> None:
    whole = answer(77, 78)
    place %= len(whole)
    bent = whole[:place] + bytes([whole[place] ^ turn]) + whole[place + 1 :]
    bent = bent[: len(bent) - lost] + more
    try:
        found = open_message(bent, GOOD, ENGINE)
    except UnreadableError:
        return
    # One that now says that it is not protected is not taken for an answer, either: see above.
    assert found is None or found.scoped is None or found.flags & 3 != GOOD.flags


def test_names_that_somebody_makes_up_cost_no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    message = answer(77, 78, at=engine(id=ENGINE[:-1] + b"x"))
    monkeypatch.setattr("probes.snmp_usm._keys", lambda user, engine: pytest.fail("keys were made"))
    found = open_message(message, GOOD, ENGINE)
    assert found is not None
    assert found.scoped is None


def test_a_device_that_never_agrees_with_its_own_clock_is_left() -> None:
    def saying(id: int, request: int) -> Sequence[bytes]:
        return [said(id, SIGNED, pdu(REPORT, 0, f"{USM}2.0", integer(1, 0x41)), engine(clock=9))]

    outcome, questions = asked(saying)
    assert (outcome.seen, outcome.reason) == (Seen.FAILED, Reason.AUTH)
    assert questions <= 9


def test_an_introduction_that_is_none_is_not_taken() -> None:
    for bad in (b"", b"\x80" * 4, b"\x80" * 40):
        with device(lambda question, _, bad=bad: [report(question, 4, at=engine(id=bad))]) as (port, _):  # type: ignore[misc]
            keys = {"host": "127.0.0.1", "port": port, "version": "3", "user": "giamsat"}
            outcome = asyncio.run(look("snmp", keys, timeout=0.6))
        assert outcome.reason in (Reason.TIMEOUT, Reason.PROTOCOL), outcome.detail


def test_a_report_that_nobody_knows_is_an_error_of_the_device() -> None:
    outcome, _ = asked(
        lambda id, request: [said(id, OPEN, pdu(REPORT, 0, "1.3.6.1.6.3.11.2.1.1.0", integer(1, 0x41)), engine())]
    )
    assert (outcome.seen, outcome.reason) == (Seen.FAILED, Reason.SNMP)


def test_keys_are_those_of_the_standard() -> None:
    """RFC 3414 A.3: `maplesyrup`, engine 00…02."""
    from probes.snmp_usm import _keys, _master

    place = bytes(11) + b"\x02"
    assert _master("md5", b"maplesyrup").hex() == "9faf3283884e92834ebc9847d8edd963"
    assert _master("sha1", b"maplesyrup").hex() == "9fb5cc0381497b3793528939ff788d5d79145211"
    assert _keys(User(b"u", "MD5", b"maplesyrup"), place)[0].hex() == "526f5eed9fcce26f8964c2930787d82b"
    assert _keys(User(b"u", "SHA", b"maplesyrup"), place)[0].hex() == "6695febc9288e36282235fc7151f128497b38f3f"


def test_an_object_identifier_is_what_it_is() -> None:
    assert object_id("1.3.6.1.4.1.2021").hex() == "06072b060104018f65"
    assert Reader(object_id("2.999.3")).content(OBJECT).hex() == "883703"
