"""A little SNMP v2c agent in pure Python: a commune's router with two interfaces whose counters grow with the time that passes.

Owns: reading a question, and a view of IF-MIB to answer it from. Asks the weather at every question: a cut device is silent, a slow one
late, a wrong one says that its line is down. Never: trusts a datagram; what cannot be read is not answered.
"""

import asyncio
from bisect import bisect_right
from collections.abc import Callable, Mapping
from typing import Final, cast

from monitor.sandbox.faults import Condition
from probes.snmp_ber import (
    COUNTER32,
    COUNTER64,
    END_OF_VIEW,
    GAUGE32,
    INTEGER,
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
Rows = Mapping[tuple[int, ...], tuple[bytes, bytes]]


class Agent(asyncio.DatagramProtocol):
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
        self._weather, self._clock = weather, clock
        self._community, self._mbit, self.load = community.encode(), mbit, load
        self._began = self._counted = clock()
        self._octets = [0.0, 0.0]
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        condition = self._weather()
        if condition.cut or condition.refused:
            return
        try:
            answer = self.answer(data)
        except (UnreadableError, IndexError):
            return
        if answer is None:
            return
        if condition.delay:
            asyncio.get_running_loop().call_later(condition.delay, self._send, answer, addr)
        else:
            self._send(answer, addr)

    def _send(self, answer: bytes, addr: tuple[str, int]) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.sendto(answer, addr)

    def answer(self, data: bytes) -> bytes | None:
        """The answer to one question; None when it is for somebody else. UnreadableError when it is none."""
        message = Reader(data).inside()
        if message.number() != 1 or message.content(OCTETS) != self._community:
            return None
        kind, content = message.any()
        pdu = Reader(content)
        id, first, second = pdu.number(), pdu.number(), pdu.number()
        asked, rows = [], pdu.inside()
        while rows:
            asked.append(rows.inside().content(OBJECT))
        view = self._view()
        if kind == GET:
            found = [_variable(name, view.get(arcs(name), (b"", wrap(NO_INSTANCE, b"")))[1]) for name in asked]
        elif kind == GET_NEXT:
            found = _following(view, asked, 1)
        elif kind == GET_BULK and first == 0:
            found = _following(view, asked, min(max(second, 0), MOST_ROWS))
        else:
            return None
        body = wrap(RESPONSE, integer(id) + b"\x02\x01\x00\x02\x01\x00" + sequence(found))
        return sequence([b"\x02\x01\x01", wrap(OCTETS, self._community), body])

    def _view(self) -> Rows:
        """The device at this moment, in the order of its identifiers."""
        now = self._clock()
        passed, self._counted = now - self._counted, now
        working = not self._weather().wrong
        for direction, share in enumerate(self.load):
            self._octets[direction] += passed * share * self._mbit * 125_000 * working
        values: dict[str, bytes] = {"1.3.6.1.2.1.1.3.0": integer(int((now - self._began) * 100) % (1 << 32), TICKS)}
        for index, name, oper in ((1, "lan", 1), (2, WAN, 1 if working else 2)):
            octets_in, octets_out = (int(count) for count in self._octets)
            values |= {
                f"{_IF}2.{index}": wrap(OCTETS, name.encode()),
                f"{_IF}5.{index}": integer(self._mbit * 1_000_000, GAUGE32),
                f"{_IF}7.{index}": integer(1, INTEGER),
                f"{_IF}8.{index}": integer(oper, INTEGER),
                f"{_IF}10.{index}": integer(octets_in % (1 << 32), COUNTER32),
                f"{_IF}13.{index}": integer(0, COUNTER32),
                f"{_IF}14.{index}": integer(0, COUNTER32),
                f"{_IF}16.{index}": integer(octets_out % (1 << 32), COUNTER32),
                f"{_IF}19.{index}": integer(0, COUNTER32),
                f"{_IF}20.{index}": integer(0, COUNTER32),
                f"{_X}1.{index}": wrap(OCTETS, name.encode()),
                f"{_X}6.{index}": integer(octets_in, COUNTER64),
                f"{_X}10.{index}": integer(octets_out, COUNTER64),
                f"{_X}15.{index}": integer(self._mbit, GAUGE32),
                f"{_X}19.{index}": integer(0, TICKS),
            }
        made = {arcs(object_id(oid)[2:]): (object_id(oid)[2:], value) for oid, value in values.items()}
        return dict(sorted(made.items()))


def _variable(name: bytes, value: bytes) -> bytes:
    return sequence([wrap(OBJECT, name), value])


def _following(view: Rows, asked: list[bytes], count: int) -> list[bytes]:
    """What comes after each, `count` times, as far as it fits."""
    order = list(view)
    found: list[bytes] = []
    size = 0
    names = asked
    for _ in range(count):
        nexts = []
        for name in names:
            place = bisect_right(order, arcs(name))
            name_then, value = view[order[place]] if place < len(order) else (name, wrap(END_OF_VIEW, b""))
            nexts.append(name_then)
            found.append(_variable(name_then, value))
            size += len(found[-1])
        names = nexts
        if size > LARGEST:
            break
    return found
