"""Two uplinks below a hub: one lost is redundancy lost, both lost is one fault of both; and whatever order they come back in."""

from datetime import timedelta
from typing import Any

import pytest

from monitor.model import Effect, Severity, State, Window
from monitor.rules.draft import Draft
from monitor.rules.topology import House
from monitor.rules.world import reconcile
from probes.contract import Outcome, Reason, Seen
from tests.rules.driver import Story, broken, catalogue, check, group, node, sec, t
from tests.rules.test_incidents import window

UP, DEGRADED, DOWN, AWAY, UNKNOWN = State.UP, State.DEGRADED, State.DOWN, State.UNREACHABLE, State.UNKNOWN


def town(*, hub: dict[str, Any] | None = None, routers: bool = False, lines: int = 2) -> Any:
    """Lines that are looked at every 30 s, a hub that stands on them, a link and a video endpoint below it."""
    ids = [f"line{number}" for number in range(1, lines + 1)]
    behind = [node(f"router{number}") for number in range(1, lines + 1)] if routers else []
    nodes = [
        *behind,
        *(node(id, *([f"router{id[-1]}"] if routers else [])) for id in ids),
        node("hub", "lines", **(hub or {})),
        node("link", "hub"),
        node("video", "link"),
        node("portal"),
        group("lines", ids, 1.0, lines, within=120, degraded=1),
    ]
    checks = [check(f"{n.id}/v4", every=30) for n in nodes if n.group is None]
    return catalogue(nodes, checks)


def cut(*spells: tuple[str, float, float]) -> Any:
    """Lines that fail; what is below the hub works as long as one of both does."""
    lines = broken(*spells)

    def truth(id: str, at: float) -> Seen | Outcome:
        name = id.split("/")[0]
        if name in ("hub", "link", "video"):
            gone = all(lines(f"line{number}/v4", at) is Seen.FAILED for number in (1, 2))
            return Seen.FAILED if gone else Seen.OK
        return lines(id, at)

    return truth


def told(story: Story) -> list[tuple[str, str]]:
    return [(what, who) for _, what, who in story.told() if what != "updated"]


def test_one_lost_is_that_ones_incident_and_the_hub_is_degraded() -> None:
    story = Story(town(), cut(("line1", 100, 700))).run(1000)
    assert told(story) == [("opened", "line1"), ("resolved", "line1")]
    line = story.ledger("line1")
    assert [state for _, state in line] == [UP, DOWN, UP]
    (_, (lost, _), (back, _)) = line
    # To the second, though judged later: redundancy was lost with the line, and came back with it.
    assert story.ledger("lines")[1:] == [(lost, DEGRADED), (back, UP)]
    assert story.ledger("hub")[1:] == [(lost, DEGRADED), (back, UP)]
    assert [state for _, state in story.ledger("link")] == [UP]


def test_it_says_which_line_is_lost_and_how_many_there_are_without_words() -> None:
    story = Story(town(), cut(("line1", 100, 700))).run(400)
    draft = Draft(story.world)
    assert (draft.node("lines").reason, draft.node("lines").detail) == (Reason.TIMEOUT, "1/2: line1")
    assert (draft.node("hub").reason, draft.node("hub").detail) == (Reason.OK, "lines 1/2: line1")


BOTH = [
    # what is told                                   line 1 fails   line 2 fails
    ("both at once", (100, 900), (100, 900)),
    ("the second within the window", (100, 900), (190, 900)),
    ("the second ten minutes later", (100, 1900), (730, 1900)),
    ("the second an hour later", (100, 5000), (3700, 5000)),
]


@pytest.mark.parametrize(("sentence", "first", "second"), BOTH, ids=[row[0] for row in BOTH])
@pytest.mark.parametrize("order", ["together", "first is back first", "second is back first"])
def test_both_lost_is_one_fault_whatever_the_order(sentence: str, first: Any, second: Any, order: str) -> None:
    late = {"together": (0, 0), "first is back first": (0, 400), "second is back first": (400, 0)}[order]
    spells = ("line1", first[0], first[1] + late[0]), ("line2", second[0], second[1] + late[1])
    story = Story(town(), cut(*spells)).run(first[1] + 1100)
    both = next(i for i in story.incidents if i.node == "lines")
    affected = {one.node for one in both.affected}
    assert {"hub", "link", "video"} <= affected
    assert "portal" not in affected
    # Nobody below has an incident of its own, and at the end nothing is left.
    assert {i.node for i in story.incidents} <= {"lines", "line1", "line2"}
    assert all(not i.state.active for i in story.incidents)
    assert all(story.state(id) is UP for id in story.house.rank)
    # It is down from when the second was lost to when one came back, and degraded on both sides of it.
    spells_of = {line: [at for at, _ in story.ledger(line)[1:]] for line in ("line1", "line2")}
    fell = max(moments[0] for moments in spells_of.values())
    rose = min(moments[-1] for moments in spells_of.values())
    lost = min(moments[0] for moments in spells_of.values())
    back = max(moments[-1] for moments in spells_of.values())
    rows = [(lost, DEGRADED), (fell, DOWN), (rose, DEGRADED), (back, UP)]
    expected = [row for row, after in zip(rows, [*rows[1:], None], strict=True) if after is None or row[0] < after[0]]
    assert story.ledger("lines")[1:] == expected
    assert sec(both.started_at) == fell
    assert sec(both.resolved_at) == rose


