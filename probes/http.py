"""HTTP: does the page come, is it the right one, how fast, and how long will its certificate last?

What a citizen sees of a system is its page: a 200 that says "database error", a login that redirects for ever, a certificate that
ends tonight are all "the portal does not work". One connection tells name, connect, certificate and page at once.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from time import perf_counter
from types import MappingProxyType
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from probes.contract import Fact, Family, Finding, Kind, ok
from probes.expect import CONFIG, Expect
from probes.httpauth import Auth
from probes.httpplan import REDIRECTS, Plan, ask_with_token, follow
from probes.secret import Secret
from probes.tls import TLS_FACTS
from probes.tools import Tools
from probes.trust import SYSTEM, TrustPolicy
from probes.typed import at
from probes.units import Bytes
from probes.wire.client import MAX_BODY

__all__ = ["KIND", "HttpSpec", "probe"]


def _method(text: str) -> str:
    if not (text.isascii() and text.isalpha()):
        raise ValueError(f"{text!r} is not a method: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS …")
    if text.upper() == "CONNECT":
        raise ValueError("CONNECT opens a tunnel through a proxy: use the key proxy")
    return text.upper()


def as_version(value: Any) -> str:
    """`1.1` and `2`, also as numbers; ValueError for what is not spoken here."""
    text = "2" if value == 2 else str(value)
    if text not in ("1.1", "2"):
        raise ValueError(f"{value!r}: this build speaks HTTP 1.1 and 2")
    return text


# Shared by all checks that say nothing else.
NONE: Final[Mapping[str, str | Secret]] = MappingProxyType({})
ANY_2XX: Final = Expect()


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpSpec:
    """One request and what must come of it, redirects included. Every key but `url` has a default."""

    __pydantic_config__ = CONFIG

    url: str | Secret
    method: Annotated[str, AfterValidator(_method)] = "GET"
    headers: Mapping[str, str | Secret] = field(default_factory=lambda: NONE)
    body: str | Secret | None = None
    body_file: str | None = None
    auth: Auth | None = None
    redirects: Annotated[int, Field(ge=0, le=50)] = 10
    family: Family = Family.ANY
    proxy: str | Secret | None = None
    version: Annotated[Literal["1.1", "2"], BeforeValidator(as_version)] = "1.1"
    compression: Literal["none", "gzip", "deflate"] = "none"
    max_body: Annotated[Bytes, Field(ge=1, le=64 * 1024 * 1024)] = MAX_BODY
    tls: TrustPolicy = SYSTEM
    expect: Expect = field(default_factory=lambda: ANY_2XX)
    _plan: Plan = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_plan", Plan.build(self))


async def probe(spec: HttpSpec, tools: Tools) -> Finding:
    """Facts: see `KIND.facts`. Reasons: those of the way (timeout, refused, reset, dns…, tls_…, proxy, auth), of the answer (protocol,
    empty_reply, truncated, headers_too_large, body_too_large, bad_encoding, bad_redirect, redirect_blocked, too_many_redirects), and of
    what was expected (status, version, header, body_regex, body_size, json, xpath, soap_fault, not_tls, unexpected_tls).
    """
    expect = spec.expect
    if expect.uses_regex:
        tools.facts["failed_due_to_regex"] = 0.0
    plan = spec._plan
    if plan.secrets:
        tools.conceal(plan.secrets)
    began = perf_counter()
    proof: tuple[str, ...] = ()
    try:
        if plan.oauth2 is None:
            response = await plan.ask(plan.route, plan.request, tools, head_only=plan.method == "HEAD")
        else:
            response, proof, began = await ask_with_token(plan, plan.oauth2, tools)
        if plan.redirects and response.status in REDIRECTS:
            response = await follow(plan, tools, response, proof)
    finally:
        tools.facts.setdefault(
            "redirects", 0.0
        )  # Only now: thousands that wait for an answer need not hold a filled table each.
    tools.facts["seconds"] = perf_counter() - began
    finding = await expect.judge(response) if expect.xpath else expect.check(response)
    if finding is None:
        return GOOD if response.status == 200 else ok(f"status {response.status}")
    if expect.uses_regex and finding.reason.value in ("header", "body_regex"):
        tools.facts["failed_due_to_regex"] = 1.0
    return finding


GOOD: Final = ok("status 200")

FACTS: Final[Mapping[str, Fact]] = MappingProxyType(
    {
        "seconds": Fact(
            unit="seconds", meaning="from the first name asked for to the last byte, all hops; without the token's step"
        ),
        "status": Fact(unit="number", meaning="status of the last answer"),
        "redirects": Fact(unit="number", meaning="redirects followed"),
        "http_version": Fact(unit="number", meaning="version of the last answer: 1.0, 1.1 or 2"),
        "ip_version": Fact(unit="number", meaning="4 or 6: the family that was connected to"),
        "body_bytes": Fact(unit="bytes", meaning="body, decoded"),
        "wire_bytes": Fact(unit="bytes", meaning="body as it was sent, compressed or not"),
        "content_length": Fact(unit="bytes", meaning="declared length of the body; -1 when none was"),
        "failed_due_to_regex": Fact(unit="number", meaning="1 when an expected or forbidden expression decided"),
        "tls": Fact(unit="number", meaning="1 when the last answer came over TLS"),
        **TLS_FACTS,
    }
)

KIND: Final = Kind(
    name="http",
    spec=HttpSpec,
    probe=probe,
    facts=FACTS,
    addresses=("url",),
    summary="one HTTP request with its redirects: status, headers, body, certificate, phases",
    typed=at("url"),
)
