"""A little blocking UDP server in a thread, outside of the loop under test: says what it is told to, from where it is told to."""

import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

Respond = Callable[[bytes, tuple[str, int]], Iterable[bytes]]


@contextmanager
def talking(respond: Respond, *, host: str = "127.0.0.1") -> Iterator[int]:
    """Answer every datagram with those that `respond` gives for it and its sender; gives the port."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.bind((host, 0))
        sock.settimeout(0.1)
        over = threading.Event()

        def serve() -> None:
            while not over.is_set():
                with suppress(OSError):
                    data, where = sock.recvfrom(65535)
                    for one in respond(data, where[:2]):
                        sock.sendto(one, where)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield sock.getsockname()[1]
        finally:
            over.set()
            thread.join(5)


def wait_until_bound(port: int, *, seconds: float = 10.0, tables: tuple[str, ...] = ("udp", "tcp")) -> None:
    """Until this machine's tables show a socket at the port."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        for table in tables:
            lines = Path(f"/proc/net/{table}").read_text().splitlines()[1:]
            if any(line.split()[1].endswith(f":{port:04X}") for line in lines):
                return
        time.sleep(0.02)
    raise TimeoutError(f"nobody listens on {port}")
