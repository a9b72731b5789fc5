"""Datagrams to one target: a connected socket of its own for each run, errors of the way raised, asked again at growing intervals.

Owns: the sockets (a fresh port each; the kernel drops what comes from elsewhere), ICMP errors as exceptions, retransmission, the next
address of a name when one is silent, and how many foreign datagrams are borne. What has come and is not read yet waits in the kernel, whose
buffer is bounded. Never: reads what came, resolves by itself, or keeps time: the run's deadline cancels it.
"""

import asyncio
import errno
import os
import socket
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import Enum
from math import inf
from typing import Final, TypeVar

from probes.contract import Address, Family, ProbeError, Reason
from probes.dial import MOST_ADDRESSES
from probes.echo_socket import IP_RECVERR, IPV6_RECVERR, quoted
from probes.tools import Tools

MOST_IGNORED: Final = 1000
"""Datagrams that are no answer, after which a run gives up: the most work that a flood can make us do."""

AT_ONCE: Final = 32
"""Datagrams read in a row before other runs have a turn."""

LONGEST: Final = 65535

_MOST_QUOTED: Final = 8

AnswerT = TypeVar("AnswerT")


class Mark(Enum):
    """What a datagram is when it is not the answer."""

    FOREIGN = "foreign"
    """Somebody else's, or nothing at all: counted, and waited on."""
    PROVISIONAL = "provisional"
    """The target is at it: waited on, and asked again at the longest interval only."""


@dataclass(slots=True)
class Tally:
    """What happened on the way to an answer."""

    retransmissions: int = 0
    ignored: int = 0
    provisional: int = 0
    rtt: float | None = None
    """Seconds from the question to the first word of the target; None when it was asked twice: nobody knows which it answered (Karn)."""


@asynccontextmanager
async def open_datagram(tools: Tools, host: str, port: int, family: Family = Family.ANY) -> AsyncIterator["Datagram"]:
    """A line to `host:port`, closed at the end; phases `resolve` and `connect`. OSError when this host has no way to any address."""
    addresses = await tools.resolve(host, family)
    with tools.phase("connect"):
        line = Datagram(addresses, port)
    try:
        yield line
    finally:
        line.close()


