"""What witnesses change about whose fault it is: the second path, the near port, and the device that is heard afterwards."""

import itertools
from collections.abc import Callable

from monitor.model import Confidence, EventType, Ground, IncidentState, Whose
from probes.contract import Outcome, Seen
from tests.rules.driver import Story, Truth, broken, outcome, sec
from tests.rules.test_fault import FOREVER, ONE, failing, grounded, only, seeing, town


class TestWitnesses:
    def test_they_are_asked_at_once_and_the_first_message_knows_their_answer(self) -> None:
        story = seeing(Story(town({ONE: ("way",)}), failing(f"{ONE}/v4"))).run(300)
        (opened,) = [event for event in story.events if event.type is EventType.OPENED]
        assert grounded(opened.incident).rule == "second_path_answers"
        assert (sec(opened.at) or 0) <= 160

    def test_a_second_path_that_comes_back_first_does_not_clear_the_site_at_once(self) -> None:
        truth = broken((f"{ONE}/v4", 100, FOREVER), (f"{ONE}/way", 100, 400))
        story = seeing(Story(town({ONE: ("way",)}), truth)).run(800)
        assert grounded(only(story, ONE)).whose is Whose.SITE
        ground = grounded(only(story.run(1300), ONE))
        assert (ground.whose, ground.confidence) == (Whose.LINK, Confidence.MEDIUM)

    def test_a_second_path_that_was_never_up_says_nothing(self) -> None:
        truth = broken((f"{ONE}/v4", 1500, FOREVER), (f"{ONE}/way", 0, FOREVER))
        story = seeing(Story(town({ONE: ("way",)}), truth)).run(1800)
        assert grounded(only(story, ONE)).rule == "siblings_answer"

    def test_a_witness_has_no_effect_of_its_own(self) -> None:
        story = seeing(Story(town({ONE: ("way", "port")}), failing(f"{ONE}/way", f"{ONE}/port"))).run(500)
        assert story.incidents == []
        assert story.state(ONE) == "up"

    def test_nobody_is_asked_oftener_than_the_recheck_allows(self) -> None:
        story = seeing(Story(town({ONE: ("cpe",)}), failing(f"{ONE}/v4")))
        looks: list[float] = []
        truth = story.truth

        def noted(id: str, at: float) -> Seen | Outcome:
            if id == f"{ONE}/cpe":
                looks.append(at)
            return truth(id, at)

        story.truth = noted
        story.run(900)
        extra = len(looks) - 3
        assert extra <= 4
        assert all(b - a >= 9 for a, b in itertools.pairwise(looks))


def device(uptimes: Callable[[float], float], truth: Truth) -> Callable[[str, float], Seen | Outcome]:
    """The device is read over the link, and says for how long it has been running."""

    def seen(id: str, at: float) -> Seen | Outcome:
        found = truth(id, at)
        if id.endswith("/cpe") and found is Seen.OK:
            return outcome(Seen.OK, at, uptime_seconds=uptimes(at))
        return found

    return seen


class TestTheDevice:
    def over(self, uptimes: Callable[[float], float], *names: str, who: str = ONE) -> Ground:
        truth = device(uptimes, failing(who, until=700))
        story = seeing(Story(town({ONE: ("cpe", *names)}), truth)).run(1100)
        incident = only(story, ONE)
        assert incident.state is IncidentState.RESOLVED
        return grounded(incident)

    def test_running_for_less_long_than_the_outage_it_had_lost_its_power(self) -> None:
        ground = self.over(lambda at: at - 650)
        assert (ground.whose, ground.confidence, ground.rule) == ("site", "high", "device_restarted")
        assert next((one.says, sec(one.since)) for one in ground.testimony) == ("restarted", 650)
        assert ground.party == ""

    def test_running_all_the_while_it_was_the_line(self) -> None:
        ground = self.over(lambda at: at + 86_400)
        assert (ground.whose, ground.confidence, ground.rule) == ("link", "high", "device_ran_on")

    def test_both_ways_silent_and_the_device_ran_on_is_not_known(self) -> None:
        ground = self.over(lambda at: at + 86_400, "way")
        assert (ground.whose, ground.confidence) == ("site", "low")

    def test_restarted_by_somebody_while_the_site_had_power(self) -> None:
        truth = device(lambda at: at - 650, broken((f"{ONE}/v4", 100, 700), (f"{ONE}/cpe", 100, 700)))
        story = seeing(Story(town({ONE: ("cpe", "way")}), truth)).run(1100)
        ground = grounded(only(story, ONE))
        assert (ground.whose, ground.confidence, ground.rule) == ("site", "medium", "device_restarted")
        assert [one.subject for one in ground.testimony if one.against] == [f"{ONE}/way"]

    def test_heard_only_after_the_end_it_is_still_written_down(self) -> None:
        truth = device(lambda at: at - 650, broken((f"{ONE}/v4", 100, 700), (f"{ONE}/cpe", 100, 850)))
        story = seeing(Story(town({ONE: ("cpe",)}), truth)).run(1500)
        assert grounded(only(story, ONE)).rule == "device_restarted"
        assert [e.type for e in story.events if e.incident.node == ONE][-1] is EventType.ATTRIBUTED
        assert [what for _, what, _ in story.told()] == ["opened", "resolved"]
