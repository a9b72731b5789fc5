"""What goes out: methods, headers, bodies, logins, and what is sent again after a redirect. Names such as H41 are of the conformance list."""

import asyncio
import base64
import json
import socket

import pytest

import probes
from probes.contract import Address
from probes.secret import Secret
from probes.tools import Workbench
from tests.probes.http.box import SPEC, answer, box, look, now

BASIC = "Basic " + base64.b64encode(b"lan:mat:khau").decode()

CASES = [
    # the keys of the check, what the server must have seen
    ("H41 a POST", {"method": "post"}, {"method": "POST", "Content-Length": "0"}),
    ("H42 basic", {"auth": {"basic": {"user": "lan", "password": Secret("mat:khau")}}}, {"Authorization": BASIC}),
    ("H43 bearer", {"auth": {"bearer": Secret("t0k3n")}}, {"Authorization": "Bearer t0k3n"}),
    ("H44 a body", {"method": "PUT", "body": "một"}, {"body": "một".encode(), "Content-Length": "5"}),
    ("H80 headers of one's own", {"headers": {"Host": "motcua.vn", "User-Agent": "x/1", "Accept-Language": "vi"}},
     {"Host": "motcua.vn", "User-Agent": "x/1", "Accept-Language": "vi"}),
    ("H81 a user agent with a version", {}, {"User-Agent": "thongsuot/0.1"}),
    ("H82 names in any case", {"headers": {"user-agent": "x/1", "HOST": "a.vn", "content-TYPE": "text/x"}, "body": "x"},
     {"User-Agent": "x/1", "Host": "a.vn", "Content-Type": "text/x"}),
    ("H30 gzip, with an Accept-Encoding of one's own", {"compression": "gzip", "headers": {"Accept-Encoding": "*"}}, {"Accept-Encoding": "*"}),
    ("gzip asked for", {"compression": "gzip"}, {"Accept-Encoding": "gzip"}),
    ("nothing asked for", {}, {"Accept-Encoding": "identity", "Connection": "close"}),
    ("a header that is a secret", {"headers": {"X-Api-Key": Secret("k3y")}}, {"X-Api-Key": "k3y"}),
]  # fmt: skip


@pytest.mark.parametrize(("sentence", "keys", "seen"), CASES, ids=[case[0] for case in CASES])
async def test_request(sentence, keys, seen, workbench):
    async with box(answer()) as server:
        outcome = await look(workbench, {"url": server.url(), **keys})
    assert outcome.seen == "ok", outcome
    request = server.asked[0]
    for name, value in seen.items():
        assert (getattr(request, name) if name in ("method", "body") else request.value(name)) == value


async def test_h45_a_body_from_a_file(workbench, tmp_path):
    (tmp_path / "soap.xml").write_bytes(b"<x>\x00\xff</x>")
    async with box(answer()) as server:
        keys = {"url": server.url(), "method": "POST", "body_file": str(tmp_path / "soap.xml")}
        spec = await asyncio.to_thread(SPEC.validate_python, keys)  # Files are read when a configuration is.
        await probes.run("http", spec, workbench, timeout=2)
    assert server.asked[0].body == b"<x>\x00\xff</x>"


URLS = [
    ("H88 no path", "http://127.0.0.1:{port}", "/"),
    ("H89 the scheme in any case", "HtTp://127.0.0.1:{port}/a", "/a"),
    ("H92 what is encoded stays so", "http://127.0.0.1:{port}/a%3Ab%2f?c=%20&d", "/a%3Ab%2f?c=%20&d"),
    ("a fragment stays here", "http://127.0.0.1:{port}/a#b?c", "/a"),
    ("letters beyond ASCII", "http://127.0.0.1:{port}/hồ-sơ?q=một", "/h%E1%BB%93-s%C6%A1?q=m%E1%BB%99t"),
    ("X39 a name with its final dot", "http://LOCALHOST.:{port}/", "/"),
]  # fmt: skip


@pytest.mark.parametrize(("sentence", "url", "target"), URLS, ids=[case[0] for case in URLS])
async def test_url(sentence, url, target, workbench):
    async with box(answer()) as server:
        outcome = await look(workbench, {"url": url.format(port=server.port), "family": "ipv4"})
    assert outcome.seen == "ok", outcome
    assert server.asked[0].target == target


