"""The list of behaviours that checks are held to: every row of it has its tests, and they exist."""

import ast
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


def _rows() -> dict[str, tuple[str, tuple[str, ...]]]:
    """`rows.tsv`: a row's name, what it is about, the tests that stand for it."""
    lines = (Path(__file__).parent / "rows.tsv").read_text("utf-8").splitlines()[1:]
    found = {name: (sentence, tuple(tests)) for name, sentence, *tests in (line.split("\t") for line in lines)}
    assert len(found) == len(lines), "a row twice"
    return found


ROWS = _rows()

LIST: dict[str, str] = {
    # The rows that there are, by letter; the numbers have gaps.
    "H": (
        "1 2 3 4 5 6 7 8 9 10 11 12 15 16 18 19 21 23 30 31 32 33 34 35 37 38 39 40 41 42 43 44 45 46 49 53 55 56 "
        "57 58 59 60 61 63 64 65 66 69 71 72 73 74 75 76 77 78 79 80 81 82 83 84 85 86 88 89 92 93 94 95 96 99 101 "
        "103 105"
    ),
    "X": (
        "1 2 3 4 5 7 8 10 11 12 13 14 15 16 17 18 20 21 22 23 24 25 26 27 29 31 32 34 35 36 37 38 39 40 41 42 43 "
        "44 45 46 49"
    ),
    "T": "2 3 4 5 6 10 11 13 14 16 18 20 23 24 25 26 28 29 30 33 34 35 37",
    "P": "1 2 4 5 6 7 8 9 10 14 15 17 18 20 21 23 24 25",
    "D": "1 3 5 6 8 9 10 11 12 13 16 20 21 23 24 25 28 29 30 31 32 33 34 35 36",
    "I": "3 4 7 8 9 11 15 16 20 21 22 23 24 25 26 27 28",
    "C": "4 5 6 8 9 10 11 13 15 16 17 18 19 23 24 28",
}

ELSEWHERE: dict[str, str] = {
    # Rows about what this program does not have, with what it does instead (tests/probes/conformance/test_rows.py tries it).
    "H105": "no key hides an address or an error of a check: its page is for those who own it, and secrets are masked everywhere",
    "T37": "there is no check of a domain's registration; such a key is refused",
    "P18": "checks reach other machines by host and port; the path of a unix socket is refused",
}


def test_every_row_has_its_tests() -> None:
    wanted = {f"{letter}{number}" for letter, numbers in LIST.items() for number in numbers.split()}
    assert wanted == ROWS.keys()
    assert ELSEWHERE.keys() <= ROWS.keys()
    assert all(sentence and tests for sentence, tests in ROWS.values())


@cache
def _module(path: str) -> tuple[frozenset[str], frozenset[str]]:
    """Names of the test functions of a file, and the texts in it: cases are sentences there."""
    tree = ast.parse((ROOT / path).read_text("utf-8"))
    nodes = list(ast.walk(tree))
    functions = {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    texts = {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    return frozenset(functions), frozenset(texts)


@pytest.mark.parametrize("row", ROWS)
def test_its_tests_are_there(row: str) -> None:
    for name in ROWS[row][1]:
        path, _, test = name.partition("::")
        assert (ROOT / path).is_file(), name
        if not test:
            assert (ROOT / path).with_suffix(".expected").is_file(), f"{name}: nobody says how it is refused"
            continue
        function, _, case = test.removesuffix("]").partition("[")
        functions, texts = _module(path)
        assert function.startswith("test_")
        assert function in functions, name
        assert not case or case in texts, name
