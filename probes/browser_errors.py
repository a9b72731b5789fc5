"""What Chromium's network errors mean, by their names (chromium: net/base/net_error_list.h).

Owns: the table. Never: reads the words behind a name.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from probes.contract import Reason

_NAME = re.compile(r"net::(ERR_[A-Z0-9_]{1,60})")

NET: Final[Mapping[str, Reason]] = MappingProxyType(
    {
        "ERR_TIMED_OUT": Reason.TIMEOUT,
        "ERR_CONNECTION_TIMED_OUT": Reason.TIMEOUT,
        "ERR_CONNECTION_REFUSED": Reason.REFUSED,
        "ERR_CONNECTION_RESET": Reason.RESET,
        "ERR_CONNECTION_CLOSED": Reason.RESET,
        "ERR_CONNECTION_ABORTED": Reason.RESET,
        "ERR_CONNECTION_FAILED": Reason.UNREACHABLE,
        "ERR_ADDRESS_UNREACHABLE": Reason.UNREACHABLE,
        "ERR_EMPTY_RESPONSE": Reason.EMPTY_REPLY,
        "ERR_NAME_NOT_RESOLVED": Reason.DNS,
        "ERR_ADDRESS_INVALID": Reason.BAD_REDIRECT,
        "ERR_INVALID_URL": Reason.BAD_REDIRECT,
        "ERR_INVALID_REDIRECT": Reason.BAD_REDIRECT,
        "ERR_UNSAFE_REDIRECT": Reason.BAD_REDIRECT,
        "ERR_UNSAFE_PORT": Reason.BAD_REDIRECT,
        "ERR_UNKNOWN_URL_SCHEME": Reason.BAD_REDIRECT,
        "ERR_DISALLOWED_URL_SCHEME": Reason.BAD_REDIRECT,
        "ERR_TOO_MANY_REDIRECTS": Reason.TOO_MANY_REDIRECTS,
        "ERR_INVALID_AUTH_CREDENTIALS": Reason.AUTH,
        "ERR_TOO_MANY_RETRIES": Reason.AUTH,
        "ERR_RESPONSE_HEADERS_TOO_BIG": Reason.HEADERS_TOO_LARGE,
        "ERR_CONTENT_DECODING_FAILED": Reason.BAD_ENCODING,
        "ERR_CONTENT_LENGTH_MISMATCH": Reason.TRUNCATED,
        "ERR_INCOMPLETE_CHUNKED_ENCODING": Reason.TRUNCATED,
        "ERR_INVALID_HTTP_RESPONSE": Reason.PROTOCOL,
        "ERR_INVALID_CHUNKED_ENCODING": Reason.PROTOCOL,
        "ERR_INVALID_RESPONSE": Reason.PROTOCOL,
        "ERR_HTTP2_PROTOCOL_ERROR": Reason.PROTOCOL,
        "ERR_RESPONSE_HEADERS_MULTIPLE_CONTENT_LENGTH": Reason.PROTOCOL,
        "ERR_RESPONSE_HEADERS_MULTIPLE_LOCATION": Reason.PROTOCOL,
        "ERR_CERT_DATE_INVALID": Reason.TLS_EXPIRED,
        "ERR_CERT_COMMON_NAME_INVALID": Reason.TLS_NAME,
        "ERR_CERT_AUTHORITY_INVALID": Reason.TLS_UNKNOWN_CA,
        "ERR_CERT_REVOKED": Reason.TLS_REVOKED,
        "ERR_CERT_WEAK_SIGNATURE_ALGORITHM": Reason.TLS_WEAK,
        "ERR_CERT_WEAK_KEY": Reason.TLS_WEAK,
        "ERR_SSL_WEAK_SERVER_EPHEMERAL_DH_KEY": Reason.TLS_WEAK,
        "ERR_SSL_VERSION_OR_CIPHER_MISMATCH": Reason.TLS_VERSION,
        "ERR_SSL_OBSOLETE_VERSION_OR_CIPHER": Reason.TLS_VERSION,
        "ERR_SSL_PROTOCOL_ERROR": Reason.TLS_HANDSHAKE,
        "ERR_SSL_UNRECOGNIZED_NAME_ALERT": Reason.TLS_ALERT,
        "ERR_SSL_CLIENT_AUTH_CERT_NEEDED": Reason.TLS_CLIENT_CERT,
        "ERR_BAD_SSL_CLIENT_AUTH_CERT": Reason.TLS_CLIENT_CERT,
        # Ours.
        "ERR_OUT_OF_MEMORY": Reason.OWN_MEMORY,
        "ERR_INSUFFICIENT_RESOURCES": Reason.OWN_FDS,
        "ERR_INTERNET_DISCONNECTED": Reason.OWN_NETWORK,
        "ERR_NETWORK_CHANGED": Reason.OWN_NETWORK,
    }
)
"""Names that decide. Any other of a certificate or of TLS is `tls_certificate` or `tls_handshake`; what is left failed in the page: `step`."""

WAY: Final = frozenset(
    {"ERR_SOCKS_CONNECTION_FAILED", "ERR_SOCKS_CONNECTION_HOST_UNREACHABLE", "ERR_PROXY_CONNECTION_FAILED"}
)
"""The way out of the run, which is ours, was closed: it knows better than the browser why."""


def name_of(text: str) -> str:
    """`ERR_…` out of what Playwright says, empty when there is none."""
    match = _NAME.search(text)
    return match[1] if match else ""


def reason_of(name: str) -> Reason:
    """The reason behind a name."""
    known = NET.get(name)
    if known is not None:
        return known
    if name.startswith("ERR_CERT_"):
        return Reason.TLS_CERTIFICATE
    return Reason.TLS_HANDSHAKE if name.startswith("ERR_SSL_") else Reason.STEP
