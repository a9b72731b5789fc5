"""OCSP responders: `openssl ocsp` behind a little web server, and one made by hand for what openssl would not sign."""

import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID

from tests.debian import need
from tests.probes.tls.chains import DAY, Pair, intermediate, make
from tests.probes.web import Asked, said

REPLY = "application/ocsp-response"
SIGNING = ExtendedKeyUsageOID.OCSP_SIGNING
HOUR = timedelta(hours=1)


@cache
def leaf() -> Pair:
    """Whose state is asked for."""
    return make("van-ban.example", by=intermediate())


@cache
def delegate() -> Pair:
    """Whom the issuer has put in charge of answering."""
    return make("Tinh OCSP", by=intermediate(), usage=SIGNING, key=rsa.generate_private_key(65537, 2048))


@dataclass(frozen=True)
class Responder:
    """`openssl ocsp` with an index of one certificate, or of none."""

    by: Pair
    state: str = "V"
    issuer: Pair = intermediate()  # noqa: RUF009 Made once.
    words: tuple[str, ...] = ("-nmin", "60")

    def folder(self, place: Path) -> list[str]:
        """Write what it needs; gives its command."""
        (place / "ca.pem").write_bytes(self.issuer.pem)
        (place / "by.pem").write_bytes(self.by.pem)
        (place / "key.pem").write_bytes(self.by.key_pem)
        serial, ends = leaf().certificate.serial_number, leaf().certificate.not_valid_after_utc
        text = f"{serial:X}"
        when = "261101000000Z,superseded" if self.state == "R" else ""
        line = f"{self.state}\t{ends:%y%m%d%H%M%S}Z\t{when}\t{text if len(text) % 2 == 0 else '0' + text}\tunknown\t/CN=x\n"
        (place / "index").write_text("" if self.state == "-" else line)
        command = [need("openssl", "openssl"), "ocsp", "-index", place / "index", "-CA", place / "ca.pem"]
        return [*map(str, command), "-rsigner", str(place / "by.pem"), "-rkey", str(place / "key.pem"), *self.words]

    def reply(self, request: bytes) -> bytes:
        """The answer in DER."""
        with tempfile.TemporaryDirectory(prefix="ocsp") as name:
            place = Path(name)
            (place / "request").write_bytes(request)
            command = [*self.folder(place), "-reqin", str(place / "request"), "-respout", str(place / "reply")]
            subprocess.run(command, capture_output=True, check=False, timeout=20)
            return (place / "reply").read_bytes()

    def __call__(self, asked: Asked) -> bytes:
        """By POST alone."""
        if asked.method != "POST" or "application/ocsp-request" not in asked.head:
            return said(b"", status="400 Bad Request")
        return said(self.reply(asked.body), REPLY)


def built(
    by: Pair,
    *,
    about: Pair | None = None,
    issuer: Pair | None = None,
    age: timedelta = HOUR,
    left: timedelta | None = HOUR,
    bag: tuple[Pair, ...] | None = None,
    nonce: bytes | None = None,
    named: bool = False,
    state: ocsp.OCSPCertStatus = ocsp.OCSPCertStatus.GOOD,
    digest: hashes.HashAlgorithm = hashes.SHA256(),  # noqa: B008
) -> bytes:
    """An answer made by hand."""
    now = datetime.now(UTC)
    revoked = state is ocsp.OCSPCertStatus.REVOKED
    builder = (
        ocsp.OCSPResponseBuilder()
        .add_response(
            cert=(about or leaf()).certificate,
            issuer=(issuer or intermediate()).certificate,
            algorithm=hashes.SHA1(),
            cert_status=state,
            this_update=now - age,
            next_update=None if left is None else now + left,
            revocation_time=now - DAY if revoked else None,
            revocation_reason=x509.ReasonFlags.key_compromise if revoked else None,
        )
        .responder_id(ocsp.OCSPResponderEncoding.NAME if named else ocsp.OCSPResponderEncoding.HASH, by.certificate)
    )
    if bag is None:
        bag = () if by is intermediate() else (by,)
    if bag:
        builder = builder.certificates([pair.certificate for pair in bag])
    if nonce is not None:
        builder = builder.add_extension(x509.OCSPNonce(nonce), critical=False)
    return builder.sign(by.key, digest).public_bytes(Encoding.DER)


def fixed(body: bytes, kind: str = REPLY) -> Callable[[Asked], bytes]:
    """Says the same to everyone."""
    return lambda asked: said(body, kind)


def fresh(build: Callable[[], bytes]) -> Callable[[Asked], bytes]:
    """The same, made when it is asked for: what was made when the tests were collected has grown old."""
    return lambda asked: said(build(), REPLY)


def crl(
    by: Pair,
    *,
    age: timedelta = HOUR,
    left: timedelta = DAY,
    revoked: tuple[int, ...] = (),
    digest: hashes.HashAlgorithm = hashes.SHA256(),  # noqa: B008
) -> bytes:
    """A revocation list with these serial numbers."""
    now = datetime.now(UTC)
    builder = x509.CertificateRevocationListBuilder().issuer_name(by.certificate.subject)
    builder = builder.last_update(now - age).next_update(now + left)
    for serial in revoked:
        entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(now - DAY)
        builder = builder.add_revoked_certificate(entry.add_extension(_WHY, critical=False).build())
    return builder.sign(by.key, digest).public_bytes(Encoding.DER)


_WHY = x509.CRLReason(x509.ReasonFlags.key_compromise)
