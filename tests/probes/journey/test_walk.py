"""What a journey carries from step to step, what it keeps to itself, and where it does not go."""

import asyncio
import base64
import json
from urllib.parse import parse_qs, quote, quote_plus

import pytest

from probes.secret import Secret
from tests.probes.http.box import answer, box

PASSWORD = 'mật khẩu+/&"x" 1234'


async def test_variables_stand_where_they_should(go):
    def reply(request):
        if request.target == "/first":
            return answer(b'{"id": "a/b c&d", "n": 7, "yes": true}')
        return answer(b"ok")

    keys = {
        "steps": [
            {"name": "first", "get": "", "extract": {"id": {"json": "$.id"}, "n": {"json": "$.n"}, "yes": {"json": "$.yes"}}},
            {"name": "address", "get": "/x/{id}?n={n}&{{n}}"},
            {"name": "form", "post": "/form", "form": {"{n}": "{id}", "k": "{{id}}"}},
            {"name": "json", "put": "/json", "json": {"a": ["{id}", 1, None], "yes": "{yes}"}},
            {"name": "body", "post": "/body", "body": "<id>{id}</id>", "headers": {"X-Id": "{id}", "Content-Type": "text/xml"}},
            {"name": "drop", "delete": "/x/{n}"},
        ]
    }  # fmt: skip
    async with box(reply) as there:
        keys["base_url"] = there.url("")
        keys["steps"][0]["get"] = "/first"
        outcome = await go(keys)
    assert outcome.detail == "6 steps", outcome
    _, address, form, sent, body, drop = there.asked
    assert address.target == "/x/a%2Fb%20c%26d?n=7&%7Bn%7D"
    assert parse_qs(form.body.decode()) == {"7": ["a/b c&d"], "k": ["{id}"]}
    assert form.value("Content-Type") == "application/x-www-form-urlencoded"
    assert json.loads(sent.body) == {"a": ["a/b c&d", 1, None], "yes": "true"}
    assert (body.body, body.value("X-Id"), body.value("Content-Type")) == (b"<id>a/b c&d</id>", "a/b c&d", "text/xml")
    assert (drop.method, drop.target) == ("DELETE", "/x/7")


WAYS = [
    ("regex", {"regex": "id=(\\w+)"}, b"x id=abc y", {}, "abc"),
    ("regex without a group", {"regex": "id=\\w+"}, b"x id=abc y", {}, "id=abc"),
    ("json", {"json": "$.a[-1].b"}, b'{"a": [{"b": "abc"}]}', {}, "abc"),
    ("css, an attribute", {"css": "form > input[name=t]@value"}, b'<form><input name=t value="a&lt;b"></form>', {}, "a<b"),
    ("css, a text", {"css": "h1.big"}, b"<h1>no</h1><h1 class='x big'> a <b>b</b> </h1>", {}, "a b"),
    ("css, the first that has it", {"css": "a@href"}, b"<a>1</a><a href=/2>2</a>", {}, "/2"),
    ("xpath of XML", {"xpath": "//m:a/@b", "namespaces": {"m": "urn:m"}}, b'<r xmlns="urn:m"><a b="abc"/></r>', {}, "abc"),
    ("xpath that counts", {"xpath": "count(//a)"}, b"<r><a/><a/></r>", {}, "2"),
    ("xpath of a page", {"xpath": "//a[2]/@href"}, b"<a href=1><a href=2>", {"Content-Type": "text/html"}, "2"),
    ("header", {"header": "X-Id"}, b"", {"x-id": "abc"}, "abc"),
    ("a page in windows-1258", {"css": "h1"}, "<h1>Đ</h1>".encode("cp1258"), {"Content-Type": "text/html; charset=windows-1258"}, "Đ"),
    ("a page that says so itself", {"css": "h1"}, '<meta charset="windows-1258"><h1>Đ</h1>'.encode("cp1258"), {}, "Đ"),
    ("Vietnamese in two forms", {"css": "h1"}, "<h1>Tiê\u0301ng</h1>".encode(), {}, "Tiếng"),
]  # fmt: skip


