"""Heartbeats read nothing from a target: a job calls us. Its calls are mutated instead, 10,000 of them read, some hundreds over the real door."""

import asyncio
import math
import random
import time
from collections import Counter

import pytest

from monitor.web import WebServer, create_app, heartbeats
from monitor.web.heartbeats import LARGEST, MOST, read
from tests.probes.fuzz.mutate import mutate
from tests.web.still import TOKEN, StillView

BODIES = (
    b'{"status": "ok", "documents": 12, "queue_age": 3.5e2}', b'{"status": 3}', b'{"a": null, "b": true, "c": "7"}', b"documents=12&queue_age=350",
    b"status=fail&reason=disk", b"", b'[{"status": "ok"}]', "{\"tên\": 1}".encode(), b'{"a": NaN, "b": Infinity, "c": -0.0, "d": 1e400}',
)  # fmt: skip

WORDS = (
    b'"status":',
    b"status=",
    b"&",
    b"=",
    b"%00",
    b"%FF",
    b'{"a":' * 200,
    b"[" * 900,
    b"1" * 500,
    b"1e308",
    b"-1",
    b"0x10",
    b"\xef\xbb\xbf",
    b"1_0",
)

QUERIES = (b"", b"status=ok", b"status=0&a=1", b"a=1&a=2&a=3", b"a[]=1;b=2")

KINDS = ("application/json", "application/x-www-form-urlencoded", "text/plain", "", "\xff; charset=json")


@pytest.mark.parametrize("seed", [37, *(pytest.param(1000 + n, marks=pytest.mark.soak) for n in range(100))])
def test_ten_thousand_mutated_calls_are_read(seed: int) -> None:
    chance = random.Random(seed)
    found: Counter[str] = Counter()
    slowest = 0.0
    for _ in range(10_000):
        body = mutate(chance, BODIES, WORDS)[:LARGEST]
        query = mutate(chance, QUERIES, WORDS)[:LARGEST].decode("latin-1")
        started = time.thread_time()  # Work, not what else the machine does meanwhile.
        call, unread = read(query, chance.choice(KINDS), body, chance.choice(("", "", "fail", "start", "7", "potato")))
        slowest = max(slowest, time.thread_time() - started)
        assert unread >= 0
        found["refused" if call is None else call.said.value] += 1
        if call is not None:
            assert len(call.numbers) <= 2 * MOST
            assert all(math.isfinite(number) for number in call.numbers.values())
            assert call.exit_status is None or math.isfinite(call.exit_status)
    assert len(found) == 4, found
    assert slowest < 0.25


@pytest.fixture
def view() -> StillView:
    return StillView()


async def test_hundreds_of_mutated_calls_at_the_door(view: StillView, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whole requests, head and body: an answer of the closed list, or the end; and behind them a sound call is taken."""
    monkeypatch.setattr(heartbeats, "PATIENCE", 0.2)
    path = f"/api/v1/heartbeats/{TOKEN}".encode()
    sound = (
        b"POST "
        + path
        + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: 15\r\n\r\n"
    )
    sound += b'{"documents":1}'
    chance = random.Random(37)
    server = WebServer(create_app(view), "127.0.0.1", 0)
    serving = asyncio.create_task(server.serve())
    await asyncio.sleep(0.1)
    seen: Counter[bytes] = Counter()

    async def call(data: bytes) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        try:
            async with asyncio.timeout(10):
                writer.write(data)
                writer.write_eof()
                return await reader.read()
        except ConnectionError:
            return b""
        finally:
            writer.close()

    try:
        for _ in range(400):
            said = await call(
                mutate(
                    chance, (sound,), (*WORDS, b"\r\n", b"Content-Length: 9\r\n", b"Transfer-Encoding: chunked\r\n")
                )[:60_000]
            )
            seen[said[9:12]] += 1
            assert b"Traceback" not in said
        assert not {code for code in seen if code.startswith(b"5") and code != b"503"}, seen
        assert (await call(sound))[9:12] in (b"204", b"429")
    finally:
        await server.stop()
        await serving
