"""One message that tells many: what a machine finds in it, and what a person reads on a lock screen."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from monitor.model import EventType, IncidentEvent, IncidentState, Message, Party, Severity
from monitor.notify import body, message_id, patient, together
from probes.contract import Reason
from tests.notify.test_body import AT, CATALOGUE, VALIDATOR, incident, link

HOUR = timedelta(hours=1)


def made(
    number: int, kind: EventType = EventType.OPENED, sequence: int = 1, node=None, catalogue=CATALOGUE, **keys
) -> Message:
    of = incident(
        id=f"i-{number}",
        node=f"tslcd.{number}",
        affected=(),
        target=24 * HOUR,
        **{"severity": Severity.MEDIUM, "reason": Reason.NO_REPLY} | keys,
    )
    event = IncidentEvent(incident=of, sequence=sequence, type=kind, at=AT)
    return Message(
        id=message_id("truc", of.id, sequence),
        receiver="truc",
        lane=of.id,
        sequence=sequence,
        type=kind,
        created_at=AT,
        body=body(event, of, node or link(number), catalogue, now=AT),
    )


def ended(number: int, sequence: int = 2, **keys) -> Message:
    return made(
        number, EventType.RESOLVED, sequence, state=IncidentState.RESOLVED, resolved_at=AT, closed_at=AT, **keys
    )


def read(messages, catalogue=CATALOGUE):
    told = together("truc", messages, catalogue, at=AT)
    said = json.loads(told.body)
    VALIDATOR.validate(said)
    assert said["type"] == told.type.value
    return said


def test_everything_is_listed_the_worst_first_and_in_full():
    said = read([ended(5), made(2), made(1, severity=Severity.LOW), made(9, EventType.RECOVERY_BREACHED, 4)])
    assert said["type"] == "incident.recovery_breached"
    assert said["data"]["incident"]["id"] == "i-9"
    assert [row["incident"]["id"] for row in said["data"]["gathered"]] == ["i-9", "i-2", "i-1", "i-5"]
    assert (said["data"]["gathered_total"], said["data"]["gathered_messages"]) == (4, 4)
    assert said["data"]["incident"] == json.loads(made(9, EventType.RECOVERY_BREACHED, 4).body)["data"]["incident"]


def test_of_one_incident_the_latest_word_counts_and_all_are_named():
    one, two, three = made(1), made(1, EventType.UPDATED, 2), ended(1, 3)
    (row,) = read([one, two, three])["data"]["gathered"]
    assert row["type"] == "incident.resolved"
    assert row["incident"]["state"] == "resolved"
    assert [each["id"] for each in row["messages"]] == [one.id, two.id, three.id]


def test_the_same_messages_are_the_same_bytes_and_the_same_id():
    first, again = (together("truc", [made(2), made(1)], CATALOGUE, at=AT + HOUR * n) for n in (0, 1))
    assert (first.id, first.body) == (again.id, again.body)
    assert first.id != together("truc", [made(2), made(3)], CATALOGUE, at=AT).id
    assert first.id != together("noc", [made(2), made(1)], CATALOGUE, at=AT).id
    assert "." not in first.id


TITLES = [
    # what happened, and the title
    ("links are lost", lambda: [made(n) for n in range(1, 24)], "23 đường truyền mất kết nối (VNPT 23)"),
    ("links are bad", lambda: [made(n, reason=Reason.LOSS) for n in range(1, 5)], "4 đường truyền gặp sự cố (VNPT 4)"),
    ("all are back", lambda: [ended(n) for n in range(1, 13)], "[Đã khắc phục] 12 đường truyền (VNPT 12)"),
    (
        "some are lost, others back",
        lambda: [*[made(n) for n in range(1, 4)], ended(9), ended(8)],
        "3 đường truyền mất kết nối (VNPT 3), và 2 đối tượng khác",
    ),
    (
        "the time is up",
        lambda: [made(n, EventType.RECOVERY_BREACHED) for n in range(1, 4)],
        "[Quá hạn khắc phục] 3 đường truyền (VNPT 3)",
    ),
    (
        "they are part of something wider",
        lambda: [made(n, EventType.MERGED, state=IncidentState.MERGED) for n in (1, 2)],
        "[Gộp sự cố] 2 đường truyền (VNPT 2)",
    ),
    (
        "they came and went",
        lambda: [made(1), ended(1), made(2), ended(2)],
        "[Đã tự khắc phục] 2 đường truyền (VNPT 2)",
    ),
]


@pytest.mark.parametrize(("messages", "title"), [case[1:] for case in TITLES], ids=[case[0] for case in TITLES])
def test_the_title(messages, title):
    assert read(messages())["message"]["title"] == title


@pytest.mark.parametrize("kind", [kind for kind in EventType if kind.value.startswith("incident.")], ids=str)
@pytest.mark.parametrize("lang", ["vi", "en"])
def test_there_are_words_for_every_type(kind, lang):
    catalogue = replace(CATALOGUE, province=replace(CATALOGUE.province, language=lang))
    said = read([made(1, kind), made(2, kind)], catalogue)["message"]
    assert "2" in said["title"]
    assert "xã 1" in said["text"]


def test_all_129_communes_are_named_by_carrier_and_former_district():
    districts = ("Hoa Lư", "Kim Sơn", "Nho Quan")

    def node(number: int):
        plain = link(number)
        labels = plain.labels | {"district": districts[number % 3]}
        return replace(plain, carrier="vnpt" if number % 2 else "viettel", labels=labels)

    parties = CATALOGUE.parties | {"viettel": Party(id="viettel", name="Viettel Ninh Bình", phone="1800 8098")}
    said = read([made(n, node=node(n)) for n in range(1, 130)], replace(CATALOGUE, parties=parties))
    text = said["message"]["text"]
    assert said["message"]["title"] == "129 đường truyền mất kết nối (VNPT 65, Viettel 64)"
    assert all(f"xã {number}" in text.replace(";", ",").replace("\n", ",") for number in range(1, 130))
    (viettel,) = [line for line in text.splitlines() if line.startswith("Viettel (64)")]
    assert viettel.startswith("Viettel (64): Hoa Lư: xã ")
    assert "; Kim Sơn: xã " in viettel
    assert "Viettel Ninh Bình, 1800 8098" in text
    assert "Hạn khắc phục sớm nhất: 22/11/2026" in text


def test_a_whole_country_is_counted_where_it_is_not_named():
    one = made(70707, detail="x" * 200)
    messages = [
        replace(
            one,
            id=message_id("truc", f"i-{number}", 1),
            lane=f"i-{number}",
            body=one.body.replace(b"70707", str(number).encode()),
        )
        for number in range(3321)
    ]
    said = read(messages)
    assert len(json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode()) <= 256 * 1024
    assert 300 < len(said["data"]["gathered"]) <= 1000
    assert (said["data"]["gathered_total"], said["data"]["gathered_messages"]) == (3321, 3321)
    assert "3.321 đường truyền" in said["message"]["title"]
    assert "và 3.021 đối tượng khác" in said["message"]["text"]


def test_names_of_targets_are_harmless_in_it():
    wicked = replace(link(1), name="@everyone <b>", labels={"commune": "1", "commune_name": "[a](http://x) `*`"})
    said = read([made(1, node=wicked), made(2)])["message"]
    assert not set("@<>[`*") & set(said["text"])


PATIENCE = [
    # who may wait                              message                                                           may it
    ("a medium one",                            lambda: made(1),                                                  True),
    ("a low one",                               lambda: made(1, severity=Severity.LOW),                           True),
    ("a high one",                              lambda: made(1, severity=Severity.HIGH),                          False),
    ("a critical one's end",                    lambda: ended(1, severity=Severity.CRITICAL),                     False),
    ("an acknowledgement",                      lambda: made(1, EventType.ACKNOWLEDGED),                          False),
    ("our own blindness",                       lambda: made(1, EventType.IMPAIRED),                              False),
    ("what is not ours to read",                lambda: replace(made(1), body=b"[1]"),                            False),
]  # fmt: skip


@pytest.mark.parametrize(("message", "expected"), [case[1:] for case in PATIENCE], ids=[case[0] for case in PATIENCE])
def test_who_may_wait(message, expected):
    assert patient(message()) is expected
