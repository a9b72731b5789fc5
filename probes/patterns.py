"""Regular expressions in linear time (RE2): what a target sends may be hostile, and must not cost more than its length.

Owns: the annotated type that refuses a bad expression where it is written, and the compiled form of each.
Never: falls back to an engine that backtracks; look-around and back-references are refused, not emulated.
"""

from functools import lru_cache
from typing import Annotated, Any

from pydantic import AfterValidator, WithJsonSchema

MEMORY = 8 << 20
"""Bytes one compiled expression may take: `(a{1000}){1000}` is refused where it is written."""


@lru_cache(maxsize=8192)
def compiled(pattern: str) -> Any:
    """The expression, compiled once; ValueError with RE2's own words when it is none. `search`, `match`, `groups` as in `re`."""
    import re2  # Only those who search wait for it.

    options = re2.Options()
    options.log_errors = False
    options.max_mem = MEMORY
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        words = error.args[0] if error.args else ""
        text = words.decode("utf-8", "replace") if isinstance(words, bytes) else str(words)
        raise ValueError(f"not a regular expression (RE2 syntax, no look-around): {text}") from error


def _checked(pattern: str) -> str:
    compiled(pattern)
    return pattern


Regex = Annotated[str, AfterValidator(_checked), WithJsonSchema({"type": "string", "format": "regex"})]
