"""Who is ready for a video meeting, what counts as a change, and what is due when."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.model import (
    Catalogue,
    Check,
    Daemon,
    Effect,
    EventType,
    Lack,
    Match,
    Meeting,
    MeetingPlan,
    Node,
    NodeState,
    Point,
    Province,
    Readiness,
    Receiver,
    Retention,
    Route,
    SelfCheck,
    Severity,
    State,
)
from monitor.rules import readiness
from monitor.rules.readiness import Change, Standing
from monitor.rules.routing import meeting_receivers
from probes import Outcome, Reason, Seen
from probes.icmp import IcmpSpec

T = datetime(2026, 12, 7, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def check(id: str, kind: str = "tcp", *, every: int = 120, timeout: int = 10, effect: Effect = Effect.DOWN) -> Check:
    node, _, name = id.partition("/")
    return Check(
        id=id, node=node, name=name, kind=kind, spec=None, every=every * SECOND, timeout=timeout * SECOND, effect=effect
    )


def catalogue(checks: list[Check], nodes: list[Node], routes: tuple[Route, ...] = ()) -> Catalogue:
    known = {node.id: replace(node, checks=tuple(each.id for each in checks if each.node == node.id)) for node in nodes}
    return Catalogue(
        province=Province(),
        daemon=Daemon(),
        parties={},
        nodes=MappingProxyType(known),
        checks=MappingProxyType({each.id: each for each in checks}),
        receivers={name: Receiver(name=name, kind="webhook", spec=None) for name in ("truc", "noc")},
        routes=routes,
        maintenance=(),
        reports=(),
        retention=Retention(),
        monitor=SelfCheck(),
        fingerprint="",
    )


def node(id: str, type: str = "video", *above: str, **more: object) -> Node:
    return Node(id=id, name=id.upper(), type=type, depends_on=above, **more)


CATALOGUE = catalogue(
    [
        check("hub/page"),
        check("mcu/sip"),
        check("link/v6", "icmp", effect=Effect.DEGRADED),
        check("link/v4", "icmp", every=60),
        check("point/sip"),
        check("point/web", effect=Effect.NONE),
        check("bare/sip"),
        check("own/echo", "icmp"),
    ],
    [
        node("hub", "hub"),
        node("mcu", "system", "hub"),
        node("link", "link", "hub"),
        node("point", "video", "mcu", "link"),
        node("bare", "video", "hub"),
        node("own", "video", "link"),
    ],
)
WAY = readiness.way(CATALOGUE, "point")


# --- who takes part ---------------------------------------------------------------------------------------------------


def test_the_link_is_the_nearest_on_the_way_that_has_an_echo_and_the_one_that_matters() -> None:
    assert WAY.above == ("mcu", "link", "hub")
    assert WAY.link is not None
    assert WAY.link.id == "link/v4"
    own = readiness.way(CATALOGUE, "own").link
    assert own is not None
    assert own.id == "own/echo"
    assert readiness.way(CATALOGUE, "bare").link is None


def test_a_run_asks_the_point_its_link_and_what_can_take_it_down_each_once() -> None:
    ways = [readiness.way(CATALOGUE, name) for name in ("point", "bare")]
    asked = [each.id for each in readiness.asked(CATALOGUE, ways)]
    assert sorted(asked) == ["bare/sip", "hub/page", "link/v4", "mcu/sip", "point/sip", "point/web"]
    assert len(asked) == len(set(asked))


def test_only_what_is_slower_and_quick_enough_gets_the_pace() -> None:
    ways = [WAY]
    half = timedelta(seconds=30)
    assert readiness.pace(ways, CATALOGUE, half) == dict.fromkeys(
        ("point/sip", "point/web", "link/v4", "link/v6"), half
    )
    assert readiness.pace(ways, CATALOGUE, 60 * SECOND).keys() == {"point/sip", "point/web", "link/v6"}
    assert readiness.pace(ways, CATALOGUE, 10 * SECOND) == {}


# --- judging ----------------------------------------------------------------------------------------------------------

OK = {"loss": 0.0, "mos": 4.3}
CASES = [
    # a sentence, what was judged, what was seen ("F" failed, "B" blind, a mapping of facts, None nothing), and what the point lacks
    ("everything answers", {}, {"point/sip": {}, "link/v4": OK}, (Lack.NOTHING, "")),
    ("a degraded point with a good line is ready", {"point": State.DEGRADED}, {"point/sip": {}, "link/v4": OK}, (Lack.NOTHING, "")),
    ("the endpoint is silent", {}, {"point/sip": "F", "link/v4": OK}, (Lack.ENDPOINT, "")),
    ("it was judged down and has only now answered once", {"point": State.DOWN}, {"point/sip": {}, "link/v4": OK}, (Lack.ENDPOINT, "")),
    ("its web page fails, which brings nothing down", {}, {"point/sip": {}, "point/web": "F", "link/v4": OK}, (Lack.NOTHING, "")),
    ("the link is down: the point is not to blame", {"link": State.DOWN, "point": State.UNREACHABLE}, {"point/sip": "F"}, (Lack.LINK, "link")),
    ("the link does not answer, and is not judged yet", {}, {"point/sip": "F", "link/v4": "F"}, (Lack.LINK, "link")),
    ("the bridge in the middle is down while the point answers", {"mcu": State.DOWN}, {"point/sip": {}, "link/v4": OK}, (Lack.UPSTREAM, "mcu")),
    ("the hub is down: all else is not asked", {"hub": State.DOWN}, {}, (Lack.UPSTREAM, "hub")),
    ("one packet in a hundred is too many", {}, {"point/sip": {}, "link/v4": {"loss": 0.01, "mos": 4.2}}, (Lack.LOSS, "link")),
    ("fewer is fine", {}, {"point/sip": {}, "link/v4": {"loss": 0.0099, "mos": 4.2}}, (Lack.NOTHING, "")),
    ("a slow line sounds bad", {}, {"point/sip": {}, "link/v4": {"loss": 0.0, "mos": 3.59}}, (Lack.MOS, "link")),
    ("3.6 is enough", {}, {"point/sip": {}, "link/v4": {"loss": 0.0, "mos": 3.6}}, (Lack.NOTHING, "")),
    ("we could not look at the point", {"point": State.UP}, {"point/sip": "B", "link/v4": OK}, (Lack.UNKNOWN, "")),
    ("we could not look at the link", {"link": State.UP}, {"point/sip": {}, "link/v4": "B"}, (Lack.UNKNOWN, "")),
    ("nothing has come in", {"point": State.UP}, {"link/v4": OK}, (Lack.UNKNOWN, "")),
    ("a silent endpoint is silent however blind we are to its link", {}, {"point/sip": "F", "link/v4": "B"}, (Lack.ENDPOINT, "")),
]  # fmt: skip


def outcome(seen: object, at: datetime = T) -> Outcome:
    kind = Seen.FAILED if seen == "F" else Seen.BLIND if seen == "B" else Seen.OK
    reason = {Seen.FAILED: Reason.TIMEOUT, Seen.BLIND: Reason.OWN_NETWORK, Seen.OK: Reason.OK}[kind]
    facts = seen if isinstance(seen, dict) else {}
    return Outcome(seen=kind, reason=reason, detail="", started_at=at, seconds=0.1, facts=facts)


def states(judged: Mapping[str, State]) -> dict[str, NodeState]:
    return {name: NodeState(node=name, state=state, reason=Reason.TIMEOUT) for name, state in judged.items()}


@pytest.mark.parametrize(("sentence", "judged", "seen", "lacks"), CASES, ids=[case[0] for case in CASES])
def test_a_point(
    sentence: str, judged: Mapping[str, State], seen: Mapping[str, object], lacks: tuple[Lack, str]
) -> None:
    latest = {name: outcome(each) for name, each in seen.items()}
    point = readiness.judge(WAY, states(judged), latest, T)
    assert (point.lack, point.blamed_on) == lacks
    assert point.ready is (lacks[0] is Lack.NOTHING)


def test_the_carrier_above_a_link_is_named_where_it_is_to_blame() -> None:
    known = {"link": NodeState(node="link", state=State.UNREACHABLE, blamed_on="carrier.vnpt")}
    point = readiness.judge(WAY, known, {}, T)
    assert (point.lack, point.blamed_on) == (Lack.UPSTREAM, "carrier.vnpt")


def test_what_was_seen_before_it_was_asked_says_nothing() -> None:
    latest = {"point/sip": outcome({}, T - SECOND), "link/v4": outcome(OK)}
    assert readiness.judge(WAY, {}, latest, T).lack is Lack.UNKNOWN
    assert readiness.judge(WAY, {}, latest, {"point/sip": T - SECOND, "link/v4": T}).ready
    assert readiness.judge(WAY, {}, latest, {"link/v4": T}).lack is Lack.UNKNOWN


def test_a_point_without_a_link_is_judged_by_its_own_answers() -> None:
    way = readiness.way(CATALOGUE, "bare")
    assert readiness.judge(way, {}, {"bare/sip": outcome({})}, T).ready


def test_an_echo_that_only_measures_does_not_say_that_the_link_is_down() -> None:
    v6 = replace(check("link/v6", "icmp", effect=Effect.DEGRADED), spec=IcmpSpec(host="2001:db8::1"))
    v4 = replace(check("link/v4", "icmp", effect=Effect.NONE), spec=IcmpSpec(host="192.0.2.1"))
    measured = replace(CATALOGUE, checks={**CATALOGUE.checks, "link/v6": v6, "link/v4": v4})
    way = readiness.way(measured, "point")
    lost = replace(outcome("F"), facts={"loss": 1.0})
    assert readiness.judge(way, {}, {"point/sip": outcome({}), "link/v4": lost}, T).lack is Lack.LOSS
    assert readiness.judge(way, {}, {"point/sip": outcome({}), "link/v4": outcome("F")}, T).lack is Lack.LINK
    assert readiness.judge(WAY, {}, {"point/sip": outcome({}), "link/v4": lost}, T).lack is Lack.LINK


def test_a_point_that_measures_its_own_line_is_not_told_twice() -> None:
    way = readiness.way(CATALOGUE, "own")
    assert readiness.judge(way, {}, {"own/echo": outcome("F")}, T).lack is Lack.ENDPOINT
    point = readiness.judge(way, {}, {"own/echo": outcome({"loss": 0.2, "mos": 2.0})}, T)
    assert (point.lack, point.blamed_on, point.mos) == (Lack.LOSS, "", 2.0)


@given(
    st.dictionaries(st.sampled_from(["hub", "mcu", "link", "point"]), st.sampled_from(list(State))),
    st.dictionaries(
        st.sampled_from(["point/sip", "link/v4"]),
        st.one_of(
            st.sampled_from(["F", "B"]), st.fixed_dictionaries({"loss": st.floats(0, 1), "mos": st.floats(1, 4.5)})
        ),
    ),
)
def test_ready_means_seen_answering_over_a_good_line_with_nothing_down_above(
    judged: dict[str, State], seen: dict[str, object]
) -> None:
    latest = {name: outcome(each) for name, each in seen.items()}
    point = readiness.judge(WAY, states(judged), latest, T)
    facts = seen.get("link/v4")
    good = isinstance(facts, dict) and facts["loss"] < 0.01 and facts["mos"] >= 3.6
    assert point.ready == (
        good and isinstance(seen.get("point/sip"), dict) and not any(state.failing for state in judged.values())
    )


# --- what changes -----------------------------------------------------------------------------------------------------


def point(name: str, lack: Lack = Lack.NOTHING) -> Point:
    return Point(node=name, lack=lack)


def standing(**points: Lack) -> Standing:
    return Standing(points={name: point(name, lack) for name, lack in points.items()}, doubted={})


HOLD = timedelta(seconds=60)
SEEN = [
    # what was believed, what is seen second by second (seconds, lack), and what is believed at the end
    ("one bad round is nothing", Lack.NOTHING, [(0, Lack.LOSS), (59, Lack.NOTHING), (90, Lack.LOSS)], Lack.NOTHING),
    ("what lasts is a change", Lack.NOTHING, [(0, Lack.LOSS), (30, Lack.LINK), (60, Lack.LINK)], Lack.LINK),
    ("so is getting well", Lack.LINK, [(0, Lack.NOTHING), (60, Lack.NOTHING)], Lack.NOTHING),
    ("another fault of one that is not ready is known at once", Lack.LOSS, [(0, Lack.ENDPOINT)], Lack.ENDPOINT),
    ("what we do not see changes nothing, however long", Lack.NOTHING, [(0, Lack.UNKNOWN), (600, Lack.UNKNOWN)], Lack.NOTHING),
    ("and forgets the doubt before it", Lack.NOTHING, [(0, Lack.LOSS), (50, Lack.UNKNOWN), (61, Lack.LOSS)], Lack.NOTHING),
    ("what was unknown and is seen to work is a change", Lack.UNKNOWN, [(0, Lack.NOTHING), (60, Lack.NOTHING)], Lack.NOTHING),
    ("a point nobody has looked at yet is as it is seen", None, [(0, Lack.LINK)], Lack.LINK),
]  # fmt: skip


@pytest.mark.parametrize(("sentence", "before", "seen", "believed"), SEEN, ids=[case[0] for case in SEEN])
def test_settling(sentence: str, before: Lack | None, seen: list[tuple[int, Lack]], believed: Lack) -> None:
    now = standing(a=before) if before is not None else standing()
    for seconds, lack in seen:
        now = readiness.settle(now, [point("a", lack)], T + seconds * SECOND, HOLD)
    assert now.points["a"].lack is believed


@given(st.lists(st.tuples(st.integers(1, 40), st.sampled_from(list(Lack))), max_size=60))
def test_readiness_never_changes_sooner_than_it_has_lasted(rounds: list[tuple[int, Lack]]) -> None:
    now, at, changed = standing(a=Lack.NOTHING), T, T - HOLD
    for seconds, lack in rounds:
        at += seconds * SECOND
        after = readiness.settle(now, [point("a", lack)], at, HOLD)
        if after.points["a"].ready != now.points["a"].ready:
            assert at - changed >= HOLD
            assert lack is not Lack.UNKNOWN
            changed = at
        now = after


# --- what is due ------------------------------------------------------------------------------------------------------

PLAN = MeetingPlan(id="m", name="M", nodes=("a", "b"), cron="0 8 * * mon", length=timedelta(hours=2))
MEETING = readiness.occurrence(PLAN, T, T + timedelta(hours=2))


def told(minutes: int, *, sequence: int = 1, **points: Lack) -> Readiness:
    return Readiness(
        meeting=MEETING.id, sequence=sequence, plan="m", at=T + timedelta(minutes=minutes), start=MEETING.start,
        end=MEETING.end, points=tuple(point(name, lack) for name, lack in points.items()),
    )  # fmt: skip


def test_an_occurrence_is_named_by_its_plan_and_its_start() -> None:
    assert MEETING.id == "m@20261207T010000Z"
    assert MEETING.ready_at == T - timedelta(hours=1)


DUE = [
    ("an hour and a second before", -3601, None, False),
    ("an hour before", -3600, None, True),
    ("late, for the daemon was off", -1, None, True),
    ("once is enough", -1800, told(-60), False),
    ("the meeting has begun", 0, None, False),
]


@pytest.mark.parametrize(("sentence", "seconds", "before", "due"), DUE, ids=[case[0] for case in DUE])
def test_when_the_run_is_due(sentence: str, seconds: int, before: Readiness | None, due: bool) -> None:
    assert readiness.due(MEETING, before, T + seconds * SECOND) is due


def test_a_meeting_without_points_is_never_due() -> None:
    nobody = Meeting(id="x", plan="x", name="X", nodes=(), start=T, end=T + HOLD, ready_at=T - HOLD, every=SECOND)
    assert not readiness.due(nobody, None, T - SECOND)


UPDATES = [
    # what was told (minutes from the beginning), the points now, at which minute, and what is told then
    ("nothing has changed", told(-60, a=Lack.NOTHING, b=Lack.LINK), {"a": Lack.NOTHING, "b": Lack.LOSS}, 0, Change()),
    ("one has gone", told(-60, a=Lack.NOTHING, b=Lack.LINK), {"a": Lack.LOSS, "b": Lack.LINK}, -30, Change(lacking=("a",))),
    ("one has come", told(-60, a=Lack.NOTHING, b=Lack.LINK), {"a": Lack.NOTHING, "b": Lack.NOTHING}, 60, Change(ready=("b",))),
    ("too soon after the last", told(-4, a=Lack.NOTHING), {"a": Lack.LOSS}, 0, Change()),
    ("five minutes after the last", told(-5, a=Lack.NOTHING), {"a": Lack.LOSS}, 0, Change(lacking=("a",))),
    ("the meeting is over", told(-60, a=Lack.NOTHING), {"a": Lack.LOSS}, 120, Change()),
    ("nobody was told of it at all", None, {"a": Lack.LOSS}, 0, Change()),
    ("a point that joined and is ready is no news", told(-60, a=Lack.NOTHING), {"a": Lack.NOTHING, "c": Lack.NOTHING}, 0, Change()),
    ("one that joined and is not", told(-60, a=Lack.NOTHING), {"a": Lack.NOTHING, "c": Lack.LINK}, 0, Change(lacking=("c",))),
]  # fmt: skip


@pytest.mark.parametrize(("sentence", "before", "now", "minute", "change"), UPDATES, ids=[case[0] for case in UPDATES])
def test_when_an_update_is_due(
    sentence: str, before: Readiness | None, now: dict[str, Lack], minute: int, change: Change
) -> None:
    points = [point(name, lack) for name, lack in now.items()]
    assert readiness.due_update(MEETING, before, points, T + timedelta(minutes=minute)) == change


# --- who is told ------------------------------------------------------------------------------------------------------

ROUTES = [
    ("everybody's route", [Match()], ("r0",)),
    ("one for other events is passed by", [Match(event=("incident.opened",)), Match()], ("r1",)),
    ("one that asks for it by name", [Match(event=("meeting.readiness",)), Match()], ("r0",)),
    ("one for a type of point", [Match(type=("video",)), Match()], ("r0",)),
    ("one for what takes no part", [Match(type=("link",)), Match()], ("r1",)),
    ("one for a severity that one of the points has", [Match(severity=("high",)), Match()], ("r0",)),
    ("one for one point", [Match(node=("point",))], ("r0",)),
    ("nobody's", [Match(owner=("vpubnd",))], ()),
]


@pytest.mark.parametrize(("sentence", "matches", "who"), ROUTES, ids=[case[0] for case in ROUTES])
def test_who_is_told(sentence: str, matches: list[Match], who: tuple[str, ...]) -> None:
    names = [f"r{number}" for number in range(len(matches))]
    known = replace(
        CATALOGUE,
        receivers={name: Receiver(name=name, kind="webhook", spec=None) for name in names},
        routes=tuple(Route(match=match, send=(name,)) for match, name in zip(matches, names, strict=True)),
    )
    points = [known.nodes["point"], replace(known.nodes["bare"], severity=Severity.HIGH)]
    assert meeting_receivers(points, known) == who


def test_the_event_is_one_that_is_told() -> None:
    assert EventType.MEETING_READINESS.told


@pytest.mark.parametrize(("seen", "score"), [({"mos": 4.1}, 4.1), ("F", None), ("B", None), ({}, None)])
def test_a_points_score_is_its_links(seen: object, score: float | None) -> None:
    assert readiness.speech(WAY.link, {"link/v4": outcome(seen)}.get) == score
    assert readiness.speech(None, {}.get) is None
