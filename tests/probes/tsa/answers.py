"""Valid raw answers of timestamp servers, made by `openssl ts`, and the same with other certificates in them."""

import hashlib

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from probes import asn1
from tests.probes.tls.chains import Pair, intermediate, root
from tests.probes.tsa.authority import REPLY, Authority, signer
from tests.probes.web import said


def answer(request: bytes) -> bytes:
    """What a server sends for an HTTP request (raw bytes, as the probe sends them): raw bytes."""
    return said(Authority(signer(), (intermediate(), root())).reply(request.partition(b"\r\n\r\n")[2]), REPLY)


def restamped(reply: bytes, by: Pair) -> bytes:
    """The same stamp, signed anew and naming another certificate of the same issuer."""
    status, token = asn1.parse(reply).items()
    kind, wrapped = token.items()
    version, digests, content, _, signers = next(wrapped.items()).items()
    number, _, digest, attributes, algorithm, _ = next(signers.items()).items()
    der = by.certificate.public_bytes(Encoding.DER)
    kept = [item.encoded for item in attributes.items() if b"\x09\x10\x02" not in item.encoded[:16]]
    named = asn1.tlv(0x30, asn1.tlv(0x30, asn1.tlv(0x30, asn1.tlv(4, hashlib.sha256(der).digest()))))
    kept.append(asn1.tlv(0x30, asn1.name("1.2.840.113549.1.9.16.2.47"), asn1.tlv(0x31, named)))
    assert isinstance(by.key, rsa.RSAPrivateKey)
    signature = by.key.sign(asn1.tlv(0x31, *kept), padding.PKCS1v15(), hashes.SHA256())
    issuer = by.certificate.issuer.public_bytes()
    identity = asn1.tlv(0x30, issuer, asn1.number(by.certificate.serial_number))
    info = asn1.tlv(
        0x30, number.encoded, identity, digest.encoded, asn1.tlv(0xA0, *kept), algorithm.encoded, asn1.tlv(4, signature)
    )
    bag = asn1.tlv(0xA0, der)
    data = asn1.tlv(0x30, version.encoded, digests.encoded, content.encoded, bag, asn1.tlv(0x31, info))
    return asn1.tlv(0x30, status.encoded, asn1.tlv(0x30, kind.encoded, asn1.tlv(0xA0, data)))
