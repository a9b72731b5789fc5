"""A name server that does as it is told, over datagrams and streams on one port: for what no real one would do."""

import asyncio
import struct
from collections.abc import Callable, Iterable

import dns.flags
import dns.message
import dns.rcode
import dns.rrset

Reply = bytes | dns.message.Message | float
"""A packet, a message, or seconds to wait before the next."""

Script = Callable[[dns.message.Message], Iterable[Reply]]


class NameServer:
    """Serves on 127.0.0.1; `questions` are what was asked, in order, with the transport."""

    def __init__(self, script: Script, *, udp: bool = True, tcp: bool = True) -> None:
        self.script = script
        self.questions: list[tuple[str, dns.message.Message]] = []
        self._udp, self._tcp = udp, tcp
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0

    @property
    def at(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def __aenter__(self) -> "NameServer":
        loop = asyncio.get_running_loop()
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        if not self._tcp:
            self._server.close()
        self._transport: asyncio.DatagramTransport | None = None
        if self._udp:
            outer = self

            class Protocol(asyncio.DatagramProtocol):
                def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
                    outer._spawn(outer._datagram(data, addr))

            self._transport, _ = await loop.create_datagram_endpoint(Protocol, ("127.0.0.1", self.port))
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._transport is not None:
            self._transport.close()
        self._server.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.sleep(0)

    def _spawn(self, work: "asyncio.Future[None] | object") -> None:
        task = asyncio.ensure_future(work)  # type: ignore[call-overload]
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _datagram(self, data: bytes, where: tuple[str, int]) -> None:
        question = dns.message.from_wire(data)
        self.questions.append(("udp", question))
        for reply in self.script(question):
            if isinstance(reply, float):
                await asyncio.sleep(reply)
            elif self._transport is not None:
                self._transport.sendto(packed(reply), where)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            length = int.from_bytes(await reader.readexactly(2), "big")
            question = dns.message.from_wire(await reader.readexactly(length))
            self.questions.append(("tcp", question))
            for reply in self.script(question):
                if isinstance(reply, float):
                    await asyncio.sleep(reply)
                    continue
                wire = packed(reply)
                writer.write(struct.pack("!H", len(wire)) + wire)
            await writer.drain()
            await reader.read()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.transport.abort()
            self._tasks.discard(task)


def packed(reply: bytes | dns.message.Message) -> bytes:
    return reply if isinstance(reply, bytes) else reply.to_wire(max_size=65535)


def answer(
    question: dns.message.Message, *records: str, rcode: str = "NOERROR", **sections: list[str]
) -> dns.message.Message:
    """A true answer: records as `name ttl class type data` in the answer, `authority=` and `additional=` likewise."""
    reply = dns.message.make_response(question, recursion_available=True)
    reply.set_rcode(dns.rcode.from_text(rcode))
    for section, lines in (
        (reply.answer, list(records)),
        (reply.authority, sections.get("authority", [])),
        (reply.additional, sections.get("additional", [])),
    ):
        for line in lines:
            name, ttl, group, kind, data = line.split(" ", 4)
            section.append(dns.rrset.from_text(name, int(ttl), group, kind, data))
    return reply


def cut(reply: dns.message.Message) -> dns.message.Message:
    reply.flags |= dns.flags.TC
    reply.answer.clear()
    return reply
