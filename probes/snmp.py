"""SNMP: is the line's interface up, how full is it, and what else does the device say?

A commune's line that is full at eight in the morning looks dead to its one-stop desk and alive to a ping; only the router's own counters tell
that it is not broken but too small. Circular 06/2026/TT-BKHCN art. 5.6 makes a figure of it (see `monitor.rules.capacity`).
"""

import re
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, WithJsonSchema

from probes.contract import Fact, Family, Finding, Kind, ProbeError, Reason, failed, ok
from probes.datagram import Datagram, open_datagram
from probes.dial import Host
from probes.secret import Secret
from probes.snmp_ber import object_id
from probes.snmp_rates import RENEWED, Counters, Rates, Reading, rates
from probes.snmp_read import Answer, Place, find, read
from probes.snmp_session import Session, Session2c, Session3
from probes.tools import Tools
from probes.typed import host_port
from probes.units import RATE, Port

if TYPE_CHECKING:
    from probes.snmp_usm import User

_CONFIG: Final = ConfigDict(extra="forbid", arbitrary_types_allowed=True)

MOST_INTERFACES: Final = 64
MOST_OIDS: Final = 32

MOST_KEPT: Final = 4096
"""Checks whose last reading is remembered."""
KEPT_FOR: Final = 3600.0
"""Seconds after which a reading is forgotten."""

DIGESTS: Final = ("MD5", "SHA", "SHA-224", "SHA-256", "SHA-384", "SHA-512")
CIPHERS: Final = ("DES", "AES", "AES-192", "AES-256", "AES-192-C", "AES-256-C")
_ALIASES: Final = {"SHA1": "SHA", "AES128": "AES"}

NO_OIDS: Final[Mapping[str, str]] = MappingProxyType({})


def _protocol(known: tuple[str, ...]) -> Any:
    short = {name.replace("-", ""): name for name in known}

    def check(text: str) -> str:
        bare = text.upper().replace("-", "").replace("_", "")
        name = short.get(_ALIASES.get(bare, bare))
        if name is None:
            raise ValueError(f"{text!r} is none of {', '.join(known)}")
        return name

    return check


def _phrase(secret: Secret) -> Secret:
    if 0 < len(secret.reveal().encode()) < 8:  # Empty: not known yet.
        raise ValueError("a pass phrase of SNMPv3 has at least 8 characters (RFC 3414 §11.2)")
    return secret


Phrase = Annotated[Secret, AfterValidator(_phrase)]


@dataclass(frozen=True, slots=True, kw_only=True)
class SnmpAuth:
    """How messages are signed: MD5, SHA, SHA-224, SHA-256, SHA-384 or SHA-512."""

    __pydantic_config__ = _CONFIG

    protocol: Annotated[str, AfterValidator(_protocol(DIGESTS))] = "SHA"
    password: Phrase


@dataclass(frozen=True, slots=True, kw_only=True)
class SnmpPriv:
    """How messages are encrypted: AES, AES-192, AES-256 (with -C behind it for Cisco's way of making the key) or DES."""

    __pydantic_config__ = _CONFIG

    protocol: Annotated[str, AfterValidator(_protocol(CIPHERS))] = "AES"
    password: Phrase


def _listed(value: Any) -> Any:
    return (value,) if isinstance(value, (str, int)) else value


