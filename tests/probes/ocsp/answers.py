"""Valid raw answers of OCSP responders, made by `openssl ocsp` and by hand."""

from functools import cache

from tests.probes.ocsp.responder import REPLY, Responder, built, delegate
from tests.probes.tls.chains import intermediate
from tests.probes.web import said


@cache
def answers() -> tuple[bytes, ...]:
    """Raw HTTP answers about `leaf()`: good by openssl, good by the issuer itself, revoked."""
    from cryptography.x509 import ocsp

    from probes.ocsp import question
    from probes.ocsp_answer import Subject
    from tests.probes.ocsp.responder import leaf

    subject = Subject(certificate=leaf().certificate, issuer=intermediate().certificate)
    given = [
        Responder(delegate()).reply(question(subject, "sha1")),
        built(intermediate()),
        built(delegate(), state=ocsp.OCSPCertStatus.REVOKED),
    ]
    return tuple(said(one, REPLY) for one in given)


def answer(request: bytes) -> bytes:
    """What a responder sends for an HTTP request (raw bytes): raw bytes."""
    return said(Responder(delegate()).reply(request.partition(b"\r\n\r\n")[2]), REPLY)
