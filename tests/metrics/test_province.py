"""The series of meetings, of video points and of IPv6: few, named after the configuration, and gone when there is nothing to say."""

from datetime import UTC, datetime, timedelta

import pytest
from prometheus_client.parser import text_string_to_metric_families

from monitor.metrics import province
from monitor.metrics.text import join
from monitor.model import Lack, Meeting, MeetingStatus, Point
from monitor.rules.ipv6 import Share

START = datetime(2026, 12, 7, 1, tzinfo=UTC)


def meeting(plan: str, days: int, points: tuple[Point, ...] = ()) -> MeetingStatus:
    start = START + timedelta(days=days)
    made = Meeting(
        id=f"{plan}@{days}", plan=plan, name=plan, nodes=("a", "b"), start=start, end=start + timedelta(hours=1),
        ready_at=start - timedelta(hours=1), every=timedelta(seconds=30),
    )  # fmt: skip
    return MeetingStatus(meeting=made, points=points)


def samples(
    *meetings: MeetingStatus, ipv6: Share | None = None, speech: dict[str, float] | None = None
) -> dict[str, float]:
    text = join(province.blocks(meetings, ipv6, speech or {}), openmetrics=False).decode()
    return {
        sample.name + "".join(f",{name}={value}" for name, value in sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_a_plans_next_meeting_and_its_points() -> None:
    points = (Point(node="a"), Point(node="b", lack=Lack.LINK))
    assert samples(meeting("m", 0, points), meeting("m", 7), meeting("n", 1)) == {
        "thongsuot_meeting_points,meeting=m,ready=true": 1,
        "thongsuot_meeting_points,meeting=m,ready=false": 1,
        "thongsuot_meeting_start_timestamp_seconds,meeting=m": START.timestamp(),
        "thongsuot_meeting_start_timestamp_seconds,meeting=n": START.timestamp() + 86400,
    }


def test_communes_by_how_their_ipv6_stands() -> None:
    assert samples(ipv6=Share(working=97, failing=3, unknown=9, unasked=20)) == {
        "thongsuot_ipv6_communes,state=working": 97,
        "thongsuot_ipv6_communes,state=failing": 3,
        "thongsuot_ipv6_communes,state=unknown": 9,
        "thongsuot_ipv6_communes,state=unasked": 20,
        "thongsuot_ipv6_working_ratio": pytest.approx(97 / 120),
    }


def test_what_is_not_known_has_no_ratio() -> None:
    assert "thongsuot_ipv6_working_ratio" not in samples(ipv6=Share(unknown=129))
    assert samples(ipv6=Share()) == {}
    assert samples() == {}


def test_a_video_points_score() -> None:
    assert samples(speech={"hnth.1": 4.2}) == {"thongsuot_video_mos,node=hnth.1": 4.2}
