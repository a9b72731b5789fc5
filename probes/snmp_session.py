"""One conversation with one device: asked again while it is silent, and only its own answers to our own questions taken.

Owns: request ids, retransmission, and for version 3 the device's engine, remembered between runs.
Never: keeps time beyond the wait before it asks again (the run's deadline ends it), or reads what an answer means.
"""

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from probes.contract import ProbeError, Reason
from probes.datagram import MOST_IGNORED, Datagram
from probes.snmp_ber import UnreadableError
from probes.snmp_wire import GET, REPORT, RESPONSE, TOO_BIG, Ask, Pdu, message_2c, named, read_2c, read_pdu, refused
from probes.tools import Tools

if TYPE_CHECKING:
    from probes.snmp_usm import Engine, Opened, User

FIRST_WAIT: Final = 1.0
"""Seconds until a question is sent again, doubling each time: one lost packet is no outage."""

BATCH: Final = 24
"""Variables of one question: its answer fits an Ethernet frame."""

ALIVE: Final = 0.5
"""Seconds that a device has for a good answer once it is known to be there: it said who it is, or something that cannot be read."""

MOST_ENGINES: Final = 4096
"""Devices whose engines are remembered."""

_USM: Final = "1.3.6.1.6.3.15.1.1."
REPORTS: Final = {
    named(_USM + "1.0"): "the device does not allow the user without (or with) privacy: unsupported security level",
    named(_USM + "3.0"): "the device does not know this user",
    named(_USM + "5.0"): "wrong digest: the password or the protocol of auth is wrong",
    named(_USM + "6.0"): "the device cannot decrypt: the password or the protocol of priv is wrong",
}
NOT_IN_TIME: Final = named(_USM + "2.0")
UNKNOWN_ENGINE: Final = named(_USM + "4.0")


@dataclass(slots=True)
class Tally:
    """What happened on the way."""

    requests: int = 0
    retransmissions: int = 0
    ignored: int = 0


