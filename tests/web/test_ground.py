"""Whose fault it is, on the incident's page and in the API: with its evidence, as sure as it is, and nothing that a name says is run."""

from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest

from monitor.model import Confidence, Ground, GroundRule, Says, Testimony, Whose
from monitor.web import create_app
from probes.contract import Reason
from tests.web.still import HOSTILE, NOW, StillView, incident

GROUND = Ground(
    whose=Whose.CARRIER, confidence=Confidence.MEDIUM, rule=GroundRule.GROUP_SHARE, party="vnpt", of="link",
    counted=23, eligible=63, needed=19, share=0.3, within=timedelta(minutes=3), others=66, others_answering=65,
    testimony=(
        Testimony(subject="motcua/home", says=Says.ANSWERS, since=NOW - timedelta(minutes=9), against=True),
        Testimony(subject=HOSTILE, says=Says.FAILS, since=NOW - timedelta(minutes=9), reason=Reason.TIMEOUT),
    ),
    testimony_total=89,
)  # fmt: skip


@pytest.fixture
def view() -> StillView:
    view = StillView()
    view.break_motcua()
    view.active = [incident(ground=GROUND)]
    return view


@pytest.fixture
async def client(view: StillView) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=create_app(view))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


SHOWN = {
    "vi": (
        "Sự cố thuộc về ai",
        "Có thể do nhà mạng VNPT: 23/63 đường của VNPT đứt trong 3 phút, 65/66 đường khác vẫn thông",
        "group_share (cần 19/63, từ 30 % trong 3 phút)",
        "Căn cứ (89)",
        "vẫn trả lời",
        "không thuận với kết luận",
        "và 87 đối tượng khác",
    ),
    "en": (
        "Whose fault it is",
        "Possibly the carrier VNPT: 23 of 63 links of VNPT failed within 3 minutes, 65 of 66 other links answer",
        "group_share (needs 19 of 63, 30% within 3 minutes)",
        "Testimony (89)",
        "answers",
        "speaks against it",
        "and 87 more",
    ),
}


@pytest.mark.parametrize("lang", ["vi", "en"])
async def test_the_page_says_whose_how_sure_and_why(lang: str, client: httpx.AsyncClient) -> None:
    text = (await client.get(f"/incidents/i-1?lang={lang}")).text
    for sentence in SHOWN[lang]:
        assert sentence in text
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text


async def test_without_a_ground_the_page_has_no_section_of_it(view: StillView, client: httpx.AsyncClient) -> None:
    view.active = [incident()]
    answer = await client.get("/incidents/i-1")
    assert answer.status_code == 200
    assert "Sự cố thuộc về ai" not in answer.text
    assert (await client.get("/api/v1/incidents/i-1")).json()["ground"] is None


async def test_the_api_has_it_whole(client: httpx.AsyncClient) -> None:
    found = (await client.get("/api/v1/incidents/i-1")).json()["ground"]
    assert (found["whose"], found["confidence"], found["rule"]) == ("carrier", "medium", "group_share")
    assert (found["counted"], found["eligible"], found["needed"], found["share"]) == (23, 63, 19, 0.3)
    assert found["within_seconds"] == 180
    assert found["others"] == {"answering": 65, "total": 66, "party": None}
    assert found["testimony"][0] == {
        "subject": "motcua/home",
        "name": "Hệ thống một cửa (home)",
        "says": "answers",
        "since": "2026-11-21T13:54:00Z",
        "reason": "ok",
        "against": True,
    }
    assert found["testimony_total"] == 89
