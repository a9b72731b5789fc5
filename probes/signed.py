"""Who signed it: signatures, certificates found in answers, and the path from a signer to an authority that we were told to trust.

Owns: which algorithms count, the verification of one signature, and a bounded search for a path (RFC 5280 §6, without name constraints and
policies). Never: reads a clock, decides for what purpose a certificate may sign, or goes to fetch what is missing.

`cryptography.x509.verification` is made for servers of the web and refuses authorities that are older than its rules; timestamp and OCSP
signers of governments are among those.
"""

import hashlib
import threading
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa, utils
from cryptography.hazmat.primitives.serialization import Encoding

from probes import asn1
from probes.asn1 import Asn1Error, Fields, Value, algorithm
from probes.contract import ProbeError, Reason

MOST_CERTIFICATES: Final = 16
"""Certificates of one answer that are looked at."""
MOST_STEPS: Final = 6
MOST_CHECKS: Final = 16
"""Signatures of certificates verified in search of one path: the most work that a hostile answer can make us do."""
MOST_BITS: Final = 8192
MOST_EXPONENT: Final = 64
"""Bits of an RSA key and of its exponent: beyond them one verification takes as long as a hundred."""
DAY: Final = 86_400.0

_DIGESTS: Final = {
    "1.3.14.3.2.26": "sha1",
    "2.16.840.1.101.3.4.2.4": "sha224",
    "2.16.840.1.101.3.4.2.1": "sha256",
    "2.16.840.1.101.3.4.2.2": "sha384",
    "2.16.840.1.101.3.4.2.3": "sha512",
    "2.16.840.1.101.3.4.2.8": "sha3_256",
    "2.16.840.1.101.3.4.2.9": "sha3_384",
    "2.16.840.1.101.3.4.2.10": "sha3_512",
}
DIGEST_NAMES: Final = {digest: dotted for dotted, digest in _DIGESTS.items()}

_RSA: Final = "1.2.840.113549.1.1.1"
_PSS: Final = "1.2.840.113549.1.1.10"
_SIGNATURES: Final = {
    # Name of the signature: which key it wants, and the digest it names itself.
    _RSA: ("RSA", None),
    "1.2.840.113549.1.1.5": ("RSA", "sha1"),
    "1.2.840.113549.1.1.14": ("RSA", "sha224"),
    "1.2.840.113549.1.1.11": ("RSA", "sha256"),
    "1.2.840.113549.1.1.12": ("RSA", "sha384"),
    "1.2.840.113549.1.1.13": ("RSA", "sha512"),
    _PSS: ("PSS", None),
    "1.2.840.10045.2.1": ("EC", None),
    "1.2.840.10045.4.1": ("EC", "sha1"),
    "1.2.840.10045.4.3.1": ("EC", "sha224"),
    "1.2.840.10045.4.3.2": ("EC", "sha256"),
    "1.2.840.10045.4.3.3": ("EC", "sha384"),
    "1.2.840.10045.4.3.4": ("EC", "sha512"),
    "1.3.101.112": ("Ed25519", None),
    "1.3.101.113": ("Ed448", None),
}
_HASHES: Final[dict[str, type[hashes.HashAlgorithm]]] = {
    "sha1": hashes.SHA1,
    "sha224": hashes.SHA224,
    "sha256": hashes.SHA256,
    "sha384": hashes.SHA384,
    "sha512": hashes.SHA512,
    "sha3_256": hashes.SHA3_256,
    "sha3_384": hashes.SHA3_384,
    "sha3_512": hashes.SHA3_512,
}


class UnsignedError(Exception):
    """It is not signed as it should be; the words say why, for a person."""


UNREADABLE: Final = (ValueError, TypeError, OverflowError, x509.InvalidVersion, x509.DuplicateExtension)
"""How parsers refuse a certificate: their own two, and ValueError for dates, versions, extensions and encodings."""


@contextmanager
def hostile(what: str) -> Iterator[None]:
    """Around the reading of what a target sent: whatever its parsers raise becomes `protocol`, and they warn nobody.

    In a thread of its own nothing is done about warnings: their filters belong to the whole process.
    """
    try:
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except Asn1Error as error:
        raise ProbeError(Reason.PROTOCOL, f"{what} is not well-formed: {error}") from None
    except UNREADABLE as error:
        raise ProbeError(Reason.PROTOCOL, f"{what} cannot be read ({type(error).__name__})") from None
    except Exception as error:
        # cryptography names no common base for "unsupported"; anything of its own means "cannot be read".
        if type(error).__module__.startswith("cryptography."):
            raise ProbeError(Reason.PROTOCOL, f"{what} cannot be read ({type(error).__name__})") from None
        raise


