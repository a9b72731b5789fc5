"""One line of datagrams: what is heard, what is an error of the way and whose, and when it is said again."""

import asyncio
import errno
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import pairwise
from math import inf
from pathlib import Path

import pytest

from probes.contract import Address, Family, ProbeError, Reason
from probes.datagram import MOST_IGNORED, Mark, Tally, open_datagram
from probes.tools import Tools, Workbench
from tests.probes.look import Names, now

Respond = Callable[[bytes], list[bytes]]
V4 = "127.0.0.1"


@contextmanager
def port_of(host: str = V4) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.bind((host, 0))
        sock.setblocking(False)
        yield sock


async def answer(sock: socket.socket, respond: Respond) -> None:
    loop = asyncio.get_running_loop()
    while True:
        data, where = await loop.sock_recvfrom(sock, 4096)
        for one in respond(data):
            await loop.sock_sendto(sock, one, where)


async def ask(
    host: str,
    port: int,
    *,
    names: Mapping[str, tuple[str, ...]] | None = None,
    timeout: float = 3.0,
    first: float = 0.05,
    longest: float = inf,
) -> tuple[bytes, Tally, Address]:
    tally = Tally()
    async with Workbench(now, resolver=Names(names or {})) as workbench, asyncio.timeout(timeout):
        tools = Tools(workbench, asyncio.get_running_loop().time() + timeout)
        async with open_datagram(tools, host, port, Family.ANY) as line:
            found = await line.ask(lambda _host, _port: b"who", read, tally, first=first, longest=longest)
            return found, tally, line.address


def read(data: bytes) -> bytes | Mark:
    return {b"no": Mark.FOREIGN, b"soon": Mark.PROVISIONAL}.get(data, data)


@contextmanager
def answering(sock: socket.socket, respond: Respond) -> Iterator[None]:
    task = asyncio.get_running_loop().create_task(answer(sock, respond))
    try:
        yield
    finally:
        task.cancel()


async def test_an_answer_is_heard_over_both_families() -> None:
    for host in (V4, "::1"):
        with port_of(host) as sock, answering(sock, lambda _: [b"me"]):
            found, tally, address = await ask(host, sock.getsockname()[1])
        assert (found, tally.retransmissions, address.ip) == (b"me", 0, host)
        assert tally.rtt is not None
        assert 0 < tally.rtt < 1


async def test_a_closed_port_is_refused_at_once_not_silent() -> None:
    with port_of() as sock:
        port = sock.getsockname()[1]
    with pytest.raises(ConnectionRefusedError) as caught:
        await ask(V4, port)
    assert caught.value.errno == errno.ECONNREFUSED


async def test_silence_is_asked_again_and_the_round_trip_is_then_unknown() -> None:
    heard: list[float] = []

    def third(_data: bytes) -> list[bytes]:
        heard.append(asyncio.get_running_loop().time())
        return [b"me"] if len(heard) == 3 else []

    with port_of() as sock, answering(sock, third):
        _, tally, _ = await ask(V4, sock.getsockname()[1])
    assert tally.retransmissions == 2
    assert tally.rtt is None
    assert heard[1] - heard[0] == pytest.approx(0.05, abs=0.03)
    assert heard[2] - heard[1] == pytest.approx(0.10, abs=0.03)


async def test_pauses_grow_to_the_longest_and_a_provisional_word_makes_them_long_at_once() -> None:
    heard: list[float] = []

    def listen(_data: bytes) -> list[bytes]:
        heard.append(asyncio.get_running_loop().time())
        return [b"me"] if len(heard) == 4 else []

    with port_of() as sock, answering(sock, listen):
        await ask(V4, sock.getsockname()[1], first=0.05, longest=0.1)
    assert [two - one for one, two in pairwise(heard)] == pytest.approx([0.05, 0.1, 0.1], abs=0.04)
    heard.clear()

    def at_it(_data: bytes) -> list[bytes]:
        heard.append(asyncio.get_running_loop().time())
        return [b"soon"] if len(heard) == 1 else [b"me"]

    with port_of() as sock, answering(sock, at_it):
        await ask(V4, sock.getsockname()[1], first=0.02, longest=0.3)
    assert heard[1] - heard[0] == pytest.approx(0.3, abs=0.05)


async def test_foreign_and_provisional_words_are_waited_past() -> None:
    with port_of() as sock, answering(sock, lambda _: [b"no", b"soon", b"no", b"me"]):
        found, tally, _ = await ask(V4, sock.getsockname()[1])
    assert (found, tally.ignored, tally.provisional) == (b"me", 2, 1)


async def test_a_flood_that_never_answers_ends_and_lets_others_run() -> None:
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    with port_of() as sock, answering(sock, lambda _: [b"no"] * 400):
        task = asyncio.get_running_loop().create_task(others())
        with pytest.raises(ProbeError) as caught:
            await ask(V4, sock.getsockname()[1], first=0.01)
        task.cancel()
    assert caught.value.reason is Reason.PROTOCOL
    assert str(MOST_IGNORED) in caught.value.detail
    assert turns > MOST_IGNORED // 32


async def test_a_refused_or_silent_address_does_not_hide_a_living_one() -> None:
    """The first refuses: the next is asked at once. The first is silent: the next is asked beside it at the first repetition."""
    names = {"two.example": ("::1", V4)}
    with port_of() as sock, answering(sock, lambda _: [b"me"]):
        port = sock.getsockname()[1]
        found, tally, address = await ask("two.example", port, names=names)
        assert (found, tally.retransmissions, address.ip) == (b"me", 0, V4)
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as silent:
            silent.bind(("::1", port))
            found, tally, address = await ask("two.example", port, names=names)
        assert (found, tally.retransmissions, address.ip) == (b"me", 1, V4)


async def test_an_answer_from_another_port_is_not_heard() -> None:
    with port_of() as sock, port_of() as stranger:

        async def forge() -> None:
            loop = asyncio.get_running_loop()
            _, where = await loop.sock_recvfrom(sock, 4096)
            await loop.sock_sendto(stranger, b"me", where)

        task = asyncio.get_running_loop().create_task(forge())
        with pytest.raises(TimeoutError):
            await ask(V4, sock.getsockname()[1], timeout=0.3)
        await task


async def test_no_descriptor_is_left() -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    with port_of() as sock, answering(sock, lambda _: [b"me"]):
        for _ in range(50):
            await ask(V4, sock.getsockname()[1])
    assert len(list(Path("/proc/self/fd").iterdir())) <= before + 3
