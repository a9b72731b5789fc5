"""Telling people: the kinds of receivers, the bytes of a message, and one bounded try to deliver it.

Owns: the table of kinds, and the only deadline and the only broad `except` of a delivery.
Never: retries, orders or remembers (the outbox does), or decides who is told (the rules do).
"""

import asyncio
import errno
import ssl
from collections.abc import Iterator, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Final

import httpx
import structlog

from monitor.model import Message, Receiver
from monitor.notify import webhook
from monitor.notify.body import body, message_id, report_body, test_body
from monitor.notify.contract import Delivery, Kind, Result
from monitor.notify.courier import AddressNotAllowedError, Courier
from monitor.notify.meeting import meeting_body
from monitor.notify.together import ENDS, patient, together

__all__ = [
    "ENDS",
    "KINDS",
    "Courier",
    "Delivery",
    "Kind",
    "Result",
    "body",
    "deliver",
    "meeting_body",
    "message_id",
    "patient",
    "report_body",
    "test_body",
    "together",
]

KINDS: Final[Mapping[str, Kind]] = MappingProxyType(
    {
        kind.name: kind
        for kind in (
            Kind(
                name="webhook",
                spec=webhook.WebhookSpec,
                deliver=webhook.deliver,
                summary="Our JSON by POST, signed after Standard Webhooks",
            ),
        )
    }
)

_log = structlog.get_logger(__name__)


async def deliver(receiver: Receiver, message: Message, *, courier: Courier, now: datetime) -> Delivery:
    """Try once; ends by the spec's `timeout` (seconds) and never raises but CancelledError. `now` is the wall clock, for the signature."""
    kind = KINDS.get(receiver.kind)
    if kind is None:
        return Delivery(result=Result.UNSUPPORTED, detail=f"there is no receiver of kind {receiver.kind}")
    loop = asyncio.get_running_loop()
    began = loop.time()
    try:
        async with asyncio.timeout(receiver.spec.timeout):
            delivery = await kind.deliver(receiver.spec, message, courier, now)
    except Exception as error:
        delivery = classify(error)
        if delivery.result is Result.BUG:
            _log.exception("delivery.bug", receiver=receiver.name, message=message.id)
    return Delivery(
        result=delivery.result,
        status=delivery.status,
        retry_after=delivery.retry_after,
        seconds=loop.time() - began,
        detail=delivery.detail,
    )


def classify(error: BaseException) -> Delivery:
    """What an exception means, by its type and the errno chain, never by its text."""
    chain = tuple(_chain(error))
    if any(isinstance(link, AddressNotAllowedError) for link in chain):
        return Delivery(result=Result.BLOCKED, detail="the receiver's name leads to an address that is not allowed")
    for link in chain:
        if isinstance(link, ssl.SSLCertVerificationError):
            return Delivery(
                result=Result.CERTIFICATE, detail=f"certificate not accepted (X509 error {link.verify_code})"
            )
        if isinstance(link, ssl.SSLError):
            return Delivery(result=Result.UNREACHABLE, detail="TLS failed")
    for link in chain:
        if (
            isinstance(link, OSError)
            and not isinstance(link, TimeoutError)
            and (name := errno.errorcode.get(link.errno or 0))
        ):
            return Delivery(result=Result.UNREACHABLE, detail=name)
    if isinstance(error, TimeoutError | httpx.TimeoutException):
        return Delivery(result=Result.TIMEOUT, detail="no answer in time")
    if isinstance(error, OSError | httpx.TransportError):
        return Delivery(result=Result.UNREACHABLE, detail=type(error).__name__)
    return Delivery(result=Result.BUG, detail=type(error).__name__)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """The exception, what caused it, what it is made of; each once."""
    waiting, met = [error], set[int]()
    while waiting:
        link = waiting.pop(0)
        if link is None or id(link) in met:
            continue
        met.add(id(link))
        yield link
        waiting += [link.__cause__, link.__context__]
        if isinstance(link, BaseExceptionGroup):
            waiting += link.exceptions