def digest_of(identifier: Value) -> str:
    """The digest that an AlgorithmIdentifier names, as hashlib knows it; UnsignedError when it is none that counts."""
    dotted, _ = algorithm(identifier)
    if dotted not in _DIGESTS:
        raise UnsignedError(f"signed over a digest that does not count ({dotted})")
    return _DIGESTS[dotted]


def verify(
    signer: x509.Certificate,
    identifier: Value,
    signature: bytes,
    data: bytes | memoryview,
    *,
    digest: str | None = None,
) -> None:
    """Hold `signature` over `data` against the signer's key; UnsignedError when it does not verify.

    `identifier` is the signature's AlgorithmIdentifier; `digest` the one named beside it (CMS), for identifiers that name none.
    MD5 does not count; SHA-1 does: what is looked for is whether signing works, and old responders still use it.
    """
    dotted, parameters = algorithm(identifier)
    if dotted not in _SIGNATURES:
        raise UnsignedError(f"signed in a way that does not count ({dotted})")
    wants, named = _SIGNATURES[dotted]
    filling: padding.AsymmetricPadding
    if wants == "PSS":
        digest, filling = _pss(parameters)
    else:
        digest, filling = named or digest, padding.PKCS1v15()
    key = signer.public_key()
    if isinstance(key, rsa.RSAPublicKey) and (
        key.key_size > MOST_BITS or key.public_numbers().e.bit_length() > MOST_EXPONENT
    ):
        raise UnsignedError(f"an RSA key of {key.key_size} bits that takes too long")
    try:
        if isinstance(key, ed25519.Ed25519PublicKey | ed448.Ed448PublicKey):
            key.verify(signature, bytes(data))
            return
        if digest is None:
            raise UnsignedError("the signature names no digest")
        hashed, algorithm_of = hashlib.new(digest, data).digest(), utils.Prehashed(_HASHES[digest]())
        if isinstance(key, rsa.RSAPublicKey) and wants in ("RSA", "PSS"):
            key.verify(signature, hashed, filling, algorithm_of)
        elif isinstance(key, ec.EllipticCurvePublicKey) and wants == "EC":
            key.verify(signature, hashed, ec.ECDSA(algorithm_of))
        else:
            raise UnsignedError(f"an {wants} signature by a key of another kind")
    except InvalidSignature:
        raise UnsignedError("the signature does not verify") from None


def _pss(parameters: Value | None) -> tuple[str, padding.PSS]:
    """RSASSA-PSS-params (RFC 4055 §3.1): digest and padding; SHA-1 and 20 bytes of salt are what is meant by leaving them out."""
    digest, mask, salt = "sha1", "sha1", 20
    if parameters is not None:
        fields = Fields(parameters)
        if (given := fields.maybe(0xA0)) is not None:
            digest = digest_of(given.first())
        if (given := fields.maybe(0xA1)) is not None:
            inner = algorithm(given.first())[1]
            mask = digest_of(inner) if inner is not None else mask
        if (given := fields.maybe(0xA2)) is not None:
            salt = int.from_bytes(given.first().content[:4])
    return digest, padding.PSS(padding.MGF1(_HASHES[mask]()), salt)


# Paths.


def readable(items: Iterable[Value]) -> list[x509.Certificate]:
    """The certificates among these that can be read: an odd old root sent along harms nobody who does not need it."""
    found = []
    for item in items:
        try:
            found.append(x509.load_der_x509_certificate(item.encoded))
        except UNREADABLE:
            continue
    return found


def path(
    leaf: x509.Certificate, others: Sequence[x509.Certificate], anchors: Sequence[x509.Certificate], at: datetime
) -> tuple[x509.Certificate, ...]:
    """The certificates from `leaf` to one of `anchors` (an intermediate among them is enough); UnsignedError says what is missing.

    Every one must be valid at the moment `at`, every issuer an authority that may sign certificates.
    """
    budget = [MOST_CHECKS]
    found = _upward(leaf, others, anchors, at, MOST_STEPS, budget)
    if found is None:
        raise UnsignedError(f"issued by {title(leaf.issuer)}, from where no path leads to ca")
    return found


