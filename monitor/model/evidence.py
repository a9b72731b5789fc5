"""The nouns of evidence: pictures and pages that a failed probe kept, for the incident."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Final

MEDIA_TYPES: Final[Mapping[str, str]] = MappingProxyType(
    {"jpg": "image/jpeg", "png": "image/png", "txt": "text/plain; charset=utf-8"}
)
"""What is kept, by the ending of its file's name: nothing that a browser would run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """One file. `name` is unique among all of its check, `at` when the run began, `first` whether it began the outage."""

    name: str
    check: str
    at: datetime
    first: bool
    media_type: str
    size: int
