"""Video meetings as the daemon goes through them: the run, the watch, what is told, what a restart does, and when we see nothing."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from monitor.model import Catalogue, Lack, Match, MeetingPlan, Message, NodeState, Route, State, Window
from monitor.schedule import Clock
from monitor.store import Store, open_store
from monitor.sweep import Ground, Meetings, meetings
from probes import Outcome, Reason, Seen
from tests.rules.test_readiness import catalogue, check, node

START = datetime(2026, 12, 7, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
PLAN = MeetingPlan(
    id="giao-ban", name="Giao ban", nodes=("hnth.1", "hnth.2"), start=START, end=START + timedelta(hours=2)
)
FACTS = {"loss": 0.0, "mos": 4.3, "rtt": 0.01, "jitter": 0.0}


def province(*plans: MeetingPlan) -> Catalogue:
    checks = [
        check(f"{each}.{number}/c", kind) for number in (1, 2) for each, kind in (("tslcd", "icmp"), ("hnth", "sip"))
    ]
    labels = {number: {"commune": str(number), "commune_name": f"xã {number}"} for number in (1, 2)}
    nodes = [
        node("hub", "hub"),
        *(node(f"tslcd.{n}", "link", "hub", labels=labels[n]) for n in (1, 2)),
        *(node(f"hnth.{n}", "video", f"tslcd.{n}", labels=labels[n]) for n in (1, 2)),
    ]
    made = catalogue(checks, nodes, (Route(match=Match(), send=("truc", "noc")),))
    return replace(made, meetings=plans)


@dataclass
class Field:
    """What the daemon would lend: checks answer at once as `broken`, `silent` and `facts` say."""

    at: float = 0.0
    broken: set[str] = field(default_factory=set)
    silent: set[str] = field(default_factory=set)
    facts: dict[str, Mapping[str, float]] = field(default_factory=dict)
    latest: dict[str, Outcome] = field(default_factory=dict)
    states: dict[str, NodeState] = field(default_factory=dict)
    fired: list[str] = field(default_factory=list)
    paces: list[Mapping[str, timedelta]] = field(default_factory=list)
    offered: list[Message] = field(default_factory=list)
    announced: list[Window] = field(default_factory=list)
    sees: bool = True

    def fire(self, check: str) -> None:
        self.fired.append(check)
        self.answer(check)

    def answer(self, check: str) -> None:
        seen = Seen.BLIND if not self.sees else Seen.FAILED if check in self.broken else Seen.OK
        if check not in self.silent:
            reason = {Seen.OK: Reason.OK, Seen.FAILED: Reason.TIMEOUT, Seen.BLIND: Reason.OWN_NETWORK}[seen]
            facts = self.facts.get(check, FACTS) if check.startswith("tslcd") and seen is Seen.OK else {}
            self.latest[check] = Outcome(
                seen=seen,
                reason=reason,
                detail="",
                started_at=datetime.fromtimestamp(self.at, UTC),
                seconds=0.1,
                facts=facts,
            )

    def all_answer(self) -> None:
        for id in list(self.latest):
            self.answer(id)

    def ground(self) -> Ground:
        return Ground(
            fire=self.fire, last=self.latest.get, nodes=lambda: self.states, connected=lambda: self.sees,
            windows=lambda: self.announced, pace=self.paces.append, offer=self.offered.extend,
        )  # fmt: skip

    @property
    def told(self) -> list[dict[str, Any]]:
        """The first receiver's messages."""
        return [json.loads(message.body) for message in self.offered if message.receiver == "truc"]


class Stage:
    """Meetings over a real store, with a clock that the test moves."""

    def __init__(self, store: Store, land: Field, known: Catalogue) -> None:
        self.store, self.land = store, land
        self.clock = Clock(wall=lambda: land.at, steady=lambda: land.at)
        self.meetings = Meetings(store, self.clock, known, land.ground(), calm=timedelta(minutes=5))

    def again(self, known: Catalogue) -> "Stage":
        """The daemon starts anew over the same store."""
        return Stage(self.store, self.land, known)

    async def at(self, moment: datetime) -> None:
        self.land.at = moment.timestamp()
        self.land.all_answer()
        await self.meetings.turn()

    async def through(self, start: datetime, length: timedelta, step: timedelta = timedelta(seconds=15)) -> None:
        for count in range(length // step):
            await self.at(start + step * count)


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meetings, "AGAIN", 0.0)
    monkeypatch.setattr(meetings, "GRACE", 0.05)
    monkeypatch.setattr(meetings, "SPREAD", 0.0)


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    land = Field()
    store = await open_store("sqlite", tmp_path, lambda: datetime.fromtimestamp(land.at, UTC))
    async with store:
        yield Stage(store, land, province(PLAN))


