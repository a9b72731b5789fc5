"""What a probe is, and what it may say.

Owns: the outcome of one run, the closed list of reasons, and the table row that makes a function a kind of probe.
Never: judges. `failed` says that the target did not do it, `blind` that we could not look; what follows is the rules' business.
"""

import socket
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from probes.tools import Tools

DETAIL_LIMIT = 200
"""Characters of `Outcome.detail`: one line for a person."""

NOTHING: Mapping[str, float] = MappingProxyType({})


class Seen(StrEnum):
    """Whose fault it is, before anything else is said."""

    OK = "ok"
    FAILED = "failed"
    BLIND = "blind"


class Family(StrEnum):
    """Which internet protocol a check insists on; `any` tries what the name gives, v6 and v4 racing."""

    ANY = "any"
    IPV4 = "ipv4"
    IPV6 = "ipv6"


class Reason(StrEnum):
    """Why an outcome is what it is: a closed list, each one a metric label value.

    The `own_…` reasons are ours and only ever stand beside `blind`.
    """

    OK = "ok"
    # The way to the target.
    TIMEOUT = "timeout"
    REFUSED = "refused"
    RESET = "reset"
    UNREACHABLE = "unreachable"
    PROHIBITED = "prohibited"
    TTL_EXCEEDED = "ttl_exceeded"
    FRAG_NEEDED = "frag_needed"
    NO_REPLY = "no_reply"
    LOSS = "loss"
    # Names.
    DNS = "dns"
    DNS_NXDOMAIN = "dns_nxdomain"
    DNS_NODATA = "dns_nodata"
    DNS_SERVFAIL = "dns_servfail"
    DNS_FILTERED = "dns_filtered"
    RCODE = "rcode"
    ANSWER = "answer"
    DNSSEC = "dnssec"
    # TLS: why it is bad.
    TLS_EXPIRED = "tls_expired"
    TLS_NOT_YET_VALID = "tls_not_yet_valid"
    TLS_NAME = "tls_name"
    TLS_UNKNOWN_CA = "tls_unknown_ca"
    TLS_SELF_SIGNED = "tls_self_signed"
    TLS_WEAK = "tls_weak"
    TLS_REVOKED = "tls_revoked"
    TLS_CERTIFICATE = "tls_certificate"
    TLS_CLIENT_CERT = "tls_client_cert"
    TLS_PLAINTEXT = "tls_plaintext"
    TLS_VERSION = "tls_version"
    TLS_ALERT = "tls_alert"
    TLS_HANDSHAKE = "tls_handshake"
    NOT_TLS = "not_tls"
    UNEXPECTED_TLS = "unexpected_tls"
    # What came back.
    PROTOCOL = "protocol"
    EMPTY_REPLY = "empty_reply"
    TRUNCATED = "truncated"
    HEADERS_TOO_LARGE = "headers_too_large"
    BODY_TOO_LARGE = "body_too_large"
    BAD_ENCODING = "bad_encoding"
    LINE_TOO_LONG = "line_too_long"
    BAD_REDIRECT = "bad_redirect"
    REDIRECT_BLOCKED = "redirect_blocked"
    TOO_MANY_REDIRECTS = "too_many_redirects"
    PROXY = "proxy"
    AUTH = "auth"
    # What was expected of it.
    STATUS = "status"
    VERSION = "version"
    HEADER = "header"
    BODY_REGEX = "body_regex"
    BODY_SIZE = "body_size"
    JSON = "json"
    XPATH = "xpath"
    SOAP_FAULT = "soap_fault"
    EXPECT = "expect"
    STARTTLS = "starttls"
    STEP = "step"
    STUN_ERROR = "stun_error"
    SIP_STATUS = "sip_status"
    SNMP = "snmp"
    TSA = "tsa"
    OCSP = "ocsp"
    MISSED = "missed"
    REPORTED = "reported"
    """The job itself told us that it failed."""
    DOWN_IF = "down_if"
    """A fact crossed the check's own `down_if` line."""
    # Ours: we could not look.
    OWN_NETWORK = "own_network"
    OWN_DNS = "own_dns"
    OWN_PORTS = "own_ports"
    OWN_FDS = "own_fds"
    OWN_MEMORY = "own_memory"
    OWN_PERMISSION = "own_permission"
    OWN_STALL = "own_stall"
    OWN_CLOCK = "own_clock"
    OWN_OVERLOAD = "own_overload"
    OWN_CONFIG = "own_config"
    OWN_BUG = "own_bug"
    OWN_NOT_RUNNING = "own_not_running"
    OWN_WAITING = "own_waiting"
    """Nothing is known yet: the first word is not due so soon."""

    @property
    def ours(self) -> bool:
        """Whether it names a fault of the monitor, not of the target."""
        return self.value.startswith("own_")


