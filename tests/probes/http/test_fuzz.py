"""X43: mutated answers, seeded. No exception out of a run, no reason outside the closed list, no run over its deadline and a quarter of a second."""

import asyncio
import gzip
import os
import random
import socket
import time
from collections import Counter

import pytest

import probes
from probes.contract import Address, Family, ProbeError, Reason
from probes.tools import Workbench
from tests.probes.http.box import SPEC, answer, now

SEEDS = [
    answer(b"<html>Hello</html>", headers={"Content-Type": "text/html; charset=utf-8", "Server": "nginx"}),
    answer(gzip.compress(b"hello " * 200), headers={"Content-Encoding": "gzip"}),
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;a=b\r\n world\r\n0\r\nX-T: 1\r\n\r\n",
    answer(b"", 302, {"Location": "/b?c=1", "Set-Cookie": "a=b; Path=/; Domain=127.0.0.1; Max-Age=9"}),
    answer(b"", 301, {"Location": "http://a.vn:{port}/x"}),
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.0 200 OK\r\nConnection: close\r\n\r\nuntil the end",
    answer(b'{"status": "UP", "items": [1, 2, 3], "n": null}', headers={"Content-Type": "application/json"}),
    answer(b"", 401, {"WWW-Authenticate": 'Basic realm="x"'}),
    answer("Cổng một cửa".encode("utf-16"), headers={"Content-Type": "text/html; charset=utf-16"}),
]

WORDS = [
    b"\r\n", b"\n", b"\r", b"\0", b"\xff\xfe", b": ", b"HTTP/1.1 ", b"HTTP/9.9 ", b" 99999 ", b"Content-Length: -1\r\n",
    b"Content-Length: 99999999999999999999\r\n", b"Transfer-Encoding: chunked\r\n", b"Content-Encoding: gzip\r\n", b"\x1b[31m",
    b"Location: javascript:alert(1)\r\n", b"Location: http://[::1\r\n", b"Location: //\r\n", b"Set-Cookie: k=\xc3\xa9; Domain=.0.0.1\r\n",
    b"Upgrade: h2c\r\nConnection: Upgrade\r\n", b"ffffffffffffffff\r\n", b"x" * 5000, b"[" * 3000, b"Content-Type: text/x; charset=zip\r\n",
    "một\u202e".encode(), b"101", b"204", b"304", b"000", b"1e5", b"A: b\r\n" * 300,
]  # fmt: skip

EXPECTS = [
    {},
    {"body": "(?i)hello|một", "body_not": "error"},
    {"json": ['$.status == "UP"', "len($.items) > 2", "$.n == null"]},
    {"header": {"Server": "nginx"}, "header_not": {"Set-Cookie": "^z"}, "size": "< 1KiB", "status": ["2xx", 301]},
]


class OnlyHere:
    """No mutated name leaves the machine."""

    async def resolve(self, host: str, family: Family, deadline: float) -> tuple[Address, ...]:
        if host != "a.vn":
            raise ProbeError(Reason.DNS_NXDOMAIN, f"{host} does not exist")
        return (Address(socket.AF_INET, "127.0.0.1"),)

    async def aclose(self) -> None:
        return


def mutate(chance: random.Random, port: int) -> bytes:
    data = bytearray(chance.choice(SEEDS).replace(b"{port}", str(port).encode()))
    for _ in range(chance.choice((0, 1, 1, 1, 2, 3, 5))):
        at = chance.randrange(len(data) + 1)
        match chance.randrange(7):
            case 0 if data:
                data[at % len(data)] = chance.randrange(256)
            case 1:
                data[at:at] = chance.choice(WORDS)
            case 2:
                del data[at : at + chance.randint(1, 30)]
            case 3:
                data[at:at] = data[at : at + chance.randint(1, 60)]
            case 4:
                del data[at:]
            case 5:
                data[at:at] = chance.randbytes(chance.randint(1, 20))
            case _:
                data[at:at] = chance.choice(SEEDS)[:at]
    return bytes(data)


async def campaign(count: int, seed: int, timeout: float) -> Counter:
    chance = random.Random(seed)
    found: Counter = Counter()
    slow: list[float] = []

    class Server(asyncio.Protocol):
        """Answers in two pieces, then closes, resets or holds."""

        def connection_made(self, transport):
            self.transport = transport

        def data_received(self, data):
            reply = mutate(chance, port)
            cut = chance.randrange(len(reply) + 1)
            self.transport.write(reply[:cut])
            asyncio.get_running_loop().call_later(0.001, self.rest, reply[cut:], chance.random())

        def rest(self, data, luck):
            self.transport.write(data)
            if luck < 0.90:
                self.transport.close()
            elif luck < 0.97:
                self.transport.abort()
            else:
                asyncio.get_running_loop().call_later(timeout * 2, self.transport.abort)

    loop = asyncio.get_running_loop()
    server = await loop.create_server(Server, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    specs = [
        SPEC.validate_python(
            {"url": f"http://127.0.0.1:{port}/", "expect": expect, "compression": coding, "redirects": 3}
        )
        for expect in EXPECTS
        for coding in ("none", "gzip")
    ]
    turns = iter(range(count))
    async with Workbench(now, resolver=OnlyHere()) as workbench:

        async def lane() -> None:
            for turn in turns:
                started = time.perf_counter()
                outcome = await probes.run("http", specs[turn % len(specs)], workbench, timeout=timeout)
                spent = time.perf_counter() - started
                found[outcome.reason] += 1
                assert outcome.reason in Reason.__members__.values()
                assert outcome.detail.isprintable()
                assert len(outcome.detail) <= 200
                assert not outcome.reason.ours, (outcome, turn)
                if spent > timeout + 0.25:
                    slow.append(spent)

        await asyncio.gather(*(lane() for _ in range(40)))
    server.close()
    await asyncio.sleep(0)
    assert not slow
    return found


async def test_2000_mutated_answers():
    found = await campaign(2000, seed=37, timeout=1.0)
    assert sum(found.values()) == 2000
    assert len(found) >= 10, "the campaign reaches deep enough to mean something"


@pytest.mark.soak
@pytest.mark.skipif(not os.environ.get("SOAK"), reason="only under make soak")
@pytest.mark.parametrize("seed", range(10))
async def test_10000_mutated_answers(seed):
    found = await campaign(10_000, seed=seed, timeout=1.0)
    print(found)
