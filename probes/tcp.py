"""TCP: does the port open, and does what answers there say what it should?

A port that opens proves that something listens; a dialogue proves that it is the service. A hub's mail relay that
accepts connections and never greets is down for everyone but a port scanner.
"""

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated, Any, Final, Literal

from pydantic import ConfigDict, Discriminator, Field, Tag

from probes.channel import Channel
from probes.contract import Fact, Family, Finding, Kind, ProbeError, Reason, ok
from probes.dial import Host, dial
from probes.patterns import Regex, compiled
from probes.tls import TLS_FACTS, handshake
from probes.tools import Tools
from probes.trust import SYSTEM, TrustPolicy
from probes.typed import at_host
from probes.units import Port

MOST_BYTES: Final = 1 << 20
"""Bytes read in search of one expectation."""

MOST_LINES: Final = 10_000
"""Lines read in search of one expectation: with MOST_BYTES, the most work that a hostile target can make us do."""

MOST_CAPTURED: Final = 256
"""Characters of a captured group that are kept: captures go back to the target, nowhere else."""

_CONFIG: Final = ConfigDict(extra="forbid", arbitrary_types_allowed=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Expect:
    """Read lines until one matches. The expression sees a line without its end; bytes that are not UTF-8 appear as U+0080…U+00FF."""

    __pydantic_config__ = _CONFIG

    expect: Regex


@dataclass(frozen=True, slots=True, kw_only=True)
class Send:
    r"""Send exactly this text (write `\r\n` where the protocol wants it); `{1}` and `{name}` stand for what earlier expectations captured."""

    __pydantic_config__ = _CONFIG

    send: Annotated[str, Field(min_length=1, max_length=65536)]


@dataclass(frozen=True, slots=True, kw_only=True)
class StartTls:
    """Shake hands over TLS here, by the keys of `tls`."""

    __pydantic_config__ = _CONFIG

    starttls: Literal[True]


def _step_tag(step: Any) -> str:
    """Which of the three steps this is, by its first known key."""
    known = ("expect", "send", "starttls")
    keys = step if isinstance(step, Mapping) else getattr(step, "__slots__", ())
    return next((key for key in known if key in keys), "expect")


Step = Annotated[
    Annotated[Expect, Tag("expect")] | Annotated[Send, Tag("send")] | Annotated[StartTls, Tag("starttls")],
    Discriminator(_step_tag),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class TcpSpec:
    """A connection to `host:port`; `tls: {}` (or its keys) speaks TLS from the first byte, `dialogue` talks."""

    __pydantic_config__ = _CONFIG

    host: Host
    port: Port
    family: Family = Family.ANY
    tls: Literal[False] | TrustPolicy = False
    dialogue: Annotated[tuple[Step, ...], Field(max_length=64)] = ()

    def __post_init__(self) -> None:
        upgrades = [index for index, step in enumerate(self.dialogue) if isinstance(step, StartTls)]
        if len(upgrades) > 1:
            raise ValueError("dialogue: starttls may stand in it once")

    @property
    def upgrades(self) -> bool:
        """Whether TLS begins inside the dialogue, not with the connection."""
        return any(isinstance(step, StartTls) for step in self.dialogue)


async def probe(spec: TcpSpec, tools: Tools) -> Finding:
    """Facts: `steps` done, and those of TLS where it is spoken. Reasons: `expect`, `line_too_long`, `tls_…`, and those of the way.

    Without a dialogue an open port is enough, also when the server closes at once.
    """
    channel = await dial(tools, spec.host, spec.port, spec.family)
    spoken = False
    try:
        policy = spec.tls or SYSTEM
        name = policy.server_name or spec.host
        if spec.tls and not spec.upgrades:
            await handshake(channel, tools, policy, name, confirm=not spec.dialogue)
        if not spec.dialogue:
            return ok()
        captured: dict[str, str] = {}
        said = ""
        for index, step in enumerate(spec.dialogue):
            tools.note(steps=index)
            match step:
                case Expect(expect=pattern):
                    with tools.phase("expect"):
                        said = await _expect(channel, pattern, captured)
                case Send(send=text):
                    channel.send(_filled(text, captured).encode())
                case StartTls():
                    if channel.unread:
                        raise ProbeError(Reason.STARTTLS, "the server sent unprotected text before the handshake")
                    await handshake(channel, tools, policy, name)
        tools.note(steps=len(spec.dialogue))
        spoken = isinstance(spec.dialogue[-1], Send)
        return ok(said)
    finally:
        if spoken:
            channel.close()  # The last word is ours: it has to arrive.
        else:
            channel.abort()


async def _expect(channel: Channel, pattern: str, captured: dict[str, str]) -> str:
    """The first line that matches, its groups put into `captured`; ProbeError `expect` when the server ends without one."""
    expression = compiled(pattern)
    read, last = 0, ""
    for number in range(MOST_LINES):
        if number % 256 == 255:
            await asyncio.sleep(0)  # Lines that are already here must not keep the loop to themselves.
        line = await channel.line(prompt=lambda data: expression.search(text(data)) is not None)
        if line is None:
            heard = f"last heard: {last}" if last else "nothing was said"
            raise ProbeError(Reason.EXPECT, f"the server closed without a line that matches {pattern}; {heard}")
        read += len(line) + 1
        if read > MOST_BYTES:
            break
        last = text(line)[:MOST_CAPTURED]
        match = expression.search(text(line))
        if match is not None:
            groups = {str(number): value for number, value in enumerate(match.groups(), 1)} | match.groupdict()
            captured.update({key: value[:MOST_CAPTURED] for key, value in groups.items() if value is not None})
            return last
    raise ProbeError(Reason.EXPECT, f"none of the first {MOST_LINES} lines or {MOST_BYTES >> 20} MiB matches {pattern}")


def text(data: bytes) -> str:
    """Bytes as the text an expression sees: UTF-8, else one character a byte, so that binary answers can be matched as well."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")


_HOLE = re.compile(r"\{(\w+)\}")


def _filled(template: str, captured: Mapping[str, str]) -> str:
    """The text to send, with captured groups put in; braces around anything else stay as they are (JSON)."""
    return _HOLE.sub(lambda hole: captured.get(hole[1], hole[0]), template)


KIND: Final = Kind(
    name="tcp",
    spec=TcpSpec,
    probe=probe,
    facts=MappingProxyType({"steps": Fact(unit="number", meaning="steps of the dialogue that were done"), **TLS_FACTS}),
    addresses=("host",),
    summary="TCP port: open, and a dialogue of lines over it, with TLS from the start or by STARTTLS",
    typed=at_host(port=True),
)
