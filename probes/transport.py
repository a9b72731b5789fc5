"""httpx over the lean wire: for whoever needs a client with forms, a jar and redirects of its own (journeys), with the wire's caps and phases.

Owns: the translation between httpx's request and the wire's bytes. Never: pools, follows, decodes twice; reads a proxy from the environment.
"""

from collections.abc import Callable
from dataclasses import replace

import httpx

from probes.contract import ProbeError, Reason
from probes.tools import Tools
from probes.wire.client import Response, Route, exchange, publicness
from probes.wire.url import parse

_OWN = frozenset({b"connection", b"transfer-encoding", b"content-length", b"accept-encoding"})
"""What the wire says itself: httpx would ask for codings that nobody here undoes under a cap."""


class WireTransport(httpx.AsyncBaseTransport):
    """One connection per request, by the route's family, trust, proxy and caps; phases and facts go to the run's `tools`.

    The body is decoded under the cap and handed over complete; `response.extensions["wire"]` is the wire's own `Response`.
    Errors are the wire's (ProbeError, OSError, ssl.SSLError): `probes.errors` classifies them as it does everywhere.
    """

    def __init__(
        self, route: Route, tools: Tools, *, seen: Callable[[httpx.Request, Response], None] | None = None
    ) -> None:
        """`route.url` is only a beginning: every request has its own. `seen` is told of each exchange, in order."""
        self._route = route
        self._tools = tools
        self._seen = seen
        self._first = True

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """See `httpx.AsyncBaseTransport`."""
        try:
            url = parse(str(request.url))
        except ValueError as error:
            raise ProbeError(Reason.BAD_REDIRECT, str(error)) from None
        route = replace(self._route, url=url)
        if url.host != self._route.url.host:
            # The other host has its own name, and no business with our certificate.
            tls = replace(route.tls, server_name=None, cert=None, key=None)
            route = replace(route, server_name=None, tls=tls)
            if self._tools.workbench.allowed_hosts(url.host):
                route = replace(route, floor=None)
        body = await request.aread()
        head_only = request.method == "HEAD"
        response = await exchange(route, _bytes(request, route, body), self._tools, head_only=head_only)
        if self._first:
            self._first = False
            self._route = replace(self._route, floor=publicness(response.address))
        if self._seen is not None:
            self._seen(request, response)
        headers = [(name, value) for name, value in response.headers if name.lower() not in _DECODED]
        return httpx.Response(
            response.status,
            headers=headers,
            content=bytes(response.body),
            request=request,
            extensions={"http_version": f"HTTP/{response.version}".encode(), "wire": response},
        )


# What no longer holds of a body that is decoded and complete.
_DECODED = frozenset({b"content-encoding", b"content-length", b"transfer-encoding"})


def _bytes(request: httpx.Request, route: Route, body: bytes) -> bytes:
    proxied = route.proxy is not None and not route.url.tls
    target = f"http://{route.url.authority}{route.url.target}" if proxied else route.url.target
    lines = [f"{request.method} {target} HTTP/1.1".encode("ascii")]
    lines.append(b"Accept-Encoding: gzip, deflate" if route.decode else b"Accept-Encoding: identity")
    lines += [name + b": " + value for name, value in request.headers.raw if name.lower() not in _OWN]
    if proxied and route.proxy is not None and route.proxy.authorization is not None:
        lines.append(b"Proxy-Authorization: " + route.proxy.authorization.reveal().encode("latin-1"))
    if body or request.method in ("POST", "PUT", "PATCH"):
        lines.append(b"Content-Length: %d" % len(body))
    return b"\r\n".join([*lines, b"Connection: close", b"", b""]) + body
