"""Secrets are never shown, and a reload changes what has changed and nothing else."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from monitor.settings import ConfigError, load, plan, verdict
from probes.secret import Secret

GOOD = Path(__file__).parent / "good" / "everything.yaml"
CANARY = "CANARY-5c1d"
TCP = "{tcp: {host: 127.0.0.1, port: 80}}"
NODE = "nodes: {{a: {{name: A, type: s, checks: {{c: {}}}}}}}\n"

# Where a secret stands that is not accepted there; the refusal must not quote it.
MISPLACED = [
    ("a number is wanted", "self: {quorum: env:CANARY}\n"),
    ("an address is wanted", NODE.format('{http: {url: "env:CANARY"}}')),
    ("a port is wanted", NODE.format('{tcp: {host: 127.0.0.1, port: "env:CANARY"}}')),
    ("a host is wanted", NODE.format('{icmp: {host: "env:SPACED"}}')),
    ("a family is wanted", NODE.format('{icmp: {host: 127.0.0.1, family: "env:CANARY"}}')),
    ("a list is wanted", 'self: {anchors: "env:CANARY"}\n'),
    ("a database is wanted", 'daemon: {database: "env:CANARY"}\n'),
    ("a web address is wanted", 'daemon: {public_url: "env:CANARY"}\n'),
    ("a duration is wanted", NODE.format('{tcp: {host: 127.0.0.1, port: 80}, every: "env:CANARY"}')),
    ("a condition is wanted", NODE.format('{tcp: {host: 127.0.0.1, port: 80}, degraded_if: "env:CANARY"}')),
    ("a regex is wanted", NODE.format('{http: {url: "http://127.0.0.1/", expect: {body: "env:REGEX"}}}')),
    ("a webhook is wanted", 'receivers: {r: {webhook: {url: "http://127.0.0.1/", format: "env:CANARY"}}}\n'),
    ("a key is unknown", 'receivers: {r: {webhook: {urll: "env:CANARY"}}}\n'),
]


@pytest.mark.parametrize(("sentence", "text"), MISPLACED, ids=[case[0] for case in MISPLACED])
def test_a_refusal_does_not_quote_a_secret(tmp_path: Path, sentence: str, text: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("version: 1\n" + text, encoding="utf-8")
    said = verdict(path, environ={"CANARY": CANARY, "SPACED": f"{CANARY} x", "REGEX": f"({CANARY}"})
    assert said["ok"] is False
    assert CANARY not in json.dumps(said)


def test_nothing_that_is_printed_of_a_configuration_holds_a_secret(tmp_path: Path) -> None:
    loaded = load(GOOD, environ={"SET": CANARY, "DEADMAN": f"https://x.example/{CANARY}"})
    assert loaded.catalogue.monitor.heartbeat_url.reveal().endswith(CANARY)
    assert loaded.catalogue.checks["motcua/home"].spec.auth.basic.password == Secret(CANARY)
    everything = (loaded, *loaded.warnings, plan(loaded.catalogue, replace(loaded.catalogue)).as_dict())
    assert CANARY not in "".join(map(repr, everything)) + "".join(map(str, everything))


def test_a_secret_file_is_read_once_without_its_last_line_end_and_its_mode_is_noted(tmp_path: Path) -> None:
    secret = tmp_path / "oncall"
    secret.write_text("hunter2\n")
    secret.chmod(0o644)
    path = tmp_path / "config.yaml"
    path.write_text('version: 1\nreceivers: {r: {webhook: {url: "file:oncall"}}, s: {webhook: {url: "file:oncall"}}}\n')
    loaded = load(path, environ={"CREDENTIALS_DIRECTORY": str(tmp_path)})
    assert loaded.catalogue.receivers["r"].spec.url == Secret("hunter2")
    assert [problem.key for problem in loaded.warnings] == ["file:oncall"]
    assert "0644" in loaded.warnings[0].message
    secret.chmod(0o400)
    assert load(path, environ={}).warnings == ()


@pytest.mark.parametrize("environ", [{}, {"URL": ""}], ids=["unset", "empty"])
def test_what_stands_for_nothing_is_never_an_empty_text(tmp_path: Path, environ: dict[str, str]) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("version: 1\nreceivers: {r: {webhook: {url: env:URL}}}\n")
    assert "URL is not set" in str(load(path, environ=environ).warnings[0])
    with pytest.raises(ConfigError, match="URL is not set"):
        load(path, environ=environ, strict_references=True)


def test_the_same_file_is_the_same_catalogue() -> None:
    old, new = (load(GOOD, environ={"SET": "x"}).catalogue for _ in range(2))
    assert old.fingerprint == new.fingerprint
    assert len(old.fingerprint) == 64
    assert not plan(old, new)


def test_the_fingerprint_is_of_the_meaning_and_holds_no_secret(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"

    def fingerprint(text: str, secret: str = "x") -> str:
        path.write_text("version: 1\n" + text, encoding="utf-8")
        return load(path, environ={"SET": secret}).catalogue.fingerprint

    plain = fingerprint(f"nodes: {{a: {{name: A, type: s, labels: {{x: y, z: w}}, checks: {{c: {TCP}}}}}}}")
    spaced = (
        f"nodes:\n  a:\n    type: s  # a comment\n    labels: {{z: w, x: y}}\n    name: 'A'\n    checks: {{c: {TCP}}}\n"
    )
    assert fingerprint(spaced) == plain
    assert fingerprint(spaced.replace("'A'", "B")) != plain
    webhook = 'receivers: {r: {webhook: {url: "http://127.0.0.1/", secret: env:SET}}}'
    assert fingerprint(webhook, "one") == fingerprint(webhook, "two")


def test_a_plan_names_what_comes_goes_and_changes(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"

    def catalogue(nodes: str, head: str = ""):  # type: ignore[no-untyped-def]
        path.write_text(f"version: 1\n{head}nodes:\n{nodes}", encoding="utf-8")
        return load(path, environ={"SET": head or "x"}).catalogue

    old = catalogue(
        f"  a: {{name: A, type: s, checks: {{c: {TCP}, d: {TCP}}}}}\n"
        f"  b: {{name: B, type: s, checks: {{c: {TCP}}}}}\n"
        f"  c: {{name: C, type: s, checks: {{c: {TCP}}}}}\n"
    )
    new = catalogue(
        f"  a: {{name: A2, type: s, checks: {{c: {TCP[:-1]}, every: 30s}}, d: {TCP[:-1]}, effect: none}}}}}}\n"
        f"  c: {{name: C, type: s, checks: {{c: {TCP}}}}}\n"
        f"  d: {{name: D, type: s, was: [b], checks: {{c: {TCP}}}}}\n",
        'daemon: {listen: "127.0.0.1:9999"}\n',
    )
    change = plan(old, new)
    assert (change.nodes.added, change.nodes.removed, change.nodes.same) == (("d",), ("b",), 1)
    assert [(each.id, each.what) for each in change.nodes.changed] == [("a", ("name",))]
    assert [(each.id, each.what) for each in change.checks.changed] == [("a/c", ("every",)), ("a/d", ("effect",))]
    assert change.renamed == (("b", "d"),)
    assert change.new_phases == ("a/c", "d/c")
    assert change.restart == ("daemon.port",)
    assert json.loads(json.dumps(change.as_dict()))["checks"]["added"] == ["d/c"]


def test_a_renewed_secret_is_a_change_that_shows_no_value() -> None:
    old, new = (load(GOOD, environ={"SET": secret}).catalogue for secret in ("one", "two"))
    assert old.fingerprint == new.fingerprint
    assert [each.id for each in plan(old, new).receivers.changed] == ["truc"]
