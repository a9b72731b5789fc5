"""One try to deliver to a webhook: what each answer means, what is sent, and what is never done."""

import gzip
import ipaddress
import json
import ssl
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
import trustme
from pydantic import TypeAdapter, ValidationError
from standardwebhooks.webhooks import Webhook

from monitor.model import EventType, Message, Receiver
from monitor.notify import KINDS, Courier, Delivery, Result, deliver
from monitor.notify.courier import permitted, retry_after
from monitor.notify.webhook import WebhookSpec
from probes.secret import Secret
from tests.notify.sink import DRIP, OK, answer, sink

NOW = datetime(2026, 11, 21, 14, 3, tzinfo=UTC)
SECRET = Secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
BODY = '{"type":"test","tên":"Ninh Bình"}'.encode()
MESSAGE = Message(id="msg_1", receiver="truc", lane="i", sequence=1, type=EventType.TEST, created_at=NOW, body=BODY)


async def send(url: str, *, context: ssl.SSLContext | None = None, now: datetime = NOW, **keys: object) -> Delivery:
    spec = TypeAdapter(WebhookSpec).validate_python({"url": url, "secret": SECRET, "timeout": "2s", **keys})
    async with Courier(context=context) as courier:
        return await deliver(Receiver(name="truc", kind="webhook", spec=spec), MESSAGE, courier=courier, now=now)


ANSWERS = [
    ("200 is delivered", answer(200), Result.DELIVERED),
    ("201 is delivered", answer(201), Result.DELIVERED),
    ("202 is delivered", answer(202), Result.DELIVERED),
    ("204 is delivered", OK, Result.DELIVERED),
    ("any other 2xx too", answer(299), Result.DELIVERED),
    ("a redirect is a failure", answer(302, "location: http://127.0.0.1:1/"), Result.REDIRECTED),
    ("a redirect that keeps the method too", answer(308, "location: /hook2"), Result.REDIRECTED),
    ("304 is no delivery", answer(304), Result.REDIRECTED),
    ("400 needs a person", answer(400), Result.REJECTED),
    ("404 needs a person", answer(404), Result.REJECTED),
    ("422 needs a person", answer(422), Result.REJECTED),
    ("401 is about credentials", answer(401), Result.CREDENTIALS),
    ("403 is about credentials", answer(403), Result.CREDENTIALS),
    ("410 says it is no more", answer(410), Result.GONE),
    ("408 passes", answer(408), Result.RETRY),
    ("429 passes", answer(429), Result.THROTTLED),
    ("500 passes", answer(500), Result.RETRY),
    ("503 passes", answer(503), Result.RETRY),
    ("599 passes", answer(599), Result.RETRY),
    ("closing before an answer passes", b"", Result.UNREACHABLE),
    ("garbage instead of HTTP passes", b"\x00\x01 nonsense\r\n\r\n", Result.UNREACHABLE),
    ("an odd cookie poisons nothing", answer(204, "set-cookie: k=\u00e9; Domain=.x"), Result.DELIVERED),
    ("a broken gzip is not opened", answer(200, "content-encoding: gzip", body=b"not gzip"), Result.DELIVERED),
    ("a body cut short was still accepted", b"HTTP/1.1 200 X\r\ncontent-length: 99\r\n\r\nabc", Result.DELIVERED),
]


@pytest.mark.parametrize(("said", "result"), [case[1:] for case in ANSWERS], ids=[case[0] for case in ANSWERS])
async def test_what_an_answer_means(said, result):
    async with sink([said]) as receiver:
        delivery = await send(receiver.url)
    assert delivery.result is result
    assert receiver.connections == 1


async def test_what_is_sent_is_the_bytes_and_a_signature_that_verifies():
    async with sink() as receiver:
        await send(
            receiver.url, now=datetime.now(UTC), headers={"X-Site": "ninhbinh", "authorization": Secret("Bearer t")}
        )
    (got,) = receiver.got
    assert got.line == "POST /hook HTTP/1.1"
    assert got.body == BODY
    assert got.headers["content-type"] == "application/json"
    assert (got.headers["x-site"], got.headers["authorization"]) == ("ninhbinh", "Bearer t")
    assert Webhook(SECRET.reveal()).verify(got.body, got.headers) == json.loads(BODY)


