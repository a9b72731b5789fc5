"""Broken and hostile servers: every run ends by its deadline and a quarter of a second, with a reason of the closed list. X: the conformance list."""

import asyncio
import gc
import gzip
import resource
import socket
import struct
import time
import zlib

import pytest

from tests.probes.http.box import answer, box, look, raw

OK = b"HTTP/1.1 200 OK\r\n"
TIMEOUT = 0.6
GRACE = 0.25


def drip(first, piece, pause=0.02):
    async def talk(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(first)
        while True:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(pause)

    return talk


def say(data, *, then="fin", listen=True):
    """Say some bytes, then end the connection properly (fin), break it (rst) or keep it open (hold)."""

    async def talk(reader, writer):
        if listen:
            await reader.readuntil(b"\r\n\r\n")
        if data:
            writer.write(data)
            await writer.drain()
            await asyncio.sleep(0.02)
        if then == "hold":
            await asyncio.sleep(30)
        if then == "rst":
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()

    return talk


def chunked(body):
    return OK + b"Transfer-Encoding: chunked\r\n\r\n" + body


CASES = [
    # what the server does, how, the reason, words that the detail must have
    ("X1 drips a body", drip(OK + b"Content-Length: 100000\r\n\r\n", b"x"), "timeout", "body"),
    ("X2 drips headers", drip(OK, b"X-A: b\r\n"), "timeout", "headers"),
    ("X3 goes on and on with 100 Continue", drip(b"", b"HTTP/1.1 100 Continue\r\n\r\n", 0.001), "timeout", "headers"),
    ("X3 floods with 100 Continue", drip(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 1000, 0), "timeout", "headers"),
    ("X4 sends a body without end", drip(OK + b"\r\n", b"x" * 65536, 0), "body_too_large", ""),
    ("X4 sends a chunked body without end", drip(chunked(b""), b"1000\r\n" + b"x" * 4096 + b"\r\n", 0), "body_too_large", ""),
    ("X7 sends 2,000 headers", say(OK + b"".join(b"X-%d: %s\r\n" % (i, b"y" * 90) for i in range(2000)) + b"\r\n"), "headers_too_large", ""),
    ("X8 sends one header of 70 KB", say(OK + b"X-A: " + b"y" * 70_000 + b"\r\n\r\n"), "headers_too_large", ""),
    ("X8 sends a header without end", drip(OK + b"X-A: ", b"y" * 4096, 0), "headers_too_large", ""),
    ("X10 answers in HTTP/0.9", say(b"<html>hello</html>"), "protocol", "not HTTP"),
    ("X11 says nothing and closes", say(b""), "empty_reply", ""),
    ("X12 resets at once", say(b"", then="rst", listen=False), "reset", ""),
    ("X12 resets when asked", say(b"", then="rst"), "reset", "request"),
    ("X13 resets after the status line", say(OK, then="rst"), "reset", "headers"),
    ("X14 resets in the middle of the body", say(OK + b"Content-Length: 9\r\n\r\nhi", then="rst"), "reset", "body"),
    ("X15 closes in the middle of the body", say(OK + b"Content-Length: 9\r\n\r\nhi"), "truncated", "2 of 9"),
    ("closes in the middle of the headers", say(OK + b"X-A"), "truncated", "headers"),
    ("X16 a chunk size that is no number", say(chunked(b"zz\r\nhi\r\n0\r\n\r\n")), "protocol", ""),
    ("X16 a chunk without its end", say(chunked(b"2\r\nhi0\r\n\r\n")), "protocol", ""),
    ("X16 a chunk of 2^64 bytes", say(chunked(b"10000000000000000\r\nhi")), "protocol", ""),
    ("X16 the last chunk is missing", say(chunked(b"2\r\nhi\r\n")), "truncated", ""),
    ("X17 a length of -1", say(OK + b"Content-Length: -1\r\n\r\n"), "protocol", ""),
    ("X17 two lengths in one header", say(OK + b"Content-Length: 5, 6\r\n\r\nhello"), "protocol", ""),
    ("X17 two different lengths", say(OK + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello"), "protocol", ""),
    ("X18 a length and chunks", say(chunked(b"2\r\nhi\r\n0\r\n\r\n").replace(b"\r\n\r\n", b"\r\nContent-Length: 2\r\n\r\n", 1)), "protocol", ""),
    ("X21 speaks SSH", say(b"SSH-2.0-OpenSSH_9.2\r\n", listen=False), "protocol", "SSH-2.0"),
    ("X22 speaks TLS", say(b"\x15\x03\x01\x00\x02\x02\x28", then="hold"), "protocol", "TLS"),
    ("another protocol with HTTP's grammar", say(b"RTSP/1.0 200 OK\r\n\r\n"), "protocol", ""),
    ("a status of 99", say(b"HTTP/1.1 099 No\r\n\r\n"), "protocol", ""),
    ("X35 hears nothing and says nothing", say(b"", then="hold"), "timeout", "processing"),
    ("X42 says something unspeakable", say(b"\x1b[31mred\r\n<script>=cmd()" + b"a" * 1_000_000), "protocol", "red"),
    ("X26 leads to a script", say(answer(status=302, headers={"Location": "javascript:alert(1)"})), "bad_redirect", "javascript"),
    ("X27 leads to a port that is none", say(answer(status=302, headers={"Location": "http://a:99999/"})), "bad_redirect", ""),
    ("X27 leads to half an address", say(answer(status=302, headers={"Location": "http://[::1"})), "bad_redirect", ""),
    ("X27 leads to bytes that are no text", say(OK.replace(b"200", b"302") + b"Location: http://\xff\xfe/\r\n\r\n"), "bad_redirect", ""),
    ("X27 leads to a label of 300 letters", say(answer(status=302, headers={"Location": f"http://{'a' * 300}.vn/"})), "bad_redirect", ""),
    ("leads to a file", say(answer(status=302, headers={"Location": "file:///etc/passwd"})), "bad_redirect", ""),
    ("leads nowhere", say(answer(status=302, headers={"Location": "http:///"})), "bad_redirect", ""),
    ("X32 leads to the cloud's metadata", say(answer(status=302, headers={"Location": "http://169.254.169.254/"})), "redirect_blocked", "169"),
]  # fmt: skip


@pytest.mark.parametrize(("sentence", "talk", "reason", "words"), CASES, ids=[case[0] for case in CASES])
async def test_hostile_server(sentence, talk, reason, words, workbench):
    async with raw(talk) as server:
        outcome = await look(workbench, {"url": server.url()}, timeout=TIMEOUT)
    assert (outcome.reason, outcome.seen) == (reason, "failed"), outcome
    assert words in outcome.detail
    assert outcome.seconds <= TIMEOUT + GRACE
    assert len(outcome.detail) <= 200
    assert outcome.detail.isprintable()
    assert sum(outcome.phases.values()) <= outcome.seconds


async def test_a_silent_server_is_a_timeout_at_the_deadline(workbench):
    """H93: the whole run has one deadline, and it is kept."""
    async with raw(say(b"", then="hold")) as server:
        outcome = await look(workbench, {"url": server.url()}, timeout=0.5)
    assert (outcome.reason, outcome.detail) == ("timeout", "no answer within 0.5 s in processing")
    assert 0.49 <= outcome.seconds <= 0.75
    assert 0.45 <= outcome.phases["processing"] <= outcome.seconds


def bomb():
    squeeze = zlib.compressobj(9, zlib.DEFLATED, 31)
    return b"".join(squeeze.compress(bytes(1 << 20)) for _ in range(300)) + squeeze.flush()


async def test_x5_a_gzip_bomb_costs_no_more_than_its_cap(workbench):
    data = bomb()
    assert len(data) < 320 * 1024
    gaps = []

    async def watch():
        last = time.perf_counter()
        while True:
            await asyncio.sleep(0.001)
            gaps.append(time.perf_counter() - last)
            last = time.perf_counter()

    async with box(answer(data, headers={"Content-Encoding": "gzip"})) as server:
        keys = {"url": server.url(), "compression": "gzip"}
        for _ in range(5):  # The little server's own buffers are in this process too: let them grow first.
            await look(workbench, keys)
        gc.collect()
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        watcher = asyncio.create_task(watch())
        for _ in range(5):
            outcome = await look(workbench, keys)
            assert outcome.reason == "body_too_large"
            assert outcome.facts["body_bytes"] == 256 * 1024
        watcher.cancel()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2 * 1024, "KiB"
    assert max(gaps) < 0.05


async def test_a_stream_of_empty_gzip_members_ends(workbench):
    async with box(answer(gzip.compress(b"") * 3000, headers={"Content-Encoding": "gzip"})) as server:
        outcome = await look(workbench, {"url": server.url(), "compression": "gzip"})
    assert outcome.reason == "bad_encoding"


async def test_x34_an_answer_before_the_request_is_sent_counts(workbench):
    async def talk(reader, writer):
        writer.write(answer(b"too much", 413))
        await writer.drain()
        await asyncio.sleep(0.1)

    async with raw(talk) as server:
        outcome = await look(workbench, {"url": server.url(), "method": "POST", "body": "x" * 1_000_000})
    assert outcome.facts["status"] == 413
    assert outcome.reason == "status"


async def test_x36_every_run_has_a_connection_of_its_own(workbench):
    async with box(answer(b"hi", headers={"Connection": "keep-alive"})) as server:
        for _ in range(3):
            assert (await look(workbench, {"url": server.url()})).seen == "ok"
        assert server.connections == 3


async def test_x25_the_cookie_of_one_system_reaches_no_other(workbench):
    async with box(answer(headers=[("Set-Cookie", "k=é; Domain=.0.0.1")])) as first, box(answer()) as second:
        assert (await look(workbench, {"url": first.url()})).seen == "ok"
        assert (await look(workbench, {"url": second.url()})).seen == "ok"
        assert second.asked[0].value("Cookie") is None


async def test_x41_no_expression_can_hold_the_loop(workbench):
    async with box(answer(b"a" * 200_000 + b"!")) as server:
        started = time.process_time()
        outcome = await look(workbench, {"url": server.url(), "expect": {"body": "^(a+)+$"}})
        assert outcome.reason == "body_regex"
        assert time.process_time() - started < 0.5
        begun = time.thread_time()
        from probes.patterns import compiled

        compiled("^(a+)+$").search(b"a" * 256 * 1024 + b"!")
        assert time.thread_time() - begun < 0.05