def lacks(message: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(point["id"], point["lack"]) for point in message["data"]["meeting"]["not_ready"]]


async def test_one_message_for_each_receiver_an_hour_before_and_none_before_that(stage: Stage) -> None:
    await stage.at(START - 61 * MINUTE)
    assert (stage.land.fired, stage.land.offered, stage.land.paces) == ([], [], [])
    stage.land.broken = {"hnth.2/c"}
    await stage.through(START - 60 * MINUTE, 4 * MINUTE)
    assert [message.receiver for message in stage.land.offered] == ["truc", "noc"]
    (told,) = stage.land.told
    assert told["type"] == "meeting.readiness"
    assert lacks(told) == [("hnth.2", "endpoint")]
    assert told["message"]["title"] == "Giao ban (07/12/2026 08:00): 1 trên 2 điểm cầu sẵn sàng"
    assert "Thiết bị điểm cầu không đạt (1): xã 2 (quá thời gian chờ" in told["message"]["text"]
    assert stage.land.fired.count("hnth.1/c") == 1
    assert stage.land.fired.count("hnth.2/c") == 2  # asked once more before it is said
    (kept,) = await stage.store.readiness(START)
    assert (kept.sequence, kept.ready, kept.lacking[0].lack) == (1, 1, Lack.ENDPOINT)


async def test_a_restart_repeats_nothing_and_keeps_the_pace(stage: Stage) -> None:
    await stage.at(START - 30 * MINUTE)
    assert len(stage.land.told) == 1
    after = stage.again(province(PLAN))
    await after.through(START - 29 * MINUTE, 3 * MINUTE)
    assert len(stage.land.told) == 1
    assert stage.land.paces[-1].keys() == {"hnth.1/c", "hnth.2/c", "tslcd.1/c", "tslcd.2/c"}
    assert set(stage.land.paces[-1].values()) == {timedelta(seconds=30)}


async def test_the_pace_ends_with_the_meeting(stage: Stage) -> None:
    await stage.at(START + timedelta(hours=2) - MINUTE)
    assert stage.land.paces[-1]
    await stage.at(START + timedelta(hours=2))
    assert stage.land.paces[-1] == {}
    assert stage.land.told == []  # nobody looked in time, and now it is no readiness any more


async def test_a_change_is_told_once_when_it_has_lasted_and_not_before_five_minutes(stage: Stage) -> None:
    await stage.at(START - 60 * MINUTE)
    stage.land.facts["tslcd.1/c"] = FACTS | {"loss": 0.2}
    await stage.through(START - 59 * MINUTE, 4 * MINUTE)
    assert len(stage.land.told) == 1
    await stage.through(START - 55 * MINUTE, 10 * MINUTE)
    _, update = stage.land.told
    assert update["message"]["title"].startswith("[Cập nhật] Giao ban")
    assert update["data"]["meeting"]["changed"] == {"ready": [], "not_ready": ["hnth.1"]}
    assert "Không còn sẵn sàng (1): xã 1" in update["message"]["text"]
    assert "Mất gói từ 1 % trở lên (1): xã 1 (mất gói 20,0 %)" in update["message"]["text"]
    del stage.land.facts["tslcd.1/c"]
    await stage.through(START, 10 * MINUTE)
    _, _, last = stage.land.told
    assert last["data"]["meeting"]["changed"] == {"ready": ["hnth.1"], "not_ready": []}
    assert "Đã sẵn sàng (1): xã 1" in last["message"]["text"]
    assert "Tất cả điểm cầu sẵn sàng" in last["message"]["text"]
    assert [message.sequence for message in stage.land.offered] == [1, 1, 2, 2, 3, 3]
    assert len({message.id for message in stage.land.offered}) == 6


async def test_one_lost_round_is_no_news(stage: Stage) -> None:
    await stage.at(START - 60 * MINUTE)
    for count in range(20):
        stage.land.broken = {"hnth.1/c"} if count % 4 == 0 else set()
        await stage.at(START - 50 * MINUTE + count * timedelta(seconds=30))
    assert len(stage.land.told) == 1


async def test_while_we_are_cut_off_nothing_is_told_until_it_cannot_wait(stage: Stage) -> None:
    stage.land.sees = False
    await stage.through(START - 60 * MINUTE, 40 * MINUTE, timedelta(seconds=20))
    assert stage.land.told == []
    await stage.through(START - 15 * MINUTE, MINUTE, timedelta(seconds=20))
    (told,) = stage.land.told
    assert lacks(told) == [("hnth.1", "unknown"), ("hnth.2", "unknown")]


