"""The cookies of one run (RFC 6265, what a redirect needs of it), as bytes: what one system sets never reaches another check.

Owns: which cookie goes to which address. Never: outlives its run, decodes a value.
"""

import re

from probes.tools import literal_address
from probes.wire.url import Url

JAR_LIMIT = 50
"""Cookies of one run (RFC 6265 §6.1)."""
SIZE_LIMIT = 4096

# What is over at once: no age left, or the end of an era that servers write to delete a cookie.
_OVER = re.compile(rb"max-age\s*=\s*(0|-\d+)\s*(;|$)|expires\s*=[^;]{0,20}\b(19[67]\d|70)\b", re.IGNORECASE)


class Jar:
    """Filled from the answers of one run."""

    __slots__ = ("_cookies",)

    def __init__(self) -> None:
        # (domain, host only, path, name) -> (value, secure)
        self._cookies: dict[tuple[str, bool, str, bytes], tuple[bytes, bool]] = {}

    def take(self, url: Url, line: bytes) -> None:
        """Read one `Set-Cookie`, if its domain is the sender's to set."""
        pair, _, rest = line.partition(b";")
        name, found, value = pair.partition(b"=")
        name, value = name.strip(), value.strip()
        if not found or not name or len(pair) > SIZE_LIMIT or any(byte < 0x20 for byte in pair):
            return
        domain, host_only, path, secure = url.host, True, _default_path(url), False
        for attribute in rest.split(b";"):
            key, _, given = attribute.partition(b"=")
            key, text = key.strip().lower(), given.strip().decode("latin-1")
            if key == b"domain" and text:
                domain = text.removeprefix(".").lower()
                host_only = domain == url.host
            elif key == b"path" and text.startswith("/"):
                path = text
            elif key == b"secure":
                secure = True
        if not _may_set(url.host, domain):
            return
        key_of = (domain, host_only, path, name)
        if _OVER.search(rest):
            self._cookies.pop(key_of, None)
        elif len(self._cookies) < JAR_LIMIT or key_of in self._cookies:
            self._cookies[key_of] = (value, secure)

    def header(self, url: Url) -> bytes:
        """The value of `Cookie` for an address; empty when there is none."""
        path = url.target.partition("?")[0]
        return b"; ".join(
            name + b"=" + value
            for (domain, host_only, scope, name), (value, secure) in self._cookies.items()
            if (url.host == domain if host_only else _within(url.host, domain))
            and (not secure or url.tls)
            and (path == scope or path.startswith(scope if scope.endswith("/") else scope + "/"))
        )


def _default_path(url: Url) -> str:
    """RFC 6265 §5.1.4: up to the last slash, not with it."""
    path = url.target.partition("?")[0]
    return path[: path.rfind("/")] or "/"


def _within(host: str, domain: str) -> bool:
    return host == domain or host.endswith(f".{domain}")


def _may_set(host: str, domain: str) -> bool:
    """A host may set for itself and for what it is part of, but not for a whole top-level domain."""
    if host == domain:
        return True
    return "." in domain and literal_address(host) is None and _within(host, domain)
