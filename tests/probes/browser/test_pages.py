"""What a person does on a page: a login, and what is said when it does not work."""

import pytest
from pydantic import TypeAdapter, ValidationError

import probes
from probes.browser import BrowserSpec
from probes.secret import Secret
from tests.probes.browser.conftest import run, warm

PASSWORD = Secret("mat-khau-bi-mat")


def login(url, password=PASSWORD, see="Hồ sơ của tôi"):
    return {
        "steps": [
            {"go": url + "/home"},
            {"fill": {"#user": "lan", "#password": password}, "name": "điền"},
            {"select": {"#unit": "Tam Điệp"}},
            {"click": "text=Đăng nhập"},
            {"see": see, "within": "3s"},
            {"see": {"selector": "h1", "text": "Xin chào lan", "url": "/home"}},
            {"not_see": "Sai mật khẩu"},
        ]
    }


@pytest.mark.parametrize("executable", ["chromium", "chromium-headless-shell"])
async def test_a_clerk_logs_in_and_nobody_is_logged_in_after_her(executable, workbench, server):
    first = await run(workbench, login(server.url) | {"executable": executable}, timeout=30)
    assert (first.seen, first.reason, first.detail) == ("ok", "ok", "7 steps")
    assert list(first.phases)[:4] == ["queue", "browser", "1_go", "điền"]
    facts = first.facts
    assert (facts["steps"], facts["status"], facts["popups"]) == (7, 200, 0)
    assert facts["requests"] >= 4
    assert facts["bytes"] > 500
    assert 0 < facts["dom_seconds"] <= facts["load_seconds"] < 10
    assert facts["memory_bytes"] > 50 << 20
    second = await run(
        workbench,
        {"steps": [{"go": server.url + "/home"}, {"see": {"selector": "#password"}}], "executable": executable},
        timeout=30,
    )
    assert second.seen == "ok"
    for _ in range(2):
        cookies = await run(
            workbench, {"steps": [{"go": server.url + "/cookie"}, {"not_see": "1"}], "executable": executable}
        )
        assert cookies.seen == "ok", cookies


async def test_the_failing_step_is_named_with_a_picture_and_no_secret(workbench, server):
    wrong = Secret("sai-mat-khau")
    outcome = await run(workbench, login(server.url, wrong), timeout=10)
    assert (outcome.seen, outcome.reason) == ("failed", "step")
    assert outcome.detail == "step 5 (see Hồ sơ của tôi): not there in time"
    assert outcome.facts["steps"] == 4
    (picture,) = outcome.attachments
    assert (picture.name, picture.media_type, picture.data[:3]) == ("page", "image/jpeg", b"\xff\xd8\xff")
    assert "sai-mat-khau" not in repr(outcome.detail)


async def test_in_the_picture_whatever_is_secret_is_painted_over(workbench, server):
    """All that is red in the page is secret; what is blue is not. The browser itself looks for the colours."""
    steps = [{"go": server.url + "/secret"}, {"fill": {"#user": PASSWORD}}, {"see": "Không có", "within": "1s"}]
    outcome = await run(workbench, {"steps": steps}, timeout=30)
    (picture,) = outcome.attachments
    server.picture = picture.data
    seen = await run(workbench, {"steps": [{"go": server.url + "/colours"}, {"see": "no red, blue"}]}, timeout=10)
    assert seen.seen == "ok", seen


async def test_a_secret_is_not_given_to_another_host(workbench, server):
    there = f"http://portal.example:{server.server_port}/login"
    steps = [{"go": f"{server.url}/to?{there}"}, {"fill": {"#user": "lan", "#password": PASSWORD}}]
    outcome = await run(workbench, {"steps": steps}, timeout=30)
    assert (outcome.seen, outcome.reason) == ("failed", "redirect_blocked")
    assert (
        outcome.detail == "step 2 (fill #user, #password): would give a secret to portal.example; name it under allow"
    )
    plain = [{"go": f"{server.url}/to?{there}"}, {"fill": {"#user": "lan"}}]
    assert (await run(workbench, {"steps": plain})).seen == "ok"


