"""The form of numbers and times, and that no word of a closed list is missing."""

import csv
import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor import words
from monitor.model import Bucket, Confidence, Effect, EventType, IncidentState, Lack, Says, Severity, State, Whose
from monitor.words import faults, meetings, messages, pages, reports
from monitor.words.catalogue import TABLES
from probes.contract import Reason, Seen

HANOI = ZoneInfo("Asia/Ho_Chi_Minh")

PERCENT = [
    # a sentence                                     share            vi            en
    ("a whole is a hundred", 1.0, "100,000 %", "100.000%"),
    ("99.9996 is not a hundred", 0.999996, "99,999 %", "99.999%"),
    ("the last float below one is not a hundred", 0.9999999999999999, "99,999 %", "99.999%"),
    ("a week with one outage of 24 hours", 6 / 7, "85,714 %", "85.714%"),
    ("cutting does not eat what a float cannot hold", 0.29, "29,000 %", "29.000%"),
    ("nothing at all", 0.0, "0,000 %", "0.000%"),
    ("no figure is a dash", None, "—", "—"),
]


@pytest.mark.parametrize(("sentence", "share", "vi", "en"), PERCENT, ids=[c[0] for c in PERCENT])
def test_percent(sentence, share, vi, en):
    assert (words.percent(share, "vi"), words.percent(share, "en")) == (vi, en)


@given(st.floats(0, 1), st.integers(0, 6))
def test_a_percentage_is_never_rounded_up(share, digits):
    shown = Decimal(words.percent(share, "en", digits).rstrip("%"))
    assert shown <= Decimal(str(share)) * 100 < shown + Decimal(1).scaleb(-digits)


@pytest.mark.parametrize(
    ("value", "digits", "vi", "en"),
    [
        (1346, None, "1.346", "1,346"),
        (202705.5, None, "202.705,5", "202,705.5"),
        (99.954, 2, "99,95", "99.95"),
        (-1234.0, None, "-1.234", "-1,234"),
        (None, None, "—", "—"),
    ],
)
def test_number(value, digits, vi, en):
    assert (words.number(value, "vi", digits), words.number(value, "en", digits)) == (vi, en)


DURATIONS = [
    (timedelta(days=1, hours=3, minutes=12, seconds=45), "1 ngày 03:12:45", "1 day 03:12:45", "1 ngày 3 giờ"),
    (timedelta(days=2), "2 ngày 00:00:00", "2 days 00:00:00", "2 ngày"),
    (timedelta(seconds=59.999), "00:00:59", "00:00:59", "59 giây"),
    (timedelta(hours=23, minutes=59, seconds=59), "23:59:59", "23:59:59", "23 giờ 59 phút"),
    (timedelta(hours=4), "04:00:00", "04:00:00", "4 giờ"),
    (timedelta(hours=4, seconds=7), "04:00:07", "04:00:07", "4 giờ"),
    (timedelta(0), "00:00:00", "00:00:00", "0 giây"),
    (timedelta(seconds=-61), "-00:01:01", "-00:01:01", "1 phút 1 giây"),
    (3600.0, "01:00:00", "01:00:00", "1 giờ"),
]


@pytest.mark.parametrize(("length", "vi", "en", "about"), DURATIONS)
def test_duration(length, vi, en, about):
    assert (words.duration(length, "vi"), words.duration(length, "en"), words.about(length, "vi")) == (vi, en, about)


def test_about_in_english_knows_one_from_many():
    assert words.about(timedelta(days=1, hours=2), "en") == "1 day 2 hours"
    assert words.about(0, "en") == "0 seconds"


def test_a_moment_is_told_in_the_province_s_zone():
    at = datetime(2026, 11, 21, 18, 3, 9, tzinfo=UTC)
    assert words.moment(at, HANOI, "vi") == "22/11/2026 01:03"
    assert words.moment(at, HANOI, "vi", seconds=True) == "22/11/2026 01:03:09"
    assert words.moment(at, HANOI, "en") == "2026-11-22 01:03"
    assert words.moment(None, HANOI, "vi") == "—"


@pytest.mark.parametrize(
    ("at", "vi"),
    [
        (date(2026, 1, 5), "ngày 05 tháng 01 năm 2026"),
        (date(2026, 2, 15), "ngày 15 tháng 02 năm 2026"),
        (date(2026, 11, 9), "ngày 09 tháng 11 năm 2026"),
    ],
)
def test_the_day_in_a_heading(at, vi):
    assert words.formal_day(at, "vi") == vi


@pytest.mark.parametrize(
    ("kind", "first", "end", "vi"),
    [
        ("daily", (2026, 11, 21), (2026, 11, 22), "Ngày 21/11/2026"),
        ("weekly", (2026, 11, 16), (2026, 11, 23), "Tuần 47 (16/11/2026–22/11/2026)"),
        ("weekly", (2025, 12, 29), (2026, 1, 5), "Tuần 1 (29/12/2025–04/01/2026)"),
        ("monthly", (2026, 11, 1), (2026, 12, 1), "Tháng 11/2026"),
        ("quarterly", (2026, 10, 1), (2027, 1, 1), "Quý IV/2026"),
        ("yearly", (2026, 1, 1), (2027, 1, 1), "Năm 2026"),
        ("any", (2026, 10, 25), (2026, 11, 25), "Từ 25/10/2026 đến 24/11/2026"),
        ("any", (2026, 10, 25, 8), (2026, 10, 25, 17, 30), "Từ 25/10/2026 08:00 đến 25/10/2026 17:30"),
    ],
)
def test_labels_of_periods(kind, first, end, vi):
    assert words.period(kind, datetime(*first), datetime(*end), "vi") == vi


