"""Time stamps (RFC 3161): the question as bytes, and whether an answer is a stamp of ours, properly signed.

Owns: TimeStampReq, TimeStampResp and the CMS around TSTInfo, each read as far as a client has to. Never: sends, reads a clock.

Tried and not taken: rfc3161-client 1.0.9 does not panic under 30,000 mutated answers, but demands DER where CMS allows BER, so that it
refuses what `openssl ts` answers as soon as two certificates are in it, and counts grantedWithMods as a failure. It is the second opinion of the
tests.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from probes import asn1
from probes.asn1 import Asn1Error, Fields, Value
from probes.contract import ProbeError, Reason
from probes.signed import (
    DIGEST_NAMES,
    MOST_CERTIFICATES,
    UnsignedError,
    digest_of,
    hostile,
    names,
    outside,
    path,
    purposes,
    readable,
    title,
    verify,
)
from probes.text import one_line

SIGNED_DATA: Final = "1.2.840.113549.1.7.2"
TST_INFO: Final = "1.2.840.113549.1.9.16.1.4"
CONTENT_TYPE: Final = "1.2.840.113549.1.9.3"
MESSAGE_DIGEST: Final = "1.2.840.113549.1.9.4"
SIGNING_CERTIFICATE: Final = "1.2.840.113549.1.9.16.2.12"
SIGNING_CERTIFICATE_V2: Final = "1.2.840.113549.1.9.16.2.47"

GRANTED: Final = (0, 1)
STATUSES: Final = {
    0: "granted",
    1: "grantedWithMods",
    2: "rejection",
    3: "waiting",
    4: "revocationWarning",
    5: "revocationNotification",
}
FAILURES: Final = {
    0: "badAlg",
    2: "badRequest",
    5: "badDataFormat",
    14: "timeNotAvailable",
    15: "unacceptedPolicy",
    16: "unacceptedExtension",
    17: "addInfoNotAvailable",
    25: "systemFailure",
}
"""PKIFailureInfo (RFC 3161 §2.4.2)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is to be stamped: `imprint` is a digest by `digest`; `nonce` makes the answer ours alone; `policy` in dots."""

    digest: str
    imprint: bytes
    nonce: int
    policy: str | None = None

    def encoded(self) -> bytes:
        """TimeStampReq, with certReq: the answer shall hold the signer's certificate."""
        identifier = asn1.tlv(asn1.SEQUENCE, asn1.name(DIGEST_NAMES[self.digest]), asn1.tlv(asn1.NULL))
        return asn1.tlv(
            asn1.SEQUENCE,
            asn1.number(1),
            asn1.tlv(asn1.SEQUENCE, identifier, asn1.tlv(asn1.OCTET_STRING, self.imprint)),
            asn1.name(self.policy) if self.policy else b"",
            asn1.number(self.nonce),
            asn1.tlv(asn1.BOOLEAN, b"\xff"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """PKIStatusInfo and, when it was granted, the token."""

    status: int
    words: str
    token: Value | None

    @property
    def granted(self) -> bool:
        """Whether a stamp was given."""
        return self.status in GRANTED


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """What a token says. `accuracy` in seconds, None when it says nothing; `resolution` is the second or the fraction that `time` is cut to."""

    time: datetime
    resolution: float
    accuracy: float | None
    signer: x509.Certificate
    trusted: bool


def reply(data: bytes | bytearray) -> Reply:
    """Read a TimeStampResp as far as its status; ProbeError `protocol` when it is none."""
    with hostile("the answer"):
        fields = Fields(asn1.parse(data))
        inner = Fields(fields.take(asn1.SEQUENCE))
        status = asn1.integer(inner.take(asn1.INTEGER))
        said = [STATUSES.get(status, f"status {status}")]
        texts = inner.maybe(asn1.SEQUENCE)
        bits = inner.maybe(asn1.BIT_STRING)
        if bits is not None:
            said += _failures(bits.content)
        if texts is not None:
            said += [item.content.decode("utf-8", "replace") for item in texts.items(8)]
        return Reply(status=status, words=one_line(", ".join(said)), token=fields.maybe(asn1.SEQUENCE))


def _failures(content: bytes) -> list[str]:
    """The names of the bits that are set."""
    if not content or len(content) > 16:
        raise Asn1Error("a bit string that cannot be")
    number, size = int.from_bytes(content[1:]), 8 * (len(content) - 1)
    return [FAILURES.get(bit, f"failure {bit}") for bit in range(size) if number >> (size - 1 - bit) & 1]


def stamp(token: Value, question: Question, anchors: Sequence[x509.Certificate]) -> Stamp:
    """Hold a token against the question and its own signature, and the signer against `anchors` (nobody: not held against anything).

    ProbeError `tsa` when it is not the stamp that was asked for or not signed by who may sign it, `protocol` when it cannot be read.
    """
    with hostile("the time stamp"):
        try:
            return _stamp(token, question, anchors)
        except UnsignedError as error:
            raise ProbeError(Reason.TSA, str(error)) from None


def _stamp(token: Value, question: Question, anchors: Sequence[x509.Certificate]) -> Stamp:
    outer = Fields(token)
    if asn1.oid(outer.take(asn1.OID)) != SIGNED_DATA:
        raise UnsignedError("the time stamp is not signed data")
    data = Fields(outer.take(0xA0).first())
    data.take(asn1.INTEGER)
    data.take(asn1.SET)
    content = Fields(data.take(asn1.SEQUENCE))
    if asn1.oid(content.take(asn1.OID)) != TST_INFO:
        raise UnsignedError("what is signed is not a time stamp")
    info = content.take(0xA0).first()
    if info.tag != asn1.OCTET_STRING:
        raise Asn1Error("no content")
    told = info.content
    bag = data.maybe(0xA0)
    data.maybe(0xA1)
    signers = list(data.take(asn1.SET).items(8))
    if len(signers) != 1:
        raise UnsignedError(f"{len(signers)} signatures instead of one")
    time, resolution, accuracy = _info(told, question)
    found = readable(_bagged(bag))
    signer = _signature(signers[0], told, [*found, *anchors])
    _entitled(signer, time)
    if anchors:
        path(signer, found, anchors, time)
    return Stamp(time=time, resolution=resolution, accuracy=accuracy, signer=signer, trusted=bool(anchors))


def _bagged(bag: Value | None) -> list[Value]:
    """The certificates of the answer (other kinds in the same bag are tagged)."""
    if bag is None:
        return []
    return [item for item in bag.items(MOST_CERTIFICATES) if item.tag == asn1.SEQUENCE]


def _info(told: bytes, question: Question) -> tuple[datetime, float, float | None]:
    """TSTInfo (RFC 3161 §2.4.2): when, cut to what, how accurate; UnsignedError unless it is the answer to this question."""
    fields = Fields(asn1.parse(told))
    if asn1.integer(fields.take(asn1.INTEGER)) != 1:
        raise UnsignedError("a time stamp of another version than 1")
    policy = asn1.oid(fields.take(asn1.OID))
    imprint = Fields(fields.take(asn1.SEQUENCE))
    dotted, _ = asn1.algorithm(imprint.take(asn1.SEQUENCE))
    if dotted != DIGEST_NAMES[question.digest] or imprint.take(asn1.OCTET_STRING).content != question.imprint:
        raise UnsignedError("it stamps something else than what was sent")
    fields.take(asn1.INTEGER)
    given = fields.take(asn1.GENERALIZED_TIME)
    accuracy = fields.maybe(asn1.SEQUENCE)
    fields.maybe(asn1.BOOLEAN)
    nonce = fields.maybe(asn1.INTEGER)
    if nonce is None:
        raise UnsignedError("the stamp has no nonce: it may be an old one")
    if asn1.integer(nonce) != question.nonce:
        raise UnsignedError("the nonce is not ours: it is the stamp of another request")
    if question.policy is not None and policy != question.policy:
        raise UnsignedError(f"stamped by the policy {policy}, not by {question.policy}")
    fraction = given.content.removesuffix(b"Z").partition(b".")[2]
    return asn1.moment(given), 10.0 ** -len(fraction), None if accuracy is None else _accuracy(accuracy)


def _accuracy(value: Value) -> float:
    """Seconds, thousandths and millionths in one."""
    fields = Fields(value)
    units = ((asn1.INTEGER, 1.0), (0x80, 1e-3), (0x81, 1e-6))
    found = ((fields.maybe(tag), unit) for tag, unit in units)
    return sum(asn1.integer(part) * unit for part, unit in found if part is not None)


def _signature(value: Value, told: bytes, certificates: Sequence[x509.Certificate]) -> x509.Certificate:
    """Verify a SignerInfo (RFC 5652 §5.3, §5.4) and give who signed."""
    fields = Fields(value)
    fields.take(asn1.INTEGER)
    identity = fields.take(asn1.SEQUENCE, 0x80)
    digest = digest_of(fields.take(asn1.SEQUENCE))
    attributes = fields.take(0xA0)
    identifier = fields.take(asn1.SEQUENCE)
    signature = fields.take(asn1.OCTET_STRING).content
    signer = next((one for one in certificates if _is(one, identity)), None)
    if signer is None:
        raise UnsignedError("the signer's certificate is not in the answer, though it was asked for")
    said = {}
    for item in attributes.items(64):
        attribute = Fields(item)
        about = asn1.oid(attribute.take(asn1.OID))
        said[about] = next(attribute.take(asn1.SET).items(), None)
    kind, printed = said.get(CONTENT_TYPE), said.get(MESSAGE_DIGEST)
    if kind is None or kind.tag != asn1.OID or asn1.oid(kind) != TST_INFO:
        raise UnsignedError("the signature is not over a time stamp")
    if printed is None or printed.content != hashlib.new(digest, told).digest():
        raise UnsignedError("what is signed is not what is told")
    _meant(said.get(SIGNING_CERTIFICATE), said.get(SIGNING_CERTIFICATE_V2), signer)
    # RFC 5652 §5.4: signed is the SET, not the [0] that it is sent as.
    verify(signer, identifier, signature, b"\x31" + attributes.encoded[1:], digest=digest)
    return signer


def _is(certificate: x509.Certificate, identity: Value) -> bool:
    """Whether a SignerIdentifier means this certificate."""
    if identity.tag == 0x80:
        try:
            key = certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
        except x509.ExtensionNotFound:
            return False
        return key == identity.content
    fields = Fields(identity)
    issuer = fields.take(asn1.SEQUENCE).encoded
    serial = asn1.integer(fields.take(asn1.INTEGER))
    return certificate.serial_number == serial and names(certificate)[0] == issuer


def _meant(first: Value | None, second: Value | None, signer: x509.Certificate) -> None:
    """The signature must itself name the certificate it was made with (RFC 3161 §2.4.2, RFC 5816)."""
    given = second or first
    if given is None:
        raise UnsignedError("the signature does not name its certificate")
    named = Fields(Fields(given).take(asn1.SEQUENCE).first())
    digest = "sha1" if second is None else "sha256"
    identifier = named.maybe(asn1.SEQUENCE) if second is not None else None
    if identifier is not None:
        digest = digest_of(identifier)
    printed = named.take(asn1.OCTET_STRING).content
    if printed != hashlib.new(digest, signer.public_bytes(Encoding.DER)).digest():
        raise UnsignedError("the signature names another certificate than the one it was made with")


def _entitled(signer: x509.Certificate, time: datetime) -> None:
    """Whether the signer's certificate is for time stamps (RFC 3161 §2.3) and was valid at the time stamped."""
    allowed, critical = purposes(signer)
    if ExtendedKeyUsageOID.TIME_STAMPING not in allowed or not critical:
        raise UnsignedError(f"the certificate of {title(signer.subject)} is not one for time stamps")
    wrong = outside(signer, time)
    if wrong:
        raise UnsignedError(f"the certificate of {title(signer.subject)} is not valid: {wrong}")
