"""What is served: pages that hide nothing and trust nothing, machine routes with the right shapes, errors as problems."""

import json
from collections.abc import AsyncIterator
from html.parser import HTMLParser
from pathlib import Path

import httpx
import jsonschema
import pytest

import monitor.notify
from monitor.model import IncidentState
from monitor.web import create_app
from tests.web.still import HOSTILE, NOW, StillView, incident


@pytest.fixture
def view() -> StillView:
    return StillView()


@pytest.fixture
async def client(view: StillView) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=create_app(view), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


class Tags(HTMLParser):
    """Every element and attribute name of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes.update(name for name, _ in attrs)


PAGES = ["/", "/?lang=en", "/incidents", "/incidents/i-1", "/nodes/motcua", "/nodes/hub", "/nodes/tslcd.13285"]


@pytest.mark.parametrize("path", PAGES)
async def test_a_target_cannot_put_markup_on_any_page(view: StillView, client: httpx.AsyncClient, path: str) -> None:
    view.break_motcua()
    answer = await client.get(path)
    assert answer.status_code == 200
    page = Tags(answer.text)
    assert "script" not in page.tags
    assert not any(name.startswith("on") or name == "style" for name in page.attributes)
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "unsafe" not in answer.headers["content-security-policy"]


async def test_when_all_is_well_the_page_says_so_in_one_line(client: httpx.AsyncClient) -> None:
    text = (await client.get("/")).text
    assert "Tất cả thông suốt" in text
    assert "Everything flows" in (await client.get("/?lang=en")).text
    assert '<article class="incident' not in text


async def test_an_incident_shows_whose_since_when_and_how_long_is_left(
    view: StillView, client: httpx.AsyncClient
) -> None:
    view.break_motcua()
    text = (await client.get("/")).text
    assert "Hệ thống một cửa" in text
    assert "còn 03:50:00" in text
    assert "21/11/2026 20:53:00" in text  # 13:53 UTC in the province.
    assert "Đường truyền Phủ Lý" in text
    assert "0229 000 000" in (await client.get("/incidents/i-1")).text


async def test_an_overdue_incident_says_by_how_much(view: StillView, client: httpx.AsyncClient) -> None:
    view.break_motcua()
    view.now_ = NOW.replace(hour=20)
    assert "quá hạn 02:10:00" in (await client.get("/")).text


async def test_a_blind_monitor_says_it_on_every_page(view: StillView, client: httpx.AsyncClient) -> None:
    view.is_connected = False
    for path in ("/", "/incidents", "/nodes/hub"):
        assert "không quan sát được" in (await client.get(path)).text


async def test_the_api_incident_is_the_webhooks_incident(view: StillView, client: httpx.AsyncClient) -> None:
    view.break_motcua()
    found = (await client.get("/api/v1/incidents/i-1")).json()
    assert found["recovery"] == {
        "target_seconds": 14400, "deadline": "2026-11-21T17:53:00Z", "elapsed_seconds": 600, "paused_seconds": 0,
        "remaining_seconds": 13800, "clock": "running",
    }  # fmt: skip
    assert found["url"] == "https://giamsat.example/incidents/i-1"
    assert found["affected_total"] == 1
    schema = json.loads((Path(monitor.notify.__file__).parent / "webhook.schema.json").read_text("utf-8"))
    shape = {**schema, **_incident_schema(schema)}
    jsonschema.validate({key: found[key] for key in shape["properties"]}, shape)


def _incident_schema(schema: dict) -> dict:  # type: ignore[type-arg]
    """The part of the webhook's schema that describes an incident, wherever it stands."""
    stack = [schema]
    while stack:
        part = stack.pop()
        if isinstance(part, dict):
            if "recovery" in part.get("properties", {}):
                return part
            stack.extend(part.values())
        elif isinstance(part, list):
            stack.extend(part)
    raise AssertionError("no incident in the webhook's schema")


async def test_incidents_are_found_by_state_and_node(view: StillView, client: httpx.AsyncClient) -> None:
    view.break_motcua()
    view.closed = [incident(id="i-0", node="hub", state=IncidentState.RESOLVED, resolved_at=NOW)]
    every = (await client.get("/api/v1/incidents")).json()["items"]
    solved = (await client.get("/api/v1/incidents", params={"state": "resolved"})).json()["items"]
    of_hub = (await client.get("/api/v1/incidents", params={"node": "hub"})).json()["items"]
    assert [len(every), [i["id"] for i in solved], [i["id"] for i in of_hub]] == [2, ["i-0"], ["i-0"]]