CLOSED = [
    (Reason, words.reason),
    (State, words.state),
    (Bucket, words.bucket),
    (Severity, words.severity),
    (IncidentState, words.incident_state),
    (Effect, words.effect),
    (EventType, words.event),
    (Lack, words.lack),
    (Seen, words.seen),
    (Whose, words.whose),
    (Confidence, words.confidence),
    (Says, words.says),
]


@pytest.mark.parametrize(("values", "word"), CLOSED, ids=[c[0].__name__ for c in CLOSED])
def test_every_value_of_a_closed_list_has_a_word_in_both_languages(values, word):
    for value in values:
        vietnamese, english = word(value, "vi"), word(value, "en")
        assert vietnamese.strip()
        assert english.strip()


def test_the_table_of_reasons_holds_nothing_else():
    assert set(words.REASONS) == {reason.value for reason in Reason}


def test_the_glossary_is_kept():
    assert words.state(State.DOWN, "vi", long=True) == "mất kết nối (gián đoạn)"
    assert words.state(State.UNREACHABLE, "vi", long=True) == "không tới được do sự cố tuyến trên"
    assert words.state(State.DEGRADED, "vi") == "suy giảm"
    assert words.severity(Severity.CRITICAL, "vi") == "nghiêm trọng"
    assert words.incident_state(IncidentState.ACKNOWLEDGED, "vi") == "đã tiếp nhận"
    assert words.clock("breached", "vi") == "quá hạn"
    assert words.node_type("an own word", "vi") == "an own word"
    assert words.capital("đường truyền") == "Đường truyền"


def test_both_languages_of_every_sentence_ask_for_the_same_values():
    for key in set(words.keys()):
        vietnamese, english = words.fields(key)
        assert vietnamese == english, key


def test_no_key_is_in_two_tables():
    assert sum(len(table) for table in TABLES) == len(set(words.keys()))
    assert TABLES == (messages.TABLE, pages.TABLE, reports.TABLE, meetings.TABLE, faults.TABLE)


def test_every_event_that_is_told_has_a_title():
    assert {f"title.{event}" for event in EventType if event.told} <= set(words.keys())


def test_say_fills_in_and_refuses_what_it_does_not_know():
    assert words.say("page.remaining", "vi", left="3 giờ") == "còn 3 giờ"
    with pytest.raises(KeyError):
        words.say("page.remaining", "vi")
    with pytest.raises(KeyError):
        words.say("no such sentence", "vi")


def test_vietnamese_sentences_are_composed_and_not_left_in_english():
    ascii_only = re.compile(r"[\x00-\x7f]*")
    for table in TABLES:
        for key, (vietnamese, english) in table.items():
            assert vietnamese.isprintable(), key
            bare = re.sub(r"\{\w+\}|[\W\d_]", "", vietnamese)
            assert not bare or vietnamese == english or not ascii_only.fullmatch(bare) or len(bare) < 12, key


# --- the order of names -----------------------------------------------------------------------------------------------

ORDERS = [
    ("Đ stands after D and before E", ["Da", "Dương", "Đại Hoàng", "Đông A", "Em"]),
    ("the five tones in their order", ["ma", "mà", "mả", "mã", "má", "mạ"]),
    ("vowels with marks are letters of their own", ["Ao", "Ăn", "Ân", "Ba"]),
    ("e and ê, o ô ơ, u and ư", ["Em", "Êm", "Ga", "On", "Ôn", "Ơn", "Pa", "Um", "Ưm", "Va"]),
    ("letters before tones within a syllable", ["Hải An", "Hải Anh", "Hiển Khánh", "Hoa Lư", "Hồng Phong"]),
    ("a syllable is done before the next is looked at", ["Phù Vân", "Phủ Lý", "Phú Long", "Phú Sơn"]),
    ("spaces do not glue", ["Gia Viễn", "Giao Hòa"]),
    ("numbers before letters", ["12", "2", "A"]),
]


@pytest.mark.parametrize(("sentence", "names"), ORDERS, ids=[c[0] for c in ORDERS])
def test_order(sentence, names):
    mixed = names[1::2] + names[::2]
    assert sorted(mixed, key=words.sort_key) == names


def test_decomposed_text_sorts_like_composed():
    import unicodedata

    assert words.sort_key(unicodedata.normalize("NFD", "Đồng Thịnh")) == words.sort_key("Đồng Thịnh")


def test_small_before_large_only_where_nothing_else_differs():
    assert sorted(["Ba", "ba", "bà", "Bà"], key=words.sort_key) == ["ba", "Ba", "bà", "Bà"]


@given(st.text(max_size=12), st.text(max_size=12))
def test_two_names_have_one_key_only_if_they_are_one(one, two):
    import unicodedata

    same = unicodedata.normalize("NFC", one) == unicodedata.normalize("NFC", two)
    assert (words.sort_key(one) == words.sort_key(two)) == same


def test_the_communes_stand_as_a_clerk_would_list_them():
    path = Path(__file__).parents[2] / "config" / "communes.csv"
    names = (
        [row["name"] for row in csv.DictReader(path.open(encoding="utf-8"))]
        if path.exists()
        else ["Ý Yên", "Xuân Trường", "Đông A", "Duy Tiên", "Yên Khánh", "Bắc Lý"]
    )
    ordered = sorted(names, key=words.sort_key)
    assert ordered.index("Duy Tiên") < ordered.index("Đông A")
    assert ordered.index("Ý Yên") < ordered.index("Yên Khánh") or "Yên Khánh" not in ordered
    assert ordered[0] == "Bắc Lý"
