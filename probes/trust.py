"""Whom a probe trusts over TLS, and what it means when that fails.

Owns: the trust policy of a check, one `ssl.SSLContext` per distinct policy, and the reason behind every TLS error.
Never: opens a connection, or looks at the text of an error: only at its codes.
"""

import errno
import ssl
import warnings
from dataclasses import dataclass, replace
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, ConfigDict

from probes.certificates import prepare
from probes.contract import Finding, ProbeError, Reason, failed

WANTING: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM})
"""Why a sound file cannot be opened: we have nothing left to open it with."""

Version = Literal["1.0", "1.1", "1.2", "1.3"]
TlsVersion = Annotated[Version, BeforeValidator(str)]  # Unquoted in YAML, 1.2 is a number.

VERSIONS: Final[dict[str, ssl.TLSVersion]] = {
    "1.0": ssl.TLSVersion.TLSv1,
    "1.1": ssl.TLSVersion.TLSv1_1,
    "1.2": ssl.TLSVersion.TLSv1_2,
    "1.3": ssl.TLSVersion.TLSv1_3,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustPolicy:
    """What a check demands of the other side, and what it shows of itself.

    `ca` is a PEM file that *replaces* the system's authorities: only what it names is trusted (an intermediate in it suffices).
    `cert` and `key` are PEM files of the client's own certificate; `key` may be left out when `cert` holds both.
    `server_name` replaces the host in SNI and in the check of names. `verify: false` is said in the facts (`verified` is 0).
    """

    __pydantic_config__ = ConfigDict(extra="forbid", arbitrary_types_allowed=True)

    verify: bool = True
    ca: str | None = None
    cert: str | None = None
    key: str | None = None
    server_name: str | None = None
    min_version: TlsVersion = "1.2"

    def __post_init__(self) -> None:
        if self.key is not None and self.cert is None:
            raise ValueError("key without cert: name the client certificate too")


SYSTEM: Final = TrustPolicy()
"""The system's authorities, names checked, TLS 1.2 or newer."""

UNVERIFIED: Final = TrustPolicy(verify=False)


class Trust:
    """The contexts of one workbench, one per distinct policy: loading the system's authorities costs 30 ms, using them nothing.

    Files are read once, when a policy is first used: a replaced file is seen after a reload, which makes a new workbench.
    """

    __slots__ = ("_contexts",)

    def __init__(self) -> None:
        self._contexts: dict[tuple[TrustPolicy, tuple[str, ...]], ssl.SSLContext] = {}

    def context(self, policy: TrustPolicy, *, alpn: tuple[str, ...] = ()) -> ssl.SSLContext:
        """The context for a policy; ProbeError `own_config` when its files cannot be used (our fault, not the target's)."""
        key = (replace(policy, server_name=None) if policy.server_name else policy, alpn)
        context = self._contexts.get(key)
        if context is None:
            context = self._contexts[key] = build(policy, alpn)
        return context


def build(policy: TrustPolicy, alpn: tuple[str, ...] = ()) -> ssl.SSLContext:
    """A client context for one policy, files read."""
    prepare()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # RFC 6125 §6.4.4, CA/B BR 7.1.4.3: a name stands in the SAN; the common name alone says nothing.
    context.hostname_checks_common_name = False
    if policy.min_version in ("1.0", "1.1"):
        # RFC 8996 forbids both; a check that asks for them by name watches an old device. They need SHA-1, which level 0 allows.
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", DeprecationWarning
        )  # Python says the same of the old versions; whoever wrote it knows.
        context.minimum_version = VERSIONS[policy.min_version]
    if alpn:
        context.set_alpn_protocols(list(alpn))
    if not policy.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif policy.ca is None:
        context.set_default_verify_paths()
    else:
        _load(policy.ca, "ca", lambda: context.load_verify_locations(cafile=policy.ca))
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    if policy.cert is not None:
        cert, key = policy.cert, policy.key
        # An empty password makes a locked key an error; without one OpenSSL would ask at the terminal and stop the daemon.
        _load(cert, "cert", lambda: context.load_cert_chain(cert, key, password=lambda: ""))
    return context


def _load(path: str, key: str, act: Any) -> None:
    """Read a file of the policy, or say which of them is at fault."""
    try:
        act()
    except OSError as error:  # ssl.SSLError is one too.
        if error.errno in WANTING and not isinstance(error, ssl.SSLError):
            raise  # Nothing is wrong with the file.
        what = error.reason if isinstance(error, ssl.SSLError) else error.strerror
        raise ProbeError(Reason.OWN_CONFIG, f"tls.{key}: {path}: {what or 'cannot be read'}") from error


# X509_V_ERR_* of OpenSSL's x509_vfy.h: numbers that have kept their meaning since 0.9.8.
_VERIFY: Final[dict[int, tuple[Reason, str]]] = {
    9: (Reason.TLS_NOT_YET_VALID, "the certificate is not yet valid"),
    10: (Reason.TLS_EXPIRED, "the certificate has expired"),
    18: (Reason.TLS_SELF_SIGNED, "the certificate is self-signed"),
    19: (Reason.TLS_UNKNOWN_CA, "the chain ends in an authority that is not trusted"),
    2: (Reason.TLS_UNKNOWN_CA, "an issuer in the chain is missing"),
    20: (Reason.TLS_UNKNOWN_CA, "the issuer is unknown, or an intermediate certificate is missing"),
    21: (Reason.TLS_UNKNOWN_CA, "the issuer is unknown, or an intermediate certificate is missing"),
    27: (Reason.TLS_UNKNOWN_CA, "the authority is not trusted"),
    23: (Reason.TLS_REVOKED, "the certificate is revoked"),
    62: (Reason.TLS_NAME, "the certificate is for another name"),
    64: (Reason.TLS_NAME, "the certificate does not name this address"),
    66: (Reason.TLS_WEAK, "the certificate's key is too short"),
    67: (Reason.TLS_WEAK, "an authority's key is too short"),
    68: (Reason.TLS_WEAK, "an authority signed with a broken digest"),
}