def test_who_is_merged_comes_back_under_its_own_name_when_the_other_line_does() -> None:
    story = Story(town(), cut(("line1", 100, 2000), ("line2", 190, 700))).run(2400)
    assert told(story) == [
        ("opened", "line1"),
        ("opened", "lines"),
        ("merged", "line1"),
        ("resolved", "lines"),
        ("reopened", "line1"),
        ("resolved", "line1"),
    ]


def test_an_old_fault_stays_its_own_and_the_new_one_is_both_lines() -> None:
    story = Story(town(), cut(("line1", 100, 5000), ("line2", 3700, 4500))).run(5400)
    assert told(story) == [
        ("opened", "line1"),
        ("opened", "lines"),
        ("resolved", "lines"),
        ("resolved", "line1"),
    ]


def test_two_routers_of_two_lines_are_together_the_fault_of_what_stands_on_both() -> None:
    spells = [
        (name, since, 1500.0) for name, since in (("router1", 100), ("line1", 100), ("router2", 700), ("line2", 700))
    ]
    story = Story(town(routers=True), cut(*spells)).run(1300)
    assert {i.node for i in story.incidents if i.state.active} == {"router1", "router2", "lines"}
    assert Draft(story.world).node("hub").blamed_on == "lines"
    story.run(2400)
    assert all(not i.state.active for i in story.incidents)


def test_one_router_of_both_lines_explains_them_and_the_hub() -> None:
    nodes = [
        node("router"),
        node("line1", "router"),
        node("line2", "router"),
        node("hub", "lines"),
        group("lines", ["line1", "line2"], 1.0, 2, within=120, degraded=1),
    ]
    story = Story(catalogue(nodes), lambda id, at: Seen.FAILED if 100 <= at < 700 else Seen.OK).run(1300)
    assert told(story) == [("opened", "router"), ("resolved", "router")]
    assert AWAY in [state for _, state in story.ledger("hub")]
    assert all(story.state(id) is UP for id in story.house.rank)


def test_whoever_still_works_with_all_of_it_lost_is_degraded() -> None:
    """Measured truth wins: there is a way that nobody drew. But there is nothing in reserve."""
    story = Story(town(), broken(("line1", 100, 900), ("line2", 100, 900))).run(600)
    assert story.state("lines") is DOWN
    assert story.state("hub") is DEGRADED
    assert Draft(story.world).node("hub").detail == "lines 2/2: line1, line2"
    story.run(1300)
    assert [state for _, state in story.ledger("hub")] == [UP, DEGRADED, UP]


def test_one_line_in_maintenance_and_the_other_lost_is_all_lost() -> None:
    windows = [window("line1", 50, 5000)]
    story = Story(town(), cut(("line1", 100, 900), ("line2", 400, 900)), windows=windows).run(700)
    assert story.state("lines") is DOWN
    assert Draft(story.world).node("hub").blamed_on == "lines"
    works: list[Window] = [window("line1", 50, 5000)]
    story = Story(town(), cut(("line2", 400, 900)), windows=works).run(700)
    assert story.state("lines") is DEGRADED


def test_a_line_that_nobody_can_see_makes_neither_degraded_nor_unknown_what_works() -> None:
    story = Story(town(), lambda id, at: Seen.BLIND if id == "line1/v4" and at > 200 else Seen.OK).run(600)
    assert story.state("lines") is UP
    assert story.state("hub") is UP


def test_a_line_that_nobody_can_see_and_one_that_is_lost_is_not_known() -> None:
    def truth(id: str, at: float) -> Seen:
        if id == "line1/v4" and at > 200:
            return Seen.BLIND
        return Seen.FAILED if id == "line2/v4" and at > 400 else Seen.OK

    assert Story(town(), truth).run(900).state("lines") is UNKNOWN


def test_three_lines_two_lost_far_apart_are_degraded_and_the_third_makes_it_down() -> None:
    def truth(id: str, at: float) -> Seen:
        began = {"line1/v4": 100, "line2/v4": 1000, "line3/v4": 2000}.get(
            id, 2000 if not id.startswith("portal") else 9999
        )
        return Seen.FAILED if at >= began else Seen.OK

    story = Story(town(lines=3), truth).run(1500)
    assert story.state("lines") is DEGRADED
    story.run(2400)
    assert story.state("lines") is DOWN
    assert [state for _, state in story.ledger("lines")] == [UP, DEGRADED, DOWN]