class Datagram:
    """One target, by the first of its addresses that this host has a way to; the next ones as `ask` needs them."""

    __slots__ = ("_loop", "_open", "_pack", "_port", "_row", "_waiter", "_waiting", "address")

    def __init__(self, addresses: Sequence[Address], port: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._port = port
        self._waiting = list(addresses[:MOST_ADDRESSES])
        self._open: dict[Address, socket.socket] = {}
        self._waiter: asyncio.Future[None] | None = None
        self._pack: Callable[[str, int], bytes] | None = None
        self._row = 0
        self.address = self._waiting[0]
        """Where the last word came from, or else where the last one went."""
        while not self._open:
            self._widen()  # The last address raises.

    def close(self) -> None:
        """Let go of the sockets. May be called twice."""
        for address in tuple(self._open):
            self._drop(address)

    @property
    def local(self) -> tuple[str, int]:
        """Our own address and port on the way to `address`."""
        name = self._open[self.address].getsockname()
        return str(name[0]), int(name[1])

    def send(self, payload: bytes) -> None:
        """One datagram; the same to the next address, should this one turn out to be closed."""
        self._say(lambda _host, _port: payload)

    def widen(self) -> None:
        """Nobody answers: what was said last is said to the next address of the name as well, where there is one."""
        self._widen()

    def settle(self) -> None:
        """`address` has answered: the others are let go."""
        self._settle()

    async def receive(self) -> bytes:
        """The next datagram of the target. OSError, or ProbeError with what a router said, when the way is closed."""
        data = await self.receive_until(inf)
        assert data is not None
        return data

    async def receive_until(self, when: float) -> bytes | None:
        """The same, or None when it is `when` (loop time)."""
        while True:
            if self._loop.time() >= when:
                return None
            for address, sock in tuple(self._open.items()):
                try:
                    data = sock.recv(LONGEST)
                except BlockingIOError:
                    continue
                except OSError as error:
                    self._broken(address, error)
                else:
                    self.address = address
                    await self._take_turns()
                    return data
            self._row = 0
            await self._wait(when)

    async def ask(
        self,
        pack: Callable[[str, int], bytes],
        read: Callable[[bytes], AnswerT | Mark],
        tally: Tally,
        *,
        first: float,
        longest: float = inf,
    ) -> AnswerT:
        """What `read` makes of the first datagram that answers; asked again after `first` seconds, then doubling up to `longest`.

        `pack` makes the question for our own address and port. A silent address is given company by the next one at each repetition.
        ProbeError `protocol` after MOST_IGNORED datagrams that are no answer.
        """
        wait, sent = first, time.perf_counter()
        self._say(pack)
        again = self._loop.time() + wait
        while True:
            data = await self.receive_until(again)
            if data is None:
                wait = min(wait * 2, longest)
                again = self._loop.time() + wait
                tally.retransmissions += 1
                self._say(pack)
                self._widen()
                continue
            found = read(data)
            if found is Mark.FOREIGN:
                tally.ignored += 1
                if tally.ignored >= MOST_IGNORED:
                    raise ProbeError(Reason.PROTOCOL, f"{MOST_IGNORED} datagrams came, and none was the answer")
                continue
            if tally.rtt is None and not tally.retransmissions:
                tally.rtt = time.perf_counter() - sent
            self._settle()
            if not isinstance(found, Mark):
                return found
            tally.provisional += 1
            if tally.provisional >= MOST_IGNORED:
                raise ProbeError(Reason.PROTOCOL, f"{MOST_IGNORED} provisional answers, and no final one")
            wait, again = longest, self._loop.time() + longest

    # Inside.

    def _say(self, pack: Callable[[str, int], bytes]) -> None:
        self._pack = pack
        for address in tuple(self._open):
            if address in self._open:
                self._send(address)

    def _widen(self) -> None:
        """Open the next address, if there is one, and say there what was said last. OSError when this host has no way to any."""
        if not self._waiting:
            return
        address = self._waiting.pop(0)
        try:
            sock = _opened(address, self._port)
        except OSError:
            if self._waiting or self._open:
                return
            raise
        self._open[address] = sock
        self.address = address
        self._loop.add_reader(sock.fileno(), self._wake)
        if self._pack is not None:
            self._send(address)

    def _settle(self) -> None:
        """One address has answered: the others are let go."""
        self._waiting.clear()
        if len(self._open) > 1:
            for address in tuple(self._open):
                if address != self.address:
                    self._drop(address)

    def _drop(self, address: Address) -> None:
        sock = self._open.pop(address)
        self._loop.remove_reader(sock.fileno())
        sock.close()

    def _send(self, address: Address) -> None:
        assert self._pack is not None
        sock = self._open[address]
        pending = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if pending:
            # The answer to what was sent before: the kernel would give it to this datagram as if it were of our own making.
            self._broken(address, OSError(pending, os.strerror(pending)))
            if address not in self._open:
                return
        name = sock.getsockname()
        try:
            sock.send(self._pack(str(name[0]), int(name[1])))
        except BlockingIOError:
            return  # No room now: it is sent again when no answer comes.
        except OSError as error:
            self._broken(address, error)

    def _broken(self, address: Address, error: OSError) -> None:
        """An error of one address: the next one has its turn; raised when there is none, as errno or as what a router said."""
        said = _said(self._open[address])
        if error.errno == errno.EMSGSIZE and said is not None:
            return  # The kernel has noted how little the way carries: what is sent again goes in pieces.
        self._drop(address)
        while self._waiting and not self._open:
            self._widen()
        if self._open:
            return
        if said is None or error.errno == errno.ECONNREFUSED:
            raise error
        raise ProbeError(*said) from error

    async def _take_turns(self) -> None:
        self._row += 1
        if self._row >= AT_ONCE:
            self._row = 0
            await asyncio.sleep(0)

    async def _wait(self, when: float) -> None:
        self._waiter = self._loop.create_future()
        timer = self._loop.call_at(when, self._wake) if when < inf else None
        try:
            await self._waiter
        finally:
            self._waiter = None
            if timer is not None:
                timer.cancel()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


def _opened(address: Address, port: int) -> socket.socket:
    """A socket that hears nobody but the target, and every ICMP error about it."""
    bare, _, zone = address.ip.partition("%")
    sock = socket.socket(address.family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        if address.family == socket.AF_INET:
            sock.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)
            sock.connect((bare, port))
        else:
            sock.setsockopt(socket.IPPROTO_IPV6, IPV6_RECVERR, 1)
            sock.connect((bare, port, 0, _interface(zone) if zone else 0))
    except BlockingIOError as error:
        sock.close()
        # Linux says EAGAIN, not EADDRNOTAVAIL, when no port is left to bind a datagram socket to.
        raise OSError(errno.EADDRNOTAVAIL, os.strerror(errno.EADDRNOTAVAIL)) from error
    except BaseException:
        sock.close()
        raise
    return sock


def _interface(zone: str) -> int:
    try:
        return socket.if_nametoindex(zone)
    except OSError as error:
        raise OSError(errno.ENETUNREACH, f"no interface {zone}") from error


def _said(sock: socket.socket) -> tuple[Reason, str] | None:
    """What the first of the quoted errors on a socket says and who said it; None when there is none: then the error is our own."""
    first: tuple[Reason, str] | None = None
    for _ in range(_MOST_QUOTED):
        try:
            packet, ancillary, _flags, where = sock.recvmsg(2048, 512, socket.MSG_ERRQUEUE)
        except OSError:
            break
        error = quoted(packet, ancillary, where)
        if error is not None and first is None:
            first = (error.reason, error.detail)
    return first
