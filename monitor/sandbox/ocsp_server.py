"""A little OCSP responder (RFC 6960) over HTTP, with the revocation list of the same authority at `/crl`.

Asks the weather at every request: a cut one is silent, a slow one late, a wrong one says tryLater and serves a page for a list, an expired
one repeats a word of yesterday that should have been renewed long since. Never: knows more than one certificate.
"""

import asyncio
import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final
from urllib.parse import unquote

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID

from monitor.sandbox.faults import Condition
from monitor.sandbox.pki import Authority
from monitor.sandbox.servers import WRONG, Talker
from monitor.sandbox.tsa_server import Signer, http_reply, http_whole

Weather = Callable[[], Condition]

KIND: Final = "application/ocsp-response"
HOUR: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Revocation:
    """What the authority knows: the one certificate that is asked for, and who answers."""

    authority: Authority
    subject: Signer
    responder: Signer

    @classmethod
    def make(cls, authority: Authority) -> "Revocation":
        """A fresh certificate, and a fresh responder."""
        subject = Signer.make(authority, "Văn thư", ExtendedKeyUsageOID.EMAIL_PROTECTION)
        responder = Signer.make(authority, "Sandbox OCSP", ExtendedKeyUsageOID.OCSP_SIGNING)
        return cls(authority, subject, responder)

    def pem(self) -> bytes:
        """The certificate with its issuer behind it, as the file in `cert` of a check."""
        return self.subject.certificate.public_bytes(Encoding.PEM) + self.authority.pem()

    def answer(self, request: bytes, now: datetime, *, stale: bool = False) -> bytes:
        """OCSPResponse; malformedRequest when it is no OCSPRequest."""
        try:
            asked = ocsp.load_der_ocsp_request(request)
            known = asked.serial_number == self.subject.certificate.serial_number
            nonce = next((one.value for one in asked.extensions if isinstance(one.value, x509.OCSPNonce)), None)
        except ValueError:
            return refusal(ocsp.OCSPResponseStatus.MALFORMED_REQUEST)
        builder = ocsp.OCSPResponseBuilder().add_response_by_hash(
            issuer_name_hash=asked.issuer_name_hash,
            issuer_key_hash=asked.issuer_key_hash,
            serial_number=asked.serial_number,
            algorithm=asked.hash_algorithm,
            cert_status=ocsp.OCSPCertStatus.GOOD if known else ocsp.OCSPCertStatus.UNKNOWN,
            this_update=now - (48 * HOUR if stale else HOUR),
            next_update=now + (-24 * HOUR if stale else 12 * HOUR),
            revocation_time=None,
            revocation_reason=None,
        )
        builder = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, self.responder.certificate)
        builder = builder.certificates([self.responder.certificate])
        if nonce is not None:
            builder = builder.add_extension(nonce, critical=False)
        return builder.sign(self.responder.key, hashes.SHA256()).public_bytes(Encoding.DER)

    def crl(self, now: datetime, *, stale: bool = False) -> bytes:
        """CertificateList with one certificate on it, which is nobody's."""
        entry = x509.RevokedCertificateBuilder().serial_number(4711).revocation_date(now - 72 * HOUR).build()
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.authority.certificate.subject)
            .last_update(now - (48 * HOUR if stale else HOUR))
            .next_update(now + (-24 * HOUR if stale else 24 * HOUR))
            .add_revoked_certificate(entry)
        )
        return builder.sign(self.authority.key, hashes.SHA256()).public_bytes(Encoding.DER)


def refusal(status: ocsp.OCSPResponseStatus) -> bytes:
    """OCSPResponse without a word."""
    return ocsp.OCSPResponseBuilder.build_unsuccessful(status).public_bytes(Encoding.DER)


def responding(weather: Weather, revocation: Revocation) -> Callable[[], asyncio.Protocol]:
    """The responder: POST anywhere, GET with the request in base64 behind the slash, `/crl` the list."""

    def respond(request: bytes) -> tuple[bytes, bool]:
        head, _, body = request.partition(b"\r\n\r\n")
        verb, path = [*head.decode("latin-1").split(" ", 2), "", ""][:2]
        condition, now = weather(), datetime.now(UTC)
        if path == "/crl":
            if condition.wrong:
                return http_reply(WRONG, "text/html; charset=utf-8"), True
            return http_reply(revocation.crl(now, stale=condition.expired), "application/pkix-crl"), True
        if verb == "GET":
            try:
                body = base64.b64decode(unquote(path.lstrip("/")), validate=True)
            except binascii.Error:
                body = b""
        if condition.wrong:
            return http_reply(refusal(ocsp.OCSPResponseStatus.TRY_LATER), KIND), True
        return http_reply(revocation.answer(body, now, stale=condition.expired), KIND), True

    return partial(Talker, weather, http_whole, respond)
