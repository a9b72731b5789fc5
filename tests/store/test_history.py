"""What was, asked for by period: transitions, incidents, maintenance, and the times nobody looked."""

from datetime import UTC, datetime, timedelta

import pytest

from monitor.model import Gap, Incident, IncidentState, State, Transition, Window
from monitor.store import Batch, StoreError
from monitor.store.mapping import micros
from monitor.store.readers import holes
from tests.store.examples import full


def at(minutes: float) -> datetime:
    return datetime(2026, 11, 21, tzinfo=UTC) + timedelta(minutes=minutes)


def went(subject: str, minutes: float, state: State, judged: float | None = None) -> Transition:
    return Transition(
        subject=subject,
        at=at(minutes),
        state=state,
        judged_at=None if judged is None else at(judged),
        after=at(minutes - 1),
    )


async def test_transitions_of_a_period_come_with_the_state_before_it(store):
    rows = [
        went("a", 0, State.UP),
        went("a", 10, State.DOWN),
        went("a", 20, State.UP),
        went("a", 30, State.DOWN),
        went("b", 5, State.UP),
    ]
    await store.commit(Batch(transitions=rows))
    found = await store.transitions(["a", "b", "never seen"], at(15), at(30))
    assert found == {"a": (rows[1], rows[2]), "b": (rows[4],)}
    assert await store.transitions(None, at(15), at(30)) == found
    assert (await store.transitions(["a"], at(0), at(1)))["a"] == (rows[0],)


async def test_of_equal_moments_all_rows_come_and_the_later_judged_last(store):
    first, last, middle = (
        went("a", 10, State.DOWN, 11),
        went("a", 10, State.UP, 13),
        went("a", 10, State.UNREACHABLE, 12),
    )
    for row in (first, last, middle):
        await store.commit(Batch(transitions=[row]))
    assert (await store.transitions(["a"], at(10), at(11)))["a"] == (first, middle, last)
    assert (await store.transitions(["a"], at(15), at(16)))["a"] == (first, middle, last)


async def test_a_thousand_subjects_at_once(store):
    rows = [went(f"tslcd.{number}", 1, State.UP) for number in range(1200)]
    await store.commit(Batch(transitions=rows))
    assert len(await store.transitions([row.subject for row in rows], at(0), at(2))) == 1200


def fault(number: int, since: float, until: float | None, **more) -> Incident:
    ended = None if until is None else at(until)
    state = IncidentState.OPEN if until is None else IncidentState.RESOLVED
    return full(
        Incident, id=f"i{number}", state=state, started_at=at(since), resolved_at=ended, closed_at=ended, **more
    )


async def test_incidents_come_newest_first_in_pages(store):
    faults = [fault(number, number // 2, None) for number in range(5)]
    await store.commit(Batch(incidents=faults))
    seen, cursor = [], None
    for _ in range(3):
        page = await store.incidents(limit=2, cursor=cursor)
        seen += [one.id for one in page.incidents]
        cursor = page.cursor
    assert seen == ["i4", "i3", "i2", "i1", "i0"]
    assert cursor is None
    with pytest.raises(StoreError):
        await store.incidents(cursor="1; DROP TABLE")


INCIDENT_QUERIES = [
    ("all", {}, ["i3", "i2", "i1"]),
    ("those that are on", {"states": [IncidentState.OPEN, IncidentState.ACKNOWLEDGED]}, ["i3"]),
    ("of one node", {"node": "x"}, ["i2"]),
    ("on at some moment since", {"since": at(10)}, ["i3", "i2"]),
    ("on within a period", {"since": at(4), "until": at(20)}, ["i2", "i1"]),
    ("one that ended as the period began is not in it", {"since": at(5), "until": at(20)}, ["i2"]),
]


@pytest.mark.parametrize(
    ("sentence", "query", "expected"), INCIDENT_QUERIES, ids=[case[0] for case in INCIDENT_QUERIES]
)
async def test_incidents_asked_for(store, sentence, query, expected):
    await store.commit(Batch(incidents=[fault(1, 0, 5), fault(2, 6, 30, node="x"), fault(3, 20, None)]))
    assert [one.id for one in (await store.incidents(**query)).incidents] == expected


async def test_maintenance_that_touches_a_period(store):
    def window(name, start, end):
        return Window(id=name, plan="p", nodes=frozenset({"a", "b"}), start=at(start), end=at(end))

    before, inside, after = window("1", 0, 10), window("2", 5, 15), window("3", 20, 30)
    await store.commit(Batch(windows=[after, inside, before]))
    assert await store.windows(at(10), at(20)) == (inside,)
    assert await store.windows(at(0), at(60)) == (before, inside, after)


SECOND = 1 / 60
GAPS = [
    # what happened                                     stretches (from, last beat, ended), minutes       unknown in [0, 60)
    ("nothing ever ran",                                [],                                               [(0, 60)]),
    ("it ran all the time",                             [(-5, 70, None)],                                 []),
    ("it still runs, and beat 20 s ago",                [(-5, 60 - 20 * SECOND, None)],                   []),
    ("it was stopped in order, and started later",      [(-5, 10, 10), (20, 70, None)],                   [(10, 20)]),
    ("stopped in order for three seconds",              [(-5, 10, 10), (10 + 3 * SECOND, 70, None)],      [(10, 10 + 3 * SECOND)]),
    ("killed, and back before anyone could know",       [(-5, 10, None), (10 + 20 * SECOND, 70, None)],   []),
    ("killed, and back after half a minute",            [(-5, 10, None), (10.5, 70, None)],               [(10, 10.5)]),
    ("killed for good",                                 [(-5, 10, None)],                                 [(10, 60)]),
    ("first started inside the period",                 [(30, 70, None)],                                 [(0, 30)]),
    ("two at once leave no hole",                       [(-5, 70, None), (10, 20, 20)],                   []),
    ("down before the period began",                    [(-50, -40, -40), (5, 70, None)],                 [(0, 5)]),
]  # fmt: skip


@pytest.mark.parametrize(("sentence", "stretches", "expected"), GAPS, ids=[case[0] for case in GAPS])
def test_gaps(sentence, stretches, expected):
    rows = [tuple(None if one is None else micros(at(one)) for one in stretch) for stretch in stretches]
    found = list(holes(rows, at(0), at(60)))
    assert found == [Gap(since=at(since), until=at(until)) for since, until in expected]


async def test_heartbeats_make_the_gaps(store, reopened):
    def second(number):
        return at(0) + timedelta(seconds=number)

    await store.begin_run(second(0), version="1.0", boot_id="b")
    for beat in (10, 20, 30, 90, 100):  # asleep for a minute after 30
        await store.beat(second(beat))
    await store.end_run(second(105))
    again = await reopened(store)
    assert (await again.memory()).last_beat == second(105)
    await again.begin_run(second(200), version="1.1")
    await again.beat(second(210))
    await again.beat(second(205))  # an older one takes nothing back
    gaps = [(gap.since, gap.until) for gap in await again.gaps(second(0), second(230))]
    assert gaps == [(second(30), second(90)), (second(105), second(200))]
    with pytest.raises(StoreError):
        await store.beat(second(1))
