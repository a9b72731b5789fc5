"""Files that mean harm, or that a tired hand has broken: refused at once, never a traceback."""

import copy
import itertools
import json
import random
import shutil
import time
import tracemalloc
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import BeforeValidator

from monitor.settings import ConfigError, load, verdict
from monitor.settings.document import read

FOLDER = Path(__file__).parent / "good"
GOOD = (FOLDER / "everything.yaml").read_text(encoding="utf-8")

# Each is refused for its own reason; "9^9" is the classic that fills the memory of those who follow aliases.
NINE_BY_NINE = "version: 1\na: &a [x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n" for before, name in itertools.pairwise("abcdefghi")
)

BOMBS = [
    ("nine levels of nine aliases", NINE_BY_NINE),
    ("20,000 opened lists", "a: " + "[" * 20_000),
    ("20,000 opened mappings", "a: " + "{b: " * 20_000),
    ("20,000 dashes", "- " * 20_000),
    ("20,000 question marks", "? " * 20_000),
    ("deep by indentation", "".join(" " * depth + "a:\n" for depth in range(1_000))),
    ("a merge key", "version: 1\nbase: &base {a: 1}\nnodes: {<<: *base}\n"),
    ("a Python object", "version: !!python/object/apply:os.system [true]\n"),
    ("a nul byte", 'version: 1\nprovince: {name: "a\x00b"}\n'),
    ("a bell", "version: 1\nprovince: {name: \x07}\n"),
    ("a directive of another YAML", "%YAML 1.1\n---\nversion: 2\n"),
    ("a number of 5,000 digits", f"version: {'9' * 5_000}\n"),
    ("a key of 100 KB", f"version: 1\n{'k' * 100_000}: 1\n"),
]


@pytest.mark.parametrize(("sentence", "text"), BOMBS, ids=[bomb[0] for bomb in BOMBS])
def test_is_refused_at_once(tmp_path: Path, sentence: str, text: str) -> None:
    path = tmp_path / "bomb.yaml"
    path.write_text(text, encoding="utf-8")
    load_quietly(path)  # The first load of a process also makes the models.
    started = time.process_time()
    with pytest.raises(ConfigError) as refused:
        load(path, environ={})
    assert time.process_time() - started < 2
    assert all(len(str(problem)) < 1_000 for problem in refused.value.problems)


def test_an_alias_bomb_costs_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "bomb.yaml"
    path.write_text(NINE_BY_NINE, encoding="utf-8")
    load_quietly(path)
    tracemalloc.start()
    try:
        load_quietly(path)
        assert tracemalloc.get_traced_memory()[1] < 4 * 1024 * 1024  # the reading itself is bounded at 2 MiB
    finally:
        tracemalloc.stop()


def test_a_file_too_large_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "large.yaml"
    path.write_bytes(b"version: 1\n" + b"# padding\n" * 300_000)
    assert "larger than 2 MiB" in verdict(path, environ={})["errors"][0]["message"]


@pytest.mark.parametrize("name", ["nowhere.yaml", "."])
def test_what_is_no_file(tmp_path: Path, name: str) -> None:
    said = verdict(tmp_path / name, environ={})
    assert said["ok"] is False
    assert said["errors"][0]["line"] == 0


def test_a_half_written_file_is_never_a_traceback(tmp_path: Path) -> None:
    path = tmp_path / "half.yaml"
    shutil.copy(FOLDER / "communes.csv", tmp_path)
    content = GOOD.encode()
    for end in range(0, len(content), 211):
        path.write_bytes(content[:end])
        load_quietly(path)


@pytest.mark.parametrize("seed", range(250))
def test_a_mutated_file_is_never_a_traceback(tmp_path: Path, seed: int) -> None:
    path = tmp_path / "mutant.yaml"
    shutil.copy(FOLDER / "communes.csv", tmp_path)
    path.write_bytes(mutated(GOOD, random.Random(seed)))
    load_quietly(path)


