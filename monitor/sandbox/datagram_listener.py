"""A datagram socket that closes while its node refuses: then the kernel says, as a real one does, that nobody listens there.

Owns: opening and closing it as the weather wants. Never: answers; that is the protocol's business.
"""

import asyncio
from collections.abc import Callable

from monitor.sandbox.faults import Condition


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
