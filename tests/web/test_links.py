"""The grid of links: everything is on it, in its place, in words; what is not known is never well; and nobody's name is markup."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from html import unescape
from typing import Any, cast

import httpx
import jsonschema
import pytest
from fastapi import FastAPI

from monitor.model import CheckState, Effect, State, Witness
from monitor.web import View, create_app
from probes import Reason, Seen
from tests.web.communes import GOOD, MINUTE, SILENT, Province, echo, every_state, link, round_of
from tests.web.still import HOSTILE, NOW, StillView
from tests.web.test_web import Tags


class Stand:
    """A view that is whichever daemon a test puts there: one application serves them all."""

    def __init__(self) -> None:
        self.here: StillView = Province(0)
        self.app: FastAPI | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.here, name)


STAND = Stand()


@pytest.fixture(autouse=True, scope="module")
def app() -> None:
    STAND.app = create_app(cast(View, STAND))


@asynccontextmanager
async def looking(view: StillView) -> AsyncIterator[httpx.AsyncClient]:
    STAND.here = view
    assert STAND.app is not None
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=STAND.app), base_url="http://test") as client:
        yield client


async def page(view: StillView, query: str = "") -> str:
    async with looking(view) as client:
        answer = await client.get(f"/links{query}")
        assert answer.status_code == 200, answer.text
        return answer.text


async def api(view: StillView, query: str = "") -> dict[str, Any]:
    async with looking(view) as client:
        answer = await client.get(f"/api/v1/links{query}")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found


def tiles(text: str) -> dict[str, tuple[str, str]]:
    """Each tile's classes and words, by the node it leads to."""
    found = {}
    for classes, inside in re.findall(r'<li class="tile ([^"]*)">(.*?)</li>', text, re.DOTALL):
        node = re.search(r'href="/nodes/([^"?]*)', inside)
        assert node is not None
        found[node[1]] = (classes, " ".join(unescape(re.sub(r"<[^>]*>", " ", inside)).split()))
    return found


async def test_all_129_are_on_the_page_each_with_its_figures_and_its_carrier() -> None:
    found = tiles(await page(Province()))
    assert len(found) == 129
    assert found["c.1"] == ("up", "● Xã Số 001 Viettel Hoạt động 19:03 0 % 12 ms ±0,4 MOS 4,4")
    assert found["c.2"] == ("up", "● Xã Số 002 VNPT Hoạt động 19:03 ● IPv6 0 % 12 ms ±0,4 MOS 4,4")


TILES = [
    ("nothing comes back: the loss and the reason", "c.3", "down", "■ Xã Số 003 Viettel Gián đoạn 20:53 100 % không có gói trả lời"),
    ("so much is lost that it is down: its figures", "c.5", "down", "■ Xã Số 005 Viettel Gián đoạn 20:53 70 % 12 ms ±0,4 MOS 4,4"),
    ("an ill link", "c.10", "degraded", "▲ Xã Số 010 VNPT Suy giảm 20:53 ● IPv6 7,5 % 12 ms ±0,4 MOS 3,5"),
    ("something above it is down, and what", "c.21", "unreachable", "◇ Xã Số 021 Viettel Không tới được 20:53 do Điểm tập trung"),
    ("we could not look: not known, no figure", "c.30", "unknown", "? Xã Số 030 VNPT Chưa xác định 20:53 ● IPv6 máy giám sát mất mạng"),
    ("no address yet: not known, and why", "c.40", "unknown", "? Xã Số 040 VNPT Chờ địa chỉ"),
    ("announced work", "c.50", "up resting", "● Xã Số 050 VNPT Hoạt động – Bảo trì ● IPv6 0 % 12 ms ±0,4 MOS 4,4"),
    ("old figures say that they are, and of when", "c.60", "up old", "● Xã Số 060 VNPT Hoạt động 19:03 ● IPv6 cũ 20:54: 0 % 12 ms"),
]  # fmt: skip


@pytest.mark.parametrize(("sentence", "node", "classes", "said"), TILES, ids=[case[0] for case in TILES])
async def test_a_tile_says(sentence: str, node: str, classes: str, said: str) -> None:
    assert tiles(await page(every_state()))[node] == (classes, said)


async def test_what_is_not_known_is_nowhere_well() -> None:
    view = Province()
    for number in range(129):
        view.judge(number, State.UNKNOWN, round_of(seen=Seen.BLIND, reason=Reason.OWN_NETWORK))
        view.seen.pop(f"c.{number}/v6", None)
        view.judged.clear()
    text = await page(view)
    assert "Đường truyền: 0/129 thông" in text
    shown = tiles(text)
    assert len(shown) == 129
    assert not any("up" in classes.split() or "●" in words for classes, words in shown.values())


