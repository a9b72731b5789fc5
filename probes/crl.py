"""Revocation lists (RFC 5280 §5): whose, how old, until when, properly signed, and whether one certificate is on it.

Owns: reading a list of megabytes without keeping anybody waiting: only its head is taken apart, its entries are searched, never listed.
Never: fetches, reads a clock; reads partial, indirect or PEM lists.
"""

import asyncio
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from cryptography import x509

from probes import asn1
from probes.asn1 import Asn1Error, Fields, Value
from probes.contract import ProbeError, Reason
from probes.ocsp_answer import SKEW, hours
from probes.signed import UnsignedError, hostile, names, verify

LARGE: Final = 64 * 1024
"""Bytes beyond which a list is hashed and searched in a thread: hashing lets the loop go on meanwhile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Crl:
    """The head of a list. `next_update` is None when it does not say; `entries` is None when nothing is revoked."""

    signed: Value
    identifier: Value
    signature: bytes
    issuer: bytes
    this_update: datetime
    next_update: datetime | None
    entries: Value | None


def head(data: bytes | bytearray) -> Crl:
    """Take a list apart as far as its head; ProbeError `protocol` when it is none."""
    with hostile("the CRL"):
        if data[:11] == b"-----BEGIN ":
            raise Asn1Error("PEM where DER belongs (RFC 5280 §4.2.1.13)")
        whole = asn1.one(memoryview(data), 0, len(data))
        if whole.end != len(data):
            raise Asn1Error("something follows the list")
        outer = Fields(whole)
        signed = outer.take(asn1.SEQUENCE)
        identifier = outer.take(asn1.SEQUENCE)
        signature = outer.take(asn1.BIT_STRING).content[1:]
        fields = Fields(signed)
        fields.maybe(asn1.INTEGER)
        fields.take(asn1.SEQUENCE)
        issuer = fields.take(asn1.SEQUENCE).encoded
        this_update = asn1.moment(fields.take(asn1.UTC_TIME, asn1.GENERALIZED_TIME))
        later = fields.maybe(asn1.UTC_TIME, asn1.GENERALIZED_TIME)
        return Crl(
            signed=signed,
            identifier=identifier,
            signature=signature,
            issuer=issuer,
            this_update=this_update,
            next_update=None if later is None else asn1.moment(later),
            entries=fields.maybe(asn1.SEQUENCE),
        )


async def look(
    data: bytes | bytearray, found: Crl, certificate: x509.Certificate, issuer: x509.Certificate
) -> datetime | None:
    """Since when the certificate is revoked, or None; ProbeError `ocsp` unless the list is its issuer's and properly signed."""
    if found.issuer != names(issuer)[1]:
        raise ProbeError(Reason.OCSP, "the CRL is another authority's")
    if len(data) > LARGE:
        return await asyncio.to_thread(_look, data, found, certificate, issuer)
    return _look(data, found, certificate, issuer)


def _look(
    data: bytes | bytearray, found: Crl, certificate: x509.Certificate, issuer: x509.Certificate
) -> datetime | None:
    signed = found.signed
    with hostile("the CRL"):
        try:
            verify(issuer, found.identifier, found.signature, signed.whole[signed.start : signed.end])
        except UnsignedError as error:
            raise ProbeError(Reason.OCSP, f"the CRL: {error}") from None
        return None if found.entries is None else listed(data, found.entries, certificate.serial_number)


def listed(data: bytes | bytearray, entries: Value, serial: int) -> datetime | None:
    """Since when a serial number is on the list: by searching its bytes, since a list of a hundred thousand takes long to go through.

    What is found must be framed as an entry: SEQUENCE, number, time (RFC 5280 §5.1.2.6).
    """
    wanted = asn1.number(serial)
    at = entries.inside
    while (at := data.find(wanted, at, entries.end)) >= 0:
        for before in (2, 3):
            start = at - before
            if start < entries.inside or data[start] != asn1.SEQUENCE:
                continue
            try:
                entry = asn1.one(entries.whole, start, entries.end)
                if entry.inside != at:
                    continue
                return asn1.moment(asn1.one(entries.whole, at + len(wanted), entry.end))
            except Asn1Error:
                continue
        at += 1
    return None


def fresh(found: Crl, now: datetime) -> None:
    """ProbeError `ocsp` when the list should have been renewed by now, or comes from the future."""
    if found.this_update > now + SKEW:
        raise ProbeError(
            Reason.OCSP, f"the CRL is from the future: {hours(found.this_update - now)} ahead of our clock"
        )
    if found.next_update is not None and found.next_update < now:
        raise ProbeError(
            Reason.OCSP, f"the CRL is stale: it should have been renewed {hours(now - found.next_update)} ago"
        )