class Session(ABC):
    """Questions to one device over a line that somebody else closes, one after the other."""

    def __init__(self, tools: Tools, line: Datagram) -> None:
        self.tools, self.line = tools, line
        self.tally = Tally()
        self._until = 0.0

    def tell(self) -> None:
        """What happened, as facts."""
        tally = self.tally
        self.tools.note(requests=tally.requests, retransmissions=tally.retransmissions, ignored=tally.ignored)

    @abstractmethod
    async def ask(self, ask: Ask) -> Pdu:
        """The device's answer, whatever its error-status."""

    async def get(self, oids: Sequence[str]) -> list[tuple[int, bytes]]:
        """Tag and content of each, in the order asked; smaller questions where the device says that the answer would be too big."""
        found: list[tuple[int, bytes]] = []
        size, at = BATCH, 0
        while at < len(oids):
            some = tuple(oids[at : at + size])
            pdu = await self.ask(Ask(GET, some))
            if pdu.status == TOO_BIG and len(some) > 1:
                size = max(1, len(some) // 2)
                continue
            if pdu.status:
                raise refused(pdu, some)
            if [binding.name for binding in pdu.bindings] != [named(oid) for oid in some]:
                raise ProbeError(Reason.PROTOCOL, "the device answers other variables than it was asked for")
            found += [(binding.tag, binding.content) for binding in pdu.bindings]
            at += len(some)
        return found

    def _id(self) -> int:
        """An unpredictable id for one question."""
        return int.from_bytes(self.tools.token(4), "big") & 0x7FFFFFFF

    def _soon(self) -> None:
        """The device is there: it need not be waited for as long as one that may be dead."""
        self._until = min(self._until, asyncio.get_running_loop().time() + ALIVE)

    async def _exchange(self, make: Callable[[int], Sequence[bytes]], read: Callable[[bytes], Pdu | None]) -> Pdu:
        """The first answer that `read` takes; what `make` gives for the n-th time of asking is sent, until the caller has had enough.

        A datagram that cannot be read is no answer; but when nothing better comes in its time, it is the outcome.
        """
        loop = asyncio.get_running_loop()
        wait, tries = FIRST_WAIT, 0
        self.tally.requests += 1
        while True:
            for data in make(tries):
                self.line.send(data)
            self._until = loop.time() + wait
            pdu = await self._taken(read)
            if pdu is not None:
                self.line.settle()
                return pdu
            tries += 1
            wait *= 2
            self.tally.retransmissions += 1
            self.line.widen()

    async def _taken(self, read: Callable[[bytes], Pdu | None]) -> Pdu | None:
        """What `read` takes until it is time to ask again; None when there was nothing."""
        broken: UnreadableError | None = None
        while (data := await self.line.receive_until(self._until)) is not None:
            try:
                pdu = read(data)
            except UnreadableError as problem:
                broken, pdu = broken or problem, None
                self._soon()  # It was the answer, most likely: a better one need not be waited for as long.
            if pdu is not None:
                return pdu
            self.tally.ignored += 1
            if self.tally.ignored >= MOST_IGNORED:
                raise ProbeError(Reason.PROTOCOL, f"{MOST_IGNORED} datagrams came, and none was the answer")
        if broken is not None:
            raise broken
        return None


class Session2c(Session):
    """Version 2c: a community. A wrong one is not answered, so it cannot be told from a dead device."""

    def __init__(self, tools: Tools, line: Datagram, community: bytes) -> None:
        super().__init__(tools, line)
        self._community = community

    async def ask(self, ask: Ask) -> Pdu:
        """See Session.ask."""
        id = self._id()
        messages = (message_2c(self._community, ask.pdu(id)),)
        return await self._exchange(lambda tries: messages, lambda data: read_2c(data, id))


class Session3(Session):
    """Version 3 with a user. The engine is learnt once, then kept for the next runs."""

    def __init__(self, tools: Tools, line: Datagram, port: int, user: "User") -> None:
        super().__init__(tools, line)
        self._user = user
        self._engines: dict[tuple[str, int], Engine] = tools.workbench.kept.setdefault("snmp engines", {})
        self._port = port
        self._heard: Opened | None = None
        self._alive = False

    async def ask(self, ask: Ask) -> Pdu:
        """See Session.ask. ProbeError `auth` when the device says no to the user, or is there and ignores what we encrypted."""
        for _ in range(4):
            engine = self._engines.get(self._key) or await self._discover()
            pdu = await self._protected(ask, engine)
            if pdu.kind == RESPONSE:
                return pdu
            said = pdu.bindings[0].name if pdu.bindings else b""
            if said in REPORTS:
                raise ProbeError(Reason.AUTH, REPORTS[said])
            if said not in (NOT_IN_TIME, UNKNOWN_ENGINE):
                raise ProbeError(Reason.SNMP, "the device sends a report that says neither yes nor no")
            heard = self._heard
            self._engines.pop(self._key, None)
            if said == NOT_IN_TIME and heard is not None and heard.engine == engine.id:
                self._remember(heard)
        raise ProbeError(Reason.AUTH, "the device does not agree with its own clock: not in its time window")

    @property
    def _key(self) -> tuple[str, int]:
        return self.line.address.ip, self._port

    async def _discover(self) -> "Engine":
        from probes.snmp_usm import discovery

        id = self._id()
        message = discovery(id, Ask(GET, ()).pdu(id))
        await self._exchange(lambda tries: (message,), lambda data: self._introduced(data, id))
        assert self._heard is not None
        return self._remember(self._heard)

    def _remember(self, heard: "Opened") -> "Engine":
        from probes.snmp_usm import Engine

        engine = Engine(heard.engine, heard.boots, heard.time, time.monotonic())
        while len(self._engines) >= MOST_ENGINES:
            self._engines.pop(next(iter(self._engines)))
        self._engines[self._key] = engine
        return engine

    def _introduced(self, data: bytes, id: int) -> Pdu | None:
        """The report that answers a discovery."""
        from probes.snmp_usm import open_message

        opened = open_message(data, self._user, b"")
        if opened is None or opened.id != id or opened.scoped is None or not 5 <= len(opened.engine) <= 32:
            return None
        pdu = read_pdu(opened.scoped, None)
        if pdu is None or pdu.kind != REPORT:
            return None
        self._heard = opened
        return pdu

    async def _protected(self, ask: Ask, engine: "Engine") -> Pdu:
        from probes.snmp_usm import discovery, seal

        id, hello = self._id(), self._id()
        pdu = ask.pdu(id)
        self._alive = False

        def make(tries: int) -> Sequence[bytes]:
            if self._alive and self._user.cipher:
                raise ProbeError(
                    Reason.AUTH, "the device ignores what we encrypt: the password or the protocol of priv is wrong"
                )
            sealed = seal(id, self._user, engine, time.monotonic(), self.tools.token(8), pdu)
            # Asked again, it is also asked who it is: to know a device that has changed, or one that cannot read us, from a dead one.
            return (sealed, discovery(hello, Ask(GET, ()).pdu(hello))) if tries else (sealed,)

        return await self._exchange(make, lambda data: self._answer(data, id, hello, engine))

    def _answer(self, data: bytes, id: int, hello: int, engine: "Engine") -> Pdu | None:
        """The answer, or a report on it. Of what claims to be genuine, only what is; of a response, only one as protected as the question."""
        from probes.snmp_usm import WINDOW, open_message

        opened = open_message(data, self._user, engine.id)
        if opened is None or opened.scoped is None:
            return None
        if opened.id == hello:
            if opened.engine == engine.id:
                self._alive = True
                self._soon()
                return None
            self._heard = opened
            return read_pdu(opened.scoped, None)  # Another engine than we knew: the report says so.
        if opened.id != id:
            return None
        pdu = read_pdu(opened.scoped, None)
        if pdu is None:
            return None
        if pdu.kind == REPORT:
            self._heard = opened
            return pdu
        late = opened.boots < engine.boots or (
            opened.boots == engine.boots and opened.time < engine.clock(time.monotonic()) - WINDOW
        )
        if opened.flags & 3 != self._user.flags or opened.engine != engine.id or pdu.id != id:
            return None
        return None if self._user.digest and late else pdu
