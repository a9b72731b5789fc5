"""Rules over a JSON document: `$.total >= 0`, `len($.items) > 3`, `$.status == "UP"`, `$.name =~ "^một"`, `$.ready`.

Owns: their small language and what they mean. Never: evaluates anything but these; a value that is missing or of another kind makes the
rule false, marked `(INVALID)`, and never an exception.

path    := `$` then any of `.name`, `["any name"]`, `[0]`, `[-1]`
rule    := path | path op literal | len(path) op literal;  op := == != < <= > >= =~ !~ ; a bare path must be true
literal := a JSON literal, or a text in single quotes
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from probes.patterns import compiled
from probes.text import one_line

_STEP = re.compile(r"\.([^\s.\[\]()=!<>~]+)|\[(-?\d{1,9})\]|\[(\"(?:[^\"\\]|\\.)*\"|'[^']*')\]")
_RULE = re.compile(
    r"(len\()?(\$[^\s=!<>~]*?(?:\[[\"'].*?[\"']\][^\s=!<>~]*?)*)(\))?(?:\s*(==|!=|<=|>=|<|>|=~|!~)\s*(.*))?"
)
_TYPES: Final = {dict: "object", list: "array", str: "text", bool: "true or false", type(None): "null"}


class Invalid(Exception):  # noqa: N818 - it marks a value, and is always caught here.
    """The document has no such value, or one of a kind that the rule cannot use."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule, parsed; equal when written the same."""

    text: str
    path: tuple[str | int, ...] = field(compare=False)
    length: bool = field(compare=False)
    op: str = field(compare=False)
    literal: Any = field(compare=False)

    def broken(self, document: Any) -> str | None:
        """None when the document keeps the rule; else what was found instead, for a person."""
        try:
            value = walk(document, self.path)
            if self.length:
                value = length(value)
        except Invalid as error:
            return f"{self.text}: (INVALID) {error}"
        try:
            kept = _OPERATORS[self.op](value, self.literal)
        except Invalid as error:
            return f"{self.text}: (INVALID) {error}, got {_shown(value)}"
        return None if kept else f"{self.text}: got {_shown(value)}"


def parse(text: str) -> Rule:
    """Read a rule; ValueError says what is wrong with it."""
    match = _RULE.fullmatch(text.strip())
    if match is None or bool(match[1]) != bool(match[3]):
        raise ValueError(f'{text!r} is not a rule: write "$.path op literal", such as $.total >= 0 or len($.items) > 3')
    measure, path, _, op, literal = match.groups()
    if measure and not op:
        raise ValueError(f"{text!r}: len(…) needs a comparison, such as len($.items) > 0")
    return Rule(
        text=text.strip(),
        path=_path(path),
        length=bool(measure),
        op=op or "",
        literal=_literal(op, literal) if op else True,
    )


def _path(text: str) -> tuple[str | int, ...]:
    steps: list[str | int] = []
    at = 1
    while at < len(text):
        match = _STEP.match(text, at)
        if match is None:
            raise ValueError(f'{text!r}: not a path from here on: {text[at:]!r} (write .name, ["any name"] or [0])')
        name, index, quoted = match.groups()
        if index is not None:
            steps.append(int(index))
        elif quoted is not None:
            steps.append(json.loads(quoted) if quoted[0] == '"' else quoted[1:-1])
        else:
            steps.append(name)
        at = match.end()
    return tuple(steps)


def _literal(op: str, text: str) -> Any:
    try:
        value = text[1:-1] if len(text) > 1 and text[0] == text[-1] == "'" else json.loads(text)
    except ValueError:
        raise ValueError(f'{text!r} is not a number, "text", true, false or null') from None
    if op in ("=~", "!~"):
        if not isinstance(value, str):
            raise ValueError(f"{op} takes a regular expression in quotes")
        compiled(value)
    elif op in ("<", "<=", ">", ">=") and (isinstance(value, bool) or not isinstance(value, int | float | str)):
        raise ValueError(f"{op} compares with a number or a text, not with {text}")
    return value


def document(body: bytes | bytearray) -> Any:
    """The body as JSON; ValueError or RecursionError when it is none."""
    return json.loads(body)


def walk(document: Any, path: tuple[str | int, ...]) -> Any:
    """The value at a path; Invalid when there is none."""
    value = document
    for step in path:
        if isinstance(step, str) and isinstance(value, dict):
            if step not in value:
                raise Invalid(f"no {step!r}")
            value = value[step]
        elif isinstance(step, int) and isinstance(value, list):
            if not -len(value) <= step < len(value):
                raise Invalid(f"no [{step}], {len(value)} in all")
            value = value[step]
        else:
            raise Invalid(f"no {step!r} in {_TYPES.get(type(value), 'a number')}")
    return value


def length(value: Any) -> int:
    """Characters of a text, members of an array or object, characters of a number or true/false as JSON writes it."""
    if isinstance(value, str | list | dict):
        return len(value)
    if value is None:
        raise Invalid("null has no length")
    return len(json.dumps(value))


def _same(value: Any, literal: Any) -> bool:
    # Python's True == 1; JSON's true is no number.
    return isinstance(value, bool) == isinstance(literal, bool) and bool(value == literal)


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def check(value: Any, literal: Any) -> bool:
        numbers = all(isinstance(one, int | float) and not isinstance(one, bool) for one in (value, literal))
        if not numbers and not (isinstance(value, str) and isinstance(literal, str)):
            raise Invalid("not comparable")
        return compare(value, literal)

    return check


def _matches(value: Any, pattern: str) -> bool:
    if not isinstance(value, str):
        raise Invalid("not a text")
    return compiled(pattern).search(value.encode("utf-8", "replace")) is not None


def _true(value: Any, _: Any) -> bool:
    if not isinstance(value, bool):
        raise Invalid("not true or false")
    return value


_OPERATORS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "": _true,
    "==": _same,
    "!=": lambda value, literal: not _same(value, literal),
    "<": _ordered(lambda value, literal: bool(value < literal)),
    "<=": _ordered(lambda value, literal: bool(value <= literal)),
    ">": _ordered(lambda value, literal: bool(value > literal)),
    ">=": _ordered(lambda value, literal: bool(value >= literal)),
    "=~": _matches,
    "!~": lambda value, pattern: not _matches(value, pattern),
}


def literal(op: str, text: str) -> Any:
    """What stands behind an operator, as a value; ValueError when it is no literal, or none that the operator can use."""
    return _literal(op, text)


def holds(op: str, value: Any, literal: Any) -> bool:
    """Whether `value op literal`; Invalid when they cannot be compared."""
    return _OPERATORS[op](value, literal)


def _shown(value: Any) -> str:
    """A value for a person, short whatever its size."""
    if isinstance(value, dict | list):
        return f"{_TYPES[type(value)]} of {len(value)}"
    return one_line(json.dumps(value[:80] if isinstance(value, str) else value, ensure_ascii=False), 60)
