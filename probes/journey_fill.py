"""Variables of a journey: `{csrf}` in an address, a header, a form, JSON or a body.

Owns: where one stands, what takes its place there (percent-encoded in an address), and every form in which a secret could come back.
Never: fills in what it does not know: an unknown name is refused where it is written.
"""

import base64
import html
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import quote, quote_plus

from probes.secret import Secret

SHOWABLE: Final = 510
"""Characters of a secret that are looked for: a message is shorter than half of that."""
NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
OWN: Final = ("run", "now")
"""Names that every run has from the start: `run`, 16 hexadecimal digits that no other run has; `now`, RFC 3339 in UTC."""

_ESCAPED = re.compile(r"%[0-9A-F]{2}")
_VARIABLE = re.compile(r"\{\{([A-Za-z_][A-Za-z0-9_]*)\}\}|\{([A-Za-z_][A-Za-z0-9_]*)\}")


def names(value: Any) -> Iterator[str]:
    """Every variable that a value (a text, or lists and tables of texts) asks for. Secrets are sent as they are and ask for none."""
    if isinstance(value, str):
        yield from (match[2] for match in _VARIABLE.finditer(value) if match[2])
    elif isinstance(value, Mapping):
        for key, each in value.items():
            yield from names(key)
            yield from names(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from names(each)


def filled(text: str, values: Mapping[str, str]) -> str:
    """The text with the values in their places; `{{name}}` stays as `{name}`."""
    return _VARIABLE.sub(lambda match: f"{{{match[1]}}}" if match[1] else values[match[2]], text)


def filled_address(text: str, values: Mapping[str, str]) -> str:
    """The same for an address: percent-encoded, but for a variable at the very beginning, which is an address itself."""
    first = _VARIABLE.match(text)
    if first is None or first[1]:
        return _VARIABLE.sub(lambda match: quote(values[match[2]], safe="") if match[2] else f"%7B{match[1]}%7D", text)
    return (
        values[first[2]] + filled_address(text[first.end() :], values) if first.end() < len(text) else values[first[2]]
    )


def plain(value: Any, values: Mapping[str, str]) -> Any:
    """Tables and lists with every text filled and every secret open: for the one place that sends it."""
    if isinstance(value, Secret):
        return value.reveal()
    if isinstance(value, str):
        return filled(value, values)
    if isinstance(value, Mapping):
        return {filled(str(key), values): plain(each, values) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each, values) for each in value]
    return value


def secrets_in(value: Any) -> Iterator[str]:
    """Every secret text in lists and tables."""
    if isinstance(value, Secret):
        yield value.reveal()
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from secrets_in(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from secrets_in(each)


def forms(secret: str) -> tuple[str, ...]:
    """The ways in which a target may repeat a secret: as it is, or as it stands in an address, a form, JSON, a page, or Base64."""
    if len(secret) < 4:
        return ()
    secret = secret[:SHOWABLE]
    data = secret.encode("utf-8", "replace")
    found = (
        secret,
        quote(secret, safe=""),
        quote_plus(secret),
        quote(secret),
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        html.escape(secret),
        repr(secret)[1:-1],
        base64.b64encode(data).decode().rstrip("="),
        base64.urlsafe_b64encode(data).decode().rstrip("="),
    )
    # Both cases of the digits behind a percent sign are in use.
    return tuple(dict.fromkeys((*found, *(_ESCAPED.sub(lambda match: match[0].lower(), text) for text in found[1:4]))))
