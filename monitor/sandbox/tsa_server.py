"""A little timestamp authority (RFC 3161) over HTTP: a browser is sent away with 403, a proper request gets a stamp.

Asks the weather at every request: a cut one is silent, a slow one late, a wrong one refuses with systemFailure, an expired one stamps with a
certificate that ran out yesterday. Never: keeps what it stamped; is anything to rely on.
"""

import asyncio
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from monitor.sandbox.faults import Condition
from monitor.sandbox.pki import Authority
from monitor.sandbox.servers import Talker
from probes import asn1
from probes.asn1 import Asn1Error, Fields, tlv

Weather = Callable[[], Condition]

POLICY: Final = "1.3.6.1.4.1.32473.1"
"""Of the numbers that are kept for examples (RFC 5612)."""
SHA256: Final = "2.16.840.1.101.3.4.2.1"
ECDSA_SHA256: Final = "1.2.840.10045.4.3.2"
DIGESTS: Final = {SHA256: 32, "2.16.840.1.101.3.4.2.2": 48, "2.16.840.1.101.3.4.2.3": 64}
BAD_ALGORITHM: Final = b"\x07\x80"
BAD_FORMAT: Final = b"\x02\x04"
SYSTEM_FAILURE: Final = b"\x06\x00\x00\x00\x40"


@dataclass(frozen=True, slots=True)
class Signer:
    """A key, and its certificate by the sandbox's authority."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @classmethod
    def make(cls, authority: Authority, name: str, usage: x509.ObjectIdentifier, *, expired: bool = False) -> "Signer":
        """A fresh one for one purpose; an expired one ran out yesterday."""
        key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .issuer_name(authority.certificate.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=30))
            .not_valid_after(now + (timedelta(days=-1) if expired else timedelta(days=200)))
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=True)
            .sign(authority.key, hashes.SHA256())
        )
        return cls(key, certificate)


def http_whole(data: bytes) -> bool:
    """Whether a request has come with all of its body."""
    head, separator, body = data.partition(b"\r\n\r\n")
    lengths = [line[15:] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    return bool(separator) and (not lengths or not lengths[0].strip().isdigit() or len(body) >= int(lengths[0]))


def http_reply(body: bytes, kind: str, status: str = "200 OK") -> bytes:
    """An answer after which the connection ends."""
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return head.encode() + body


def stamping(weather: Weather, authority: Authority) -> Callable[[], asyncio.Protocol]:
    """The authority's service: what a listener makes of each connection. It trusts `authority`, and so does who checks its stamps."""
    good = Signer.make(authority, "Sandbox TSA", ExtendedKeyUsageOID.TIME_STAMPING)
    old = Signer.make(authority, "Sandbox TSA", ExtendedKeyUsageOID.TIME_STAMPING, expired=True)

    def respond(request: bytes) -> tuple[bytes, bool]:
        head, _, body = request.partition(b"\r\n\r\n")
        if not head.startswith(b"POST "):
            return http_reply(b"Forbidden", "text/plain", "403 Forbidden"), True
        if b"\r\ncontent-type: application/timestamp-query" not in head.lower():
            return http_reply(b"Bad Request", "text/plain", "400 Bad Request"), True
        condition = weather()
        signer = old if condition.expired else good
        answer = refused(SYSTEM_FAILURE) if condition.wrong else answered(body, signer, datetime.now(UTC))
        return http_reply(answer, "application/timestamp-reply"), True

    return partial(Talker, weather, http_whole, respond)


def refused(failure: bytes) -> bytes:
    """TimeStampResp: rejection, and why."""
    return tlv(asn1.SEQUENCE, tlv(asn1.SEQUENCE, asn1.number(2), tlv(asn1.BIT_STRING, failure)))


def answered(query: bytes, signer: Signer, now: datetime) -> bytes:
    """TimeStampResp for a TimeStampReq."""
    try:
        fields = Fields(asn1.parse(query))
        fields.take(asn1.INTEGER)
        imprint = fields.take(asn1.SEQUENCE)
        inner = Fields(imprint)
        dotted, _ = asn1.algorithm(inner.take(asn1.SEQUENCE))
        size = len(inner.take(asn1.OCTET_STRING).content)
        policy = fields.maybe(asn1.OID)
        nonce = fields.maybe(asn1.INTEGER)
        whole = fields.maybe(asn1.BOOLEAN)
    except Asn1Error:
        return refused(BAD_FORMAT)
    if DIGESTS.get(dotted) != size:
        return refused(BAD_ALGORITHM)
    info = tlv(
        asn1.SEQUENCE,
        asn1.number(1),
        asn1.name(POLICY) if policy is None else policy.encoded,
        imprint.encoded,
        asn1.number(x509.random_serial_number()),
        tlv(asn1.GENERALIZED_TIME, now.strftime("%Y%m%d%H%M%S.").encode() + f"{now.microsecond // 1000:03}Z".encode()),
        tlv(asn1.SEQUENCE, asn1.number(1)),
        b"" if nonce is None else nonce.encoded,
    )
    token = _signed(info, signer, with_certificate=whole is not None and whole.content != b"\0")
    return tlv(asn1.SEQUENCE, tlv(asn1.SEQUENCE, asn1.number(0)), token)


def _signed(info: bytes, signer: Signer, *, with_certificate: bool) -> bytes:
    """ContentInfo with SignedData (RFC 5652) around a TSTInfo."""
    der = signer.certificate.public_bytes(Encoding.DER)
    digest = tlv(asn1.SEQUENCE, asn1.name(SHA256))
    kind = asn1.name("1.2.840.113549.1.9.16.1.4")
    named = tlv(asn1.SEQUENCE, tlv(asn1.SEQUENCE, tlv(asn1.SEQUENCE, tlv(4, hashlib.sha256(der).digest()))))
    attributes = sorted(
        (
            _attribute("1.2.840.113549.1.9.3", kind),
            _attribute("1.2.840.113549.1.9.4", tlv(asn1.OCTET_STRING, hashlib.sha256(info).digest())),
            _attribute("1.2.840.113549.1.9.16.2.47", named),
        )
    )
    signature = signer.key.sign(tlv(asn1.SET, *attributes), ec.ECDSA(hashes.SHA256()))
    signed = tlv(
        asn1.SEQUENCE,
        asn1.number(1),
        tlv(asn1.SEQUENCE, signer.certificate.issuer.public_bytes(), asn1.number(signer.certificate.serial_number)),
        digest,
        tlv(0xA0, *attributes),
        tlv(asn1.SEQUENCE, asn1.name(ECDSA_SHA256)),
        tlv(asn1.OCTET_STRING, signature),
    )
    data = tlv(
        asn1.SEQUENCE,
        asn1.number(3),
        tlv(asn1.SET, digest),
        tlv(asn1.SEQUENCE, kind, tlv(0xA0, tlv(asn1.OCTET_STRING, info))),
        tlv(0xA0, der) if with_certificate else b"",
        tlv(asn1.SET, signed),
    )
    return tlv(asn1.SEQUENCE, asn1.name("1.2.840.113549.1.7.2"), tlv(0xA0, data))


def _attribute(dotted: str, value: bytes) -> bytes:
    return tlv(asn1.SEQUENCE, asn1.name(dotted), tlv(asn1.SET, value))
