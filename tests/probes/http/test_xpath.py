"""`expect.xpath`: what it can say, SOAP Faults, and XML that means harm: bounded in time, with a reason, and nothing outside is looked at."""

import asyncio
import time

import pytest
from pydantic import ValidationError

from probes import css, xml, xpathrule
from probes.contract import ProbeError
from tests.probes.http.box import SPEC, answer, box, look

SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
SOAP12 = "http://www.w3.org/2003/05/soap-envelope"
XML = {"Content-Type": "text/xml; charset=utf-8"}


def envelope(inner, space=SOAP):
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<e:Envelope xmlns:e="{space}"><e:Body>{inner}</e:Body></e:Envelope>'.encode()


GOOD = envelope(
    '<v:Pong xmlns:v="urn:v"><v:State>UP</v:State><v:Queue> 12 </v:Queue><v:Ready>true</v:Ready><v:Item n="1"/><v:Item n="2"/></v:Pong>'
)
FAULT = envelope("<e:Fault><faultcode>e:Server</faultcode><faultstring>hết\n thời\x85 gian</faultstring></e:Fault>")
FAULT12 = envelope(
    "<e:Fault><e:Code><e:Value>e:Receiver</e:Value></e:Code><e:Reason><e:Text xml:lang='vi'>quá tải</e:Text></e:Reason></e:Fault>",
    SOAP12,
)

RULES = [
    # the rule, what breaks (nothing: it holds)
    ('//v:State == "UP"', ""),
    ("//v:State == 'UP'", ""),
    ('//v:State != "UP"', "got 'UP'"),
    ('//v:State =~ "^(UP|IDLE)$"', ""),
    ('//v:State !~ "UP"', "got 'UP'"),
    ("//v:Queue <= 12", ""),
    ("//v:Queue > 12", "got '12'"),
    ("//v:State > 1", "(INVALID) not a number, got 'UP'"),
    ("//v:Ready == true", ""),
    ("//v:Ready == false", "got 'true'"),
    ("//v:State == true", "(INVALID) not true or false"),
    ("//v:Missing == 1", "(INVALID) nothing there"),
    ("count(//v:Item) == 2", ""),
    ("count(//v:Item) > 2", "got 2"),
    ("//v:Item[2]/@n == 2", ""),
    ("//v:Item[last()]/@n == 1", "got '2'"),
    ("//v:Item/@n == 1", ""),  # Of several the first.
    ("//v:Pong", ""),
    ("//v:Missing", "not so"),
    ("not(//v:Missing)", ""),
    ("//v:Item[@n = 3]", "not so"),
    ("//v:State = 'UP' and //v:Queue < 20", ""),
    ("//v:Item/@n = //v:Queue", "not so"),
    ("string-length(//v:State) == 2", ""),
    ("sum(//v:Item/@n) >= 3", ""),
    ("number(//v:State)", "not so"),
    ("/soap:Envelope/soap:Body/v:Pong", ""),
    ("//soap12:Body", "not so"),
    ("//*[local-name() = 'State'] == \"UP\"", ""),
    ('concat(//v:State, " == ", 1) == "UP == 1"', ""),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "broken"), RULES, ids=[case[0] for case in RULES])
def test_rules(rule, broken):
    said = xpathrule.parse(rule, {"v": "urn:v"}).broken(xml.read(GOOD, [b"text/xml"]))
    assert said is None if not broken else broken in (said or "")


ANSWERS = [
    # what is answered, the reason, words that the detail must have
    ("what was asked for", answer(GOOD, headers=XML), ['//v:State == "UP"', "count(//v:Item) == 2"], "ok", ""),
    ("another state", answer(GOOD, headers=XML), ['//v:State == "UP"', '//v:State == "DOWN"'], "xpath", "got 'UP'"),
    ("a Fault of SOAP 1.1 in a 200", answer(FAULT, headers=XML), '//v:State == "UP"', "soap_fault",
     "status 200 with a SOAP Fault: e:Server: hết thời gian"),
    ("a Fault of SOAP 1.2 in a 200", answer(FAULT12, headers=XML), '//v:State == "UP"', "soap_fault", "e:Receiver: quá tải"),
    ("a Fault with its own status", answer(FAULT, 500, XML), '//v:State == "UP"', "soap_fault", "status 500 with a SOAP Fault"),
    ("a Fault without a word", answer(envelope("<e:Fault/>"), headers=XML), "//v:State", "soap_fault", "without a word"),
    ("a Fault that was asked for", answer(FAULT, headers=XML), '//soap:Fault/faultcode == "e:Server"', "ok", ""),
    ("a Fault that was asked not to be", answer(FAULT, headers=XML), "not(//soap:Fault)", "xpath", "not so"),
    ("a Fault in another place", answer(b"<Fault/>", headers=XML), "//Fault", "ok", ""),
    ("another status", answer(GOOD, 503, XML), '//v:State == "UP"', "status", "503"),
    ("another status with a page", answer(b"<h1>502", 502, {"Content-Type": "text/html"}), "//v:State", "status", "502"),
    ("JSON", answer(b'{"State": "UP"}', headers=XML), "//v:State", "xpath", "not well-formed"),
    ("nothing", answer(b"", headers=XML), "//v:State", "xpath", "the body is empty"),
    ("half of it", answer(GOOD[:-20], headers=XML), "//v:State", "xpath", "not well-formed"),
    ("a page", answer(b"<!doctype html><p class=a>ok<br>", headers={"Content-Type": "text/html"}), '//p[@class="a"] == "ok"', "ok", ""),
]  # fmt: skip


