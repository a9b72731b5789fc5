"""What a served certificate says: until when, for whom, by whom, how strong, and what is wrong with it.

Owns: what is known of a certificate, and telling *why* a chain is bad, also when nobody verified it.
Never: decides whether a chain is trusted (OpenSSL does, with the policy's authorities), or reads a clock: `now` is an argument.
"""

import ipaddress
import ssl
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from itertools import pairwise
from typing import Any, Final

from probes.contract import Reason

DAY: Final = 86_400.0

LEAST_BITS: Final = {"RSA": 2048, "DSA": 2048, "EC": 224}
"""Below these a key is weak: 112 bits of strength (NIST SP 800-57 part 1, table 2), which is also OpenSSL's security level 2."""

BROKEN_DIGESTS: Final = frozenset({"md5", "md4", "md2", "sha1"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """One certificate in words and numbers; `not_before` and `not_after` are unix seconds. All text is the target's: clean it before showing."""

    subject: str
    issuer: str
    names: tuple[str, ...]
    addresses: tuple[str, ...]
    not_before: float
    not_after: float
    algorithm: str
    bits: int
    digest: str | None
    self_signed: bool

    @property
    def weak(self) -> str | None:
        """What is weak about it, or None. The digest of a self-signed certificate protects nothing and does not count."""
        if self.bits < LEAST_BITS.get(self.algorithm, 0):
            return f"{self.algorithm} key of {self.bits} bits"
        if self.digest in BROKEN_DIGESTS and not self.self_signed:
            return f"signed with {self.digest.upper()}"
        return None

    def names_host(self, host: str) -> bool:
        """Whether it is for this host: an IP SAN for an address, a DNS SAN for a name, its left-most label perhaps `*` (RFC 6125 §6.4.3)."""
        bare = host.removeprefix("[").removesuffix("]").partition("%")[0]
        try:
            return str(ipaddress.ip_address(bare)) in self.addresses
        except ValueError:
            wanted = ascii_name(host)
        head, _, tail = wanted.partition(".")
        return wanted in self.names or bool(head and "." in tail and f"*.{tail}" in self.names)


def ascii_name(host: str) -> str:
    """A host name as it stands in certificates: lower case, no final dot, other letters as `xn--…`; as it is when it cannot be."""
    name = host.rstrip(".").lower()
    try:
        return name if name.isascii() else name.encode("idna").decode("ascii")
    except UnicodeError:
        return name


@lru_cache(maxsize=4096)
def read(der: bytes) -> Certificate | None:
    """A certificate from its DER; None when it cannot be read (OpenSSL is more lenient than any parser here)."""
    return prepare()(der)


def prepare() -> Callable[[bytes], Certificate | None]:
    """The parser takes a while to load, and memory: nobody pays for it who speaks no TLS, and who does pays with the first context."""
    from probes.der import parse

    return parse


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """What one handshake showed: the chain as it was sent (leaf first; the leaf alone when it was verified), the path that was
    verified (empty when none was), how many certificates were sent, and the version.
    """

    sent: tuple[Certificate, ...]
    verified: tuple[Certificate, ...]
    count: int
    version: str | None

    @property
    def leaf(self) -> Certificate | None:
        """The server's own certificate."""
        return self.sent[0] if self.sent else None

    def facts(self, now: datetime) -> dict[str, float]:
        """`certificate_days` (negative when over), `certificate_not_after` (unix), `chain_length`, `key_bits`, `tls_version`, `verified`.

        The end is the earliest of the verified path, its root included: what will break first. A chain that nobody verified is
        judged as it was sent.
        """
        facts: dict[str, float] = {"verified": float(bool(self.verified))}
        path = self.verified or self.sent
        if path:
            end = min(certificate.not_after for certificate in path)
            facts["certificate_not_after"] = end
            facts["certificate_days"] = (end - now.timestamp()) / DAY
        if self.count:
            facts["chain_length"] = float(self.count)
        if self.leaf is not None:
            facts["key_bits"] = float(self.leaf.bits)
        if self.version is not None:
            facts["tls_version"] = VERSION_NUMBERS.get(self.version, 0.0)
        return facts


VERSION_NUMBERS: Final = {"SSLv3": 0.3, "TLSv1": 1.0, "TLSv1.1": 1.1, "TLSv1.2": 1.2, "TLSv1.3": 1.3}


def served(connection: ssl.SSLObject | ssl.SSLSocket) -> Served:
    """Everything a TLS connection knows of its peer, finished or failed: OpenSSL keeps the chain that it could not verify."""
    # Public from Python 3.13 on; before that the same methods live one layer down and give objects instead of bytes.
    inner: Any = connection if _PUBLIC else getattr(connection, "_sslobj", None)
    version = connection.version()
    chain = inner.get_unverified_chain() if inner is not None else None
    if not chain:
        return Served(sent=(), verified=(), count=0, version=version)
    # Names are checked exactly where proof is demanded (`trust.build`); asking for `verify_mode` would cost as much as all the rest here.
    if version is not None and connection.context.check_hostname:
        # The handshake is done and the context demands proof: what was proved begins with what was sent, so that is read once.
        verified = _readable(inner.get_verified_chain())
        return Served(sent=verified[:1], verified=verified, count=len(chain), version=version)
    return Served(sent=_readable(chain), verified=(), count=len(chain), version=version)


_PUBLIC: Final = hasattr(ssl.SSLObject, "get_unverified_chain")

ENCODING_DER: Final = 2  # X509_FILETYPE_ASN1 of OpenSSL's x509.h, as `_ssl.ENCODING_DER`.


def _readable(chain: Iterable[Any]) -> tuple[Certificate, ...]:
    """Those certificates of a chain that can be read."""
    found = [read(item if isinstance(item, bytes) else item.public_bytes(ENCODING_DER)) for item in chain]
    return tuple([certificate for certificate in found if certificate is not None])


@dataclass(frozen=True, slots=True, kw_only=True)
class Flaw:
    """One thing that is wrong with a chain, and the words for it."""

    reason: Reason
    words: str


def flaws(chain: Sequence[Certificate], host: str, now: datetime) -> list[Flaw]:
    """What is wrong with a chain as it was sent, the most telling first; whether its end is trusted is not known here."""
    if not chain:
        return []
    found, leaf, moment = [], chain[0], now.timestamp()
    for certificate in chain:
        whose = "" if certificate is leaf else f" (authority {certificate.subject})"
        if moment > certificate.not_after:
            days = (moment - certificate.not_after) / DAY
            found.append(Flaw(reason=Reason.TLS_EXPIRED, words=f"expired {days:.1f} days ago{whose}"))
        elif moment < certificate.not_before:
            days = (certificate.not_before - moment) / DAY
            found.append(Flaw(reason=Reason.TLS_NOT_YET_VALID, words=f"valid only in {days:.1f} days{whose}"))
    if not leaf.names_host(host):
        listed = ", ".join((leaf.names + leaf.addresses)[:3]) or f"no name at all (common name {leaf.subject})"
        found.append(Flaw(reason=Reason.TLS_NAME, words=f"for {listed}, not for {host}"))
    if leaf.self_signed:
        found.append(Flaw(reason=Reason.TLS_SELF_SIGNED, words="self-signed"))
    found += [
        Flaw(reason=Reason.TLS_WEAK, words=certificate.weak) for certificate in chain if certificate.weak is not None
    ]
    for lower, upper in pairwise(chain):
        if lower.issuer != upper.subject:
            found.append(Flaw(reason=Reason.TLS_UNKNOWN_CA, words=f"the chain is out of order after {lower.subject}"))
            break
    return found


def why(reason: Reason, shown: Served, host: str, now: datetime) -> str:
    """The evidence for a refused chain in one line: the flaw that fits the reason first, then whatever else is wrong with it."""
    leaf = shown.leaf
    if leaf is None:
        return ""
    found = sorted(flaws(shown.sent, host, now), key=lambda flaw: flaw.reason is not reason)
    words = [flaw.words for flaw in found]
    if reason is Reason.TLS_UNKNOWN_CA and not (found and found[0].reason is reason):
        words.insert(0, f"issued by {shown.sent[-1].issuer}")
    return "; ".join(words)
