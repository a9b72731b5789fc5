"""TLS: is the certificate good, for how long still, and if not, why?

An expired certificate closes a portal to every citizen at one second, announced months before. One connection gives the
connect, the handshake and the certificate; a certificate that does not verify is read all the same.
"""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Final, Literal

from pydantic import ConfigDict

from probes.certificates import Served, flaws, served, why
from probes.channel import Channel
from probes.contract import Fact, Family, Finding, Kind, ProbeError, Reason, ok
from probes.dial import Host, dial
from probes.starttls import upgrade
from probes.tools import Tools
from probes.trust import TlsVersion, TrustPolicy, alert_name, tls_finding
from probes.typed import at_host
from probes.units import Port

PATIENCE: Final = 0.5
"""Seconds a server has to refuse our side of a TLS 1.3 handshake; most answer at once with a session ticket."""

TLS_FACTS: Final[Mapping[str, Fact]] = MappingProxyType(
    {
        "certificate_days": Fact(
            unit="days", meaning="days until the first certificate of the chain ends; negative when over"
        ),
        "certificate_not_after": Fact(unit="number", meaning="that moment in unix seconds"),
        "chain_length": Fact(unit="number", meaning="certificates that the server sent"),
        "key_bits": Fact(unit="number", meaning="size of the server's key"),
        "tls_version": Fact(unit="number", meaning="negotiated version: 1.2 or 1.3"),
        "verified": Fact(unit="number", meaning="1 when the chain was verified, 0 when it was not or could not be"),
    }
)
"""What every kind that speaks TLS reports of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsSpec:
    """A handshake with `host:port`, after STARTTLS in the named protocol where there is one."""

    __pydantic_config__ = ConfigDict(extra="forbid", arbitrary_types_allowed=True)

    host: Host
    port: Port = 443
    server_name: Host | None = None
    starttls: Literal["smtp", "imap", "pop3", "ftp", "ldap", "postgres", "xmpp"] | None = None
    verify: bool = True
    ca: str | None = None
    cert: str | None = None
    key: str | None = None
    min_version: TlsVersion = "1.2"
    family: Family = Family.ANY

    def __post_init__(self) -> None:
        self.policy()  # What a policy refuses is refused here.

    def policy(self) -> TrustPolicy:
        """The same as a policy."""
        return TrustPolicy(verify=self.verify, ca=self.ca, cert=self.cert, key=self.key, min_version=self.min_version)


async def probe(spec: TlsSpec, tools: Tools) -> Finding:
    """Facts: see `TLS_FACTS`. Reasons: `tls_…`, `starttls`, and those of the way (timeout, refused, reset, dns…).

    `verify: false` accepts any certificate; the detail then says what would have been refused.
    """
    name = spec.server_name or spec.host
    channel = await dial(tools, spec.host, spec.port, spec.family)
    try:
        if spec.starttls is not None:
            with tools.phase("starttls"):
                await upgrade(channel, spec.starttls, name)
        shown = await handshake(channel, tools, spec.policy(), name, confirm=True)
    finally:
        channel.abort()
    return ok(describe(shown, name, tools.workbench.now()))


async def handshake(channel: Channel, tools: Tools, policy: TrustPolicy, name: str, *, confirm: bool = False) -> Served:
    """Secure a channel in phase `tls` and note the facts, also of what was refused; ProbeError with the reason and the evidence.

    `confirm` ends the connection as well: see `Channel.confirm`.
    """
    context = tools.workbench.trust.context(policy)
    with tools.phase("tls"):
        connection = channel.wrap(context, name)
        try:
            await channel.secure()
            if confirm:
                await channel.confirm(PATIENCE)
        except ssl.SSLError as error:
            shown, now = served(connection), tools.workbench.now()
            tools.notes(shown.facts(now))
            raise refusal(error, shown, name, now) from error
    shown = served(connection)
    tools.notes(shown.facts(tools.workbench.now()))
    return shown


def refusal(error: ssl.SSLError, shown: Served, name: str, now: datetime) -> ProbeError:
    """A failed handshake with its reason and, where the certificate is to blame, the evidence out of it."""
    finding = tls_finding(error)
    assert finding is not None
    if finding.reason is Reason.TLS_HANDSHAKE and shown.count and alert_name(error) == "handshake_failure":
        # Until TLS 1.2 this is the only way to say it, and it can come after the server's certificate for hardly another cause.
        return ProbeError(Reason.TLS_CLIENT_CERT, "the server wants a client certificate, or another one")
    if isinstance(error, ssl.SSLCertVerificationError):
        evidence = why(finding.reason, shown, name, now)
        return ProbeError(finding.reason, f"{finding.detail}: {evidence}" if evidence else finding.detail)
    return ProbeError(finding.reason, finding.detail)


def describe(shown: Served, name: str, now: datetime) -> str:
    """A good handshake in one line; for a chain that nobody verified, what is wrong with it as well."""
    leaf = shown.leaf
    words = [shown.version or "TLS"]
    if leaf is not None:
        words.append(f"{leaf.subject}, {leaf.algorithm} {leaf.bits}, by {leaf.issuer}")
    if not shown.verified:
        words.append(
            "not verified: " + ("; ".join(flaw.words for flaw in flaws(shown.sent, name, now)) or "no flaw seen")
        )
    return ", ".join(words)


KIND: Final = Kind(
    name="tls",
    spec=TlsSpec,
    probe=probe,
    facts=TLS_FACTS,
    addresses=("host",),
    summary="TLS handshake: certificate, chain, name, version, days left",
    typed=at_host(),
)