def _upward(
    lower: x509.Certificate,
    others: Sequence[x509.Certificate],
    anchors: Sequence[x509.Certificate],
    at: datetime,
    steps: int,
    budget: list[int],
) -> tuple[x509.Certificate, ...] | None:
    if lower in anchors:
        return (lower,)
    for issuer in anchors:
        if issued(lower, issuer, at, budget):
            return (lower, issuer)
    if steps:
        for issuer in others:
            if issuer != lower and issued(lower, issuer, at, budget):
                rest = _upward(issuer, others, anchors, at, steps - 1, budget)
                if rest is not None:
                    return (lower, *rest)
    return None


def issued(lower: x509.Certificate, issuer: x509.Certificate, at: datetime, budget: list[int]) -> bool:
    """Whether `issuer` is an authority, valid at that moment, that signed `lower`."""
    try:
        if lower.issuer != issuer.subject or outside(issuer, at) or not authority(issuer) or budget[0] <= 0:
            return False
        budget[0] -= 1
        return by_its_key(lower, issuer)
    except (*UNREADABLE, UnsupportedAlgorithm):
        return False


def by_its_key(lower: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Whether the signature of `lower` is by the key of `issuer`."""
    outer = Fields(asn1.parse(lower.public_bytes(Encoding.DER)))
    told, identifier = outer.take(asn1.SEQUENCE), outer.take(asn1.SEQUENCE)
    try:
        verify(issuer, identifier, lower.signature, told.encoded)
    except UnsignedError:
        return False
    return True


def authority(certificate: x509.Certificate) -> bool:
    """Whether it may sign certificates (RFC 5280 §4.2.1.9, §4.2.1.3). One without extensions (version 1) may: old roots have none."""
    if certificate.version is x509.Version.v1:
        return True
    extensions = certificate.extensions
    try:
        if not extensions.get_extension_for_class(x509.BasicConstraints).value.ca:
            return False
        return extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign
    except x509.ExtensionNotFound as error:
        return error.oid == x509.KeyUsage.oid


def purposes(certificate: x509.Certificate) -> tuple[tuple[x509.ObjectIdentifier, ...], bool]:
    """What its extended key usage allows, and whether that is critical; nothing when it has none."""
    try:
        found = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    except x509.ExtensionNotFound:
        return (), False
    return tuple(found.value), found.critical


def outside(certificate: x509.Certificate, at: datetime) -> str:
    """How a certificate is outside of its time, in words; nothing when it is valid."""
    if at > certificate.not_valid_after_utc:
        return f"expired {(at - certificate.not_valid_after_utc).total_seconds() / DAY:.1f} days ago"
    if at < certificate.not_valid_before_utc:
        return f"valid only in {(certificate.not_valid_before_utc - at).total_seconds() / DAY:.1f} days"
    return ""


def names(certificate: x509.Certificate) -> tuple[bytes, bytes, bytes]:
    """Issuer and subject as they are encoded, and the bits of the public key: what other messages quote or hash, byte for byte."""
    fields = Fields(asn1.parse(certificate.tbs_certificate_bytes))
    fields.maybe(0xA0)
    fields.take(asn1.INTEGER)
    fields.take(asn1.SEQUENCE)
    issuer = fields.take(asn1.SEQUENCE).encoded
    fields.take(asn1.SEQUENCE)
    subject = fields.take(asn1.SEQUENCE).encoded
    key = Fields(fields.take(asn1.SEQUENCE))
    key.take(asn1.SEQUENCE)
    return issuer, subject, key.take(asn1.BIT_STRING).content[1:]


def days(certificate: x509.Certificate, now: datetime) -> float:
    """Until it ends; negative when over."""
    return (certificate.not_valid_after_utc - now).total_seconds() / DAY


def title(name: x509.Name) -> str:
    """The common name, else the whole in RFC 4514 form."""
    for attribute in name.get_attributes_for_oid(x509.NameOID.COMMON_NAME):
        return attribute.value if isinstance(attribute.value, str) else attribute.value.decode("utf-8", "replace")
    return name.rfc4514_string()
