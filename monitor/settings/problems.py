"""What is wrong with a configuration, where, and what would be right.

Owns: the form of one problem, the exception that carries all of them, and guessing what a misspelt word was meant to be.
Never: holds a value that could be a secret; whoever words a problem has seen to that.
"""

import difflib
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Place:
    """Where something is written: line and column from 1; line 0 is the file as a whole."""

    file: str
    line: int = 0
    column: int = 0


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong at one place. `key` is the dotted way to it, `message` one sentence without a full stop."""

    file: str
    line: int
    column: int
    key: str
    message: str

    @classmethod
    def at(cls, place: Place, key: str, message: str) -> "Problem":
        """A problem at a place."""
        return cls(place.file, place.line, place.column, key, message)

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.key}: {self.message}"

    def as_dict(self) -> dict[str, Any]:
        """The object that `validate --json` prints."""
        return {"file": self.file, "line": self.line, "column": self.column, "key": self.key, "message": self.message}


class ConfigError(Exception):
    """The configuration is refused; `problems` are all that is wrong with it, in the order of the files."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


def fold(text: str) -> str:
    """What two names that a person could take for the same have in common: no case, no spaces, one way to write an accent."""
    return "".join(unicodedata.normalize("NFKC", text).casefold().split())


def guess(word: str, known: Iterable[str]) -> str:
    """`; did you mean "every"?`, or nothing when no known word is near."""
    words = list(known)
    folded = {fold(each): each for each in words}
    near = difflib.get_close_matches(fold(word), list(folded), n=1, cutoff=0.6)
    return f'; did you mean "{folded[near[0]]}"?' if near else ""


def merge_repeats(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Sort by place and say once what a template makes wrong in each of its rows."""
    first: dict[tuple[str, int, int, str], Problem] = {}
    more: dict[tuple[str, int, int, str], int] = {}
    for problem in problems:
        same = (problem.file, problem.line, problem.column, problem.message)
        if same in first:
            more[same] += problem.key != first[same].key
        else:
            first[same], more[same] = problem, 0
    ordered = sorted(first, key=lambda same: same[:3])
    return tuple(
        Problem(*(first[same].file, first[same].line, first[same].column, first[same].key), _more(same[3], more[same]))
        for same in ordered
    )


def _more(message: str, count: int) -> str:
    return f"{message} (and {count} more like it)" if count else message
