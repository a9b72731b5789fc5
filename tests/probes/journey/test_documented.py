"""Every key of a step stands in the documentation, and nothing else does."""

import dataclasses
import re
from pathlib import Path

from probes.journey import JourneySpec
from probes.journey_steps import Extract, Step

PAGE = (Path(__file__).parents[3] / "deploy" / "probes" / "journey.md").read_text(encoding="utf-8")


def public(kind):
    return {field.name for field in dataclasses.fields(kind) if not field.name.startswith("_")}


def test_every_key_is_documented():
    section = PAGE.partition("## Keys\n")[2].partition("\n## ")[0]
    cells = re.findall(r"^\| (`[^|]+) \|", section, re.MULTILINE)
    rows = {name for cell in cells for name in re.findall(r"`([a-z_0-9]+)`", cell)}
    # Two keys of a variable are told of in the text around the table.
    assert rows | {"namespaces", "secret"} == public(JourneySpec) | public(Step) | public(Extract)