async def test_x39_an_ipv6_address(workbench):
    async with box(answer(), host="::1") as server:
        outcome = await look(workbench, {"url": server.url(host="[::1]")})
    assert outcome.facts["ip_version"] == 6
    assert server.asked[0].value("Host") == f"[::1]:{server.port}"


async def test_x40_credentials_in_an_address_are_used_and_never_shown(workbench):
    async with box(lambda request: answer(request.value("Authorization").encode(), 403)) as server:
        url = Secret(f"http://lan:mat%3akhau@127.0.0.1:{server.port}/")
        outcome = await look(workbench, {"url": url, "expect": {"status": 403, "json": "$.x"}})
    assert server.asked[0].value("Authorization") == BASIC
    assert outcome.reason == "json"
    assert "<secret>" in outcome.detail
    assert BASIC[6:] not in repr(outcome)


async def test_h95_a_target_that_repeats_a_secret_does_not_make_us_show_it(workbench):
    async with box(lambda request: answer(headers={"X-Echo": request.value("Authorization")})) as server:
        keys = {"url": server.url(), "auth": {"bearer": Secret("t0k3nt0k3n")}, "expect": {"header": {"X-Echo": "^no$"}}}
        outcome = await look(workbench, keys)
    assert outcome.reason == "header"
    assert "t0k3n" not in outcome.detail


# Redirects.


def to(place, status=302, **headers):
    return answer(b"", status, {"Location": place, **headers})


async def test_h38_the_eleventh_redirect_is_one_too_many(workbench):
    async with box(lambda request: to(f"/{int(request.target[1:] or 0) + 1}")) as server:
        outcome = await look(workbench, {"url": server.url()})
    assert (outcome.reason, outcome.facts["status"], outcome.facts["redirects"]) == ("too_many_redirects", 302, 10)
    assert [request.target for request in server.asked][-1] == "/10"


async def test_x29_a_loop_of_two_shares_one_deadline(workbench):
    async def slow(request, writer):
        await asyncio.sleep(0.1)
        writer.write(to("/b" if request.target == "/a" else "/a"))

    async with box(slow) as server:
        outcome = await look(workbench, {"url": server.url("/a")}, timeout=0.45)
        assert (outcome.reason, outcome.seconds < 0.7) == ("timeout", True)
        outcome = await look(workbench, {"url": server.url("/a"), "redirects": 3}, timeout=2)
        assert outcome.reason == "too_many_redirects"


async def test_h40_a_cookie_set_on_the_way_is_sent_on(workbench):
    def reply(request):
        if request.target == "/":
            return answer(b"", 302, [("Location", "/in"), ("Set-Cookie", "s=é1; Path=/; HttpOnly"), ("Set-Cookie", "t=2; Path=/other"),
                                     ("Set-Cookie", "u=3; Secure"), ("Set-Cookie", "v=4; Domain=vn"), ("Set-Cookie", "w=5; Max-Age=0")])  # fmt: skip
        return answer()

    async with box(reply) as server:
        assert (await look(workbench, {"url": server.url()})).seen == "ok"
        assert server.asked[1].value("Cookie") == "s=é1"
        assert (await look(workbench, {"url": server.url("/in")})).seen == "ok"
        assert server.asked[2].value("Cookie") is None, "a jar lives as long as its run"


METHODS = [
    ("301 turns a POST into a GET", 301, "POST", "GET", b""),
    ("303 turns a PUT into a GET", 303, "PUT", "GET", b""),
    ("307 sends it again", 307, "POST", "POST", b"x"),
    ("308 sends it again", 308, "PUT", "PUT", b"x"),
    ("HEAD stays HEAD", 303, "HEAD", "HEAD", b"x"),
]


@pytest.mark.parametrize(("sentence", "status", "method", "then", "body"), METHODS, ids=[case[0] for case in METHODS])
async def test_method_after_a_redirect(sentence, status, method, then, body, workbench):
    async with box(lambda request: to("/b", status) if request.target == "/" else answer()) as server:
        await look(workbench, {"url": server.url(), "method": method, "body": "x"})
    assert (server.asked[1].method, server.asked[1].body) == (then, body)


async def test_x31_another_host_gets_no_secret(workbench):
    keys = {
        "auth": {"basic": {"user": "lan", "password": Secret("mat")}},
        "headers": {"X-Key": Secret("k3y"), "Accept-Language": "vi", "Host": "motcua.vn"},
    }
    async with box(answer()) as other, box(lambda r: to(other.url()) if r.target == "/" else answer()) as first:
        assert (await look(workbench, {"url": first.url(), **keys})).seen == "ok"
        assert (await look(workbench, {"url": first.url("/same"), **keys})).seen == "ok"
    (strange,) = other.asked
    assert strange.value("Authorization") is strange.value("X-Key") is None
    assert (strange.value("Accept-Language"), strange.value("Host")) == ("vi", f"127.0.0.1:{other.port}")
    assert first.asked[1].value("X-Key") == "k3y"