async def test_every_try_has_the_same_id_and_bytes_but_a_new_timestamp_and_signature():
    async with sink([answer(503), OK]) as receiver:
        await send(receiver.url)
        await send(receiver.url, now=NOW + timedelta(seconds=30))
    first, second = receiver.got
    assert (first.body, first.headers["webhook-id"]) == (second.body, second.headers["webhook-id"])
    assert first.headers["webhook-timestamp"] != second.headers["webhook-timestamp"]
    assert first.headers["webhook-signature"] != second.headers["webhook-signature"]


async def test_a_receiver_that_never_answers_ends_by_the_deadline():
    async with sink([None]) as receiver:
        delivery = await send(receiver.url, timeout="200ms")
    assert delivery.result is Result.TIMEOUT
    assert 0.15 < delivery.seconds < 0.6


async def test_headers_that_drip_end_by_the_deadline():
    async with sink([DRIP]) as receiver:
        delivery = await send(receiver.url, timeout="300ms")
    assert delivery.result is Result.TIMEOUT
    assert delivery.seconds < 0.8


async def test_a_body_that_inflates_to_gigabytes_is_never_opened():
    bomb = gzip.compress(bytes(64 * 1024 * 1024))
    async with sink([answer(200, "content-encoding: gzip", body=bomb)]) as receiver:
        delivery = await send(receiver.url)
    assert delivery.result is Result.DELIVERED
    assert delivery.seconds < 1.5


async def test_no_cookie_of_one_answer_goes_with_the_next_message():
    spec = TypeAdapter(WebhookSpec).validate_python({"timeout": "2s", "url": "http://localhost"})
    async with sink([answer(204, "set-cookie: k=v; Path=/"), OK]) as receiver, Courier() as courier:
        for _ in range(2):
            to = Receiver(name="truc", kind="webhook", spec=replace(spec, url=receiver.url))
            assert (await deliver(to, MESSAGE, courier=courier, now=NOW)).result is Result.DELIVERED
    assert "cookie" not in receiver.got[1].headers


async def test_nothing_of_the_answer_is_reported():
    async with sink(
        [b"HTTP/1.1 500 intranet-secret\r\nx-a: intranet-secret\r\ncontent-length: 15\r\n\r\nintranet-secret"]
    ) as receiver:
        delivery = await send(receiver.url)
    assert "intranet" not in repr(delivery)


async def test_nobody_listening_is_said_by_its_errno():
    async with sink() as receiver:
        url = receiver.url
    delivery = await send(url)
    assert (delivery.result, delivery.detail) == (Result.UNREACHABLE, "ECONNREFUSED")


async def test_the_certificate_is_verified():
    ca = trustme.CA()
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ca.issue_cert("127.0.0.1").configure_cert(server)
    trusting = ssl.create_default_context()
    ca.configure_trust(trusting)
    async with sink(context=server) as receiver:
        good = await send(receiver.url, context=trusting)
        bad = await send(receiver.url)
    assert good.result is Result.DELIVERED
    assert (bad.result, len(receiver.got)) == (Result.CERTIFICATE, 1)