async def test_being_cut_off_later_changes_nothing(stage: Stage) -> None:
    await stage.at(START - 60 * MINUTE)
    stage.land.sees = False
    await stage.through(START - 50 * MINUTE, 20 * MINUTE)
    assert len(stage.land.told) == 1
    (status,) = stage.meetings.status()
    assert [point.ready for point in status.points] == [True, True]


async def test_what_never_answers_does_not_hold_the_others(stage: Stage) -> None:
    stage.land.silent = {"hnth.2/c"}
    known = province(PLAN)
    quick = {name: replace(each, timeout=timedelta(seconds=0.1)) for name, each in known.checks.items()}
    stage.meetings.catalogue = replace(known, checks=quick)
    await stage.at(START - 60 * MINUTE)
    assert lacks(stage.land.told[0]) == [("hnth.2", "unknown")]


async def test_a_cut_link_is_named_and_so_is_announced_work(stage: Stage) -> None:
    stage.land.states["tslcd.1"] = NodeState(node="tslcd.1", state=State.UNREACHABLE, blamed_on="hub")
    stage.land.announced = [
        Window(id="w", plan="nang-cap", nodes=frozenset({"hub"}), start=START + 30 * MINUTE, end=START + 90 * MINUTE),
        Window(id="x", plan="xong", nodes=frozenset({"hub"}), start=START - 90 * MINUTE, end=START - 70 * MINUTE),
    ]
    await stage.at(START - 60 * MINUTE)
    text = stage.land.told[0]["message"]["text"]
    assert "Không tới được do sự cố tuyến trên (1): xã 1 (do HUB)" in text
    assert "Bảo trì đã thông báo trùng phiên họp: nang-cap (07/12/2026 08:30)" in text
    assert "xong" not in text


async def test_a_meeting_that_is_moved_is_another_one(stage: Stage) -> None:
    await stage.at(START - 60 * MINUTE)
    stage.meetings.catalogue = province(replace(PLAN, start=START + 30 * MINUTE))
    await stage.at(START - 29 * MINUTE)
    assert [told["data"]["meeting"]["id"] for told in stage.land.told] == [
        "giao-ban@20261207T010000Z",
        "giao-ban@20261207T013000Z",
    ]


async def test_a_point_that_leaves_the_configuration_is_no_longer_asked(stage: Stage) -> None:
    stage.meetings.catalogue = province(replace(PLAN, nodes=("hnth.1", "gone")))
    await stage.at(START - 60 * MINUTE)
    assert stage.land.told[0]["data"]["meeting"]["total"] == 1


async def test_by_hand_nobody_is_told(stage: Stage) -> None:
    stage.land.at = (START - timedelta(days=3)).timestamp()
    stage.land.broken = {"tslcd.1/c", "hnth.1/c"}
    found = await stage.meetings.check("giao-ban")
    assert found is not None
    assert [(point.node, point.lack) for point in found.points] == [("hnth.1", Lack.LINK), ("hnth.2", Lack.NOTHING)]
    assert await stage.meetings.check("giao-ban@20261207T010000Z") is not None
    assert await stage.meetings.check("other") is None
    assert stage.land.offered == []
    assert await stage.store.readiness(START) == ()


async def test_however_many_ask_by_hand_it_is_looked_once_in_a_while(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.land.at = (START - timedelta(days=3)).timestamp()
    found = await asyncio.gather(*(stage.meetings.check("giao-ban") for _ in range(20)))
    assert len({id(each.points) for each in found if each is not None}) == 1
    assert stage.land.fired.count("hnth.1/c") == 1
    monkeypatch.setattr(meetings, "BY_HAND", 0.0)
    await stage.meetings.check("giao-ban")
    assert stage.land.fired.count("hnth.1/c") == 2


async def test_meetings_that_come_round_are_known_ten_ahead(stage: Stage) -> None:
    weekly = MeetingPlan(
        id="tuan",
        name="Tuần",
        nodes=("hnth.1",),
        cron="0 8 * * *",
        length=timedelta(hours=1),
        every=timedelta(seconds=5),
    )
    stage.meetings.catalogue = province(weekly, PLAN)
    await stage.at(START + 30 * MINUTE)
    coming = [status.meeting for status in stage.meetings.status()]
    assert len(coming) == 11
    assert [each.plan for each in coming[:3]] == ["giao-ban", "tuan", "tuan"]
    assert coming[1].start == START  # 08:00 in the province, and running
    assert coming[2].start == START + timedelta(days=1)
    assert stage.land.paces == [{"hnth.2/c": timedelta(seconds=30), "tslcd.2/c": timedelta(seconds=30),
                                 "hnth.1/c": timedelta(seconds=30), "tslcd.1/c": timedelta(seconds=30)}]  # fmt: skip
