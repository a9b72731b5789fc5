"""How a check proves who it is: basic, bearer, or a token fetched first (OAuth 2.0 client credentials).

Owns: the keys of `auth`, and fetching and keeping a token. Never: shows a secret; keeps a token past its end.
"""

import base64
import json
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote_plus, urlencode

from pydantic import ConfigDict

from probes.contract import ProbeError, Reason
from probes.secret import Secret
from probes.tools import Tools
from probes.wire.client import USER_AGENT, Route, exchange
from probes.wire.url import Url, parse

_CONFIG: Final = ConfigDict(extra="forbid", arbitrary_types_allowed=True)

LEEWAY: Final = 30.0
"""Seconds before its end at which a token is no longer used."""
UNSAID: Final = 300.0
"""Seconds a token is kept that does not say how long it lasts (RFC 6749 §5.1 only recommends it)."""
TOKEN_LIMIT: Final = 16 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Basic:
    """RFC 7617."""

    __pydantic_config__ = _CONFIG

    user: str
    password: Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class OAuth2:
    """RFC 6749 §4.4, client credentials; the client proves itself by HTTP basic (§2.3.1)."""

    __pydantic_config__ = _CONFIG

    token_url: str
    client_id: str
    client_secret: Secret
    scope: str | None = None

    def __post_init__(self) -> None:
        parse(self.token_url)

    @property
    def key(self) -> tuple[str, str, str, str | None, int]:
        """What a kept token is found by: another secret is another token."""
        return ("oauth2", self.token_url, self.client_id, self.scope, hash(self.client_secret))


@dataclass(frozen=True, slots=True, kw_only=True)
class Auth:
    """Exactly one of the three."""

    __pydantic_config__ = _CONFIG

    basic: Basic | None = None
    bearer: Secret | None = None
    oauth2: OAuth2 | None = None

    def __post_init__(self) -> None:
        if sum(one is not None for one in (self.basic, self.bearer, self.oauth2)) != 1:
            raise ValueError("auth takes exactly one of basic, bearer and oauth2")

    @property
    def static(self) -> str | None:
        """The value of `Authorization` when it is known beforehand."""
        if self.basic is not None:
            return basic(self.basic.user, self.basic.password.reveal())
        return None if self.bearer is None else f"Bearer {self.bearer.reveal()}"


def basic(user: str, password: str) -> str:
    """The value of `Authorization` for a user (RFC 7617, UTF-8)."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode("ascii")


async def token(auth: OAuth2, like: Route, tools: Tools, *, fresh: bool = False) -> str:
    """An access token, kept between runs until shortly before its end; `fresh` asks for another.

    Timed apart in phase `token`. ProbeError `auth` when the answer is not a token; errors of the way as they come.
    """
    now = tools.started
    kept = tools.workbench.kept.get(auth.key)
    if kept is not None and not fresh and now < kept[1]:
        return str(kept[0])
    url = parse(auth.token_url)
    phases, facts, within = dict(tools.phases), dict(tools.facts), tools.within
    # Whatever goes wrong on this way is told as the token's, not the target's.
    tools.within = f"{within}, token" if within else "token"
    with tools.phase("token"):
        response = await exchange(
            Route(url=url, family=like.family, tls=like.tls, proxy=like.proxy, max_body=64 * 1024),
            _request(auth, url),
            tools,
        )
    tools.within = within
    # The token's connection is one phase of its own, and none of the target's facts.
    phases["token"] = tools.phases["token"]
    for table, before in ((tools.phases, phases), (tools.facts, facts)):
        table.clear()
        table.update(before)
    value, lasts = _read(response.status, bytes(response.body))
    tools.workbench.kept[auth.key] = (value, now + lasts - LEEWAY)
    return value


def _request(auth: OAuth2, url: Url) -> bytes:
    form = {"grant_type": "client_credentials"} | ({"scope": auth.scope} if auth.scope else {})
    body = urlencode(form).encode("ascii")
    # §2.3.1: both are form-encoded first, so that a colon in either does no harm.
    proof = basic(quote_plus(auth.client_id), quote_plus(auth.client_secret.reveal()))
    head = (
        f"POST {url.target} HTTP/1.1\r\nHost: {url.authority}\r\nUser-Agent: {USER_AGENT}\r\nAccept: application/json\r\n"
        f"Authorization: {proof}\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode("latin-1") + body


def _read(status: int, body: bytes) -> tuple[str, float]:
    """The token and the seconds it lasts."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        document = None
    if status != 200 or not isinstance(document, dict):
        raise ProbeError(Reason.AUTH, f"the token's server answered {status}, without a token")
    value, lasts = document.get("access_token"), document.get("expires_in", UNSAID)
    if (
        not isinstance(value, str)
        or not value
        or len(value) > TOKEN_LIMIT
        or not value.isascii()
        or not value.isprintable()
    ):
        raise ProbeError(Reason.AUTH, "the token's server answered without an access_token")
    return value, float(lasts) if isinstance(lasts, int | float) and not isinstance(lasts, bool) else UNSAID
