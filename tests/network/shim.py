"""A TUN device whose far side is ours, and whose truth is exact: what each link does is drawn by its behaviour, what was on the wire is known.

Owns: the fate of every packet, carried out and written down; the truth of a run. Never: measures by its own clock.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from itertools import pairwise
from typing import Final

from tests.network.behaviour import Behaviour, Fate, Link
from tests.network.witness import Witness
from tests.probes.icmp.province import Province, Request

Key = tuple[str, bytes]
"""A packet's identity: the address, and its id, sequence and the first bytes of its payload."""

_WORDS: Final = slice(4, 16)


@dataclass(slots=True)
class Packet:
    """One echo request in truth. Stamps are the kernel's, nanoseconds; `size` is of the payload."""

    address: str
    size: int
    fate: Fate
    sent: int = 0
    echoes: list[int] = field(default_factory=list)

    @property
    def lost(self) -> bool:
        return not self.fate.echoes

    @property
    def rtt(self) -> float:
        """Seconds on the wire from the request to its first echo."""
        return (self.echoes[0] - self.sent) / 1e9


@dataclass(frozen=True, slots=True)
class Truth:
    """What a link did to some packets, in order of sending."""

    packets: tuple[Packet, ...]

    @property
    def sent(self) -> int:
        return len(self.packets)

    @property
    def received(self) -> int:
        return sum(not packet.lost for packet in self.packets)

    @property
    def loss(self) -> float:
        return 1 - self.received / self.sent

    @property
    def rtts(self) -> list[float]:
        """In order of arrival, as a run's are."""
        back = sorted((packet for packet in self.packets if not packet.lost), key=lambda packet: packet.echoes[0])
        return [packet.rtt for packet in back]

    @property
    def rtt(self) -> float:
        return sum(self.rtts) / len(self.rtts)

    @property
    def jitter(self) -> float:
        """RFC 3550 §6.4.1, in seconds, written once more."""
        value = 0.0
        for before, after in pairwise(self.rtts):
            value = value + (abs(after - before) - value) / 16
        return value

    @property
    def duplicates(self) -> int:
        return sum(max(0, len(packet.fate.echoes) - 1) for packet in self.packets)


class Shim(Province):
    """`async with Shim({"10.130.0.1": Behaviour(delay=0.012)}) as shim:`; addresses that are not named are silent."""

    def __init__(self, links: Mapping[str, Behaviour], seed: int = 1) -> None:
        super().__init__(dict.fromkeys(links, _behave))
        self.links = {at: Link(how, random.Random(f"{seed} {at}")) for at, how in links.items()}
        self.packets: dict[Key, Packet] = {}

    async def __aenter__(self) -> "Shim":
        await super().__aenter__()
        self._witness = Witness(self.namespace, "province")
        return self

    async def __aexit__(self, *error: object) -> None:
        self._witness.close()
        await super().__aexit__(*error)

    def truth(self, address: str, size: int = 56) -> Truth:
        """Of all packets to an address with that much payload. Every echo that was sent so far has been heard by the witness."""
        self._hear()
        return Truth(tuple(p for p in self.packets.values() if (p.address, p.size) == (address, size)))

    def _hear(self) -> None:
        for passed in self._witness.passed():
            v6 = passed.packet[0] >> 4 == 6
            icmp = passed.packet[40 if v6 else 20 :]
            whom = passed.packet[24:40] if v6 else passed.packet[16:20]
            if not passed.out:
                whom = passed.packet[8:24] if v6 else passed.packet[12:16]
            packet = self.packets.get((str(ip_address(whom)), icmp[_WORDS]))
            if packet is None:
                continue  # A forged one, or none of ours.
            if passed.out:
                packet.sent = packet.sent or passed.at
            else:
                packet.echoes.append(passed.at)


def _behave(province: Province, request: Request) -> None:
    assert isinstance(province, Shim)
    fate = province.links[request.address].fate()
    packet = Packet(request.address, len(request.icmp) - 8, fate)
    province.packets[request.address, bytes(request.icmp[_WORDS])] = packet
    if fate.forged:
        province.send(request.wrap(request.changed(8)))
    for delay in fate.echoes:
        if delay:
            province.later(delay, request.wrap(request.echo()))
        else:
            province.send(request.wrap(request.echo()))