ATTACHMENT_LIMIT = 512 * 1024
"""Bytes of one attachment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """Evidence of a failed run: `name` is a short word of ours (`page`), `data` at most ATTACHMENT_LIMIT bytes, never a secret."""

    name: str
    media_type: str
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What one run saw: a fact, never a verdict.

    `started_at` is aware and UTC; `seconds` and `phases` are monotonic durations in seconds; `facts` are numbers in the base units
    that the kind documents (seconds, bytes, ratios 0..1, days); `detail` is one cleaned line of at most 200 characters, never a secret.
    """

    seen: Seen
    reason: Reason
    detail: str
    started_at: datetime
    seconds: float
    phases: Mapping[str, float] = field(default_factory=lambda: NOTHING)
    facts: Mapping[str, float] = field(default_factory=lambda: NOTHING)
    attachments: tuple[Attachment, ...] = ()
    """Evidence; only ever beside `failed`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a probe function returns; `probes.run` adds when, how long and the phases, and makes it an `Outcome`."""

    seen: Seen
    reason: Reason
    detail: str = ""
    facts: Mapping[str, float] = field(default_factory=lambda: NOTHING)
    since: datetime | None = None
    """For a kind that learns later what was so before: from when on. Not after now; None: from the start of this run."""


def ok(detail: str = "", *, facts: Mapping[str, float] = NOTHING) -> Finding:
    """The target did what was asked."""
    return Finding(seen=Seen.OK, reason=Reason.OK, detail=detail, facts=facts)


def failed(reason: Reason, detail: str = "", *, facts: Mapping[str, float] = NOTHING) -> Finding:
    """The target did not do it."""
    assert not reason.ours
    return Finding(seen=Seen.FAILED, reason=reason, detail=detail, facts=facts)


def blind(reason: Reason, detail: str = "", *, facts: Mapping[str, float] = NOTHING) -> Finding:
    """We could not look."""
    assert reason.ours
    return Finding(seen=Seen.BLIND, reason=reason, detail=detail, facts=facts)


class ProbeError(Exception):
    """A finding that stops the probe from any depth: `probes.run` makes the outcome of it. An `own_…` reason makes it blind."""

    def __init__(self, reason: Reason, detail: str = "", *, facts: Mapping[str, float] = NOTHING) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail
        self.facts = facts

    @property
    def finding(self) -> Finding:
        """The same as a value."""
        seen = Seen.BLIND if self.reason.ours else Seen.FAILED
        return Finding(seen=seen, reason=self.reason, detail=self.detail, facts=self.facts)


class Address(NamedTuple):
    """Where a name leads: `socket.AF_INET` or `AF_INET6`, and the address as text (a link-local one with its zone)."""

    family: socket.AddressFamily
    ip: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One number a kind reports: its unit decides how thresholds on it are written (`seconds`, `ratio`, `days`, `bytes`, `number`)."""

    unit: str
    meaning: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One row of `probes.KINDS`: all that the rest of the house needs to know of a kind of probe.

    `spec` is a frozen, slotted, keyword-only dataclass with a pydantic configuration (`__pydantic_config__`, unknown keys forbidden):
    the settings build it from the file, the JSON schema and the documentation are made from it.
    `addresses` are the spec's fields that say where the target is; a check whose address is blank waits for it.
    """

    name: str
    spec: type[Any]
    probe: Callable[[Any, "Tools"], Awaitable[Finding]]
    facts: Mapping[str, Fact]
    addresses: tuple[str, ...]
    summary: str
    typed: Callable[[str], Mapping[str, Any]] | None = None
    """Keys of a spec out of the one word that a person types behind `thongsuot probe --<name>`; ValueError says what it should be."""
    degraded_if: tuple[str, ...] = ()
    """Conditions of a check that writes none of its own: slow where slow is not yet down."""
    confirm: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    """Rounds (`failures`, `successes`, `degraded`) of a kind whose outcomes need less confirming than the file's defaults ask for."""
    facts_of: Callable[[Any], Mapping[str, Fact]] | None = None
    """Further facts of one spec: those that its own keys name."""
    unique: tuple[str, ...] = ()
    """Fields of the spec that no two checks may have the same value of."""
