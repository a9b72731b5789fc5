"""The language of what is watched: checks, nodes, groups, and how they are selected.

Owns: the types and models of these sections, and the rules inside one of them.
Never: looks at another section: references between sections are `build`'s business.
"""

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, ClassVar, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from monitor.model import Effect, EventType, Severity, Witness
from probes.units import Duration, Ratio


def one_or_many(value: Any) -> Any:
    """A single value where a list is meant."""
    return value if isinstance(value, list | tuple) else (value,)


def _web_address(text: str) -> str:
    if text and not re.fullmatch(r"https?://[^\s/@]+(/\S*)?", text):
        raise ValueError("it is not a web address: write https://host or https://host/path")
    return text


def _told(events: tuple[str, ...]) -> tuple[str, ...]:
    told = [event.value for event in EventType if event.told]
    for event in events:
        if event not in told:
            raise ValueError(f"{event!r} is not an event that is told: it is one of {', '.join(told)}")
    return events


def _shares(values: tuple[float, ...]) -> tuple[float, ...]:
    if any(not 0 < value < 1 for value in values):
        raise ValueError("each warning lies between 0% and 100% of the recovery target, as in [50%, 75%, 90%]")
    return tuple(sorted(set(values)))


def _matches(value: Any) -> Any:
    """An id is short for `{node: id}`; one selector is short for a list of one."""
    return tuple({"node": each} if isinstance(each, str) else each for each in one_or_many(value))


Words = Annotated[tuple[str, ...], BeforeValidator(one_or_many, json_schema_input_type=str | list[str])]
Severities = Annotated[
    tuple[Severity, ...], BeforeValidator(one_or_many, json_schema_input_type=Severity | list[Severity])
]
Shares = Annotated[tuple[Ratio, ...], AfterValidator(_shares)]
Length = Annotated[Duration, Field(gt=timedelta(0))]
Pace = Annotated[Duration, Field(ge=timedelta(seconds=1), le=timedelta(days=7))]
Patience = Annotated[Duration, Field(ge=timedelta(milliseconds=10), le=timedelta(hours=1))]
Rounds = Annotated[int, Field(ge=1, le=100)]
WebAddress = Annotated[str, AfterValidator(_web_address)]


class Block(BaseModel):
    """One mapping of the file: unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, hide_input_in_errors=True)


class OneKind(Block):
    """A mapping of which exactly one key says what kind of thing it is; the kinds' keys join at run time."""

    kind_names: ClassVar[tuple[str, ...]] = ()

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        written = [kind for kind in self.kind_names if kind in self.model_fields_set]
        if self.kind_names and len(written) != 1:
            has = f"both {' and '.join(written)}" if written else "no kind"
            raise ValueError(f"has {has}: write exactly one of {', '.join(self.kind_names)}")
        return self

    def kind(self) -> tuple[str, Any]:
        """The kind's name and its spec."""
        name = next(kind for kind in self.kind_names if kind in self.model_fields_set)
        return name, getattr(self, name)


class ConfirmBlock(Block):
    """How many rounds it takes to believe something."""

    failures: Rounds = 3
    """Failures in a row that are down."""
    recheck: Pace = timedelta(seconds=10)
    """How soon a failure is asked again."""
    successes: Rounds = 2
    """Good rounds in a row that are up again."""
    degraded: Rounds = 5
    """Rounds in a row beyond a `degraded_if` line that are degraded."""


class CheckBlock(OneKind):
    """One scheduled probe: exactly one kind of probe, and how its outcomes are read."""

    every: Pace | None = None
    """How often it runs."""
    timeout: Patience | None = None
    """The total time of one run; shorter than `every`."""
    confirm: ConfirmBlock | None = None
    """How outcomes are confirmed; what is not written is inherited."""
    effect: Effect = Effect.DOWN
    """What a failing check does to its node; `none` for a witness that writes none."""
    witness: Witness | None = None
    """What it testifies to when its node fails, so that it can be said whose fault it is."""
    degraded_if: Words = ()
    """`<fact> <op> <number with unit>`, `loss >= 5% over 10m`, `rtt > 3 x normal + 20ms`: beyond any of these lines it is degraded; a kind may
    have its own where none is written."""
    down_if: Words = ()
    """Beyond any of these lines a run counts as failed."""


