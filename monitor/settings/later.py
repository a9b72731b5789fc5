"""What the language already has and no engine reads yet: accepted, validated, and listed by `validate` as not yet in effect.

Owns: the keys of the kinds of probes and receivers to come, and the table of everything that is not in effect. A kind that gets its row in
`probes.KINDS` (or is handed to `load` as a receiver) is read by that row at once; what is left of it here is then dead and goes.
Never: makes anything of it.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from monitor.settings.blocks import Block, Words
from probes.contract import Fact, Family
from probes.patterns import Regex
from probes.secret import Secret
from probes.units import Duration, Port

Text = str | Secret

# Every key that no engine reads yet, one line each: the dotted way to it (`*` is any one word), `=` a value; what it waits for.
NOT_IN_EFFECT: Final[tuple[tuple[str, str], ...]] = (
    ("routes.*.escalate", "escalation"),
    ("receivers.*.webhook.format=alertmanager", "Alertmanager's webhook form"),
    ("reports.*.formats.*=xlsx", "reports as XLSX"),
    ("reports.*.formats.*=pdf", "reports as PDF"),
    ("reports.*.formats.*=docx", "reports as DOCX"),
    ("holidays", "the calendar of working days"),
)


class Extract(Block):
    """Where a variable comes from: exactly one way."""

    regex: Regex | None = None
    """The first group of a pattern."""
    json_path: Annotated[str | None, Field(alias="json")] = None
    """A JSON path."""
    css: str | None = None
    """A CSS selector, with @attribute."""
    xpath: str | None = None
    """An XPath."""
    header: str | None = None
    """A header's name."""


class Expectation(BaseModel):
    """As `expect` of http; checked in full when the engine comes."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    status: int | str | list[int | str] | None = None
    version: str | list[str] | None = None
    header: dict[str, Regex | list[Regex]] | None = None
    header_not: dict[str, Regex | list[Regex]] | None = None
    body: Regex | list[Regex] | None = None
    body_not: Regex | list[Regex] | None = None
    json_path: Annotated[str | list[str] | None, Field(alias="json")] = None
    xpath: str | list[str] | None = None
    tls: bool | None = None
    size: str | list[str] | None = None


class Poll(Block):
    """Ask again until it is as expected."""

    every: Duration
    """How often."""
    length: Annotated[Duration, Field(alias="for")]
    """How long at most."""


class Step(Block):
    """One request of a journey."""

    name: Annotated[str, Field(min_length=1)]
    """What a failure of it is called."""
    get: Text | None = None
    """The address to get …"""
    post: Text | None = None
    """… or to post to …"""
    put: Text | None = None
    """… or to put to …"""
    delete: Text | None = None
    """… or to delete."""
    headers: dict[str, Text] = Field(default_factory=dict)
    """Sent with it."""
    form: dict[str, Text] | None = None
    """Sent as a form."""
    json_body: Annotated[Any, Field(alias="json")] = None
    """Sent as JSON."""
    body: Text | None = None
    """Sent as it is."""
    auth: dict[str, Any] | None = None
    """As of http."""
    extract: dict[str, Extract] = Field(default_factory=dict)
    """Variables for the steps after it."""
    expect: Expectation | None = None
    """As of http."""
    poll: Poll | None = None
    """Ask again until it is as expected."""


class Journey(Block):
    """Several steps on one cookie jar."""

    steps: Annotated[tuple[Step, ...], Field(min_length=1)]
    """In this order."""
    base_url: Text | None = None
    """What relative addresses are relative to."""
    family: Family = Family.ANY
    """Which internet protocol."""
    proxy: Text | None = None
    """A proxy."""
    tls: dict[str, Any] | None = None
    """As of http."""


class H323(Block):
    """H.323: GatekeeperRequest and reachability of signalling; never a call."""

    host: str
    """Name or address."""
    ras_port: Port = 1719
    """UDP."""
    signalling_port: Port = 1720
    """TCP."""


class Alertmanager(Block):
    """Pushes to /api/v2/alerts."""

    url: Text
    """Its address."""


class Template(Block):
    """Any HTTP receiver, by a template."""

    url: Text
    """Where."""
    method: Literal["POST", "PUT", "GET"] = "POST"
    """How."""
    headers: dict[str, Text] = Field(default_factory=dict)
    """Sent with it."""
    body: str = ""
    """Jinja2, sandboxed."""


class Email(Block):
    """E-mail."""

    to: Words
    """Addresses."""
    smtp: Text
    """env:NAME with smtp://…"""


class Webhook(Block):
    """Our JSON, signed after Standard Webhooks."""

    url: Text
    """Where."""
    secret: Secret | tuple[Secret, ...] | None = None
    """By reference."""
    format: Literal["standard", "alertmanager"] = "standard"
    """The form of the body."""


_SECONDS: Final = {"seconds": Fact(unit="seconds", meaning="time to the answer")}

PROBES: Final[Mapping[str, tuple[type[Block], Mapping[str, Fact] | None, tuple[str, ...]]]] = MappingProxyType(
    {
        "journey": (Journey, _SECONDS, ("base_url",)),
        "h323": (H323, _SECONDS, ("host",)),
    }
)
"""The kinds to come: their keys, their facts (None: any name is taken), and the keys that say where the target is."""

RECEIVERS: Final[Mapping[str, type[Block]]] = MappingProxyType(
    {"webhook": Webhook, "alertmanager": Alertmanager, "template": Template, "email": Email}
)
"""The kinds of receivers; those that `load` is handed take the place of these."""
