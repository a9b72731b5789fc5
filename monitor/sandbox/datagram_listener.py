"""UDP in any weather: a socket that closes while its node refuses (the kernel then says, as a real one does, that nobody listens there), and
answers that are silent or late.

Owns: opening and closing the socket, and when an answer leaves. Never: what is answered; that is each server's business.
"""

import asyncio
from abc import abstractmethod
from collections.abc import Callable
from typing import cast

from monitor.sandbox.faults import Condition

Peer = tuple[str, int]


class Answering(asyncio.DatagramProtocol):
    """A server that says one thing to each datagram: nothing while it is cut, late while it is slow."""

    def __init__(self, weather: Callable[[], Condition]) -> None:
        self._weather = weather
        self._transport: asyncio.DatagramTransport | None = None

    @abstractmethod
    def answer(self, data: bytes, peer: Peer) -> bytes | None:
        """What is said to one datagram; None for what is no question."""

    @property
    def address(self) -> Peer:
        """Where this server stands."""
        assert self._transport is not None
        host, port = self._transport.get_extra_info("sockname")[:2]
        return host, port

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: Peer) -> None:
        delay = self._weather().delay
        if delay:
            asyncio.get_running_loop().call_later(delay, self._reply, data, addr)
        else:
            self._reply(data, addr)

    def _reply(self, data: bytes, addr: Peer) -> None:
        if self._weather().cut or self._transport is None or self._transport.is_closing():
            return
        said = self.answer(data, (addr[0], addr[1]))
        if said is not None:
            self._transport.sendto(said, addr)


class DatagramListener:
    """The counterpart of `servers.Listener` for UDP."""

    def __init__(
        self, host: str, port: int, weather: Callable[[], Condition], factory: Callable[[], asyncio.DatagramProtocol]
    ) -> None:
        self._host, self._port, self._weather, self._factory = host, port, weather, factory
        self._transport: asyncio.DatagramTransport | None = None
        self._turning = asyncio.Lock()

    async def sync(self) -> None:
        """Make what listens agree with the weather; two faults that turn at once take their turns here."""
        async with self._turning:
            await self._sync()

    async def _sync(self) -> None:
        refused = self._weather().refused
        if refused:
            self.close()
        elif self._transport is None:
            self._transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
                self._factory, local_addr=(self._host, self._port)
            )

    def close(self) -> None:
        """Stop listening."""
        if self._transport is not None:
            self._transport.close()
            self._transport = None
