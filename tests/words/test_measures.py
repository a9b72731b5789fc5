"""What was measured, read out: a crossed line in both languages, and a name for every fact of every probe."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor import words
from monitor.model.habits import crossed_fact, crossing
from monitor.words.measures import FACTS
from probes import KINDS

SAID = [
    (
        crossing("loss", 0.07, ">=", 0.05, "ratio", over="10m", normal=0.0),
        "mất gói 7 % từ 14:03, bình thường 0 % (ngưỡng ≥ 5 % trong 10 phút)",
        "loss 7% since 14:03, normally 0% (limit ≥ 5% over 10 min)",
    ),
    (
        crossing("rtt", 0.0605, ">", 0.056, "seconds", normal=0.012),
        "độ trễ khứ hồi 60,5 ms từ 14:03, bình thường 12 ms (ngưỡng > 56 ms)",
        "round trip 60.5 ms since 14:03, normally 12 ms (limit > 56 ms)",
    ),
    (
        crossing("seconds", 4.2, ">", 3, "seconds"),
        "thời gian đáp ứng 4,2 giây từ 14:03 (ngưỡng > 3 giây)",
        "response time 4.2 s since 14:03 (limit > 3 s)",
    ),
    (
        crossing("mos", 3.449, "<", 3.6, "number", over="1h"),
        "MOS ước tính 3,45 từ 14:03 (ngưỡng < 3,6 trong 1 giờ)",
        "estimated MOS 3.45 since 14:03 (limit < 3.6 over 1 h)",
    ),
    (
        crossing("queue_age", 1234.5, ">", 900, "seconds"),
        "queue_age 20,6 phút từ 14:03 (ngưỡng > 15 phút)",
        "queue_age 20.6 min since 14:03 (limit > 15 min)",
    ),
]


@pytest.mark.parametrize(("detail", "vietnamese", "english"), SAID, ids=[one[0] for one in SAID])
def test_a_crossed_line_is_read_out(detail: str, vietnamese: str, english: str) -> None:
    assert words.measured(detail, "vi", "14:03") == vietnamese
    assert words.measured(detail, "en", "14:03") == english


@pytest.mark.parametrize("detail", ["", "loss >= 60%", "timeout", "loss 7% >= ", "10 of 10 lost", "a 1 < 2 <script>"])
def test_what_is_no_crossed_line_is_left_as_it_is(detail: str) -> None:
    assert words.measured(detail, "vi") is None


def test_every_fact_of_every_probe_has_a_name_in_both_languages() -> None:
    known = {name for kind in KINDS.values() for name in kind.facts}
    assert known - FACTS.keys() == set()
    assert all(vietnamese and english for vietnamese, english in FACTS.values())


numbers = st.floats(-1e12, 1e12, allow_nan=False)
units = st.sampled_from(["seconds", "ratio", "bytes", "days", "number", "bits_per_second"])


@settings(max_examples=300, deadline=None, derandomize=True)
@given(numbers, numbers, st.one_of(st.none(), numbers), units, st.sampled_from(["", "10m", "24h"]))
def test_whatever_is_written_down_can_be_read_out(
    value: float, limit: float, normal: float | None, unit: str, over: str
) -> None:
    detail = crossing("rtt", value, ">", limit, unit, over=over, normal=normal)
    assert crossed_fact(detail) == "rtt"
    for lang in ("vi", "en"):
        assert words.measured(detail, lang) is not None
        assert words.measured(detail, lang, "14:03") is not None
