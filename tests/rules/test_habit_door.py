"""Habits through the front door: drafts, what is stored, a person who accepts, a new name."""

from monitor.model import State
from monitor.rules.topology import House
from monitor.rules.world import Draft, World, observe, reconcile, resolve, tick
from tests.rules.driver import catalogue, check, node, outcome, t
from tests.rules.links import policy


def house_of(*lines: str, **more: int) -> House:
    one = check("a/v4", every=300, policy=policy(*lines, every=300, **more))
    return House.build(catalogue([node("a", type="link", degraded_incident=True)], [one]))


def observed(world: World, house: House, beat: int, *, drop: bool = False, **facts: float) -> Draft:
    """One round through the front door, committed, or lost as when the store is in trouble."""
    draft, now = Draft(world), t(beat * 300)
    observe(draft, house, "a/v4", outcome("ok", beat * 300, **facts), now)
    tick(draft, house, (), now)
    if not drop:
        draft.apply()
    return draft


def test_a_draft_that_is_dropped_never_was_and_the_same_outcomes_give_the_same_states() -> None:
    house = house_of("rtt > 3 x normal + 20ms", "loss >= 5% over 30m")
    once, twice = World(), World()
    stored = []
    for beat in range(400):
        facts = {"rtt": 0.012 + beat % 7 / 1000, "loss": (beat % 50 == 0) / 10, "sent": 10.0}
        stored += observed(once, house, beat, **facts).learned
        observed(twice, house, beat, drop=True, **facts)
        observed(twice, house, beat, **facts)
    assert once.habits == twice.habits
    assert once.checks == twice.checks
    # Written at most once a period: 400 rounds of five minutes touch six of them.
    assert 4 <= len(stored) <= 6
    assert once.habits["a/v4"].normal("rtt") is not None


def test_a_person_who_closes_the_incident_of_a_degradation_accepts_how_it_is() -> None:
    house = house_of("rtt > 3 x normal + 20ms", degraded=3)
    world = World()
    for beat in range(400):
        observed(world, house, beat, rtt=0.012)
    for beat in range(400, 404):
        observed(world, house, beat, rtt=0.060)
    (incident,) = world.incidents.values()
    assert incident.degradation
    assert incident.detail == "rtt 60ms > 56ms (normal 12ms)"
    draft = Draft(world)
    resolve(draft, incident.id, by="an", now=t(404 * 300))
    assert set(draft.learned) == {"a/v4"}  # It is stored with the act.
    draft.apply()
    for beat in range(405, 800):
        observed(world, house, beat, rtt=0.060)
    assert world.checks["a/v4"].state is State.UP
    assert world.habits["a/v4"].normal("rtt") == 0.060
    assert len(world.incidents) <= 1


def test_a_renamed_check_keeps_its_habit_and_one_that_comes_back_finds_it() -> None:
    house, world = house_of("rtt > 3 x normal + 20ms"), World()
    for beat in range(400):
        observed(world, house, beat, rtt=0.012)
    one = check("b/v4", every=300, policy=policy("rtt > 3 x normal + 20ms", every=300))
    for after in (House.build(catalogue([node("b", type="link", was=("a",))], [one])), house):
        draft = Draft(world)
        reconcile(draft, after, t(400 * 300))
        draft.apply()
    assert world.habits["b/v4"].normal("rtt") == world.habits["a/v4"].normal("rtt") == 0.012
