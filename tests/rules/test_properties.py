"""Whatever happens: random outages, own blindness, restarts and lost drafts, against laws and naive recounts."""

from collections import Counter
from datetime import datetime
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.model import MONITOR, Effect, EventType, Policy, State
from monitor.rules.draft import Draft
from monitor.rules.nodes import worst
from monitor.rules.world import observe, pause, resume_clock, tick
from probes.contract import Outcome, Seen
from tests.rules.driver import Story, catalogue, check, group, node, outcome, sec, t
from tests.rules.test_incidents import window

LINKS = [f"link.{carrier}.{i}" for carrier in "ab" for i in range(4)]
ABOVE = {
    **{link: ["hub"] for link in LINKS},
    **{link.replace("link", "video"): ["hub", link] for link in LINKS},
    "portal": [],
}


def town() -> Any:
    return catalogue(
        [
            node("hub", recovery_target=t(600) - t(0)),
            node("portal", recovery_target=t(300) - t(0)),
            *(node(link, "hub") for link in LINKS),
            *(node(link.replace("link", "video"), link) for link in LINKS),
            group("carrier.a", LINKS[:4], 0.6, 3),
            group("carrier.b", LINKS[4:], 0.6, 3),
            group("net", LINKS, 0.8, 6),
        ]
    )


CAUSES = ["hub", "portal", "carrier.a", "carrier.b", *LINKS, "video.a.1", "video.b.2"]
outages = st.lists(
    st.tuples(st.sampled_from(CAUSES), st.integers(50, 1500), st.integers(5, 700)),
    max_size=6,
)
blinks = st.lists(st.tuples(st.integers(0, 1500), st.integers(5, 200)), max_size=2)


def truth_of(faults: list[tuple[str, int, int]], blind: list[tuple[int, int]]) -> Any:
    def causes(id: str) -> list[str]:
        mine = [id, *ABOVE.get(id, [])]
        return [*mine, *(f"carrier.{one.split('.')[1]}" for one in mine if one.startswith("link."))]

    def truth(check_id: str, at: float) -> Seen:
        if any(since <= at < since + length for since, length in blind):
            return Seen.BLIND
        mine = causes(check_id.split("/")[0])
        return Seen.FAILED if any(c in mine and s <= at < s + n for c, s, n in faults) else Seen.OK

    return truth


def laws(story: Story) -> None:
    """What must hold at every moment."""
    active = [i for i in story.world.incidents.values() if i.state.active]
    assert max(Counter(i.node for i in active).values(), default=0) <= 1
    assert {i.id for i in active} == story.world.active


def end_laws(story: Story) -> None:
    """What must hold when everything has settled."""
    draft = Draft(story.world)
    active = [i for i in story.incidents if i.state.active and i.node != MONITOR]
    affected = Counter(one.node for i in active for one in i.affected if one.until is None)
    roots = Counter(i.node for i in active)
    for id in story.house.rank:
        state = draft.node(id)
        if state.state is State.DOWN:
            assert (roots[id], affected[id]) == (1, 0), id
        elif state.state is State.UNREACHABLE:
            assert (roots[id], affected[id]) == (0, 1), id
        elif state.state is State.UP:
            assert affected[id] == 0, id
            assert roots[id] == int(state.flapping), id
    for incident in story.incidents:
        events = [e for e in story.events if e.incident.id == incident.id]
        assert [e.sequence for e in events] == list(range(1, len(events) + 1))
        assert [e.incident.sequence for e in events] == [e.sequence for e in events]
        once = Counter((e.type, e.data.get("share")) for e in events if e.type.value.startswith("incident.recovery"))
        assert all(count == 1 for count in once.values()), once
        assert incident.started_at <= incident.detected_at <= incident.opened_at
        opened = [e.type for e in events if e.type in (EventType.OPENED, EventType.REOPENED)]
        closed = [e.type for e in events if e.type in (EventType.RESOLVED, EventType.MERGED, EventType.WITHDRAWN)]
        assert len(opened) - len(closed) == int(incident.state.active)
        assert events[0].type is EventType.OPENED


def same_ledgers(story: Story) -> None:
    """With one check a node, its ledger is the check's, but that some of its downtime is said to be another's fault."""
    for id in story.house.rank:
        if id in story.house.members:
            continue
        mine = [(at, State.DOWN if s is State.UNREACHABLE else s) for at, s in story.ledger(id)]
        merged = [row for place, row in enumerate(mine) if not place or mine[place - 1][1] is not row[1]]
        assert merged == story.ledger(f"{id}/v4"), id
        rows = story.ledger(id)
        assert (rows[-1][1] if rows else State.UNKNOWN) is story.state(id)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(outages, blinks, st.dictionaries(st.integers(1, 2500), st.sampled_from(["drop", "restart"]), max_size=30))
def test_laws_of_a_small_town(faults: Any, blind: Any, commits: dict[int, str]) -> None:
    story = Story(town(), truth_of(faults, blind), commit=lambda now: commits.get(now, "keep"), after_tick=laws)
    story.run(2600)
    end_laws(story)
    same_ledgers(story)
    if not any(i.state.active for i in story.incidents):
        assert all(story.state(id) is State.UP for id in story.house.rank)


