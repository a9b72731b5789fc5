"""Five lines are enough, and what they do not say is right for a job."""

from pathlib import Path

import pytest

from monitor.settings import load

FIVE = """\
version: 1
defaults: {confirm: {failures: 4, successes: 3}}
nodes:
  sao_luu:
    name: Sao lưu
    type: job
    checks:
      dem:
        heartbeat: {token: env:TOKEN, cron: "0 1 * * *", grace: 4h, facts: {rows: number, left: seconds}}
        degraded_if: ["rows < 1", "left > 2h", "age_seconds > 30h"]
"""


def written(folder: Path, text: str, token: str = "0123456789abcdef") -> Path:
    (folder / "p.yaml").write_text(text, encoding="utf-8")
    return folder / "p.yaml"


@pytest.mark.parametrize(
    ("sentence", "more", "rounds"),
    [
        ("a miss needs no confirming, whatever the others need", "", (1, 1, 1)),
        ("the check's own word stands", "confirm: {successes: 2}", (1, 2, 1)),
    ],
)
def test_confirming(tmp_path: Path, sentence: str, more: str, rounds: tuple[int, int, int]) -> None:
    text = FIVE + (f"        {more}\n" if more else "")
    loaded = load(written(tmp_path, text), environ={"TOKEN": "0123456789abcdef"}, strict_references=True)
    policy = loaded.catalogue.checks["sao_luu/dem"].policy
    assert (policy.failures, policy.successes, policy.degraded) == rounds
    assert [(each.fact, each.value) for each in policy.degraded_if] == [
        ("rows", 1.0), ("left", 7200.0), ("age_seconds", 108000.0),
    ]  # fmt: skip


def test_without_a_token_it_waits_and_a_token_is_in_no_text(tmp_path: Path) -> None:
    path = written(tmp_path, FIVE)
    waiting = load(path, environ={}, strict_references=True)
    assert "sao_luu/dem" not in waiting.catalogue.checks
    loaded = load(path, environ={"TOKEN": "0123456789abcdef"})
    assert "0123456789abcdef" not in repr(loaded.catalogue)
