"""What a message says: our JSON for the machine, a title and a few Vietnamese lines for the person it wakes."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.model import (
    Affected,
    Catalogue,
    Daemon,
    EventType,
    Incident,
    IncidentEvent,
    IncidentState,
    Node,
    Party,
    Province,
    Retention,
    SelfCheck,
    Severity,
)
from monitor.notify import body, message_id, report_body, test_body
from probes.contract import Reason

AT = datetime(2026, 11, 21, 14, 3, tzinfo=UTC)
SCHEMA = json.loads((Path(__file__).parents[2] / "monitor/notify/webhook.schema.json").read_text())
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)

PARTIES = {
    "skhcn": Party(id="skhcn", name="Sở Khoa học và Công nghệ", phone="0229 3871 156", role="owner"),
    "tt": Party(id="tt", name="Trung tâm Chuyển đổi số", phone="0229 222", role="operator"),
    "vnpt": Party(id="vnpt", name="VNPT Ninh Bình", phone="1800 1260", role="carrier"),
}


def link(number: int) -> Node:
    return Node(
        id=f"tslcd.{number}",
        name=f"Đường truyền TSLCD xã {number}",
        type="link",
        carrier="vnpt",
        labels={"commune": str(number), "commune_name": f"xã {number}"},
    )


NODES = {
    "motcua": Node(
        id="motcua",
        name="Hệ thống thông tin giải quyết thủ tục hành chính",
        type="system",
        severity=Severity.CRITICAL,
        owner="skhcn",
        operator="tt",
        carrier="vnpt",
        runbook="https://giamsat.example/so-tay#motcua",
        labels={"key_system": "yes", "a": "1"},
    ),
    "hnth": Node(id="hnth", name="Hội nghị truyền hình", type="video"),
} | {f"tslcd.{number}": link(number) for number in range(1, 601)}

CATALOGUE = Catalogue(
    province=Province(id="37", name="Tỉnh Ninh Bình"),
    daemon=Daemon(public_url="https://giamsat.example/"),
    parties=MappingProxyType(PARTIES),
    nodes=MappingProxyType(NODES),
    checks=MappingProxyType({}),
    receivers=MappingProxyType({}),
    routes=(),
    maintenance=(),
    reports=(),
    retention=Retention(),
    monitor=SelfCheck(),
    fingerprint="",
)


def incident(**changes: object) -> Incident:
    made = Incident(
        id="i-20261121T140159Z-a1b2c3d4",
        node="motcua",
        severity=Severity.CRITICAL,
        reason=Reason.TIMEOUT,
        detail="no answer within 10 s",
        started_at=AT - timedelta(seconds=61),
        detected_at=AT - timedelta(seconds=31),
        opened_at=AT,
        target=timedelta(hours=4),
        affected=(Affected(node="hnth", since=AT),),
    )
    return replace(made, **changes)


def say(
    kind: EventType = EventType.OPENED,
    of: Incident | None = None,
    lang: str | None = None,
    now: datetime = AT,
    **keys: object,
):
    of = of or incident()
    event = IncidentEvent(incident=of, sequence=1, type=kind, at=now)
    raw = body(event, of, CATALOGUE.nodes.get(of.node), CATALOGUE, now=now, lang=lang, **keys)
    told = json.loads(raw)
    VALIDATOR.validate(told)
    return told


ENDED = {
    "state": IncidentState.RESOLVED,
    "resolved_at": AT,
    "acknowledged_at": AT,
    "acknowledged_by": "Nguyễn Văn A",
    "closed_at": AT,
}


def test_the_published_schema_is_a_schema():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert set(SCHEMA["properties"]["type"]["enum"]) == {kind.value for kind in EventType if kind.told}


def test_an_opened_incident_is_told_as_it_was_agreed():
    told = say()
    assert list(told) == ["type", "timestamp", "data", "message"]
    assert (told["type"], told["timestamp"]) == ("incident.opened", "2026-11-21T14:03:00Z")
    assert told["data"]["incident"] == {
        "id": "i-20261121T140159Z-a1b2c3d4",
        "url": "https://giamsat.example/incidents/i-20261121T140159Z-a1b2c3d4",
        "state": "open",
        "severity": "critical",
        "node": {
            "id": "motcua",
            "name": "Hệ thống thông tin giải quyết thủ tục hành chính",
            "type": "system",
            "owner": "skhcn",
            "operator": "tt",
            "carrier": "vnpt",
            "labels": {"a": "1", "key_system": "yes"},
        },
        "reason": "timeout",
        "detail": "no answer within 10 s",
        "ground": None,
        "started_at": "2026-11-21T14:01:59Z",
        "detected_at": "2026-11-21T14:02:29Z",
        "acknowledged_at": None,
        "acknowledged_by": None,
        "resolved_at": None,
        "recovery": {
            "target_seconds": 14400,
            "deadline": "2026-11-21T18:01:59Z",
            "elapsed_seconds": 61,
            "paused_seconds": 0,
            "remaining_seconds": 14339,
            "clock": "running",
        },
        "affected": [{"id": "hnth", "name": "Hội nghị truyền hình", "type": "video"}],
        "affected_total": 1,
        "maintenance": False,
    }


def test_a_person_reads_what_whose_since_when_how_long_whom_it_hurts_and_whom_to_call():
    message = say()["message"]
    assert message["title"] == (
        "[NGHIÊM TRỌNG] Hệ thống thông tin giải quyết thủ tục hành chính: mất kết nối (gián đoạn)"
    )
    lines = message["text"].split("\n")
    for expected in (
        "Biểu hiện: quá thời gian chờ, không có trả lời. no answer within 10 s",
        "Từ: 21/11/2026 21:01 (phát hiện lúc 21/11/2026 21:02)",
        "Mục tiêu khắc phục: 4 giờ, hạn 22/11/2026 01:01, còn 3 giờ 58 phút",
        "Ảnh hưởng: 1 đối tượng (Hội nghị truyền hình)",
        "Cơ quan chủ quản: Sở Khoa học và Công nghệ, 0229 3871 156",
        "Đơn vị vận hành: Trung tâm Chuyển đổi số, 0229 222",
        "Doanh nghiệp cung cấp dịch vụ: VNPT Ninh Bình, 1800 1260",
        "Hướng dẫn xử lý: https://giamsat.example/so-tay#motcua",
        "Chi tiết: https://giamsat.example/incidents/i-20261121T140159Z-a1b2c3d4",
    ):
        assert expected in lines


def test_the_same_in_english():
    message = say(lang="en")["message"]
    assert message["title"].startswith("[CRITICAL] ")
    assert "Operator: Trung tâm Chuyển đổi số, 0229 222" in message["text"].split("\n")


WORDS = [
    # the event                    the incident                                          what the title or the text says
    (EventType.UPDATED, {}, "[Cập nhật]"),
    (
        EventType.ACKNOWLEDGED,
        {"acknowledged_at": AT, "acknowledged_by": "Nguyễn Văn A"},
        "Nguyễn Văn A đã tiếp nhận lúc 21/11/2026 21:03",
    ),
    (EventType.ESCALATED, {}, "[Chuyển cấp xử lý]"),
    (EventType.RECOVERY_WARNING, {"started_at": AT - timedelta(hours=3)}, "[Còn 1 giờ]"),
    (EventType.RECOVERY_BREACHED, {"started_at": AT - timedelta(hours=5)}, "đã quá hạn 1 giờ"),
    (EventType.RESOLVED, ENDED, "sau 1 phút 1 giây"),
    (EventType.MERGED, {"state": IncidentState.MERGED, "merged_into": "i-2", "closed_at": AT}, "i-2"),
    (EventType.WITHDRAWN, {"state": IncidentState.WITHDRAWN, "closed_at": AT}, "[Rút sự cố]"),
    (EventType.REOPENED, {}, "[Tái phát]"),
    (EventType.UPDATED, {"flapping": True}, "Chập chờn, không ổn định"),
    (EventType.UPDATED, {"paused_since": AT, "pause_reason": "chờ điện lưới"}, "chờ điện lưới"),
    (EventType.OPENED, {"degradation": True}, "suy giảm chất lượng"),
    (EventType.IMPAIRED, {"node": "monitor", "reason": Reason.OWN_NETWORK}, "[Giám sát bị hạn chế]"),
    (EventType.RECOVERED, {"node": "monitor", **ENDED}, "thời gian không quan sát được: 1 phút 1 giây"),
]


@pytest.mark.parametrize("lang", ["vi", "en"])
@pytest.mark.parametrize(("kind", "changes", "words"), WORDS)
def test_every_event_has_its_words(kind, changes, words, lang):
    message = say(kind, incident(**changes), lang)["message"]
    assert lang == "en" or words in message["title"] + message["text"]


def test_what_is_over_asks_nobody_to_call_anybody():
    message = say(EventType.RESOLVED, incident(**ENDED))["message"]
    assert "1800 1260" not in message["text"]
    assert "còn" not in message["text"]


def test_a_merged_incident_names_the_wider_one():
    closed = incident(state=IncidentState.MERGED, merged_into="i-2", closed_at=AT)
    message = say(EventType.MERGED, closed, into=NODES["hnth"])["message"]
    assert "Hội nghị truyền hình" in message["title"]


def test_a_carriers_outage_counts_its_communes_and_names_the_first():
    hurt = tuple(Affected(node=f"tslcd.{number}", since=AT) for number in range(1, 130))
    told = say(of=incident(affected=hurt))
    assert told["data"]["incident"]["affected_total"] == 129
    assert [each["id"] for each in told["data"]["incident"]["affected"]] == [f"tslcd.{n}" for n in range(1, 130)]
    (line,) = [line for line in told["message"]["text"].split("\n") if line.startswith("Ảnh hưởng")]
    assert line.startswith("Ảnh hưởng: 129 xã, phường (xã 1, xã 2,")
    assert line.endswith("và 117 đối tượng khác)")


def test_the_list_of_the_affected_is_bounded_and_their_number_is_true():
    hurt = tuple(Affected(node=f"tslcd.{number}", since=AT) for number in range(1, 601))
    told = say(of=incident(affected=hurt))["data"]["incident"]
    assert (len(told["affected"]), told["affected_total"]) == (500, 600)


def test_while_it_lasts_those_that_work_again_are_not_listed():
    hurt = (Affected(node="hnth", since=AT, until=AT), Affected(node="tslcd.1", since=AT))
    assert [each["id"] for each in say(of=incident(affected=hurt))["data"]["incident"]["affected"]] == ["tslcd.1"]
    ended = say(EventType.RESOLVED, incident(affected=hurt, **ENDED))
    assert ended["data"]["incident"]["affected_total"] == 2


def test_what_left_the_configuration_is_still_told():
    told = say(EventType.WITHDRAWN, incident(node="cu", affected=(Affected(node="cu/2", since=AT),)))
    assert told["data"]["incident"]["node"]["id"] == told["data"]["incident"]["node"]["name"] == "cu"


def test_without_a_public_address_there_is_no_link():
    told = say(public_url="")
    assert told["data"]["incident"]["url"] is None
    assert "Chi tiết" not in told["message"]["text"]


HOSTILE = [
    "@everyone server down",
    "<!channel> <script>alert(1)</script>",
    "[bấm vào đây](http://evil.example)",
    "a\r\nCc: x@y\x00\x1b[31m",
    "\u202egnp.exe \u200bhidden\u2028line",
    "{name} {0} %s",
    "`code` *bold* ~~no~~ |x|",
    "\ud800 lone surrogate",
    "x" * 5000,
]


@pytest.mark.parametrize("detail", HOSTILE)
def test_what_a_target_says_is_one_bounded_harmless_line(detail):
    told = say(of=incident(detail=detail))
    line = told["message"]["text"].split("\n")[0]
    assert line.startswith("Biểu hiện: quá thời gian chờ, không có trả lời. ")
    assert not set(line) & set("@<>[]`*\r\x00\x1b\u202e\u200b\u2028")
    assert len(line) < 300
    assert len(told["data"]["incident"]["detail"]) <= 200


@settings(max_examples=100, deadline=None)
@given(
    detail=st.text(max_size=400),
    by=st.text(max_size=100),
    kind=st.sampled_from([k for k in EventType if k.value.startswith("incident.")]),
)
def test_whatever_is_said_the_message_is_valid_and_the_same_twice(detail, by, kind):
    of = incident(detail=detail, acknowledged_by=by, acknowledged_at=AT)
    assert say(kind, of) == say(kind, of)
    event = IncidentEvent(incident=of, sequence=1, type=kind, at=AT)
    assert body(event, of, None, CATALOGUE, now=AT) == body(event, of, None, CATALOGUE, now=AT)


def test_a_report_and_a_test_follow_the_schema_too():
    report = report_body(
        kind="weekly",
        start=AT - timedelta(days=7),
        end=AT,
        label="Tuần 47 (16/11/2026–22/11/2026)",
        files={"pdf": "tuan-47.pdf", "csv": "tuan-47.csv"},
        at=AT,
        lang="vi",
        url="https://giamsat.example/reports/weekly/2026-W47",
    )
    for raw in (report, test_body(receiver="truc", at=AT, lang="vi"), test_body(receiver="truc", at=AT, lang="en")):
        VALIDATOR.validate(json.loads(raw))
    assert json.loads(report)["message"]["title"] == "Báo cáo tỷ lệ sẵn sàng: Tuần 47 (16/11/2026–22/11/2026)"
    assert list(json.loads(report)["data"]["report"]["files"]) == ["csv", "pdf"]


def test_the_id_of_a_message_is_the_same_for_the_same_event_and_holds_no_dot():
    ids = {
        message_id(receiver, lane, n) for receiver in ("a", "a.b", "truc") for lane in ("i.1", "i-1") for n in range(50)
    }
    assert len(ids) == 300
    assert not any("." in each for each in ids)
    assert message_id("truc", "i-1", 1) == "msg_f51d6b36b63d778988f2a861e56415de", "an upgrade must not change it"
