"""Ports for servers of tests, which are started again on the same one."""

import os
import socket
from collections.abc import Iterator
from contextlib import suppress
from itertools import chain


def _numbers() -> Iterator[int]:
    """Outside the range that outgoing connections take theirs from (from 32768): none takes it while the server is away.

    Each process begins elsewhere and gives none twice before it has given all: what runs beside it asks for others.
    """
    first = 20_000 + os.getpid() * 61 % 12_000
    while True:
        yield from chain(range(first, 32_000), range(20_000, first))


_left = _numbers()


def free_port() -> int:
    """A port that nobody listens on now, over neither UDP nor TCP."""
    for port in _left:
        with socket.socket() as stream, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagram, suppress(OSError):
            stream.bind(("127.0.0.1", port))
            datagram.bind(("127.0.0.1", port))
            break
    return port
