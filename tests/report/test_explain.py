"""Every figure can be traced to the outcomes at the edges of its intervals."""

import json
from datetime import timedelta

import pytest

from monitor.model import EventType, IncidentEvent
from monitor.report import explain
from tests.report.province import WEEK, at


def test_the_intervals_add_up_to_the_figures(source, report):
    for row in report.nodes:
        told = explain(source, row.node.id, WEEK)
        assert told.ledger == row.ledger
        assert sum((p.span.until - p.span.since for p in told.pieces), timedelta(0)) == WEEK.length


def test_why_each_interval_is_in_its_bucket(source):
    told = explain(source, "motcua", WEEK).as_dict()["intervals"]
    buckets = [piece["bucket"] for piece in told]
    assert buckets == ["up", "down", "up", "unknown", "up", "unreachable", "up", "unknown", "up"]
    down, blind, cut = told[1], told[3], told[5]
    assert down["transition"]["reason"] == "status"
    assert down["transition"]["sampling_gap_seconds"] == 30
    assert blind["gap"]["reason"] == "own_network"
    assert cut["parents"] == ["hub"]


def test_maintenance_is_named(source):
    told = explain(source, "lgsp", WEEK).as_dict()["intervals"]
    assert [piece["maintenance"]["id"] for piece in told if piece["bucket"] == "excluded"] == ["nang-cap-lgsp"]


def test_in_words(source):
    text = explain(source, "motcua", WEEK).text()
    assert "= 6 ngày 21:52:45 / 6 ngày 23:37:45 = 98,956 %" in text
    assert "17/11/2026 08:03:10 → 17/11/2026 09:41:40  01:38:30  gián đoạn" in text
    assert "mã trả lời không đúng (HTTP 502)" in text
    assert "do tuyến trên gián đoạn: Nút mạng trung tâm (hub)" in text
    assert "máy giám sát mất mạng" in text
    assert "Availability = " in explain(source, "motcua", WEEK).text("en")


def test_an_incident_with_its_clock_and_history(source):
    fault = source.incidents[0]
    events = [IncidentEvent(incident=fault, sequence=1, type=EventType.OPENED, at=fault.opened_at, text="mở")]
    told = explain(source, "i1", WEEK, events=events)
    data = json.loads(json.dumps(told.as_dict()))
    assert data["incident"]["met"] is True
    assert data["incident"]["deadline"] == at("2026-11-17T12:03:10").isoformat().replace("+00:00", "Z")
    assert [piece["bucket"] for piece in data["intervals"]] == ["down"]
    assert "sự cố mới" in told.text()
    assert "đúng hạn" in told.text()


def test_an_incident_handed_in_need_not_be_among_the_source_s(source):
    assert explain(source, "i6", WEEK, incident=source.incidents[5]).as_dict()["incident"]["merged_into"] == "i2"


def test_a_node_never_seen_says_so(source):
    from dataclasses import replace

    told = explain(replace(source, transitions={}, gaps=()), "qlvb", WEEK)
    assert "chưa có lần đo nào" in told.text()
    assert "không có tỷ lệ sẵn sàng" in told.text()


def test_what_is_neither_is_refused(source):
    with pytest.raises(LookupError):
        explain(source, "nobody", WEEK)