@settings(max_examples=20, deadline=None, derandomize=True)
@given(outages, st.integers(200, 1600))
def test_what_still_fails_is_somebodys(faults: Any, stop: int) -> None:
    """Frozen in the middle and left so: every failing node is in exactly one incident once it has settled."""
    held = truth_of(faults, [])
    story = Story(town(), lambda id, at: held(id, min(at, stop)), after_tick=laws).run(stop + 400)
    end_laws(story)
    same_ledgers(story)


@settings(max_examples=12, deadline=None, derandomize=True)
@given(blinks, st.dictionaries(st.integers(1, 1500), st.sampled_from(["drop", "restart"]), max_size=20))
def test_our_blindness_is_nobodys_incident(blind: Any, commits: dict[int, str]) -> None:
    story = Story(town(), truth_of([], blind), commit=lambda now: commits.get(now, "keep")).run(1700)
    assert story.incidents == []
    assert not [row for row in story.transitions if row.state.failing]


LINES = ["line1", "line2"]


def two_ways() -> Any:
    """A hub on two lines, links below it: what is lost and what is left."""
    return catalogue(
        [
            *(node(line) for line in LINES),
            node("hub", "lines"),
            node("link", "hub"),
            node("video", "link"),
            group("lines", LINES, 1.0, 2, within=120, degraded=1),
        ],
        [check(f"{id}/v4", every=30) for id in (*LINES, "hub", "link", "video")],
    )


def cut_ways(faults: list[tuple[str, int, int]]) -> Any:
    """What stands on both lines fails with both, and by itself."""

    def broken(name: str, at: float) -> bool:
        return any(id == name and since <= at < since + length for id, since, length in faults)

    def truth(check_id: str, at: float) -> Seen:
        name = check_id.split("/")[0]
        above = {"hub": ["hub"], "link": ["hub", "link"], "video": ["hub", "link", "video"]}.get(name, [name])
        lost = name not in LINES and all(broken(line, at) for line in LINES)
        return Seen.FAILED if lost or any(broken(id, at) for id in above) else Seen.OK

    return truth


ways = st.lists(
    st.tuples(st.sampled_from([*LINES, *LINES, "hub", "video"]), st.integers(50, 1500), st.integers(5, 700)), max_size=6
)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(ways, st.dictionaries(st.integers(1, 2500), st.sampled_from(["drop", "restart"]), max_size=20))
def test_laws_of_lost_redundancy(faults: Any, commits: dict[int, str]) -> None:
    """Every failing node is somebody's, nothing is lost on the way back, and whoever stands on what is degraded is at best that, to the second."""
    story = Story(two_ways(), cut_ways(faults), commit=lambda now: commits.get(now, "keep"), after_tick=laws).run(3000)
    end_laws(story)
    assert all(story.state(id) is State.UP for id in story.house.rank)
    assert not [i for i in story.incidents if i.state.active and not i.flapping]
    group_rows, hub_rows, own = story.ledger("lines"), story.ledger("hub"), story.ledger("hub/v4")
    for at in sorted({at for at, _ in (*group_rows, *hub_rows, *own)}):
        spare, hub, seen = (state_at(rows, at) for rows in (group_rows, hub_rows, own))
        if None in (spare, hub, seen):
            continue
        if seen is State.UP:
            assert hub is (State.UP if spare in (State.UP, State.UNKNOWN) else State.DEGRADED), (at, faults)
        else:
            assert hub is not None
            assert hub.failing or hub is State.UNKNOWN, (at, faults)


Call = tuple[str, Any, datetime]