def test_a_hub_that_asks_for_it_has_an_incident_of_one_severity_less() -> None:
    hub = {"degraded_incident": True, "severity": Severity.CRITICAL}
    story = Story(town(hub=hub), cut(("line1", 100, 700))).run(1000)
    assert told(story) == [("opened", "line1"), ("opened", "hub"), ("resolved", "line1"), ("resolved", "hub")]
    mine = next(i for i in story.incidents if i.node == "hub")
    assert (mine.degradation, mine.severity) == (True, Severity.HIGH)
    assert mine.evidence == "lines: 1/2: line1"
    assert sec(mine.started_at) == story.ledger("line1")[1][0]


def test_a_hub_degraded_for_want_of_redundancy_and_then_cut_off_is_in_one_incident() -> None:
    hub = {"degraded_incident": True, "severity": Severity.CRITICAL}
    story = Story(town(hub=hub), cut(("line1", 100, 1500), ("line2", 400, 1500))).run(2200)
    assert [who for what, who in told(story) if what == "opened"] == ["line1", "hub", "lines"]
    assert {i.node: bool(i.merged_into) for i in story.incidents} == {"line1": True, "hub": True, "lines": False}


def test_only_who_depends_on_it_directly_is_degraded_and_no_better_than_its_own_checks() -> None:
    def truth(id: str, at: float) -> Seen:
        return Seen.FAILED if (id, True) in (("line1/v4", 100 <= at < 900), ("hub/v6", 300 <= at < 500)) else Seen.OK

    nodes = [node("line1"), node("line2"), node("hub", "lines"), group("lines", ["line1", "line2"], 1.0, 2, degraded=1)]
    checks = [check(f"{n}/v4", every=30) for n in ("line1", "line2", "hub")]
    checks.append(check("hub/v6", every=30, effect=Effect.DEGRADED))
    story = Story(catalogue(nodes, checks), truth).run(1300)
    lost, back = (at for at, _ in story.ledger("lines")[1:])
    assert story.ledger("hub")[1:] == [(lost, DEGRADED), (back, UP)]


def test_a_short_loss_between_two_verdicts_is_in_the_ledger_of_the_hub_too() -> None:
    """The hub itself fails for a while in the middle of it: the rows around its own outage keep what redundancy was."""
    lines, hub = broken(("line1", 100, 900)), broken(("hub", 400, 600))
    story = Story(town(), lambda id, at: hub(id, at) if id.startswith(("hub", "link", "video")) else lines(id, at))
    story.run(1300)
    lost, back = (at for at, _ in story.ledger("lines")[1:])
    (fell, rose) = (at for at, state in story.ledger("hub/v4")[1:])
    assert story.ledger("hub")[1:] == [(lost, DEGRADED), (fell, DOWN), (rose, DEGRADED), (back, UP)]


@pytest.mark.parametrize("commit", ["drop", "restart"])
def test_a_restart_or_a_lost_commit_changes_nothing(commit: str) -> None:
    truth = cut(("line1", 100, 900), ("line2", 400, 700))
    straight = Story(town(), truth).run(1300)
    torn = Story(town(), truth, commit=lambda now: commit if now % 7 == 0 else "keep").run(1300)
    for id in ("lines", "hub", "line1", "link"):
        assert [state for _, state in torn.ledger(id)] == [state for _, state in straight.ledger(id)], id
    assert told(torn) == told(straight)


def test_a_reload_that_draws_the_dependency_degrades_from_then_on() -> None:
    before = town()
    loose = {**before.nodes, "hub": node("hub", checks=("hub/v4",))}
    story = Story(before, cut(("line1", 100, 900)))
    story.house = House.build(catalogue(loose.values(), before.checks.values()))
    story.run(400)
    assert story.state("hub") is UP
    story.house = House.build(before)
    draft = Draft(story.world)
    reconcile(draft, story.house, t(400))
    story.keep(draft)
    story.run(1300)
    assert [(at, state) for at, state in story.ledger("hub")[1:2]] == [(400, DEGRADED)]
    assert story.state("hub") is UP


def test_the_groups_share_counts_as_well() -> None:
    ids = [f"l{number}" for number in range(20)]
    net = group("net", ids, 0.5, 5)
    assert net.group is not None
    rule = type(net.group)(
        **{f: getattr(net.group, f) for f in ("members", "share", "at_least", "within")}, degraded_share=0.1
    )
    nodes = [
        *(node(id) for id in ids),
        type(net)(id="net", name="net", type="network", group=rule, settle=timedelta(0)),
    ]
    one = Story(catalogue(nodes), broken(("l0", 100, 9000))).run(400)
    assert one.state("net") is UP
    two = Story(catalogue(nodes), broken(("l0", 100, 9000), ("l1", 700, 9000))).run(1000)
    assert two.state("net") is DEGRADED
    many = Story(catalogue(nodes), broken(*((id, 100, 9000) for id in ids[:10]))).run(400)
    assert many.state("net") is DOWN
