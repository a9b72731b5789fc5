"""One tiny bad file per rule, and beside it what must be said of it."""

from pathlib import Path

import pytest

from monitor.settings import ConfigError, load
from probes import KINDS

BAD = Path(__file__).parent / "bad"
FILES = sorted(BAD.glob("*.yaml"))


def test_there_are_bad_files() -> None:
    assert len(FILES) > 50


@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_is_refused_with_place_key_and_reason(path: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        load(
            path,
            environ={"SET": "value", "TOKEN": "0123456789abcdef", "BAD_URL": "ftp://user:hidden@host"},
            strict_references=True,
        )
    said = "".join(
        f"{problem}\n".replace(f"{BAD}/", "").replace(str(BAD), "the folder") for problem in refused.value.problems
    )
    kinds = ", ".join(KINDS)
    assert said == path.with_suffix(".expected").read_text(encoding="utf-8").replace("{kinds}", kinds)