# TLS alerts we can receive, by OpenSSL's reason code (1000 + the alert's number, RFC 8446 §6) and so by its name.
_ALERTS: Final[dict[str, tuple[Reason, str]]] = {
    "SSLV3_ALERT_HANDSHAKE_FAILURE": (Reason.TLS_HANDSHAKE, "handshake_failure"),
    "SSLV3_ALERT_NO_CERTIFICATE": (Reason.TLS_CLIENT_CERT, "no_certificate"),
    "SSLV3_ALERT_BAD_CERTIFICATE": (Reason.TLS_CLIENT_CERT, "bad_certificate"),
    "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE": (Reason.TLS_CLIENT_CERT, "unsupported_certificate"),
    "SSLV3_ALERT_CERTIFICATE_REVOKED": (Reason.TLS_CLIENT_CERT, "certificate_revoked"),
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": (Reason.TLS_CLIENT_CERT, "certificate_expired"),
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": (Reason.TLS_CLIENT_CERT, "certificate_unknown"),
    "TLSV1_ALERT_UNKNOWN_CA": (Reason.TLS_CLIENT_CERT, "unknown_ca"),
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": (Reason.TLS_CLIENT_CERT, "certificate_required"),
    "TLSV1_ALERT_PROTOCOL_VERSION": (Reason.TLS_VERSION, "protocol_version"),
    "TLSV1_ALERT_INSUFFICIENT_SECURITY": (Reason.TLS_HANDSHAKE, "insufficient_security"),
    "TLSV1_UNRECOGNIZED_NAME": (Reason.TLS_ALERT, "unrecognized_name"),
}

_OWN_REASONS: Final[dict[str, tuple[Reason, str]]] = {
    # What OpenSSL says when the first bytes are not a TLS record: 3.0 the first, 3.2 and later the others as well.
    "WRONG_VERSION_NUMBER": (Reason.TLS_PLAINTEXT, "the answer is not TLS"),
    "PACKET_LENGTH_TOO_LONG": (Reason.TLS_PLAINTEXT, "the answer is not TLS"),
    "RECORD_LAYER_FAILURE": (Reason.TLS_PLAINTEXT, "the answer is not TLS"),
    "HTTP_REQUEST": (Reason.TLS_PLAINTEXT, "the answer is not TLS"),
    "UNSUPPORTED_PROTOCOL": (Reason.TLS_VERSION, "the server speaks an older TLS than this check allows"),
    "UNKNOWN_PROTOCOL": (Reason.TLS_VERSION, "the server speaks an older TLS than this check allows"),
    "VERSION_TOO_LOW": (Reason.TLS_VERSION, "the server speaks an older TLS than this check allows"),
    "TLSV1_ALERT_INAPPROPRIATE_FALLBACK": (Reason.TLS_VERSION, "inappropriate_fallback"),
    "DH_KEY_TOO_SMALL": (Reason.TLS_WEAK, "the server's Diffie-Hellman key is too short"),
    "EE_KEY_TOO_SMALL": (Reason.TLS_WEAK, "the certificate's key is too short"),
    "CA_KEY_TOO_SMALL": (Reason.TLS_WEAK, "an authority's key is too short"),
    "CA_MD_TOO_WEAK": (Reason.TLS_WEAK, "an authority signed with a broken digest"),
    "WRONG_SIGNATURE_TYPE": (Reason.TLS_WEAK, "the server signs in a way that is no longer allowed"),
    "LEGACY_SIGALG_DISALLOWED_OR_UNSUPPORTED": (Reason.TLS_WEAK, "the server signs in a way that is no longer allowed"),
    "UNSAFE_LEGACY_RENEGOTIATION_DISABLED": (Reason.TLS_WEAK, "the server renegotiates without RFC 5746"),
    "UNEXPECTED_EOF_WHILE_READING": (Reason.TLS_HANDSHAKE, "the server closed the connection without a word"),
}


def tls_finding(error: BaseException) -> Finding | None:
    """The finding behind an exception of the ssl module by its codes alone; None when it is no TLS error."""
    if isinstance(error, ssl.SSLCertVerificationError):
        fallback = (Reason.TLS_CERTIFICATE, f"the certificate is not valid for this use (OpenSSL {error.verify_code})")
        return failed(*_VERIFY.get(error.verify_code, fallback))
    if isinstance(error, ssl.CertificateError):
        return failed(Reason.TLS_CERTIFICATE, "the certificate is not valid")
    if not isinstance(error, ssl.SSLError):
        return None
    if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return failed(Reason.TLS_HANDSHAKE, "the server closed the connection without a word")
    # None where Python's own table is older than OpenSSL: then the error is still one of the handshake.
    name = error.reason or ""
    if name in _OWN_REASONS:
        return failed(*_OWN_REASONS[name])
    alert = alert_name(error)
    if alert is not None:
        return failed(_ALERTS.get(name, (Reason.TLS_ALERT, ""))[0], f"the server refused with the alert {alert}")
    return failed(Reason.TLS_HANDSHAKE, name.lower().replace("_", " "))


def alert_name(error: BaseException) -> str | None:
    """The name of the alert that the other side sent (RFC 8446 §6.2), or None when the error is not an alert."""
    name = getattr(error, "reason", None) or ""
    if name in _ALERTS:
        return _ALERTS[name][1]
    before, found, after = name.partition("_ALERT_")
    return after.lower() if found and before in ("SSLV3", "TLSV1", "TLSV13") else None
