"""ICMP echo for thousands of targets over one socket per family.

Owns: sending at a plan's pace, matching every reply to its packet (source address, id, sequence, token, whole payload), round-trip times,
and the count of what was not an exact echo: duplicates, late, forged and truncated ones.
Never: judges a target, resolves a name, or credits a reply that is not the exact echo of a packet still waited for.
"""

import asyncio
import errno
import math
import socket
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from probes.contract import ProbeError, Reason
from probes.echo_batch import Batch, receiver
from probes.echo_clock import Clocks, came, left
from probes.echo_flight import TOKEN, Door, Echoes, Flight, Plan, many_targets, packed, target
from probes.echo_socket import BUSY, SOFT, OpenSocket, Packet, Quoted, open_echo_socket, quoted
from probes.icmp_extra import Watch, Watches

if TYPE_CHECKING:
    from probes.echo_sweep import Sweep

BURST: Final = 512
"""Packets read in one turn before the rest of the loop gets its own."""

PACE: Final = 448
"""Packets of a sweep sent before the replies are read: less than one reading takes, so that one is enough."""

ROTATE: Final = 60.0
"""Seconds after which a datagram socket is replaced: the kernel ties its echo id to it, and a firewall may have tied that id to a dead path."""

REMEMBERED: Final = 65_536
"""Lost packets remembered, so that a late reply is known as one."""

ROOM: Final = 256
"""Bytes read of a packet, at first; a larger plan makes it more. A small buffer is a cheap one."""

QUOTE: Final = 1500
"""Bytes more that an error may quote."""

RETRY: Final = 0.001
"""Seconds to wait for room in the send buffer."""