BLOCKED = [
    ("from a public host to our own", "203.0.113.7", "127.0.0.1", False, "redirect_blocked"),
    ("from a private host to our own", "10.1.2.3", "127.0.0.1", False, "redirect_blocked"),
    ("to our own, when a check names it", "10.1.2.3", "127.0.0.1", True, "ok"),
]


@pytest.mark.parametrize(("sentence", "ip", "leads", "named", "reason"), BLOCKED, ids=[case[0] for case in BLOCKED])
async def test_x32_a_redirect_reaches_no_host_that_only_we_can(sentence, ip, leads, named, reason, monkeypatch):
    """The first hop's address is the one thing pretended: a public one cannot be had here."""
    from probes import httpplan

    kind = httpplan.publicness
    monkeypatch.setattr(httpplan, "publicness", lambda _: kind(Address(socket.AF_INET, ip)))
    async with (
        Workbench(now, allowed_hosts=lambda host: named and host == leads) as workbench,
        box(answer()) as inner,
        box(lambda _: to(inner.url())) as first,
    ):
        outcome = await look(workbench, {"url": first.url()})
    assert outcome.reason == reason
    assert len(inner.asked) == (reason == "ok")


# A token first.


def tokens(status=200, body=None, log=None):
    def reply(request):
        return answer(json.dumps(body or {"access_token": "abc", "expires_in": 3600}).encode(), status)

    return reply


def oauth(server, **more):
    return {
        "auth": {
            "oauth2": {"token_url": server.url("/token"), "client_id": "a:b", "client_secret": Secret("ß c"), **more}
        }
    }


async def test_oauth2_fetches_a_token_once_and_times_it_apart(workbench):
    async with box(tokens()) as issuer, box(answer()) as api:
        first = await look(workbench, {"url": api.url(), **oauth(issuer, scope="doc read")})
        second = await look(workbench, {"url": api.url(), **oauth(issuer, scope="doc read")})
    assert (first.seen, second.seen) == ("ok", "ok")
    (asked,) = issuer.asked
    assert asked.value("Authorization") == "Basic " + base64.b64encode(b"a%3Ab:%C3%9F+c").decode()
    assert asked.body == b"grant_type=client_credentials&scope=doc+read"
    assert [request.value("Authorization") for request in api.asked] == ["Bearer abc"] * 2
    assert "token" in first.phases
    assert "token" not in second.phases
    assert first.facts["seconds"] + first.phases["token"] <= first.seconds


async def test_oauth2_asks_again_when_a_kept_token_is_refused(workbench):
    names = iter(["old", "new", "newer"])
    async with (
        box(lambda _: answer(json.dumps({"access_token": next(names)}).encode())) as issuer,
        box(lambda r: answer(b"", 200 if revoked not in r.value("Authorization") else 401)) as api,
    ):
        revoked = "nothing"
        assert (await look(workbench, {"url": api.url(), **oauth(issuer)})).seen == "ok"
        revoked = "old"
        assert (await look(workbench, {"url": api.url(), **oauth(issuer)})).seen == "ok"
        revoked = "new"
        assert (await look(workbench, {"url": api.url(), **oauth(issuer)})).reason == "status", "newer is refused too"


TOKENS = [
    ("the issuer refuses us", tokens(401, {"error": "invalid_client"}), "auth"),
    ("the issuer talks nonsense", lambda _: answer(b"hello"), "auth"),
    ("the issuer gives no token", tokens(body={"token_type": "bearer"}), "auth"),
    ("the token has a line end in it", tokens(body={"access_token": "a\r\nX: y"}), "auth"),
    ("the issuer dies", lambda _: b"", "empty_reply"),
]


@pytest.mark.parametrize(("sentence", "reply", "reason"), TOKENS, ids=[case[0] for case in TOKENS])
async def test_oauth2_without_a_token(sentence, reply, reason, workbench):
    async with box(reply) as issuer, box(answer()) as api:
        outcome = await look(workbench, {"url": api.url(), **oauth(issuer)})
    assert (outcome.reason, api.asked) == (reason, [])
