"""Whose fault it is: stories of who fails and who answers, and what is said of them."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitor.model import (
    MONITOR,
    Catalogue,
    Confidence,
    Effect,
    EventType,
    Ground,
    Incident,
    IncidentState,
    Node,
    Says,
    SelfCheck,
    Testimony,
    Whose,
    Witness,
)
from monitor.rules import grounds
from monitor.rules.draft import Draft
from monitor.rules.fault import attribute
from monitor.rules.testimony import Hearing
from monitor.rules.topology import House
from probes.contract import Outcome, Reason, Seen
from tests.rules.driver import Story, Truth, broken, catalogue, check, group, node, outcome, sec, t

CARRIERS, REGIONS = ("vnpt", "viettel"), ("ha_nam", "nam_dinh", "ninh_binh")
FOREVER = 9999.0

WAYS = {"way": Witness.SECOND_PATH, "port": Witness.NEAR_PORT, "cpe": Witness.DEVICE}


def links(carrier: str = "*", region: str = "*", per: int = 4) -> list[str]:
    """Ids of the links of a carrier in a region."""
    return [
        f"l.{c}.{r}.{i}"
        for c in CARRIERS
        for r in REGIONS
        for i in range(per)
        if carrier in (c, "*") and region in (r, "*")
    ]


def link(id: str) -> Node:
    _, carrier, region, _ = id.split(".")
    return node(id, "hub", type="link", carrier=carrier, labels={"region": region})


def town(
    witnesses: Mapping[str, tuple[str, ...]] | None = None, *, anchors: bool = True, groups: bool = True
) -> Catalogue:
    """24 links of two carriers in three regions below a hub with two lines; `witnesses` are those of single links."""
    every = links()
    nodes = [
        node("u1", type="uplink"),
        node("u2", type="uplink"),
        group("dc", ["u1", "u2"], 1.0, 2),
        node("hub", "dc", type="hub"),
        *(link(id) for id in every),
        node("mcu", "hub"),
        node("v", every[0], "mcu", type="video"),
        node("alone", type="system"),
        replace(group("tslcd", every, 0.6, 10), type="network", depends_on=("hub",)),
    ]
    if groups:
        nodes += [replace(group(f"c.{c}", links(c), 0.3, 3), carrier=c) for c in CARRIERS]
        nodes += [replace(group(f"r.{r}", links(region=r), 0.6, 4), type="region") for r in REGIONS]
    checks = [check(f"{one.id}/v4", every=30) for one in nodes if one.group is None]
    for id, names in (witnesses or {}).items():
        for name in names:
            every_s = 300 if name == "cpe" else 60
            checks.append(check(f"{id}/{name}", every=every_s, effect=Effect.NONE, witness=WAYS[name]))
    own = SelfCheck(anchors=(check("monitor/1"), check("monitor/2")), quorum=1)
    return catalogue(nodes, checks, monitor=own if anchors else SelfCheck())


def seeing(story: Story) -> Story:
    """With anchors that always answer."""
    story.anchors = lambda _: {"monitor/1": True, "monitor/2": True}
    return story


ONE = "l.vnpt.ha_nam.0"


def failing(*who: str, at: float = 100, until: float = FOREVER) -> Truth:
    return broken(*((name, at, until) for name in who))


def with_reason(truth: Truth, reason: Reason) -> Callable[[str, float], Seen | Outcome]:
    def seen(id: str, at: float) -> Seen | Outcome:
        found = truth(id, at)
        return replace(outcome(Seen.FAILED, at), reason=reason) if found is Seen.FAILED else found

    return seen


@dataclass(frozen=True)
class Tale:
    """Who fails from second 100 on; whose incident it is, whose fault, how sure, by which rule."""

    sentence: str
    fails: tuple[str, ...]
    node: str
    whose: str
    confidence: str
    rule: str
    witnesses: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    reason: Reason = Reason.TIMEOUT
    anchors: bool = True
    groups: bool = True
    party: str = ""


def v4(ids: list[str]) -> tuple[str, ...]:
    return tuple(f"{id}/v4" for id in ids)


BELOW = ("l.*", "mcu", "v")
TALES = [
    Tale("both lines of the data centre", ("u1", "u2", "hub", *BELOW), "dc", "uplink", "high", "all_uplinks"),
    Tale(
        "both lines, and no anchor to say that it is not we",
        ("u1", "u2", "hub", *BELOW), "dc", "uplink", "medium", "all_uplinks", anchors=False,
    ),
    Tale("one line of two", ("u1",), "u1", "uplink", "high", "uplink_alone"),
    Tale("the hub and everything behind it", ("hub", *BELOW), "hub", "hub", "high", "hub_silent"),
    Tale("the hub's own check alone", ("hub",), "hub", "hub", "low", "hub_alone"),
    Tale("a carrier in one region", v4(links("vnpt", "ha_nam")), "c.vnpt", "carrier", "high", "group_share", party="vnpt"),
    Tale("a carrier everywhere", v4(links("viettel")), "c.viettel", "carrier", "high", "group_share", party="viettel"),
    Tale(
        "a carrier, while one link of the other fails too",
        v4([*links("vnpt"), "l.viettel.ha_nam.1"]), "c.vnpt", "carrier", "medium", "group_share", party="vnpt",
    ),
    Tale("a region, whoever the carrier is", v4(links(region="nam_dinh")), "r.nam_dinh", "region", "high", "group_share"),
    Tale(
        "a region whose second paths fall silent too",
        tuple(links(region="nam_dinh")), "r.nam_dinh", "site", "medium", "second_path_silent",
        witnesses=dict.fromkeys(links(region="nam_dinh"), ("way",)),
    ),
    Tale("links of all carriers and regions, and the hub answers", v4(links()[:16]), "tslcd", "hub", "low", "common_cause", groups=False),
    Tale("one link among many", (f"{ONE}/v4",), ONE, "link", "medium", "siblings_answer", party="vnpt"),
    Tale(
        "one link, and a router says so",
        (f"{ONE}/v4",), ONE, "link", "medium", "router_refuses", reason=Reason.UNREACHABLE, party="vnpt",
    ),
    Tale(
        "one link, and the site answers by another way",
        (f"{ONE}/v4",), ONE, "link", "high", "second_path_answers", witnesses={ONE: ("way",)}, party="vnpt",
    ),
    Tale(
        "one link, and the site is silent by another way too",
        (ONE,), ONE, "site", "medium", "second_path_silent", witnesses={ONE: ("way",)},
    ),
    Tale(
        "one link, and the port that leads to it is down",
        (f"{ONE}/v4", f"{ONE}/port"), ONE, "link", "high", "near_port_down", witnesses={ONE: ("port",)}, reason=Reason.SNMP, party="vnpt",
    ),
    Tale(
        "port down and site silent by another way: power takes a port down as well",
        (ONE,), ONE, "site", "medium", "second_path_silent", witnesses={ONE: ("way", "port")},
    ),
    Tale(
        "one link, and its device answers over it",
        (f"{ONE}/v4",), ONE, "link", "low", "device_answers", witnesses={ONE: ("cpe",)}, party="vnpt",
    ),
    Tale("a video point whose link answers", ("v",), "v", "service", "medium", "parents_answer"),
    Tale("a system that answers wrongly", ("mcu",), "mcu", "service", "high", "endpoint_answers", reason=Reason.STATUS),
    Tale("a system with nothing beside it", ("alone",), "alone", "service", "low", "own_checks"),
    Tale("a system behind a router that refuses", ("alone",), "alone", "unknown", "low", "router_refuses", reason=Reason.PROHIBITED),
]  # fmt: skip


def played(tale: Tale, until: int = 420) -> Story:
    story = Story(
        town(tale.witnesses, anchors=tale.anchors, groups=tale.groups), with_reason(failing(*tale.fails), tale.reason)
    )
    return (seeing(story) if tale.anchors else story).run(until)


def only(story: Story, node: str) -> Incident:
    (found,) = [one for one in story.incidents if one.node == node and one.state is not IncidentState.MERGED]
    return found


def grounded(incident: Incident) -> Ground:
    assert incident.ground is not None
    return incident.ground


@pytest.mark.parametrize("tale", TALES, ids=lambda tale: tale.sentence.replace(" ", "_"))
def test_story(tale: Tale) -> None:
    ground = grounded(only(played(tale), tale.node))
    assert (ground.whose, ground.confidence, ground.rule) == (tale.whose, tale.confidence, tale.rule)
    assert ground.party == tale.party or tale.whose not in ("carrier", "link")
    lawful(ground)


def lawful(ground: Ground) -> None:
    """High needs a voice for it beyond the failure, and none against."""
    assert len(ground.testimony) <= 20
    assert ground.testimony_total >= len(ground.testimony)
    against = [one for one in ground.testimony if one.against]
    if ground.confidence is Confidence.HIGH:
        assert not against
        assert [one for one in ground.testimony if not one.against]
    if against:
        assert ground.confidence is not Confidence.HIGH
    assert 0 <= ground.others_answering <= ground.others
    assert ground.whose is not Whose.UNKNOWN or ground.confidence is Confidence.LOW


def test_the_figures_are_told_with_the_members_and_since_when() -> None:
    tale = next(one for one in TALES if one.sentence == "a carrier everywhere")
    ground = grounded(only(played(tale), "c.viettel"))
    assert (ground.counted, ground.eligible, ground.needed, ground.share) == (12, 12, 4, 0.3)
    assert (ground.others, ground.others_answering, ground.others_party) == (12, 12, "vnpt")
    assert ground.within.total_seconds() == 180
    members = [one for one in ground.testimony if one.says is Says.FAILS]
    assert {one.subject for one in members} == set(links("viettel"))
    assert all(100 <= (sec(one.since) or 0) <= 131 and one.reason is Reason.TIMEOUT for one in members)
    assert ground.testimony_total == 24


def test_what_was_broken_long_before_is_not_held_against_the_other_carrier() -> None:
    truth = broken(("l.viettel.ha_nam.1", 0, FOREVER), *((id, 1500, FOREVER) for id in links("vnpt")))
    story = seeing(Story(town(), truth)).run(1800)
    assert grounded(only(story, "c.vnpt")).confidence is Confidence.HIGH


def test_what_was_good_before_the_failure_says_nothing_of_it() -> None:
    story = seeing(Story(town({ONE: ("way",)}), broken())).run(300)
    before, after = (Hearing(Draft(story.world), story.house, t(at)) for at in (200, 301))
    assert before.answers(ONE)
    assert not after.answers(ONE)
    assert before.witness(ONE, Witness.SECOND_PATH) is not None
    assert after.witness(ONE, Witness.SECOND_PATH) is None
    assert (before.ourselves(), after.pending(ONE)) == (
        [Testimony(subject=MONITOR, says=Says.ANSWERS, since=t(300))],
        True,
    )
    assert before.contrast([ONE, "mcu", "nobody"]).answering == (ONE, "mcu")


class TestNews:
    def test_another_verdict_is_told_once_and_not_before_five_minutes(self) -> None:
        # The other way falls silent later than the incident opens: a battery.
        truth = broken((f"{ONE}/v4", 100, FOREVER), (f"{ONE}/way", 240, FOREVER))
        story = seeing(Story(town({ONE: ("way",)}), truth)).run(3000)
        opened, updated = [(at, what) for at, what, _ in story.told()]
        assert (opened[1], updated[1]) == ("opened", "updated")
        assert updated[0] - opened[0] >= 300
        assert grounded(only(story, ONE)).whose is Whose.SITE

    def test_more_figures_of_the_same_verdict_are_no_news_and_no_new_version(self) -> None:
        fails = [(id, 100 + 40 * n, FOREVER) for n, id in enumerate(links("vnpt"))]
        story = seeing(Story(town(), broken(*fails))).run(900)
        incident = only(story, "c.vnpt")
        assert grounded(incident).counted == 12
        told = [what for _, what, node in story.told() if node == "c.vnpt"]
        assert told.count("opened") == 1
        assert [e for e in story.events if e.type is EventType.ATTRIBUTED and e.incident.node == "c.vnpt"] == []

    def test_recovery_piece_by_piece_takes_nothing_back(self) -> None:
        fails = [(id, 100, 600 + 60 * n) for n, id in enumerate(links("vnpt"))]
        story = seeing(Story(town(), broken(*fails))).run(2000)
        incident = only(story, "c.vnpt")
        assert incident.state is IncidentState.RESOLVED
        assert (grounded(incident).counted, grounded(incident).confidence) == (12, "high")

    def test_taken_up_again_it_is_asked_anew(self) -> None:
        truth = broken((ONE, 100, 400), (f"{ONE}/v4", 700, FOREVER))
        story = seeing(Story(town({ONE: ("way",)}), truth)).run(1000)
        assert [what for _, what, _ in story.told()][:3] == ["opened", "resolved", "reopened"]
        assert grounded(only(story, ONE)).rule == "second_path_answers"


class TestOurselves:
    @pytest.mark.parametrize(
        ("answers", "confidence"),
        [((False, False), "high"), ((False, True), "medium")],
        ids=["all silent", "one answers"],
    )
    def test_cut_off(self, answers: tuple[bool, bool], confidence: str) -> None:
        town_ = replace(town(), monitor=SelfCheck(anchors=(check("monitor/1"), check("monitor/2")), quorum=2))
        story = Story(town_, broken())
        story.anchors = lambda at: dict(
            zip(("monitor/1", "monitor/2"), answers if at > 200 else (True, True), strict=True)
        )
        ground = grounded(only(story.run(300), MONITOR))
        assert (ground.whose, ground.confidence, ground.rule) == ("monitor", confidence, "anchors_silent")
        lawful(ground)


def test_survives_a_restart_and_goes_on_learning() -> None:
    truth = broken((f"{ONE}/v4", 100, FOREVER), (f"{ONE}/way", 400, FOREVER))
    story = seeing(Story(town({ONE: ("way",)}), truth)).run(350)
    before = grounded(only(story, ONE))
    story.restart(gap=20)
    assert story.world.incidents[only(story, ONE).id].ground == before
    assert grounded(only(story.run(900), ONE)).whose is Whose.SITE


def test_an_incident_of_before_there_were_grounds_gets_one() -> None:
    story = seeing(Story(town(), failing(f"{ONE}/v4"))).run(300)
    (old,) = story.incidents
    story.stored["incidents"][old.id] = replace(old, ground=None, told_verdict="")
    story.restart(gap=5)
    story.run(400)
    assert grounded(only(story, ONE)).whose is Whose.LINK
    assert [what for _, what, _ in story.told()] == ["opened"]


POOL = ["u1", "u2", "hub", "mcu", "v", "alone", *links()[::3]]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    fails=st.lists(st.sampled_from(POOL), min_size=1, max_size=12, unique=True),
    ways=st.lists(st.sampled_from(links()[::3]), max_size=4, unique=True),
    reason=st.sampled_from([Reason.TIMEOUT, Reason.UNREACHABLE, Reason.STATUS]),
    carrier=st.sampled_from(["", *CARRIERS]),
)
def test_high_never_without_a_voice_for_it_or_with_one_against(
    fails: list[str], ways: list[str], reason: Reason, carrier: str
) -> None:
    everyone = [*fails, *(links(carrier) if carrier else [])]
    story = Story(town(dict.fromkeys(ways, ("way", "port"))), with_reason(failing(*everyone), reason))
    seeing(story).run(330)
    assert story.incidents
    for incident in story.incidents:
        ground = grounded(incident)
        lawful(ground)
        draft, now = Draft(story.world), t(story.now)
        assert attribute(draft, story.house, incident, now) == attribute(Draft(story.world), story.house, incident, now)
    for event in story.events:
        if event.incident.ground is not None:
            lawful(event.incident.ground)


def test_of_many_incidents_a_tick_looks_at_a_few_again(monkeypatch: pytest.MonkeyPatch) -> None:
    many = [f"l.{c}.{r}.{i}" for c in CARRIERS for r in REGIONS for i in range(80)]
    story = Story(catalogue([node("hub", type="hub"), *(link(id) for id in many)]), failing(*many[::3], at=0)).run(100)
    assert len(story.incidents) == 160 > grounds.MOST
    assert all(one.ground is not None for one in story.incidents)
    asked: list[int] = []

    def counted(draft: Draft, house: House, incident: Incident, now: datetime) -> Ground:
        asked.append(story.now)
        return attribute(draft, house, incident, now)

    monkeypatch.setattr(grounds, "attribute", counted)
    story.restart()  # After that nobody knows when each was looked at last: all are due.
    story.run(130)
    assert max(Counter(asked).values()) <= grounds.MOST
    assert len(asked) <= 160 * 5