class EchoEngine:
    """Sends echo requests and waits for their echoes. Lives in one event loop; sockets are opened when first needed.

    `entropy(n)` gives n unpredictable bytes; `monotonic` and `wall` are clocks in nanoseconds.
    """

    def __init__(
        self,
        entropy: Callable[[int], bytes],
        *,
        monotonic: Callable[[], int] = time.monotonic_ns,
        wall: Callable[[], int] = time.time_ns,
        open_socket: OpenSocket = open_echo_socket,
    ) -> None:
        self._entropy = entropy
        self._monotonic = monotonic
        self._clocks = Clocks(monotonic, wall)
        self._open_socket = open_socket
        self._doors: dict[int, Door] = {}
        self._open: set[Door] = set()
        self._waits: dict[bytes, tuple[Flight, int]] = {}
        self._at: dict[bytes, list[Flight]] = {}
        self._gone: dict[bytes, bytes] = {}
        self._late: dict[bytes, int] = {}
        self._room = ROOM
        self._watches = Watches(monotonic, entropy, self._next, self._read)
        self.strays = 0
        """Echo replies that belonged to nobody here: other programs' on a raw socket, forgeries, the very late."""

    async def ping(self, address: str, plan: Plan, *, until: float, into: Echoes | None = None) -> Echoes:
        """Send a plan's packets to one address and wait for the echoes until all are in, or loop time `until`.

        `into` is written to as things happen, for whoever may be cancelled before the end; it is what is returned.
        ProbeError when no socket may be had, OSError when none can be opened; what happens later is in the result.
        """
        to = target(address)
        door = self._door(to.family)
        flight = Flight(door, (to,) * plan.count, plan, *self._launching(plan.count, plan.size))
        door.flights.add(flight)
        flight.result = into if into is not None else flight.result
        flight.result.late += self._late.pop(to.peer, 0)
        self._at.setdefault(to.peer, []).append(flight)
        loop = asyncio.get_running_loop()
        watch = Watch(self._watches, flight, until, loop)
        try:
            self._next(flight, 0, plan.count, plan.spacing, loop)
            await watch.over()
        finally:
            watch.stop()
            flight.order()
            self._at[to.peer].remove(flight)
            if not self._at[to.peer]:
                del self._at[to.peer]
            self._land(flight)
        return flight.result

    async def sweep(self, addresses: Sequence[str], *, until: float, size: int = 56) -> list[float | None]:
        """One packet to each of many addresses of one family: round trips in seconds in the same order, None where no echo came.

        Whose packet left nobody knows when, because our core was taken from us in the midst of sending, is asked once more if it answered.
        """
        # It brings numpy along: only those who sweep wait for it.
        from probes.echo_sweep import MOST, SMALL, Sweep

        if len(addresses) > MOST:
            parts = [addresses[at : at + MOST] for at in range(0, len(addresses), MOST)]
            swept = await asyncio.gather(*(self.sweep(part, until=until, size=size) for part in parts))
            return [rtt for part in swept for rtt in part]
        if not addresses:
            return []
        targets = many_targets(addresses)
        door = self._door(targets.family)
        plan = Plan(count=len(targets), size=size, dont_fragment=size <= SMALL)
        sweep = Sweep(door, targets, plan, *self._launching(len(targets), size))
        door.sweeps.append(sweep)
        door.flights.add(sweep)
        loop = asyncio.get_running_loop()
        bell = loop.call_at(until, sweep.settle, len(targets))
        try:
            index = 0
            while index < len(targets) and not sweep.end.done():
                stop = min(index + PACE, len(targets))
                while index < stop and (count := sweep.send(index, stop, self._monotonic) or self._send(sweep, index)):
                    index += count
                self._read(door)
                await asyncio.sleep(0 if index == stop else RETRY)
            await sweep.end
        finally:
            bell.cancel()
            self._land(sweep)
        seconds = sweep.seconds()
        if loop.time() < until and (again := [index for index in sweep.unsure if seconds[index] is not None]):
            further = await self.sweep([addresses[index] for index in again], until=until, size=size)
            for index, rtt in zip(again, further, strict=True):
                seconds[index] = min(rtt or math.inf, seconds[index] or math.inf)
        return seconds

    async def aclose(self) -> None:
        """Close the sockets; whoever still waits is told that we stopped looking. May be called twice."""
        for door in tuple(self._open):
            self._fail(door, OSError(errno.ECANCELED, "the echo engine was closed"))

    # Sockets.

    def _door(self, family: int) -> Door:
        """The family's open socket; a datagram one is replaced when its id is old, and lives on for those who still wait."""
        loop = asyncio.get_running_loop()
        door = self._doors.get(family)
        if door is not None and (door.raw or loop.time() - door.born < ROTATE):
            return door
        try:
            sock, raw = self._open_socket(family)
        except (OSError, ProbeError):
            if door is None:
                raise
            return door  # An old id is better than not looking.
        fresh = self._doors[family] = Door(sock, receiver(sock), family, raw=raw, born=loop.time())
        self._open.add(fresh)
        loop.add_reader(sock.fileno(), self._readable, fresh)
        self._clocks.begin()
        if door is not None and not door.flights:
            self._shut(door)
        return fresh

    def _shut(self, door: Door) -> None:
        if door not in self._open:
            return
        self._open.discard(door)
        asyncio.get_running_loop().remove_reader(door.sock.fileno())
        door.sock.close()
        if self._doors.get(door.family) is door:
            del self._doors[door.family]

    def _fail(self, door: Door, error: OSError) -> None:
        """The socket is of no more use: everybody on it ends now, and the next run opens another."""
        self._shut(door)
        for flight in tuple(door.flights):
            flight.result.refused = error
            flight.settle(flight.left)

    def _launching(self, count: int, size: int) -> "tuple[bytes, asyncio.Future[None]]":
        """Noise for so many packets, and the future of their end; room for their echoes is made."""
        self._room = max(self._room, (size + 255) & ~127)
        return self._entropy(4 + TOKEN * count), asyncio.get_running_loop().create_future()

    def _land(self, flight: "Flight | Sweep") -> None:
        """Stop waiting; remember what was lost, for a late reply to be known as one."""
        result, door = flight.result, flight.door
        if isinstance(flight, Flight):
            for index, expected in enumerate(flight.expected):
                if self._waits.pop(expected, None) is not None and flight.rtts[index] is None:
                    self._gone[expected] = flight.peers[index]
        else:
            door.sweeps.remove(flight)
            self._gone.update((flight.expected(index), flight.peers[index]) for index in flight.lost())
        while len(self._gone) > REMEMBERED:
            del self._gone[next(iter(self._gone))]
        if len(result.rtts) > 0:
            result.refused = None  # Something came back: we could look.
        door.flights.discard(flight)
        if not door.flights and self._doors.get(door.family) is not door:
            self._shut(door)

    # Sending.

    def _next(self, flight: Flight, index: int, stop: int, spacing: float, loop: asyncio.AbstractEventLoop) -> None:
        """Send packets `index` to `stop` of a run, each `spacing` after the one before; what finds no room is tried again."""
        while index < stop and not flight.end.done():
            if not self._send(flight, index):
                loop.call_later(RETRY, self._next, flight, index, stop, spacing, loop)
                return
            index += 1
            if spacing > 0 and index < stop:
                loop.call_later(spacing, self._next, flight, index, stop, spacing, loop)
                return

    def _send(self, flight: "Flight | Sweep", index: int) -> bool:
        """Send one packet and begin to wait for it; False when the kernel has no room for it now."""
        door = flight.door
        packet, to = flight.request(index), flight.targets[index]
        if isinstance(flight, Flight):
            self._waits[flight.expected[index]] = (flight, index)
        for attempt in range(4):
            try:
                if door.plan is not flight.plan:
                    door.adjust(flight.plan)
                before = self._monotonic()
                door.sock.sendto(packet, to)
                flight.sent[index] = left(before, self._monotonic())
            except OSError as error:
                local = self._drain(door)[1]
                # It may be the pending error of some other packet: asking again tells.
                again = error.errno in SOFT and local is None and attempt < 3
                if again or (error.errno == errno.EINTR and attempt < 3):
                    continue
                return self._unsent(flight, index, error, local)
            result = flight.result
            result.sent += 1
            if result.refused is not None:
                result.refused = None  # It was a matter of a moment.
            return True
        raise AssertionError("the last attempt returns")

    def _unsent(self, flight: "Flight | Sweep", index: int, error: OSError, local: Quoted | None) -> bool:
        """Account for a packet that our own kernel did not take; False when it may take it in a moment."""
        if isinstance(flight, Flight):
            del self._waits[flight.expected[index]]
        flight.sent[index] = 0
        if error.errno == errno.EMSGSIZE and flight.plan.dont_fragment:
            flight.result.sent += 1
            flight.result.error = local or Quoted(b"", None, Reason.FRAG_NEEDED, "larger than the path's MTU", True, 0)
        else:
            flight.result.refused = error
            if error.errno in BUSY:
                return False
        flight.settle()
        return True

    # Receiving.

    def _readable(self, door: Door) -> None:
        """The loop's callback: errors first, then replies."""
        try:
            errors, _ = self._drain(door)
            if not self._read(door) and not errors:
                self._rearm(door)
        except MemoryError:  # The packet stays where it is: the loop would call again, and again.
            self._fail(door, OSError(errno.ENOMEM, "no memory to read a packet"))

    def _rearm(self, door: Door) -> None:
        """libuv stops watching a descriptor after an error event: watch it anew, or this engine is deaf from here on."""
        if door in self._open:
            loop = asyncio.get_running_loop()
            loop.remove_reader(door.sock.fileno())
            loop.add_reader(door.sock.fileno(), self._readable, door)

    def _read(self, door: Door) -> int:
        """Take what has arrived, at most BURST packets. How many there were."""
        waits, strip, skip, reply = self._waits, door.strip, door.skip, door.reply
        distance = self._clocks.distance()
        count = soft = 0
        while count < BURST:
            try:
                arrived, packets = self._take(door, distance)
            except OSError as error:
                soft += 1
                if error.errno in SOFT and soft < 16:
                    self._drain(door)
                    continue
                self._fail(door, error)  # Never again and again: a socket that cannot be read is given up.
                break
            soft = 0
            count += arrived
            for data, source, stamp, hops in packets:
                body = data[(data[0] & 15) << 2 :] if strip else data
                # The echo that is waited for, to the byte: type, checksum, id, sequence, token, payload.
                entry = waits.get(body if strip else body[skip:]) or door.swept(body)
                if entry is None or source != entry[0].peers[entry[1]] or body[:2] != reply:
                    self._stray(door, body, source)
                    continue
                flight, index = entry
                if flight.answered(index):
                    flight.result.duplicates += 1
                else:
                    self._credit(
                        flight, index, stamp - distance if distance and stamp else 0, data[8] if strip else hops
                    )
            if arrived < door.receiver.slots:
                break
        return count

    def _take(self, door: Door, distance: int | None) -> tuple[int, list[Packet]]:
        """How many packets have arrived, and those among them that are not simply a sweep's echoes."""
        receiver = door.receiver
        if not door.sweeps or not isinstance(receiver, Batch):
            packets = receiver.take(self._room)
            return len(packets), packets
        count = receiver.fill(self._room)
        slots = door.sweeps[0].credit(receiver, count, distance, self._monotonic()) if count else []
        return count, receiver.packets(slots)

    def _credit(self, flight: "Flight | Sweep", index: int, arrived: int, hops: int | None) -> None:
        """An exact echo, arrived at a moment of the monotonic clock that the kernel's stamp tells; 0 when it cannot be trusted."""
        now, sent = self._monotonic(), int(flight.sent[index])
        rtt = flight.rtts[index] = came(arrived, sent, now) - sent
        result = flight.result
        result.rtts.append(rtt / 1e9)
        result.hop_limit = hops
        if result.error is not None and isinstance(flight, Flight) and index in flight.blamed:
            flight.blamed.remove(index)  # A router was wrong, or lied: the echo has come all the same.
            flight.left += 1
        flight.left -= 1
        if not flight.left:
            flight.settle(0)

    def _stray(self, door: Door, body: bytes, source: bytes) -> None:
        """Count what is not an exact echo with the run it touches, if any. None of it is ever credited."""
        key = body if door.strip else body[door.skip :]
        entry = self._waits.get(key) or door.swept(body)
        if entry is not None:
            entry[0].result.forged += 1  # The right words from the wrong mouth.
            return
        here = self._at.get(source, ())
        if self._gone.get(key) == source:
            del self._gone[key]
            if here:
                here[-1].result.late += 1
            elif len(self._late) < REMEMBERED:
                self._late[source] = self._late.get(source, 0) + 1
            return
        for flight in here:
            if flight.index(body) is not None or (door.raw and body[4:6] == flight.ident) or not door.raw:
                if len(body) < 8 + flight.plan.size:
                    flight.result.truncated += 1
                else:
                    flight.result.forged += 1
                return
        self.strays += 1

    def _drain(self, door: Door) -> tuple[int, Quoted | None]:
        """Empty the error queue. How many entries there were, and what our own kernel said of the packet just refused."""
        count, local = 0, None
        while count < BURST:
            try:
                data, ancillary, _flags, whom = door.sock.recvmsg(self._room + QUOTE, 512, socket.MSG_ERRQUEUE)
            except OSError:
                break
            count += 1
            error = quoted(data, ancillary, whom)
            if error is None:
                continue
            if error.local:
                local = error
            else:
                self._blame(error)
        if count:
            self._rearm(door)
        return count, local

    def _blame(self, error: Quoted) -> None:
        """Give an ICMP error to the packet of a run that it quotes to the byte (see `Flight.quoted`); else nobody is to blame."""
        for flight in self._at.get(packed(error.where), ()):
            index = flight.quoted(error.packet)
            if index is None or flight.rtts[index] is not None:
                continue
            flight.result.error = error
            if index not in flight.blamed:
                flight.blamed.add(index)
                flight.settle()
            return