CASES = [
    # what the page does                       the steps                                               reason        detail
    ("is not there", [{"go": "/nothing"}], "status", "404"),
    ("is broken behind a click", [{"go": "/to?/500"}], "status", "500"),
    ("shows what it must not", [{"go": "/plain"}, {"not_see": "Trang chủ"}], "step", "it is there"),
    ("has no such button", [{"go": "/plain"}, {"click": "#none", "within": "1s"}], "step", "step 2 (click #none): not there"),
    ("stays where it is", [{"go": "/plain"}, {"see": {"url": "/home"}, "within": "1s"}], "step", "step 2"),
    ("never answers", [{"go": "/silent"}], "timeout", "step 1 (go "),
    ("goes round in circles", [{"go": "/to?/to?/x"}], "status", "404"),
    ("a selector that is none", [{"go": "/plain"}, {"click": "!!"}], "own_config", "step 2 (click !!): "),
]  # fmt: skip


async def test_what_is_said_of_a_page(workbench, server):
    await warm(workbench, server)
    for sentence, steps, reason, detail in CASES:
        keys = {"steps": [{**step, **({"go": server.url + step["go"]} if "go" in step else {})} for step in steps]}
        outcome = await run(workbench, keys, timeout=4)
        seen = "blind" if reason.startswith("own_") else "failed"
        assert (outcome.seen, outcome.reason) == (seen, reason), (sentence, outcome)
        assert detail in outcome.detail, (sentence, outcome)


WAYS = [
    ("nobody listens", "http://127.0.0.1:{free}/", "failed", "refused"),
    ("a name nobody has", "http://khong-co.example/", "failed", "dns_nxdomain"),
    ("not TLS", "https://127.0.0.1:{port}/", "failed", "tls_handshake"),
    ("our resolver knows it", "http://portal.example:{port}/plain", "ok", "ok"),
]


async def test_what_is_said_of_the_way(workbench, server, unused_port):
    for sentence, url, seen, reason in WAYS:
        address = url.format(port=server.server_port, free=unused_port)
        outcome = await run(workbench, {"steps": [{"go": address}]}, timeout=15)
        assert (outcome.seen, outcome.reason) == (seen, reason), (sentence, outcome)


async def test_errors_of_the_page_are_counted(workbench, server):
    thrown = await run(workbench, {"steps": [{"go": server.url + "/throws"}]}, timeout=30)
    assert (thrown.seen, thrown.facts["console_errors"]) == ("ok", 1)
    broken = await run(workbench, {"steps": [{"go": server.url + "/broken"}]})
    assert broken.seen == "ok"
    assert (broken.facts["failed_requests"], broken.facts["console_errors"]) == (1, 2)
    steps = [{"go": server.url + "/links"}, {"click": "text=mở"}, {"see": "Xong"}]
    opened = await run(workbench, {"steps": steps})
    assert (opened.seen, opened.facts["popups"]) == ("ok", 1)


REFUSED = [
    ("no steps", {"steps": []}, "at least 1"),
    ("the first step opens nothing", {"steps": [{"see": "x"}]}, "the first step is go"),
    ("an unknown step", {"steps": [{"go": "http://a/"}, {"hover": "#x"}]}, "hover"),
    ("two in one", {"steps": [{"go": "http://a/", "see": "x"}]}, "see"),
    ("a file", {"steps": [{"go": "file:///etc/passwd"}]}, "http"),
    ("a user in the address", {"steps": [{"go": "http://a:b@c/"}]}, "fill the form"),
    ("nothing to see", {"steps": [{"go": "http://a/"}, {"see": {}}]}, "give text"),
    ("one name twice", {"steps": [{"go": "http://a/", "name": "x"}, {"see": "y", "name": "x"}]}, "named"),
]


@pytest.mark.parametrize(("sentence", "keys", "words"), REFUSED, ids=[case[0] for case in REFUSED])
def test_what_is_refused_where_it_is_written(sentence, keys, words):
    with pytest.raises(ValidationError, match=words):
        TypeAdapter(BrowserSpec).validate_python(keys)


def test_a_secret_is_in_no_repr():
    spec = TypeAdapter(BrowserSpec).validate_python(login("http://a"))
    assert "mat-khau" not in repr(spec) + repr(spec._plan)


def test_a_word_makes_a_spec():
    kind = probes.KINDS["browser"]
    assert kind.typed is not None
    assert TypeAdapter(kind.spec).validate_python(kind.typed("http://a/")).steps[0].go == "http://a/"
