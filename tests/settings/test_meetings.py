"""Video meetings in the configuration: what is assumed, what is warned of, and what a reload says of them."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from monitor.model import MeetingPlan
from monitor.schedule import occurrences
from monitor.settings import Almanac, Loaded, load, plan

NODES = """\
version: 1
nodes:
  hub: {name: Hub, type: hub, checks: {web: {tcp: {host: 127.0.0.1, port: 80}}}}
  a: {name: A, type: video, depends_on: [hub], checks: {web: {tcp: {host: 127.0.0.1, port: 80}}}}
  b: {name: B, type: video, labels: {region: nam}, checks: {web: {timeout: 40s, tcp: {host: 127.0.0.1, port: 80}}}}
"""
ALMANAC = Almanac(
    lambda cron, zone, start, end: occurrences(cron, zone, start=start, end=end), datetime(2026, 11, 22, tzinfo=UTC)
)


def loaded(folder: Path, text: str, almanac: Almanac | None = ALMANAC) -> Loaded:
    path = folder / "p.yaml"
    path.write_text(NODES + text, encoding="utf-8")
    return load(path, environ={}, almanac=almanac)


def warnings(folder: Path, text: str) -> list[str]:
    return [str(warning).removeprefix(f"{folder}/") for warning in loaded(folder, text).warnings]


def test_a_meeting_has_every_video_node_an_hour_of_warning_and_a_pace(tmp_path: Path) -> None:
    (made,) = loaded(tmp_path, 'meetings: [{id: m, name: Giao ban, cron: "0 8 * * mon", for: 2h}]\n').catalogue.meetings
    assert made == MeetingPlan(
        id="m",
        name="Giao ban",
        nodes=("a", "b"),
        cron="0 8 * * mon",
        length=timedelta(hours=2),
        ready_before=timedelta(minutes=60),
        every=timedelta(seconds=30),
    )


def test_a_meeting_once_is_local_to_the_province_and_has_whom_it_names(tmp_path: Path) -> None:
    when = "from: 2026-12-01 08:00, to: 2026-12-01 11:00, ready_before: 90m, every: 45s"
    text = f"meetings: [{{id: m, name: M, nodes: [{{labels: {{region: nam}}}}], {when}}}]\n"
    (made,) = loaded(tmp_path, text).catalogue.meetings
    assert made.nodes == ("b",)
    assert (made.start, made.end) == (datetime(2026, 12, 1, 1, tzinfo=UTC), datetime(2026, 12, 1, 4, tzinfo=UTC))
    assert (made.ready_before, made.every) == (timedelta(minutes=90), timedelta(seconds=45))


ONCE = "from: 2027-01-04 08:30, to: 2027-01-04 11:00"
AGAIN = 'cron: "0 8 * * mon", for: 2h'
OVERLAPS = [
    # the meeting, the work, and the moment at which they meet
    ("a cut of what a point depends on", ONCE, "nodes: [hub], from: 2027-01-04 08:00, to: 2027-01-04 09:00", "2027-01-04 08:30"),
    ("work that ends as it begins", ONCE, "nodes: [a], from: 2027-01-04 08:00, to: 2027-01-04 08:30", None),
    ("work on what nobody needs", ONCE, "nodes: [b], from: 2027-01-04 08:00, to: 2027-01-04 09:00", None),
    ("a weekly meeting and work once, weeks from now", AGAIN, "nodes: [a], from: 2027-06-07 09:30, to: 2027-06-07 12:00", "2027-06-07 09:30"),
    ("a weekly meeting and work on another day", AGAIN, "nodes: [a], from: 2027-06-08 09:30, to: 2027-06-08 12:00", None),
    ("work that comes round and a meeting once", ONCE, 'nodes: [a], cron: "0 9 4 1 *", for: 1h', "2027-01-04 09:00"),
    ("both come round, and meet", AGAIN, 'nodes: [a], cron: "30 9 * * *", for: 1h', "2026-11-23 09:30"),
    ("both come round, and never meet", AGAIN, 'nodes: [a], cron: "0 22 * * *", for: 2h', None),
]  # fmt: skip


@pytest.mark.parametrize(("sentence", "when", "work", "moment"), OVERLAPS, ids=[case[0] for case in OVERLAPS])
def test_announced_work_that_falls_into_a_meeting_is_told(
    tmp_path: Path, sentence: str, when: str, work: str, moment: str | None
) -> None:
    text = f"meetings:\n  - {{id: m, name: M, nodes: [a], {when}}}\nmaintenance:\n  - {{id: w, {work}}}\n"
    told = f"p.yaml:7:5: meetings.0: the maintenance 'w' falls into this meeting ({moment}): move one of them"
    assert warnings(tmp_path, text) == ([told] if moment else [])


def test_a_point_too_slow_for_the_pace_is_told(tmp_path: Path) -> None:
    assert warnings(tmp_path, f"meetings:\n  - {{id: m, name: M, {ONCE}}}\n") == [
        "p.yaml:7:5: meetings.0: b/web may take 40s: it keeps its own pace, which every 30s does not change"
    ]


def test_points_that_wait_for_an_address_are_told(tmp_path: Path) -> None:
    node = "  c: {name: C, type: video, checks: {web: {tcp: {host: env:NOWHERE, port: 80}}}}\n"
    text = f"{node}meetings:\n  - {{id: m, name: M, nodes: [c], {ONCE}}}\n"
    assert any(
        "none of its points is watched yet: nothing will be said of their readiness" in said
        for said in warnings(tmp_path, text)
    )


def test_without_an_almanac_only_moments_that_are_written_are_compared(tmp_path: Path) -> None:
    text = f"meetings: [{{id: m, name: M, nodes: [a], {AGAIN}}}]\nmaintenance: [{{id: w, nodes: [a], cron: \"0 8 * * *\", for: 1h}}]\n"  # fmt: skip
    assert loaded(tmp_path, text, None).warnings == ()


def test_a_reload_says_that_meetings_change(tmp_path: Path) -> None:
    before = loaded(tmp_path, "").catalogue
    after = loaded(tmp_path, f"meetings: [{{id: m, name: M, nodes: [a], {AGAIN}}}]\n").catalogue
    assert plan(before, after).others == ("meetings",)
    assert before.fingerprint != after.fingerprint
