"""One echo packet to each of many targets, kept in arrays: a sweep costs hardly more than the kernel's own work.

Owns: a sweep's packets and what must come back for them, sending them many at a time (`sendmmsg`), and comparing whole batches of replies
with what is waited for: the same comparison as for a single packet, to the byte, for many at once.
Never: opens or closes a socket, waits, or decides about a reply that is not the exact echo of a packet still waited for.

When a packet left is known by its batch: the clock is read before the call that sends `BATCH` of them, and each is taken to have left
`PACKET` after the one before it. The error is at most the time of the call, some 100 µs, and makes a round trip too long, not too short. A
reply that came before that moment proves it wrong, and the beginning of the call stands in for it.
"""

import asyncio
import socket
from collections.abc import Callable, Iterator
from typing import Any, Final

import numpy as np

from probes.echo_batch import ONE_CONTROL, SENDMMSG, SLOTS, Batch
from probes.echo_flight import TOKEN, Door, Echoes, Plan, Targets
from probes.echo_socket import SO_TIMESTAMPNS

BATCH: Final = 32
"""Packets of one call: few, so that it is known well enough when each of them left."""

PACKET: Final = 1_000
"""Nanoseconds in which no kernel has a packet on its way much faster."""

MOST: Final = 32_768
"""Targets of one sweep: half of what a sequence number tells apart."""

NOTHING: Final = -1
"""The round trip of a packet that has not come back."""

IP_HEAD: Final = 20
"""Bytes before the ICMP message on a raw IPv4 socket, when the IP header has no options."""

_RAMP: Final = np.arange(BATCH) * PACKET

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


