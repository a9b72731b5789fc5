"""One echo packet to each of many targets, kept in arrays: a sweep costs hardly more than the kernel's own work.

Owns: a sweep's packets and what must come back for them, sending them many at a time (`sendmmsg`), and comparing whole batches of replies
with what is waited for: the same comparison as for a single packet, to the byte, for many at once.
Never: opens or closes a socket, waits, or decides about a reply that is not the exact echo of a packet still waited for.

When a packet left is known by its batch: the clock is read before and after the call that sends it, and the packets of a call are taken to
have left evenly spread over it. That is good to a few µs, unless the kernel gave our core to somebody else in the midst of a call. Such a
call is known by its length; its packets are taken to have left early in it, so that a round trip is too long, not too short, and are told to be
`unsure`. A reply that came before its packet is thought to have left proves that wrong: it left a moment before.
"""

import asyncio
import socket
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate, pairwise
from operator import truediv
from typing import Any, Final

import numpy as np

from probes.echo_batch import ONE_CONTROL, SENDMMSG, SLOTS, Batch
from probes.echo_clock import MOMENT
from probes.echo_flight import TOKEN, Door, Echoes, Plan, Targets
from probes.echo_socket import SO_TIMESTAMPNS

BATCH: Final = 16
"""Packets of one call: few, because they are sent again when it is interrupted."""

INTERRUPTED: Final = 50_000
"""Nanoseconds by which a call is longer than its packets need, when it was interrupted: what a round trip may be wrong by."""

SMALL: Final = 200
"""Bytes of payload that no link in use has to cut in pieces (SLIP, the narrowest, carries 296): forbidding it changes nothing on the way,
and spares our kernel a tenth of the sending, the choice of a number for the pieces."""

MOST: Final = 32_768
"""Targets of one sweep: half of what a sequence number tells apart."""

NOTHING: Final = -1
"""The round trip of a packet that has not come back."""

IP_HEAD: Final = 20
"""Bytes before the ICMP message on a raw IPv4 socket, when the IP header has no options."""

IDENTITY: Final = 8 + TOKEN
"""Bytes in which packets differ; all that follow are zeros."""

# struct mmsghdr where a pointer has eight bytes; `echo_batch` has the same as a struct format.
_HEADER: Final = np.dtype(
    [
        ("name", "u8"), ("namelen", "u4"), ("", "u4"), ("vector", "u8"), ("vectors", "u8"),
        ("control", "u8"), ("controllen", "u8"), ("flags", "i4"), ("", "u4"), ("length", "u4"), ("", "u4"),
    ]
)  # fmt: skip
_CONTROL: Final = np.dtype(
    [("size", "u8"), ("level", "i4"), ("kind", "i4"), ("seconds", "i8"), ("nanoseconds", "i8"), ("", "V24")]
)


