"""Names to addresses: our own resolver, asynchronous, with a deadline, a cache that obeys TTLs, and the honesty to say that *it* is blind.

Owns: the nameservers of this host, what they said and for how long it counts, and whose fault it is that a name has no address.
Never: uses the event loop's default executor (six threads: one look-up behind twelve dead ones would wait for them), searches in
other domains (a name is taken as it is written), or keeps an answer that it did not get.

Whose fault. NXDOMAIN and no data are statements about the name: the target's. Silence and refusal are ours. SERVFAIL, or silence about one
name, may be either: a control question for a random name in the same top-level domain tells, because no cache can answer it.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import dns.exception
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype

from probes.contract import Address, Family, ProbeError, Reason
from probes.dns_wire import Question, Tally, ask_datagram, ask_stream, cut_short, open_stream, read
from probes.errors import classify
from probes.names import LOOPBACK, Local, Server, address, local, server, usable, wire_name

PATIENCE: Final = 10.0
"""Seconds one look-up goes on for, whoever waits; its late answer still fills the cache."""

STAGGER: Final = 1.0
"""Seconds before the next nameserver is asked beside a silent one, and before the control question is put."""

CONTROL: Final = 2.0
"""Seconds a control question may take, and its answer counts."""

OTHER_FAMILY: Final = 0.05
"""Seconds the addresses of one family wait for those of the other (RFC 8305 §3)."""

SHORTEST: Final = 1.0
LONGEST: Final = 3600.0
NEGATIVE: Final = 5.0
"""Seconds: bounds of how long an address counts, and how long "no such name" does: a repaired name must be seen at once."""

ONE_FAMILY: Final = 60.0
"""Seconds for which "none of this family" goes on to count while there are addresses of the other: most names have one family, and
asking for the other before every run would double the questions."""

ENTRIES: Final = 20_000
"""Answers kept, the oldest dropped first."""

MOST_ADDRESSES: Final = 32

REREAD: Final = 5.0
"""Seconds between two looks at the host's files."""

MARGIN: Final = 0.05
"""Seconds before a deadline at which we say ourselves that the resolver was silent."""

_KEPT: Final = frozenset({Reason.OWN_FDS, Reason.OWN_MEMORY, Reason.OWN_PORTS})

Key = tuple[dns.name.Name, dns.rdatatype.RdataType]


@dataclass(frozen=True, slots=True)
class Known:
    """What a look-up found: addresses, or why there are none; it counts until `expires` (loop time)."""

    addresses: tuple[Address, ...] = ()
    reason: Reason = Reason.OK
    detail: str = ""
    expires: float = 0.0


class Search:
    """A look-up under way, shared by all who want it."""

    __slots__ = ("control", "task")

    def __init__(self) -> None:
        self.task: asyncio.Task[Known] | None = None
        self.control: asyncio.Task[bool] | None = None

    def healthy(self) -> bool:
        """Whether the control question was answered while this one was not."""
        control = self.control
        return control is not None and control.done() and not control.cancelled() and control.result()


