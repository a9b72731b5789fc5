"""The journeys of the province against the sandbox's servers: log in and search, the gateway's token and SOAP, a document's round trip."""

import pytest

from monitor.sandbox.faults import Condition
from monitor.sandbox.login_server import PASSWORD, USER
from monitor.sandbox.servers import TOKEN
from probes.contract import Seen
from probes.secret import Secret


def login(province, *, password=PASSWORD, search="$.total >= 0"):
    return {
        "base_url": province.url("login"),
        "steps": [
            {"name": "form", "get": "/login", "extract": {"csrf": {"css": "input[name=_csrf]@value"}}},
            {
                "name": "enter",
                "post": "/login",
                "form": {"_csrf": "{csrf}", "username": USER, "password": Secret(password)},
                "expect": {"body": "Xin chào", "body_not": "Sai tài khoản"},
            },
            {"name": "search", "get": "/api/hoso?ma=TEST", "expect": {"json": search}},
            {"name": "leave", "post": "/logout", "always": True},
        ],
    }


def soap(province):
    return {
        "steps": [
            {
                "name": "ping",
                "post": province.url("soap", "/soap/csdldc"),
                "headers": {"Content-Type": "text/xml; charset=utf-8"},
                "body": '<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body>'
                '<v:Ping xmlns:v="urn:lgsp:1"><v:id>{run}</v:id></v:Ping></soap:Body></soap:Envelope>',
                "expect": {
                    "xpath": ['//v:PingResponse/v:State == "UP"', "string-length(//v:id) == 16"],
                    "namespaces": {"v": "urn:lgsp:1"},
                },
                "extract": {"said": {"xpath": "//v:id", "namespaces": {"v": "urn:lgsp:1"}}},
            }
        ]
    }


def axis(province, *, length="2s"):
    return {
        "base_url": province.url("axis"),
        "steps": [
            {"name": "send", "post": "/documents", "json": {"code": "GIAMSAT-{run}", "sent": "{now}"}, "expect": {"status": 202},
             "extract": {"id": {"json": "$.id"}}},
            {"name": "arrived", "get": "/documents/{id}", "expect": {"json": '$.state == "arrived"'}, "poll": {"every": "100ms", "for": length}},
        ],
    }  # fmt: skip


async def test_a_clerk_logs_in_and_searches(go, province):
    outcome = await go(login(province))
    assert (outcome.seen, outcome.detail) == (Seen.OK, "4 steps")
    assert list(outcome.phases) == ["form", "enter", "search", "leave"]
    assert sum(outcome.phases.values()) == pytest.approx(outcome.facts["seconds"], abs=0.01)
    assert outcome.facts["step_2_seconds"] == outcome.phases["enter"]
    facts = {name: outcome.facts[name] for name in ("steps", "failed_step", "redirects", "status")}
    assert facts == {"steps": 4, "failed_step": 0, "redirects": 2, "status": 200}


CASES = [
    # what is wrong,            the reason,   how the message begins, what it must have,  steps that went well
    ("the password", {"password": "khong-phai"}, "body_regex", "step 2 of 4 “enter”: ", "Xin chào", 1),
    ("what is found", {"search": "$.total > 5"}, "json", "step 3 of 4 “search”: ", "$.total > 5: got 1", 2),
]


@pytest.mark.parametrize(
    ("sentence", "change", "reason", "begins", "words", "done"), CASES, ids=[case[0] for case in CASES]
)
async def test_the_failing_step_is_named(go, province, sentence, change, reason, begins, words, done):
    outcome = await go(login(province, **change))
    assert (outcome.seen, outcome.reason.value) == (Seen.FAILED, reason)
    assert outcome.detail.startswith(begins)
    assert words in outcome.detail
    assert (outcome.facts["steps"], outcome.facts["failed_step"]) == (done, done + 1)


