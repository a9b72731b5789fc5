"""A name server for the benchmark: `python -m tests.bench.names PORT` answers `c<number>.…` with the number's address, other types with nothing.

Lean: it answers by cutting bytes, for it shares a core with the other servers.
"""

import asyncio
import socket
import sys
from typing import Final

import uvloop

from tests.bench.ground import place

A: Final = b"\0\1\0\1"
TTL: Final = (60, 300)
"""Seconds, the least and the most: a name has its own between them, as the portals of a country have."""


def answer(query: bytes) -> bytes | None:
    """The answer to a query with one question; None to what is none."""
    if len(query) < 18 or query[2] & 0x80:
        return None
    end = query.find(b"\0", 12) + 5
    question = query[12:end]
    label = question[1 : 1 + question[0]]
    known = question[-4:] == A and label[:1].lower() == b"c" and label[1:].isdigit()
    head = query[:2] + b"\x85\x00\0\1" + (b"\0\1" if known else b"\0\0") + b"\0\0\0\0"
    if not known:
        return head + question
    number = int(label[1:])
    ttl = TTL[0] + number * 7919 % (TTL[1] - TTL[0])
    return head + question + b"\xc0\x0c" + A + ttl.to_bytes(4) + b"\0\4" + socket.inet_aton(place(number))


class Answering(asyncio.DatagramProtocol):
    """One socket."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        said = answer(data)
        if said is not None:
            self._transport.sendto(said, addr)  # type: ignore[attr-defined]


async def main() -> None:
    await asyncio.get_running_loop().create_datagram_endpoint(Answering, ("127.0.0.1", int(sys.argv[1])))
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main())
