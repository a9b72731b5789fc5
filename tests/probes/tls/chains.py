"""Certificates of every class, made on the spot: what a real authority would no longer sign has to be made by hand."""

import ssl
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Pair:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: Key

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        return self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )


def make(
    name: str,
    *,
    by: Pair | None = None,
    names: Sequence[str] = (),
    addresses: Sequence[str] = (),
    starts: timedelta = -DAY,
    ends: timedelta = 90 * DAY,
    authority: bool = False,
    key: Key | None = None,
    usage: x509.ObjectIdentifier | None = None,
    critical: bool = False,
) -> Pair:
    """A certificate issued by another, or by itself."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(by.certificate.subject if by else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + starts)
        .not_valid_after(now + ends)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    if by is not None:
        identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(by.key.public_key())
        builder = builder.add_extension(identifier, critical=False)
    san = [x509.DNSName(item) for item in names] + [x509.IPAddress(ip_address(item)) for item in addresses]
    if san:
        builder = builder.add_extension(x509.SubjectAlternativeName(san), critical=False)
    if usage is not None:
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=critical)
    signer = by.key if by else key
    return Pair(builder.sign(signer, hashes.SHA256()), key)


@cache
def root() -> Pair:
    """The authority that the checks trust."""
    return make("Tinh Root", authority=True, ends=3650 * DAY)


@cache
def stranger() -> Pair:
    """An authority that nobody trusts."""
    return make("Stranger Root", authority=True, ends=3650 * DAY)


@cache
def intermediate() -> Pair:
    """An authority below the trusted one."""
    return make("Tinh Issuing", by=root(), authority=True, ends=1000 * DAY)


@cache
def folder() -> Path:
    """Where files of this test process lie."""
    return Path(tempfile.mkdtemp(prefix="chains"))


def file(*pairs: Pair, key: bool = False) -> str:
    """A PEM file with these certificates, and the first one's key."""
    content = b"".join(pair.pem for pair in pairs) + (pairs[0].key_pem if key else b"")
    path = folder() / f"{abs(hash(content))}.pem"
    path.write_bytes(content)
    return str(path)


def server(*chain: Pair) -> ssl.SSLContext:
    """A server's context that serves this chain; anything a client might accept is allowed."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.load_cert_chain(file(*chain, key=True))
    return context


CLIENT_ONLY = ExtendedKeyUsageOID.CLIENT_AUTH
