"""The page about the language is true: its examples load, and every section is on it."""

import re
import shutil
from pathlib import Path

import pytest

from monitor.settings import load
from monitor.settings.language import FileBlock

CONFIG = Path(__file__).parents[2] / "config"
PAGE = (CONFIG / "README.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^## (.*?)$.*?^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The configuration's folder, with something to include."""
    shutil.copytree(CONFIG / "ninhbinh", tmp_path / "ninhbinh")
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "a.yaml").write_text("parties: {nobody: {name: N}}\n")
    return tmp_path


def test_all_examples_together_are_a_configuration(folder: Path) -> None:
    path = folder / "page.yaml"
    path.write_text("".join(example for _, example in EXAMPLES), encoding="utf-8")
    loaded = load(
        path, environ={"ONCALL_URL": "http://127.0.0.1/", "ONCALL_SECRET": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}
    )
    assert {"hub", "motcua"} <= loaded.catalogue.nodes.keys()
    assert {str(each) for each in loaded.waiting} == {
        "tslcd.{code}/v4: 129 of 129 wait for communes.cpe_ipv4",
        "tslcd: 1 of 1 wait for its first member",
    }


def test_every_section_is_exampled() -> None:
    shown = "".join(example for _, example in EXAMPLES)
    sections = {field.alias or name for name, field in FileBlock.model_fields.items()} - {"holidays"}
    assert {name for name in sections if not re.search(rf"^{name}:", shown, re.MULTILINE)} == set()


def test_the_defaults_on_the_page_are_the_defaults(folder: Path) -> None:
    example = next(example for title, example in EXAMPLES if title == "Defaults")
    path = folder / "defaults.yaml"
    node = "nodes: {a: {name: A, type: s, checks: {c: {tcp: {host: 127.0.0.1, port: 80}}}}}\n"
    fingerprints = set()
    for text in ("", example):
        path.write_text(f"version: 1\n{text}{node}", encoding="utf-8")
        fingerprints.add(load(path, environ={}).catalogue.fingerprint)
    assert len(fingerprints) == 1
