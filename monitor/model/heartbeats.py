"""The nouns at the door through which jobs call."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """Whether a caller is let in: the check that waits for the call; or `wait` seconds to come back after; or neither: nobody knows the token."""

    check: str | None = None
    wait: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What became of a call: whether it is stored, and how many of its numbers nobody asked for."""

    stored: bool
    ignored: int = 0