async def test_a_database_lost_behind_a_good_page_is_seen_at_the_search(go, province):
    province.weather[0] = Condition(wrong=True)
    outcome = await go(login(province))
    assert outcome.reason.value == "json"
    assert outcome.detail == "step 3 of 4 “search”: $.total >= 0: (INVALID) no 'total'"


async def test_runs_at_the_same_time_have_sessions_of_their_own(go, province):
    import asyncio

    outcomes = await asyncio.gather(*(go(login(province)) for _ in range(20)))
    assert {outcome.detail for outcome in outcomes} == {"4 steps"}


async def test_the_soap_service_answers_what_it_was_asked(go, province):
    outcome = await go(soap(province))
    assert (outcome.seen, outcome.detail) == (Seen.OK, "1 step")


async def test_a_fault_in_a_200_is_a_failure_with_its_words(go, province):
    province.weather[0] = Condition(wrong=True)
    outcome = await go(soap(province))
    assert outcome.reason.value == "soap_fault"
    assert outcome.detail == "step 1 of 1 “ping”: status 200 with a SOAP Fault: soap:Server: CSDLDC: hết thời gian chờ"


async def test_a_documents_round_trip_is_waited_for_and_measured(go, province):
    outcome = await go(axis(province))
    assert outcome.seen is Seen.OK
    assert 0.35 < outcome.facts["poll_seconds"] < 0.8
    assert outcome.phases["arrived"] >= outcome.facts["poll_seconds"]


async def test_a_document_that_does_not_arrive_in_time(go, province):
    province.weather[0] = Condition(wrong=True)
    outcome = await go(axis(province, length="300ms"))
    assert outcome.reason.value == "json"
    assert outcome.detail == 'step 2 of 2 “arrived”: not within 0.3 s: $.state == "arrived": got "sent"'
    assert outcome.seconds < 0.6


async def test_a_silent_server_is_a_timeout_of_its_step(go, province):
    province.weather[0] = Condition(cut=True)
    outcome = await go(login(province), timeout=0.4)
    assert outcome.reason.value == "timeout"
    assert outcome.detail == "step 1 of 4 “form”: no answer within 0.4 s in processing"
    assert 0.35 < outcome.phases["form"] < 0.7


async def test_waiting_longer_than_the_run_may_take_is_a_timeout_that_says_so(go, province):
    province.weather[0] = Condition(wrong=True)
    outcome = await go(axis(province, length="10s"), timeout=0.5)
    assert outcome.reason.value == "timeout"
    assert outcome.detail.startswith("step 2 of 2 “arrived”: no answer within 0.5 s in ")


async def test_a_token_is_fetched_once_and_timed_apart(go, province):
    oauth2 = {"token_url": province.url("gateway", "/token"), "client_id": "giamsat", "client_secret": Secret("b1-mat")}
    steps = [
        {
            "name": name,
            "get": province.url("gateway", "/health"),
            "auth": {"oauth2": oauth2},
            "expect": {"json": '$.status == "UP"'},
        }
        for name in ("health", "again")
    ]
    first, second = await go({"steps": steps}), await go({"steps": steps})
    assert {first.seen, second.seen} == {Seen.OK}
    assert "token" in first.phases
    assert "token" not in second.phases
    assert first.facts["seconds"] == pytest.approx(first.phases["health"] + first.phases["again"], abs=0.005)


async def test_a_token_that_a_journey_fetches_itself_stays_out_of_its_messages(go, province):
    keys = {
        "base_url": province.url("gateway"),
        "steps": [
            {"name": "token", "post": "/token", "form": {"grant_type": "client_credentials"}, "extract": {"access": {"json": "$.access_token"}}},
            {"name": "health", "get": "/health", "headers": {"Authorization": "Bearer {access}"}, "expect": {"body": "nope"}},
        ],
    }  # fmt: skip
    keys["steps"][0]["name"] = "ask"
    outcome = await go(keys)
    assert outcome.reason.value == "body_regex"
    assert outcome.facts["status"] == 200  # The bearer was taken.
    assert TOKEN not in outcome.detail
