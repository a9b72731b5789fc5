"""OCSP and CRL: can signing software learn whether a certificate is still good, from who may say so, and is the word fresh?

When the responder is down, or its list has run out, signatures and logins by certificate stop everywhere at once, though every portal answers.
A responder of the Government answers from what it prepared: what counts is that it is signed by who may, and not stale.
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from time import perf_counter
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal
from urllib.parse import quote

from pydantic import ConfigDict, Field

from probes import asking
from probes.contract import Fact, Family, Finding, Kind, ProbeError, Reason, failed, ok
from probes.http import HttpSpec
from probes.secret import Secret
from probes.tls import TLS_FACTS
from probes.tools import Tools
from probes.trust import SYSTEM, TrustPolicy
from probes.units import Bytes

if TYPE_CHECKING:
    from cryptography import x509

    from probes.ocsp_answer import Subject, Word

REQUEST: Final = "application/ocsp-request"
REPLY: Final = ("application/ocsp-response",)
NONCE_BYTES: Final = 32
"""RFC 8954 §2.1: 1 to 32; longer ones guess harder."""
HOPS: Final = 5
"""Redirects followed on the way to a list."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OcspSpec:
    """The state of the certificate in `cert` (PEM or DER). `issuer` is the file of its issuer; left out, the next one in `cert`'s file.

    `url` left out: the responder that the certificate names. `crl: true` also looks at the list it names, an address at that one.
    """

    __pydantic_config__ = ConfigDict(extra="forbid", arbitrary_types_allowed=True)

    cert: Annotated[str, Field(min_length=1)]
    issuer: str | None = None
    url: str | Secret | None = None
    crl: Literal[True] | str | Secret | None = None
    method: Literal["POST", "GET"] = "POST"
    nonce: bool = False
    hash: Literal["sha1", "sha256"] = "sha1"
    expect: Literal["good", "revoked", "unknown"] = "good"
    max_body: Annotated[Bytes, Field(ge=1, le=64 * 1024 * 1024)] = 16 * 1024 * 1024
    family: Family = Family.ANY
    proxy: str | Secret | None = None
    tls: TrustPolicy = SYSTEM

    def __post_init__(self) -> None:
        if self.nonce and self.method == "GET":
            raise ValueError(
                "nonce with method GET: an answer to GET may come from a cache, where no nonce can be ours"
            )
        for key, value in (("url", self.url), ("crl", self.crl)):
            if isinstance(value, str | Secret):
                _named(key, value)
                asking.request(value)
        _load()


def _named(key: str, value: str | Secret) -> None:
    text = value.reveal() if isinstance(value, Secret) else value
    if not text.lower().startswith(("http://", "https://")):
        raise ValueError(
            f"{key}: an address begins with http:// or https:// (lists in a directory, ldap://, are not read)"
        )


def _load() -> None:
    """What reads and verifies takes a while to load: loaded when a configuration is, never within a run."""
    for module in ("cryptography.x509.ocsp", "probes.crl"):
        import_module(module)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What a check asks for, its files read: kept from run to run."""

    subject: "Subject"
    url: str | Secret | None
    crl: str | Secret | None


async def probe(spec: OcspSpec, tools: Tools) -> Finding:
    """Facts: see `KIND.facts`. Reasons: `tls_revoked`, `ocsp` (no word, not by who may say it, stale), `status`, `header`, `protocol`, and
    those of the way; `own_config` for files and certificates that give nothing to ask for.
    """
    case = tools.workbench.kept.get(("ocsp", spec))
    if case is None:
        case = tools.workbench.kept[("ocsp", spec)] = await _case(spec, tools)
    said = ""
    if case.url is not None:
        word = await _ask(spec, case, tools)
        said = word.state
        if word.state != spec.expect:
            return failed(Reason.TLS_REVOKED if word.state == "revoked" else Reason.OCSP, _shown(word, tools))
    if case.crl is not None:
        kept = dict(tools.facts)
        try:
            await _look(spec, case, tools)
        finally:
            tools.notes(kept)  # What both have (status, sizes) is that of the responder.
    return ok(said or "on no list")


async def _ask(spec: OcspSpec, case: Case, tools: Tools) -> "Word":
    """The responder's word on it, verified and fresh."""
    from probes.ocsp_answer import STATES, word
    from probes.signed import days

    nonce = tools.token(NONCE_BYTES) if spec.nonce else None
    body = question(case.subject, spec.hash, nonce)
    assert case.url is not None
    began = perf_counter()
    try:
        answer = await asking.ask(_request(spec, case.url, body), body, tools, kinds=REPLY)
    finally:
        tools.note(seconds=perf_counter() - began)
    now = tools.workbench.now()
    with tools.phase("verify"):
        found = word(answer.body, case.subject, now, nonce=nonce)
    tools.note(
        cert_status=list(STATES.values()).index(found.state),
        update_age=(now - found.this_update).total_seconds(),
        responder_days=days(found.responder, now),
    )
    if found.next_update is not None:
        tools.note(update_left=(found.next_update - now).total_seconds())
    return found


