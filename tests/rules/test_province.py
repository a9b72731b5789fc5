"""The province: 129 links of three carriers below a hub. One fault, one page, the right root, everybody named."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from monitor.model import Incident, Policy, State
from monitor.rules.topology import House
from probes.contract import Seen
from tests.rules.driver import Story, broken, catalogue, check, group, node, province, sec

PLAN = province()


def run(truth: Any, until: int) -> Story:
    return Story(PLAN, truth).run(until)


def by_root(story: Story) -> dict[str, Incident]:
    return {i.node: i for i in story.incidents}


def outage(name: str, since: float, until: float) -> Any:
    """Links and their video endpoints."""
    return broken((f"tslcd{name}*", since, until), (f"hnth{name}*", since, until))


CASES = [
    # what broke                                   the truth                                               whose it is
    (
        "one link takes its endpoint along",
        broken(("tslcd.vnpt.3", 100, 700), ("hnth.vnpt.3", 100, 700)),
        {"tslcd.vnpt.3": 1},
    ),
    ("one endpoint alone is its own fault", broken(("hnth.vnpt.3", 100, 700)), {"hnth.vnpt.3": 0}),
    ("a carrier is one fault", outage(".vnpt", 100, 700), {"carrier.vnpt": 86}),
    (
        "two carriers are the network",
        broken(*((f"{kind}.{c}*", 100, 700) for kind in ("tslcd", "hnth") for c in ("vnpt", "cmc"))),
        {"tslcd": 172},
    ),
    ("every link is the network", outage("", 100, 700), {"tslcd": 258}),
    ("the hub explains everything", lambda id, at: Seen.FAILED if 100 <= at < 700 else Seen.OK, {"hub": 258}),
    (
        "a dozen links of one carrier are a dozen faults",
        broken(*((f"tslcd.vnpt.{i}", 100, 700) for i in range(12))),
        {f"tslcd.vnpt.{i}": 0 for i in range(12)},
    ),
]


@pytest.mark.parametrize(("sentence", "truth", "roots"), CASES, ids=[c[0] for c in CASES])
def test_the_right_root_and_one_incident_each(sentence: str, truth: Any, roots: dict[str, int]) -> None:
    story = run(truth, 1300)
    found = by_root(story)
    nodes = {id: {a.node for a in i.affected if a.node not in story.house.members} for id, i in found.items()}
    assert {id: len(names) for id, names in nodes.items()} == roots
    assert len(story.incidents) == len(roots)
    told = [(what, who) for _, what, who in story.told() if what != "updated"]
    assert sorted(told) == sorted((what, who) for who in roots for what in ("opened", "resolved"))
    assert all(a.until is not None for i in story.incidents for a in i.affected)
    assert all(story.state(id) is State.UP for id in story.house.rank)


@pytest.mark.parametrize("start", [100, 117, 133, 151])
def test_all_links_at_once_is_one_page_in_ninety_seconds_that_names_them_all(start: int) -> None:
    story = run(outage("", start, start + 1000), start + 1700)
    pages = [(at - start, what) for at, what, _ in story.told()]
    assert [what for _, what in pages if what != "updated"] == ["opened", "resolved"]
    assert pages[0][0] <= 90
    assert len([at for at, _ in pages if at <= 900]) <= 3
    opened = next(e for e in story.events if e.type.told)
    assert len([a for a in opened.incident.affected if a.node.startswith("tslcd.")]) == 129


def test_the_hub_comes_back_and_a_carrier_does_not() -> None:
    away = broken(("tslcd*", 100, 400), ("hnth*", 100, 400), ("hub", 100, 400))
    stays = outage(".vnpt", 400, 1000)
    story = run(lambda id, at: away(id, at) if at < 400 else stays(id, at), 1700)
    assert [(what, who) for _, what, who in story.told() if what != "updated"] == [
        ("opened", "hub"),
        ("resolved", "hub"),
        ("opened", "carrier.vnpt"),
        ("resolved", "carrier.vnpt"),
    ]
    hub, carrier = by_root(story)["hub"], by_root(story)["carrier.vnpt"]
    assert sec(hub.resolved_at) == 420
    # Its own fault shows from when the hub was back; the hub's time is the hub's.
    assert sec(carrier.started_at) == 420
    assert [s for _, s in story.ledger("carrier.vnpt")] == [State.UP, State.UNREACHABLE, State.DOWN, State.UP]


def test_a_carrier_fails_link_by_link_and_the_early_ones_are_merged_into_it() -> None:
    def truth(id: str, at: float) -> Seen:
        kind, _, rest = id.split("/")[0].partition(".")
        if kind != "tslcd" or not rest.startswith("vnpt."):
            return Seen.OK
        place = int(rest.split(".")[1])
        return Seen.FAILED if 100 + 12 * place <= at < 1500 else Seen.OK

    story = run(truth, 2200)
    root = by_root(story)["carrier.vnpt"]
    merged = [i for i in story.incidents if i.merged_into]
    assert merged
    assert {i.merged_into for i in merged} == {root.id}
    assert {a.node for a in root.affected} >= {f"tslcd.vnpt.{i}" for i in range(43)} - {"tslcd.vnpt.0"}
    assert all(not i.state.active for i in story.incidents)
    # Each was told to have been opened, and what became of it.
    for incident in story.incidents:
        words = [what for _, what, who in story.told() if who == incident.node]
        assert words[0] == "opened"
        assert words[-1] in ("merged", "resolved")


def test_a_merged_fault_that_outlives_the_wider_one_comes_back_under_its_own_name() -> None:
    town = catalogue([node("hub"), node("link", "hub")])
    story = Story(town, broken(("link", 100, 3000), ("hub", 300, 1000))).run(3600)
    assert [(what, who) for _, what, who in story.told() if what != "updated"] == [
        ("opened", "link"),
        ("opened", "hub"),
        ("merged", "link"),
        ("resolved", "hub"),
        ("reopened", "link"),
        ("resolved", "link"),
    ]
    link, _hub = story.incidents
    assert link.started_at < _hub.started_at
    assert [s for _, s in story.ledger("link")] == [State.UP, State.DOWN, State.UNREACHABLE, State.DOWN, State.UP]


def test_what_was_broken_long_before_stays_its_own_fault() -> None:
    town = catalogue([node("hub"), node("link", "hub"), node("other", "hub")])
    story = Story(town, broken(("link", 100, 9000), ("hub", 2000, 3000), ("other", 2000, 3000))).run(3600)
    assert [(what, who) for _, what, who in story.told()] == [
        ("opened", "link"),
        ("opened", "hub"),
        ("resolved", "hub"),
    ]
    assert story.state("link") is State.DOWN


def test_measured_truth_wins_over_the_drawing() -> None:
    town = catalogue([node("hub"), node("link", "hub"), node("video", "link"), node("well", "hub")])
    story = Story(town, broken(("hub", 100, 900), ("video", 100, 900))).run(700)
    assert story.state("well") is State.UP
    assert story.state("link") is State.UP
    # Its link was measured good: the hub behind it explains nothing.
    assert story.state("video") is State.DOWN


def test_through_a_node_that_is_not_measured_the_cause_is_still_seen() -> None:
    town = catalogue([node("hub"), node("rack", "hub"), node("video", "rack")])
    checks = {id: c for id, c in town.checks.items() if c.node != "rack"}
    story = Story(replace(town, checks=checks), broken(("hub", 100, 900), ("video", 100, 900))).run(400)
    assert story.state("video") is State.UNREACHABLE
    assert [i.node for i in story.incidents] == ["hub"]


def test_the_parents_are_asked_first_and_the_siblings_when_three_have_failed() -> None:
    story = run(outage(".vnpt", 100, 700), 125)
    siblings = [id for id in story.world.asked if id.startswith("tslcd.viettel")]
    assert "hub/v4" in story.world.asked
    assert "carrier.vnpt" in story.world.asked
    assert len(siblings) == 43  # The whole network is asked, for the network is a group too.
    down = [id for id in story.house.members["carrier.vnpt"] if story.world.unwell.get(id)]
    assert len(down) == 43


def test_groups_nest_by_their_members_and_common_ancestors_stand_above_them() -> None:
    house = House.build(PLAN)
    assert house.groups["tslcd.vnpt.0"] == ("tslcd", "carrier.vnpt")
    assert house.ancestors["hnth.cmc.1"] == ("hub", "tslcd", "carrier.cmc", "tslcd.cmc.1")
    assert house.ancestors["carrier.cmc"] == ("hub", "tslcd")
    assert house.ancestors["tslcd"] == ("hub",)
    assert len(house.descendants["hub"]) == 129 * 2 + 4


def test_a_cycle_that_slipped_in_suppresses_nothing_for_ever() -> None:
    story = Story(catalogue([node("a", "b"), node("b", "a")]), broken(("a", 100, 9000), ("b", 100, 9000))).run(600)
    assert len([i for i in story.incidents if i.state.active]) >= 1


def test_a_small_group_needs_as_many_as_it_says() -> None:
    links = [f"l{i}" for i in range(10)]
    town = catalogue([*(node(link) for link in links), group("net", links, 0.3, 3, within=100)])
    two = Story(town, broken(("l0", 100, 900), ("l1", 100, 900))).run(600)
    assert sorted(i.node for i in two.incidents) == ["l0", "l1"]
    three = Story(town, broken(*((f"l{i}", 100, 900) for i in range(3)))).run(600)
    assert [i.node for i in three.incidents] == ["net"]
    slowly = Story(town, broken(("l0", 100, 2000), ("l1", 400, 2000), ("l2", 800, 2000))).run(1500)
    assert sorted(i.node for i in slowly.incidents) == ["l0", "l1", "l2"]


def test_a_district_router_explains_the_links_behind_it_and_the_carrier_is_not_to_blame() -> None:
    links = [f"l{i}" for i in range(10)]
    behind = [node(link, "router") for link in links[:6]]
    town = catalogue([node("router"), *behind, *(node(link) for link in links[6:]), group("vnpt", links, 0.3, 3)])
    truth = broken(("router", 100, 900), *((link, 100, 900) for link in links[:6]))
    story = Story(town, truth).run(1400)
    assert [(what, who) for _, what, who in story.told()] == [("opened", "router"), ("resolved", "router")]
    assert {a.node for a in story.incidents[0].affected} == {*links[:6], "vnpt"}
    assert [s for _, s in story.ledger("vnpt")] == [State.UP, State.UNREACHABLE, State.UP]


def test_who_answers_well_again_but_slowly_has_no_fault_of_its_own() -> None:
    """The second good answer, which makes it up, comes long after `settle`: a journey of a minute, a time stamp every quarter of an hour."""
    slow = Policy(recheck=timedelta(seconds=50))
    town = catalogue(
        [node("hub"), node("desk", "hub", settle=timedelta(seconds=5))],
        [check("hub/v4", every=30), check("desk/login", every=300, policy=slow)],
    )
    story = Story(town, broken(("hub", 100, 700), ("desk", 100, 700))).run(1800)
    assert [row[1:] for row in story.told()] == [("opened", "hub"), ("updated", "hub"), ("resolved", "hub")]
    assert story.state("desk") is State.UP