def _capacity(value: Any) -> float:
    """`100Mbit`, `1Gbit`, or a bare number of Mbit/s, in bits per second."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kMG]?bit)?(?:/s)?", str(value).strip())
    if match is None or isinstance(value, bool) or float(match[1]) <= 0:
        raise ValueError(f"{value!r} is not a capacity: write 100Mbit, 1Gbit, or a number of Mbit/s")
    return float(match[1]) * RATE[match[2] or "Mbit"]


def _oids(value: Mapping[str, str]) -> Mapping[str, str]:
    found = {}
    for name, oid in value.items():
        if re.fullmatch(r"[a-z][a-z0-9_]{0,47}", name) is None:
            raise ValueError(f"{name!r} is not a fact's name: small letters, digits and underscores")
        if name in FACTS:
            raise ValueError(f"{name!r} is the name of a fact that the kind has already")
        try:
            object_id(oid)
        except ValueError:
            raise ValueError(f"{oid!r} is not an object identifier such as 1.3.6.1.2.1.1.3.0") from None
        found[name] = oid.removeprefix(".")
    return MappingProxyType(found)


def _interface(value: str | int) -> str | int:
    if isinstance(value, bool) or value == "" or (isinstance(value, int) and not 1 <= value < 1 << 31):
        raise ValueError(f"{value!r} is neither the name of an interface nor its number (ifIndex)")
    return value


Capacity = Annotated[
    float, BeforeValidator(_capacity), WithJsonSchema({"type": ["string", "number"], "examples": ["100Mbit", 100]})
]


@dataclass(frozen=True, slots=True, kw_only=True)
class SnmpSpec:
    """Ask the device at `host` for its `interfaces` (names as in ifName or ifDescr, or numbers) and for single values (`oids`).

    `capacity` is what was ordered, for each of the interfaces; without it the interface's own speed stands.
    """

    __pydantic_config__ = _CONFIG

    host: Host
    port: Port = 161
    version: Literal["2c", "3"] = "2c"
    community: Secret | None = None
    user: str | Secret | None = None
    auth: SnmpAuth | None = None
    priv: SnmpPriv | None = None
    family: Family = Family.ANY
    interfaces: Annotated[
        tuple[Annotated[str | int, AfterValidator(_interface)], ...],
        BeforeValidator(_listed),
        Field(max_length=MOST_INTERFACES),
        WithJsonSchema({"type": ["string", "integer", "array"], "items": {"type": ["string", "integer"]}}),
    ] = ()
    capacity: Capacity | None = None
    oids: Annotated[Mapping[str, str], AfterValidator(_oids), Field(max_length=MOST_OIDS)] = field(
        default_factory=lambda: NO_OIDS
    )

    def __post_init__(self) -> None:
        if self.version == "2c":
            if self.community is None:
                raise ValueError("community: version 2c needs one, by reference (env: or file:)")
            if self.user is not None or self.auth is not None or self.priv is not None:
                raise ValueError('user, auth and priv are of version "3"')
        else:
            if self.community is not None:
                raise ValueError('community is of version "2c"')
            if not self.user:
                raise ValueError('user: version "3" needs one')
            if self.priv is not None and self.auth is None:
                raise ValueError("priv: what is encrypted must be signed as well (auth)")
            import probes.snmp_usm  # noqa: F401 Loaded when a configuration is, never within a run.

    @property
    def key(self) -> tuple[Any, ...]:
        """Whose readings may be compared."""
        return (
            self.host, self.port, self.version, self.family, self.interfaces, self.capacity, tuple(self.oids.items()),
        )  # fmt: skip


@dataclass(slots=True)
class Kept:
    """What one check remembers between two runs."""

    seen_at: float
    places: tuple[Place, ...] = ()
    narrow: set[int] = field(default_factory=set)
    reading: Reading | None = None


async def probe(spec: SnmpSpec, tools: Tools) -> Finding:
    """Facts: see FACTS. Reasons: snmp, auth, protocol, timeout, and the way's own."""
    kept = _kept(spec, tools)
    async with open_datagram(tools, spec.host, spec.port, spec.family) as line:
        tools.note(ip_version=6 if line.address.family is socket.AF_INET6 else 4)
        session = _session(spec, tools, line)
        try:
            answer = await _read(session, spec, tools, kept)
            if answer.renamed:
                # Numbers are given anew when a device restarts: the names are what was meant.
                kept.places, kept.narrow, kept.reading = (), set(), None
                answer = await _read(session, spec, tools, kept)
        except ProbeError as problem:
            if problem.reason is Reason.SNMP:
                kept.places = ()  # It may have another number by now.
            raise
        finally:
            session.tell()
    if answer.renamed:
        raise ProbeError(Reason.PROTOCOL, f"{answer.renamed} has another number each time it is looked for")
    return _judged(spec, tools, kept, answer)


