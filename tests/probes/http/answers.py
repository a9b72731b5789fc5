"""Answers of sound HTTP servers, to be mutated; `{port}` stands for the server's own port."""

import gzip

import hpack

from tests.probes.http.box import answer

ANSWERS: tuple[bytes, ...] = (
    answer(b"<html>Hello</html>", headers={"Content-Type": "text/html; charset=utf-8", "Server": "nginx"}),
    answer(gzip.compress(b"hello " * 200, mtime=0), headers={"Content-Encoding": "gzip"}),
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;a=b\r\n world\r\n0\r\nX-T: 1\r\n\r\n",
    answer(b"", 302, {"Location": "/b?c=1", "Set-Cookie": "a=b; Path=/; Domain=127.0.0.1; Max-Age=9"}),
    answer(b"", 301, {"Location": "http://a.vn:{port}/x"}),
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.0 200 OK\r\nConnection: close\r\n\r\nuntil the end",
    answer(b'{"status": "UP", "items": [1, 2, 3], "n": null}', headers={"Content-Type": "application/json"}),
    answer(b"", 401, {"WWW-Authenticate": 'Basic realm="x"'}),
    answer("Cổng một cửa".encode("utf-16"), headers={"Content-Type": "text/html; charset=utf-16"}),
)

WORDS: tuple[bytes, ...] = (
    b"\r\n", b"\n", b"\r", b": ", b"HTTP/1.1 ", b"HTTP/9.9 ", b" 99999 ", b"Content-Length: -1\r\n", b"Content-Length: 99999999999999999999\r\n",
    b"Transfer-Encoding: chunked\r\n", b"Content-Encoding: gzip\r\n", b"Location: javascript:alert(1)\r\n", b"Location: http://[::1\r\n",
    b"Location: //\r\n", b"Set-Cookie: k=\xc3\xa9; Domain=.0.0.1\r\n", b"Upgrade: h2c\r\nConnection: Upgrade\r\n", b"ffffffffffffffff\r\n",
    b"Content-Type: text/x; charset=zip\r\n", b"101", b"204", b"304", b"000", b"1e5", b"A: b\r\n" * 300,
)  # fmt: skip


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """RFC 9113 §4.1."""
    return len(payload).to_bytes(3) + bytes([kind, flags]) + stream.to_bytes(4) + payload


def _two(status: str, *headers: tuple[str, str], body: bytes = b"") -> bytes:
    block = hpack.Encoder().encode([(":status", status), *headers])
    hello = frame(4, 0, 0) + frame(4, 1, 0)  # SETTINGS, and the other side's taken.
    return hello + frame(1, 4, 1, block) + frame(0, 1, 1, body)


ANSWERS_2: tuple[bytes, ...] = (
    _two("200", ("content-type", "text/html"), ("server", "nginx"), body=b"<html>Hello</html>"),
    _two("200", ("content-encoding", "gzip"), body=gzip.compress(b"hello " * 200, mtime=0)),
    _two("302", ("location", "/b?c=1"), ("set-cookie", "a=b; Path=/")),
    _two("401", ("www-authenticate", 'Basic realm="x"')),
    _two("200", body=b'{"status": "UP", "items": [1, 2, 3], "n": null}') + frame(7, 0, 0, bytes(8)),  # GOAWAY
    frame(4, 0, 0) + frame(3, 0, 1, (7).to_bytes(4)),  # RST_STREAM: refused.
)
"""The same over HTTP/2: what a server sends for the first request of a connection."""
