"""Video meetings and the share of IPv6 as they are served: pages, the API, and what is said in two languages."""

from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest

from monitor.model import Lack, Meeting, MeetingStatus, Point, Readiness
from monitor.rules.ipv6 import Share
from monitor.web import create_app
from probes import Reason
from tests.web.still import HOSTILE, NOW, StillView
from tests.web.test_web import Tags

START = NOW + timedelta(minutes=30)
MEETING = Meeting(
    id="giao-ban@20261121T143300Z", plan="giao-ban", name=f"Giao ban {HOSTILE}", nodes=("hub", "motcua", "tslcd.13285"),
    start=START, end=START + timedelta(hours=2), ready_at=START - timedelta(hours=1), every=timedelta(seconds=30),
)  # fmt: skip
POINTS = (
    Point(node="hub"),
    Point(node="motcua", lack=Lack.LINK, reason=Reason.NO_REPLY, blamed_on="tslcd.13285"),
    Point(node="tslcd.13285", lack=Lack.MOS, loss=0.004, mos=3.14159, blamed_on="hub"),
)


def status(points: tuple[Point, ...] = POINTS, *, sequence: int = 1) -> MeetingStatus:
    at = NOW - timedelta(minutes=30)
    told = Readiness(
        meeting=MEETING.id, sequence=sequence, plan="giao-ban", at=at, start=START, end=MEETING.end, points=POINTS[:2]
    )
    return MeetingStatus(meeting=MEETING, told=told if points else None, points=points)


@pytest.fixture
def view() -> StillView:
    return StillView()


@pytest.fixture
async def client(view: StillView) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=create_app(view), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


async def test_the_page_says_who_is_not_ready_and_why(view: StillView, client: httpx.AsyncClient) -> None:
    view.held = [status()]
    answer = await client.get("/meetings")
    text = answer.text
    assert "1 trên 3 điểm cầu sẵn sàng" in text
    assert "Kết quả kiểm tra lúc 21/11/2026 20:33:00: 1 trên 2 điểm cầu sẵn sàng" in text
    assert "Đường truyền mất kết nối" in text
    assert "MOS ước tính (thoại) dưới 3,6" in text
    assert "3,1" in text
    assert "0,4 %" in text
    assert "script" not in Tags(text).tags
    english = (await client.get("/meetings?lang=en")).text
    assert "1 of 3 points ready" in english
    assert "estimated MOS (speech) below 3.6" in english.lower() or "Estimated MOS (speech) below 3.6" in english


async def test_before_its_run_the_page_says_when_it_will_be(view: StillView, client: httpx.AsyncClient) -> None:
    view.held = [status(())]
    text = (await client.get("/meetings")).text
    assert "Kiểm tra điểm cầu lúc 21/11/2026 20:33:00" in text
    assert "sẵn sàng" not in text.replace("page.", "")


async def test_no_meeting_is_said_too(client: httpx.AsyncClient) -> None:
    assert "Không có phiên họp nào" in (await client.get("/meetings")).text
    assert "/meetings" in (await client.get("/")).text
    assert (await client.get("/api/v1/meetings")).json() == {"items": []}


async def test_the_api_s_meeting(view: StillView, client: httpx.AsyncClient) -> None:
    view.held = [status()]
    (item,) = (await client.get("/api/v1/meetings")).json()["items"]
    assert item["id"] == MEETING.id
    assert (item["ready"], item["total"], item["every_seconds"]) == (1, 3, 30.0)
    assert item["start"] == "2026-11-21T14:33:00Z"
    assert item["not_ready"][0] == {
        "id": "motcua", "name": view.catalogue.nodes["motcua"].name, "type": "system", "lack": "link", "reason": "no_reply",
        "blamed_on": "tslcd.13285", "loss": None, "mos": None,
    }  # fmt: skip
    assert item["not_ready"][1]["mos"] == 3.14
    assert item["told"] == {
        "at": "2026-11-21T13:33:00Z", "sequence": 1, "ready": 1, "total": 2, "not_ready": ["motcua"]
    }  # fmt: skip
    view.held = [status(())]
    (item,) = (await client.get("/api/v1/meetings")).json()["items"]
    assert (item["ready"], item["not_ready"], item["total"], item["told"]) == (None, None, 3, None)


async def test_looking_by_hand(view: StillView, client: httpx.AsyncClient) -> None:
    view.held = [status()]
    for name in ("giao-ban", MEETING.id):
        answer = await client.post(f"/api/v1/meetings/{name}/check")
        assert (answer.status_code, answer.json()["ready"], answer.json()["connected"]) == (200, 1, True)
    unknown = await client.post("/api/v1/meetings/other/check")
    assert unknown.status_code == 404
    assert unknown.headers["content-type"] == "application/problem+json"


async def test_ipv6_is_one_line_on_the_front_page_and_an_object_in_the_status(
    view: StillView, client: httpx.AsyncClient
) -> None:
    assert "IPv6" not in (await client.get("/")).text
    view.share = Share(working=97, failing=3, unknown=9, unasked=20)
    said = (
        "IPv6: 97/120 xã, phường có IPv6 hoạt động (80,8 %); 3 không hoạt động, 20 chưa giám sát; "
        "không tính 9 đơn vị chưa xác định"
    )
    assert said in (await client.get("/")).text
    assert "IPv6 works in 97 of 120 communes and wards (80.8%)" in (await client.get("/?lang=en")).text
    told = (await client.get("/api/v1/status")).json()["ipv6"]
    assert (told["communes"], told["asked"], told["working"], told["ratio"]) == (129, 109, 97, 97 / 120)


async def test_a_point_s_score_is_on_its_page_and_says_that_it_is_for_speech(
    view: StillView, client: httpx.AsyncClient
) -> None:
    assert "MOS" not in (await client.get("/nodes/hub")).text
    view.scores["hub"] = 4.213
    text = (await client.get("/nodes/hub")).text
    assert "MOS ước tính (thoại)" in text
    assert "4,21" in text
    assert (await client.get("/api/v1/nodes/hub")).json()["mos"] == 4.213
