"""A journey: what a clerk does, step by step, in one go. Log in, search, log out; send a document and see it arrive.

The front page answering 200 says nothing about whether anybody can log in behind it, whether the gateway hands out tokens, or whether a
document that was sent this minute ever gets to the other side. Those are several requests that lean on one another: a token out of a form,
a cookie, a number that the first answer gave.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Annotated, Final, Literal

from pydantic import BeforeValidator, Field

from probes.contract import Fact, Family, Finding, Kind
from probes.expect import CONFIG
from probes.http import FACTS as HTTP_FACTS
from probes.http import as_version
from probes.httpplan import Plan
from probes.journey_fill import OWN
from probes.journey_steps import Step
from probes.journey_walk import Walk, base, known_secrets, request, written_origin
from probes.secret import Secret
from probes.tools import Tools
from probes.trust import SYSTEM, TrustPolicy
from probes.units import Bytes
from probes.wire.client import MAX_BODY

STEP_LIMIT: Final = 16
"""Steps of one journey: each is a series of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JourneySpec:
    """Steps on one cookie jar, and how every one of them connects. Every key but `steps` has a default."""

    __pydantic_config__ = CONFIG

    # The least is counted below: a step that is wrong in itself would be told of as one that is missing, too.
    steps: Annotated[tuple[Step, ...], Field(max_length=STEP_LIMIT, json_schema_extra={"minItems": 1})]
    base_url: str | Secret | None = None
    redirects: Annotated[int, Field(ge=0, le=50)] = 10
    family: Family = Family.ANY
    proxy: str | Secret | None = None
    version: Annotated[Literal["1.1", "2"], BeforeValidator(as_version)] = "1.1"
    compression: Literal["none", "gzip", "deflate"] = "none"
    max_body: Annotated[Bytes, Field(ge=1, le=64 * 1024 * 1024)] = MAX_BODY
    tls: TrustPolicy = SYSTEM
    _plans: Mapping[str, Plan] = field(init=False, repr=False, compare=False)
    _secrets: tuple[str, ...] = field(init=False, repr=False, compare=False)
    _origins: frozenset[tuple[str, str, int]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        origins, plans, known = set(), {}, set(OWN)
        if not self.steps:
            raise ValueError("steps: a journey has at least 1")
        if self.base_url is not None:
            try:
                origins.add(base(self).origin)
            except ValueError as error:
                raise ValueError(f"base_url: {error}") from None
        seen: set[str] = set()
        for number, step in enumerate(self.steps, 1):
            where = f"step {number} “{step.name}”"
            if step.name in seen:
                raise ValueError(f"{where}: another step has this name")
            unknown = sorted(step.asked_for - known)
            if unknown:
                raise ValueError(
                    f"{where}: {{{unknown[0]}}} is not known here: no step before it extracts {unknown[0]}"
                )
            try:
                url = written_origin(self, step)
                address = step.address if isinstance(step.address, Secret) else url
                made = request(self, step, dict.fromkeys(step.asked_for, "0"), address or "http://somewhere.invalid/")
            except ValueError as error:
                raise ValueError(f"{where}: {error}") from None
            if url is not None:
                origins.add(url.origin)
            if not step.asked_for:
                plans[step.name] = made._plan
            seen.add(step.name)
            known |= step.extract.keys()
        object.__setattr__(self, "_plans", MappingProxyType(plans))
        object.__setattr__(self, "_origins", frozenset(origins))
        object.__setattr__(self, "_secrets", known_secrets(self.steps, self.base_url, self.proxy))

    def ready(self, step: Step) -> Plan | None:
        """The request of a step that needs no variable."""
        return self._plans.get(step.name)

    @property
    def origins(self) -> frozenset[tuple[str, str, int]]:
        """Scheme, host and port of every address that is written: what is secret may go there."""
        return self._origins

    @property
    def hosts(self) -> frozenset[str]:
        """Hosts that the journey itself names: a redirect may lead there, however private they are."""
        return frozenset(host for _, host, _ in self._origins)


async def probe(spec: JourneySpec, tools: Tools) -> Finding:
    """Facts: see `KIND.facts`. Reasons: those of `http`, of the step that the detail names; `step` when a variable is not to be had."""
    if spec._secrets:
        tools.conceal(spec._secrets)
    return await Walk(spec, tools).run()


FACTS: Final[Mapping[str, Fact]] = MappingProxyType(
    {
        "seconds": Fact(unit="seconds", meaning="all steps with their waiting; without the tokens' steps"),
        "steps": Fact(unit="number", meaning="steps that went well"),
        "failed_step": Fact(unit="number", meaning="number of the step that did not, from 1; 0 when all went well"),
        "poll_seconds": Fact(
            unit="seconds", meaning="from the first question of the last step that polls to the answer it waited for"
        ),
        **{
            name: HTTP_FACTS[name] for name in HTTP_FACTS if name not in ("seconds", "failed_due_to_regex", "redirects")
        },
        "redirects": Fact(unit="number", meaning="redirects followed, all steps"),
    }
)


def _steps(spec: JourneySpec) -> Mapping[str, Fact]:
    """A number for every step."""
    return {
        f"step_{number}_seconds": Fact(unit="seconds", meaning=f"step {number}, “{step.name}”")
        for number, step in enumerate(spec.steps, 1)
    }


KIND: Final = Kind(
    name="journey",
    spec=JourneySpec,
    probe=probe,
    facts=FACTS,
    addresses=("base_url",),
    summary="several requests on one cookie jar: forms, tokens, variables, waiting until something has arrived",
    facts_of=_steps,
)