def question(subject: "Subject", digest: str, nonce: bytes | None = None) -> bytes:
    """OCSPRequest (RFC 6960 §4.1.1)."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.serialization import Encoding
    from cryptography.x509 import OCSPNonce
    from cryptography.x509.ocsp import OCSPRequestBuilder

    named = hashes.SHA1() if digest == "sha1" else hashes.SHA256()  # noqa: S303 It names the issuer; nothing rests on it.
    builder = OCSPRequestBuilder().add_certificate(subject.certificate, subject.issuer, named)
    if nonce is not None:
        builder = builder.add_extension(OCSPNonce(nonce), critical=False)
    return builder.build().public_bytes(Encoding.DER)


def _request(spec: OcspSpec, url: str | Secret, body: bytes) -> HttpSpec:
    heads = {"Accept": REPLY[0]}
    way: dict[str, Any] = {"family": spec.family, "proxy": spec.proxy, "tls": spec.tls}
    if spec.method == "POST":
        return asking.request(url, method="POST", headers={"Content-Type": REQUEST, **heads}, **way)
    # RFC 6960 appendix A.1: the request in base64, behind the address.
    text = (url.reveal() if isinstance(url, Secret) else url).rstrip("/")
    longer = f"{text}/{quote(base64.b64encode(body).decode(), safe='')}"
    return asking.request(Secret(longer) if isinstance(url, Secret) else longer, headers=heads, **way)


async def _look(spec: OcspSpec, case: Case, tools: Tools) -> None:
    """The list: fetched, fresh, its issuer's, and without our certificate."""
    from probes import crl

    assert case.crl is not None
    began = perf_counter()
    request = asking.request(
        case.crl, family=spec.family, proxy=spec.proxy, tls=spec.tls, max_body=spec.max_body, redirects=HOPS
    )
    try:
        answer = await asking.ask(request, b"", tools)
    finally:
        tools.note(crl_seconds=perf_counter() - began)
    with tools.phase("verify"):
        now = tools.workbench.now()
        found = crl.head(answer.body)
        tools.note(crl_age=(now - found.this_update).total_seconds(), crl_bytes=len(answer.body))
        if found.next_update is not None:
            tools.note(crl_left=(found.next_update - now).total_seconds())
        since = await crl.look(answer.body, found, case.subject.certificate, case.subject.issuer)
        crl.fresh(found, now)
    if since is not None and spec.expect != "revoked":
        raise ProbeError(Reason.TLS_REVOKED, f"on the CRL since {since:%Y-%m-%d %H:%M} UTC")


def _shown(word: "Word", tools: Tools) -> str:
    from probes.ocsp_answer import hours

    if word.revoked_at is None:
        return f"the responder says: {word.state}"
    why = f" ({word.why})" if word.why else ""
    return f"revoked {hours(tools.workbench.now() - word.revoked_at)} ago{why}"


