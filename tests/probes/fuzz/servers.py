"""Servers that answer with mutated bytes: each lane has its own, in the loop of the campaign."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from typing import Any
from weakref import WeakSet

from tests.probes.fuzz.cases import Lane
from tests.probes.fuzz.mutate import mutate
from tests.probes.icmp.province import Province, Request

IDLE = 0.03
"""Seconds after which a server that waits for more ends as if it had said its last."""


class Talker(asyncio.Protocol):
    """Answers in two pieces or drop by drop, then closes, resets or holds; ends as well when nobody goes on."""

    def __init__(self, lane: Lane) -> None:
        self.lane = lane
        self.said = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport
        self.case = self.lane.case
        if self.lane.row.greets:
            self.speak(b"")

    def data_received(self, data: bytes) -> None:
        if not self.transport.is_closing():
            self.speak(data)

    def speak(self, request: bytes) -> None:
        if self.case is None:
            self.transport.abort()
            return
        self.said += 1
        self.send(mutate(self.case.chance, self.lane.answers(request), self.lane.row.words))

    def idle(self, said: int) -> None:
        if self.said == said and not self.transport.is_closing():
            self.end()

    def send(self, reply: bytes) -> None:
        assert self.case is not None
        chance, loop = self.case.chance, asyncio.get_running_loop()
        if chance.random() < 0.003:
            self.drip(reply, 0)
            return
        cut = chance.randrange(len(reply) + 1) if chance.random() < 0.5 else len(reply)
        self.transport.write(reply[:cut])
        last = self.said >= self.lane.row.turns or chance.random() < 0.05
        if cut < len(reply):
            loop.call_later(0.001, self.rest, reply[cut:], last)
        elif last:
            self.end()
        else:
            loop.call_later(IDLE, self.idle, self.said)

    def rest(self, data: bytes, last: bool) -> None:
        if self.transport.is_closing():
            return
        self.transport.write(data)
        if last:
            self.end()
        else:
            asyncio.get_running_loop().call_later(IDLE, self.idle, self.said)

    def drip(self, reply: bytes, at: int) -> None:
        if at < len(reply) and not self.transport.is_closing():
            self.transport.write(reply[at : at + 1])
            asyncio.get_running_loop().call_later(0.02, self.drip, reply, at + 1)

    def abort(self) -> None:
        if hasattr(self, "transport"):
            self.transport.abort()

    def end(self) -> None:
        assert self.case is not None
        luck = self.case.chance.random()
        if luck < 0.9:
            self.transport.close()
        elif luck < 0.97:
            self.transport.abort()
        else:  # Held: whoever waits for more waits until its deadline.
            asyncio.get_running_loop().call_later(self.lane.row.timeout * 2, self.transport.abort)


class Handshaker(Talker):
    """A true TLS server whose records are mutated on their way out."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        if self.case is None or self.lane.row.inside is None:
            transport.abort()  # type: ignore[attr-defined]
            return
        self.into, self.out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = self.lane.row.inside().wrap_bio(self.into, self.out, server_side=True)

    def speak(self, request: bytes) -> None:
        self.into.write(request)
        with suppress(ssl.SSLError):
            self.tls.do_handshake()
            self.tls.read(65536)
        flight = self.out.read()
        self.said += 1
        assert self.case is not None
        if flight:
            sound = self.case.chance.random() < 0.4
            self.send(flight if sound else mutate(self.case.chance, (flight,), self.lane.row.words))
        else:
            self.end()


class Thrower(asyncio.DatagramProtocol):
    """Answers with a few mutated packets, mostly with the true one behind them, so that not every run waits for its deadline."""

    def __init__(self, lane: Lane) -> None:
        self.lane = lane

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        case = self.lane.case
        if case is None:
            return
        answers, chance = self.lane.answers(data), case.chance
        for _ in range(chance.choice((1, 1, 1, 2, 4))):
            self.throw(mutate(chance, answers, self.lane.row.words), addr)
        if chance.random() < 0.8:
            wait = 0.0 if chance.random() < 0.9 else 0.02
            asyncio.get_running_loop().call_later(wait, self.throw, chance.choice(answers), addr)

    def throw(self, packet: bytes, addr: Any) -> None:
        if not self.transport.is_closing():
            self.transport.sendto(packet[:60_000], addr)


@asynccontextmanager
async def streams(lanes: list[Lane], make: Callable[[Lane], Talker] = Talker) -> AsyncIterator[None]:
    loop = asyncio.get_running_loop()
    servers = []
    talkers: WeakSet[Talker] = WeakSet()

    def made(lane: Lane) -> Talker:
        talker = make(lane)
        talkers.add(talker)
        return talker

    for lane in lanes:
        context = lane.row.inside() if lane.row.inside is not None and make is Talker else None
        servers.append(await loop.create_server(partial(made, lane), "127.0.0.1", 0, ssl=context))
        lane.port = servers[-1].sockets[0].getsockname()[1]
    try:
        yield
    finally:
        for server in servers:
            server.close()
        for talker in list(talkers):
            talker.abort()
        # TLS that was being shaken hands over when its run ended takes a few rounds of the loop to let go.
        await asyncio.sleep(0.4 if lanes[0].row.inside is not None else 0.05)


@asynccontextmanager
async def datagrams(lanes: list[Lane]) -> AsyncIterator[None]:
    loop = asyncio.get_running_loop()
    transports = []
    for lane in lanes:
        transport, _ = await loop.create_datagram_endpoint(partial(Thrower, lane), local_addr=("127.0.0.1", 0))
        transports.append(transport)
        lane.port = transport.get_extra_info("sockname")[1]
    try:
        yield
    finally:
        for transport in transports:
            transport.close()
        await asyncio.sleep(0)


@asynccontextmanager
async def packets(lanes: list[Lane]) -> AsyncIterator[Province]:
    """One TUN device; an address for each lane. Checksums of what is mutated are mostly right: else the kernel would drop it."""

    def answering(lane: Lane) -> Callable[[Province, Request], None]:
        def answer(province: Province, request: Request) -> None:
            case = lane.case
            province.requests.clear()
            if case is None:
                return
            errors = (request.error(3, 1), request.error(3, 13), request.error(11, 0), request.error(3, 4, info=1280))
            for _ in range(case.chance.choice((1, 1, 2, 4))):
                body = mutate(case.chance, (request.echo(), request.echo(), *errors))[:1300]
                packet = request.wrap(body + bytes(max(0, 4 - len(body))), bad_checksum=case.chance.random() < 0.1)
                if case.chance.random() < 0.2:
                    packet = mutate(case.chance, (packet,))[:1400]
                with suppress(OSError):  # What is no IP packet at all the device refuses.
                    province.send(packet)
            if case.chance.random() < 0.8:
                province.send(request.wrap(request.echo()))

        return answer

    table = {}
    for number, lane in enumerate(lanes):
        lane.host = f"10.130.{1 + number // 200}.{1 + number % 200}"
        table[lane.host] = answering(lane)
    async with Province(table) as province:
        yield province


@asynccontextmanager
async def serving(lanes: list[Lane]) -> AsyncIterator[Province | None]:
    """Open the row's servers, one for each lane; the province of an echo row."""
    way = lanes[0].row.way
    async with AsyncExitStack() as stack:
        province = None
        if way == "stream":
            await stack.enter_async_context(streams(lanes))
        elif way == "handshake":
            await stack.enter_async_context(streams(lanes, Handshaker))
        elif way == "datagram":
            await stack.enter_async_context(datagrams(lanes))
        else:
            province = await stack.enter_async_context(packets(lanes))
        for lane in lanes:
            lane.fill()
        yield province
