"""`say(key, lang, **values)`: every sentence shown to a person, by key.

Owns: the look-up and the list of tables. Never: builds a sentence out of halves; where the order of words differs, there are two sentences.
"""

from collections.abc import Iterable, Mapping
from string import Formatter
from typing import Any, Final

from monitor.words import faults, meetings, messages, pages, reports
from monitor.words.numbers import Lang

TABLES: Final = (messages.TABLE, pages.TABLE, reports.TABLE, meetings.TABLE, faults.TABLE)

_ALL: Final[Mapping[str, tuple[str, str]]] = {key: pair for table in TABLES for key, pair in table.items()}


def say(key: str, lang: Lang, /, **values: Any) -> str:
    """The sentence `key` with its `{values}` filled in as they are written by `str.format`. An unknown key or a missing value is a KeyError."""
    vietnamese, english = _ALL[key]
    return (vietnamese if lang == "vi" else english).format(**values)


def keys() -> Iterable[str]:
    """Every key there is."""
    return _ALL.keys()


def fields(key: str) -> tuple[frozenset[str], frozenset[str]]:
    """The values that the Vietnamese and the English sentence of `key` ask for."""
    vietnamese, english = _ALL[key]
    return _named(vietnamese), _named(english)


def _named(sentence: str) -> frozenset[str]:
    return frozenset(name for _, name, _, _ in Formatter().parse(sentence) if name is not None)