class NodeBase(Block):
    """What nodes and groups have in common."""

    name: Annotated[str, Field(min_length=1)]
    """As pages, messages and reports print it."""
    type: Annotated[str, Field(min_length=1)]
    """A free word by which the report groups: system, link, video, …"""
    severity: Severity = Severity.MEDIUM
    """How much an outage of it matters."""
    owner: str = ""
    """A party."""
    operator: str = ""
    """A party."""
    carrier: str = ""
    """A party, or blank while it is not known."""
    accountable: str = ""
    """Who answers for it, in words or as a party."""
    recovery_target: Length | None = None
    """How soon a fault of it has to be put right."""
    warn_at: Shares | None = None
    """Shares of the recovery target at which a warning goes out."""
    settle: Annotated[Duration, Field(le=timedelta(minutes=10))] | None = None
    """How long an incident waits at most for the answers of parents and siblings."""
    depends_on: Words = ()
    """Nodes without which this one cannot work."""
    runbook: WebAddress = ""
    """Where the instructions are."""
    labels: Mapping[str, str] = Field(default_factory=dict)
    """Free marks for reports, routes and metrics."""
    degraded_incident: bool = False
    """Whether lasting degradation opens an incident of one severity less."""
    was: Words = ()
    """Former ids, whose history is this node's."""


class NodeBlock(NodeBase):
    """One thing that can fail and has an owner."""

    checks: Mapping[str, CheckBlock] = Field(default_factory=dict)
    """What is probed, by name."""


class MatchBlock(Block):
    """What is meant: every key that is written must fit; several values of a key are alternatives; nothing written fits everything."""

    node: Words = ()
    """Node ids."""
    type: Words = ()
    """Types of nodes."""
    severity: Severities = ()
    """Severities."""
    owner: Words = ()
    """Owning parties."""
    carrier: Words = ()
    """Carriers."""
    labels: Mapping[str, Words] = Field(default_factory=dict)
    """Labels, all of them."""


class RouteMatchBlock(MatchBlock):
    """What a route asks of a message."""

    event: Annotated[Words, AfterValidator(_told)] = ()
    """Kinds of events, such as incident.opened."""


Selectors = Annotated[
    tuple[MatchBlock, ...],
    BeforeValidator(_matches, json_schema_input_type=str | MatchBlock | list[str | MatchBlock]),
    Field(min_length=1),
]


class AnchorBlock(CheckBlock):
    """A check of the monitor's own."""

    name: str = ""
    """A name of its own; its number unless written."""


class DownWhenBlock(Block):
    """When a group is down."""

    share: Annotated[Ratio, Field(gt=0)] = 0.3
    """Share of the members that failed …"""
    at_least: Annotated[int, Field(ge=1)] = 3
    """… and at least so many of them …"""
    within: Length = timedelta(minutes=3)
    """… inside so long a time."""


class DegradedWhenBlock(Block):
    """When a group has lost redundancy: how many of its members are lost at one time."""

    share: Annotated[Ratio, Field(gt=0)] | None = None
    """Share of the members …"""
    at_least: Annotated[int, Field(ge=1)] | None = None
    """… and at least so many of them."""

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.share is None and self.at_least is None:
            raise ValueError("it says no number: write at_least (1), share (10%), or both")
        return self


class GroupBlock(NodeBase):
    """A node judged from its members: the carrier nobody drew."""

    members: Selectors
    """Which nodes."""
    down_when: DownWhenBlock = DownWhenBlock()
    """When it is down."""
    degraded_when: DegradedWhenBlock | None = None
    """When it still works, but with less in reserve; who depends on it directly is degraded then too."""

    @model_validator(mode="after")
    def _degraded_before_down(self) -> Self:
        early, late = self.degraded_when, self.down_when
        if early and (early.share or 0.0) >= late.share and (early.at_least or 1) >= late.at_least:
            raise ValueError(
                "degraded_when is no sooner met than down_when, so the group is never degraded: "
                f"ask for less than {late.share:.0%} or fewer than {late.at_least}"
            )
        return self
