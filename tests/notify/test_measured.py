"""The message about a degradation: value, since when, and what is normal, in the province's words."""

from datetime import timedelta

import pytest

from probes.contract import Reason
from tests.notify.test_body import AT, incident, say

DETAIL = "loss 7% >= 5% over 10m (normal 0%)"


@pytest.mark.parametrize(
    ("lang", "line"),
    [
        ("vi", "Biểu hiện: mất gói 7 % từ 21:03, bình thường 0 % (ngưỡng ≥ 5 % trong 10 phút)"),
        ("en", "Seen: loss 7% since 21:03, normally 0% (limit ≥ 5% over 10 min)"),
    ],
)
def test_a_degradation_says_value_since_when_and_what_is_normal(lang: str, line: str) -> None:
    of = incident(reason=Reason.OK, detail=DETAIL, degradation=True, started_at=AT)
    told = say(of=of, lang=lang, now=AT + timedelta(minutes=11))
    assert line in told["message"]["text"].split("\n")
    assert told["data"]["incident"]["detail"] == DETAIL


def test_what_began_on_another_day_says_the_day() -> None:
    of = incident(reason=Reason.OK, detail=DETAIL, degradation=True, started_at=AT - timedelta(days=1))
    assert "mất gói 7 % từ 20/11/2026 21:03, bình thường 0 %" in say(of=of, lang="vi")["message"]["text"]
