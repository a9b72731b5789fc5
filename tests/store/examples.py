"""Values with every field set to something that is easily lost."""

import dataclasses
from datetime import UTC, date, datetime, timedelta
from enum import Enum
from types import MappingProxyType, NoneType
from typing import Any, Union, get_args, get_origin, get_type_hints

START = datetime(2026, 11, 21, 6, 59, 59, 999_999, tzinfo=UTC)
TEXT = "Điểm cầu xã Gia Viễn\n\"'; DROP TABLE — \U0001f6d1"


def full(kind: type[Any], **given: Any) -> Any:
    """One of a dataclass, every field not given set to an unusual value of its type; no two fields alike."""
    hints = get_type_hints(kind)
    values = {
        field.name: given.get(field.name, value(hints[field.name], number))
        for number, field in enumerate(dataclasses.fields(kind), 1)
    }
    return kind(**values)


def value(hint: Any, number: int) -> Any:
    """An unusual value of a type; `number` makes it its own."""
    origin, arguments = get_origin(hint), get_args(hint)
    simple: dict[Any, Any] = {
        str: f"{TEXT} {number}",
        int: number,
        float: number + 0.1,
        bool: True,
        bytes: bytes(range(256)) + bytes([number]),
        datetime: START + timedelta(seconds=number, microseconds=number),
        timedelta: timedelta(days=number, microseconds=number),
        date: START.date() + timedelta(days=number),
        Any: {"list": [1, None, 2.5], "text": TEXT},
    }
    if hint in simple:
        return simple[hint]
    if isinstance(hint, type) and issubclass(hint, Enum):
        return list(hint)[number % len(list(hint))]
    if dataclasses.is_dataclass(hint):
        return full(hint)
    if origin is tuple:
        return (value(arguments[0], number), value(arguments[0], number + 1))
    if origin is frozenset:
        return frozenset({value(arguments[0], number), value(arguments[0], number + 1)})
    if NoneType in arguments and (origin is Union or len(arguments) == 2):
        return value(next(one for one in arguments if one is not NoneType), number)
    return MappingProxyType({f"key {number}": value(arguments[1], number)})