async def _case(spec: OcspSpec, tools: Tools) -> Case:
    """Read the files, find the issuer, and where to ask; ProbeError `own_config` when they do not fit."""
    from probes.ocsp_answer import Subject

    chain = await asking.certificates(tools, "cert", spec.cert)
    above = await asking.certificates(tools, "issuer", spec.issuer) if spec.issuer is not None else chain[1:]
    leaf = chain[0]
    issuer = next((one for one in above if _issued(leaf, one)), None)
    if issuer is None:
        where = "issuer" if spec.issuer is not None else "cert (write issuer, or put it behind the certificate)"
        raise ProbeError(Reason.OWN_CONFIG, f"{spec.cert}: its issuer is not in {where}")
    url, crl = spec.url, spec.crl
    try:
        if url is None:
            url = _responder(leaf)
        if crl is True:
            crl = _list(leaf)
            if crl is None:
                raise ProbeError(Reason.OWN_CONFIG, f"{spec.cert}: the certificate names no list by http: write crl")
    except ValueError as error:
        raise ProbeError(Reason.OWN_CONFIG, f"{spec.cert}: {error}") from error
    if url is None and crl is None:
        raise ProbeError(Reason.OWN_CONFIG, f"{spec.cert}: the certificate names no responder: write url, or crl")
    return Case(subject=Subject(certificate=leaf, issuer=issuer), url=url, crl=crl)


def _issued(leaf: "x509.Certificate", issuer: "x509.Certificate") -> bool:
    from probes.signed import by_its_key

    return leaf.issuer == issuer.subject and by_its_key(leaf, issuer)


def _responder(leaf: "x509.Certificate") -> str | None:
    """The responder that a certificate names (RFC 5280 §4.2.2.1)."""
    from cryptography import x509
    from cryptography.x509.oid import AuthorityInformationAccessOID

    try:
        access = leaf.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    except x509.ExtensionNotFound:
        return None
    return _first(one.access_location for one in access if one.access_method == AuthorityInformationAccessOID.OCSP)


def _list(leaf: "x509.Certificate") -> str | None:
    """The list that a certificate names (RFC 5280 §4.2.1.13), the first one that can be had by HTTP."""
    from cryptography import x509

    try:
        points = leaf.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    except x509.ExtensionNotFound:
        return None
    return _first(name for point in points for name in point.full_name or ())


def _first(names: Any) -> str | None:
    found = [name.value for name in names if isinstance(name.value, str)]
    return next((url for url in found if url.lower().startswith(("http://", "https://"))), None)


def _typed(text: str) -> Mapping[str, Any]:
    """CHAIN, or CERT,ISSUER."""
    cert, comma, issuer = text.partition(",")
    if not cert or (comma and not issuer):
        raise ValueError(f"{text!r}: give the file of a certificate with its issuer behind it, or CERT,ISSUER")
    return {"cert": cert, "issuer": issuer} if comma else {"cert": cert}


KIND: Final = Kind(
    name="ocsp",
    spec=OcspSpec,
    probe=probe,
    facts=MappingProxyType(
        {
            "seconds": Fact(unit="seconds", meaning="from the first name asked for to the last byte of the answer"),
            "cert_status": Fact(unit="number", meaning="0 good, 1 revoked, 2 unknown"),
            "update_age": Fact(unit="seconds", meaning="since the responder's knowledge was right (thisUpdate)"),
            "update_left": Fact(
                unit="seconds", meaning="until it must have newer (nextUpdate); absent when it does not say"
            ),
            "responder_days": Fact(unit="days", meaning="until the certificate that signed the answer ends"),
            "crl_seconds": Fact(unit="seconds", meaning="the same as `seconds` for the list"),
            "crl_age": Fact(unit="seconds", meaning="since the list was made (thisUpdate)"),
            "crl_left": Fact(unit="seconds", meaning="until it must be renewed (nextUpdate)"),
            "crl_bytes": Fact(unit="bytes", meaning="size of the list"),
            "status": Fact(unit="number", meaning="HTTP status"),
            "http_version": Fact(unit="number", meaning="version of HTTP"),
            "ip_version": Fact(unit="number", meaning="4 or 6: the family that was connected to"),
            "body_bytes": Fact(unit="bytes", meaning="size of the answer"),
            "wire_bytes": Fact(unit="bytes", meaning="the same as it was sent"),
            "content_length": Fact(unit="bytes", meaning="its declared length; -1 when none was"),
            "redirects": Fact(unit="number", meaning="redirects followed on the way to the list"),
            "tls": Fact(unit="number", meaning="1 when the answer came over TLS"),
            **TLS_FACTS,
        }
    ),
    addresses=("url", "cert", "issuer"),
    summary="the state of a certificate by OCSP, and its revocation list: signed by who may, and fresh",
    typed=_typed,
    degraded_if=("seconds > 10",),
)