async def test_a_check_that_is_blind_says_nothing_good_of_its_line() -> None:
    view = Province()
    view.judged["c.2/v6"] = CheckState(check="c.2/v6", state=State.UP, blind_since=NOW)
    assert "? IPv6" in tiles(await page(view))["c.2"][1]


async def test_a_second_line_that_is_lost_is_seen_on_a_tile_that_works() -> None:
    view = Province()
    view.seen["c.2/v6"], view.judged["c.2/v6"] = SILENT, CheckState(check="c.2/v6", state=State.DOWN)
    view.seen["c.4/v6"] = round_of(**GOOD | {"loss": 0.2})
    shown = tiles(await page(view))
    assert "■ IPv6 0 %" in shown["c.2"][1]
    assert "● IPv6 20 %" in shown["c.4"][1]


async def test_a_second_path_is_a_second_line_and_a_port_near_us_is_none() -> None:
    view = Province(4)
    more = {
        f"c.1/{name}": replace(echo(f"c.1/{name}"), effect=Effect.NONE, witness=witness)
        for name, witness in (("near", Witness.NEAR_PORT), ("duong_hai", Witness.SECOND_PATH))
    }
    view.seen |= dict.fromkeys(more, SILENT)
    view.judged["c.1/duong_hai"] = CheckState(check="c.1/duong_hai", state=State.DOWN)
    view.change(1, checks=(*more, "c.1/v4"))
    view.catalogue = replace(view.catalogue, checks={**view.catalogue.checks, **more})
    assert tiles(await page(view))["c.1"][1] == "● Xã Số 001 Viettel Hoạt động 19:03 ■ kênh 2 0 % 12 ms ±0,4 MOS 4,4"


async def test_before_the_first_round_and_without_an_echo_check_there_are_no_figures() -> None:
    view = Province()
    view.seen.pop("c.1/v4")
    view.change(3, checks=())
    shown = tiles(await page(view))
    assert shown["c.1"][1].endswith("chưa có số đo")
    assert shown["c.3"][1].endswith("không đo chất lượng")


async def test_the_counts_stand_on_top_and_on_the_front_page() -> None:
    view = every_state()
    text = " ".join(re.sub(r"<[^>]*>", " ", await page(view)).split())
    assert "Đường truyền: 122/129 thông" in text
    assert "Cần chú ý 8" in text
    assert "Viettel 61/64 VNPT 61/65" in text
    async with looking(view) as client:
        front = " ".join(re.sub(r"<[^>]*>", " ", (await client.get("/")).text).split())
        assert (
            "Đường truyền: 122/129 thông · 1 ▲ Suy giảm · 2 ■ Gián đoạn · 3 ◇ Không tới được · 2 ? Chưa xác định"
            in front
        )
        assert 'href="/links?lang=vi"' in (await client.get("/incidents")).text


async def test_the_order_is_by_former_province_district_and_name_and_keeps_when_links_fail() -> None:
    view = Province(12)
    view.change(0, labels={**link(0).labels, "commune_name": "Phường Đông A"})
    view.change(3, labels={**link(3).labels, "commune_name": "Phường Ất"})
    view.change(6, labels={**link(6).labels, "commune_name": "Phường Bình"})
    before = list(tiles(await page(view)))
    assert before == ["c.1", "c.4", "c.7", "c.10", "c.3", "c.6", "c.0", "c.9", "c.2", "c.5", "c.8", "c.11"]
    view.judge(9, State.DOWN, SILENT)
    assert list(tiles(await page(view))) == before


async def test_a_link_without_district_region_or_carrier_stands_last() -> None:
    view = Province(6)
    view.change(0, labels={}, carrier="")
    view.change(1, labels={"region": "Hà Nam"})
    text = await page(view)
    assert list(tiles(text)) == ["c.4", "c.3", "c.1", "c.2", "c.5", "c.0"]
    assert "Đường truyền TSLCD Xã Số 000" in tiles(text)["c.0"][1]
    assert "Chưa rõ địa bàn" in text
    assert "Chưa rõ nhà mạng" in text
    assert list(tiles(await page(view, "?carrier="))) == ["c.0"]
    assert list(tiles(await page(view, "?district="))) == ["c.1", "c.0"]


