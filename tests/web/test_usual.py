"""A degradation on the pages and in the API: value, line, and what is normal, in the reader's language."""

from collections.abc import AsyncIterator
from dataclasses import replace

import httpx
import pytest

from monitor.metrics import habits
from monitor.metrics.text import join
from monitor.model import Condition, NodeState, Policy, State
from monitor.web import create_app
from probes import Outcome, Reason, Seen
from tests.web.still import NOW, StillView, incident

LINK, CHECK = "tslcd.13285", "tslcd.13285/v4"
DETAIL = "loss 7% >= 5% over 10m (normal 0%)"


@pytest.fixture
def view() -> StillView:
    """A link that is degraded, and knows what is normal for it."""
    view = StillView()
    line = Condition(fact="loss", op=">=", value=0.05, text="loss >= 5%", unit="ratio")
    slow = Condition(fact="rtt", op=">", value=0.02, times=3, text="rtt > 3 x normal + 20ms", unit="seconds")
    check = replace(view.catalogue.checks[CHECK], policy=Policy(degraded_if=(line, slow)))
    view.catalogue = replace(view.catalogue, checks={**view.catalogue.checks, CHECK: check})
    view.states[LINK] = NodeState(node=LINK, state=State.DEGRADED, since=NOW, detail=DETAIL)
    view.usual[CHECK] = {"loss": 0.0, "rtt": 0.012}
    facts = {"loss": 0.07, "rtt": 0.0605}
    view.seen[CHECK] = Outcome(seen=Seen.OK, reason=Reason.OK, detail="", started_at=NOW, seconds=0.1, facts=facts)
    view.active = [incident(node=LINK, reason=Reason.OK, detail=DETAIL, degradation=True, affected=())]
    return view


@pytest.fixture
async def client(view: StillView) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=create_app(view), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


@pytest.mark.parametrize("path", ["/", f"/nodes/{LINK}", "/incidents/i-1"])
async def test_every_page_says_what_is_ill_and_what_is_normal(client: httpx.AsyncClient, path: str) -> None:
    assert "mất gói 7 %, bình thường 0 % (ngưỡng ≥ 5 % trong 10 phút)" in (await client.get(path)).text
    assert "loss 7%, normally 0% (limit ≥ 5% over 10 min)" in (await client.get(f"{path}?lang=en")).text


async def test_a_node_shows_each_check_beside_its_normal(client: httpx.AsyncClient) -> None:
    text = (await client.get(f"/nodes/{LINK}")).text
    assert "mất gói 7 %, bình thường 0 %" in text
    assert "độ trễ khứ hồi 60,5 ms, bình thường 12 ms" in text


async def test_the_api_has_the_canonical_form_the_words_and_the_figures(client: httpx.AsyncClient) -> None:
    node = (await client.get(f"/api/v1/nodes/{LINK}")).json()
    said = "mất gói 7 %, bình thường 0 % (ngưỡng ≥ 5 % trong 10 phút)"
    assert (node["detail"], node["measured"]) == (DETAIL, said)
    assert (await client.get("/api/v1/incidents/i-1")).json()["measured"] == said
    assert (await client.get(f"/api/v1/checks/{CHECK}")).json()["normal"] == {"loss": 0.0, "rtt": 0.012}


def test_the_normal_is_scraped_only_where_it_is_known(view: StillView) -> None:
    known = {CHECK: {"rtt": 0.012}, "motcua/home": {}, "gone/v4": {"rtt": 1.0}}
    text = join(habits.blocks(view.catalogue, known), openmetrics=False).decode()
    assert [line for line in text.splitlines() if not line.startswith("#")] == [
        'thongsuot_check_normal{check="tslcd.13285/v4",node="tslcd.13285",type="link",fact="rtt"} 0.012'
    ]
    assert join(habits.blocks(view.catalogue, {}), openmetrics=False) == b""