@pytest.mark.parametrize(("sentence", "data", "rules", "reason", "words"), ANSWERS, ids=[case[0] for case in ANSWERS])
async def test_answers(workbench, sentence, data, rules, reason, words):
    async with box(data) as there:
        outcome = await look(workbench, {"url": there.url(), "expect": {"xpath": rules, "namespaces": {"v": "urn:v"}}})
    assert outcome.reason.value == reason
    assert words in outcome.detail
    assert outcome.detail.isprintable()


async def test_nobody_looks_for_a_fault_who_does_not_read_xml(workbench):
    async with box(answer(FAULT, headers=XML)) as there:
        assert (await look(workbench, {"url": there.url()})).reason.value == "ok"


def laughs(inner="&i;"):
    entities = "".join(
        f'<!ENTITY {chr(97 + level)} "{f"&{chr(96 + level)};" * 10 if level else "lol"}">' for level in range(9)
    )
    return f'<?xml version="1.0"?><!DOCTYPE a [{entities}]><a>{inner}</a>'.encode()


HOSTILE = [
    # what comes, the reason, words
    ("a billion laughs", laughs(), "xpath", "DOCTYPE"),
    ("laughs in an attribute", laughs('<b c="&i;"/>'), "xpath", "DOCTYPE"),
    ("quadratic blow-up", b'<!DOCTYPE a [<!ENTITY x "' + b"x" * 50_000 + b'">]><a>' + b"&x;" * 5_000 + b"</a>", "xpath", "DOCTYPE"),
    ("a file of ours", b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>', "xpath", "DOCTYPE"),
    ("a parameter entity", b'<!DOCTYPE a [<!ENTITY % x SYSTEM "http://127.0.0.1:9/x.dtd"> %x;]><a/>', "xpath", "DOCTYPE"),
    ("a DOCTYPE behind a comment", b"<!-- <a> --> <?pi?>\n<!DOCTYPE a><a/>", "xpath", "DOCTYPE"),
    ("a DOCTYPE in UTF-16", '<?xml version="1.0" encoding="utf-16"?><!DOCTYPE a><a/>'.encode("utf-16"), "xpath", "DOCTYPE"),
    ("a DOCTYPE in UTF-16 without a mark", "<?xml version='1.0'?><!DOCTYPE a><a/>".encode("utf-16-le"), "xpath", "DOCTYPE"),
    ("a DOCTYPE in UTF-7", b'<?xml version="1.0" encoding="UTF-7"?>+ADwAIQ-DOCTYPE a+AD4-<a/>', "xpath", "utf-7"),
    ("a DOCTYPE in EBCDIC", '<?xml version="1.0" encoding="cp037"?><!DOCTYPE a><a/>'.encode("cp037"), "xpath", "not"),
    ("an encoding that is none", b'<?xml version="1.0" encoding="rot13"?><a/>', "xpath", "rot13"),
    ("an encoding that zips", b'<?xml version="1.0" encoding="zlib"?><a/>', "xpath", "zlib"),
    ("bytes of another encoding", '<?xml version="1.0" encoding="UTF-8"?><a>é</a>'.encode("latin-1"), "xpath", "not utf-8"),
    ("an entity that nobody declared", b"<a>&x;</a>", "xpath", "not well-formed"),
    ("7,000 levels", b"<a>" * 7_000 + b"</a>" * 7_000, "xpath", "depth"),
    ("100,000 elements", b"<r>" + b"<a/>" * 60_000 + b"</r>", "body_too_large", "no more than 15000"),
    ("30,000 attributes", b"<r " + b" ".join(b'a%d=""' % number for number in range(25_000)) + b"/>", "body_too_large", "no more than"),
    ("an attribute twice", b'<r a="1" a="2"/>', "xpath", "not well-formed"),
    ("two roots", b"<a/><b/>", "xpath", "not well-formed"),
    ("a NUL", b"<a>\0</a>", "xpath", "not well-formed"),
    ("nothing but a mark", b"\xef\xbb\xbf", "xpath", "not well-formed"),
]  # fmt: skip


@pytest.mark.parametrize(("sentence", "body", "reason", "words"), HOSTILE, ids=[case[0] for case in HOSTILE])
async def test_hostile(workbench, sentence, body, reason, words):
    async with box(answer(body, headers={"Content-Type": "application/xml"})) as there:
        keys = {"url": there.url(), "max_body": "1MiB", "expect": {"xpath": ['//a == "x"', "//a//b"]}}
        began = time.process_time()
        outcome = await look(workbench, keys)
    assert outcome.reason.value == reason
    assert words in outcome.detail.lower() or words in outcome.detail
    assert time.process_time() - began < 0.5
    assert "root:" not in outcome.detail


FINE = [
    ("an attribute of 64 KiB", b'<r a="' + b"x" * 65_536 + b'"/>', "string-length(/r/@a) == 65536"),
    ("a text of 200 KiB", b"<r>" + b"x" * 200_000 + b"</r>", "string-length(/r) == 200000"),
    ("250 levels", b"<a>" * 250 + b"x" + b"</a>" * 250, 'string(/a) == "x"'),
    ("UTF-16", '<?xml version="1.0" encoding="utf-16"?><r>Bắc</r>'.encode("utf-16"), '/r == "Bắc"'),
    ("windows-1258", '<?xml version="1.0" encoding="windows-1258"?><r>Đ</r>'.encode("cp1258"), '/r == "Đ"'),
    ("Content-Type decides (RFC 7303)", '<?xml version="1.0" encoding="windows-1258"?><r>Bắc</r>'.encode(), '/r == "Bắc"'),
    ("decomposed letters", "<r>Tiê\u0301ng</r>".encode(), '/r == "Tiếng"'),
    ("CDATA with a DOCTYPE in it", b"<r><![CDATA[<!DOCTYPE a>&x;]]></r>", 'starts-with(/r, "<!DOCTYPE")'),
    ("comments between texts", b"<r>a<!-- x -->b</r>", '/r == "ab"'),
]  # fmt: skip


@pytest.mark.parametrize(("sentence", "body", "rule"), FINE, ids=[case[0] for case in FINE])
def test_odd_but_fine(sentence, body, rule):
    said = [b"text/xml; charset=utf-8"] if "Content-Type" in sentence else [b"text/xml"]
    assert xpathrule.parse(rule).broken(xml.read(body, said)) is None


def related(*parts, boundary="uuid:1"):
    pieces = [f"--{boundary}\r\n".encode() + part + b"\r\n" for part in parts]
    return b"".join(pieces) + f"--{boundary}--\r\n".encode()


ROOT = b"Content-Type: application/xop+xml; charset=UTF-8\r\nContent-ID: <root>\r\n\r\n"
PARTS = [
    ("an attachment behind it", related(ROOT + GOOD, b"Content-ID: <a>\r\n\r\n\x00\xff<x>"), 'boundary="uuid:1"', "ok"),
    ("words before it", b"This is MIME\r\n" + related(ROOT + GOOD), "boundary=uuid:1", "ok"),
    ("a Fault in it", related(ROOT + FAULT), 'boundary="uuid:1"', "soap_fault"),
    ("another boundary", related(ROOT + GOOD), 'boundary="other"', "xpath"),
    ("no boundary", related(ROOT + GOOD), "", "xpath"),
    ("a part without an end", related(ROOT + GOOD)[:-30], 'boundary="uuid:1"', "xpath"),
    ("a part without a head", b"--uuid:1\r\n", 'boundary="uuid:1"', "xpath"),
]


@pytest.mark.parametrize(("sentence", "body", "boundary", "reason"), PARTS, ids=[case[0] for case in PARTS])
async def test_soap_with_attachments(workbench, sentence, body, boundary, reason):
    headers = {"Content-Type": f'multipart/related; type="application/xop+xml"; start="<root>"; {boundary}'}
    async with box(answer(body, headers=headers)) as there:
        expect = {"xpath": '//v:State == "UP"', "namespaces": {"v": "urn:v"}}
        assert (await look(workbench, {"url": there.url(), "expect": expect})).reason.value == reason


@pytest.mark.parametrize("kind", ["", "text/plain", "text/html"])
def test_a_page_is_a_page_whatever_it_is_called(kind):
    document = xml.read(b"\n<!DOCTYPE html><p>a<br>b", [kind.encode()] if kind else [])
    assert xpathrule.parse('//p == "ab"').broken(document) is None


TRAPS = [
    # Each takes from half a second to minutes on this document where nobody counts.
    "//a//b", "//a//a//b", "//b/ancestor::a", "//b[. = //b]", "//a[count(.//b) > count(//b)]", "//*[../b]/following::b", "//b[//a[//b]]",
]  # fmt: skip


@pytest.mark.parametrize("expression", TRAPS)
def test_a_document_that_is_made_for_an_expression(expression):
    nested = xml.read(b"<a>" * 240 + b"<b>1</b>" * 7_000 + b"</a>" * 240, [])
    flat = xml.read(b"<a>" + b"<b>1</b>" * 7_000 + b"</a>", [])
    for document in (nested, flat):
        began = time.process_time()
        said = "fewer //"
        try:
            xpathrule.expression(expression).of(document)
        except ProbeError as error:
            said = f"{error.reason.value}: {error.detail}"
        assert "fewer //" in said
        assert time.process_time() - began < 1.5


@pytest.mark.parametrize(
    "selector",
    [
        "div div div div input",
        "div > div > input",
        "input ~ input",
        "input + input",
        "div, div input, p",
        "div:not(p) *",
    ],
)
def test_a_page_that_is_made_for_a_selector(selector):
    for body in (b"<div>" * 240 + b"<input>" * 20_000, b"<div><p></div>" * 10_000):
        document = xml.read_html(body, [])
        began = time.process_time()
        css.selector(selector).first(document)
        assert time.process_time() - began < 1.0


def test_an_ordinary_answer_of_some_size_is_read_by_an_ordinary_expression():
    items = "".join(f"<v:Item><v:Code>{number}</v:Code><v:State>sent</v:State></v:Item>" for number in range(300))
    document = xml.read(envelope(f'<v:List xmlns:v="urn:v">{items}</v:List>'), [])
    for rule in (
        "count(//soap:Body//v:Item) == 300",
        "//v:Item[v:Code = 299]/v:State == 'sent'",
        "count(//v:Item[v:State = 'sent'] | //v:Code) == 600",
    ):
        assert xpathrule.parse(rule, {"v": "urn:v"}).broken(document) is None


async def test_others_go_on_while_a_large_document_is_read(workbench):
    body = b"<r>" + b"<a>1</a>" * 2_000 + b"</r>"
    late = []

    async def beat():
        loop = asyncio.get_running_loop()
        while True:
            before = loop.time()
            await asyncio.sleep(0.005)
            late.append(loop.time() - before - 0.005)

    async with box(answer(body, headers=XML)) as there:
        beating = asyncio.ensure_future(beat())
        outcome = await look(workbench, {"url": there.url(), "expect": {"xpath": "count(//a[. = //a]) == 2000"}})
        beating.cancel()
    assert outcome.reason.value == "ok"
    assert max(late) < 0.05


REFUSED = [
    ("a bad XPath", {"xpath": "//a["}, "is not an XPath"),
    ("a bad XPath before an operator", {"xpath": "//a[ == 1"}, "a["),
    ("a prefix that nobody knows", {"xpath": "//v:a"}, "the prefix v is not known; say which name it stands for: namespaces"),
    ("namespaces without XPath", {"namespaces": {"v": "urn:v"}}, "which is not there"),
    ("a function of another language", {"xpath": "matches(//a, 'x')"}, "XPath 1.0 has no function matches()"),
    ("an expression of EXSLT", {"xpath": "re:test(//a, '(a+)+$')"}, "prefix re"),
    ("a document of elsewhere", {"xpath": "document('file:///etc/passwd')"}, "no function document()"),
    ("a variable", {"xpath": "//a[$x]"}, "no variables"),
    ("a literal that is none", {"xpath": "//a == foo"}, "is not a number"),
    ("null", {"xpath": "//a == null"}, "no null"),
    ("a bad regular expression", {"xpath": '//a =~ "("'}, "regular expression"),
    ("nothing", {"xpath": ""}, "1 to 1000 characters"),
    ("a thousand characters", {"xpath": "//a" + "/b" * 500}, "1 to 1000 characters"),
    ("nine times //", {"xpath": "//a" * 9}, "more than 8"),
]  # fmt: skip


@pytest.mark.parametrize(("sentence", "expect", "words"), REFUSED, ids=[case[0] for case in REFUSED])
def test_refused(sentence, expect, words):
    with pytest.raises(ValidationError) as caught:
        SPEC.validate_python({"url": "http://a.vn/", "expect": expect})
    assert words in str(caught.value)
