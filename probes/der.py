"""DER into numbers and words.

Owns: the reading of a certificate that may be hostile. Never: says what is wrong with it.
"""

import warnings

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa

from probes.certificates import Certificate


def parse(der: bytes) -> Certificate | None:
    """A certificate from its DER; None when it cannot be read (OpenSSL is more lenient than any parser here)."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # A country of nine letters is the target's business.
            return _read(der)
    # The parser's ways to refuse hostile DER: its own two, and ValueError for dates, versions and encodings.
    except (ValueError, TypeError, OverflowError, x509.InvalidVersion, x509.DuplicateExtension):
        return None
    except Exception as error:
        # cryptography names no common base for "unsupported algorithm"; anything of its own means "cannot be read".
        if type(error).__module__.startswith("cryptography."):
            return None
        raise


def _read(der: bytes) -> Certificate:
    certificate = x509.load_der_x509_certificate(der)
    algorithm, bits = _key(certificate)
    names, addresses = _names(certificate)
    digest = certificate.signature_hash_algorithm
    return Certificate(
        subject=_title(certificate.subject) or next(iter(names or addresses), ""),
        issuer=_title(certificate.issuer),
        names=names,
        addresses=addresses,
        not_before=certificate.not_valid_before_utc.timestamp(),
        not_after=certificate.not_valid_after_utc.timestamp(),
        algorithm=algorithm,
        bits=bits,
        digest=digest.name if digest else None,
        self_signed=certificate.subject == certificate.issuer,
    )


def _key(certificate: x509.Certificate) -> tuple[str, int]:
    """Kind and size of the public key."""
    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        return "RSA", key.key_size
    if isinstance(key, ec.EllipticCurvePublicKey):
        return "EC", key.key_size
    if isinstance(key, dsa.DSAPublicKey):
        return "DSA", key.key_size
    if isinstance(key, ed25519.Ed25519PublicKey):
        return "Ed25519", 256
    return ("Ed448", 456) if isinstance(key, ed448.Ed448PublicKey) else ("other", 0)


def _names(certificate: x509.Certificate) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """DNS names (lower case) and IP addresses of the subject alternative name."""
    try:
        san = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return (), ()
    names = tuple(name.lower() for name in san.get_values_for_type(x509.DNSName))
    return names, tuple(str(address) for address in san.get_values_for_type(x509.IPAddress))


def _title(name: x509.Name) -> str:
    """The common name, else the organisation, else the whole name in RFC 4514 form."""
    for oid in (x509.NameOID.COMMON_NAME, x509.NameOID.ORGANIZATION_NAME):
        for attribute in name.get_attributes_for_oid(oid):
            value = attribute.value
            return value if isinstance(value, str) else value.decode("utf-8", "replace")
    return name.rfc4514_string()