@pytest.mark.parametrize(("sentence", "way", "body", "headers", "value"), WAYS, ids=[case[0] for case in WAYS])
async def test_ways_to_a_variable(go, sentence, way, body, headers, value):
    async with box(lambda request: answer(body, headers=headers)) as there:
        keys = {
            "base_url": there.url(""),
            "steps": [
                {"name": "a", "get": "/", "extract": {"x": way}},
                {"name": "b", "post": "/", "json": {"x": "{x}"}},
            ],
        }
        outcome = await go(keys)
    assert outcome.detail == "2 steps", outcome
    assert json.loads(there.asked[1].body) == {"x": value}


MISSING = [
    ("regex", {"regex": "id=(\\w+)"}, b"nothing", "step", "nothing there for id="),
    ("a group that took no part", {"regex": "a|(b)"}, b"a", "step", "nothing there"),
    ("json", {"json": "$.a.b"}, b'{"a": {}}', "step", "$.a.b: no 'b'"),
    ("an object", {"json": "$.a"}, b'{"a": {}}', "step", "no single value"),
    ("what is not JSON", {"json": "$.a"}, b"<html>", "json", "not JSON"),
    ("brackets without end", {"json": "$.a"}, b"[" * 100_000, "json", "not JSON"),
    ("css", {"css": "input[name=_csrf]@value"}, b"<h1>Error</h1>", "step", "nothing there for input[name=_csrf]@value"),
    ("a page of nothing", {"css": "h1"}, b"", "xpath", "the body is empty"),
    ("xpath", {"xpath": "//a"}, b"<r/>", "step", "nothing there for //a"),
    ("what is not XML", {"xpath": "//a"}, b"{}", "xpath", "not well-formed"),
    ("header", {"header": "X-Id"}, b"", "step", "header X-Id"),
    ("100 KiB of a value", {"regex": "x+"}, b"x" * 100_000, "step", "more than 65536 characters"),
]


@pytest.mark.parametrize(("sentence", "way", "body", "reason", "words"), MISSING, ids=[case[0] for case in MISSING])
async def test_a_variable_that_is_not_to_be_had(go, sentence, way, body, reason, words):
    async with box(answer(body)) as there:
        outcome = await go({"steps": [{"name": "a", "get": there.url(), "extract": {"x": way}}]})
    assert outcome.reason.value == reason
    assert outcome.detail.startswith("step 1 of 1 “a”: variable “x”: ")
    assert words in outcome.detail


async def test_all_variables_have_an_end(go):
    async with box(answer(b"x" * 60_000)) as there:
        ways = {f"x{number}": {"regex": "x+"} for number in range(5)}
        outcome = await go({"steps": [{"name": "a", "get": there.url(), "extract": ways}]})
    assert (outcome.reason.value, "in all variables" in outcome.detail) == ("step", True)


async def test_what_an_answer_gave_cannot_break_a_header(go):
    async with box(answer(b'{"x": "a\\r\\nX-Evil: 1"}')) as there:
        steps = [
            {"name": "a", "get": there.url(), "extract": {"x": {"json": "$.x"}}},
            {"name": "b", "get": there.url(), "headers": {"X": "{x}"}},
        ]
        outcome = await go({"steps": steps})
        assert len(there.asked) == 1
    assert outcome.reason.value == "step"
    assert "control characters" in outcome.detail


def forms(secret):
    return [
        secret,
        quote(secret, safe=""),
        quote_plus(secret),
        base64.b64encode(secret.encode()).decode(),
        json.dumps(secret),
    ]


@pytest.mark.parametrize("form", range(5))
@pytest.mark.parametrize("where", ["header", "location", "json", "fault"])
async def test_a_secret_that_a_target_repeats_is_not_repeated(go, form, where):
    """As it is, percent-encoded, as in a form, in Base64, in JSON."""
    said = forms(PASSWORD)[form]
    replies = {
        "header": answer(b"", headers={"X-Echo": said}),
        "location": answer(b"", 302, {"Location": f"ftp://{said}"}),
        "json": answer(json.dumps({"x": said}).encode()),
        "fault": answer(
            b'<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><s:Fault><faultstring>'
            + said.replace("&", "&amp;").encode()
            + b"</faultstring></s:Fault></s:Body></s:Envelope>"
        ),
    }
    expect = {
        "header": {"header": {"X-Echo": "^never$"}},
        "location": {},
        "json": {"json": '$.x == "never"'},
        "fault": {"xpath": "//never"},
    }
    step = {"name": "a", "post": "", "form": {"p": Secret(PASSWORD)}, "expect": expect[where]}
    async with box(replies[where]) as there:
        outcome = await go({"steps": [{**step, "post": there.url()}]})
    assert outcome.seen.value == "failed"
    for each in (*forms(PASSWORD), PASSWORD[:8], said[:8]):
        assert each not in outcome.detail, outcome.detail