async def test_a_proxy_in_the_environment_is_ignored(monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    async with sink() as receiver:
        assert (await send(receiver.url)).result is Result.DELIVERED


async def test_an_address_outside_the_allow_list_is_refused_before_a_byte_is_sent():
    async with sink() as receiver:
        refused = await send(receiver.url, allow="10.0.0.0/8")
        allowed = await send(receiver.url, allow=["10.0.0.0/8", "127.0.0.0/8"])
    assert (refused.result, allowed.result) == (Result.BLOCKED, Result.DELIVERED)
    assert len(receiver.got) == 1


PEERS = [
    # the host in the url     where it led          allow                 may it?
    ("noc.example", "203.0.113.7", [], True),
    ("noc.example", "10.1.2.3", [], True),
    ("noc.example", "127.0.0.1", [], False),
    ("noc.example", "::1", [], False),
    ("noc.example", "::ffff:127.0.0.1", [], False),
    ("noc.example", "0.0.0.0", [], False),
    ("noc.example", "169.254.169.254", [], False),
    ("noc.example", "fe80::1%eth0", [], False),
    ("127.0.0.1", "127.0.0.1", [], True),
    ("localhost", "::1", [], True),
    ("noc.example", "127.0.0.1", ["127.0.0.0/8"], True),
    ("noc.example", "::ffff:10.0.0.5", ["10.0.0.0/8"], True),
    ("noc.example", "64:ff9b::7f00:1", ["10.0.0.0/8"], False),
    ("noc.example", "2002:7f00::", ["10.0.0.0/8"], False),
    ("127.0.0.1", "127.0.0.1", ["10.0.0.0/8"], False),
]


@pytest.mark.parametrize(("host", "peer", "allow", "may"), PEERS)
def test_where_a_message_may_go(host, peer, allow, may):
    assert permitted(host, peer, [ipaddress.ip_network(text) for text in allow]) is may


WAITS = [
    ("seconds", "120", None, 120.0),
    ("nothing to wait for", "0", None, 0.0),
    ("at most an hour", "7200", None, 3600.0),
    ("a date", format_datetime(NOW + timedelta(seconds=90), usegmt=True), None, 90.0),
    (
        "a date by the receiver's own clock",
        format_datetime(NOW + timedelta(hours=1, seconds=30), usegmt=True),
        format_datetime(NOW + timedelta(hours=1), usegmt=True),
        30.0,
    ),
    ("a date that is over", format_datetime(NOW - timedelta(seconds=90), usegmt=True), None, None),
    ("negative", "-5", None, None),
    ("a thousand million", "1000000000", None, None),
    ("more digits than a number has", "9" * 400, None, None),
    ("garbage", "soon", None, None),
    ("digits of another script", "١٢٠", None, None),
    ("a fraction", "1.5", None, None),
    ("a year that does not exist", "Fri, 31 Dec 99999 23:59:59 GMT", None, None),
    ("none", None, None, None),
]


@pytest.mark.parametrize(("said", "date", "wait"), [case[1:] for case in WAITS], ids=[case[0] for case in WAITS])
def test_retry_after(said, date, wait):
    assert retry_after(said, date, NOW) == wait


@pytest.mark.parametrize("status", [429, 503])
async def test_retry_after_is_reported(status):
    async with sink([answer(status, "retry-after: 120")]) as receiver:
        assert (await send(receiver.url)).retry_after == 120.0


REFUSED = [
    ("no url", {}, "url"),
    ("another scheme", {"url": "ftp://x/"}, "not an http"),
    ("no host", {"url": "http:///x"}, "not an http"),
    ("a port that is none", {"url": "http://x:99999/"}, "not an http"),
    ("a blank in the url", {"url": "http://x/a b"}, "not an http"),
    ("a password written down", {"url": "https://a:matkhau@x/"}, "password"),
    ("an empty secret", {"url": "http://x/", "secret": Secret("")}, "empty"),
    (
        "a secret without its prefix",
        {"url": "http://x/", "secret": [SECRET, Secret("MfKQ9r8GKYqrTwjUPD8ILPZIo2")]},
        "whsec_",
    ),
    (
        "a secret written in the file",
        {"url": "http://x/", "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"},
        "secret",
    ),
    ("an unknown key", {"url": "http://x/", "sekret": SECRET}, "sekret"),
    ("a header of ours", {"url": "http://x/", "headers": {"Webhook-Id": "1"}}, "set by the delivery"),
    ("a header with a line break", {"url": "http://x/", "headers": {"x": "a\r\nb: c"}}, "line break"),
    ("no timeout at all", {"url": "http://x/", "timeout": "0s"}, "timeout"),
    ("a timeout without a unit", {"url": "http://x/", "timeout": 10}, "unit"),
    ("a network that is none", {"url": "http://x/", "allow": "10.0.0.0/99"}, "allow"),
    ("an unknown format", {"url": "http://x/", "format": "yaml"}, "format"),
]


@pytest.mark.parametrize(("keys", "why"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_a_bad_receiver_is_refused_when_it_is_loaded(keys, why):
    with pytest.raises(ValidationError, match=why) as refused:
        TypeAdapter(WebhookSpec).validate_python(keys)
    said = repr(refused.value.errors(include_input=False, include_url=False, include_context=False))
    assert "matkhau" not in said
    assert "MfKQ" not in said


def test_the_shape_for_alertmanagers_receivers_can_be_configured():
    spec = TypeAdapter(WebhookSpec).validate_python({"url": Secret("http://x/"), "format": "alertmanager"})
    assert spec.format == "alertmanager"


def test_the_keys_have_a_json_schema():
    schema = TypeAdapter(WebhookSpec).json_schema()
    assert set(schema["properties"]) == {"url", "secret", "format", "timeout", "headers", "allow"}
    assert schema["additionalProperties"] is False


async def test_an_unknown_kind_is_said_not_raised():
    async with Courier() as courier:
        delivery = await deliver(Receiver(name="x", kind="fax", spec=None), MESSAGE, courier=courier, now=NOW)
    assert delivery.result is Result.UNSUPPORTED
    assert "webhook" in KINDS
