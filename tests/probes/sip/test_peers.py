"""Real counterparts: what kamailio and sipp answer, and what is made of it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from probes.contract import Reason
from tests.probes.look import LOOPS, Run, look
from tests.probes.sip.peers import RECEIVE, kamailio, send, sipp
from tests.probes.tls.chains import DAY, file, make, root

GOOD = "good.example"


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, int]]:
    with kamailio(tmp_path_factory.mktemp("kamailio"), make(GOOD, by=root(), names=[GOOD])) as ports:
        yield ports


WHO: list[tuple[str, dict[str, Any], Reason, str]] = [
    # who is asked, and what is expected                            the reason, and words of the detail
    ("the stack itself", {}, Reason.OK, "200 OK, kamailio"),
    ("somebody it does not know", {"uri": "sip:nobody@x"}, Reason.OK, "404 Not Found"),
    ("somebody who must say who he is", {"uri": "sip:locked@x"}, Reason.OK, "401 Unauthorized"),
    ("somebody who declines", {"uri": "sip:declined@x"}, Reason.OK, "603 Decline"),
    ("a stack with an error of its own", {"uri": "sip:broken@x"}, Reason.OK, "500 Server Internal Error"),
    ("a stack that cannot serve", {"uri": "sip:busy@x"}, Reason.SIP_STATUS, "503 Service Unavailable, to be asked again in 30 s"),
    ("503, and that is expected", {"uri": "sip:busy@x", "expect": {"status": "5xx"}}, Reason.OK, "503"),
    ("404, and only 200 is good", {"uri": "sip:nobody@x", "expect": {"status": 200}}, Reason.SIP_STATUS, "404 Not Found"),
    ("404, and 200 or 400 to 404 are good", {"uri": "sip:nobody@x", "expect": {"status": [200, "400-404"]}}, Reason.OK, "404"),
    ("from somebody by name", {"uri": "sip:who@x", "from": "sip:giam-sat@tinh.example"}, Reason.OK, "200 sip:giam-sat@tinh.example"),
]  # fmt: skip


@pytest.mark.parametrize(("sentence", "keys", "reason", "words"), WHO, ids=[case[0] for case in WHO])
@pytest.mark.parametrize("transport", ["udp", "tcp", "tls"])
async def test_what_kamailio_answers(
    proxy: tuple[int, int], transport: str, sentence: str, keys: dict[str, Any], reason: Reason, words: str
) -> None:
    way = {"host": GOOD, "port": proxy[1], "tls": {"ca": file(root())}} if transport == "tls" else {"port": proxy[0]}
    outcome = await look("sip", {"host": "127.0.0.1", "transport": transport} | way | keys)
    assert outcome.reason is reason, outcome
    assert words in outcome.detail
    facts = outcome.facts
    assert int(facts["status"]) == int(words[:3])
    assert (facts["retransmissions"], facts["ignored"], facts["translated"], facts["ip_version"]) == (0, 0, 0, 4)
    assert 0 < facts["rtt"] <= facts["seconds"] < 1
    assert facts.get("verified") == (1 if transport == "tls" else None)
    assert set(outcome.phases) - {"resolve"} == {"connect", "request"} | ({"tls"} if transport == "tls" else set())


@LOOPS
def test_both_loops(run: Run, proxy: tuple[int, int]) -> None:
    for transport in ("udp", "tcp"):
        assert run(look("sip", {"host": "127.0.0.1", "port": proxy[0], "transport": transport})).reason is Reason.OK


async def test_a_name_is_asked_by_the_name(proxy: tuple[int, int]) -> None:
    outcome = await look("sip", {"host": GOOD, "port": proxy[0]})
    assert outcome.reason is Reason.OK, outcome


async def test_a_server_that_never_answers_options_is_a_timeout_after_repetitions(proxy: tuple[int, int]) -> None:
    outcome = await look("sip", {"host": "127.0.0.1", "port": proxy[0], "uri": "sip:nothing@x"}, timeout=1.8)
    assert outcome.reason is Reason.TIMEOUT
    assert "in request" in outcome.detail
    assert outcome.facts["retransmissions"] == 2  # After 0.5 s and 1.5 s.
    assert "rtt" not in outcome.facts


CERTIFICATES: list[tuple[str, Any, dict[str, Any], Reason]] = [
    # the certificate                                                                the check's keys            the reason
    ("expired", lambda: make(GOOD, by=root(), names=[GOOD], starts=-9 * DAY, ends=-DAY), {}, Reason.TLS_EXPIRED),
    ("for another name", lambda: make("x", by=root(), names=["other.example"]), {}, Reason.TLS_NAME),
    ("for another name that the check knows", lambda: make("x", by=root(), names=["other.example"]),
     {"server_name": "other.example"}, Reason.OK),
    ("of itself", lambda: make(GOOD, names=[GOOD]), {}, Reason.TLS_SELF_SIGNED),
    ("of itself, and nobody minds", lambda: make(GOOD, names=[GOOD]), {"verify": False, "ca": None}, Reason.OK),
]  # fmt: skip


@pytest.mark.parametrize(("sentence", "made", "keys", "reason"), CERTIFICATES, ids=[case[0] for case in CERTIFICATES])
async def test_kamailio_with_a_certificate(
    tmp_path: Path, sentence: str, made: Any, keys: dict[str, Any], reason: Reason
) -> None:
    with kamailio(tmp_path, made()) as (_, port):
        spec = {"host": GOOD, "port": port, "transport": "tls", "tls": {"ca": file(root())} | keys}
        outcome = await look("sip", spec)
    assert outcome.reason is reason, outcome
    assert "certificate_days" in outcome.facts


SCENARIOS: list[tuple[str, tuple[str, ...], Reason, str, dict[str, int]]] = [
    # what sipp plays                                                             the reason, words, facts
    ("provisional answers, then a final one",
     (RECEIVE, send("100 Trying"), '<pause milliseconds="100"/>', send("180 Ringing"), send("200 OK")),
     Reason.OK, "200", {"provisional": 2, "retransmissions": 0}),
    ("503", (RECEIVE, send("503 Service Unavailable")), Reason.SIP_STATUS, "503", {"status": 503}),
    ("somebody else's Call-ID, then ours", (RECEIVE, send("200 OK", call_id="other@x"), send("486 Busy Here")),
     Reason.OK, "486", {"ignored": 1}),
    ("silence to the first request", (RECEIVE, '<pause milliseconds="700"/>', send("200 OK")), Reason.OK, "200", {"retransmissions": 1}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("sentence", "steps", "reason", "words", "facts"), SCENARIOS, ids=[case[0] for case in SCENARIOS]
)
async def test_what_sipp_plays(
    tmp_path: Path, sentence: str, steps: tuple[str, ...], reason: Reason, words: str, facts: dict[str, int]
) -> None:
    with sipp(tmp_path, *steps) as port:
        outcome = await look("sip", {"host": "127.0.0.1", "port": port})
    assert outcome.reason is reason, outcome
    assert words in outcome.detail
    assert facts.items() <= outcome.facts.items()


async def test_only_foreign_answers_are_no_answer(tmp_path: Path) -> None:
    with sipp(tmp_path, RECEIVE, send("200 OK", call_id="other@x"), '<pause milliseconds="5000"/>') as port:
        outcome = await look("sip", {"host": "127.0.0.1", "port": port}, timeout=0.4)
    assert outcome.reason is Reason.TIMEOUT, outcome
    assert outcome.facts["ignored"] == 1


async def test_sipp_over_tcp(tmp_path: Path) -> None:
    with sipp(tmp_path, RECEIVE, send("100 Trying"), send("200 OK"), transport="t1") as port:
        outcome = await look("sip", {"host": "127.0.0.1", "port": port, "transport": "tcp"})
    assert outcome.reason is Reason.OK, outcome
    assert outcome.facts["provisional"] == 1
