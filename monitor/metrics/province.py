"""The series of the province as a whole: video meetings and their points, and the share of communes with working IPv6.

Owns: turning what is known of them into samples when somebody scrapes. Never: more series than plans of meetings and video points.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from monitor.metrics.text import Block, Family, sample
from monitor.model import MeetingStatus
from monitor.rules.ipv6 import Share, Unit

POINTS: Final = Family(
    "thongsuot_meeting_points", "Points of a video meeting from its readiness run to its end, by whether they are ready"
)
STARTS: Final = Family("thongsuot_meeting_start_timestamp_seconds", "When the next meeting of a plan begins or began")
MOS: Final = Family(
    "thongsuot_video_mos",
    "Estimated opinion score for speech of a video point, 1 to 4.5, by its link's loss, delay and jitter",
)
COMMUNES: Final = Family("thongsuot_ipv6_communes", "Communes by how their IPv6 stands")
RATIO: Final = Family(
    "thongsuot_ipv6_working_ratio",
    "Share of communes whose IPv6 works, 0 to 1; those of which nothing is known are left out",
)


def blocks(meetings: Iterable[MeetingStatus], ipv6: Share | None, speech: Mapping[str, float]) -> Iterator[Block]:
    """Every family that has a sample."""
    starts: dict[str, bytes] = {}
    points: list[bytes] = []
    for status in meetings:
        plan = status.meeting.plan
        if plan in starts:
            continue
        starts[plan] = sample(STARTS, {"meeting": plan}, status.meeting.start.timestamp())
        if status.points:
            ready = sum(point.ready for point in status.points)
            points.append(sample(POINTS, {"meeting": plan, "ready": "true"}, ready))
            points.append(sample(POINTS, {"meeting": plan, "ready": "false"}, len(status.points) - ready))
    yield from _some(POINTS, points)
    yield from _some(STARTS, list(starts.values()))
    yield from _some(MOS, [sample(MOS, {"node": node}, score) for node, score in speech.items()])
    if ipv6 is not None and ipv6.communes:
        states = {unit.value: getattr(ipv6, unit.value) for unit in Unit}
        yield Block(COMMUNES, ([sample(COMMUNES, {"state": name}, count) for name, count in states.items()],))
        if ipv6.ratio is not None:
            yield Block(RATIO, ([sample(RATIO, {}, ipv6.ratio)],))


def _some(family: Family, samples: list[bytes]) -> Iterator[Block]:
    if samples:
        yield Block(family, (samples,))
