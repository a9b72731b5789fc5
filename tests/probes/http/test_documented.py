"""What a check may say and what it reports stand in the documentation, and nothing else does."""

import dataclasses
import re
from pathlib import Path

from probes.expect import Expect
from probes.http import FACTS, HttpSpec

PAGE = (Path(__file__).parents[3] / "deploy" / "probes" / "http.md").read_text(encoding="utf-8")


def rows(title):
    """First cells of a section's tables, one name each."""
    section = PAGE.partition(f"## {title}\n")[2].partition("\n## ")[0]
    cells = re.findall(r"^\| (`[^|]+) \|", section, re.MULTILINE)
    return {name for cell in cells for name in re.findall(r"`([a-z_0-9]+)`", cell)}


def public(kind):
    return {field.name for field in dataclasses.fields(kind) if not field.name.startswith("_")}


def test_every_key_is_documented():
    assert rows("Keys") == public(HttpSpec) | public(Expect)


def test_every_fact_is_documented():
    assert rows("Facts") == set(FACTS)
