"""Evidence on the incident's page and in the API: shown, never run, and nothing that is not the incident's."""

from collections.abc import AsyncIterator

import httpx
import pytest

from monitor.model.evidence import Evidence
from monitor.web import create_app
from tests.web.still import NOW, StillView

PIECE = Evidence(
    name="20261121T140300.000Z-first-page.jpg", check="motcua/đăng nhập", at=NOW, first=True, media_type="image/jpeg", size=4
)  # fmt: skip


@pytest.fixture
def view() -> StillView:
    view = StillView()
    view.break_motcua()
    view.kept[PIECE] = b"\xff\xd8\xff\xe0"
    return view


@pytest.fixture
async def client(view: StillView) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=create_app(view))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


async def test_it_is_listed_and_fetched_from_where_the_list_says(client: httpx.AsyncClient) -> None:
    (item,) = (await client.get("/api/v1/incidents/i-1/evidence")).json()["items"]
    assert (item["check"], item["first"], item["bytes"], item["media_type"]) == (
        "motcua/đăng nhập",
        True,
        4,
        "image/jpeg",
    )
    answer = await client.get(item["url"])
    assert (answer.status_code, answer.content) == (200, b"\xff\xd8\xff\xe0")
    headers = answer.headers
    assert headers["content-type"] == "image/jpeg"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-disposition"] == f'inline; filename="{PIECE.name}"'
    assert "default-src 'none'" in headers["content-security-policy"]


async def test_the_page_shows_it_in_the_language_asked_for(client: httpx.AsyncClient) -> None:
    for lang, words in (("vi", "Lần lỗi đầu tiên"), ("en", "First failure")):
        text = (await client.get(f"/incidents/i-1?lang={lang}")).text
        assert words in text
        assert f'<img src="/api/v1/incidents/i-1/evidence/motcua/%C4%91%C4%83ng%20nh%E1%BA%ADp/{PIECE.name}"' in text


GONE = [
    "/api/v1/incidents/i-1/evidence/motcua/home/20261121T140300.000Z-first-page.jpg",
    "/api/v1/incidents/i-1/evidence/motcua/x/..%2F..%2Fetc%2Fpasswd",
    "/api/v1/incidents/i-2/evidence",
    "/api/v1/incidents/i-2/evidence/motcua/x/y",
]


@pytest.mark.parametrize("path", GONE)
async def test_what_is_not_the_incidents_is_not_there(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


async def test_what_went_meanwhile_is_not_there(view: StillView, client: httpx.AsyncClient) -> None:
    (item,) = (await client.get("/api/v1/incidents/i-1/evidence")).json()["items"]
    view.kept[PIECE] = None  # type: ignore[assignment]
    assert (await client.get(item["url"])).status_code == 404
