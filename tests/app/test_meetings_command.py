"""`thongsuot meetings`: what is printed of the daemon's answer, and the exit codes."""

import json
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from typer.testing import CliRunner

from monitor.cli import app, common

ENDPOINT = {
    "id": "hnth.1", "name": "Điểm cầu xã 1", "type": "video", "lack": "endpoint", "reason": "timeout", "blamed_on": None,
    "loss": None, "mos": None,
}  # fmt: skip
UNKNOWN = ENDPOINT | {"id": "hnth.2", "lack": "unknown", "reason": "own_network"}
MOS = ENDPOINT | {
    "id": "hnth.3",
    "name": "Điểm cầu xã 3",
    "lack": "mos",
    "reason": "ok",
    "blamed_on": "tslcd.3",
    "mos": 3.14,
}


def meeting(*lacking: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "id": "giao-ban@20261207T010000Z", "plan": "giao-ban", "name": "Giao ban", "start": "2026-12-07T01:00:00Z",
        "end": "2026-12-07T03:00:00Z", "ready": 129 - len(lacking), "total": 129, "not_ready": list(lacking), "connected": True,
    } | more  # fmt: skip


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the daemon says; the route that was asked for comes back in it."""
    said: dict[str, Any] = {}

    def ask(_path: object, route: str, _params: object = None, *, method: str = "GET", patience: float = 10.0) -> Any:
        said["asked"] = (method, route)
        assert patience > 60 or method == "GET"
        return said["body"]

    class Loaded:
        class catalogue:  # noqa: N801
            class province:  # noqa: N801
                zone = ZoneInfo("Asia/Ho_Chi_Minh")

    monkeypatch.setattr(common, "ask", ask)
    monkeypatch.setattr(common, "load", lambda _path: Loaded)
    return said


def run(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["meetings", *words])
    return result.exit_code, result.output


EXITS = [
    ("all are ready", meeting(), 0),
    ("one is not", meeting(ENDPOINT), 1),
    ("one is not, and one we could not see", meeting(ENDPOINT, UNKNOWN), 1),
    ("all there is to say is that we could not see", meeting(UNKNOWN), 3),
    ("we are cut off", meeting(connected=False), 3),
    ("there is no point at all", meeting(ready=None, not_ready=None), 3),
]


@pytest.mark.parametrize(("sentence", "body", "code"), EXITS, ids=[case[0] for case in EXITS])
def test_exit_codes(answer: dict[str, Any], sentence: str, body: dict[str, Any], code: int) -> None:
    answer["body"] = body
    assert run("check", "giao-ban", "--lang", "vi")[0] == code
    assert run("check", "giao-ban", "--json")[0] == code
    assert answer["asked"] == ("POST", "/api/v1/meetings/giao-ban/check")


def test_who_is_not_ready_is_said_line_by_line(answer: dict[str, Any]) -> None:
    answer["body"] = meeting(ENDPOINT, MOS)
    _, said = run("check", "giao-ban", "--lang", "vi")
    assert said.splitlines() == [
        "giao-ban@20261207T010000Z · Giao ban · 07/12/2026 08:00 · 127 trên 129 điểm cầu sẵn sàng",
        "  Điểm cầu xã 1 · thiết bị điểm cầu không đạt · quá thời gian chờ, không có trả lời",
        "  Điểm cầu xã 3 · MOS ước tính (thoại) dưới 3,6 · do tslcd.3 · 3,1",
    ]


def test_the_list(answer: dict[str, Any]) -> None:
    answer["body"] = {"items": [meeting(ready=None, not_ready=None)]}
    assert run("list", "--lang", "en") == (
        0,
        "giao-ban@20261207T010000Z · Giao ban · 2026-12-07 08:00 · 129 points\n",
    )
    assert json.loads(run("list", "--json")[1]) == answer["body"]
    answer["body"] = {"items": []}
    assert "No meeting" in run("list", "--lang", "en")[1]
    assert run()[0] == 0
