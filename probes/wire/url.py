"""Addresses of the web, taken apart strictly: what a browser would repair is refused here, byte for byte what remains is kept.

Owns: `Url` and joining a `Location` to it (RFC 3986, RFC 9110 §4.2). Never: resolves a name.
"""

import ipaddress
import re
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import quote, unquote, urljoin, urlsplit

PORTS = {"http": 80, "https": 443}
HOST_LIMIT = 253
_UNSAFE = re.compile(r"[\x00-\x20\x7f\"<>\\^`{|}]")
_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_SAFE = "%/:@!$&'()*+,;=~-._?[]"
_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?(?:\.[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?)*\.?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Url:
    """`host` is what to connect to (ASCII, lower case, no brackets); `target` what stands in the request line (path and query)."""

    scheme: str
    host: str
    port: int
    target: str
    user: str | None = None
    password: str | None = None

    @property
    def tls(self) -> bool:
        """Whether the scheme asks for TLS."""
        return self.scheme == "https"

    @property
    def authority(self) -> str:
        """The value of the `Host` header: the port only when it is not the scheme's own (RFC 9110 §7.2), never a zone."""
        host = f"[{self.host.partition('%')[0]}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def origin(self) -> tuple[str, str, int]:
        """What must be the same for a secret to be sent again (RFC 6454)."""
        return (self.scheme, self.host, self.port)

    @property
    def shown(self) -> str:
        """For a person: without credentials and query, either of which may be a secret."""
        return f"{self.scheme}://{self.authority}{self.target.partition('?')[0]}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}{self.target}"


@lru_cache(maxsize=256)
def parse(text: str) -> Url:
    """Take an absolute http(s) address apart; ValueError says what is wrong with it."""
    if _UNSAFE.search(text):
        raise ValueError('a space, a control character or one of "<>\\^`{|} must be percent-encoded in an address')
    try:
        parts = urlsplit(text)
        port = parts.port
        user, password = parts.username, parts.password
    except ValueError as error:
        raise ValueError(f"not an address: {error}") from None
    scheme = next((known for known in PORTS if known == parts.scheme.lower()), None)
    if scheme is None:
        raise ValueError("an address begins with http:// or https://")
    if port == 0:
        raise ValueError("port 0 cannot be connected to")
    path = quote(parts.path or "/", safe=_SAFE)
    query = "?" + quote(parts.query, safe=_SAFE) if "?" in text.partition("#")[0] else ""
    return Url(
        scheme=scheme,
        host=ascii_host(parts.hostname or ""),
        port=port or PORTS[scheme],
        target=path + query,
        user=None if user is None else unquote(user),
        password=None if password is None else unquote(password),
    )


def ascii_host(host: str) -> str:
    """A host as it is asked for: a literal address in its short form, a name in ASCII and lower case; ValueError if it is neither."""
    plain, _, zone = host.replace("%25", "%").partition("%")
    if ":" in plain:
        return str(ipaddress.IPv6Address(f"{plain}%{zone}" if zone else plain))
    try:
        name = host if host.isascii() else host.encode("idna").decode("ascii")
    except UnicodeError:
        raise ValueError(f"{host[:80]!r} is not the name of a host") from None
    labels = name.rstrip(".").split(".")
    if len(name) > HOST_LIMIT or not _NAME.fullmatch(name) or any(len(label) > 63 for label in labels):
        raise ValueError(f"{host[:80]!r} is not the name of a host")
    if labels[-1].isdigit():
        return str(ipaddress.IPv4Address(name))
    return name.lower()


def join(base: Url, location: bytes) -> Url:
    """The address a `Location` leads to, from where it was said; ValueError when it leads nowhere that a probe may go."""
    text = location.decode("utf-8").strip(" \t").partition("#")[0]
    # urljoin would read "http:///" as a path of the base.
    return parse(text if _ABSOLUTE.match(text) else urljoin(str(base), text))
