"""Stories of one fault at a time, told as the person on duty would tell them."""

from dataclasses import replace
from datetime import timedelta

import pytest

from monitor.model import (
    Condition,
    EventType,
    Incident,
    IncidentState,
    Policy,
    Severity,
    State,
    Window,
)
from monitor.rules import clock
from monitor.rules.draft import Draft
from monitor.rules.world import (
    Conflict,
    NoSuchIncident,
    acknowledge,
    comment,
    observe,
    pause,
    resolve,
    resume_clock,
    tick,
)
from probes.contract import Reason, Seen
from tests.rules.driver import (
    Story,
    broken,
    catalogue,
    check,
    group,
    heard,
    node,
    one,
    outcome,
    sec,
    t,
)


def window(node: str, since: float, until: float, *, id: str = "w", more: tuple[str, ...] = ()) -> Window:
    """Announced work."""
    return Window(id=id, plan=id, nodes=frozenset({node, *more}), start=t(since), end=t(until), reason="Nâng cấp")


class TestOneNode:
    def test_a_fault_is_told_once_and_its_end_once(self) -> None:
        story = one(broken(("n", 100, 400))).run(900)
        assert [(what, who) for _, what, who in story.told()] == [("opened", "n"), ("resolved", "n")]
        (incident,) = story.incidents
        assert (sec(incident.started_at), sec(incident.resolved_at)) == (120, 420)
        assert sec(incident.opened_at) == sec(incident.detected_at) == 140
        assert incident.id.startswith("i-20261121T070200Z-")
        assert "." not in incident.id

    @pytest.mark.parametrize(("recheck", "within"), [(10, 81), (7, 75)])
    def test_down_is_known_within_its_interval_two_rechecks_and_a_tick(self, recheck: int, within: int) -> None:
        policy = Policy(recheck=timedelta(seconds=recheck))
        town = catalogue([node("n")], [check("n/a", every=60, policy=policy)])
        for at in range(61, 121, 7):
            story = Story(town, broken(("n", at, 900))).run(at + within)
            assert story.state("n") is State.DOWN

    def test_over_before_it_had_settled_nothing_is_told_and_every_row_is_kept(self) -> None:
        quick = Policy(failures=1, successes=1)
        checks = [check("hub/a", every=9000), check("n/a", every=30, policy=quick)]
        town = catalogue([node("hub"), node("n", "hub")], checks)
        # The hub never answers the question, so the fault below it has to wait the whole of settling.
        fault = broken(("n", 100, 125))
        story = Story(town, lambda id, at: Seen.BLIND if id == "hub/a" else fault(id, at)).run(400)
        assert story.told() == []
        assert story.incidents == []
        assert story.ledger("n") == [(15, State.UP), (105, State.DOWN), (135, State.UP)]

    def test_down_at_a_cold_start_is_one_message(self) -> None:
        story = one(broken(("n", 0, 9999))).run(1200)
        assert heard(story) == ["opened"]

    def test_almost_back_and_failing_again_is_the_same_fault(self) -> None:
        story = one(lambda id, at: Seen.OK if at < 100 or at == 210 or at > 500 else Seen.FAILED).run(900)
        assert heard(story) == ["opened", "resolved"]

    def test_back_within_ten_minutes_is_the_same_incident_and_its_clock_went_on(self) -> None:
        story = one(broken(("n", 100, 400), ("n", 700, 900))).run(800)
        (incident,) = story.incidents
        assert heard(story) == ["opened", "resolved", "reopened"]
        assert sec(incident.started_at) == 120
        assert clock.elapsed(incident, t(800)) == timedelta(seconds=680)
        story.run(1300)
        assert heard(story) == ["opened", "resolved", "reopened", "resolved"]

    def test_back_for_another_reason_says_the_new_one(self) -> None:
        story = one(broken())
        faults = {range(100, 200): Reason.TLS_EXPIRED, range(400, 600): Reason.REFUSED}
        for at in range(10, 600, 10):
            reason = next((why for span, why in faults.items() if at in span), Reason.OK)
            seen = outcome(Seen.OK if reason is Reason.OK else Seen.FAILED, at)
            draft = Draft(story.world)
            observe(draft, story.house, "n/a", replace(seen, reason=reason, detail=reason.value), t(at))
            tick(draft, story.house, (), t(at))
            story.keep(draft)
        (incident,) = story.incidents
        assert heard(story) == ["opened", "resolved", "reopened"]
        assert (incident.reason, incident.detail) == (Reason.REFUSED, "refused")
        assert "refused" in incident.evidence

    def test_back_after_more_than_ten_minutes_is_another_incident(self) -> None:
        story = one(broken(("n", 100, 400), ("n", 1100, 1300))).run(1700)
        assert len(story.incidents) == 2
        assert heard(story) == ["opened", "resolved"] * 2

    def test_blind_while_it_is_down_ends_nothing(self) -> None:
        def truth(id: str, at: float) -> Seen:
            return Seen.OK if at < 100 or at > 900 else Seen.BLIND if 300 < at < 600 else Seen.FAILED

        story = one(truth).run(1200)
        assert heard(story) == ["opened", "resolved"]
        assert [s for _, s in story.ledger("n")] == [State.UP, State.DOWN, State.UNKNOWN, State.DOWN, State.UP]

    def test_flapping_is_said_once_and_then_there_is_quiet_until_it_is_stable(self) -> None:
        def wave(id: str, at: float) -> Seen:
            return Seen.FAILED if at < 7200 and int(at // 240) % 2 else Seen.OK

        story = one(wave).run(10_000)
        messages = story.told()
        flagged = next(place for place, e in enumerate(story.events) if e.data.get("flapping"))
        assert story.events[flagged].type in (EventType.UPDATED, EventType.REOPENED)
        later = [e.type for e in story.events[flagged + 1 :] if e.type.told]
        assert later == [EventType.RESOLVED]
        assert len(messages) <= 7
        (incident,) = story.incidents
        # The last good stretch began at 7200; it was believed a quarter of an hour later.
        assert 7200 <= (sec(incident.resolved_at) or 0) <= 7230
        assert 7200 + 900 <= (sec(incident.closed_at) or 0) <= 7200 + 960
        assert len(story.ledger("n")) == 31

    def test_flapping_can_end_down(self) -> None:
        def wave(id: str, at: float) -> Seen:
            return Seen.FAILED if at > 3600 or int(at // 240) % 2 else Seen.OK

        story = one(wave).run(6000)
        (incident,) = story.incidents
        assert (incident.state, incident.flapping) == (IncidentState.OPEN, False)

    def test_degradation_that_lasts_is_a_milder_incident_where_it_is_asked_for(self) -> None:
        slow = Policy(degraded=3, degraded_if=(Condition(fact="seconds", op=">", value=3, text="seconds > 3"),))
        town = catalogue([node("n", degraded_incident=True, severity=Severity.HIGH)], [check("n/a", 30, policy=slow)])
        story = Story(town, broken())
        feed = {**dict.fromkeys(range(5, 40), 5.0), **dict.fromkeys(range(40, 60), -1.0)}
        for place in range(80):
            draft = Draft(story.world)
            seconds = feed.get(place, 1.0)
            seen = outcome("failed" if seconds < 0 else "ok", place * 30, seconds=seconds)
            observe(draft, story.house, "n/a", seen, t(place * 30))
            for second in range(30):
                tick(draft, story.house, (), t(place * 30 + second))
            story.keep(draft)
        assert heard(story) == ["opened", "opened", "merged", "resolved"]
        soft, hard = story.incidents
        assert (soft.severity, soft.degradation, soft.state) == (Severity.MEDIUM, True, IncidentState.MERGED)
        assert (hard.severity, hard.degradation) == (Severity.HIGH, False)
        assert sec(soft.started_at) == 150
        assert sec(hard.started_at) == 1200


class TestMaintenance:
    def test_in_the_window_nobody_is_told_and_at_its_end_at_once(self) -> None:
        story = one(broken(("n", 200, 2000)), windows=[window("n", 100, 1000)]).run(1600)
        assert story.told() == [(1000, "opened", "n")]
        (incident,) = story.incidents
        assert incident.paused == timedelta(seconds=1000 - 210)
        assert clock.net(incident, t(1600)) == timedelta(seconds=600)
        assert not incident.maintenance
        story.run(2400)
        assert heard(story) == ["opened", "resolved"]

    def test_over_within_the_window_is_never_told(self) -> None:
        story = one(broken(("n", 200, 500)), windows=[window("n", 100, 1000)]).run(1600)
        assert story.told() == []
        assert [i.state for i in story.incidents] == [IncidentState.RESOLVED]

    def test_what_was_told_before_the_window_is_told_to_be_over_within_it(self) -> None:
        story = one(broken(("n", 100, 500)), windows=[window("n", 300, 1000)]).run(1600)
        assert heard(story) == ["opened", "resolved"]
        (incident,) = story.incidents
        assert incident.paused == timedelta(seconds=510 - 300)

    def test_a_window_in_mid_incident_splits_its_time(self) -> None:
        story = one(broken(("n", 100, 1500)), windows=[window("n", 300, 1000)]).run(2000)
        (incident,) = story.incidents
        assert incident.paused == timedelta(seconds=700)
        assert heard(story) == ["opened", "resolved"]
        kinds = [e.type for e in story.events if e.type in (EventType.PAUSED, EventType.RESUMED)]
        assert kinds == [EventType.PAUSED, EventType.RESUMED]

    def test_a_restart_within_the_window_tells_nobody(self) -> None:
        story = one(broken(("n", 200, 2000)), windows=[window("n", 100, 1000)])
        story.run(400)
        story.restart(gap=60)
        story.run(1200)
        assert story.told() == [(1000, "opened", "n")]

    def test_planned_work_on_a_carriers_links_is_no_outage_of_the_carrier(self) -> None:
        links = [f"l{i}" for i in range(6)]
        town = catalogue([*(node(link) for link in links), group("vnpt", links, 0.3, 3)])
        work = window("l0", 50, 1000, more=("l1", "l2", "l3"))
        story = Story(town, broken(*((link, 100, 900) for link in links[:4])), windows=[work]).run(1300)
        assert story.told() == []
        assert story.state("vnpt") is State.UP


class TestPeople:
    def opened(self) -> tuple[Story, Incident]:
        story = one(broken(("n", 100, 3000))).run(200)
        return story, story.incidents[0]

    def test_of_two_acknowledgements_one_wins(self) -> None:
        story, incident = self.opened()
        story.act(acknowledge, incident.id, by="lan", version=incident.version)
        with pytest.raises(Conflict):
            story.act(acknowledge, incident.id, by="hoa", version=incident.version)
        assert story.incidents[0].acknowledged_by == "lan"
        assert story.incidents[0].state is IncidentState.ACKNOWLEDGED

    def test_an_act_on_what_is_over_is_a_conflict_and_on_nothing_no_such_incident(self) -> None:
        story, incident = self.opened()
        story.run(3200)
        for act in (acknowledge, resume_clock, resolve):
            with pytest.raises(Conflict):
                story.act(act, incident.id, by="lan")
        story.act(comment, incident.id, by="lan", text="đã thay cáp")
        with pytest.raises(NoSuchIncident):
            story.act(acknowledge, "i-none", by="lan")

    def test_a_paused_clock_moves_its_deadline_and_nothing_else(self) -> None:
        story, incident = self.opened()
        before = clock.deadline(incident, t(200))
        story.act(pause, incident.id, by="lan", reason="chờ điện")
        with pytest.raises(Conflict):
            story.act(pause, incident.id, by="lan", reason="nữa")
        story.run(500)
        paused = story.incidents[0]
        assert clock.clock_state(paused, t(500)) == "paused"
        assert clock.deadline(paused, t(500)) == before + timedelta(seconds=300)
        story.act(resume_clock, incident.id, by="lan")
        assert story.incidents[0].paused == timedelta(seconds=300)
        assert clock.clock_state(story.incidents[0], t(600)) == "running"
        assert [e.type for e in story.events][-2:] == [EventType.PAUSED, EventType.RESUMED]
        with pytest.raises(ValueError, match="reason"):
            story.act(pause, incident.id, by="lan", reason=" ")

    def test_closed_by_hand_it_stays_closed_until_the_node_has_worked_again(self) -> None:
        story = one(broken(("n", 100, 2000), ("n", 3000, 3500)))
        story.run(300)
        story.act(resolve, story.incidents[0].id, by="lan", cause="power")
        story.run(1000)
        story.restart(gap=30)
        story.run(2500)
        assert heard(story) == ["opened", "resolved"]
        assert story.incidents[0].resolved_by == "lan"
        story.run(3300)
        assert heard(story) == ["opened", "resolved", "opened"]

    def test_acknowledged_it_goes_on_to_its_end(self) -> None:
        story, incident = self.opened()
        story.act(acknowledge, incident.id, by="lan")
        story.run(3200)
        assert heard(story) == ["opened", "acknowledged", "resolved"]


class TestClock:
    def test_warnings_and_the_breach_come_once_each(self) -> None:
        story = one(broken(("n", 100, 9000)), node={"recovery_target": timedelta(seconds=1000)}).run(2000)
        assert [(at, what) for at, what, _ in story.told()[1:]] == [
            (620, "recovery_warning"),
            (870, "recovery_warning"),
            (1020, "recovery_warning"),
            (1120, "recovery_breached"),
        ]
        assert clock.clock_state(story.incidents[0], t(2000)) == "breached"

    def test_what_fell_due_while_we_were_gone_is_told_on_coming_back_all_of_it_once(self) -> None:
        story = one(broken(("n", 100, 9000)), node={"recovery_target": timedelta(seconds=1000)}).run(300)
        story.restart(gap=3600)
        story.run(4100)
        assert [(at, what) for at, what, _ in story.told()[1:]] == [(3901, "recovery_warning")] * 3 + [
            (3901, "recovery_breached")
        ]
        (incident,) = story.incidents
        assert sec(incident.breached_at) == 1120

    def test_met_and_breached_are_said_by_the_net_time(self) -> None:
        target = {"recovery_target": timedelta(seconds=1000)}
        story = one(broken(("n", 100, 900)), node=target).run(1300)
        assert clock.clock_state(story.incidents[0], t(1300)) == "met"
        story = one(broken(("n", 100, 1300)), node=target).run(1600)
        assert clock.clock_state(story.incidents[0], t(1600)) == "breached"

    def test_two_failures_before_a_long_pause_and_one_after_it_are_not_three_in_a_row(self) -> None:
        story = one(broken(("n", 100, 145), ("n", 4010, 4025))).run(131)
        assert story.world.checks["n/a"].failures == 2
        story.restart(gap=3880)
        assert story.world.checks["n/a"].failures == 0
        story.run(4300)
        assert story.incidents == []