FILTERS = [
    ("one carrier", "?carrier=viettel", 64),
    ("two carriers are alternatives", "?carrier=viettel&carrier=vnpt", 129),
    ("a district", "?district=Huyện+Kim+Sơn", 43),
    ("a district of a carrier", "?district=Huyện+Kim+Sơn&carrier=vnpt", 22),
    ("a former province", "?region=Hà+Nam", 86),
    ("what is down", "?state=down", 2),
    ("all that is not well", "?state=down&state=unreachable&state=degraded&state=unknown", 8),
    ("nothing fits", "?carrier=x", 0),
]


@pytest.mark.parametrize(("sentence", "query", "count"), FILTERS, ids=[case[0] for case in FILTERS])
async def test_a_filter_shows(sentence: str, query: str, count: int) -> None:
    view = every_state()
    text, found = await page(view, query), await api(view, query)
    assert len(tiles(text)) == len(found["items"]) == count
    assert f"Đang lọc: {count} đường truyền" in text
    assert "Đường truyền: 122/129 thông" in text, "the counts are of all"
    assert (found["total"], found["working"]) == (129, 122)
    assert ("Không có đường truyền nào như vậy" in text) is (count == 0)


async def test_the_other_language_keeps_the_filter() -> None:
    view = every_state()
    text = await page(view, "?carrier=viettel&state=down&lang=en")
    assert "Links: 122 of 129 work" in text
    assert tiles(text)["c.3"][1] == "■ Xã Số 003 Viettel Down 20:53 100% no reply"
    assert 'href="?carrier=viettel&amp;state=down&amp;lang=vi"' in text


async def test_a_tile_leads_to_its_incident_and_one_below_a_fault_to_the_incident_of_its_root() -> None:
    text = await page(every_state())
    assert 'href="/incidents/i-c.3?lang=vi">Gián đoạn</a>' in text
    assert text.count('href="/incidents/i-hub?lang=vi">do Điểm tập trung</a>') == 3 + 1, (
        "three tiles, and the sum of them on top"
    )
    assert "◇ 3 do Điểm tập trung" in " ".join(re.sub(r"<[^>]*>", " ", text).split())
    view = every_state()
    view.active.clear()
    assert (await page(view)).count('href="/nodes/hub?lang=vi">do Điểm tập trung</a>') == 3 + 1


async def test_names_of_others_are_text_wherever_they_stand() -> None:
    view = every_state()
    evil = f'"{HOSTILE}&amp;<b>'
    labels = {"commune_name": evil, "region": evil, "district": evil}
    view.change(3, labels=labels, name=evil, carrier=evil)
    view.change(5, labels=labels, carrier=evil, checks=("c.5/v4", f"c.5/{evil}"))
    view.catalogue = replace(view.catalogue, checks={**view.catalogue.checks, f"c.5/{evil}": echo(f"c.5/{evil}")})
    view.catalogue = replace(
        view.catalogue, nodes={**view.catalogue.nodes, "hub": replace(view.catalogue.nodes["hub"], name=evil)}
    )
    for query in ("", "?lang=en", "?" + str(httpx.QueryParams({"district": evil, "carrier": evil, "region": evil}))):
        text = await page(view, query)
        marks = Tags(text)
        assert not marks.tags & {"script", "img", "style", "form"}
        assert not any(name.startswith("on") or name == "style" for name in marks.attributes)
        assert evil not in text
        assert tiles(text)["c.3"][1].startswith(f"■ {evil} {evil}")


async def test_a_configuration_without_links_says_so() -> None:
    view = Province(0)
    assert "Cấu hình chưa có đường truyền nào" in await page(view)
    async with looking(view) as client:
        assert "Đường truyền:" not in (await client.get("/")).text
    found = await api(view)
    assert (found["total"], found["items"], found["carriers"]) == (0, [], [])


async def test_a_reload_and_a_new_day_are_seen_at_once() -> None:
    view = Province(3)
    view.change(1, checks=())
    async with looking(view) as client:

        async def now() -> dict[str, tuple[str, str]]:
            return tiles((await client.get("/links")).text)

        assert "19:03" in (await now())["c.1"][1]
        view.now_ = NOW + timedelta(hours=20)
        assert "21/11" in (await now())["c.1"][1]
        view.change(1, carrier="vnpt")
        assert "VNPT" in (await now())["c.1"][1]
        view.catalogue = replace(view.catalogue, parties={})
        assert "vnpt" in (await now())["c.1"][1]
        view.wait(2)
        assert "Chờ địa chỉ" in (await now())["c.2"][1]
        view.catalogue = replace(view.catalogue, waiting={})
        assert list(await now()) == ["c.1", "c.0"]


