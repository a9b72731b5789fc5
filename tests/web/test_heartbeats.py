"""The door for jobs, over a real socket: every way of calling, and everything that may be thrown at it."""

import asyncio
import json
import os
import random
from collections.abc import AsyncIterator, Iterator

import pytest

from monitor.web import WebServer, create_app, heartbeats
from monitor.web.heartbeats import read
from probes.heartbeat_calls import Said
from tests.web.still import TOKEN, StillView

HERE = f"/api/v1/heartbeats/{TOKEN}"


@pytest.fixture
def view() -> StillView:
    return StillView()


@pytest.fixture
async def port(view: StillView) -> AsyncIterator[int]:
    server = WebServer(create_app(view), "127.0.0.1", 0)
    serving = asyncio.create_task(server.serve())
    yield server.port
    await server.stop()
    await serving


async def raw(port: int, data: bytes, *, wait: float = 8.0) -> bytes:
    """Everything that is answered to these bytes until the connection ends."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        async with asyncio.timeout(wait):
            try:
                writer.write(data)
                await writer.drain()
                return await reader.read()
            except ConnectionError:
                return b""
    finally:
        writer.close()


async def ask(
    port: int, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None
) -> tuple[int, str]:
    """Status and the head of the answer, in small letters."""
    lines = {
        "Host": "x",
        "Connection": "close",
        **({"Content-Length": str(len(body))} if body else {}),
        **(headers or {}),
    }
    head = f"{method} {path} HTTP/1.1\r\n" + "".join(f"{k}: {v}\r\n" for k, v in lines.items())
    answer = await raw(port, head.encode("latin-1") + b"\r\n" + body)
    if not answer:
        return 0, ""
    return int(answer.split()[1]), answer.decode("latin-1").lower()


JSON = {"Content-Type": "application/json"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}

DONE, FAILED, STARTED = Said.DONE, Said.FAILED, Said.STARTED
AGE = {number: {"queue_age": float(number)} for number in (1, 1.5, 3, 12)}
NONE_OF_THEM = b'{"a": NaN, "b": Infinity, "c": true, "d": null, "e": [], "f": 1e999}'

WAYS = [
    # the sentence, method, what stands behind the token, body, headers, status, what is said, numbers
    ("a plain GET", "GET", "", b"", {}, 204, DONE, {}),
    ("with a slash behind it", "GET", "/", b"", {}, 204, DONE, {}),
    ("a look", "HEAD", "", b"", {}, 204, DONE, {}),
    ("a POST of nothing", "POST", "", b"", {}, 204, DONE, {}),
    ("it failed", "GET", "/fail", b"", {}, 204, FAILED, {}),
    ("it failed, in the query", "GET", "?status=fail", b"", {}, 204, FAILED, {}),
    ("it failed, in a form", "POST", "", b"status=down&queue_age=3", FORM, 204, FAILED, AGE[3]),
    ("an exit status of 0", "GET", "?status=0", b"", {}, 204, DONE, {}),
    ("an exit status of 3", "POST", "/3", b"", {}, 204, FAILED, {}),
    ("it begins", "GET", "/start", b"", {}, 204, STARTED, {}),
    ("numbers in the query", "GET", "?queue_age=1.5", b"", {}, 204, DONE, AGE[1.5]),
    ("numbers in JSON", "POST", "", b'{"queue_age": 12}', JSON, 204, DONE, AGE[12]),
    ("numbers in JSON that calls itself a form", "POST", "", b' {"queue_age": 12}', FORM, 204, DONE, AGE[12]),
    ("a status that is none", "GET", "?status=maybe", b"", {}, 422, None, {}),
    ("a word that is none", "GET", "/maybe", b"", {}, 422, None, {}),
    ("an exit status that is no number", "GET", "/nan", b"", {}, 422, None, {}),
    ("JSON of a list", "POST", "", b"[1, 2]", JSON, 204, DONE, {}),
    ("JSON cut short", "POST", "", b'{"queue_age": ', JSON, 204, DONE, {}),
    ("JSON as deep as it fits", "POST", "", b"[" * 4000, JSON, 204, DONE, {}),
    ("not a number, endless, a truth", "POST", "", NONE_OF_THEM, JSON, 204, DONE, {}),
    ("an integer of a thousand digits", "POST", "", b'{"queue_age": %s}' % (b"9" * 1000), JSON, 204, DONE, {}),
    ("bytes that are no text", "POST", "", b"\xff\xfe\x00queue_age=1", FORM, 204, DONE, {}),
    ("a query that is no text", "GET", "?queue_age=%ff%fe&%ff=1", b"", {}, 204, DONE, {"\ufffd": 1.0}),
    ("a thousand names", "POST", "", b"&".join(b"a%d=1" % n for n in range(600)), FORM, 204, DONE, {}),
    ("exactly 4 KiB", "POST", "", b"queue_age=1&x=" + b"y" * 4082, FORM, 204, DONE, AGE[1]),
    ("one byte more", "POST", "", b"queue_age=1&x=" + b"y" * 4083, FORM, 413, None, {}),
    ("a length that is none", "POST", "", b"", {"Content-Length": "99999999999"}, 413, None, {}),
    ("a query of 5 KiB", "GET", "?" + "x" * 5000, b"", {}, 413, None, {}),
    ("another method", "PUT", "", b"", {}, 405, None, {}),
    ("a method nobody knows", "PROPFIND", "", b"", {}, 405, None, {}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("sentence", "method", "path", "body", "headers", "status", "said", "numbers"), WAYS, ids=[case[0] for case in WAYS]
)
async def test_a_call(view, port, sentence, method, path, body, headers, status, said, numbers):
    got, head = await ask(port, method, HERE + path, body, headers)
    assert got == status
    assert [(call.said, dict(call.numbers)) for call in view.door.calls] == ([] if said is None else [(said, numbers)])
    assert TOKEN not in head
    assert "x-content-type-options: nosniff" in head


async def test_what_nobody_asked_for_is_counted_in_the_answer(view, port):
    _, head = await ask(port, "POST", HERE, b'{"queue_age": 1, "other": 2, "text": "x"}', JSON)
    assert "heartbeat-ignored: 2" in head
    _, head = await ask(port, "POST", HERE, b'{"queue_age": 1}', JSON)
    assert "heartbeat-ignored" not in head


async def test_an_exit_status_is_a_number_of_its_own(view, port):
    await ask(port, "GET", f"{HERE}?status=23")
    await ask(port, "GET", f"{HERE}/0")
    await ask(port, "GET", HERE)
    assert [call.exit_status for call in view.door.calls] == [23.0, 0.0, None]


STRANGERS = [
    ("wrong-token-of-nobody", 404),
    (TOKEN[:-1], 404),
    (TOKEN + "x", 404),
    (TOKEN.upper(), 404),
    ("..%2f..%2fetc%2fpasswd", 404),
    ("%2e%2e", 404),
    ("nh%E1%BB%8Bp-tim-c%E1%BB%A7a-t%C3%A1c-v%E1%BB%A5", 404),
    ("%ED%A0%80%F0%9F%92%93", 404),
    ("%00", 404),
    ("x" * 8000, 404),
    ("' OR 1=1 --".replace(" ", "%20"), 404),
]


@pytest.mark.parametrize(("token", "status"), STRANGERS, ids=[token[:24] for token, _ in STRANGERS])
async def test_a_stranger_learns_nothing(view, port, token, status):
    answers = [await ask(port, method, f"/api/v1/heartbeats/{token}") for method in ("GET", "POST")]
    assert [got for got, _ in answers] == [status, status]
    assert not view.door.calls
    for _, head in answers:
        assert token.lower() not in head


async def test_every_stranger_gets_the_same_answer(port):
    first = await raw(
        port, b"GET /api/v1/heartbeats/wrong-token-of-nobody HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    )
    second = await raw(
        port, b"GET /api/v1/heartbeats/still-token-of-a-joc HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    )
    assert first == second


async def test_a_strangers_body_is_not_waited_for(port):
    """The head alone is enough to be turned away, whatever was announced."""
    head = b"POST /api/v1/heartbeats/wrong-token-of-nobody HTTP/1.1\r\nHost: x\r\nContent-Length: 1048576\r\nConnection: close\r\n\r\n"
    answer = await raw(port, head, wait=4.0)
    assert answer.startswith(b"HTTP/1.1 404")


async def test_a_megabyte_is_turned_away_however_it_is_sent(view, port):
    length = b"POST %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 1048576\r\n\r\n" % HERE.encode()
    assert (await raw(port, length + b"x" * 1048576)).startswith((b"HTTP/1.1 413", b""))
    chunked = b"POST %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n" % HERE.encode()
    answer = await raw(port, chunked + b"1000\r\n" + b"x" * 4096 + b"\r\n1\r\nx\r\n0\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 413")
    assert not view.door.calls


async def test_who_drips_or_hangs_up_counts_for_nothing(view, port, monkeypatch):
    monkeypatch.setattr(heartbeats, "PATIENCE", 0.3)
    head = b"POST %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 20\r\n\r\nqueue" % HERE.encode()
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(head)
    await writer.drain()
    writer.close()
    dripped = await raw(port, head)
    assert dripped.startswith(b"HTTP/1.1 408")
    assert not view.door.calls
    assert (await ask(port, "GET", HERE))[0] == 204


async def test_too_often_is_told_when_to_come_back(view, port):
    view.door.wait = 0.25
    status, head = await ask(port, "POST", HERE)
    assert (status, "retry-after: 1" in head) == (429, True)


async def test_what_could_not_be_stored_is_not_thanked_for(view, port):
    view.door.stores = False
    status, head = await ask(port, "POST", HERE)
    assert (status, "retry-after: 5" in head) == (503, True)


async def test_the_description_has_no_token_and_no_way_past_it(view, port):
    body = (await raw(port, b"GET /api/openapi.json HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")).decode()
    assert "/api/v1/heartbeats/{token}" in body
    assert TOKEN not in body
    status, head = await ask(port, "GET", "/api/v1/heartbeats")
    assert (status, "token" in head) == (404, False)


def noise(seed: int) -> Iterator[tuple[str, str, bytes]]:
    """Query, content type and body of calls that nobody in their right mind would send."""
    chance = random.Random(seed)
    words = [
        "status",
        "queue_age",
        "=",
        "&",
        "%",
        "%ff",
        "ok",
        "fail",
        "1e5",
        "-1",
        "NaN",
        "[]",
        "{",
        "}",
        '"',
        "\\u0000",
        ":",
        ",",
        "Ệ",
        "0",
    ]
    for _ in range(1000):
        text = "".join(chance.choices(words, k=chance.randrange(0, 30)))
        body = text.encode() if chance.random() < 0.7 else os.urandom(chance.randrange(0, 200))
        if chance.random() < 0.2:
            body = json.dumps(
                {word: chance.choice([1, 2.5, "3", None, [], {}, True, 10**400]) for word in words}
            ).encode()
        yield "".join(chance.choices(words, k=5)), chance.choice(["", "application/json", "text/plain", "\x00"]), body


@pytest.mark.parametrize("seed", range(10))
def test_whatever_is_sent_is_read_to_a_call_or_to_none(seed):
    for query, kind, body in noise(seed):
        call, unread = read(query, kind, body, "")
        assert unread >= 0
        if call is not None:
            assert all(abs(number) < float("inf") for number in call.numbers.values())
            assert len(call.numbers) <= 128