async def test_the_beginning_of_a_secret_that_was_cut_off_is_not_shown_either(go):
    secret = "S" + "0123456789" * 12
    async with box(answer(b"", headers={"X-Echo": secret})) as there:
        step = {"name": "a", "post": there.url(), "body": Secret(secret), "expect": {"header": {"X-Echo": "never"}}}
        outcome = await go({"steps": [step]})
    assert "0123" not in outcome.detail
    assert "<secret>" in outcome.detail


async def test_a_variable_is_concealed_unless_it_may_be_shown(go):
    for may, shown in ((True, False), (False, True)):
        async with box(answer(b'{"x": "HS-2026-0001"}')) as there:
            steps = [
                {"name": "a", "get": there.url(), "extract": {"x": {"json": "$.x", "secret": may}}},
                {"name": "b", "get": there.url(), "expect": {"json": '$.x == "y"'}},
            ]
            outcome = await go({"steps": steps})
        assert ("HS-2026-0001" in outcome.detail) is shown


async def test_cookies_of_one_run_never_reach_another(go):
    """X25: one jar per run; an odd cookie of one system harms nobody."""
    evil = answer(b"", headers=[("Set-Cookie", "k=é; Path=/"), ("Set-Cookie", "k2=v; Domain=.tinh.gov.vn")])
    async with box(evil) as there:
        keys = {"steps": [{"name": "a", "get": there.url("/a")}, {"name": "b", "get": there.url("/b")}]}
        for _ in range(2):
            assert (await go(keys)).detail == "2 steps"
        assert [request.value("Cookie") for request in there.asked] == [None, "k=é", None, "k=é"]


async def test_a_cookie_that_is_taken_back_is_gone(go):
    def reply(request):
        line = {"/a": "s=1; Path=/", "/b": "s=; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT"}.get(request.target)
        return answer(b"", headers=[("Set-Cookie", line)] if line else [])

    async with box(reply) as there:
        await go({"base_url": there.url(""), "steps": [{"name": path, "get": f"/{path}"} for path in "abc"]})
        assert [request.value("Cookie") for request in there.asked] == [None, "s=1", None]


async def test_a_link_of_a_page_is_followed_from_that_page(go):
    def reply(request):
        if request.target == "/in":
            return answer(b"", 302, {"Location": "/deep/er/"})
        return answer(b'<a class=next href="more?x=1&amp;y=2">', headers={"Content-Type": "text/html"})

    async with box(reply) as there:
        steps = [
            {"name": "a", "get": "/in", "extract": {"next": {"css": "a.next@href"}}},
            {"name": "b", "get": "{next}"},
        ]
        assert (await go({"base_url": there.url(""), "steps": steps})).detail == "2 steps"
        assert there.asked[-1].target == "/deep/er/more?x=1&y=2"


@pytest.mark.parametrize(
    "what",
    [{"headers": {"X-Key": Secret("geheim")}}, {"auth": {"bearer": Secret("geheim")}}, {"headers": {"X": "{next}"}}],
)
async def test_what_is_secret_does_not_go_where_an_answer_leads(go, what):
    async with box(answer(b"")) as other:
        async with box(answer(f'<a href="{other.url()}">'.encode())) as there:
            steps = [
                {"name": "a", "get": there.url(), "extract": {"next": {"css": "a@href"}}},
                {"name": "b", "get": "{next}", **what},
            ]
            outcome = await go({"steps": steps})
        assert (outcome.reason.value, other.asked) == ("redirect_blocked", [])
        assert "which no step names, with something secret" in outcome.detail


async def test_an_answer_does_not_lead_to_what_only_we_can_reach(go):
    async with box(answer(b'<a href="http://169.254.169.254/latest">')) as there:
        steps = [
            {"name": "a", "get": there.url(), "extract": {"next": {"css": "a@href"}}},
            {"name": "b", "get": "{next}"},
        ]
        outcome = await go({"steps": steps})
    assert outcome.reason.value == "redirect_blocked"
    assert "169.254.169.254" in outcome.detail


