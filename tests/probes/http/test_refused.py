"""What a check may not ask for is refused before anything is sent, with words that say what would be right."""

import pytest
from pydantic import ValidationError

from probes.secret import Secret
from tests.probes.http.box import SPEC

URL = "http://a.vn/"
SECRET = Secret("s")

CASES = [
    # the keys of the check, where the error must point, words it must have
    ("no address", {}, "url", "required"),
    ("an address without a scheme", {"url": "a.vn"}, "", "http://"),
    ("another scheme", {"url": "ftp://a.vn/"}, "", "http://"),
    ("no host", {"url": "http:///x"}, "", "name of a host"),
    ("port 65536", {"url": "http://a.vn:65536/"}, "", "not an address"),
    ("port 0", {"url": "http://a.vn:0/"}, "", "port 0"),
    ("a space", {"url": "http://a.vn/a b"}, "", "percent-encoded"),
    ("a password in the file", {"url": "http://u:p@a.vn/"}, "", "env:NAME"),
    ("a proxy's password in the file", {"url": URL, "proxy": "http://u:p@a.vn:3128"}, "", "env:NAME"),
    ("a proxy over TLS", {"url": URL, "proxy": "https://a.vn:3128"}, "", "plain HTTP"),
    ("an unknown key", {"url": URL, "methud": "GET"}, "methud", "unexpected"),
    ("H15 HTTP/3", {"url": URL, "version": "3"}, "version", "1.1 and 2"),
    ("H15 HTTP/3 among those expected", {"url": URL, "expect": {"version": ["1.1", "2", "3"]}}, "expect.version", "1.1"),
    ("a method with a space", {"url": URL, "method": "GET /"}, "method", "not a method"),
    ("CONNECT", {"url": URL, "method": "CONNECT"}, "method", "proxy"),
    ("H83 a Host and another server name", {"url": URL, "headers": {"Host": "b.vn"}, "tls": {"server_name": "c.vn"}}, "", "Host"),
    ("H82 a header twice in two cases", {"url": URL, "headers": {"Accept": "a", "accept": "b"}}, "", "twice"),
    ("a header with a line end", {"url": URL, "headers": {"X-A": "a\r\nX-B: b"}}, "", "control characters"),
    ("a header's name with a colon", {"url": URL, "headers": {"X:A": "a"}}, "", "name of a header"),
    ("a length of one's own", {"url": URL, "headers": {"Content-Length": "9"}}, "", "wire"),
    ("an Authorization in the file", {"url": URL, "headers": {"authorization": "Basic x"}}, "", "env:NAME"),
    ("Authorization and auth", {"url": URL, "headers": {"Authorization": SECRET}, "auth": {"bearer": SECRET}}, "", "one of them"),
    ("two ways to log in", {"url": URL, "auth": {"bearer": SECRET, "basic": {"user": "a", "password": SECRET}}}, "auth", "exactly one"),
    ("no way to log in", {"url": URL, "auth": {}}, "auth", "exactly one"),
    ("a password in the file", {"url": URL, "auth": {"basic": {"user": "a", "password": "b"}}}, "auth.basic.password", "Secret"),
    ("a body and a file", {"url": URL, "body": "a", "body_file": "b"}, "", "one of them"),
    ("a file that is not there", {"url": URL, "body_file": "/nowhere/b"}, "", "No such file"),
    ("-1 redirects", {"url": URL, "redirects": -1}, "redirects", "greater"),
    ("a body limit without sense", {"url": URL, "max_body": "potato"}, "max_body", "potato"),
    ("status 99", {"url": URL, "expect": {"status": [99]}}, "expect.status", "99"),
    ("status 4x", {"url": URL, "expect": {"status": "4x"}}, "expect.status", "2xx"),
    ("statuses the wrong way round", {"url": URL, "expect": {"status": "399-300"}}, "expect.status", "100 to 599"),
    ("a status that is true", {"url": URL, "expect": {"status": True}}, "expect.status", ""),
    ("no status at all", {"url": URL, "expect": {"status": []}}, "expect.status", "leave the key out"),
    ("a bad expression", {"url": URL, "expect": {"body": "(a"}}, "expect.body.0", "regular expression"),
    ("X41 an expression that looks back", {"url": URL, "expect": {"body_not": r"(a)\1"}}, "expect.body_not.0", "regular expression"),
    ("a bad expression for a header", {"url": URL, "expect": {"header": {"X": "["}}}, "expect.header.X.0.regex", "regular expression"),
    ("a rule that is no rule", {"url": URL, "expect": {"json": "total >= 0"}}, "expect.json", "$.path op literal"),
    ("a rule with half a path", {"url": URL, "expect": {"json": "$.a[ == 1"}}, "expect.json", ""),
    ("H99 a rule with a potato", {"url": URL, "expect": {"json": "$.total < potato"}}, "expect.json", "potato"),
    ("a length of nothing", {"url": URL, "expect": {"json": "len($.a)"}}, "expect.json", "comparison"),
    ("an order among booleans", {"url": URL, "expect": {"json": "$.a < true"}}, "expect.json", "compares"),
    ("a bad expression in a rule", {"url": URL, "expect": {"json": '$.a =~ "("'}}, "expect.json", "regular expression"),
    ("a size without an operator", {"url": URL, "expect": {"size": "1MiB"}}, "expect.size", "< 1MiB"),
    ("H99 a size of a potato", {"url": URL, "expect": {"size": "< potato"}}, "expect.size", "potato"),
    ("a key without its certificate", {"url": URL, "tls": {"key": "k.pem"}}, "tls", "cert"),
    ("an issuer of tokens that is no address", {"url": URL, "auth": {"oauth2": {"token_url": "x", "client_id": "a", "client_secret": SECRET}}},
     "auth.oauth2", "http://"),
]  # fmt: skip


@pytest.mark.parametrize(("sentence", "keys", "where", "words"), CASES, ids=[case[0] for case in CASES])
def test_refused(sentence, keys, where, words):
    with pytest.raises(ValidationError) as caught:
        SPEC.validate_python(keys)
    errors = caught.value.errors()
    places = [".".join(map(str, error["loc"])) for error in errors]
    assert any(place.startswith(where) for place in places), places
    assert words.lower() in " ".join(error["msg"] for error in errors).lower()


def test_a_spec_shows_no_secret():
    spec = SPEC.validate_python(
        {
            "url": Secret("http://u:passw0rd@a.vn/"),
            "headers": {"X-Key": Secret("k3yk3y")},
            "body": Secret("b0dy"),
            "proxy": Secret("http://u:pr0xy@a.vn:1"),
        }
    )
    assert not any(word in repr(spec) for word in ("passw0rd", "k3yk3y", "b0dy", "pr0xy", "dTpwYXNz"))


def test_specs_written_alike_are_equal_and_the_schema_has_every_key():
    keys = {"url": URL, "expect": {"status": [200, "3xx"], "body": "a", "json": ["$.a == 1"], "header": {"X": "b"}}}
    assert SPEC.validate_python(keys) == SPEC.validate_python(keys)
    assert SPEC.validate_python(keys) != SPEC.validate_python(keys | {"method": "HEAD"})
    schema = SPEC.json_schema()
    assert not any(name.startswith("_") for name in schema["properties"])
    assert {"url", "auth", "expect", "tls", "max_body"} <= set(schema["properties"])
