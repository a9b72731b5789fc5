"""A little web server in a thread that answers each request with what a function makes of it, outside of the loop under test."""

import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.probes.little import serving, tls


@dataclass(frozen=True)
class Asked:
    """One request, taken apart."""

    method: str
    target: str
    head: str
    body: bytes


def said(body: bytes, kind: str = "", *, status: str = "200 OK", length: int | None = None) -> bytes:
    """One answer; `length` as declared, when it is not the body's."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body) if length is None else length}", "Connection: close"]
    lines += [f"Content-Type: {kind}"] if kind else []
    return "\r\n".join([*lines, "", ""]).encode() + body


@contextmanager
def answering(respond: Callable[[Asked], bytes], context: ssl.SSLContext | None = None) -> Iterator[int]:
    """Serve; gives the port."""

    def handler(connection: socket.socket) -> None:
        data = b""
        while b"\r\n\r\n" not in data:
            piece = connection.recv(65536)
            if not piece:
                return
            data += piece
        head, _, body = data.partition(b"\r\n\r\n")
        length = next((int(line[15:]) for line in head.split(b"\r\n") if line[:15].lower() == b"content-length:"), 0)
        while len(body) < length:
            body += connection.recv(65536)
        method, target, _ = head.decode("latin-1").split(" ", 2)
        connection.sendall(respond(Asked(method, target, head.decode("latin-1"), body)))
        if not isinstance(connection, ssl.SSLSocket):
            connection.shutdown(socket.SHUT_WR)
        connection.recv(1)

    with serving(tls(context, handler) if context is not None else handler) as port:
        yield port
