"""Words of a target made fit to be shown: one line, no control characters, a bounded length.

Owns: cleaning. Never: trusts what it cleans; escaping for HTML, CSV or JSON is done where those are written.
"""

import re

from probes.contract import DETAIL_LIMIT

_ESCAPE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[@-Z\\^_]|\][^\x07\x1b]*(?:\x07|\x1b\\)?)")


def one_line(text: str, limit: int = DETAIL_LIMIT) -> str:
    """`text` in one line of at most `limit` characters: terminal sequences and whatever is not printable (bidi marks too) become a space."""
    if len(text) <= limit and text.isprintable():
        return text
    # No more than what could be kept is looked at: the text may be a megabyte.
    text = _ESCAPE.sub(" ", text[: limit * 4])
    clean = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    return clean if len(clean) <= limit else clean[: limit - 1].rstrip() + "…"


def excerpt(data: bytes, limit: int = 60) -> str:
    """The beginning of what a target sent, quoted for a person, always valid text."""
    return repr(one_line(data[: limit * 4].decode("utf-8", "replace"), limit))
