"""H.323: does the gatekeeper answer, can a call be signalled there? Never a call.

A commune's video endpoint that cannot find its gatekeeper stays alone in its room, though it answers pings. GatekeeperRequest is what an
endpoint sends first of all, registers nothing and rings nowhere; on the port of call signalling we only see that it opens.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from time import perf_counter
from types import MappingProxyType
from typing import Annotated, Any, Final

from pydantic import ConfigDict, Field

from probes import ras
from probes.contract import Fact, Family, Finding, Kind, ok
from probes.datagram import Mark, Tally, open_datagram
from probes.dial import Host, dial
from probes.ras import Answer, RasError, Said
from probes.text import one_line
from probes.tools import Tools
from probes.typed import host_port

RAS_PORT: Final = 1719
SIGNALLING_PORT: Final = 1720

FIRST: Final = 1.0
LONGEST: Final = 4.0
"""Seconds before the request is sent again: first and at most. H.225.0 §7.19 gives a gatekeeper 5 s in all; it has been asked four times by then."""

PortOrNone = Annotated[int, Field(ge=0, le=65535)]


@dataclass(frozen=True, slots=True, kw_only=True)
class H323Spec:
    """`ras_port` 0: do not ask for the gatekeeper (an endpoint has none inside); `signalling_port` 0: do not look whether calls can be signalled."""

    __pydantic_config__ = ConfigDict(extra="forbid", arbitrary_types_allowed=True)

    host: Host
    ras_port: PortOrNone = RAS_PORT
    signalling_port: PortOrNone = SIGNALLING_PORT
    gatekeeper: Annotated[str, Field(min_length=1, max_length=128)] | None = None
    family: Family = Family.ANY

    def __post_init__(self) -> None:
        if not self.ras_port and not self.signalling_port:
            raise ValueError("ras_port and signalling_port are both 0: nothing is left to look at")
        if self.gatekeeper is not None and max(map(ord, self.gatekeeper)) > 0xFFFF:
            raise ValueError("gatekeeper: H.323 knows only letters of the basic plane (BMPString)")


async def probe(spec: H323Spec, tools: Tools) -> Finding:
    """Facts: see `KIND.facts`. Reasons: those of the way (`timeout`, `refused`, `reset`, `unreachable`, `prohibited`, `dns…`), and `protocol`
    when only something else than RAS comes.
    """
    began = perf_counter()
    try:
        if spec.signalling_port:
            (await dial(tools, spec.host, spec.signalling_port, spec.family)).abort()
        if not spec.ras_port:
            return ok("call signalling opens")
        answer = await _ask(spec, tools)
    finally:
        tools.note(seconds=perf_counter() - began)
    tools.note(gatekeeper=float(answer.said is Said.CONFIRM), exhausted=float(answer.why == ras.REASONS[0]))
    return ok(_shown(answer))


async def _ask(spec: H323Spec, tools: Tools) -> Answer:
    """The gatekeeper's answer to our request."""
    number = int.from_bytes(tools.token(2)) % 65535 + 1
    tally = Tally()

    def pack(host: str, port: int) -> bytes:
        return ras.question(number, host, port, spec.gatekeeper)

    def answer(data: bytes) -> Answer | Mark:
        try:
            found = ras.read(data)
        except RasError:
            return Mark.FOREIGN
        if found.number != number:
            return Mark.FOREIGN
        return Mark.PROVISIONAL if found.said is Said.IN_PROGRESS else found

    async with open_datagram(tools, spec.host, spec.ras_port, spec.family) as line:
        try:
            with tools.phase("ras"):
                return await line.ask(pack, answer, tally, first=FIRST, longest=LONGEST)
        finally:
            tools.note(retransmissions=tally.retransmissions, ignored=tally.ignored)
            if tally.rtt is not None:
                tools.note(rtt=tally.rtt)


def _shown(answer: Answer) -> str:
    by = f" by {answer.gatekeeper}" if answer.gatekeeper else ""
    if answer.said is Said.CONFIRM:
        return one_line(f"confirmed{by}")
    if answer.said is Said.REJECT:
        return one_line(f"rejected{by}: {answer.why}")
    return "speaks RAS, but is no gatekeeper"


def _typed(text: str) -> Mapping[str, Any]:
    """HOST: both ports; HOST:1719 the gatekeeper alone; HOST:PORT call signalling alone."""
    host, port = host_port(text)
    if port is None:
        return {"host": host}
    if port == RAS_PORT:
        return {"host": host, "signalling_port": 0}
    return {"host": host, "ras_port": 0, "signalling_port": port}


KIND: Final = Kind(
    name="h323",
    spec=H323Spec,
    probe=probe,
    facts=MappingProxyType(
        {
            "seconds": Fact(unit="seconds", meaning="from the first name asked for until all was seen"),
            "rtt": Fact(unit="seconds", meaning="gatekeeper's answer; absent when it had to be asked twice"),
            "gatekeeper": Fact(unit="number", meaning="1 when it confirmed that it would take us, 0 when it declined"),
            "exhausted": Fact(unit="number", meaning="1 when it declined because it has no resources left"),
            "retransmissions": Fact(unit="number", meaning="how often the request was sent again"),
            "ignored": Fact(unit="number", meaning="datagrams that came and were no answer to it"),
        }
    ),
    addresses=("host",),
    summary="H.323: GatekeeperRequest (RAS) answered, call signalling open; never a call",
    typed=_typed,
    degraded_if=("exhausted > 0",),
)
