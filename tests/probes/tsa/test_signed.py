"""Signatures and paths: every algorithm that counts, and the work that a hostile answer can make us do."""

import time
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from probes import asn1
from probes.asn1 import Asn1Error
from probes.contract import ProbeError, Reason
from probes.signed import MOST_CHECKS, UnsignedError, by_its_key, hostile, issued, names, path, verify
from tests.probes.tls.chains import DAY, Pair, intermediate, make, root, stranger

NOW = datetime.now(UTC)
RSA = rsa.generate_private_key(65537, 2048)


def certificate(key: Any, digest: Any = None, **how: Any) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "it")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(7).not_valid_before(NOW - DAY).not_valid_after(NOW + DAY)
    return builder.sign(key, digest, **how)


PSS = padding.PSS(padding.MGF1(hashes.SHA384()), 48)

SELF_SIGNED = [
    ("RSA, SHA-256", certificate(RSA, hashes.SHA256())),
    ("RSA, SHA-512", certificate(RSA, hashes.SHA512())),
    ("RSA-PSS, SHA-384", certificate(RSA, hashes.SHA384(), rsa_padding=PSS)),
    ("P-256", certificate(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())),
    ("P-384, SHA-512", certificate(ec.generate_private_key(ec.SECP384R1()), hashes.SHA512())),
    ("Ed25519", certificate(ed25519.Ed25519PrivateKey.generate())),
    ("Ed448", certificate(ed448.Ed448PrivateKey.generate())),
]


@pytest.mark.parametrize(("sentence", "one"), SELF_SIGNED, ids=lambda value: str(value)[:20])
def test_every_algorithm_that_counts(sentence: str, one: x509.Certificate) -> None:
    assert by_its_key(one, one)
    told, identifier, signature = asn1.parse(one.public_bytes(Encoding.DER)).items()
    assert signature.content[1:] == one.signature
    with pytest.raises(UnsignedError, match="does not verify"):
        verify(one, identifier, one.signature, told.encoded + b"0")
    other = certificate(RSA if "RSA" not in sentence else ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    with pytest.raises(UnsignedError, match=r"another kind|names no digest"):
        verify(other, identifier, one.signature, told.encoded)


def identifier(dotted: str) -> asn1.Value:
    return asn1.parse(asn1.tlv(0x30, asn1.name(dotted)))


@pytest.mark.parametrize(
    ("dotted", "words"),
    [
        ("1.2.840.113549.1.1.4", "does not count"),  # RSA with MD5
        ("1.2.840.10040.4.3", "does not count"),  # DSA
        ("1.2.840.113549.1.1.1", "names no digest"),
    ],
)
def test_what_does_not_count(dotted: str, words: str) -> None:
    with pytest.raises(UnsignedError, match=words):
        verify(certificate(RSA, hashes.SHA256()), identifier(dotted), b"1" * 256, b"data")


def test_a_key_made_to_take_long_is_not_used() -> None:
    """An exponent as long as the modulus makes verifying as slow as signing without shortcuts."""
    numbers = rsa.RSAPublicNumbers((1 << 3000) + 1, RSA.public_key().public_numbers().n | 1 << 3071)
    builder = x509.CertificateBuilder().subject_name(x509.Name([])).issuer_name(x509.Name([])).serial_number(1)
    builder = builder.not_valid_before(NOW - DAY).not_valid_after(NOW + DAY).public_key(numbers.public_key())
    with pytest.raises(UnsignedError, match="takes too long"):
        verify(builder.sign(RSA, hashes.SHA256()), identifier("1.2.840.113549.1.1.11"), b"1" * 384, b"data")


def test_a_bag_full_of_namesakes_costs_a_bounded_time() -> None:
    """Sixteen authorities of one name, each "issued" by any other: the search gives up."""
    crowd = [make("Crowd", authority=True, by=None) for _ in range(16)]
    leaf = make("leaf", by=Pair(crowd[0].certificate, stranger().key))
    began = time.process_time()
    with pytest.raises(UnsignedError, match="issued by Crowd"):
        path(leaf.certificate, [pair.certificate for pair in crowd], [root().certificate], NOW)
    assert time.process_time() - began < 0.2
    budget = [0]
    assert not issued(intermediate().certificate, root().certificate, NOW, budget)
    assert MOST_CHECKS <= 16


PATHS = [
    ("to the root over an intermediate", (intermediate(),), (root(),), True),
    ("without the intermediate", (), (root(),), False),
    ("to the intermediate alone", (), (intermediate(),), True),
    ("to a stranger", (intermediate(), root()), (stranger(),), False),
]


@pytest.mark.parametrize(("sentence", "others", "anchors", "found"), PATHS, ids=[case[0] for case in PATHS])
def test_paths(sentence: str, others: tuple[Pair, ...], anchors: tuple[Pair, ...], found: bool) -> None:
    leaf = make("leaf", by=intermediate()).certificate
    given = [pair.certificate for pair in others], [pair.certificate for pair in anchors]
    if found:
        assert path(leaf, *given, NOW)[0] == leaf
    else:
        with pytest.raises(UnsignedError, match="no path leads to ca"):
            path(leaf, *given, NOW)


def test_an_expired_authority_leads_nowhere() -> None:
    old = make("Old CA", by=root(), authority=True, starts=-9 * DAY, ends=-DAY / 4)
    leaf = make("leaf", by=old).certificate
    with pytest.raises(UnsignedError):
        path(leaf, [old.certificate], [root().certificate], NOW)
    assert path(leaf, [old.certificate], [root().certificate], NOW - DAY / 2)


def test_names_are_taken_byte_for_byte() -> None:
    issuer, subject, key = names(intermediate().certificate)
    assert issuer == root().certificate.subject.public_bytes()
    assert subject == intermediate().certificate.subject.public_bytes()
    wanted = x509.SubjectKeyIdentifier.from_public_key(intermediate().certificate.public_key()).digest
    digest = hashes.Hash(hashes.SHA1())
    digest.update(key)
    assert digest.finalize() == wanted


def test_the_parsers_ways_to_refuse_are_one() -> None:
    for error in (Asn1Error("x"), ValueError("x"), TypeError("x"), x509.InvalidVersion("x", 9)):
        with pytest.raises(ProbeError) as caught, hostile("it"):
            raise error
        assert caught.value.reason is Reason.PROTOCOL
    with pytest.raises(ZeroDivisionError), hostile("it"):
        raise ZeroDivisionError


def test_dsa_does_not_count() -> None:
    key = dsa.generate_private_key(1024)
    with pytest.raises(UnsignedError, match="another kind"):
        verify(certificate(key, hashes.SHA256()), identifier("1.2.840.113549.1.1.11"), b"1", b"data")