class Resolver:
    """Addresses of names. Lives in one event loop; opens nothing until it is asked.

    `nameservers` are addresses, `ip` or `ip:port`; None takes those of `resolv_conf`, read again when it may have changed.
    """

    def __init__(
        self,
        nameservers: Sequence[str] | None = None,
        *,
        entropy: Callable[[int], bytes],
        resolv_conf: Path = Path("/etc/resolv.conf"),
        hosts: Path = Path("/etc/hosts"),
    ) -> None:
        self._given = None if nameservers is None else tuple(server(text) for text in nameservers)
        self._entropy = entropy
        self._files = (resolv_conf, hosts)
        self._local: Local | None = None
        self._read_at = 0.0
        self._reading: asyncio.Task[None] | None = None
        self._thread: ThreadPoolExecutor | None = None
        self._cache: dict[Key, Known] = {}
        self._searches: dict[Key, Search] = {}
        self._controls: dict[dns.name.Name, tuple[float, asyncio.Task[bool]]] = {}
        self._tasks: set[asyncio.Task[Any]] = set()

    async def resolve(self, host: str, family: Family, deadline: float) -> tuple[Address, ...]:
        """Addresses of a host, IPv6 first, at least one, before loop time `deadline`; a literal address at once.

        ProbeError: `dns_nxdomain`, `dns_nodata`, `dns_servfail`, `dns_filtered`, `dns` (not a name, circular aliases, silence about this
        name alone), or blind: `own_dns`, `own_fds`, `own_memory`, `own_ports`.
        """
        literal = address(host)
        if literal is not None:
            return (literal,)
        name = wire_name(host)
        here = await self._here(deadline)
        known = _of(family, here.hosts.get(name.to_text(omit_final_dot=True), ()))
        if not known and name.labels[-2] == b"localhost":  # RFC 6761 §6.3
            known = _of(family, LOOPBACK)
        if known:
            return known
        if not here.servers:
            raise ProbeError(Reason.OWN_DNS, here.problem)
        types = [dns.rdatatype.AAAA] if family is not Family.IPV4 else []
        types += [dns.rdatatype.A] if family is not Family.IPV6 else []
        return await self._gather(name, types, deadline - MARGIN)

    async def aclose(self) -> None:
        """Stop every look-up. May be called twice."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._thread is not None:
            self._thread.shutdown(wait=False)
            self._thread = None

    # The host's files.

    async def _here(self, deadline: float) -> Local:
        """What the host's files say; read in a thread of our own, the first time waited for, later in the background."""
        loop = asyncio.get_running_loop()
        if self._reading is None and (self._local is None or loop.time() - self._read_at > REREAD):
            self._reading = self._start(self._reread())
        if self._local is None:
            assert self._reading is not None
            await asyncio.wait((self._reading,), timeout=max(0.0, deadline - MARGIN - loop.time()))
        if self._local is None:
            raise ProbeError(Reason.OWN_DNS, "the files about names could not be read in time")
        return self._local

    async def _reread(self) -> None:
        loop = asyncio.get_running_loop()
        if self._thread is None:
            self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="names")
        try:
            self._local = await loop.run_in_executor(self._thread, local, *self._files, self._given)
        finally:
            self._read_at = loop.time()
            self._reading = None

    def _start(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # Seen, even if the answer of another server came first and nobody asks any more.

    # Look-ups.

    async def _gather(
        self, name: dns.name.Name, types: Sequence[dns.rdatatype.RdataType], until: float
    ) -> tuple[Address, ...]:
        """Look up the types side by side; once one has addresses, the other is waited for no more than a moment."""
        loop = asyncio.get_running_loop()
        found: dict[dns.rdatatype.RdataType, Known] = {}
        searches: dict[dns.rdatatype.RdataType, Search] = {}
        now, kept = loop.time(), [(rdtype, self._cache.get((name, rdtype))) for rdtype in types]
        answered = any(known is not None and known.addresses and known.expires > now for _, known in kept)
        for rdtype, known in kept:
            longer = ONE_FAMILY if answered and known is not None and known.reason is Reason.DNS_NODATA else 0.0
            if known is not None and known.expires + longer > now:
                found[rdtype] = known
            else:
                searches[rdtype] = self._search((name, rdtype))
        patience = until
        while searches:
            if any(known.addresses for known in found.values()):
                patience = min(patience, loop.time() + OTHER_FAMILY)
            waiting = [search.task for search in searches.values() if search.task is not None]
            done, _ = await asyncio.wait(
                waiting, timeout=max(0.0, patience - loop.time()), return_when=asyncio.FIRST_COMPLETED
            )
            if not done:
                break
            for rdtype in [rdtype for rdtype, search in searches.items() if search.task in done]:
                task = searches.pop(rdtype).task
                assert task is not None
                found[rdtype] = Known(reason=Reason.OWN_DNS, detail="stopped") if task.cancelled() else task.result()
        together = tuple(one for rdtype in types if rdtype in found for one in found[rdtype].addresses)
        if together:
            return together
        raise self._why(name, found, searches)

    def _why(
        self,
        name: dns.name.Name,
        found: dict[dns.rdatatype.RdataType, Known],
        unanswered: dict[dns.rdatatype.RdataType, Search],
    ) -> ProbeError:
        """Why a name has no address: what was said of it, and only if nothing was, whose silence it is."""
        reasons = {known.reason: known for known in found.values()}
        if Reason.DNS_NXDOMAIN in reasons:
            known = reasons[Reason.DNS_NXDOMAIN]
            return ProbeError(known.reason, known.detail)
        text = name.to_text(omit_final_dot=True)
        if unanswered and any(search.healthy() for search in unanswered.values()):
            return ProbeError(Reason.DNS, f"no answer about {text} in time, though our resolver answers about others")
        if unanswered:
            return ProbeError(Reason.OWN_DNS, f"our resolver did not answer about {text} in time{self._last(name)}")
        # Ours before theirs: what we could not look at may have been there.
        worst = min(reasons.values(), key=lambda known: (not known.reason.ours, known.reason is Reason.DNS_NODATA))
        return ProbeError(worst.reason, worst.detail + (self._last(name) if worst.reason.ours else ""))

    def _last(self, name: dns.name.Name) -> str:
        """The address known last, for whoever reads the detail; never used."""
        for rdtype in (dns.rdatatype.A, dns.rdatatype.AAAA):
            known = self._cache.get((name, rdtype))
            if known is not None and known.addresses:
                return f" (last known {known.addresses[0].ip})"
        return ""

    def _search(self, key: Key) -> Search:
        """The look-up under way for a name and type, started when there is none."""
        search = self._searches.get(key)
        if search is None:
            search = self._searches[key] = Search()
            search.task = self._start(self._find(key, search))
        return search

    async def _find(self, key: Key, search: Search) -> Known:
        try:
            known = await self._ask(key, search)
        finally:
            del self._searches[key]
        if known.expires:
            self._cache.pop(key, None)
            self._cache[key] = known
            while len(self._cache) > ENTRIES:
                del self._cache[next(iter(self._cache))]
        return known

    async def _ask(self, key: Key, search: Search) -> Known:
        name, rdtype = key
        until = asyncio.get_running_loop().time() + PATIENCE

        def silent() -> None:
            if search.control is None:
                search.control = self._control(name)

        answer = await self._ask_servers(name, rdtype, until, silent)
        if isinstance(answer, dns.message.Message):
            return _known(name, answer, asyncio.get_running_loop().time())
        if answer.reason is Reason.DNS_SERVFAIL or (answer.reason is Reason.OWN_DNS and search.control is not None):
            search.control = search.control or self._control(name)
            if await asyncio.shield(search.control):
                reason = Reason.DNS_SERVFAIL if answer.reason is Reason.DNS_SERVFAIL else Reason.DNS
                return Known(reason=reason, detail=f"{answer.detail}, though our resolver answers about others")
            return Known(reason=Reason.OWN_DNS, detail=answer.detail)
        return answer

    def _control(self, name: dns.name.Name) -> asyncio.Task[bool]:
        """Whether our resolver can find out anything at all in the name's top-level domain; one question for all who ask just now."""
        top = dns.name.Name(name.labels[-2:]) if len(name.labels) > 2 else dns.name.root
        loop = asyncio.get_running_loop()
        last = self._controls.get(top)
        if last is not None and loop.time() - last[0] < CONTROL:
            return last[1]
        if len(self._controls) > 1000:
            self._controls.clear()
        task = self._start(self._ask_control(top))
        self._controls[top] = (loop.time(), task)
        return task

    async def _ask_control(self, top: dns.name.Name) -> bool:
        label = b"x" + self._entropy(8).hex().encode()
        until = asyncio.get_running_loop().time() + CONTROL
        answer = await self._ask_servers(dns.name.Name((label, *top.labels)), dns.rdatatype.A, until)
        return isinstance(answer, dns.message.Message)

    async def _ask_servers(
        self,
        name: dns.name.Name,
        rdtype: dns.rdatatype.RdataType,
        until: float,
        silent: Callable[[], None] = lambda: None,
    ) -> dns.message.Message | Known:
        """The first answer about the name (NOERROR, NXDOMAIN) of any server, each a moment after the one before; or why there is none."""
        loop = asyncio.get_running_loop()
        waiting = list(self._local.servers) if self._local is not None else []
        running: set[asyncio.Task[dns.message.Message]] = set()
        complaint = Known(reason=Reason.OWN_DNS, detail=f"our resolver is silent ({', '.join(map(str, waiting))})")
        try:
            while (waiting or running) and loop.time() < until:
                if waiting:
                    running.add(self._start(self._ask_server(waiting.pop(0), name, rdtype)))
                patience = min(STAGGER, until - loop.time())
                done, running = await asyncio.wait(running, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
                if not done:
                    silent()
                for task in done:
                    answer = _outcome(task)
                    if isinstance(answer, dns.message.Message):
                        return answer
                    if complaint.reason is not Reason.DNS_SERVFAIL:
                        complaint = answer
        finally:
            for task in running:
                task.cancel()
        return complaint

    async def _ask_server(
        self, one: Server, name: dns.name.Name, rdtype: dns.rdatatype.RdataType
    ) -> dns.message.Message:
        """One server's answer, by TCP when it did not fit a datagram."""
        question = Question.make(name, rdtype, token=self._entropy(2))
        tally = Tally()
        wire = await ask_datagram(question, one.address, one.port, tally)
        if cut_short(wire):
            channel = await open_stream(one.address, one.port)
            try:
                wire = await ask_stream(question, channel, tally)
            finally:
                channel.abort()
        return read(wire)


def _outcome(task: "asyncio.Task[dns.message.Message]") -> dns.message.Message | Known:
    """An answer about the name, or the complaint about the server that gave none."""
    if task.cancelled():
        return Known(reason=Reason.OWN_DNS, detail="stopped")
    error = task.exception()
    if error is not None:
        finding = classify(error)
        reason = finding.reason if finding.reason in _KEPT else Reason.OWN_DNS
        return Known(reason=reason, detail=f"our resolver could not be asked: {finding.detail}")
    message = task.result()
    rcode = message.rcode()
    if rcode in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
        return message
    text = f"our resolver says {dns.rcode.to_text(rcode)}"
    return Known(reason=Reason.DNS_SERVFAIL if rcode == dns.rcode.SERVFAIL else Reason.OWN_DNS, detail=text)


def _known(name: dns.name.Name, message: dns.message.Message, now: float) -> Known:
    """What an answer says of a name, aliases followed."""
    text = name.to_text(omit_final_dot=True)
    negative = now + NEGATIVE
    if message.rcode() == dns.rcode.NXDOMAIN:
        return Known(reason=Reason.DNS_NXDOMAIN, detail=f"{text} does not exist", expires=negative)
    try:
        assert isinstance(message, dns.message.QueryMessage)
        chain = message.resolve_chaining()
    except dns.exception.DNSException as error:
        return Known(reason=Reason.DNS, detail=f"{text}: {type(error).__name__}", expires=negative)
    if chain.answer is None:
        return Known(reason=Reason.DNS_NODATA, detail=f"{text} has no address of this kind", expires=negative)
    found = [one for one in (address(str(record)) for record in chain.answer) if one is not None]
    good = tuple(one for one in found if usable(one))[:MOST_ADDRESSES]
    if not good:
        detail = f"{text} leads to {found[0].ip if found else 'nothing'}, where nothing may be sent"
        return Known(reason=Reason.DNS_FILTERED, detail=detail, expires=negative)
    return Known(good, expires=now + min(max(float(chain.minimum_ttl), SHORTEST), LONGEST))


def _of(family: Family, addresses: Sequence[Address]) -> tuple[Address, ...]:
    wanted = {Family.IPV4: "AF_INET", Family.IPV6: "AF_INET6"}.get(family)
    return tuple(one for one in addresses if wanted is None or one.family.name == wanted)