async def _read(session: Session, spec: SnmpSpec, tools: Tools, kept: Kept) -> Answer:
    """All of it; names of interfaces are looked for when their numbers are not known."""
    if len(kept.places) != len(spec.interfaces):
        with tools.phase("walk"):
            kept.places = await find(session, spec.interfaces)
    with tools.phase("request"):
        return await read(session, kept.places, spec.oids, kept.narrow)


def _judged(spec: SnmpSpec, tools: Tools, kept: Kept, answer: Answer) -> Finding:
    """The numbers, and what is wrong."""
    now = time.monotonic()
    reading = Reading(
        at=now,
        ticks=answer.ticks,
        interfaces={each.place.index: _believable(each.counters, spec.capacity) for each in answer.interfaces},
    )
    facts: dict[str, float] = {name: value for name, value in answer.values.items() if value is not None}
    if answer.ticks is not None:
        facts["uptime_seconds"] = answer.ticks / 100
    if answer.interfaces:
        facts["interfaces_up"] = sum(each.oper == 1 for each in answer.interfaces)
    before = kept.reading
    if before is None or now - before.at >= 1.0:
        found = rates(before, reading) if before is not None else {}
        if before is not None:
            facts |= figures(found, reading, spec.capacity, now - before.at)
        if before is None or now - before.at >= RENEWED or not any(rate.hasty for rate in found.values()):
            kept.reading = reading
    tools.notes(facts)
    faults = [each.fault for each in answer.interfaces if each.fault]
    missing = [
        f"nothing to count at {spec.oids[name]} ({name})" for name, value in answer.values.items() if value is None
    ]
    if faults or missing:
        return failed(Reason.SNMP, "; ".join([*faults, *missing]), facts=facts)
    return ok(facts=facts)


def _believable(counters: Counters, capacity: float | None) -> Counters:
    """Tunnels name any speed they like: where more was ordered, that much may pass."""
    if capacity is None or not 0 < counters.speed < capacity:
        return counters
    return replace(counters, speed=capacity)


def figures(found: Mapping[int, Rates], reading: Reading, capacity: float | None, passed: float) -> dict[str, float]:
    """Rates of all interfaces together, and of the one that is fullest in each direction; nothing when one of them is not known."""
    facts: dict[str, float] = {}
    room = [capacity or reading.interfaces[index].speed for index in found]
    for direction, each in (
        ("in", [rate.bits_in for rate in found.values()]),
        ("out", [rate.bits_out for rate in found.values()]),
    ):
        bits = [rate for rate in each if rate is not None]
        if not bits or len(bits) < len(found):
            return {}
        facts[f"{direction}_bits_per_second"] = sum(bits)
        if all(room):
            facts[f"{direction}_utilisation"] = max(rate / most for rate, most in zip(bits, room, strict=True))
    facts["interval_seconds"] = passed
    for name, counted in (
        ("errors_per_second", [rate.errors for rate in found.values()]),
        ("discards_per_second", [rate.discards for rate in found.values()]),
    ):
        packets = [rate for rate in counted if rate is not None]
        if len(packets) == len(found):
            facts[name] = sum(packets)
    return facts


def _kept(spec: SnmpSpec, tools: Tools) -> Kept:
    """What this check remembers; what has not been used for an hour is forgotten, and the oldest when there is too much."""
    now = time.monotonic()
    shelf: dict[tuple[Any, ...], Kept] = tools.workbench.kept.setdefault("snmp readings", {})
    kept = shelf.pop(spec.key, None)
    if kept is None or now - kept.seen_at > KEPT_FOR:
        kept = Kept(now)
    while shelf and (len(shelf) >= MOST_KEPT or now - next(iter(shelf.values())).seen_at > KEPT_FOR):
        shelf.pop(next(iter(shelf)))  # The first is the one that has not been used for longest.
    kept.seen_at = now
    shelf[spec.key] = kept
    return kept


