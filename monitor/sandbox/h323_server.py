"""A little gatekeeper: confirms every GatekeeperRequest over UDP (H.225.0 RAS), and listens for call signalling over TCP, where it says nothing.

Asks the weather at every request: a cut one is silent, a slow one late, a wrong one declines for want of resources. A refused one does not
listen (see `Listener` and `DatagramListener`). Never: takes a call.
"""

import asyncio
import ipaddress
from collections.abc import Callable
from functools import partial

from monitor.sandbox.datagram_listener import Answering, Peer
from monitor.sandbox.faults import Condition
from probes.ras import PROTOCOL, Writer

Weather = Callable[[], Condition]


def answer(request: bytes, host: str, port: int, *, name: str, wrong: bool = False) -> bytes | None:
    """GatekeeperConfirm (or GatekeeperReject, resourceUnavailable) for a request; None for what is none. `name` has 1 to 128 letters."""
    if len(request) < 12 or request[0] >> 1 or request[4:10] != bytes((len(PROTOCOL),)) + PROTOCOL[:5]:
        return None
    bits, text = Writer(), name.encode("utf-16-be")
    bits.add(2 if wrong else 1, 6)
    bits.add(0b001, 3)  # No extensions, nothing of a vendor, our identifier.
    bits.octets(request[2:4])
    bits.octets(bytes((len(PROTOCOL),)) + PROTOCOL)
    bits.add(len(text) // 2 - 1, 7)
    bits.octets(text)
    if wrong:
        bits.add(0, 3)  # resourceUnavailable
        return bits.done()
    address = ipaddress.ip_address(host)
    bits.add(0 if address.version == 4 else 3, 4)
    bits.add(0, 1)
    bits.octets(address.packed + port.to_bytes(2))
    return bits.done()


class Gatekeeper(Answering):
    """RAS over UDP."""

    def __init__(self, weather: Weather, name: str = "Sandbox GK") -> None:
        super().__init__(weather)
        self._name = name

    def answer(self, data: bytes, peer: Peer) -> bytes | None:
        return answer(data, *self.address, name=self._name, wrong=self._weather().wrong)


class _Mute(asyncio.Protocol):
    """Takes a connection and whatever is said on it."""


def gatekeeper(weather: Weather, name: str = "Sandbox GK") -> Callable[[], asyncio.DatagramProtocol]:
    """For a `DatagramListener`."""
    return partial(Gatekeeper, weather, name)


def signalling() -> Callable[[], asyncio.Protocol]:
    """For a `Listener`."""
    return _Mute
