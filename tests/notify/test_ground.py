"""Whose fault it is, as receivers read it: one line, as sure as it is, and an object for machines."""

import json
from dataclasses import replace
from datetime import timedelta
from types import MappingProxyType

import jsonschema
import pytest

from monitor import words
from monitor.model import (
    Confidence,
    EventType,
    Ground,
    GroundRule,
    IncidentEvent,
    Node,
    Party,
    Says,
    Testimony,
    Whose,
)
from monitor.notify.body import body
from monitor.rules.public import ground_object
from probes.contract import Reason
from tests.notify.test_body import AT, CATALOGUE, SCHEMA, incident

HOSTILE = "<script>alert(1)</script> @everyone [x](http://evil)"
TOWN = replace(
    CATALOGUE,
    parties=MappingProxyType({"vnpt": Party(id="vnpt", name="VNPT"), "viettel": Party(id="viettel", name="Viettel")}),
    nodes=MappingProxyType({"x": Node(id="x", name=HOSTILE, type="link")}),
)
CARRIER = Ground(
    whose=Whose.CARRIER, confidence=Confidence.HIGH, rule=GroundRule.GROUP_SHARE, party="vnpt", of="link",
    counted=23, eligible=63, needed=19, share=0.3, within=timedelta(minutes=3),
    others=66, others_answering=66, others_party="viettel",
    testimony=(Testimony(subject="x/v4", says=Says.FAILS, since=AT, reason=Reason.TIMEOUT),), testimony_total=89,
)  # fmt: skip
LINK = Ground(whose=Whose.LINK, confidence=Confidence.LOW, rule=GroundRule.OWN_CHECKS, of="link", counted=1, eligible=1)

SAID = [
    (
        CARRIER,
        "Nhiều khả năng do nhà mạng VNPT: 23/63 đường của VNPT đứt trong 3 phút, 66/66 đường của Viettel vẫn thông",
        "Most likely the carrier VNPT: 23 of 63 links of VNPT failed within 3 minutes, 66 of 66 links of Viettel answer",
    ),
    (
        replace(CARRIER, confidence=Confidence.MEDIUM, others=0, others_answering=0, others_party=""),
        "Có thể do nhà mạng VNPT: 23/63 đường của VNPT đứt trong 3 phút, không có đường nào khác để đối chiếu",
        "Possibly the carrier VNPT: 23 of 63 links of VNPT failed within 3 minutes, and there is nothing to compare with",
    ),
    (
        LINK,
        "Chưa rõ nguyên nhân, nghi do riêng đường truyền này: chỉ có kết quả kiểm tra của chính đối tượng này",
        "Not known yet, this link alone is suspected: nothing is known but its own checks",
    ),
    (
        replace(LINK, whose=Whose.UNKNOWN, rule=GroundRule.ROUTER_REFUSES),
        "Chưa rõ nguyên nhân: bộ định tuyến trên tuyến báo không tới được hoặc bị chặn",
        "Not known yet: a router on the way says that it cannot be reached, or may not be",
    ),
    (
        replace(LINK, whose=Whose.SITE, confidence=Confidence.HIGH, rule=GroundRule.DEVICE_RESTARTED),
        "Nhiều khả năng do điện hoặc mạng nội bộ tại điểm: thiết bị tại điểm đã khởi động lại trong thời gian gián đoạn",
        "Most likely power or the local network at the site: the site's device restarted during the outage",
    ),
]


@pytest.mark.parametrize(("ground", "vi", "en"), SAID, ids=[f"{g.rule}-{g.confidence}" for g, _, _ in SAID])
def test_one_line_in_both_languages(ground: Ground, vi: str, en: str) -> None:
    plain = ground_object(ground, TOWN)
    assert (words.verdict(plain, "vi"), words.verdict(plain, "en")) == (vi, en)
    of = incident(ground=ground)
    for lang, line in (("vi", vi), ("en", en)):
        raw = body(
            IncidentEvent(incident=of, sequence=1, type=EventType.OPENED, at=AT), of, None, TOWN, now=AT, lang=lang
        )
        told = json.loads(raw)
        jsonschema.validate(told, SCHEMA)
        assert told["message"]["text"].splitlines().count(line) == 1


@pytest.mark.parametrize("whose", list(Whose))
@pytest.mark.parametrize("rule", list(GroundRule))
def test_every_verdict_has_words_and_only_high_is_most_likely(whose: Whose, rule: GroundRule) -> None:
    for confidence in Confidence:
        ground = replace(CARRIER, whose=whose, rule=rule, confidence=confidence)
        for one in (ground, replace(LINK, whose=whose, rule=rule, confidence=confidence)):
            plain = ground_object(one, TOWN)
            said, english = words.verdict(plain, "vi"), words.verdict(plain, "en")
            assert said.startswith("Nhiều khả năng") is (confidence is Confidence.HIGH and whose is not Whose.UNKNOWN)
            assert ("Chưa rõ" in said) is (confidence is Confidence.LOW or whose is Whose.UNKNOWN)
            assert "{" not in said + english


def test_the_object_is_of_the_published_shape_and_names_are_names() -> None:
    told = ground_object(CARRIER, TOWN)
    jsonschema.validate(told, {**SCHEMA, **SCHEMA["$defs"]["ground"]})
    assert told["party"] == {"id": "vnpt", "name": "VNPT"}
    assert told["testimony"][0] == {
        "subject": "x/v4",
        "name": f"{HOSTILE} (v4)",
        "says": "fails",
        "since": "2026-11-21T14:03:00Z",
        "reason": "timeout",
        "against": False,
    }


def test_a_hostile_name_of_a_party_is_made_harmless_in_the_text() -> None:
    town = replace(TOWN, parties=MappingProxyType({"vnpt": Party(id="vnpt", name=HOSTILE)}))
    of = incident(ground=CARRIER)
    raw = body(IncidentEvent(incident=of, sequence=1, type=EventType.OPENED, at=AT), of, None, town, now=AT, lang="vi")
    text = json.loads(raw)["message"]["text"]
    assert "<" not in text
    assert "@" not in text
    assert "[x]" not in text
