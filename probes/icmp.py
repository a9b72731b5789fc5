"""ICMP echo: is the link there, how much does it lose, how long and how evenly does it take?

A commune's line that loses one packet in fifty still opens web pages, and ruins a video meeting: loss, jitter and an estimate of how speech
would sound are facts here, for the check's own thresholds, and only silence is a failure.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from itertools import pairwise
from typing import Annotated, Final

from pydantic import ConfigDict, Field

from probes.contract import Address, Fact, Family, Finding, Kind, ProbeError, Reason, blind, failed, ok
from probes.dial import Host
from probes.echo_flight import TOKEN, Echoes, Plan
from probes.echo_socket import own_fault
from probes.icmp_extra import MOST
from probes.mos import mos
from probes.tools import Tools
from probes.typed import at
from probes.units import Bytes, Seconds

LARGEST: Final = 65_507
"""Bytes of payload that fit one IPv4 packet: 65,535 less 20 of IP and 8 of ICMP."""

MARGIN: Final = 0.1
"""Seconds before the run's deadline at which it stops waiting, so that what it saw is told as facts and not as a timeout."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IcmpSpec:
    """`packets` are sent `spacing` apart, each with `size` bytes of payload (headers not counted); the run's timeout must leave room for them.

    Up to `extra` further packets (None: as many as `packets`, at most MOST) follow at once when some seem lost, as far as the run's time allows.
    `ttl` is the hop limit (None: the host's default). With `dont_fragment` a packet larger than the path's MTU fails with `frag_needed`.
    With `path_mtu` the largest packet that passes is searched for after the echoes, which then have half of the run's time.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    host: Host
    family: Family = Family.ANY
    packets: Annotated[int, Field(ge=1, le=1000)] = 5
    spacing: Seconds = 0.05
    size: Bytes = 56
    ttl: Annotated[int, Field(ge=1, le=255)] | None = None
    dont_fragment: bool = False
    extra: Annotated[int, Field(ge=0, le=1000)] | None = None
    path_mtu: bool = False

    def __post_init__(self) -> None:
        if not 1 <= self.packets <= 1000:
            raise ValueError("packets: between 1 and 1000")
        if self.extra is not None and not 0 <= self.extra <= 1000:
            raise ValueError("extra: between 0 and 1000")
        if not 0 <= self.spacing <= 60:
            raise ValueError("spacing: between 0s and 60s")
        if not TOKEN <= self.size <= LARGEST:
            raise ValueError(f"size: between {TOKEN}B (a packet's own random token) and {LARGEST}B")
        if self.ttl is not None and not 1 <= self.ttl <= 255:
            raise ValueError("ttl: between 1 and 255")
        address = _literal(self.host)
        if address is not None:
            _check_literal(address, self.family)


def _literal(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host.removeprefix("[").removesuffix("]"))
    except ValueError:
        return None


def _check_literal(address: IPv4Address | IPv6Address, family: Family) -> None:
    """ValueError for an address that no echo may be sent to."""
    if address.is_multicast or address == IPv4Address("255.255.255.255"):
        raise ValueError(f"host: {address} is a broadcast or multicast address: it would ask every machine at once")
    if address.is_unspecified:
        raise ValueError(f"host: {address} is no machine's address")
    if (address.version == 4) is (family is Family.IPV6) and family is not Family.ANY:
        raise ValueError(f"host: {address} is not an {family.value} address")
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            raise ValueError(f"host: write {address} as {address.ipv4_mapped}")
        if address.is_link_local and not address.scope_id:
            raise ValueError(f"host: {address} is link-local: name its interface, as in {address}%eth0")


async def probe(spec: IcmpSpec, tools: Tools) -> Finding:
    """Facts: see FACTS. Reasons: no_reply, or what an ICMP error said (unreachable, prohibited, ttl_exceeded, frag_needed), and names' own."""
    addresses = await tools.resolve(spec.host, spec.family)
    plan = Plan(
        count=spec.packets,
        spacing=spec.spacing,
        size=spec.size,
        ttl=spec.ttl,
        dont_fragment=spec.dont_fragment,
        extra=min(spec.packets, MOST) if spec.extra is None else spec.extra,
    )
    loop = asyncio.get_running_loop()
    until = tools.deadline - min(MARGIN, tools.remaining() / 5)
    echoes = Echoes()
    try:
        with tools.phase("rtt"):
            patient = loop.time() + (until - loop.time()) / 2 if spec.path_mtu else until
            address = await _first_way(tools, addresses, plan, patient, echoes)
    finally:
        facts = figures(echoes)
        tools.notes(facts)
        if echoes.sent:
            # Our loop may be so late that the deadline is over as well: what has come back is known all the same.
            tools.settled = ok(facts=facts) if echoes.rtts else _silence(spec.host, echoes, facts)
    if echoes.rtts:
        if spec.path_mtu:
            facts = await _with_path_mtu(tools, address, plan, until, echoes)
        return ok(facts=facts)
    if echoes.refused is not None and (not echoes.sent or loop.time() < patient):
        # Nothing went out, or the socket was lost while we waited: what would have come back is not known.
        reason, detail = own_fault(echoes.refused)
        return blind(reason, f"{address}: {detail}", facts=facts)
    return _silence(address, echoes, facts)