def _session(spec: SnmpSpec, tools: Tools, line: Datagram) -> Session:
    """Who asks, and how."""
    if spec.version == "2c":
        assert spec.community is not None
        community = spec.community.reveal()
        tools.conceal((community,))
        return Session2c(tools, line, community.encode())
    return Session3(tools, line, spec.port, _user(spec, tools))


def _user(spec: SnmpSpec, tools: Tools) -> "User":
    from probes.snmp_usm import User

    assert spec.user is not None
    name = spec.user.reveal() if isinstance(spec.user, Secret) else spec.user
    auth = spec.auth.password.reveal() if spec.auth else ""
    priv = spec.priv.password.reveal() if spec.priv else ""
    tools.conceal(tuple(text for text in (auth, priv, name if isinstance(spec.user, Secret) else "") if text))
    cipher = spec.priv.protocol if spec.priv else ""
    if (spec.auth and not auth) or (spec.priv and not priv):
        raise ProbeError(Reason.OWN_CONFIG, "a pass phrase is not set")
    return User(
        name.encode(),
        spec.auth.protocol if spec.auth else "",
        auth.encode(),
        cipher.removesuffix("-C"),
        priv.encode(),
        cisco=cipher.endswith("-C"),
    )


def typed(text: str) -> Mapping[str, Any]:
    """HOST, HOST:PORT or COMMUNITY@HOST for `thongsuot probe --snmp`; the community is `public` when none is given."""
    community, at_sign, rest = text.rpartition("@")
    host, port = host_port(rest)
    keys: dict[str, Any] = {"host": host, "community": Secret(community if at_sign else "public")}
    return keys if port is None else {**keys, "port": port}


FACTS: Final[Mapping[str, Fact]] = MappingProxyType(
    {
        "uptime_seconds": Fact(unit="seconds", meaning="how long the device's agent has been running (sysUpTime)"),
        "interfaces_up": Fact(unit="number", meaning="how many of the interfaces carry traffic (ifOperStatus up)"),
        "in_bits_per_second": Fact(
            unit="bits_per_second", meaning="received since the last run, all interfaces together"
        ),
        "out_bits_per_second": Fact(unit="bits_per_second", meaning="sent since the last run, all interfaces together"),
        "in_utilisation": Fact(unit="ratio", meaning="received, as a share of the capacity: of the fullest interface"),
        "out_utilisation": Fact(unit="ratio", meaning="sent, as a share of the capacity: of the fullest interface"),
        "errors_per_second": Fact(unit="number", meaning="packets in error, both directions"),
        "discards_per_second": Fact(unit="number", meaning="packets thrown away though they were good: a full queue"),
        "interval_seconds": Fact(unit="seconds", meaning="between the two readings that the rates are of"),
        "p95_in": Fact(
            unit="ratio", meaning="95th percentile of the last measured day's 5-minute utilisation, received"
        ),
        "p95_out": Fact(unit="ratio", meaning="95th percentile of the last measured day's 5-minute utilisation, sent"),
        "days_over": Fact(
            unit="number", meaning="measured days in a row, up to yesterday, on which a direction's p95 was above 90%"
        ),
        "ip_version": Fact(unit="number", meaning="4 or 6: the family that was spoken"),
        "requests": Fact(unit="number", meaning="questions asked"),
        "retransmissions": Fact(unit="number", meaning="times a question was sent again"),
        "ignored": Fact(unit="number", meaning="datagrams that were no answer to our question"),
    }
)


def facts_of(spec: SnmpSpec) -> Mapping[str, Fact]:
    """The facts that a check's own identifiers make."""
    return {name: Fact(unit="number", meaning=f"value of {oid}") for name, oid in spec.oids.items()}


KIND: Final = Kind(
    name="snmp",
    spec=SnmpSpec,
    probe=probe,
    facts=FACTS,
    addresses=("host",),
    summary="SNMP v2c or v3: interfaces, their traffic against the capacity, single values",
    typed=typed,
    degraded_if=("days_over >= 7",),
    facts_of=facts_of,
)
