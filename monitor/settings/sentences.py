"""pydantic's errors as sentences: what is wrong, and what would be right.

Owns: the table of the error types that occur, and finding the place in the file that an error is about.
Never: shows a value that came from a reference or belongs in one.
"""

import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, Final

from pydantic_core import ErrorDetails

from monitor.settings.document import Tree
from monitor.settings.problems import guess
from monitor.settings.references import is_reference

Path = tuple[str, ...]
_DELTA: Final = re.compile(r"datetime\.timedelta\((.*)\)")
JsonSchema = Mapping[str, Any]


def follow(tree: Tree, loc: tuple[int | str, ...]) -> tuple[Path, Tree]:
    """As far into the tree as an error's location leads; parts that are no keys (tags of unions, positions of single values) are left out."""
    path: list[str] = []
    for part in loc:
        child = step(tree, str(part))
        if child is not None:
            path.append(str(part))
            tree = child
    return tuple(path), tree


def step(tree: Tree, part: str) -> Tree | None:
    """The child of that name or number."""
    if isinstance(tree.value, list):
        return tree.value[int(part)] if part.isdecimal() and int(part) < len(tree.value) else None
    return tree.get(part)


def named_part(message: str, tree: Tree) -> tuple[str, str]:
    """A block's own rule says which of its keys it is about by beginning with it, `url: …`; the key, and the rest."""
    name, colon, rest = message.partition(": ")
    return (name, rest) if colon and tree.get(name) is not None else ("", message)


def sentence(error: ErrorDetails, tree: Tree, siblings: list[str]) -> str:
    """What to say of one error at the tree it is about; `siblings` are the keys that its mapping could have."""
    kind = error["type"]
    if kind in ("extra_forbidden", "unexpected_keyword_argument"):
        return f"unknown key{guess(str(error['loc'][-1]), siblings)}"
    if kind == "missing":
        return "is missing here"
    if is_reference(tree.value):
        return f"what {tree.value} stands for is not accepted here"
    context = error.get("ctx", {})
    if kind in ("value_error", "assertion_error"):
        return str(context.get("error", error["msg"]))
    teller = _TELLERS.get(kind)
    return teller(context) + _got(kind, tree) if teller else error["msg"][:1].lower() + error["msg"][1:]


def _got(kind: str, tree: Tree) -> str:
    """What is written, when it is short and cannot be a secret."""
    if kind == "is_instance_of" or (
        kind.endswith(("_type", "_short", "_long")) and isinstance(tree.value, dict | list)
    ):
        return ""
    if tree.value is None:
        return ", not nothing"
    if isinstance(tree.value, bool):
        return f", not {str(tree.value).lower()}"
    if isinstance(tree.value, dict | list):
        return ""
    text = repr(tree.value) if isinstance(tree.value, str) else str(tree.value)
    return f", not {text}" if len(text) <= 60 else ""


def span(value: Any) -> str:
    """A bound as a person writes it; pydantic gives some as the text of a Python expression."""
    if isinstance(value, str) and (match := _DELTA.fullmatch(value)):
        value = timedelta(**{unit: int(number) for unit, number in re.findall(r"(\w+)=(\d+)", match[1])})
    if not isinstance(value, timedelta):
        return str(value)
    seconds = value.total_seconds()
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        if seconds >= size and seconds % size == 0:
            return f"{int(seconds // size)}{unit}"
    return f"{seconds * 1000:g}ms"


def _say(text: str) -> Callable[[Mapping[str, Any]], str]:
    return lambda context: text.format(**{key: span(value) for key, value in context.items()})


_TEXT: Final = _say("must be a text, in quotes if it looks like a number")
_WHOLE: Final = _say("must be a whole number")
_NUMBER: Final = _say("must be a number")
_LOGICAL: Final = _say("must be true or false")
_LIST: Final = _say("must be a list: [a, b]")
_MAPPING: Final = _say("must be a mapping of keys to values")

_TELLERS: Final[Mapping[str, Callable[[Mapping[str, Any]], str]]] = {
    "string_type": _TEXT,
    "string_sub_type": _TEXT,
    "string_too_short": _say("must not be empty"),
    "string_too_long": _say("must be of at most {max_length} letters"),
    "string_pattern_mismatch": _say("must look like {pattern}"),
    "int_type": _WHOLE,
    "int_parsing": _WHOLE,
    "int_from_float": _WHOLE,
    "int_parsing_size": _WHOLE,
    "float_type": _NUMBER,
    "float_parsing": _NUMBER,
    "finite_number": _NUMBER,
    "bool_type": _LOGICAL,
    "bool_parsing": _LOGICAL,
    "list_type": _LIST,
    "tuple_type": _LIST,
    "set_type": _LIST,
    "frozen_set_type": _LIST,
    "iterable_type": _LIST,
    "dict_type": _MAPPING,
    "mapping_type": _MAPPING,
    "model_type": _MAPPING,
    "model_attributes_type": _MAPPING,
    "dataclass_type": _MAPPING,
    "dataclass_exact_type": _MAPPING,
    "greater_than": _say("must be more than {gt}"),
    "greater_than_equal": _say("must be at least {ge}"),
    "less_than": _say("must be less than {lt}"),
    "less_than_equal": _say("must be at most {le}"),
    "too_short": _say("must have at least {min_length}"),
    "too_long": _say("must have at most {max_length}"),
    "literal_error": _say("must be {expected}"),
    "enum": _say("must be {expected}"),
    "none_required": _say("must be left out"),
    "is_instance_of": _say("a secret is not written in the file: keep it in env:NAME or file:PATH"),
}


def keys_at(schema: JsonSchema, path: Path) -> list[str]:
    """The keys that the JSON schema knows for the mapping at a path."""
    here = [_deref(schema, schema)]
    for part in path:
        here = [below for each in here for option in _options(schema, each) for below in _below(schema, option, part)]
    return sorted({key for each in here for option in _options(schema, each) for key in option.get("properties", {})})


def _deref(schema: JsonSchema, part: JsonSchema) -> JsonSchema:
    while "$ref" in part:
        part = schema["$defs"][part["$ref"].rpartition("/")[2]]
    return part


def _options(schema: JsonSchema, part: JsonSchema) -> list[JsonSchema]:
    part = _deref(schema, part)
    choices = [*part.get("anyOf", ()), *part.get("oneOf", ()), *part.get("allOf", ())]
    return [part, *(option for choice in choices for option in _options(schema, choice))]


def _below(schema: JsonSchema, part: JsonSchema, key: str) -> list[JsonSchema]:
    found = [part.get("properties", {}).get(key), part.get("additionalProperties"), part.get("items")]
    return [_deref(schema, each) for each in found if isinstance(each, dict)]
