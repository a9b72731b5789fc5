"""What a probe may use: everything that touches the network, the clock or chance comes through here.

Owns: the long-lived `Workbench` (resolver, TLS contexts, echo sockets, the pulse that notices a stalled loop) and the per-run
`Tools` with its phases.
Never: judges, logs, or knows of a configuration file.
"""

import asyncio
import ipaddress
import os
import socket
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self

from probes.almanac import Almanac
from probes.contract import ATTACHMENT_LIMIT, Address, Attachment, Family, Finding, ProbeError, Reason
from probes.deadline import Deadlines
from probes.pulse import Pulse
from probes.trust import Trust

if TYPE_CHECKING:
    from probes.browser_house import House
    from probes.echo import EchoEngine
    from probes.heartbeat_calls import Beats


FAMILIES = {Family.IPV4: socket.AF_INET, Family.IPV6: socket.AF_INET6}


class Resolving(Protocol):
    """Names to addresses, asynchronously, before `deadline` (loop time)."""

    async def resolve(self, host: str, family: Family, deadline: float) -> tuple[Address, ...]: ...

    async def aclose(self) -> None: ...


class Workbench:
    """What lives as long as the daemon and is shared by every run; opened in the loop that runs the probes.

    `now` stamps outcomes (aware, UTC). `allowed_hosts` says which hosts the configuration itself names: only those may a redirect reach
    when they are less public than where it came from. `resolver` replaces the built-in one, for a test or another source of names.
    """

    def __init__(
        self,
        now: Callable[[], datetime],
        *,
        nameservers: Sequence[str] | None = None,
        allowed_hosts: Callable[[str], bool] | None = None,
        resolver: Resolving | None = None,
        entropy: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self.now = now
        self.nameservers = nameservers
        self.entropy = entropy
        self.allowed_hosts: Callable[[str], bool] = allowed_hosts or (lambda host: False)
        self.beats: Beats | None = None
        """Who hears what jobs elsewhere report; None where nobody listens."""
        self.kept: dict[Hashable, Any] = {}
        """What a kind keeps between runs (an access token and its end), under a key of its own."""
        self.trust = Trust()
        self.almanac = Almanac()
        self.pulse = Pulse()
        self.deadlines = Deadlines()
        self._resolver = resolver
        self._echo: EchoEngine | None = None
        self.browsers: dict[str | None, House] = {}
        """The long-lived browsers, by the program they are (None: whichever is installed)."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Stop the pulse, close every socket. May be called twice."""
        self.pulse.stop()
        if self._resolver is not None:
            await self._resolver.aclose()
        if self._echo is not None:
            await self._echo.aclose()
        for house in self.browsers.values():
            await house.aclose()
        self.browsers.clear()

    @property
    def resolver(self) -> Resolving:
        """The shared resolver, made on first use: checks by address need none."""
        if self._resolver is None:
            from probes.resolver import Resolver

            self._resolver = Resolver(self.nameservers, entropy=self.entropy)
        return self._resolver

    @property
    def echo(self) -> "EchoEngine":
        """The shared ICMP sockets, opened on first use: most commands never ping."""
        if self._echo is None:
            from probes.echo import EchoEngine

            self._echo = EchoEngine(self.entropy)
        return self._echo


class Phase:
    """Adds the seconds spent inside it to one phase of the run, whether it ends well or by an exception."""

    __slots__ = ("_name", "_start", "_tools")

    def __init__(self, tools: "Tools", name: str) -> None:
        self._tools = tools
        self._name = name
        self._start = 0.0

    def __enter__(self) -> None:
        self._tools.where = self._name
        self._start = time.perf_counter()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        phases = self._tools.phases
        phases[self._name] = phases.get(self._name, 0.0) + time.perf_counter() - self._start
        if kind is None:
            self._tools.where = ""


class Tools:
    """One run's view of the workbench. `deadline` is loop time; `phases` and `facts` survive an exception of the probe."""

    __slots__ = (
        "attachments", "deadline", "facts", "phases", "secrets", "settled", "started", "where", "within", "workbench",
    )  # fmt: skip

    phases: dict[str, float]
    facts: dict[str, float]

    def __init__(self, workbench: Workbench, deadline: float) -> None:
        self.workbench = workbench
        self.deadline = deadline
        self.started = time.monotonic()
        self.secrets: tuple[str, ...] = ()
        self.attachments: tuple[Attachment, ...] = ()
        self.where = ""
        """The phase at hand, for the one line that says where time ran out."""
        self.within = ""
        """The part of a longer run that is at hand: what a detail begins with unless all went well."""
        self.settled: Finding | None = None
        """What the run has come to, should its time be over before it could say so."""

    def __getattr__(self, name: str) -> dict[str, float]:
        """`phases` and `facts` are made by the first who writes to them: thousands that wait for an answer hold none."""
        if name not in ("phases", "facts"):
            raise AttributeError(name)
        fresh: dict[str, float] = {}
        setattr(self, name, fresh)
        return fresh

    def token(self, count: int) -> bytes:
        """So many unpredictable bytes."""
        return self.workbench.entropy(count)

    def phase(self, name: str) -> Phase:
        """`with tools.phase("connect"):` times what happens inside."""
        return Phase(self, name)

    def note(self, **facts: float) -> None:
        """Keep numbers that must be seen even if the probe then fails."""
        self.facts.update(facts)

    def notes(self, facts: Mapping[str, float]) -> None:
        """The same, from a mapping."""
        self.facts.update(facts)

    def conceal(self, secrets: tuple[str, ...]) -> None:
        """Texts that the outcome's detail must not repeat, even when the target does."""
        self.secrets += secrets

    def keep(self, name: str, media_type: str, data: bytes) -> None:
        """Evidence for the incident, should this run fail: a picture, a page. What is larger than an `Attachment` may be is not kept."""
        if len(data) <= ATTACHMENT_LIMIT:
            self.attachments += (Attachment(name=name, media_type=media_type, data=data),)

    def remaining(self) -> float:
        """Seconds until the deadline, never negative."""
        return max(0.0, self.deadline - asyncio.get_running_loop().time())

    async def resolve(self, host: str, family: Family = Family.ANY) -> tuple[Address, ...]:
        """Addresses of a host, in the order to try them, at least one; a literal address needs no resolver.

        ProbeError with a `dns…` reason when the name has none, with `own_dns` when our own resolver did not answer.
        """
        literal = literal_address(host)
        if literal is not None:
            if family is not Family.ANY and FAMILIES[family] is not literal.family:
                raise ProbeError(Reason.DNS_NODATA, f"{host} is not an {family.value} address")
            return (literal,)
        with self.phase("resolve"):
            return await self.workbench.resolver.resolve(host, family, self.deadline)


@lru_cache(maxsize=65536)
def literal_address(host: str) -> Address | None:
    """`192.0.2.1`, `2001:db8::1`, `[2001:db8::1]`, `fe80::1%eth0` as an address; None when it is a name."""
    bare = host.removeprefix("[").removesuffix("]")
    try:
        address = ipaddress.ip_address(bare)
    except ValueError:
        return None
    text = str(address)
    return Address(socket.AF_INET if address.version == 4 else socket.AF_INET6, bare if bare == text else text)