class Sweep:
    """A flight of one packet to each of many targets. `sent` and `rtts` are in nanoseconds, `sent` 0 while a packet has not left."""

    __slots__ = (
        "_began", "_columns", "_echoes", "_headers", "_keep", "_owner", "_packets", "_peers", "_start",
        "door", "end", "first", "ident", "left", "peers", "plan", "result", "rtts", "sent", "targets",
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
        self._columns: Columns | None = None
        self._make(noise[4:])
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
        """All packets, and what their echoes must be: see `Flight.request`."""
        count, door = len(self.sent), self.door
        packets = np.zeros((count, 8 + self.plan.size), np.uint8)
        packets[:, 0:2] = np.frombuffer(door.request, np.uint8)
        packets[:, 4:6] = np.frombuffer(self.ident, np.uint8)
        numbers = ((self.first + np.arange(count)) & 0xFFFF).astype(">u2")
        packets[:, 6:8] = numbers.view(np.uint8).reshape(count, 2)
        packets[:, 8:16] = np.frombuffer(tokens, np.uint8).reshape(count, TOKEN)
        echoes = packets.copy()
        echoes[:, 0:2] = np.frombuffer(door.reply, np.uint8)
        if door.strip:
            words = _words(echoes)
            # A checksum of 0 is the same as one of 0xFFFF to the one who verifies: then another token is taken.
            clash = np.flatnonzero(words % 0xFFFF == 0)
            for matrix in (packets, echoes):
                matrix[clash, 15] ^= 1
            words[clash] = _words(echoes[clash])
            for matrix, sums in ((packets, words + 0x0800), (echoes, words)):
                matrix[:, 2:4] = (0xFFFF - sums % 0xFFFF).astype(">u2").view(np.uint8).reshape(count, 2)
        else:
            echoes[:, 2 : door.skip] = 0  # Verified or chosen by the kernel.
        self._packets, self._echoes = packets, echoes

    # What an engine asks of every flight.

    def request(self, index: int) -> bytes:
        """One packet's echo request."""
        return bytes(self._packets[index])

    def expected(self, index: int) -> bytes:
        """What must come back for it, as `Flight.expected`."""
        return bytes(self._echoes[index, 0 if self.door.strip else self.door.skip :])

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
        return [None if rtt == NOTHING else rtt / 1e9 for rtt in self.rtts.tolist()]

    # Many at once.

    def send(self, index: int, stop: int, monotonic: Callable[[], int]) -> int:
        """Send the packets from `index` on, at most BATCH of them and before `stop`; how many the kernel took, 0 when it refused the first.

        Why it refused is not known here: sending that one alone tells.
        """
        sock = self.door.sock
        if SENDMMSG is None or not isinstance(sock, socket.socket):
            return 0
        began = monotonic()
        wanted = min(stop - index, BATCH)
        count = int(SENDMMSG(sock.fileno(), self._start + index * _HEADER.itemsize, wanted, socket.MSG_DONTWAIT))
        if count <= 0:
            return 0
        self.sent[index : index + count] = _RAMP[:count] + began
        self._began[index : index + count] = began
        self.result.sent += count
        return count

    def credit(self, batch: Batch, count: int, distance: int | None, now: int) -> list[int]:
        """Take the round trips of a batch's exact echoes; the slots of all other packets, for closer inspection.

        `distance` leads from the monotonic clock to the wall clock, None when it is not known; `now` is of the monotonic clock.
        """
        columns = self._columns
        if columns is None or columns.batch is not batch.data:
            columns = self._columns = Columns(batch)
        begin, width = (IP_HEAD if self.door.strip else 0), self._packets.shape[1]
        rows = columns.data[:count]
        body = rows[:, begin : begin + width]
        numbers = columns.words[:count, begin // 2 + 3].astype(np.int64)
        # A number that is none of ours is held against the last of them, whose bytes it does not have.
        index = np.minimum((numbers - self.first) & 0xFFFF, len(self.sent) - 1)
        good = columns.headers["length"][:count] == begin + width
        if begin:
            good &= rows[:, 0] == 0x45  # No options: else the message stands elsewhere.
        else:
            body = body.copy()
            body[:, 2 : self.door.skip] = 0
        good &= _same(body, self._echoes.take(index, axis=0))
        good &= _same(columns.names[:count, : self._peers.shape[1]], self._peers.take(index, axis=0))
        good &= (self.sent.take(index) > 0) & (self.rtts.take(index) == NOTHING)
        # Of two in one batch the first one counts: written last, it is what stands there.
        slots = np.flatnonzero(good)
        self._owner[index[slots[::-1]]] = slots[::-1]
        slots = slots[self._owner[index[slots]] == slots]
        self._take(slots, index[slots], columns, distance, now)
        if len(slots) == count:
            return []
        good[:] = True
        good[slots] = False
        return [int(slot) for slot in np.flatnonzero(good)]

    def _take(self, slots: Any, index: Any, columns: "Columns", distance: int | None, now: int) -> None:
        """Round trips by the kernel's stamps, by the moment of reading where those cannot be trusted."""
        sent, began = self.sent.take(index), self._began.take(index)
        if distance is None:
            arrived = np.full(len(slots), now, np.int64)
        else:
            arrived = columns.seconds[slots] * 1_000_000_000 + (columns.nanoseconds[slots] - distance)
            arrived[~columns.stamped(slots) | (arrived < began) | (arrived > now)] = now
        rtts = arrived - sent
        early = rtts <= 0
        rtts[early] += (sent - began)[early]
        self.rtts[index] = rtts
        self.settle(len(slots))


class Columns:
    """A batch's buffers, seen as arrays."""

    __slots__ = ("batch", "control", "data", "headers", "names", "nanoseconds", "seconds", "words")

    def __init__(self, batch: Batch) -> None:
        self.batch = batch.data
        self.data = np.frombuffer(batch.data, np.uint8).reshape(SLOTS, -1)
        self.names = np.frombuffer(batch.names, np.uint32).reshape(SLOTS, -1)
        self.headers = np.frombuffer(batch.headers, _HEADER)
        self.words = self.data.view(">u2")
        self.control = np.frombuffer(batch.control, _CONTROL)
        self.seconds, self.nanoseconds = self.control["seconds"], self.control["nanoseconds"]

    def stamped(self, slots: Any) -> Any:
        """Which of them the kernel has stamped."""
        return (self.headers["controllen"][slots] >= ONE_CONTROL) & (self.control["kind"][slots] == SO_TIMESTAMPNS)


def _same(rows: Any, others: Any) -> Any:
    """Which rows are equal to the byte; quick when all are."""
    if rows.tobytes() == others.tobytes():
        return True
    return (rows == others).all(axis=1)


def _words(packets: Any) -> Any:
    """Sums of the 16-bit words, the payload's zeros left out (RFC 1071)."""
    return np.ascontiguousarray(packets[:, : 8 + TOKEN]).view(">u2").sum(axis=1, dtype=np.int64)


def _steps(matrix: Any) -> Any:
    """Where each row of a contiguous matrix lies."""
    return matrix.ctypes.data + np.arange(len(matrix), dtype=np.uint64) * matrix.strides[0]
