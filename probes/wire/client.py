"""One HTTP/1.1 exchange on a connection of its own: resolve, connect, TLS, ask, read; every phase timed, everything let go at the end.

Owns: the order of these steps, a proxy between them, and the phases and facts they leave behind.
Never: follows, retries, judges; has a timer (the run's deadline cancels it).
"""

import asyncio
import base64
import ipaddress
import socket
import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from probes.certificates import served
from probes.contract import Address, Family, ProbeError, Reason, Seen
from probes.dial import connect, far_away, has_way
from probes.errors import classify
from probes.secret import Secret
from probes.tls import refusal
from probes.tools import Tools
from probes.trust import SYSTEM, TrustPolicy
from probes.wire.answer import Answer
from probes.wire.channel import Channel
from probes.wire.url import Url

MAX_BODY: Final = 256 * 1024
"""Decoded bytes of a body, unless a check says otherwise."""

USER_AGENT: Final = "thongsuot/0.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxy:
    """An HTTP proxy: `host:port`, with the value of `Proxy-Authorization` when it wants one."""

    host: str
    port: int
    authorization: Secret | None = None

    @classmethod
    def parse(cls, url: Url) -> "Proxy":
        """From `http://user:password@host:port`."""
        if url.tls:
            raise ValueError("a proxy is spoken to in plain HTTP: write http://host:port")
        if url.user is None:
            return cls(host=url.host, port=url.port)
        token = base64.b64encode(f"{url.user}:{url.password or ''}".encode()).decode()
        return cls(host=url.host, port=url.port, authorization=Secret(f"Basic {token}"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Where an exchange goes and by which way. `server_name` stands in SNI and is checked against the certificate."""

    url: Url
    family: Family = Family.ANY
    tls: TrustPolicy = SYSTEM
    server_name: str | None = None
    proxy: Proxy | None = None
    max_body: int = MAX_BODY
    decode: bool = False
    floor: int | None = None
    """The least public address that may be connected to (see `publicness`); None: any."""

    @property
    def name(self) -> str:
        """The name that TLS asks for: without the final dot and the zone, which no certificate knows."""
        return (self.tls.server_name or self.server_name or self.url.host).partition("%")[0].rstrip(".")


Response = Answer
"""A complete answer, with the address it came from."""


async def exchange(route: Route, request: bytes, tools: Tools, *, head_only: bool = False) -> Response:
    """Send one request to where `route` leads and read its answer.

    Phases (added up over several exchanges of one run): resolve, connect, tls, processing (asked until the first byte), transfer.
    Facts noted: ip_version, tls, the certificate's, status, http_version, body_bytes, wire_bytes, content_length. Errors as they come.
    """
    url, proxy = route.url, route.proxy
    context = tools.workbench.trust.context(route.tls) if url.tls else None
    host, port = (url.host, url.port) if proxy is None else (proxy.host, proxy.port)
    answer = Answer(limit=route.max_body, wants_coding=route.decode, head_only=head_only)
    addresses = await tools.resolve(host, route.family)
    if route.floor is not None and proxy is None:
        keep_out(route, addresses, route.floor)
    channel: Channel | None = None
    tools.where = "connect"
    start = time.perf_counter()
    try:
        if len(addresses) == 1:
            channel = (await asyncio.get_running_loop().create_connection(Channel, addresses[0].ip, port))[1]
            answer.address = addresses[0]
        else:
            channel = await connect(addresses, port, _attempt)
            answer.address = channel.address
        if proxy is not None and context is not None:
            await _tunnel(channel, url, proxy)
        # One await for all the rest: the loop's callbacks do it.
        await channel.open(answer, request, context, route.name if context is not None else None)
        if channel.error is not None:
            raise _telling(channel, channel.error, route, tools)
    except (OSError, ExceptionGroup) as error:
        if channel is not None:
            raise
        raise _unconnected(error, addresses, proxy) from error
    finally:
        end = time.perf_counter()
        _time(tools.phases, channel, start, end)
        if channel is not None:
            channel.abort()
            tools.where = channel.where
            _note(tools, channel, answer)
        answer.release()
    tools.where = ""
    return answer


async def _connect(address: Address, port: int) -> Channel:
    channel = (await asyncio.get_running_loop().create_connection(Channel, address.ip, port))[1]
    channel.address = address
    return channel


def _attempt(address: Address, port: int) -> "asyncio.Future[Channel]":
    return asyncio.ensure_future(_connect(address, port))


def _unconnected(
    error: OSError | ExceptionGroup[Exception], addresses: Sequence[Address], proxy: Proxy | None
) -> BaseException:
    """What to raise when no connection came about."""
    finding = classify(far_away(error, addresses) or error)
    if proxy is not None and finding.seen is not Seen.BLIND:
        return ProbeError(Reason.PROXY, f"the proxy {proxy.host}:{proxy.port}: {finding.detail}")
    if finding.reason is Reason.OWN_PORTS and not any(map(has_way, addresses)):
        # The kernel says EADDRNOTAVAIL both for "no port left" and for "no source address".
        return ProbeError(Reason.OWN_NETWORK, "no address of our own to connect from")
    return ProbeError(finding.reason, finding.detail)


def keep_out(route: Route, addresses: tuple[Address, ...], floor: int) -> None:
    """ProbeError unless every address is as public as `floor`: a target may not send us to what only we can reach."""
    for address in addresses:
        if publicness(address) < floor:
            raise ProbeError(
                Reason.REDIRECT_BLOCKED, f"redirected to {route.url.shown} at {address.ip}, which no check names"
            )


def publicness(where: Address | None) -> int:
    """0: link-local (cloud metadata), multicast, reserved; 1: loopback; 2: private; 3: public. A redirect may not lead downwards."""
    address = ipaddress.ip_address(where.ip if where is not None else "::")
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if address.is_loopback:
        return 1
    if address.is_link_local or address.is_multicast or address.is_unspecified:
        return 0
    if address.is_global:
        return 3
    return 2 if address.is_private or address in _SHARED else 0


_SHARED: Final = ipaddress.ip_network("100.64.0.0/10")


async def _tunnel(channel: Channel, url: Url, proxy: Proxy) -> None:
    """Have a proxy connect us through (RFC 9110 §9.3.6); ProbeError `proxy` when it will not."""
    to = f"[{url.host}]:{url.port}" if ":" in url.host else f"{url.host}:{url.port}"
    lines = [f"CONNECT {to} HTTP/1.1", f"Host: {to}", f"User-Agent: {USER_AGENT}"]
    if proxy.authorization is not None:
        lines.append(f"Proxy-Authorization: {proxy.authorization.reveal()}")
    answer = Answer(limit=0, head_only=True)
    await channel.open(answer, "\r\n".join([*lines, "", ""]).encode("latin-1"))
    if channel.error is not None:
        finding = classify(channel.error)
        raise ProbeError(Reason.PROXY, f"the proxy {proxy.host}:{proxy.port}: {finding.detail}") from channel.error
    if not 200 <= answer.status < 300:
        raise ProbeError(Reason.PROXY, f"the proxy {proxy.host}:{proxy.port} answered {answer.status} to CONNECT")


def _telling(channel: Channel, error: BaseException, route: Route, tools: Tools) -> BaseException:
    """A failed handshake with its evidence; any other error with the phase it happened in."""
    if isinstance(error, ssl.SSLError):
        assert channel.session is not None
        return refusal(error, served(channel.session), route.name, tools.workbench.now())
    if isinstance(error, ProbeError):
        return error
    finding = classify(error)
    if finding.seen is Seen.BLIND:
        return error
    phase = "request" if channel.where == "processing" else channel.where
    return ProbeError(finding.reason, f"{finding.detail} ({phase})")


def _time(phases: dict[str, float], channel: Channel | None, start: float, end: float) -> None:
    """The phases of one exchange, also of one that ended in the middle: the last one begun lasted until the end."""
    connected = channel.connected if channel is not None else 0.0
    phases["connect"] = phases.get("connect", 0.0) + (connected or end) - start
    if channel is None or not connected:
        return
    asked = connected
    if channel.session is not None:
        asked = channel.secured or end
        phases["tls"] = phases.get("tls", 0.0) + asked - connected
    if channel.sent:
        first = max(channel.first or end, asked)
        phases["processing"] = phases.get("processing", 0.0) + first - asked
        if channel.first:
            phases["transfer"] = phases.get("transfer", 0.0) + end - first


def _note(tools: Tools, channel: Channel, answer: Answer) -> None:
    """What is known of the target, whatever came of it."""
    facts = tools.facts
    if answer.address is not None:
        facts["ip_version"] = 6.0 if answer.address.family is socket.AF_INET6 else 4.0
    session = channel.session
    if session is not None and (channel.secured or channel.error is not None):
        facts["tls"] = 1.0
        facts.update(served(session).facts(tools.workbench.now()))
        answer.tls = True
    elif session is None:
        facts["tls"] = 0.0
    answer.note(facts)
