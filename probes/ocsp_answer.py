"""The state of a certificate (RFC 6960): what a responder says of it, and whether it may say so.

Owns: OCSPResponse, read as far as a client has to, its signature, its responder. Never: sends, reads a clock.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from probes import asn1
from probes.asn1 import Fields, Value
from probes.contract import ProbeError, Reason
from probes.signed import (
    MOST_CERTIFICATES,
    UnsignedError,
    digest_of,
    hostile,
    issued,
    names,
    outside,
    purposes,
    readable,
    title,
    verify,
)

BASIC: Final = "1.3.6.1.5.5.7.48.1.1"
NONCE: Final = "1.3.6.1.5.5.7.48.1.2"
REFUSALS: Final = {1: "malformedRequest", 2: "internalError", 3: "tryLater", 5: "sigRequired", 6: "unauthorized"}
GOOD, REVOKED, UNKNOWN = "good", "revoked", "unknown"
STATES: Final = {0x80: GOOD, 0xA1: REVOKED, 0x82: UNKNOWN}
WHY: Final = {
    0: "",
    1: "key compromise",
    2: "authority compromise",
    3: "affiliation changed",
    4: "superseded",
    5: "cessation of operation",
    6: "on hold",
    9: "privilege withdrawn",
    10: "authority compromise",
}
"""CRLReason (RFC 5280 §5.3.1)."""

SKEW: Final = timedelta(minutes=5)
"""How far a responder's clock may be ahead of ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """What the responder said. `next_update` is None where newer word is always available; `revoked_at` stands beside `revoked`."""

    state: str
    this_update: datetime
    next_update: datetime | None
    responder: x509.Certificate
    revoked_at: datetime | None = None
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Whose state is asked for, and who issued it."""

    certificate: x509.Certificate
    issuer: x509.Certificate

    def is_meant(self, identity: Value) -> bool:
        """Whether a CertID means this certificate, by whatever digest it names."""
        fields = Fields(identity)
        digest = digest_of(fields.take(asn1.SEQUENCE))
        _, name, key = names(self.issuer)
        return (
            fields.take(asn1.OCTET_STRING).content == hashlib.new(digest, name).digest()
            and fields.take(asn1.OCTET_STRING).content == hashlib.new(digest, key).digest()
            and asn1.integer(fields.take(asn1.INTEGER)) == self.certificate.serial_number
        )


def word(data: bytes | bytearray, subject: Subject, now: datetime, *, nonce: bytes | None = None) -> Word:
    """Read, hold against who may sign, and against the clock.

    ProbeError `ocsp` when there is no word on this certificate, or not by who may say it, or no longer; `protocol` when it cannot be read.
    """
    with hostile("the answer"):
        try:
            found = _word(data, subject, now, nonce)
        except UnsignedError as error:
            raise ProbeError(Reason.OCSP, str(error)) from None
    if found.this_update > now + SKEW:
        raise ProbeError(
            Reason.OCSP, f"the answer is from the future: {hours(found.this_update - now)} ahead of our clock"
        )
    if found.next_update is not None and found.next_update < now:
        raise ProbeError(
            Reason.OCSP, f"the answer is stale: it should have been renewed {hours(now - found.next_update)} ago"
        )
    return found


def _word(data: bytes | bytearray, subject: Subject, now: datetime, nonce: bytes | None) -> Word:
    fields = Fields(asn1.parse(data))
    status = asn1.integer(fields.take(asn1.ENUMERATED))
    if status:
        raise UnsignedError(f"the responder refused: {REFUSALS.get(status, f'status {status}')}")
    wrapped = Fields(fields.take(0xA0).first())
    if asn1.oid(wrapped.take(asn1.OID)) != BASIC:
        raise UnsignedError("an answer of another kind than basic")
    basic = Fields(asn1.parse(wrapped.take(asn1.OCTET_STRING).content))
    told = basic.take(asn1.SEQUENCE)
    identifier = basic.take(asn1.SEQUENCE)
    signature = basic.take(asn1.BIT_STRING).content[1:]
    bag = basic.maybe(0xA0)
    inner = Fields(told)
    inner.maybe(0xA0)
    identity = inner.take(0xA1, 0xA2)
    inner.take(asn1.GENERALIZED_TIME)
    responses = inner.take(asn1.SEQUENCE)
    extensions = inner.maybe(0xA1)
    responder = _responder(identity, bag, subject.issuer, now)
    verify(responder, identifier, signature, told.encoded)
    if nonce is not None:
        _held(extensions, nonce)
    for item in responses.items(64):
        single = Fields(item)
        if subject.is_meant(single.take(asn1.SEQUENCE)):
            return _single(single, responder)
    raise UnsignedError("the answer is about another certificate")


def _single(single: Fields, responder: x509.Certificate) -> Word:
    state = single.take(*STATES)
    revoked_at, why = None, ""
    if STATES[state.tag] == REVOKED:
        revoked = Fields(state, 0xA1)
        revoked_at = asn1.moment(revoked.take(asn1.GENERALIZED_TIME))
        if (reason := revoked.maybe(0xA0)) is not None:
            why = WHY.get(asn1.integer(reason.first()), "")
    this_update = asn1.moment(single.take(asn1.GENERALIZED_TIME))
    later = single.maybe(0xA0)
    next_update = None if later is None else asn1.moment(later.first())
    return Word(
        state=STATES[state.tag],
        this_update=this_update,
        next_update=next_update,
        responder=responder,
        revoked_at=revoked_at,
        why=why,
    )


def _responder(identity: Value, bag: Value | None, issuer: x509.Certificate, now: datetime) -> x509.Certificate:
    """Who signed: the issuer itself, or whom it has put in charge, issued by it directly (RFC 6960 §4.2.2.2)."""
    for one in (issuer, *_bagged(bag)):
        if not _is(one, identity):
            continue
        if one == issuer:
            return one
        whose = title(one.subject)
        if not issued(one, issuer, now, [1]):
            raise UnsignedError(f"the responder {whose} is not put in charge by the issuer of the certificate")
        if ExtendedKeyUsageOID.OCSP_SIGNING not in purposes(one)[0]:
            raise UnsignedError(f"the certificate of the responder {whose} is not one for OCSP")
        wrong = outside(one, now)
        if wrong:
            raise UnsignedError(f"the certificate of the responder {whose} is not valid: {wrong}")
        return one
    raise UnsignedError("the answer is signed by somebody whose certificate is not in it")


def _bagged(bag: Value | None) -> list[x509.Certificate]:
    return [] if bag is None else readable(bag.first().items(MOST_CERTIFICATES))


def _is(certificate: x509.Certificate, identity: Value) -> bool:
    """Whether a ResponderID means this certificate: by name, or by the SHA-1 of its key."""
    _, name, key = names(certificate)
    meant = identity.first()
    if identity.tag == 0xA1:
        return meant.encoded == name
    return meant.content == hashlib.sha1(key, usedforsecurity=False).digest()


def _held(extensions: Value | None, nonce: bytes) -> None:
    """Whether the answer holds our nonce (RFC 8954): only then it was made for us, and now."""
    for item in [] if extensions is None else extensions.first().items(32):
        extension = Fields(item)
        if asn1.oid(extension.take(asn1.OID)) != NONCE:
            continue
        extension.maybe(asn1.BOOLEAN)
        value = extension.take(asn1.OCTET_STRING).content
        # RFC 8954 wraps it once more; some responders do not.
        if value not in (asn1.tlv(asn1.OCTET_STRING, nonce), nonce):
            raise UnsignedError("the nonce is not ours: it is the answer to another request")
        return
    raise UnsignedError("the answer has no nonce: it was not made for this request")


def hours(span: timedelta) -> str:
    """For a person."""
    count = span.total_seconds() / 3600
    return f"{count:.1f} h" if count < 48 else f"{count / 24:.1f} days"
