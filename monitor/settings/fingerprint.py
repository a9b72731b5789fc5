"""A digest of a catalogue: the same for the same meaning, and without its secrets.

Owns: bringing every noun to one plain form, thing by thing, so that twenty thousand checks take neither long nor much memory.
Never: lets a secret's value into it; whether one has changed is seen by comparing the catalogues themselves.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import BaseModel

from monitor.model import Catalogue
from probes.secret import Secret

Form = Callable[[Any], Any]


def fingerprint(catalogue: Catalogue) -> str:
    """Sixty-four hexadecimal digits (SHA-256)."""
    plain = Canonical()
    digest = hashlib.sha256()
    for name, thing in _things(catalogue):
        text = json.dumps(plain(thing), ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        digest.update(f"{name}={text}\n".encode())
    return digest.hexdigest()


def _things(catalogue: Catalogue) -> Iterator[tuple[str, Any]]:
    """The parts of the catalogue; of its large tables each entry by itself, in the order of their ids."""
    for field in fields(catalogue):
        value = getattr(catalogue, field.name)
        if isinstance(value, Mapping):
            for id in sorted(value):
                yield f"{field.name}.{id}", value[id]
        else:
            yield field.name, value


class Canonical:
    """Values in JSON's types. The way for each type is found once; so is the form of an object that many share."""

    def __init__(self) -> None:
        self._forms: dict[type, Form] = {}
        self._shared: dict[int, tuple[Any, Any]] = {}

    def __call__(self, value: Any) -> Any:
        kind = type(value)
        form = self._forms.get(kind)
        if form is None:
            form = self._forms[kind] = self._form(kind)
        return form(value)

    def _form(self, kind: type) -> Form:
        ways: tuple[tuple[Any, Form], ...] = (
            (Secret, lambda _: "<secret>"),
            (Enum, lambda value: value.value),
            (timedelta, lambda value: value.total_seconds()),
            (datetime, lambda value: value.isoformat()),
            (ZoneInfo, lambda value: value.key),
            ((str, bool, int, float, type(None)), lambda value: value),
            (Mapping, lambda value: {str(key): self(each) for key, each in value.items()}),
            ((tuple, list), lambda value: [self(each) for each in value]),
            ((set, frozenset), lambda value: sorted(map(str, value))),
        )
        if is_dataclass(kind):
            # What is worked out from the other fields (and not compared) is not part of the meaning.
            return self._object(tuple(field.name for field in fields(kind) if field.compare))
        if issubclass(kind, BaseModel):
            return self._object(tuple(kind.model_fields))
        return next((way for types, way in ways if issubclass(kind, types)), str)

    def _object(self, names: tuple[str, ...]) -> Form:
        def form(value: Any) -> Any:
            known = self._shared.get(id(value))
            if known is not None and known[0] is value:
                return known[1]
            made = {name: self(getattr(value, name)) for name in names}
            if len(self._shared) < 1000:
                self._shared[id(value)] = (value, made)
            return made

        return form