VALUES = ["null", "-1", "1e9", "''", "[]", "{}", "[[]]", "true", "0x7f", "~", "2026-12-05", "'a b'"]


def mutated(text: str, chance: random.Random) -> bytes:
    """The text with a few slips: lines lost, doubled, swapped or moved in, words exchanged, bytes broken."""
    lines = text.splitlines()
    words = [word for line in lines for word in line.split()]
    for _ in range(chance.randint(1, 6)):
        at = chance.randrange(len(lines))
        slip = chance.randrange(8)
        if slip == 0:
            del lines[at]
        elif slip == 1:
            lines.insert(at, chance.choice(lines))
        elif slip == 2:
            lines[at] = " " * chance.randint(0, 8) + lines[at].strip()
        elif slip == 3 and lines[at].split():
            lines[at] = lines[at].replace(chance.choice(lines[at].split()), chance.choice(words), 1)
        elif slip == 4:
            lines[at] = lines[at].replace(chance.choice('{}[]:,"-'), chance.choice(["", *'{}[]"*&!', ": "]), 1)
        elif slip == 5:
            lines[at] = lines[at].partition(":")[0] + ": " + chance.choice(VALUES)
        elif slip == 6:
            lines[at] = lines[at][: chance.randrange(len(lines[at]) + 1)]
        else:
            lines[at] += chance.choice(["\t", "#", " x: y", "\u00a0", "\ud7ff", "\u0301"])
    content = bytearray("\n".join(lines).encode())
    if chance.random() < 0.2:
        content[chance.randrange(len(content))] = chance.randrange(256)
    return bytes(content)


def load_quietly(path: Path) -> None:
    """Load; being refused with at least one placed problem is as good as being taken. Anything else is raised."""
    said = verdict(path, environ={"SET": "value"})
    assert said["ok"] is not bool(said["errors"])
    assert all(error["key"] and error["message"] for error in said["errors"])


WEIRD = [
    None,
    True,
    -1,
    10**17,
    "",
    "x",
    "env:SET",
    "env:NOT_SET",
    [],
    {},
    ["x"],
    {"x": None},
    [[]],
    "(",
    "http://[",
    "\x00",
]


def test_no_value_of_a_wrong_kind_is_a_traceback(tmp_path: Path) -> None:
    """Each value of the good file in turn is something else: a sample of all such files, another one each time is not needed."""
    path = tmp_path / "weird.yaml"
    shutil.copy(FOLDER / "communes.csv", tmp_path)
    good = read(FOLDER / "everything.yaml").plain()
    slips = [(where, value) for where in ways(good) for value in WEIRD]
    for where, value in slips[:: len(slips) // 60]:
        content = copy.deepcopy(good)
        parent = content
        for key in where[:-1]:
            parent = parent[key]
        parent[where[-1]] = value
        path.write_text(json.dumps(content), encoding="utf-8")
        load_quietly(path)


def ways(value: Any) -> Iterator[tuple[Any, ...]]:
    """The way to every value in it."""
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in entries:
        yield (key,)
        yield from ((key, *way) for way in ways(child))


def test_a_rule_that_falls_over_is_a_refusal_of_what_it_was_given(tmp_path: Path) -> None:
    def stumble(value: Any) -> Any:
        raise TypeError(value)

    @dataclass(frozen=True, slots=True, kw_only=True)
    class PagerSpec:
        number: Annotated[str, BeforeValidator(stumble)]

    class PagerKind:
        spec = PagerSpec
        summary = "A pager"

    path = tmp_path / "config.yaml"
    path.write_text("version: 1\nprovince: {id: 37}\nreceivers:\n  p: {pager: {number: 1}}\n")
    said = verdict(path, environ={}, receivers={"pager": PagerKind()})
    assert [(error["line"], error["key"]) for error in said["errors"]] == [(2, "province.id"), (4, "receivers.p")]
