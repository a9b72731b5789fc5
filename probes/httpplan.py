"""From a check's keys to bytes on the wire, and from hop to hop.

Owns: what can be refused before anything is sent, the request of each hop, which secret may go where, and which hosts a redirect may reach.
Never: judges the final answer.
"""

import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from probes.contract import ProbeError, Reason
from probes.httpauth import OAuth2, basic, token
from probes.secret import Secret
from probes.text import excerpt
from probes.tools import Tools
from probes.wire.client import USER_AGENT, Proxy, Response, Route, exchange, publicness
from probes.wire.cookies import Jar
from probes.wire.url import Url, join, parse

if TYPE_CHECKING:
    from probes.http import HttpSpec

BODY_LIMIT: Final = 1024 * 1024
"""Bytes of a `body_file`."""

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_FRAMING: Final = frozenset({"content-length", "transfer-encoding", "connection", "upgrade", "te", "trailer"})
_PROOFS: Final = frozenset({"authorization", "proxy-authorization", "cookie", "x-api-key", "x-auth-token"})
REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})


class Ask(Protocol):
    """One exchange, over whichever version."""

    async def __call__(self, route: Route, request: bytes, tools: Tools, *, head_only: bool = False) -> Response: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A check's request, ready to send. `request` is the first hop's, without the token where one has to be fetched.

    `open_lines` may go to any host, `secret_lines` (what proves who we are, whatever came as a secret, an own `Host`) only to the first.
    """

    route: Route
    method: str
    redirects: int
    open_lines: tuple[str, ...]
    secret_lines: tuple[str, ...]
    body: bytes
    body_lines: tuple[str, ...]
    request: bytes
    oauth2: OAuth2 | None
    secrets: tuple[str, ...]
    ask_tls: Ask
    host: str | None
    secret_body: bool = False

    def __repr__(self) -> str:
        return f"<plan of {self.method} {self.route.url.shown}>"

    @property
    def ask(self) -> Ask:
        """How to ask the first address."""
        return self.ask_tls if self.route.url.tls else exchange

    @classmethod
    def build(cls, spec: "HttpSpec") -> "Plan":
        """Check what belongs together and make the bytes; ValueError says which key is wrong and what would be right."""
        url = _address(spec.url, "url")
        headers = _headers(spec.headers)
        host = _host_header(headers.pop("host", ("Host", None))[1], spec)
        body = _body(spec)
        proofs, secrets = _proofs(spec, url, headers)
        lines = _lines(headers, compression=spec.compression)
        secret_lines = tuple(f"{key}: {value.reveal()}" for key, value in headers.values() if isinstance(value, Secret))
        body_lines = (f"Content-Length: {len(body)}",) if body or spec.method in ("POST", "PUT", "PATCH") else ()
        route = Route(
            url=url,
            family=spec.family,
            tls=spec.tls,
            server_name=None if host is None else _bare(host),
            proxy=None if spec.proxy is None else Proxy.parse(_address(spec.proxy, "proxy")),
            max_body=spec.max_body,
            decode=spec.compression != "none",
        )
        plan = cls(
            route=route,
            method=spec.method,
            redirects=spec.redirects,
            open_lines=lines,
            secret_lines=(*proofs, *secret_lines),
            body=body,
            body_lines=body_lines,
            request=b"",
            oauth2=spec.auth.oauth2 if spec.auth is not None else None,
            secrets=secrets,
            ask_tls=_http2() if spec.version == "2" else exchange,
            host=host,
            secret_body=isinstance(spec.body, Secret),
        )
        return replace(plan, request=plan.bytes_for(url, host=host, private=True))

    def bytes_for(
        self, url: Url, *, private: bool, host: str | None = None, extra: Iterable[str] = (), method: str | None = None
    ) -> bytes:
        """The request to one address; `private` says whether it may carry what proves who we are. A method given drops the body."""
        proxied = self.route.proxy is not None and not url.tls
        target = f"http://{url.authority}{url.target}" if proxied else url.target
        lines = [f"{method or self.method} {target} HTTP/1.1", f"Host: {host or url.authority}", *self.open_lines]
        if private:
            lines += self.secret_lines
        if proxied and self.route.proxy is not None and self.route.proxy.authorization is not None:
            lines.append(f"Proxy-Authorization: {self.route.proxy.authorization.reveal()}")
        lines += extra
        if method is None:
            lines += self.body_lines
        head = "\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape")
        return head if method is not None else head + self.body


async def ask_with_token(
    plan: Plan, auth: OAuth2, tools: Tools, extra: tuple[str, ...] = ()
) -> tuple[Response, tuple[str, ...], float]:
    """The first hop's answer, the header line that proved us, and when the asking began (`perf_counter`): the token's step is not part of it."""
    access = await token(auth, plan.route, tools)
    kept = "token" not in tools.phases
    while True:
        tools.conceal((access,))
        proof = (f"Authorization: Bearer {access}",)
        began = time.perf_counter()
        request = plan.bytes_for(plan.route.url, private=True, host=plan.host, extra=(*proof, *extra))
        answer = await plan.ask(plan.route, request, tools, head_only=plan.method == "HEAD")
        if answer.status != 401 or not kept:
            return answer, proof, began
        # A kept token may have been revoked meanwhile: ask for another, once.
        access, kept = await token(auth, plan.route, tools, fresh=True), False


async def follow(
    plan: Plan, tools: Tools, answer: Response, proof: tuple[str, ...] = (), jar: Jar | None = None
) -> Response:
    """From a first answer that redirects to the final one; notes `redirects`. ProbeError for a redirect that may not be followed.

    `jar` takes the cookies of every answer but the last one, whose `url` says where it came from.
    """
    route, method = plan.route, None
    floor = publicness(answer.address)
    jar = Jar() if jar is None else jar
    hops = 0
    while answer.status in REDIRECTS and (location := answer.values(b"location")):
        if hops == plan.redirects:
            raise ProbeError(Reason.TOO_MANY_REDIRECTS, f"more than {plan.redirects} redirects")
        hops += 1
        tools.facts["redirects"] = float(hops)
        for line in answer.values(b"set-cookie"):
            jar.take(route.url, line)
        url = _next(route.url, location[0])
        # RFC 9110 §15.4: 303 asks for a GET; after 301 and 302 everybody does so too, but for GET and HEAD themselves.
        if (answer.status == 303 and plan.method != "HEAD") or (
            answer.status in (301, 302) and plan.method not in ("GET", "HEAD")
        ):
            method = "GET"
        private = _same_place(plan.route.url, url)
        if method is None and plan.secret_body and not private:
            raise ProbeError(Reason.REDIRECT_BLOCKED, f"redirected to {url.shown} with a body that holds a secret")
        cookie = jar.header(url)
        request = plan.bytes_for(
            url,
            private=private,
            host=plan.host if private else None,
            extra=(*(proof if private else ()), *((f"Cookie: {_bytes(cookie)}",) if cookie else ())),
            method=method,
        )
        trust = plan.route.tls
        route = replace(
            plan.route,
            url=url,
            server_name=plan.route.server_name if private else None,
            # The other host has its own name, and no business with our certificate.
            tls=trust if private else replace(trust, server_name=None, cert=None, key=None),
            floor=None if tools.workbench.allowed_hosts(url.host) else floor,
        )
        ask = plan.ask_tls if url.tls else exchange
        answer = await ask(route, request, tools, head_only=(method or plan.method) == "HEAD")
        answer.url = url
    return answer


def _http2() -> Ask:
    """httpx takes a while to load, and few checks ask for HTTP/2: loaded when a configuration is, never within a run."""
    from probes.http2 import exchange2

    return exchange2


def _next(base: Url, location: bytes) -> Url:
    try:
        return join(base, location)
    except ValueError as error:
        raise ProbeError(Reason.BAD_REDIRECT, f"redirected to {excerpt(location)}: {error}") from None


def _same_place(first: Url, url: Url) -> bool:
    """Whether what was meant for the first address may go to this one: the same origin, or the same host upgraded to TLS."""
    return url.origin == first.origin or (
        url.host == first.host and url.tls and not first.tls and (first.port, url.port) == (80, 443)
    )


# Reading the keys.


def _address(value: str | Secret, key: str) -> Url:
    secret = isinstance(value, Secret)
    text = value.reveal() if isinstance(value, Secret) else value
    try:
        url = parse(text if key != "proxy" or "://" in text else f"http://{text}")
    except ValueError as error:
        raise ValueError(f"{key}: {error}") from None
    if url.user is not None and not secret:
        raise ValueError(f"{key}: a password does not stand in the file; write {key}: env:NAME, or use auth")
    return url


def _headers(headers: Mapping[str, str | Secret]) -> dict[str, tuple[str, str | Secret]]:
    """By lower-case name: name as written, value."""
    found: dict[str, tuple[str, str | Secret]] = {}
    for name, value in headers.items():
        key = name.lower()
        if not _TOKEN.fullmatch(name):
            raise ValueError(f"headers: {name!r} is not the name of a header")
        if key in found:
            raise ValueError(f"headers: {name} stands there twice")
        if key in _FRAMING:
            raise ValueError(f"headers: {name} is the wire's own business; leave it out")
        if key in _PROOFS and not isinstance(value, Secret):
            raise ValueError(f"headers: {name} is a secret and does not stand in the file; write {name}: env:NAME")
        if _CONTROL.search(_text(value) or ""):
            raise ValueError(f"headers: the value of {name} has control characters")
        found[key] = (name, value)
    return found


def _host_header(host: str | Secret | None, spec: "HttpSpec") -> str | None:
    if host is None:
        return None
    text = _text(host) or ""
    if spec.tls.server_name is not None and spec.tls.server_name != _bare(text):
        raise ValueError(
            "headers: Host and tls.server_name name two hosts; give one of them (Host is used for TLS as well)"
        )
    return text


def _bare(authority: str) -> str:
    """The host of `host:port` or `[v6]:port`."""
    return authority.partition("]")[0][1:] if authority.startswith("[") else authority.partition(":")[0]


def _body(spec: "HttpSpec") -> bytes:
    if spec.body is not None and spec.body_file is not None:
        raise ValueError("body and body_file: give one of them")
    if spec.body_file is not None:
        path = Path(spec.body_file)
        try:
            size = path.stat().st_size
            if size > BODY_LIMIT:
                raise ValueError(f"body_file: {size} bytes, more than {BODY_LIMIT}")
            return path.read_bytes()
        except OSError as error:
            raise ValueError(f"body_file: {spec.body_file}: {error.strerror}") from None
    return (_text(spec.body) or "").encode("utf-8")


def _proofs(
    spec: "HttpSpec", url: Url, headers: Mapping[str, tuple[str, str | Secret]]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The `Authorization` line, and every secret text, which must never be shown."""
    secrets = [value.reveal() for _, value in headers.values() if isinstance(value, Secret)]
    auth = spec.auth.static if spec.auth is not None else None
    if url.user is not None:
        if spec.auth is not None:
            raise ValueError("url and auth both name a user; give one of them")
        auth = basic(url.user, url.password or "")
        secrets.append(url.password or "")
    if (auth is not None or spec.auth is not None) and "authorization" in headers:
        raise ValueError("headers: Authorization, and auth or a user in url: give one of them")
    if auth is not None:
        secrets += [auth, auth.partition(" ")[2]]
    if spec.auth is not None and spec.auth.basic is not None:
        secrets.append(spec.auth.basic.password.reveal())
    if spec.auth is not None and spec.auth.oauth2 is not None:
        secrets.append(spec.auth.oauth2.client_secret.reveal())
    for value in (spec.url, spec.proxy, spec.body):
        if isinstance(value, Secret):
            secrets.append(value.reveal())
    return (() if auth is None else (f"Authorization: {auth}",)), tuple(secret for secret in secrets if secret)


def _lines(headers: Mapping[str, tuple[str, str | Secret]], *, compression: str) -> tuple[str, ...]:
    """Header lines that any host may see, with defaults for those not given."""
    lines = [line for key, line in _defaults(compression) if key not in headers]
    lines += [f"{name}: {value}" for name, value in headers.values() if not isinstance(value, Secret)]
    return _shared((*lines, "Connection: close"))


@lru_cache(maxsize=16)
def _defaults(compression: str) -> tuple[tuple[str, str], ...]:
    coding = "identity" if compression == "none" else compression
    return (
        ("user-agent", f"User-Agent: {USER_AGENT}"),
        ("accept", "Accept: */*"),
        ("accept-encoding", f"Accept-Encoding: {coding}"),
    )


@lru_cache(maxsize=256)
def _shared(lines: tuple[str, ...]) -> tuple[str, ...]:
    """The same lines as other checks have, kept once for thousands of them."""
    return lines


def _text(value: str | Secret | None) -> str | None:
    return value.reveal() if isinstance(value, Secret) else value


def _bytes(data: bytes) -> str:
    """Bytes as text that `bytes_for` turns into the same bytes again."""
    return data.decode("utf-8", "surrogateescape")
