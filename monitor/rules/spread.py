"""Where in its interval a check starts, so that checks of one interval do not all start together.

Owns: one stable, uniform phase for an id. Never: uses chance: the same id has the same phase on every machine and after every restart.
"""

from datetime import timedelta
from hashlib import blake2b

_MICROSECOND = timedelta(microseconds=1)


def phase(subject: str, every: timedelta) -> timedelta:
    """The phase of `subject` in [0, every), in whole microseconds: uniform over ids, and proportional to `every` for one id."""
    if every <= timedelta(0):
        raise ValueError("an interval is longer than nothing")
    share = int.from_bytes(blake2b(subject.encode(), digest_size=8).digest(), "big")
    return _MICROSECOND * ((every // _MICROSECOND) * share >> 64)
