"""A digest of a catalogue: the same for the same meaning, and without its secrets.

Owns: bringing every noun to one plain form.
Never: lets a secret's value into it; whether one has changed is seen by comparing the catalogues themselves.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import BaseModel

from probes.secret import Secret


def fingerprint(catalogue: Any) -> str:
    """Sixty-four hexadecimal digits (SHA-256)."""
    text = json.dumps(canonical(catalogue), ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def canonical(value: Any) -> Any:
    """The value in JSON's types; mappings sorted by who prints it."""
    if isinstance(value, Secret):
        return "<secret>"
    if isinstance(value, Enum):
        return value.value
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, ZoneInfo):
        return value.key
    if isinstance(value, BaseModel):
        return {name: canonical(getattr(value, name)) for name in type(value).model_fields}
    if is_dataclass(value) and not isinstance(value, type):
        # What is worked out from the other fields (and not compared) is not part of the meaning.
        return {field.name: canonical(getattr(value, field.name)) for field in fields(value) if field.compare}
    if isinstance(value, Mapping):
        return {str(key): canonical(each) for key, each in value.items()}
    if isinstance(value, tuple | list):
        return [canonical(each) for each in value]
    if isinstance(value, set | frozenset):
        return sorted(str(canonical(each)) for each in value)
    return str(value)
