"""A device that answers whatever a function makes of the question; counts what it was asked."""

import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

Answering = Callable[[bytes, int], Sequence[bytes]]
"""From a question and its number to the datagrams that are sent back."""


@contextmanager
def device(answering: Answering, host: str = "127.0.0.1") -> Iterator[tuple[int, list[bytes]]]:
    """The port, and the questions so far."""
    asked: list[bytes] = []
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as line:
        line.bind((host, 0))
        port: int = line.getsockname()[1]

        def serve() -> None:
            while True:
                data, where = line.recvfrom(65535)
                if data == b"end":
                    return
                asked.append(data)
                for answer in answering(data, len(asked)):
                    line.sendto(answer, where)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield port, asked
        finally:
            with socket.socket(family, socket.SOCK_DGRAM) as last:
                last.sendto(b"end", (host, port))
            thread.join(5)
