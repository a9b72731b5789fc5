"""A little SNMP v2c agent in pure Python: a commune's router with two interfaces whose counters grow with the time that passes.

Owns: reading a question, and a view of IF-MIB to answer it from. Asks the weather at every question: a cut device is silent, a slow one
late, a wrong one says that its line is down. Never: trusts a datagram; what cannot be read is not answered.
"""

from bisect import bisect_right
from collections.abc import Callable
from typing import Final

from monitor.sandbox.datagram_listener import Answering, Peer
from monitor.sandbox.faults import Condition
from probes.snmp_ber import (
    COUNTER32,
    COUNTER64,
    END_OF_VIEW,
    GAUGE32,
    NO_INSTANCE,
    OBJECT,
    OCTETS,
    TICKS,
    Reader,
    UnreadableError,
    arcs,
    integer,
    object_id,
    sequence,
    wrap,
)
from probes.snmp_wire import GET, GET_BULK, GET_NEXT, RESPONSE

COMMUNITY: Final = "sandbox"
WAN: Final = "wan"
"""The interface to watch; the other one is `lan`."""

MOST_ROWS: Final = 50
LARGEST: Final = 1400
"""Bytes of variables in one answer: what fits an Ethernet frame."""

_IF, _X = "1.3.6.1.2.1.2.2.1.", "1.3.6.1.2.1.31.1.1.1."


class Agent(Answering):
    """`clock` gives seconds, monotonic; `load` the share of the line that is in use in each direction; `mbit` the line's speed."""

    def __init__(
        self,
        weather: Callable[[], Condition],
        clock: Callable[[], float],
        *,
        community: str = COMMUNITY,
        mbit: int = 100,
        load: tuple[float, float] = (0.3, 0.1),
    ) -> None:
        super().__init__(weather)
        self._clock = clock
        self._community, self._mbit, self.load = community.encode(), mbit, load
        self._began = self._counted = clock()
        self._octets = [0.0, 0.0]
        made = sorted((arcs(object_id(oid)[2:]), object_id(oid)[2:], value) for oid, value in self._made().items())
        self._order = [order for order, _, _ in made]
        self._names = [name for _, name, _ in made]
        self._values = {name: value for _, name, value in made}

    def answer(self, data: bytes, peer: Peer = ("", 0)) -> bytes | None:
        """The answer to one question; None when it is for somebody else, or none at all."""
        try:
            return self._answer(data)
        except (UnreadableError, IndexError):
            return None

    def _answer(self, data: bytes) -> bytes | None:
        message = Reader(data).inside()
        if message.number() != 1 or message.content(OCTETS) != self._community:
            return None
        kind, content = message.any()
        pdu = Reader(content)
        id, first, second = pdu.number(), pdu.number(), pdu.number()
        asked, rows = [], pdu.inside()
        while rows:
            asked.append(rows.inside().content(OBJECT))
        self._grow()
        if kind == GET:
            found = [self._get(name) for name in asked]
        elif kind == GET_NEXT:
            found = self._following(asked, 1)
        elif kind == GET_BULK and first == 0:
            found = self._following(asked, min(max(second, 0), MOST_ROWS))
        else:
            return None
        body = wrap(RESPONSE, integer(id) + b"\x02\x01\x00\x02\x01\x00" + sequence(found))
        return sequence([b"\x02\x01\x01", wrap(OCTETS, self._community), body])

    def _grow(self) -> None:
        """Bring the counters up to now."""
        now = self._clock()
        passed, self._counted = now - self._counted, now
        for direction, share in enumerate(self.load):
            self._octets[direction] += passed * share * self._mbit * 125_000 * (not self._weather().wrong)

    def _made(self) -> dict[str, Callable[[], bytes]]:
        """The device: what each of its identifiers says at the moment it is asked."""

        def octets(direction: int, tag: int, size: int) -> Callable[[], bytes]:
            return lambda: integer(int(self._octets[direction]) % size, tag)

        def oper(name: str) -> Callable[[], bytes]:
            return lambda: integer(2 if name == WAN and self._weather().wrong else 1)

        def fixed(value: bytes) -> Callable[[], bytes]:
            return lambda: value

        def ticks() -> bytes:
            return integer(int((self._clock() - self._began) * 100) % (1 << 32), TICKS)

        rows: dict[str, Callable[[], bytes]] = {"1.3.6.1.2.1.1.3.0": ticks}
        none = fixed(integer(0, COUNTER32))
        for index, name in ((1, "lan"), (2, WAN)):
            label = fixed(wrap(OCTETS, name.encode()))
            rows |= {
                f"{_IF}2.{index}": label,
                f"{_IF}5.{index}": fixed(integer(self._mbit * 1_000_000, GAUGE32)),
                f"{_IF}7.{index}": fixed(integer(1)),
                f"{_IF}8.{index}": oper(name),
                f"{_IF}10.{index}": octets(0, COUNTER32, 1 << 32),
                f"{_IF}13.{index}": none,
                f"{_IF}14.{index}": none,
                f"{_IF}16.{index}": octets(1, COUNTER32, 1 << 32),
                f"{_IF}19.{index}": none,
                f"{_IF}20.{index}": none,
                f"{_X}1.{index}": label,
                f"{_X}6.{index}": octets(0, COUNTER64, 1 << 64),
                f"{_X}10.{index}": octets(1, COUNTER64, 1 << 64),
                f"{_X}15.{index}": fixed(integer(self._mbit, GAUGE32)),
                f"{_X}19.{index}": fixed(integer(0, TICKS)),
            }
        return rows

    def _get(self, name: bytes) -> bytes:
        value = self._values.get(name)
        return _variable(name, wrap(NO_INSTANCE, b"") if value is None else value())

    def _following(self, asked: list[bytes], count: int) -> list[bytes]:
        """What comes after each, `count` times, as far as it fits."""
        found: list[bytes] = []
        size = 0
        places = [(bisect_right(self._order, arcs(name)), name) for name in asked]
        for step in range(count):
            for place, name in places:
                at = place + step
                there = at < len(self._names)
                one = self._names[at] if there else name
                found.append(_variable(one, self._values[one]() if there else wrap(END_OF_VIEW, b"")))
                size += len(found[-1])
            if size > LARGEST:
                break
        return found


def _variable(name: bytes, value: bytes) -> bytes:
    return sequence([wrap(OBJECT, name), value])