async def test_a_body_with_a_secret_is_not_sent_on_to_another_host(go):
    async with box(answer(b"")) as other, box(answer(b"", 307, {"Location": other.url()})) as there:
        outcome = await go({"steps": [{"name": "a", "post": there.url(), "form": {"p": Secret("geheim")}}]})
        assert (outcome.reason.value, other.asked) == ("redirect_blocked", [])


async def test_what_is_always_taken_tidies_up_and_changes_nothing(go):
    def reply(request):
        return answer(b"", 500 if request.target in ("/b", "/d") else 200, {"X-Id": "7"})

    steps = [
        {"name": "a", "get": "/a", "extract": {"id": {"header": "X-Id"}}},
        {"name": "b", "get": "/b", "extract": {"late": {"header": "X-Id"}}},
        {"name": "c", "get": "/c"},
        {"name": "d", "delete": "/d", "always": True},
        {"name": "e", "delete": "/e/{id}", "always": True},
        {"name": "f", "delete": "/f/{late}", "always": True},
    ]
    async with box(reply) as there:
        outcome = await go({"base_url": there.url(""), "steps": steps})
        assert [request.target for request in there.asked] == ["/a", "/b", "/d", "/e/7"]
    assert outcome.detail == "step 2 of 6 “b”: status 500, expected 2xx"
    assert (outcome.facts["status"], outcome.facts["failed_step"], list(outcome.phases)) == (500, 2, ["a", "b"])


async def test_an_error_of_the_way_names_its_step_too(go, unused_tcp_port):
    async with box(answer(b"")) as there:
        steps = [{"name": "a", "get": there.url()}, {"name": "b", "get": f"http://127.0.0.1:{unused_tcp_port}/"}]
        outcome = await go({"steps": steps})
    assert (outcome.reason.value, outcome.detail) == ("refused", "step 2 of 2 “b”: connection refused")


@pytest.mark.parametrize("silent", [True, False])
async def test_what_goes_wrong_on_the_way_to_a_token_is_told_as_the_tokens(go, unused_tcp_port, silent):
    async def talk(request, writer):
        await asyncio.sleep(5)

    async with box(talk) as issuer:
        port = issuer.port if silent else unused_tcp_port
        oauth2 = {"token_url": f"http://127.0.0.1:{port}/", "client_id": "a", "client_secret": Secret("geheim")}
        outcome = await go({"steps": [{"name": "a", "get": issuer.url(), "auth": {"oauth2": oauth2}}]}, timeout=0.4)
    words = "no answer within 0.4 s in processing" if silent else "connection refused"
    assert outcome.detail == f"step 1 of 1 “a”, token: {words}"


async def test_a_token_that_was_revoked_is_asked_for_again_with_the_same_cookies(go):
    tokens = iter(["first", "second"])

    def reply(request):
        if request.target == "/token":
            return answer(f'{{"access_token": "{next(tokens)}", "expires_in": 300}}'.encode())
        if request.target == "/start":
            return answer(b"", headers={"Set-Cookie": "s=1; Path=/"})
        return answer(b"", 401 if good[0] not in (request.value("Authorization") or "") else 200)

    good = ["first"]
    async with box(reply) as there:
        oauth2 = {"token_url": there.url("/token"), "client_id": "a", "client_secret": Secret("geheim")}
        steps = [{"name": "a", "get": "/start"}, {"name": "b", "get": "/api", "auth": {"oauth2": oauth2}}]
        keys = {"base_url": there.url(""), "steps": steps}
        assert (await go(keys)).detail == "2 steps"
        good[0] = "second"
        assert (await go(keys)).detail == "2 steps"
        assert [request.value("Cookie") for request in there.asked if request.target == "/api"] == ["s=1"] * 3


async def test_a_poll_asks_at_its_pace_and_no_longer_than_it_should(go):
    count = [0]

    def reply(request):
        count[0] += 1
        return answer(b"", 404 if count[0] < 4 else 200)

    async with box(reply) as there:
        step = {"name": "a", "get": there.url(), "expect": {"status": 200}, "poll": {"every": "100ms", "for": "1s"}}
        outcome = await go({"steps": [step]})
        assert outcome.seen.value == "ok"
        assert (count[0], round(outcome.facts["poll_seconds"], 1)) == (4, 0.3)
        count[0] = -100
        outcome = await go({"steps": [{**step, "poll": {"every": "100ms", "for": "300ms"}}]})
    assert (outcome.reason.value, count[0]) == ("status", -96)
