"""The one HTTP client for everything we send: no proxy from the environment, no redirects, no cookie, a fresh connection for each message.

Owns: the TLS context that all receivers share, the check of the address we are really connected to, and reading `Retry-After`.
Never: keeps or returns a byte of an answer's body (it could be the intranet's secrets, asked for by a test message), or waits without an end:
`monitor.notify.deliver` puts one total deadline around each use.
"""

import asyncio
import contextlib
import ipaddress
import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, Self

import httpx

from probes.secret import Secret

ANSWER_LIMIT = 16 * 1024
"""Bytes of an answer's body that are taken off the wire, and forgotten, so that the receiver can end in peace."""

ANSWER_PATIENCE = 1.0
"""Seconds for that: the status has been said, the message is accepted or not."""

RETRY_AFTER_CAP = 3600.0
ABSURD = 86400.0
"""Seconds: a receiver that asks for more than a day is not to be believed, and our own schedule rules."""

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class AddressNotAllowedError(Exception):
    """The name led to an address that no message may go to."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a receiver said that we listen to."""

    status: int
    retry_after: float | None


class Courier:
    """Long-lived, one per daemon."""

    def __init__(self, *, context: ssl.SSLContext | None = None) -> None:
        self._client = httpx.AsyncClient(
            verify=context or ssl.create_default_context(),
            trust_env=False,
            follow_redirects=False,
            timeout=httpx.Timeout(
                None
            ),  # Its time-outs are per operation and a dripping answer outlasts them; the total deadline is outside.
            # A kept connection that died in the meantime would cost a try; and no receiver may use up another's share of a pool.
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=0),
            headers={"user-agent": "thongsuot", "accept": "*/*"},
            # One receiver's odd cookie would make every later request of its domain fail.
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close what is still open."""
        await self._client.aclose()

    async def post(
        self,
        url: str | Secret,
        *,
        body: bytes,
        headers: Mapping[str, str | Secret],
        now: datetime,
        allow: Sequence[Network] = (),
    ) -> Answer:
        """Send it once. Raises what httpx raises, and `AddressNotAllowedError` before a byte of the request is sent.

        `now` is the wall clock, to read a `Retry-After` that is a date.
        """
        target = httpx.URL(_reveal(url))
        request = self._client.build_request(
            "POST",
            target,
            content=body,
            headers={name: _reveal(value) for name, value in headers.items()},
            extensions={"trace": _guard(target.host, allow)},
        )
        response = await self._client.send(request, stream=True)
        try:
            answer = Answer(
                response.status_code,
                retry_after(response.headers.get("retry-after"), response.headers.get("date"), now),
            )
            with contextlib.suppress(httpx.HTTPError, TimeoutError):
                await _forget(response)
        finally:
            with contextlib.suppress(httpx.HTTPError):
                await response.aclose()
        return answer


async def _forget(response: httpx.Response) -> None:
    """Take a little of the body off the wire, undecoded (a small gzip can inflate to gigabytes), and drop it."""
    taken = 0
    async with asyncio.timeout(ANSWER_PATIENCE):
        async for chunk in response.aiter_raw():
            taken += len(chunk)
            if taken > ANSWER_LIMIT:
                return


def _reveal(value: str | Secret) -> str:
    return value.reveal() if isinstance(value, Secret) else value


def permitted(host: str, peer: str, allow: Sequence[Network]) -> bool:
    """Whether a message for `host` may go to the address `peer` that it led to.

    With an allow-list, exactly what it says. Without one, an address that was written in the configuration is what was meant, and so is
    `localhost`; but a *name* must not lead to this machine itself or to the link's own services (rebinding).
    """
    address = ipaddress.ip_address(peer.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if allow:
        return any(address.version == network.version and address in network for network in allow)
    with contextlib.suppress(ValueError):
        ipaddress.ip_address(host)
        return True
    if host == "localhost":
        return True
    return not (address.is_loopback or address.is_link_local or address.is_unspecified or address.is_multicast)


def _guard(host: str, allow: Sequence[Network]) -> Callable[[str, dict[str, Any]], Any]:
    """A trace hook: as soon as the connection stands, and before TLS or a request is spoken, look at where it really goes."""

    async def trace(event: str, info: dict[str, Any]) -> None:
        if event != "connection.connect_tcp.complete":
            return
        stream = info["return_value"]
        peer = stream.get_extra_info("server_addr")
        if not peer or not permitted(host, str(peer[0]), allow):
            await stream.aclose()
            raise AddressNotAllowedError

    return trace


def retry_after(text: str | None, date: str | None, now: datetime) -> float | None:
    """Seconds that the receiver asks us to wait (RFC 9110 §10.2.3), at most an hour; None when it does not ask, or not sensibly.

    A date is measured from the receiver's own `date` header when it has one: its clock need not be ours.
    """
    if text is None or len(text) > 40:
        return None
    text = text.strip()
    if text.isascii() and text.isdigit():
        wanted = float(text)
    else:
        until, since = _moment(text), _moment(date or "") or now
        if until is None:
            return None
        wanted = (until - since).total_seconds()
    if not 0 <= wanted <= ABSURD:
        return None
    return min(wanted, RETRY_AFTER_CAP)


def _moment(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
