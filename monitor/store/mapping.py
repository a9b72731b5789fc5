"""Dataclasses to rows and back, by their own type hints: every field, exactly.

Owns: how a value is written. Datetimes and durations become integer microseconds, enumerations their text, lists, mappings and nested
dataclasses JSON. Never: leaves a field out; a field without a column is an error when the module is imported.
"""

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import Enum
from types import MappingProxyType, NoneType, UnionType
from typing import Any, Generic, TypeVar, Union, get_args, get_origin, get_type_hints

from sqlalchemy import Table

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICRO = timedelta(microseconds=1)

T = TypeVar("T")


def micros(moment: datetime) -> int:
    """Microseconds since 1970; the moment must be aware."""
    return (moment - EPOCH) // _MICRO


def moment(value: int) -> datetime:
    """The inverse of `micros`, in UTC."""
    return EPOCH + timedelta(microseconds=value)


def clean(text: str) -> str:
    """Text that both databases take: PostgreSQL refuses NUL, and neither takes half a surrogate pair."""
    if text.isascii():
        return text.replace("\0", "\ufffd") if "\0" in text else text
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()


@dataclass(frozen=True, slots=True)
class _Way:
    """One type's way into a JSON value and back; a `flat` one needs no JSON to be a column's value."""

    there: Callable[[Any], Any]
    back: Callable[[Any], Any]
    flat: bool


def _same(value: Any) -> Any:
    return value


def _span(value: timedelta) -> int:
    return value // _MICRO


def _duration(value: int) -> timedelta:
    return timedelta(microseconds=value)


_SCALARS: dict[Any, _Way] = {
    str: _Way(clean, _same, flat=True),
    int: _Way(_same, _same, flat=True),
    float: _Way(float, float, flat=True),
    bool: _Way(int, bool, flat=True),
    bytes: _Way(_same, bytes, flat=True),
    datetime: _Way(micros, moment, flat=True),
    timedelta: _Way(_span, _duration, flat=True),
    date: _Way(date.isoformat, date.fromisoformat, flat=True),
    Any: _Way(_same, _same, flat=False),
}


def _way(hint: Any) -> _Way:
    """The way of a type; TypeError for one that nobody taught it."""
    if hint in _SCALARS:
        return _SCALARS[hint]
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType) and NoneType in arguments:
        (kind,) = (argument for argument in arguments if argument is not NoneType)
        inner = _way(kind)
        return _Way(
            lambda value: None if value is None else inner.there(value),
            lambda value: None if value is None else inner.back(value),
            inner.flat,
        )
    if isinstance(hint, type) and issubclass(hint, Enum):
        return _Way(lambda value: value.value, hint, flat=True)
    if origin is tuple and arguments[1:] == (Ellipsis,):
        inner = _way(arguments[0])
        return _Way(lambda value: [*map(inner.there, value)], lambda value: tuple(map(inner.back, value)), flat=False)
    if origin is frozenset:
        inner = _way(arguments[0])
        return _Way(
            lambda value: sorted(map(inner.there, value)), lambda value: frozenset(map(inner.back, value)), flat=False
        )
    if origin is not None and issubclass(origin, Mapping):
        inner = _way(arguments[1])
        return _Way(
            lambda value: {clean(key): inner.there(one) for key, one in value.items()},
            lambda value: MappingProxyType({key: inner.back(one) for key, one in value.items()}),
            flat=False,
        )
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return _nested(hint)
    raise TypeError(f"no way to store {hint!r}")


def _nested(kind: type[Any]) -> _Way:
    ways = {name: _way(hint) for name, hint in _fields(kind).items()}
    return _Way(
        lambda value: {name: way.there(getattr(value, name)) for name, way in ways.items()},
        # A field that came later than the row takes its default.
        lambda value: kind(**{name: ways[name].back(one) for name, one in value.items() if name in ways}),
        flat=False,
    )


def _fields(kind: type[Any]) -> dict[str, Any]:
    hints = get_type_hints(kind)
    return {field.name: hints[field.name] for field in dataclasses.fields(kind)}


def dump(value: Any) -> str:
    """Compact JSON; what JSON does not know becomes its text."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)


class Mapped(Generic[T]):
    """One dataclass and its table: `columns` (named as the fields) in the table's order, `pack` to a tuple of values, `unpack` from one."""

    def __init__(self, kind: type[T], table: Table) -> None:
        """TypeError for a field that has no column, or a type nobody taught us to write."""
        self.table = table
        self._kind = kind
        fields = _fields(kind)
        if missing := [name for name in fields if name not in table.c]:
            raise TypeError(
                f"{kind.__name__} has fields without a column in {table.name} (schema.py, and a migration): {missing}"
            )
        self.columns = tuple(column.name for column in table.c if column.name in fields)
        self._there = [(name, self._pack(_way(fields[name]))) for name in self.columns]
        self._back = [(name, self._unpack(_way(fields[name]))) for name in self.columns]

    @staticmethod
    def _pack(way: _Way) -> Callable[[Any], Any]:
        if way.flat:
            return way.there
        return lambda value: None if value is None else clean(dump(way.there(value)))

    @staticmethod
    def _unpack(way: _Way) -> Callable[[Any], Any]:
        if way.flat:
            return way.back
        return lambda value: None if value is None else way.back(json.loads(value))

    def pack(self, value: T) -> tuple[Any, ...]:
        """The row's values, in the order of `columns`."""
        return tuple(pack(getattr(value, name)) for name, pack in self._there)

    def unpack(self, row: Sequence[Any]) -> T:
        """The very same value again."""
        return self._kind(**{name: unpack(one) for (name, unpack), one in zip(self._back, row, strict=False)})
