"""Documentation is held against the code: what is written is there, and what is there is written."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import TypeAdapter

import monitor.notify
from monitor import settings
from monitor.app import receiver_kinds
from probes import KINDS, Reason

ROOT = Path(__file__).parents[2]


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_kinds_page_names_every_key_and_every_fact(kind: str) -> None:
    page, known = read(f"deploy/probes/{kind}.md"), KINDS[kind]
    schema = TypeAdapter(known.spec).json_schema()
    keys = schema.get("properties") or schema["$defs"][schema["$ref"].rpartition("/")[2]]["properties"]
    if "facts of [tls](tls.md)" in page:
        page += read("deploy/probes/tls.md")
    missing = [name for name in (*keys, *known.facts) if f"`{name}`" not in page]
    assert missing == []


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_kinds_page_names_only_reasons_that_are_on_the_closed_list(kind: str) -> None:
    page = read(f"deploy/probes/{kind}.md")
    section = page.lower().partition("reasons")[2]
    named = set(re.findall(r"`((?:own|tls|dns)_[a-z_]+)`", section))
    known = {reason.value for reason in Reason} | set(KINDS[kind].facts)
    assert named - known == set()


def test_the_published_schema_is_the_languages(tmp_path: Path) -> None:
    published = json.loads(read("config/thongsuot.schema.json"))
    assert published == settings.schema(receiver_kinds())


def test_readme_lists_every_command_and_only_those() -> None:
    listing = subprocess.run(
        [sys.executable, "-m", "monitor", "--help"], capture_output=True, text=True, check=True, cwd=ROOT,
        env={"COLUMNS": "200", "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
    ).stdout  # fmt: skip
    commands = set(re.findall(r"^\W*([a-z][a-z-]+)  +\S", listing.partition("Commands")[2], re.MULTILINE))
    written = set(re.findall(r"`thongsuot ([a-z-]+)", read("README.md")))
    assert commands
    assert commands <= written
    assert written <= commands


def test_every_file_that_the_readmes_point_at_is_there() -> None:
    for page in ("README.md", "README.vi.md"):
        targets = re.findall(r"\]\((?!https?:)([^)#]+)\)", read(page))
        assert targets
        for target in targets:
            assert (ROOT / target).exists(), f"{page}: {target}"


def test_the_top_level_is_the_fixed_one() -> None:
    tracked = subprocess.run(["git", "ls-files"], capture_output=True, text=True, check=True, cwd=ROOT).stdout.split()
    top = {name.split("/")[0] for name in tracked}
    assert top <= {
        "monitor", "probes", "config", "deploy", "tests", "pyproject.toml", "README.md", "README.vi.md", "CHANGELOG.md",
        "LICENSE", "NOTICE", "Makefile", "requirements.lock", "requirements-dev.lock", ".ci", ".gitignore",
    }  # fmt: skip


def test_locks_hold_hashes_and_no_addresses() -> None:
    for lock in ("requirements.lock", "requirements-dev.lock"):
        text = read(lock)
        assert "--hash=sha256:" in text
        assert "http://" not in text
        assert "https://" not in text


def test_the_webhooks_schema_is_a_schema() -> None:
    schema = json.loads((Path(monitor.notify.__file__).parent / "webhook.schema.json").read_text("utf-8"))
    assert schema["$schema"].startswith("https://json-schema.org/")
