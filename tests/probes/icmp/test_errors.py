"""What routers say: every code has its reason, and only what quotes a packet of ours to the byte is believed."""

from functools import cache

import pytest

from probes.contract import Reason, Seen
from probes.echo_socket import _meaning
from tests.probes.icmp.province import Answer, Province, Request, needs_province
from tests.probes.icmp.test_wire import both, echo, error
from tests.probes.icmp.together import Link, Look, together

pytestmark = needs_province

UNREACHABLE, PROHIBITED, HOPS = Reason.UNREACHABLE, Reason.PROHIBITED, Reason.TTL_EXCEEDED
CODES = [
    # type, code, what it says (IANA's registry of ICMP parameters)
    (4, 3, 0, UNREACHABLE), (4, 3, 1, UNREACHABLE), (4, 3, 2, UNREACHABLE), (4, 3, 3, UNREACHABLE), (4, 3, 4, Reason.FRAG_NEEDED),
    (4, 3, 5, UNREACHABLE), (4, 3, 6, UNREACHABLE), (4, 3, 7, UNREACHABLE), (4, 3, 8, UNREACHABLE), (4, 3, 9, PROHIBITED),
    (4, 3, 10, PROHIBITED), (4, 3, 11, UNREACHABLE), (4, 3, 12, UNREACHABLE), (4, 3, 13, PROHIBITED), (4, 3, 14, PROHIBITED),
    (4, 3, 15, PROHIBITED), (4, 11, 0, HOPS), (4, 12, 0, Reason.PROTOCOL),
    (6, 1, 0, UNREACHABLE), (6, 1, 1, PROHIBITED), (6, 1, 2, UNREACHABLE), (6, 1, 3, UNREACHABLE), (6, 1, 4, UNREACHABLE),
    (6, 1, 5, PROHIBITED), (6, 1, 6, PROHIBITED), (6, 1, 7, UNREACHABLE), (6, 2, 0, Reason.FRAG_NEEDED), (6, 3, 0, HOPS),
    (6, 3, 1, Reason.NO_REPLY), (6, 4, 0, Reason.PROTOCOL),
]  # fmt: skip
NAMES = [f"v{version} type {type_} code {code}" for version, type_, code, _ in CODES]


@cache
def said(version: int) -> dict[tuple[int, int], Look]:
    """Every code of a family, each by a link of its own."""
    codes = [(type_, code) for of, type_, code, _ in CODES if of == version]
    keys = {"packets": 2, "spacing": "1ms", "size": 1352 if version == 6 else 1372, "dont_fragment": True}
    links = [Link(answer=error(code, code, info=1300), keys=keys) for code in codes]
    return dict(zip(codes, together(links, v6=version == 6), strict=True))


@pytest.mark.parametrize(("version", "type_", "code", "reason"), CODES, ids=NAMES)
def test_every_code_has_its_reason(version: int, type_: int, code: int, reason: Reason) -> None:
    outcome = said(version)[type_, code].outcome
    assert (outcome.seen, outcome.reason) == (Seen.FAILED, reason)
    assert outcome.seconds < 0.4
    assert ("mtu" in outcome.facts) is (reason is Reason.FRAG_NEEDED)
    # The kernel remembers the MTU that it was told for the first packet, and refuses the second one itself.
    assert ("said by" in outcome.detail) is (reason is not Reason.FRAG_NEEDED)


def test_a_code_that_does_not_exist_yet_is_told_by_its_number() -> None:
    for v6, type_ in ((False, 3), (True, 1)):
        assert _meaning(type_, 99, v6=v6) == (UNREACHABLE, "destination unreachable (code 99)")


def misquoted(at: int) -> Answer:
    """An error that quotes what was sent but for one bit: 0 is the type of the ICMP message quoted."""

    def answer(province: Province, request: Request) -> None:
        quote = bytearray(request.packet)
        quote[(40 if request.v6 else 20) + at] ^= 1
        province.send(request.wrap(request.error(*((1, 3) if request.v6 else (3, 1)), quote=bytes(quote))))

    return answer


def cut(bytes_: int) -> Answer:
    """An error that quotes so many bytes of the ICMP message."""
    return error((3, 1), (1, 3), length=bytes_)


PARTS = {"type": 0, "code": 1, "checksum": 2, "id": 4, "sequence": 6, "token": 8, "token's end": 15, "payload": 40}
DOORS = [(v6, unprivileged) for v6 in (False, True) for unprivileged in (False, True)]
DOOR_NAMES = [f"{'v6' if v6 else 'v4'} {'unprivileged' if unprivileged else 'raw'}" for v6, unprivileged in DOORS]


@pytest.mark.parametrize(("v6", "unprivileged"), DOORS, ids=DOOR_NAMES)
def test_only_what_quotes_our_packet_to_the_byte_is_believed(v6: bool, unprivileged: bool) -> None:
    """Over IPv6 the checksum is the kernel's, with an address of its choice in it, and is left out of it."""
    parts = [name for name in PARTS if not (v6 and name == "checksum")]
    links = [Link(answer=misquoted(PARTS[name]), keys={"packets": 2}, timeout=0.4) for name in parts]
    looks = together([*links, Link(answer=error((3, 1), (1, 3)), keys={"packets": 2}, timeout=0.4)], v6=v6, unprivileged=unprivileged)  # fmt: skip
    assert [look.outcome.reason for look in looks] == [Reason.NO_REPLY] * len(parts) + [UNREACHABLE]


@pytest.mark.parametrize(("v6", "unprivileged"), DOORS, ids=DOOR_NAMES)
def test_a_quotation_may_be_short_only_where_the_law_allows_it(v6: bool, unprivileged: bool) -> None:
    head = 40 if v6 else 20
    looks = together(
        [Link(answer=cut(head + length), keys={"packets": 2}, timeout=0.4) for length in (8, 16, 64)],
        v6=v6,
        unprivileged=unprivileged,
    )
    believed = [look.outcome.reason is UNREACHABLE for look in looks]
    assert believed == ([False, True, True] if v6 else [True, True, True])


def late(province: Province, request: Request) -> None:
    province.later(0.02, request.wrap(request.echo()))


BESIDE = [
    ("before the echo", both(error((3, 1), (1, 3)), echo)),
    ("after it", both(echo, error((3, 1), (1, 3)))),
    ("before it, while others are still under way", both(error((3, 1), (1, 3)), late)),
]


@pytest.mark.parametrize("v6", [False, True], ids=["v4", "v6"])
def test_errors_beside_answers_do_not_fail_the_check(v6: bool) -> None:
    """A router on one of two ways complains, and the echo comes all the same."""
    keys = {"packets": 3, "spacing": "30ms", "extra": 0}
    looks = together([Link(answer=answer, keys=keys) for _, answer in BESIDE], v6=v6)
    for look in looks[:2]:
        facts = look.outcome.facts
        assert (look.outcome.reason, facts["received"], facts["forged"], facts["late"]) == (Reason.OK, 3, 0, 0)
    # Of the last packet it was said that it will not arrive, and nothing else was waited for.
    last = looks[2].outcome
    assert (last.reason, last.facts["received"], last.facts["forged"]) == (Reason.OK, 2, 0)


def test_a_piece_lost_on_the_way_is_no_loop() -> None:
    """Time exceeded while the target waited for the other pieces: Linux does not hand that on over IPv4."""
    assert _meaning(11, 1, v6=False)[0] is _meaning(3, 1, v6=True)[0] is Reason.NO_REPLY
    assert _meaning(3, 1, v6=False)[0] is UNREACHABLE
