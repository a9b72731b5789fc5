"""HTTP/2 where a check asks for it: one request through httpx's own transport, under the wire's caps.

Owns: the translation. Never: keeps a connection, follows, reads beyond the limit. Imported only for checks that ask for it.
"""

import socket
import ssl
import time
from typing import Any

import httpx

from probes.certificates import served
from probes.contract import Address, ProbeError, Reason
from probes.dial import far_away
from probes.tls import refusal
from probes.tools import Tools, literal_address
from probes.wire.answer import SPARE, Answer
from probes.wire.client import Response, Route, keep_out

# Hop-by-hop, and what the pseudo-headers carry instead (RFC 9113 §8.2.2).
_DROPPED = frozenset({b"host", b"connection"})


async def exchange2(route: Route, request: bytes, tools: Tools, *, head_only: bool = False) -> Response:
    """The same as `wire.client.exchange`, over HTTP/2 when the server agrees (ALPN), else 1.1: the fact `http_version` tells.

    Addresses are tried in their order, the first one only when it is the last; with a proxy the name is the proxy's to look up.
    """
    if route.proxy is None:
        addresses = await tools.resolve(route.url.host, route.family)
        if route.floor is not None:
            keep_out(route, addresses, route.floor)
        address = addresses[0]
    else:
        address = literal_address(route.url.host) or Address(socket.AF_INET, "0.0.0.0")  # noqa: S104 - unknown to us.
    context = tools.workbench.trust.context(route.tls, alpn=("h2", "http/1.1"))
    clock = _Phases(tools)
    message = _message(route, request, address, clock)
    proxy = None if route.proxy is None else httpx.Proxy(f"http://{route.proxy.host}:{route.proxy.port}")
    if proxy is not None and route.proxy is not None and route.proxy.authorization is not None:
        proxy.headers["Proxy-Authorization"] = route.proxy.authorization.reveal()
    started = time.perf_counter()
    try:
        async with httpx.AsyncHTTPTransport(
            verify=context, http1=True, http2=True, trust_env=False, proxy=proxy
        ) as transport:
            response = await _asked(transport, message)
            try:
                return await _read(route, response, tools, address, head_only=head_only)
            finally:
                await response.aclose()
    except ssl.SSLError:
        raise
    except httpx.ConnectError as error:
        raise far_away(error, (address,)) or _handshake(error, route, tools) from error
    finally:
        clock.end(started)
        if clock.stream is not None:
            await clock.stream.aclose()


async def _asked(transport: httpx.AsyncHTTPTransport, message: httpx.Request) -> httpx.Response:
    """httpcore believes what stands in an answer's first frames: a status that is no number escapes as it failed to be read."""
    try:
        return await transport.handle_async_request(message)
    except (ValueError, LookupError) as error:
        raise ProbeError(Reason.PROTOCOL, f"the answer's header cannot be read ({type(error).__name__})") from error


def _message(route: Route, request: bytes, address: Address, clock: "_Phases") -> httpx.Request:
    head, _, body = request.partition(b"\r\n\r\n")
    first, *lines = head.split(b"\r\n")
    pairs = [(name, value.strip()) for name, _, value in (line.partition(b":") for line in lines)]
    host = next((value.decode("latin-1") for name, value in pairs if name.lower() == b"host"), route.url.authority)
    target = f"[{address.ip}]" if ":" in address.ip else address.ip
    literal = target if route.proxy is None else route.url.host
    return httpx.Request(
        first.partition(b" ")[0].decode("ascii"),
        httpx.URL(f"https://{literal}:{route.url.port}", raw_path=route.url.target.encode("ascii")),
        headers=[(b"Host", host.encode("latin-1")), *(pair for pair in pairs if pair[0].lower() not in _DROPPED)],
        content=body,
        extensions={"sni_hostname": route.name, "trace": clock.trace},
    )


async def _read(route: Route, response: httpx.Response, tools: Tools, address: Address, *, head_only: bool) -> Response:
    """Feed httpx's answer to ours, so that every cap and coding means the same in both."""
    answer = Answer(limit=route.max_body, wants_coding=route.decode, head_only=head_only)
    answer.begin(response.status_code, _version(response), list(response.headers.raw))
    stream: Any = response.extensions.get("network_stream")
    session = stream.get_extra_info("ssl_object") if stream is not None else None
    facts = tools.facts
    facts["tls"] = 1.0
    facts["ip_version"] = 6.0 if address.family is socket.AF_INET6 else 4.0
    if session is not None:
        facts.update(served(session).facts(tools.workbench.now()))
    try:
        received = 0
        async for piece in response.aiter_raw():
            received += len(piece)
            answer.take(piece)
            if received > route.max_body + SPARE:
                raise ProbeError(Reason.BODY_TOO_LARGE, f"more than {route.max_body} bytes of body")
        answer.finish()
    finally:
        answer.note(facts)
    answer.address, answer.tls = address, True
    return answer


def _version(response: httpx.Response) -> str:
    said = bytes(response.extensions.get("http_version", b"HTTP/1.1")).decode("ascii")
    return "2.0" if said == "HTTP/2" else said.removeprefix("HTTP/")


def _handshake(error: httpx.ConnectError, route: Route, tools: Tools) -> Exception:
    """A failed handshake in the words that the wire has for it; any other error as it came (its chain has the number)."""
    inner: BaseException | None = error
    while inner is not None:
        if isinstance(inner, ssl.SSLError):
            nothing = served(ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO()))
            return refusal(inner, nothing, route.name, tools.workbench.now())
        inner = inner.__cause__ or inner.__context__
    return error


class _Phases:
    """httpcore's trace events as phases."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._began: dict[str, float] = {}
        self._first = 0.0
        self.stream: Any = None
        """The bare connection: httpcore forgets it when it is stopped within the handshake, and nobody closes it then."""

    async def trace(self, event: str, info: Any) -> None:
        what, _, when = event.rpartition(".")
        name = {"connect_tcp": "connect", "start_tls": "tls"}.get(what.rpartition(".")[2])
        now = time.perf_counter()
        if name is not None and when == "started":
            self._tools.where = name
            self._began[name] = now
        elif name is not None:
            self._add(name, now - self._began.pop(name, now))
            if name == "connect" and when == "complete":
                self.stream = info["return_value"]
        elif what.endswith("send_request_headers") and when == "started":
            self._tools.where = "processing"
            self._began["processing"] = now
        elif what.endswith("receive_response_headers") and when == "complete":
            self._tools.where = "body"
            self._first = now
            self._add("processing", now - self._began.pop("processing", now))

    def end(self, started: float) -> None:
        """Whatever was going on lasted until now."""
        now = time.perf_counter()
        for name, since in self._began.items():
            self._add(name, now - since)
        if self._first:
            self._add("transfer", now - max(self._first, started))

    def _add(self, name: str, seconds: float) -> None:
        phases = self._tools.phases
        phases[name] = phases.get(name, 0.0) + seconds