def departures(edges: Sequence[int], sizes: Sequence[int]) -> tuple[Any, list[int]]:
    """When each packet left, for calls of so many packets that began at each of the edges but the last, where the last one ended.

    With the places of the packets of which that is not sure.
    """
    took = [after - before for before, after in pairwise(edges)]
    usual = sorted(map(truediv, took, sizes))[len(took) // 2]
    places = [0, *accumulate(sizes)]
    left = np.interp(np.arange(0.5, places[-1]), places, edges).astype(np.int64)
    unsure: list[int] = []
    for call, size in enumerate(sizes):
        if took[call] - usual * size > INTERRUPTED:
            left[places[call] : places[call + 1]] = edges[call] + (np.arange(size) + 0.5) * usual
            unsure += range(places[call], places[call + 1])
    return left, unsure


class Sweep:
    """A flight of one packet to each of many targets. `sent` and `rtts` are in nanoseconds, `sent` 0 while a packet has not left."""

    __slots__ = (
        "_began", "_columns", "_echoes", "_headers", "_keep", "_mask", "_owner", "_packets", "_peers", "_start",
        "door", "end", "first", "ident", "left", "peers", "plan", "result", "rtts", "sent", "targets", "unsure",
    )  # fmt: skip

    def __init__(self, door: Door, targets: Targets, plan: Plan, noise: bytes, end: "asyncio.Future[None]") -> None:
        count = self.left = len(targets)
        assert count <= MOST
        self.door, self.plan, self.end = door, plan, end
        self.ident = noise[:2]
        self.first = int.from_bytes(noise[2:4], "big")
        self.targets, self.peers = targets.where, targets.peers
        self.result = Echoes()
        self.sent = np.zeros(count, np.int64)
        self.rtts = np.full(count, NOTHING, np.int64)
        self._began = np.zeros(count, np.int64)
        self._owner = np.zeros(count, np.int64)
        self.unsure: list[int] = []
        """The packets that may have left later than they are thought to have."""
        self._columns: Columns | None = None
        self._make(noise[4 : 4 + TOKEN * count])
        names = np.frombuffer(targets.names, np.uint8).reshape(count, -1)
        self._peers = names.view(np.uint32)
        self._headers = np.zeros(count, _HEADER)
        vectors = np.empty((count, 2), np.uint64)
        vectors[:, 0] = _steps(self._packets)
        vectors[:, 1] = self._packets.shape[1]
        self._headers["name"], self._headers["namelen"] = _steps(names), names.shape[1]
        self._headers["vector"], self._headers["vectors"] = _steps(vectors), 1
        self._start = self._headers.ctypes.data
        self._keep = (names, vectors)

    def _make(self, tokens: bytes) -> None:
        """All packets, and the first bytes of what their echoes must be: see `Flight.request`."""
        count, door = len(self.sent), self.door
        numbers = ((self.first + np.arange(count)) & 0xFFFF).astype(np.uint16).byteswap()
        words = np.frombuffer(tokens, np.uint16).reshape(count, TOKEN // 2).T.copy()
        heads = np.zeros((count, IDENTITY // 2), np.uint16)
        heads[:, 0], heads[:, 2] = np.frombuffer(door.request + self.ident, np.uint16)
        heads[:, 3] = numbers
        echo = int(np.frombuffer(door.reply, np.uint16)[0])
        mask = np.full(IDENTITY, 0xFF, np.uint8)
        checks = np.zeros(count, np.uint16)
        if door.strip:
            # In whatever order the bytes of a word are, the sum is the same (RFC 1071).
            sums = words.sum(axis=0, dtype=np.uint32) + numbers + heads[0, 2]
            # A checksum of 0 is the same as one of 0xFFFF to the one who verifies: then another token is taken.
            clash = np.flatnonzero((sums + echo) % 0xFFFF == 0)
            words[3, clash] ^= 1
            sums[clash] = words[:, clash].sum(axis=0, dtype=np.uint32) + numbers[clash] + heads[0, 2]
            checks = (0xFFFF - (sums + echo) % 0xFFFF).astype(np.uint16)
            heads[:, 1] = 0xFFFF - (sums + heads[0, 0]) % 0xFFFF
        else:
            mask[2 : door.skip] = 0  # Verified or chosen by the kernel.
        heads[:, 4:] = words.T
        self._packets = np.zeros((count, 8 + self.plan.size), np.uint8)
        self._packets[:, :IDENTITY] = heads.view(np.uint8)
        heads[:, 0], heads[:, 1] = echo, checks
        self._mask = mask.view(np.uint32)
        self._echoes = heads.view(np.uint32) & self._mask

    # What an engine asks of every flight.

    def request(self, index: int) -> bytes:
        """One packet's echo request."""
        return bytes(self._packets[index])

    def expected(self, index: int) -> bytes:
        """What must come back for it, as `Flight.expected`."""
        echo = bytes(self._echoes[index]) + bytes(self.plan.size - TOKEN)
        return echo if self.door.strip else echo[self.door.skip :]

    def answered(self, index: int) -> bool:
        """Whether its echo has come."""
        return bool(self.rtts[index] != NOTHING)

    def settle(self, count: int = 1) -> None:
        """So many packets will not be waited for any more."""
        self.left -= count
        if self.left <= 0 and not self.end.done():
            self.end.set_result(None)

    def find(self, body: bytes) -> int | None:
        """Which packet this ICMP message echoes, whoever sent it; None when it is no exact echo of any."""
        index = (int.from_bytes(body[6:8], "big") - self.first) & 0xFFFF
        if index >= len(self.sent) or not self.sent[index]:
            return None
        return index if body[0 if self.door.strip else self.door.skip :] == self.expected(index) else None

    def lost(self) -> Iterator[int]:
        """The packets that left and did not come back."""
        missing = np.flatnonzero((self.sent > 0) & (self.rtts == NOTHING))
        return iter(missing.tolist())

    def seconds(self) -> list[float | None]:
        """All round trips, in the order of the targets."""
        seconds: list[float | None] = (self.rtts / 1e9).tolist()
        for index in np.flatnonzero(self.rtts == NOTHING).tolist():
            seconds[index] = None
        return seconds

    # Many at once.

    def send(self, index: int, stop: int, monotonic: Callable[[], int]) -> int:
        """Send the packets from `index` on, before `stop`; how many the kernel took, 0 when it refused the first.

        Why it refused is not known here: sending that one alone tells.
        """
        sock = self.door.sock
        if SENDMMSG is None or not isinstance(sock, socket.socket):
            return 0
        if self.door.plan is not self.plan:
            try:
                self.door.adjust(self.plan)
            except OSError:
                return 0
        descriptor, start, at = sock.fileno(), self._start, index
        edges, sizes = [monotonic()], []
        while at < stop:
            wanted = min(stop - at, BATCH)
            count = SENDMMSG(descriptor, start + at * _HEADER.itemsize, wanted, socket.MSG_DONTWAIT)
            if count <= 0:
                break
            edges.append(monotonic())
            sizes.append(count)
            at += count
        if sizes:
            self.sent[index:at], unsure = departures(edges, sizes)
            self.unsure += (index + place for place in unsure)
            self._began[index:at] = np.repeat(edges[:-1], sizes)
            self.result.sent += at - index
        return at - index

    def credit(self, batch: Batch, count: int, distance: int | None, now: int) -> list[int]:
        """Take the round trips of a batch's exact echoes; the slots of all other packets, for closer inspection.

        `distance` leads from the monotonic clock to the wall clock, None when it is not known; `now` is of the monotonic clock.
        """
        columns = self._columns
        if columns is None or columns.batch is not batch.data:
            columns = self._columns = Columns(batch)
        begin, width = (IP_HEAD if self.door.strip else 0), self._packets.shape[1]
        numbers = columns.words[:count, begin // 2 + 3].astype(np.int64)
        # A number that is none of ours is held against the last of them, whose bytes it does not have.
        index = np.minimum((numbers - self.first) & 0xFFFF, len(self.sent) - 1)
        good = columns.headers["length"][:count] == begin + width
        if begin:
            good &= columns.data[:count, 0] == 0x45  # No options: else the message stands elsewhere.
        heads = columns.longs[:count, begin // 4 : (begin + IDENTITY) // 4]
        _all(good, (heads & self._mask) == self._echoes.take(index, axis=0))
        rest = columns.data[:count, begin + IDENTITY : begin + width]
        if rest.any():
            good &= ~rest.any(axis=1)
        _all(good, columns.names[:count, : self._peers.shape[1]] == self._peers.take(index, axis=0))
        good &= (self.sent.take(index) > 0) & (self.rtts.take(index) == NOTHING)
        if good.all() and (index[1:] > index[:-1]).all():  # Each once, in order: as it should be.
            self._take(slice(count), index, columns, distance, now)
            return []
        # Of two in one batch the first one counts: written last, it is what stands there.
        slots = np.flatnonzero(good)
        self._owner[index[slots[::-1]]] = slots[::-1]
        slots = slots[self._owner[index[slots]] == slots]
        self._take(slots, index[slots], columns, distance, now)
        good[:] = True
        good[slots] = False
        return [int(slot) for slot in np.flatnonzero(good)]

    def _take(self, slots: Any, index: Any, columns: "Columns", distance: int | None, now: int) -> None:
        """Round trips by the kernel's stamps, by the moment of reading where those cannot be trusted."""
        sent, began = self.sent.take(index), self._began.take(index)
        if distance is None:
            arrived = np.full(len(index), now, np.int64)
        else:
            arrived = columns.seconds[slots] * 1_000_000_000 + (columns.nanoseconds[slots] - distance)
            wrong = (arrived < began) | (arrived > now) | ~columns.stamped(slots)
            if wrong.any():
                arrived[wrong] = now
        rtts = np.maximum(arrived - sent, np.minimum(arrived - began, MOMENT))
        self.rtts[index] = rtts
        self.settle(len(index))


class Columns:
    """A batch's buffers, seen as arrays."""

    __slots__ = ("batch", "control", "data", "headers", "longs", "names", "nanoseconds", "seconds", "words")

    def __init__(self, batch: Batch) -> None:
        self.batch = batch.data
        self.data = np.frombuffer(batch.data, np.uint8).reshape(SLOTS, -1)
        self.names = np.frombuffer(batch.names, np.uint32).reshape(SLOTS, -1)
        self.headers = np.frombuffer(batch.headers, _HEADER)
        self.words = self.data.view(">u2")
        self.longs = self.data.view(np.uint32)
        self.control = np.frombuffer(batch.control, _CONTROL)
        self.seconds, self.nanoseconds = self.control["seconds"], self.control["nanoseconds"]

    def stamped(self, slots: Any) -> Any:
        """Which of them the kernel has stamped."""
        return (self.headers["controllen"][slots] >= ONE_CONTROL) & (self.control["kind"][slots] == SO_TIMESTAMPNS)


def _all(good: Any, equal: Any) -> None:
    """Keep of the good rows those whose every word is equal; quick when all are."""
    if not equal.all():
        good &= equal.all(axis=1)


def _steps(matrix: Any) -> Any:
    """Where each row of a contiguous matrix lies."""
    return matrix.ctypes.data + np.arange(len(matrix), dtype=np.uint64) * matrix.strides[0]
