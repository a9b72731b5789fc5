"""Time stamps (RFC 3161): does the authority stamp what we send, at the right time, signed by who may?

Without a time stamp no official document can be signed for good. A timestamp server answers a browser with 403, and a wrong request with 400,
which says nothing: so we ask for a stamp of something random, each time, and verify it as signing software does. Such a service may take
two minutes on a bad day and still work: slow is degraded, not down.
"""

import hashlib
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from importlib import import_module
from time import perf_counter
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Final, Literal

from pydantic import AfterValidator, ConfigDict

from probes import asking, asn1
from probes.contract import Fact, Family, Finding, Kind, Reason, failed, ok
from probes.http import HttpSpec
from probes.secret import Secret
from probes.tls import TLS_FACTS
from probes.tools import Tools
from probes.trust import SYSTEM, TrustPolicy
from probes.typed import at
from probes.units import Seconds

if TYPE_CHECKING:
    from probes.tsa_token import Stamp

QUERY: Final = "application/timestamp-query"
REPLY: Final = ("application/timestamp-reply", "application/timestamp-response")
"""RFC 3161 §3.4 knows the first; some servers say the second, and every client takes it."""


def _policy(text: str) -> str:
    asn1.name(text)
    return text


@dataclass(frozen=True, slots=True, kw_only=True)
class TsaSpec:
    """A stamp asked of `url` by POST. `ca`, when given, is a PEM file of authorities that the stamp's signer must come from."""

    __pydantic_config__ = ConfigDict(extra="forbid", arbitrary_types_allowed=True)

    url: str | Secret
    hash: Literal["sha256", "sha384", "sha512"] = "sha256"
    ca: str | None = None
    policy: Annotated[str, AfterValidator(_policy)] | None = None
    max_offset: Seconds = 300.0
    family: Family = Family.ANY
    proxy: str | Secret | None = None
    tls: TrustPolicy = SYSTEM
    _request: HttpSpec = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        heads = {"Content-Type": QUERY, "Accept": REPLY[0]}
        request = asking.request(
            self.url, method="POST", headers=heads, family=self.family, proxy=self.proxy, tls=self.tls
        )
        object.__setattr__(self, "_request", request)
        _load()


def _load() -> None:
    """What verifies takes a while to load, and few checks need it: loaded when a configuration is, never within a run."""
    import_module("probes.tsa_token")


async def probe(spec: TsaSpec, tools: Tools) -> Finding:
    """Facts: see `KIND.facts`. Reasons: `tsa` (no stamp, and why; not ours; not signed by who may; a wrong time), `status` and `header` (what
    answers there stamps nothing), `protocol`, and those of the way.
    """
    from probes.tsa_token import Question, reply, stamp

    anchors = await asking.certificates(tools, "ca", spec.ca) if spec.ca is not None else ()
    imprint = hashlib.new(spec.hash, tools.token(32)).digest()
    # Its first bit set: 64 bits that no encoding makes shorter.
    question = Question(
        digest=spec.hash, imprint=imprint, nonce=int.from_bytes(tools.token(8)) | 1 << 63, policy=spec.policy
    )
    sent, began = tools.workbench.now(), perf_counter()
    try:
        answer = await asking.ask(spec._request, question.encoded(), tools, kinds=REPLY)
    finally:
        tools.note(seconds=perf_counter() - began)
    received = tools.workbench.now()
    with tools.phase("verify"):
        told = reply(answer.body)
        tools.note(pki_status=told.status)
        if not told.granted:
            return failed(Reason.TSA, f"no time stamp: {told.words}")
        if told.token is None:
            return failed(Reason.TSA, f"{told.words}, but the answer holds no time stamp")
        seen = stamp(told.token, question, anchors)
    _note(tools, seen, sent, received)
    offset = tools.facts["clock_offset"]
    if abs(offset) > spec.max_offset:
        direction = "ahead of" if offset > 0 else "behind"
        return failed(Reason.TSA, f"the stamp's time is {abs(offset):.1f} s {direction} ours")
    return ok(told.words if told.status else "granted" if seen.trusted else "granted; signer not held against any ca")


def _note(tools: Tools, seen: "Stamp", sent: datetime, received: datetime) -> None:
    from probes.signed import days

    # The stamp is cut to its resolution: 10:00:07 may have been made until just before 10:00:08.
    latest = seen.time + timedelta(seconds=seen.resolution)
    ahead, behind = (seen.time - received).total_seconds(), (sent - latest).total_seconds()
    tools.note(
        clock_offset=ahead if ahead > 0 else -behind if behind > 0 else 0.0,
        signer_days=days(seen.signer, received),
        signer_not_after=seen.signer.not_valid_after_utc.timestamp(),
        signer_trusted=float(seen.trusted),
    )
    if seen.accuracy is not None:
        tools.note(accuracy=seen.accuracy)


KIND: Final = Kind(
    name="tsa",
    spec=TsaSpec,
    probe=probe,
    facts=MappingProxyType(
        {
            "seconds": Fact(unit="seconds", meaning="from the first name asked for to the last byte of the answer"),
            "status": Fact(unit="number", meaning="HTTP status"),
            "pki_status": Fact(
                unit="number", meaning="what the authority decided: 0 granted, 1 with changes, else not"
            ),
            "accuracy": Fact(unit="seconds", meaning="how exact the stamp says it is; absent when it does not say"),
            "clock_offset": Fact(
                unit="seconds",
                meaning="how far the stamp's time lies outside the time between asking and answer; 0 within, negative: behind",
            ),
            "signer_days": Fact(unit="days", meaning="until the certificate that signed the stamp ends"),
            "signer_not_after": Fact(unit="number", meaning="that moment in unix seconds"),
            "signer_trusted": Fact(unit="number", meaning="1: the signer comes from `ca`; 0: no `ca` was given"),
            "http_version": Fact(unit="number", meaning="version of HTTP"),
            "ip_version": Fact(unit="number", meaning="4 or 6: the family that was connected to"),
            "body_bytes": Fact(unit="bytes", meaning="size of the answer"),
            "wire_bytes": Fact(unit="bytes", meaning="the same as it was sent"),
            "content_length": Fact(unit="bytes", meaning="its declared length; -1 when none was"),
            "tls": Fact(unit="number", meaning="1 when the answer came over TLS"),
            **TLS_FACTS,
        }
    ),
    addresses=("url",),
    summary="a time stamp (RFC 3161) of something random: granted, ours, on time, signed by who may",
    typed=at("url"),
    degraded_if=("seconds > 10",),
)
