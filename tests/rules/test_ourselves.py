"""Stories of ourselves: cut off, configured anew, and checks that come and go."""

from monitor.model import (
    MONITOR,
    Effect,
    IncidentState,
    SelfCheck,
    State,
)
from monitor.rules.draft import Draft
from monitor.rules.topology import House
from monitor.rules.world import (
    blind_window,
    observe,
    reconcile,
)
from probes.contract import Seen
from tests.rules.driver import (
    Story,
    broken,
    catalogue,
    check,
    heard,
    node,
    one,
    outcome,
    sec,
    t,
)


class TestOurselves:
    def city(self, until: float) -> Story:
        anchors = tuple(check(f"{MONITOR}/{i}", every=10) for i in range(3))
        names = [f"n{i}" for i in range(30)]
        town = catalogue([node(n) for n in names], monitor=SelfCheck(anchors=anchors, quorum=2))

        def alive(now: float) -> dict[str, bool]:
            return {a.id: not 100 <= now < until or a.id.endswith("0") for a in anchors}

        def truth(id: str, at: float) -> Seen:
            return Seen.FAILED if 96 <= at < until else Seen.OK

        # The pipeline holds failures back until an anchor round has answered: here the round comes within five seconds.
        return Story(town, lambda id, at: Seen.OK if 96 <= at < 100 else truth(id, at), anchors=alive)

    def test_cut_off_everything_is_unknown_and_one_incident_is_ours(self) -> None:
        story = self.city(400).run(700)
        assert [(what, who) for _, what, who in story.told()] == [
            ("monitor.impaired", MONITOR),
            ("monitor.recovered", MONITOR),
        ]
        assert [i.node for i in story.incidents] == [MONITOR]
        assert not [row for row in story.transitions if row.state.failing]
        (incident,) = story.incidents
        assert (sec(incident.started_at), sec(incident.resolved_at)) == (95, 400)
        for id in story.house.rank:
            assert [s for _, s in story.ledger(id)] == [State.UP, State.UNKNOWN, State.UP]
            since, until = (at for at, _ in story.ledger(id)[1:])
            assert 95 <= since <= 100
            assert 400 <= until <= 462

    def test_a_restart_while_cut_off_says_nothing_twice(self) -> None:
        story = self.city(400).run(200)
        story.restart(gap=20)
        assert not story.world.monitor.connected
        story.run(700)
        assert [what for _, what, _ in story.told()] == ["monitor.impaired", "monitor.recovered"]

    def test_one_silent_anchor_of_three_is_nothing(self) -> None:
        story = self.city(0).run(300)
        assert story.told() == []

    def test_more_than_a_fifth_of_unrelated_nodes_failing_with_the_anchors_silent_is_ours(self) -> None:
        names = [f"n{i}" for i in range(10)]
        house = House.build(catalogue([node("hub"), *(node(n, "hub") for n in names)]))
        ran = list(house.checks)
        assert blind_window(house, [f"n{i}/v4" for i in range(3)], ran, 0)
        assert not blind_window(house, [f"n{i}/v4" for i in range(3)], ran, 1)
        assert not blind_window(house, [f"n{i}/v4" for i in range(2)], ran, 0)
        assert not blind_window(house, [], ran, 0)
        # A hub and all below it are one failure of one node.
        both = House.build(
            catalogue([node("hub"), *(node(n, "hub") for n in names), *(node(f"m{i}") for i in range(9))])
        )
        assert not blind_window(both, ["hub/v4", *(f"{n}/v4" for n in names)], list(both.checks), 0)


class TestReload:
    def test_a_node_that_leaves_during_its_incident_has_it_withdrawn(self) -> None:
        story = Story(catalogue([node("a"), node("b")]), broken(("a", 100, 900))).run(300)
        story.catalogue = catalogue([node("b")])
        story.house = House.build(story.catalogue)
        draft = Draft(story.world)
        reconcile(draft, story.house, t(300))
        story.keep(draft)
        story.run(900)
        assert heard(story) == ["opened", "withdrawn"]
        assert story.incidents[0].state is IncidentState.WITHDRAWN
        assert story.ledger("a")[-1] == (300, State.UNKNOWN)
        assert "a" not in story.world.nodes
        assert "a/v4" not in story.world.checks

    def test_a_renamed_node_keeps_its_incident(self) -> None:
        story = Story(
            catalogue([node("a"), node("kid", "a")]), broken(("a", 100, 900), ("z", 100, 900), ("kid", 100, 900))
        )
        story.run(300)
        story.catalogue = catalogue([node("z", was=("a",)), node("kid", "z")])
        story.house = House.build(story.catalogue)
        draft = Draft(story.world)
        reconcile(draft, story.house, t(300))
        story.keep(draft)
        story.push(310, "z/v4", regular=True)
        story.run(1400)
        assert [(what, who) for _, what, who in story.told()] == [("opened", "a"), ("resolved", "z")]
        assert len(story.incidents) == 1

    def test_an_outcome_of_a_check_that_has_left_is_ignored(self) -> None:
        story = one(broken())
        draft = Draft(story.world)
        observe(draft, story.house, "gone/a", outcome("failed", 5), t(5))
        assert draft.empty

    def test_a_reload_that_changes_nothing_says_nothing(self) -> None:
        story = Story(catalogue([node("a"), node("b", "a")]), broken(("a", 100, 900), ("b", 100, 900))).run(300)
        draft = Draft(story.world)
        reconcile(draft, House.build(story.catalogue), t(300))
        assert draft.empty


class TestChecksOfANode:
    def test_a_failing_check_of_mild_effect_only_degrades(self) -> None:
        town = catalogue([node("n")], [check("n/v4"), check("n/v6", effect=Effect.DEGRADED)])
        story = Story(town, broken(("n/v6", 100, 900))).run(500)
        assert story.state("n") is State.DEGRADED
        assert story.incidents == []

    def test_blind_on_what_decides_is_unknown_unless_another_check_shows_it_down(self) -> None:
        town = catalogue([node("n")], [check("n/a"), check("n/b")])

        def truth(id: str, at: float) -> Seen:
            if id == "n/a" and at > 300:
                return Seen.BLIND
            return Seen.FAILED if id == "n/b" and at > 600 else Seen.OK

        story = Story(town, truth).run(500)
        assert story.state("n") is State.UNKNOWN
        story.run(800)
        assert story.state("n") is State.DOWN

    def test_a_check_of_no_effect_says_nothing_about_its_node(self) -> None:
        town = catalogue([node("n")], [check("n/a"), check("n/b", effect=Effect.NONE)])
        story = Story(town, broken(("n/b", 100, 900))).run(500)
        assert story.state("n") is State.UP
        assert story.ledger("n/b")[-1][1] is State.DOWN

    def test_a_verdict_dated_back_over_a_blind_stretch_corrects_the_nodes_rows_too(self) -> None:
        said = {30: Seen.FAILED, 40: Seen.BLIND, 50: Seen.FAILED, 60: Seen.FAILED}
        story = one(lambda id, at: said.get(int(at), Seen.OK if at < 30 else Seen.FAILED)).run(100)
        rows = [(0, State.UP), (30, State.DOWN), (40, State.UNKNOWN), (50, State.DOWN)]
        assert story.ledger("n/a") == rows
        assert story.ledger("n") == rows