def _silence(address: str, echoes: Echoes, facts: dict[str, float]) -> Finding:
    """Nothing came back but, perhaps, an error."""
    if echoes.error is not None:
        return failed(echoes.error.reason, f"{address}: {echoes.error.detail}", facts=facts)
    return failed(Reason.NO_REPLY, f"{address}: none of {echoes.sent} packets was answered", facts=facts)


async def _first_way(tools: Tools, addresses: Sequence[Address], plan: Plan, until: float, echoes: Echoes) -> str:
    """Ask the first address that this host has a way to: a name with an IPv6 address is no reason to be blind on a host without IPv6."""
    last = len(addresses) - 1
    for number, address in enumerate(addresses):
        echoes.refused = None
        try:
            await tools.workbench.echo.ping(address.ip, plan, until=until, into=echoes)
        except ProbeError as error:
            if error.reason is not Reason.OWN_NETWORK or number == last:
                raise
            continue
        if echoes.sent or number == last:
            return address.ip
    raise ProbeError(Reason.DNS_NODATA, "the name has no address")


async def _with_path_mtu(tools: Tools, address: str, plan: Plan, until: float, echoes: Echoes) -> dict[str, float]:
    """The run's figures, and `path_mtu` if it can be found: the echo works, so whatever goes wrong here is no failure of the link."""
    from probes.icmp_mtu import path_mtu  # Few checks ask for it.

    found = None
    with tools.phase("path_mtu"), suppress(ProbeError, OSError):
        slowest = max(echoes.rtts)
        engine = tools.workbench.echo
        found = await path_mtu(engine, address, plan, slowest=slowest, until=until, strays=echoes)
    facts = figures(echoes)
    if found is not None:
        facts["path_mtu"] = found
    return facts


def figures(echoes: Echoes) -> dict[str, float]:
    """The run in numbers; what cannot be known is absent, not zero."""
    sent, rtts = echoes.sent, echoes.rtts
    facts: dict[str, float] = {
        "sent": sent,
        "received": len(rtts),
        "duplicates": echoes.duplicates,
        "late": echoes.late,
        "forged": echoes.forged,
        "truncated": echoes.truncated,
    }
    if sent:
        facts["loss"] = (sent - len(rtts)) / sent
    if rtts:
        facts["rtt"] = sum(rtts) / len(rtts)
        facts["rtt_min"], facts["rtt_max"] = min(rtts), max(rtts)
        # Nearest rank: the smallest that is no less than 95 of 100.
        facts["rtt_p95"] = sorted(rtts)[-(-len(rtts) * 95 // 100) - 1]
        facts["jitter"] = jitter(rtts)
        facts["reordered"] = echoes.reordered / len(rtts)
        facts["mos"] = mos(facts["rtt"], facts["jitter"], facts["loss"])
        if echoes.hop_limit is not None:
            facts["hop_limit"] = echoes.hop_limit
    if echoes.error is not None and echoes.error.mtu:
        facts["mtu"] = echoes.error.mtu
    return facts


def jitter(rtts: Sequence[float]) -> float:
    """Interarrival jitter in seconds, RFC 3550 §6.4.1: J += (|D| - J) / 16, in order of arrival; round trips stand for transit times."""
    value = 0.0
    for before, after in pairwise(rtts):
        value += (abs(after - before) - value) / 16.0
    return value


FACTS: Final = {
    "sent": Fact(unit="number", meaning="packets sent"),
    "received": Fact(unit="number", meaning="packets whose exact echo came back in time, each counted once"),
    "loss": Fact(unit="ratio", meaning="share of the packets sent that did not come back"),
    "rtt": Fact(unit="seconds", meaning="average round trip"),
    "rtt_min": Fact(unit="seconds", meaning="shortest round trip"),
    "rtt_max": Fact(unit="seconds", meaning="longest round trip"),
    "rtt_p95": Fact(unit="seconds", meaning="95th percentile of the round trips (nearest rank)"),
    "jitter": Fact(unit="seconds", meaning="interarrival jitter (RFC 3550)"),
    "reordered": Fact(
        unit="ratio", meaning="share of the echoes that came after that of a packet sent later (RFC 4737)"
    ),
    "mos": Fact(unit="number", meaning="estimated opinion score for speech, 1 to 4.5 (G.107 simplified)"),
    "duplicates": Fact(unit="number", meaning="further echoes of packets already answered"),
    "late": Fact(unit="number", meaning="echoes of packets that an earlier run had given up"),
    "forged": Fact(unit="number", meaning="replies from the target, or with our token, that are not an exact echo"),
    "truncated": Fact(unit="number", meaning="echoes shorter than what was sent"),
    "hop_limit": Fact(unit="number", meaning="hop limit (TTL) with which the last echo arrived"),
    "mtu": Fact(unit="bytes", meaning="the path's MTU, when a packet was too large for it"),
    "path_mtu": Fact(unit="bytes", meaning="the largest IP packet that passes there and back unfragmented, up to 9216"),
}

KIND: Final = Kind(
    name="icmp",
    spec=IcmpSpec,
    probe=probe,
    facts=FACTS,
    addresses=("host",),
    summary="packets of ICMP echo: loss, round trips, jitter",
    typed=at("host"),
)