async def test_a_grid_is_drawn_once_and_then_only_what_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    view = Province()
    drawn: list[str] = []

    async with looking(view) as client:
        assert (await client.get("/links")).status_code == 200
        monkeypatch.setattr("monitor.web.links_page.Markup", lambda text: drawn.append(text) or text)
        await client.get("/links")
        assert drawn == []
        view.judge(7, State.DOWN, SILENT)
        await client.get("/links?state=down")
        await client.get("/links")
    assert len(drawn) == 1


# --- the API ----------------------------------------------------------------------------------------------------------


async def test_the_api_gives_the_same_figures() -> None:
    view = every_state()
    found = {item["id"]: item for item in (await api(view))["items"]}
    assert len(found) == 129
    assert found["c.2"]["figures"][0] == {
        "check": "c.2/v4", "family": "ipv4", "state": "up", "seen": "ok", "reason": "ok", "at": "2026-11-21T14:02:30Z", "stale": False,
        "loss": 0.0, "rtt_seconds": 0.0123, "jitter_seconds": 0.00042, "mos": 4.39,
    }  # fmt: skip
    assert [each["family"] for each in found["c.2"]["figures"]] == ["ipv4", "ipv6"]
    lost = found["c.3"]
    assert (lost["state"], lost["incident"], lost["figures"][0]["loss"]) == ("down", "i-c.3", 1.0)
    assert [lost["figures"][0][name] for name in ("rtt_seconds", "jitter_seconds", "mos")] == [None, None, None]
    assert (found["c.21"]["blamed_on"], found["c.21"]["incident"]) == ("hub", "i-hub")
    assert (found["c.40"]["waiting_for_address"], found["c.40"]["state"], found["c.40"]["figures"]) == (
        True,
        "unknown",
        [],
    )
    assert (found["c.50"]["maintenance"], found["c.60"]["figures"][0]["stale"]) == (True, True)
    assert found["c.30"]["figures"][0]["loss"] is None
    assert (found["c.1"]["region"], found["c.1"]["district"], found["c.1"]["commune"]) == (
        "Hà Nam",
        "Huyện Lý Nhân",
        "1",
    )


async def test_the_api_answers_what_its_description_says() -> None:
    view = every_state()
    view.change(0, labels={}, carrier="")
    async with looking(view) as client:
        described = (await client.get("/api/openapi.json")).json()
    way = described["paths"]["/api/v1/links"]["get"]
    assert {each["name"] for each in way["parameters"]} == {"carrier", "region", "district", "state", "cursor", "limit"}
    shape = way["responses"]["200"]["content"]["application/json"]["schema"]
    body = await api(view)
    jsonschema.validate(body, {**shape, "components": described["components"]})
    name = shape["$ref"].rpartition("/")[2]
    assert set(body) == set(described["components"]["schemas"][name]["properties"])
    item = described["components"]["schemas"]["LinkObject"]["properties"]
    assert set(body["items"][0]) == set(item)


async def test_the_api_pages_and_knows_what_the_asker_has() -> None:
    view = Province(5)
    first = await api(view, "?limit=3")
    rest = await api(view, f"?limit=3&cursor={first['next']}")
    assert [len(first["items"]), len(rest["items"]), rest["next"]] == [3, 2, None]
    assert {item["id"] for item in first["items"] + rest["items"]} == {f"c.{n}" for n in range(5)}
    async with looking(view) as client:
        etag = (await client.get("/api/v1/links")).headers["etag"]
        assert (await client.get("/api/v1/links", headers={"if-none-match": etag})).status_code == 304
        view.judge(1, State.DOWN, SILENT)
        assert (await client.get("/api/v1/links", headers={"if-none-match": etag})).status_code == 200


@pytest.mark.parametrize(
    "path",
    ["/links?state=fine", "/api/v1/links?state=fine", "/links?" + "carrier=x&" * 60, "/links?district=" + "x" * 300],
    ids=["a state that is none", "the same for the API", "sixty carriers", "a long name"],
)
async def test_a_filter_that_is_none_is_a_problem(path: str) -> None:
    async with looking(Province(1)) as client:
        answer = await client.get(path)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"


async def test_figures_are_old_after_three_rounds_and_not_before() -> None:
    view = Province(1)
    for age, old in ((3 * MINUTE, False), (3 * MINUTE + timedelta(seconds=1), True)):
        view.seen["c.0/v4"] = round_of(NOW - age, **GOOD)
        assert (await api(view))["items"][0]["figures"][0]["stale"] is old