@settings(max_examples=8, deadline=None, derandomize=True)
@given(outages, blinks, st.lists(st.integers(1, 60), min_size=1, max_size=20), st.booleans())
def test_where_the_batches_end_changes_nothing(faults: Any, blind: Any, sizes: list[int], losing: bool) -> None:
    """The same calls in the same order, committed in any bites, bites lost and judged again, make the same rows, events and ids."""
    truth, plan = truth_of(faults, blind), town()
    calls: list[Call] = []
    looks = [(place % 60 + 30 * turn, c) for turn in range(60) for place, c in enumerate(plan.checks)]
    for second in range(1800):
        calls += [("observe", (c, seen_at(truth, c, at)), t(second)) for at, c in looks if at == second]
        calls.append(("tick", None, t(second)))

    def play(bites: list[int]) -> tuple[Any, ...]:
        story = Story(plan, truth)
        at, turn = 0, 0
        while at < len(calls):
            size = bites[turn % len(bites)] * 10
            if losing and turn % 3 == 0:
                # This one is never committed: half of it was judged when the store failed.
                lost = Draft(story.world)
                for call in calls[at : at + size // 2]:
                    play_one(lost, story, call)
            draft = Draft(story.world)
            for call in calls[at : at + size]:
                play_one(draft, story, call)
            story.keep(draft)
            at, turn = at + size, turn + 1
        return story.transitions, story.events, story.world.checks, story.world.nodes, story.world.incidents

    assert play([10_000]) == play(sizes)


def seen_at(truth: Any, check_id: str, at: int) -> Outcome:
    return outcome(truth(check_id, at), at)


def play_one(draft: Draft, story: Story, call: Call) -> None:
    kind, what, now = call
    if kind == "observe":
        observe(draft, story.house, *what, now)
    else:
        tick(draft, story.house, (), now)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    st.lists(st.tuples(st.sampled_from(["a", "b", "c"]), st.integers(0, 900), st.integers(1, 300)), max_size=6),
    st.lists(st.tuples(st.integers(0, 900), st.integers(5, 100)), max_size=1),
)
def test_a_node_of_several_checks_is_second_by_second_the_worst_of_them(faults: Any, blind: Any) -> None:
    checks = [
        check("n/a", every=30),
        check("n/b", every=300, policy=Policy(failures=2)),
        check("n/c", every=60, effect=Effect.DEGRADED),
    ]

    def truth(id: str, at: float) -> Seen:
        if any(s <= at < s + n for s, n in blind):
            return Seen.BLIND
        return Seen.FAILED if any(id == f"n/{c}" and s <= at < s + n for c, s, n in faults) else Seen.OK

    story = Story(catalogue([node("n")], checks), truth).run(1300)
    rows = {c.id: story.ledger(c.id) for c in checks}
    mine = story.ledger("n")
    first = max((r[0][0] for r in rows.values() if r), default=1300.0)
    moments = sorted({at for r in [mine, *rows.values()] for at, _ in r if at >= first})
    for at in moments:
        expected = worst((c.effect, state_at(rows[c.id], at)) for c in checks)
        assert state_at(mine, at) is expected, (at, mine, rows)


def state_at(rows: list[tuple[float, State]], at: float) -> State | None:
    before = [state for since, state in rows if since <= at]
    return before[-1] if before else None


acts = st.lists(st.tuples(st.integers(200, 2400), st.sampled_from(["pause", "resume", "restart", "gap"])), max_size=12)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(acts, st.lists(st.tuples(st.integers(100, 2400), st.integers(10, 400)), max_size=2))
def test_the_clock_tells_each_thing_once_at_its_time_whatever_happens(acts: Any, planned: Any) -> None:
    """Against a count of seconds: warnings and breach come when so many unpaused seconds have gone, never twice, never not."""
    windows = [window("n", since, since + length, id=f"w{since}") for since, length in planned]
    plan = catalogue([node("n", recovery_target=t(800) - t(0))], [check("n/v4", every=30)])
    story = Story(plan, lambda id, at: Seen.FAILED if at >= 60 else Seen.OK, windows=windows)
    held: list[tuple[float, float]] = []
    by_hand: float | None = None
    for at, act in sorted(acts):
        if at <= story.now:
            continue
        story.run(at)
        active = [i for i in story.incidents if i.state.active]
        if act == "restart":
            story.restart()
        elif act == "gap":
            story.restart(gap=120)
        elif active and act == "pause" and active[0].paused_since is None:
            story.act(pause, active[0].id, by="lan", reason="điện")
            by_hand = story.now
        elif active and act == "resume" and active[0].paused_since is not None and by_hand is not None:
            if active[0].pause_reason == "maintenance":
                continue
            story.act(resume_clock, active[0].id, by="lan")
            held.append((by_hand, story.now))
            by_hand = None
    story.run(3000)
    (incident,) = story.incidents
    start = sec(incident.started_at) or 0
    if by_hand is not None:
        held.append((by_hand, story.now))
    stretches = [*held, *((float(s), float(s + n)) for s, n in planned)]
    counted = [at for at in range(int(start), 3000) if not any(a <= at < b for a, b in stretches)]
    told = [e for e in story.events if e.type in (EventType.RECOVERY_WARNING, EventType.RECOVERY_BREACHED)]
    due = [0.5, 0.75, 0.9, 1.0]
    expected = [share for share in due if len(counted) >= 800 * share + 3]
    heard = [e.data.get("share", 1.0) for e in told]
    assert heard[: len(expected)] == expected
    assert len(heard) <= len([share for share in due if len(counted) >= 800 * share - 3])
    for event in told:
        net = 800 * event.data.get("share", 1.0)
        due_at = sec(datetime.fromisoformat(str(event.data["due_at"]))) or 0
        passed = sum(at < due_at for at in counted)
        assert abs(passed - net) <= 3
        assert (sec(event.at) or 0) >= due_at - 1


def test_nothing_depends_on_what_is_not_stored() -> None:
    """A world read back from what was stored goes on as the one that was not."""
    faults = [("hub", 100, 400), ("carrier.a", 600, 400), ("portal", 300, 1500)]
    straight = Story(town(), truth_of(faults, [])).run(2400)
    torn = Story(town(), truth_of(faults, []), commit=lambda now: "restart" if now % 97 == 0 else "keep").run(2400)
    assert {(i.node, i.id, i.state) for i in straight.incidents} == {(i.node, i.id, i.state) for i in torn.incidents}
    assert [x[1:] for x in straight.told()] == [x[1:] for x in torn.told()]
    assert straight.ledger("carrier.a") == torn.ledger("carrier.a")
