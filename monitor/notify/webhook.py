"""A webhook: our JSON by POST, signed after Standard Webhooks.

Owns: the receiver's keys in the configuration, and what each status means for the next try.
Never: follows a redirect, or reports anything of an answer but its status.
"""

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Annotated, Any, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, WithJsonSchema

from monitor.model import Message
from monitor.notify import signature
from monitor.notify.contract import Delivery, Result
from monitor.notify.courier import Answer, Courier, Network
from probes.secret import Secret
from probes.units import Seconds

NO_HEADERS: Mapping[str, str | Secret] = MappingProxyType({})

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_OURS = frozenset(
    {
        "content-length",
        "content-type",
        "host",
        "transfer-encoding",
        "connection",
        "webhook-id",
        "webhook-timestamp",
        "webhook-signature",
    }
)


def _check_url(url: str | Secret) -> str | Secret:
    text = url.reveal() if isinstance(url, Secret) else url
    try:
        parts = urlsplit(text)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or re.search(r"[\x00-\x20\x7f]", text):
        raise ValueError("the webhook's url is not an http:// or https:// address")
    if not isinstance(url, Secret) and parts.password:
        raise ValueError("a password is written in the url: keep the whole url in env:NAME or file:PATH")
    return url


def _check_headers(headers: Mapping[str, str | Secret]) -> Mapping[str, str | Secret]:
    for name, value in headers.items():
        text = value.reveal() if isinstance(value, Secret) else value
        if not _TOKEN.fullmatch(name):
            raise ValueError(f"{name!r} is not a header's name")
        if name.lower() in _OURS:
            raise ValueError(f"the header {name!r} is set by the delivery itself")
        if not text.isascii() or re.search(r"[\x00-\x08\x0a-\x1f\x7f]", text):
            raise ValueError(f"the header {name!r} has a line break or a letter that a header cannot carry")
    return MappingProxyType(dict(headers))


def _one_or_many(value: Any) -> Any:
    if value is None:
        return ()
    return tuple(value) if isinstance(value, list | tuple) else (value,)


def _check_secrets(secrets: tuple[Secret, ...]) -> tuple[Secret, ...]:
    for secret in secrets:
        signature.key(secret)
    return secrets


def _networks(value: Any) -> Any:
    texts = _one_or_many(value)
    return tuple(ipaddress.ip_network(text) if isinstance(text, str) else text for text in texts)


_REFERENCE = {"type": "string", "pattern": "^(env|file):.+"}
_SECRETS_SCHEMA = WithJsonSchema(
    {"anyOf": [_REFERENCE, {"type": "array", "items": _REFERENCE, "minItems": 1, "maxItems": 4}]}
)
_NETWORKS_SCHEMA = WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]})


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookSpec:
    """The keys of `webhook`.

    `secret` is one signing secret, or several while one is being replaced: every message then carries a signature for each. `timeout` is the
    whole delivery's, in seconds. `allow` are networks: the receiver's address must lie in one of them.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid", arbitrary_types_allowed=True)

    url: Annotated[str | Secret, AfterValidator(_check_url)]
    secret: Annotated[
        tuple[Secret, ...],
        BeforeValidator(_one_or_many),
        AfterValidator(_check_secrets),
        Field(max_length=4),
        _SECRETS_SCHEMA,
    ] = ()
    format: Literal["standard", "alertmanager"] = "standard"
    timeout: Annotated[Seconds, Field(gt=0, le=60)] = 10.0
    headers: Annotated[Mapping[str, str | Secret], AfterValidator(_check_headers)] = field(
        default_factory=lambda: NO_HEADERS
    )
    allow: Annotated[tuple[Network, ...], BeforeValidator(_networks), _NETWORKS_SCHEMA] = ()


async def deliver(spec: WebhookSpec, message: Message, courier: Courier, now: datetime) -> Delivery:
    """Send the message's bytes once, as they are, under a signature made at `now`."""
    if spec.format != "standard":
        return Delivery(result=Result.UNSUPPORTED, detail=f"format {spec.format} is not sent yet")
    signed = signature.headers(spec.secret, message_id=message.id, body=message.body, now=now)
    answer = await courier.post(
        spec.url,
        body=message.body,
        headers={**spec.headers, "content-type": "application/json", **signed},
        now=now,
        allow=spec.allow,
    )
    return judge(answer)


def judge(answer: Answer) -> Delivery:
    """Any 2xx is delivered. What may pass is retried; what needs a person says so; nothing is dropped."""
    status = answer.status
    if 200 <= status < 300:
        result = Result.DELIVERED
    elif 300 <= status < 400:
        result = Result.REDIRECTED
    elif status in (401, 403):
        result = Result.CREDENTIALS
    elif status == 410:
        result = Result.GONE
    elif status == 429:
        result = Result.THROTTLED
    elif status in (408, 425) or status >= 500:
        result = Result.RETRY
    else:
        result = Result.REJECTED
    wait = answer.retry_after if result in (Result.THROTTLED, Result.RETRY) else None
    return Delivery(result=result, status=status, retry_after=wait, detail=f"HTTP {status}")
