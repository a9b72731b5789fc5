"""httpx over the wire: a client's jar, forms and redirects, with the wire's caps, phases and reasons."""

import gzip
import json

import httpx
import pytest

from probes.contract import ProbeError
from probes.errors import classify
from probes.tools import Tools, Workbench
from probes.transport import WireTransport
from probes.wire.client import Route
from probes.wire.url import parse
from tests.probes.http.box import answer, box, now


def portal(request):
    """A login form: the cookie of the page and the right password, or nothing."""
    if request.target == "/login" and request.method == "GET":
        return answer(b'<input name="_csrf" value="77">', headers={"Set-Cookie": "sid=abc; Path=/; HttpOnly"})
    if request.method == "POST":
        good = request.body == b"_csrf=77&user=lan" and request.value("Cookie") == "sid=abc"
        return answer(b"", 303 if good else 403, {"Location": "/home"})
    if request.target == "/packed":
        return answer(gzip.compress(b"x" * 5000), headers={"Content-Encoding": "gzip"})
    if request.target == "/away":
        return answer(b"", 302, {"Location": "http://169.254.169.254/"})
    return answer(json.dumps({"cookie": request.value("Cookie"), "coding": request.value("Accept-Encoding")}).encode())


@pytest.fixture
async def tools():
    import asyncio

    async with Workbench(now) as workbench:
        yield Tools(workbench, asyncio.get_running_loop().time() + 5)


def client(server, tools, **keys):
    route = Route(url=parse(server.url()), **keys)
    return httpx.AsyncClient(
        transport=WireTransport(route, tools), base_url=server.url(), follow_redirects=True, trust_env=False
    )


async def test_a_login_by_form(tools):
    async with box(portal) as server, client(server, tools, decode=True) as http:
        assert "_csrf" in (await http.get("/login")).text
        page = await http.post("/login", data={"_csrf": "77", "user": "lan"})
    assert page.json() == {"cookie": "sid=abc", "coding": "gzip, deflate"}
    assert page.extensions["wire"].status == 200
    assert set(tools.phases) == {"connect", "processing", "transfer"}
    assert server.connections == 3
    assert server.asked[0].values("Host") == [f"127.0.0.1:{server.port}"]


async def test_a_packed_page_is_unpacked_once_and_under_the_cap(tools):
    async with box(portal) as server:
        async with client(server, tools, decode=True) as http:
            assert (await http.get("/packed")).text == "x" * 5000
        async with client(server, tools, decode=True, max_body=1000) as http:
            with pytest.raises(ProbeError) as caught:
                await http.get("/packed")
    assert classify(caught.value).reason == "body_too_large"


async def test_a_redirect_to_what_only_we_can_reach_is_blocked(tools):
    async with box(portal) as server, client(server, tools) as http:
        with pytest.raises(ProbeError) as caught:
            await http.get("/away")
    assert classify(caught.value).reason == "redirect_blocked"


async def test_a_refusal_keeps_its_number(tools):
    async with box(portal) as server:
        pass
    async with client(server, tools) as http:
        with pytest.raises(ProbeError) as caught:
            await http.get("/")
    assert classify(caught.value).reason == "refused"