async def test_nodes_come_in_pages_that_join_without_loss(client: httpx.AsyncClient) -> None:
    found, cursor = [], None
    while True:
        params = {"limit": 1} | ({"cursor": cursor} if cursor else {})
        page = (await client.get("/api/v1/nodes", params=params)).json()
        found += [node["id"] for node in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert found == ["hub", "motcua", "tslcd.13285"]


async def test_what_has_not_changed_is_not_sent_again(client: httpx.AsyncClient) -> None:
    first = await client.get("/api/v1/nodes")
    again = await client.get("/api/v1/nodes", headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


WRONG = [
    ("an unknown node is not found", "/api/v1/nodes/nowhere", 404),
    ("an unknown incident is not found", "/api/v1/incidents/i-9", 404),
    ("an unknown check is not probed", "/probe?target=http://127.0.0.1/", 404),
    ("a probe without a target is refused", "/probe", 422),
    ("a page of a million is refused", "/api/v1/nodes?limit=1000000", 422),
    ("a state that is none is refused", "/api/v1/incidents?state=fine", 422),
    ("a path that is none is not found", "/etc/passwd", 404),
    ("static files stay in their folder", "/static/..%2f..%2fview.py", 404),
]


@pytest.mark.parametrize(("sentence", "path", "status"), WRONG, ids=[c[0] for c in WRONG])
async def test_errors_are_problems(client: httpx.AsyncClient, sentence: str, path: str, status: int) -> None:
    answer = await client.get(path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == status
    assert "Traceback" not in answer.text


async def test_our_own_fault_says_nothing_of_our_inside(view: StillView, client: httpx.AsyncClient) -> None:
    def broken() -> None:
        raise RuntimeError("/secret/path")

    view.vitals = broken  # type: ignore[method-assign,assignment]
    answer = await client.get("/readyz")
    assert answer.status_code == 500
    assert "secret" not in answer.text


async def test_writing_verbs_are_not_there(client: httpx.AsyncClient) -> None:
    for verb in ("POST", "PUT", "DELETE", "PATCH"):
        for path in ("/api/v1/incidents/i-1", "/api/v1/nodes", "/", "/probe?target=motcua/home"):
            assert (await client.request(verb, path)).status_code == 405


async def test_readiness_follows_the_vital_parts(view: StillView, client: httpx.AsyncClient) -> None:
    assert (await client.get("/readyz")).status_code == 200
    view.fine = False
    answer = await client.get("/readyz")
    assert (answer.status_code, answer.json()["vitals"][0]["name"]) == (503, "store")
    assert (await client.get("/healthz")).status_code == 200


async def test_discovery_lists_every_check_once_with_labels(client: httpx.AsyncClient) -> None:
    found = (await client.get("/sd")).json()
    assert sorted(group["targets"][0] for group in found) == ["hub/line", "motcua/home", "tslcd.13285/v4"]
    link = next(group for group in found if group["targets"] == ["tslcd.13285/v4"])
    assert link["labels"]["__meta_thongsuot_carrier"] == "vnpt"
    assert link["labels"]["__meta_thongsuot_kind"] == "icmp"


async def test_a_scrapers_patience_bounds_the_probe(view: StillView, client: httpx.AsyncClient) -> None:
    headers = {"X-Prometheus-Scrape-Timeout-Seconds": "5"}
    answer = await client.get("/probe", params={"target": "motcua/home"}, headers=headers)
    assert answer.text == "probe_success 1\n"
    assert view.probed == [("motcua/home", 4.75)]


async def test_the_description_of_the_api_is_complete(client: httpx.AsyncClient) -> None:
    paths = (await client.get("/api/openapi.json")).json()["paths"]
    assert {
        "/api/v1/nodes",
        "/api/v1/incidents/{incident}",
        "/api/v1/status",
        "/healthz",
        "/readyz",
        "/sd",
        "/probe",
        "/api/v1/heartbeats/{token}",
    } <= set(paths)
    assert all(way.get("summary") for route in paths.values() for way in route.values())


async def test_hostile_text_is_only_text_in_json(view: StillView, client: httpx.AsyncClient) -> None:
    view.break_motcua()
    node = (await client.get("/api/v1/nodes/motcua")).json()
    assert node["detail"] == HOSTILE
    assert node["checks"][0]["last"]["facts"] == {"status": 200.0}
