"""What a journey may not say is refused before anything is sent, with words that say what would be right."""

import pytest
from pydantic import ValidationError

from probes.secret import Secret
from tests.probes.journey.house import SPEC

GET = {"name": "a", "get": "http://a.vn/"}


def one(**keys):
    return {"steps": [{"name": "a", **keys}]}


def after(**keys):
    """A step after one that gives `x`."""
    return {"steps": [{**GET, "name": "first", "extract": {"x": {"json": "$.x"}}}, {"name": "a", **keys}]}


def extract(**way):
    return one(get="http://a.vn/", extract={"x": way})


CASES = [
    # the keys, words that the refusal must have
    ("no steps", {"steps": []}, "at least 1"),
    ("seventeen steps", {"steps": [{**GET, "name": str(number)} for number in range(17)]}, "at most 16"),
    ("a step without a name", {"steps": [{"get": "http://a.vn/"}]}, "name"),
    ("a name of two lines", {"steps": [{**GET, "name": "a\nb"}]}, "one line"),
    ("two steps of one name", {"steps": [GET, GET]}, "step 2 “a”: another step has this name"),
    ("no verb", one(), "exactly one of get, post, put and delete with its address; none is there"),
    ("two verbs", one(get="http://a.vn/", post="http://a.vn/"), "here are get and post"),
    ("an unknown key", one(get="http://a.vn/", expects={}), "unexpected"),
    ("form, json and body", one(post="http://a.vn/", form={"a": "b"}, json={}, body="x"), "form and json and body: give one of them"),
    ("a form with a get", one(get="http://a.vn/", form={"a": "b"}), "a get sends nothing"),
    ("poll without expect", one(get="http://a.vn/", poll={"every": "1s", "for": "5s"}), "poll: without expect"),
    ("poll for less than once", one(get="http://a.vn/", expect={"status": 200}, poll={"every": "5s", "for": "1s"}), "shorter than every"),
    ("poll without a unit", one(get="http://a.vn/", expect={"status": 200}, poll={"every": 5, "for": "9s"}), "unit of time"),
    ("a variable that nobody gives", one(get="http://a.vn/{id}"), "{id} is not known here: no step before it extracts id"),
    ("a variable that its own step gives", one(get="http://a.vn/{x}", extract={"x": {"json": "$.x"}}), "{x} is not known here"),
    ("an unknown variable deep in JSON", after(post="http://a.vn/", json={"a": [{"b": "{y}"}]}), "{y} is not known here"),
    ("an unknown variable in a header", after(get="http://a.vn/", headers={"X-A": "{y}"}), "{y} is not known here"),
    ("a variable as the host", after(get="http://{x}.vn/"), "a variable stands for a whole address at its beginning, or for a part"),
    ("a relative address without a base", one(get="/login"), "begin with https://, or say base_url"),
    ("another scheme", one(get="ftp://a.vn/"), "is no address"),
    ("a base that is no address", {"base_url": "a.vn", "steps": [GET]}, "base_url: "),
    ("a base with a user", {"base_url": Secret("http://u:p@a.vn"), "steps": [GET]}, "use auth"),
    ("a password in an address", one(get="http://u:p@a.vn/"), "env:NAME"),
    ("a Cookie of one's own", one(get="http://a.vn/", headers={"cookie": Secret("a=b")}), "the jar's own business"),
    ("an Authorization in the file", one(get="http://a.vn/", headers={"Authorization": "Basic x"}), "env:NAME"),
    ("a variable by two ways", extract(json="$.x", css="a"), "exactly one of regex, json, css, xpath and header"),
    ("a variable by no way", extract(), "exactly one of"),
    ("a variable named run", one(get="http://a.vn/", extract={"run": {"json": "$.x"}}), "is not a name for a variable"),
    ("a variable with a dash", one(get="http://a.vn/", extract={"a-b": {"json": "$.x"}}), "is not a name for a variable"),
    ("a bad expression", extract(regex="(a"), "regular expression"),
    ("a rule for a path", extract(json="$.x > 1"), "takes a path alone"),
    ("a bad selector", extract(css="a["), "not a CSS selector"),
    ("a selector that looks inside", extract(css="form:has(input)"), ":has()"),
    ("a selector without end", extract(css="a " * 17), "16 steps"),
    ("a bad XPath", extract(xpath="//a["), "not an XPath"),
    ("namespaces without XPath", extract(css="a", namespaces={"x": "urn:x"}), "namespaces: they are for xpath"),
    ("an expectation that is none", one(get="http://a.vn/", expect={"json": "total"}), "$.path op literal"),
]  # fmt: skip


@pytest.mark.parametrize(("sentence", "keys", "words"), CASES, ids=[case[0] for case in CASES])
def test_refused(sentence, keys, words):
    with pytest.raises(ValidationError) as caught:
        SPEC.validate_python(keys)
    assert (
        words.lower() in " ".join(error["msg"] for error in caught.value.errors()).lower() + str(caught.value).lower()
    )


GOOD = [
    ("the run's own names", one(get="http://a.vn/{run}?at={now}")),
    ("braces that are no variables", one(post="http://a.vn/", body='{"a": {"b": 1}} {{x}} {1}')),
    ("an address out of an answer", after(get="{x}")),
    ("an address out of an answer with more behind it", after(get="{x}/more")),
    ("a bearer out of an answer", after(get="http://a.vn/", headers={"Authorization": "Bearer {x}"})),
    ("an address by reference", one(get=Secret("http://u:p@a.vn/"))),
]


@pytest.mark.parametrize(("sentence", "keys"), GOOD, ids=[case[0] for case in GOOD])
def test_accepted(sentence, keys):
    SPEC.validate_python(keys)


def test_a_spec_shows_no_secret():
    spec = SPEC.validate_python(
        {
            "base_url": Secret("http://hidden.vn"),
            "steps": [
                {"name": "a", "post": "/x", "form": {"p": Secret("passw0rd")}, "headers": {"X": Secret("k3yk3y")}},
                {"name": "b", "post": "/x", "json": {"deep": [Secret("j5onj5on")]}},
            ],
        }
    )
    shown = repr(spec) + str(spec)
    for secret in ("hidden.vn", "passw0rd", "k3yk3y", "j5onj5on"):
        assert secret not in shown
