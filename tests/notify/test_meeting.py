"""The message about a meeting: one that fits a lock screen, names who is not ready and why, and is the same bytes every time."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from monitor.model import Lack, Node, Point, Readiness, Window
from monitor.notify import meeting_body
from monitor.notify.meeting import NAMES
from monitor.rules.readiness import Change, occurrence
from probes import Reason
from tests.notify.test_body import VALIDATOR
from tests.rules.test_readiness import PLAN, T, catalogue

COMMUNES = [
    Node(id=f"hnth.{n}", name=f"Điểm cầu xã {n}", type="video", labels={"commune": str(n), "commune_name": f"xã {n}"})
    for n in range(129)
]
CATALOGUE = catalogue(
    [],
    [*COMMUNES, Node(id="carrier.vnpt", name="Mạng VNPT", type="carrier"), Node(id="mcu", name="MCU @all", type="x")],
)
MEETING = replace(occurrence(PLAN, T, T + timedelta(hours=2)), name="Giao ban tuần")


def told(*lacking: Point, sequence: int = 1) -> Readiness:
    lacks = {point.node: point for point in lacking}
    points = tuple(lacks.get(node.id) or Point(node=node.id) for node in COMMUNES)
    return Readiness(
        meeting=MEETING.id,
        sequence=sequence,
        plan="m",
        at=T - timedelta(hours=1),
        start=T,
        end=MEETING.end,
        points=points,
    )


def said(readiness: Readiness, changed: Change = Change(), **more: object) -> dict:  # noqa: B008 Frozen.
    made = json.loads(meeting_body(MEETING, readiness, changed, CATALOGUE, **more))
    VALIDATOR.validate(made)
    return made


def lack(number: int, lack: Lack, **more: object) -> Point:
    return Point(node=f"hnth.{number}", lack=lack, **more)


def test_127_of_129_which_not_and_why() -> None:
    made = said(told(lack(3, Lack.ENDPOINT, reason=Reason.TIMEOUT), lack(7, Lack.LOSS, loss=0.12, blamed_on="tslcd.7")))
    assert made["message"]["title"] == "Giao ban tuần (07/12/2026 08:00): 127 trên 129 điểm cầu sẵn sàng"
    assert made["message"]["text"].split("\n") == [
        "Phiên họp: từ 07/12/2026 08:00 đến 07/12/2026 10:00",
        "Thiết bị điểm cầu không đạt (1): xã 3 (quá thời gian chờ, không có trả lời)",
        "Mất gói từ 1 % trở lên (1): xã 7 (mất gói 12,0 %)",
    ]
    meeting = made["data"]["meeting"]
    assert (meeting["ready"], meeting["total"]) == (127, 129)
    assert [(point["id"], point["lack"]) for point in meeting["not_ready"]] == [
        ("hnth.3", "endpoint"),
        ("hnth.7", "loss"),
    ]


WHY = [
    (lack(1, Lack.UPSTREAM, blamed_on="carrier.vnpt"), "Không tới được do sự cố tuyến trên (1): xã 1 (do Mạng VNPT)"),
    (lack(1, Lack.LINK, reason=Reason.NO_REPLY), "Đường truyền mất kết nối (1): xã 1 (không có gói trả lời)"),
    (lack(1, Lack.MOS, mos=3.149), "MOS ước tính (thoại) dưới 3,6 (1): xã 1 (MOS ước tính (thoại) 3,1)"),
    (lack(1, Lack.UNKNOWN), "Chưa xác định (1): xã 1"),
]


@pytest.mark.parametrize(("point", "line"), WHY, ids=[point.lack.value for point, _ in WHY])
def test_each_lack_in_words(point: Point, line: str) -> None:
    assert line in said(told(point))["message"]["text"].split("\n")


def test_all_are_ready() -> None:
    assert said(told())["message"]["text"].endswith("Tất cả điểm cầu sẵn sàng")


def test_a_carrier_s_outage_is_one_line_and_the_list_has_them_all() -> None:
    made = said(told(*(lack(n, Lack.UPSTREAM, blamed_on="carrier.vnpt") for n in range(100))))
    _, line = made["message"]["text"].split("\n")
    assert line.startswith("Không tới được do sự cố tuyến trên (100): xã 0 (do Mạng VNPT)")
    assert line.endswith(f"và {100 - NAMES} đối tượng khác")
    assert len(made["data"]["meeting"]["not_ready"]) == 100
    assert len(made["message"]["text"]) < 2000


def test_an_update_says_what_has_changed() -> None:
    changed = Change(ready=("hnth.5",), lacking=("hnth.1", "hnth.2"))
    made = said(told(lack(1, Lack.LINK), lack(2, Lack.LINK), sequence=2), changed)
    assert made["message"]["title"].startswith("[Cập nhật] Giao ban tuần")
    assert "Không còn sẵn sàng (2): xã 1, xã 2" in made["message"]["text"]
    assert "Đã sẵn sàng (1): xã 5" in made["message"]["text"]
    assert made["data"]["meeting"]["changed"] == {"ready": ["hnth.5"], "not_ready": ["hnth.1", "hnth.2"]}


def test_work_that_falls_into_it_is_said() -> None:
    work = Window(id="w", plan="nang-cap", nodes=frozenset({"hnth.1"}), start=T, end=T + timedelta(hours=1))
    assert (
        "Bảo trì đã thông báo trùng phiên họp: nang-cap (07/12/2026 08:00)"
        in said(told(), work=[work])["message"]["text"]
    )


def test_in_english() -> None:
    made = said(told(lack(7, Lack.LOSS, loss=0.12)), lang="en")
    assert made["message"]["title"] == "Giao ban tuần (2026-12-07 08:00): 128 of 129 points ready"
    assert "Loss of 1% or more (1): xã 7 (loss 12.0%)" in made["message"]["text"]


def test_names_start_no_mark_up_and_the_bytes_are_always_the_same() -> None:
    point = lack(1, Lack.UPSTREAM, blamed_on="mcu")
    hostile = replace(MEETING, name="<b>@all [x](http://x)\n")
    first = meeting_body(hostile, told(point), Change(), CATALOGUE)
    assert first == meeting_body(hostile, told(point), Change(), CATALOGUE)
    message = json.loads(first)["message"]
    VALIDATOR.validate(json.loads(first))
    assert not set("<>[]`*|~@") & set(message["title"] + message["text"])
