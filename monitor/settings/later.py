"""What the language already has and no engine reads yet: accepted, validated, and listed by `validate` as not yet in effect.

Owns: the keys of the kinds of receivers to come, and the table of everything that is not in effect. A kind that is handed to `load` as a
receiver is read by that row at once; what is left of it here is then dead and goes.
Never: makes anything of it.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal

from pydantic import Field

from monitor.settings.blocks import Block, Words
from probes.secret import Secret

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


RECEIVERS: Final[Mapping[str, type[Block]]] = MappingProxyType(
    {"webhook": Webhook, "alertmanager": Alertmanager, "template": Template, "email": Email}
)
"""The kinds of receivers; those that `load` is handed take the place of these."""
