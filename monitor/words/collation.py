"""The Vietnamese order of names: Đ after D, Ă and Â after A, and the five tones in their order.

Owns: one sort key. Never: folds letters together: two different names never have one key.
"""

import unicodedata
from typing import Final

_ALPHABET: Final = "aăâbcdđeêfghijklmnoôơpqrstuưvwxyz"
_LETTER: Final = {letter: index + 100 for index, letter in enumerate(_ALPHABET)}
_MARKS: Final = "\u0306\u0302\u031b"
"""Breve, circumflex, horn: they make another letter."""
_TONES: Final = {"\u0300": 1, "\u0309": 2, "\u0303": 3, "\u0301": 4, "\u0323": 5}
"""Huyền, hỏi, ngã, sắc, nặng, after the level tone: the order of Vietnamese dictionaries, and of CLDR's `vi`."""

Key = tuple[tuple[tuple[tuple[int, ...], tuple[int, ...]], ...], str, str]


def sort_key(text: str) -> Key:
    """The key to sort names by: syllable by syllable, letters before tones within each, as Vietnamese dictionaries do.

    So everything that begins with `ba` (ba ba, ba bị) stands before `bà`. Upper and lower case differ only where nothing else does.
    Text in composed or decomposed form has the same order.
    """
    plain = unicodedata.normalize("NFC", text)
    return tuple(_syllable(part) for part in plain.casefold().replace("-", " ").split()), plain.swapcase(), plain


def _syllable(text: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
    letters: list[int] = []
    tones: list[int] = []
    for char in text:
        apart = unicodedata.normalize("NFD", char)
        marks = apart[1:]
        shape = apart[0] + "".join(mark for mark in marks if mark in _MARKS)
        letter = unicodedata.normalize("NFC", shape)
        # Digits and signs come before letters, letters of other alphabets after ours.
        letters.append(_LETTER.get(letter) or (ord(char) if ord(char) < 97 else ord(char) + 1000))
        tones.append(next((_TONES[mark] for mark in marks if mark in _TONES), 0))
    return tuple(letters), tuple(tones)
