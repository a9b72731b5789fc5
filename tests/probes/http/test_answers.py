"""What comes back, and what a check makes of it: status, version, length, encoding, assertions. Names such as H5 are of the conformance list."""

import gzip
import unicodedata
import zlib

import pytest

from tests.probes.http.box import answer, box, look

LIMIT = 1024


def said(body="", status=200, **headers):
    data = body if isinstance(body, bytes) else body.encode()
    return answer(data, status, {name.replace("_", "-"): value for name, value in headers.items()})


GZ = gzip.compress
CASES = [
    # what the server said (H: the row), its answer, the keys of the check, what must come of it
    ("H1 a 200 is good when nothing is said of status", said(), {}, "ok"),
    ("H2 so is a 201", said(status=201), {}, "ok"),
    ("H3 so is a 299", said(status=299), {}, "ok"),
    ("H4 a 300 is not, redirects not followed", said(status=300), {"redirects": 0}, "status"),
    ("H5 a 404 is not", said("no", 404), {}, "status"),
    ("H6 a 404 that was expected is good", said(status=404), {"expect": {"status": [200, 404]}}, "ok"),
    ("H7 and so is the other one of the list", said(), {"expect": {"status": [200, 404]}}, "ok"),
    ("H8 a list replaces the 2xx", said(status=201), {"expect": {"status": [200, 404]}}, "status"),
    ("H9 only the 404 expected, and it came", said(status=404), {"expect": {"status": [404]}}, "ok"),
    ("H10 only the 404 expected, and a 200 came", said(), {"expect": {"status": 404}}, "status"),
    ("a range of statuses", said(status=301), {"redirects": 0, "expect": {"status": ["2xx", "300-399"]}}, "ok"),
    ("H11 no version asked for", said(), {}, "ok"),
    ("H12 version 1.1 expected", said(), {"expect": {"version": ["1.1"]}}, "ok"),
    ("version 2 expected, 1.1 came", said(), {"expect": {"version": "2"}}, "version"),
    ("version 1.0 came", b"HTTP/1.0 200 OK\r\n\r\nhi", {"expect": {"version": "1.1"}}, "version"),
    ("H18 an unknown coding nobody asked for is passed on", said("x" * 9, Content_Encoding="xxx"), {}, "ok"),
    ("an unknown coding when gzip was asked for", said("x", Content_Encoding="br"), {"compression": "gzip"}, "bad_encoding"),
    ("not the gzip it says", said("x" * 99, Content_Encoding="gzip"), {"compression": "gzip"}, "bad_encoding"),
    ("gzip cut short", said(GZ(b"x" * 999)[:-6], Content_Encoding="gzip"), {"compression": "gzip"}, "bad_encoding"),
    ("raw deflate as some servers send it", said(zlib.compress(b"hello")[2:-4], Content_Encoding="deflate"),
     {"compression": "deflate", "expect": {"body": "^hello$"}}, "ok"),
    ("deflate as the RFC has it", said(zlib.compress(b"hello"), Content_Encoding="deflate"),
     {"compression": "deflate", "expect": {"body": "^hello$"}}, "ok"),
    ("two gzip members one after the other", said(GZ(b"mot ") + GZ(b"cua"), Content_Encoding="gzip"),
     {"compression": "gzip", "expect": {"body": "^mot cua$"}}, "ok"),
    ("H32 a body one byte under the limit", said("x" * (LIMIT - 1)), {"max_body": LIMIT}, "ok"),
    ("a body of exactly the limit", said("x" * LIMIT), {"max_body": LIMIT}, "ok"),
    ("H33 a body one byte over it", said("x" * (LIMIT + 1)), {"max_body": LIMIT}, "body_too_large"),
    ("over the limit, length not told", answer(b"x" * (LIMIT + 1), length=False), {"max_body": LIMIT}, "body_too_large"),
    ("H34 gzip that decodes to one byte under the limit", said(GZ(b"x" * (LIMIT - 1)), Content_Encoding="gzip"),
     {"max_body": LIMIT, "compression": "gzip"}, "ok"),
    ("gzip that decodes to exactly the limit", said(GZ(b"x" * LIMIT), Content_Encoding="gzip"),
     {"max_body": LIMIT, "compression": "gzip"}, "ok"),
    ("H35 gzip that decodes to one byte over it", said(GZ(b"x" * (LIMIT + 1)), Content_Encoding="gzip"),
     {"max_body": LIMIT, "compression": "gzip"}, "body_too_large"),
    ("H37 a 302 that was expected, not followed", said(status=302, Location="/x"),
     {"redirects": 0, "expect": {"status": [302]}}, "ok"),
    ("a 302 without an address is the final answer", said(status=302), {"expect": {"status": 302}}, "ok"),
    ("H46 TLS demanded, plain came", said(), {"expect": {"tls": True}}, "not_tls"),
    ("plain demanded, plain came", said(), {"expect": {"tls": False}}, "ok"),
    ("H49 TLS keys do no harm to plain HTTP", said(), {"tls": {"verify": False, "server_name": "x"}}, "ok"),
    ("H53 two forbidden, none there", said("all well"), {"expect": {"body_not": ["error", "lỗi"]}}, "ok"),
    ("one of the forbidden is there", said("Lỗi kết nối"), {"expect": {"body_not": ["error", "(?i)lỗi"]}}, "body_regex"),
    ("H55 the expected words are there", said("Cổng MỘT CỬA điện tử"), {"expect": {"body": "(?i)một cửa"}}, "ok"),
    ("the same letters in decomposed form", said(unicodedata.normalize("NFD", "một cửa")), {"expect": {"body": "một cửa"}}, "ok"),
    ("H56 two expected, one missing", said("a"), {"expect": {"body": ["a", "b"]}}, "body_regex"),
    ("H57 two expected, both there", said("ab"), {"expect": {"body": ["a", "b"]}}, "ok"),
    ("H58 a rule of JSON is broken", said('{"up": false}'), {"expect": {"json": "$.up == true"}}, "json"),
    ("H59 a rule of JSON holds", said('{"up": true}'), {"expect": {"json": "$.up == true"}}, "ok"),
    ("H60 the key is missing", said("{}"), {"expect": {"json": "$.up == true"}}, "json"),
    ("H61 a bare path that is neither true nor false", said('{"up": "yes"}'), {"expect": {"json": "$.up"}}, "json"),
    ("a bare path that is true", said('{"up": true}'), {"expect": {"json": "$.up"}}, "ok"),
    ("H63 the document is a text", said('"up"'), {"expect": {"json": '$ == "up"'}}, "ok"),
    ("H63 the document is a list", said("[1, 2]"), {"expect": {"json": "len($) == 2"}}, "ok"),
    ("H63 the document is true", said("true"), {"expect": {"json": "$"}}, "ok"),
    ("H64 an empty body is not JSON", said(""), {"expect": {"json": "$.up"}}, "json"),
    ("H65 neither is an emoji", said("😀"), {"expect": {"json": "$.up"}}, "json"),
    ("brackets without end", said("[" * 100_000), {"expect": {"json": "$.up"}}, "json"),
    ("a number of 20,000 digits", said("9" * 20_000), {"expect": {"json": "$ > 1"}}, "json"),
    ("H66 an emoji compared with an emoji", said('{"a": "😀"}'), {"expect": {"json": "$.a == '😀'"}}, "ok"),
    ("H66 an emoji compared with another", said('{"a": "😀"}'), {"expect": {"json": "$.a == '😁'"}}, "json"),
    ("H69 a forbidden header has another value", said(Server="nginx"), {"expect": {"header_not": {"server": "IIS"}}}, "ok"),
    ("a forbidden header has that value", said(Server="IIS"), {"expect": {"header_not": {"Server": "IIS"}}}, "header"),
    ("H71 an empty header matches anything", said(X_A=""), {"expect": {"header_not": {"X-A": ".*"}}}, "header"),
    ("H72 a header must be there to be judged", said(),
     {"expect": {"header_not": {"X-A": {"regex": "b", "allow_missing": False}}}}, "header"),
    ("H73 or need not", said(), {"expect": {"header_not": {"X-A": {"regex": "b", "allow_missing": True}}}}, "ok"),
    ("H74 the second of two cookies is forbidden", answer(headers=[("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")]),
     {"expect": {"header_not": {"set-cookie": "^b="}}}, "header"),
    ("H75 an expected header is right", said(Server="nginx"), {"expect": {"header": {"SERVER": "^nginx$"}}}, "ok"),
    ("H76 an expected header is wrong", said(Server="IIS"), {"expect": {"header": {"server": "nginx"}}}, "header"),
    ("H77 an expected header is empty, and anything will do", said(X_A=""), {"expect": {"header": {"X-A": ".*"}}}, "ok"),
    ("H78 an expected header is missing", said(), {"expect": {"header": {"X-A": "b"}}}, "header"),
    ("H78 and may be", said(), {"expect": {"header": {"X-A": {"regex": "b", "allow_missing": True}}}}, "ok"),
    ("H79 one of two values is right", answer(headers=[("X-A", "a"), ("X-A", "b")]), {"expect": {"header": {"X-A": "b"}}}, "ok"),
    ("a page that is too small", said("x"), {"expect": {"size": "> 10B"}}, "body_size"),
    ("a page of the right size", said("x" * 20), {"expect": {"size": ["> 10B", "< 1KiB"]}}, "ok"),
    ("H96 a 404, with what it was", said(status=404), {"expect": {"status": "2xx"}}, "status"),
    ("an answer to HEAD has no body, whatever its length says", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", {"method": "HEAD"}, "ok"),
    ("a 204 has none either", b"HTTP/1.1 204 No\r\n\r\n", {}, "ok"),
    ("early hints come before the answer", b"HTTP/1.1 103 E\r\nLink: x\r\n\r\n" + said("hi"), {"expect": {"body": "^hi$"}}, "ok"),
    ("a chunked body", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n", {"expect": {"body": "^hi$"}}, "ok"),
    ("X20 lines that end with LF alone", b"HTTP/1.1 200 OK\nContent-Length: 2\n\nhi", {"expect": {"body": "^hi$"}}, "ok"),
    ("X23 a charset that nobody knows", said("một cửa", Content_Type="text/html; charset=bogus-7"), {"expect": {"body": "một"}}, "ok"),
    ("X23 a charset that is Python's but no text's", said("hi", Content_Type="text/html; charset=zip"), {"expect": {"body": "hi"}}, "ok"),
    ("X24 bytes that are no UTF-8", said(b"\xff\xfeok\xc3", ), {"expect": {"body": "."}}, "ok"),
    ("X24 UTF-16 with its mark", said("một cửa".encode("utf-16")), {"expect": {"body": "một cửa"}}, "ok"),
    ("X24 Latin-1 as declared", said("café".encode("latin-1"), Content_Type="text/plain; charset=ISO-8859-1"), {"expect": {"body": "café"}}, "ok"),
    ("X24 Latin-1 as not declared", said("café au lait".encode("latin-1")), {"expect": {"body": "au lait"}}, "ok"),
]  # fmt: skip


@pytest.mark.parametrize(("sentence", "reply", "keys", "reason"), CASES, ids=[case[0] for case in CASES])
async def test_answer(sentence, reply, keys, reason, workbench):
    async with box(reply) as server:
        outcome = await look(workbench, {"url": server.url(), **keys})
    assert outcome.reason == reason, outcome
    assert outcome.seen == ("ok" if reason == "ok" else "failed")


LENGTHS = [
    ("H16 identity", said("x" * 110, Content_Encoding="identity"), {}, 200, 110, 110),
    ("H19 a 404 with a body", said("x" * 30, 404), {}, 404, 30, 30),
    ("H21 deflate that nobody asked for", said(zlib.compress(b"x" * 500), Content_Encoding="deflate"), {}, 200, None, None),
    ("H23 gzip, asked for", said(GZ(b"x" * 500), Content_Encoding="gzip"), {"compression": "gzip"}, 200, len(GZ(b"x" * 500)), 500),
    ("H31 gzip that nobody asked for", said(GZ(b"x" * 500), Content_Encoding="gzip"), {}, 200, len(GZ(b"x" * 500)), len(GZ(b"x" * 500))),
    ("H35 gzip over the limit stops exactly there", said(GZ(b"x" * 5000), Content_Encoding="gzip"),
     {"compression": "gzip", "max_body": 4096}, 200, len(GZ(b"x" * 5000)), 4096),
]  # fmt: skip


@pytest.mark.parametrize(
    ("sentence", "reply", "keys", "status", "wire", "decoded"), LENGTHS, ids=[c[0] for c in LENGTHS]
)
async def test_lengths_are_recorded(sentence, reply, keys, status, wire, decoded, workbench):
    async with box(reply) as server:
        outcome = await look(workbench, {"url": server.url(), **keys})
    facts = outcome.facts
    assert facts["status"] == status
    assert wire is None or facts["wire_bytes"] == wire
    assert facts["body_bytes"] == (facts["wire_bytes"] if decoded is None else decoded)


async def test_an_answer_tells_what_it_was(workbench):
    async with box(said("hi", 404)) as server:
        outcome = await look(workbench, {"url": server.url(), "expect": {"body": "hi"}})
    assert outcome.detail == "status 404, expected 2xx"
    assert outcome.facts.items() >= {
        "status": 404, "http_version": 1.1, "redirects": 0, "ip_version": 4, "tls": 0, "content_length": 2, "failed_due_to_regex": 0,
    }.items()  # fmt: skip
    async with box(said("hi")) as server:
        outcome = await look(workbench, {"url": server.url(), "expect": {"body": "ho"}})
    assert outcome.facts["failed_due_to_regex"] == 1


async def test_phases_are_all_there_and_no_longer_than_the_whole(workbench):
    async with box(said("hi")) as server:
        outcome = await look(workbench, {"url": server.url()})
    assert set(outcome.phases) == {"connect", "processing", "transfer"}
    assert all(seconds >= 0 for seconds in outcome.phases.values())
    assert sum(outcome.phases.values()) <= outcome.facts["seconds"] <= outcome.seconds
