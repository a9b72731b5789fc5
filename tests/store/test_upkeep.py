"""Sealing changes nothing that is asked for; retention takes only what nobody needs."""

import asyncio
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from monitor.model import (
    CheckState,
    EventType,
    Incident,
    IncidentEvent,
    IncidentState,
    Message,
    Retention,
    State,
    Transition,
)
from monitor.store import Batch, Sample
from monitor.store.sketch import percentile
from probes.contract import Reason, Seen
from tests.store.examples import full

MIDNIGHT = datetime(2026, 11, 21, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
KEEP = Retention(samples=60 * DAY, hourly=730 * DAY, ledger=3650 * DAY)


def series(check: str, start: datetime, count: int, every: timedelta = timedelta(minutes=1)) -> list[Sample]:
    """Samples of all sorts."""
    made = []
    for number in range(count):
        seen, reason = Seen.OK, Reason.OK
        if number % 10 == 3:
            seen, reason = Seen.FAILED, Reason.TIMEOUT
        if number % 10 == 7:
            seen, reason = Seen.BLIND, Reason.OWN_DNS
        facts = {"loss": number % 5 / 100, "rtt": 0.0123} if number % 2 else {"certificate_days": 29.5}
        made.append(
            Sample(
                check=check,
                at=start + number * every + timedelta(microseconds=100 * number),
                seen=seen,
                reason=reason,
                seconds=round(0.01 + number / 1000, 4),
                facts=facts,
            )
        )
    return made


async def everything(store, check: str) -> tuple[Sample, ...]:
    return await store.samples(check, MIDNIGHT - 100 * DAY, MIDNIGHT + 100 * DAY)


async def test_sealed_samples_are_the_samples(store, reopened):
    checks = ("a/x", "a/y", "b/x")
    made = {check: series(check, MIDNIGHT + 22 * HOUR, 300) for check in checks}
    for number in range(300):
        await store.commit(Batch(samples=[made[check][number] for check in checks])) if number < 3 else None
    await store.commit(Batch(samples=[made[check][number] for number in range(3, 300) for check in checks]))
    for until in (23 * HOUR, 25 * HOUR + timedelta(minutes=30), 30 * HOUR, 80 * HOUR):
        done = await store.seal(MIDNIGHT + until)
        assert done.finished
        for check in checks:
            assert await everything(store, check) == tuple(made[check])
    again = await reopened(store)
    part = await again.samples("a/x", MIDNIGHT + 23 * HOUR, MIDNIGHT + 25 * HOUR)
    assert part == tuple(one for one in made["a/x"] if MIDNIGHT + 23 * HOUR <= one.at < MIDNIGHT + 25 * HOUR)
    assert await again.samples("nobody/x", MIDNIGHT, MIDNIGHT + DAY) == ()


async def test_hours_have_the_figures_of_their_samples(store):
    made = series("a/x", MIDNIGHT, 120)
    await store.commit(Batch(samples=made))
    assert await store.hourly("a/x", MIDNIGHT, MIDNIGHT + DAY) == ()
    await store.seal(MIDNIGHT + 90 * timedelta(minutes=1))
    (hour,) = await store.hourly("a/x", MIDNIGHT, MIDNIGHT + DAY)
    first = made[:60]
    good = [one.seconds for one in first if one.seen is Seen.OK]
    losses = [one.facts["loss"] for one in first if "loss" in one.facts and one.seen is not Seen.BLIND]
    assert (hour.start, hour.count, hour.failures, hour.blind) == (MIDNIGHT, 60, 6, 6)
    assert hour.seconds_sum == pytest.approx(sum(good))
    assert hour.seconds_max == max(good)
    assert hour.loss == pytest.approx(sum(losses) / len(losses))
    assert percentile(hour.sketch, 0.5) == pytest.approx(sorted(good)[len(good) // 2 - 1], rel=0.03)


async def test_a_sample_that_comes_late_joins_its_sealed_hour_and_day(store):
    made = series("a/x", MIDNIGHT, 50)
    await store.commit(Batch(samples=made[:20] + made[21:40]))
    await store.seal(MIDNIGHT + HOUR)
    await store.commit(Batch(samples=[made[20]]))
    await store.seal(MIDNIGHT + 3 * DAY)
    await store.commit(Batch(samples=made[40:]))
    assert await everything(store, "a/x") == tuple(made)
    await store.seal(MIDNIGHT + 3 * DAY)
    assert await everything(store, "a/x") == tuple(made)
    (hour,) = await store.hourly("a/x", MIDNIGHT, MIDNIGHT + DAY)
    assert hour.count == 50


async def test_a_sample_in_both_places_counts_once(place):
    """As after a kill between writing the chunk and deleting the rows."""
    if place.url != "sqlite":
        pytest.skip("the rows are put back by hand")
    made = series("a/x", MIDNIGHT, 30)
    store = await place.open()
    await store.commit(Batch(samples=made))
    await store.close()
    with closing(sqlite3.connect(place.directory / "thongsuot.sqlite3", isolation_level=None)) as hand:
        rows = hand.execute("SELECT * FROM samples").fetchall()
        async with await place.open() as store:
            await store.seal(MIDNIGHT + HOUR)
        hand.executemany("INSERT INTO samples VALUES (?,?,?,?,?,?,?,?,?)", rows)
    async with await place.open() as store:
        assert await everything(store, "a/x") == tuple(made)
        await store.seal(MIDNIGHT + HOUR)
        assert await everything(store, "a/x") == tuple(made)
        (hour,) = await store.hourly("a/x", MIDNIGHT, MIDNIGHT + DAY)
        assert hour.count == 30


async def test_the_last_time_a_check_was_seen_survives_the_sealing(store, reopened):
    state = CheckState(check="a/x", state=State.UP, seen_at=MIDNIGHT)
    made = [Sample(check="a/x", at=MIDNIGHT + number * timedelta(minutes=1), seen=Seen.OK) for number in range(30)]
    await store.commit(Batch(samples=made[:1], checks=[state]))
    await store.commit(Batch(samples=made[1:]))
    await store.seal(MIDNIGHT + DAY)
    again = await reopened(store)
    assert (await again.memory()).checks["a/x"].seen_at == made[-1].at


async def test_a_spent_budget_is_said_and_the_next_turn_goes_on(store):
    made = series("a/x", MIDNIGHT, 30)
    await store.commit(Batch(samples=made))
    assert not (await store.seal(MIDNIGHT + DAY, timedelta(0))).finished
    assert (await store.seal(MIDNIGHT + DAY)).finished
    assert await everything(store, "a/x") == tuple(made)


async def test_sealing_and_writing_go_together_without_holding_the_writer(store):
    checks = [f"n{number}/x" for number in range(300)]
    times = [MIDNIGHT + minute * timedelta(minutes=3) for minute in range(20)]
    rounds = [
        Batch(samples=[Sample(check=check, at=at, seen=Seen.OK, seconds=0.05) for check in checks]) for at in times
    ]
    await asyncio.gather(*(store.commit(one) for one in rounds))
    done = await store.seal(MIDNIGHT + HOUR)
    assert done.samples == 6000
    # The promise is 50 ms; other processes may share the core while this is tested.
    assert done.longest_hold < 0.25


def went(subject: str, at: datetime, state: State) -> Transition:
    return Transition(subject=subject, at=at, state=state)


async def test_what_is_too_old_goes_and_the_state_at_the_limit_stays(store):
    now = MIDNIGHT + 4000 * DAY
    old, older, recent = now - 3660 * DAY, now - 3700 * DAY, now - 10 * DAY
    rows = [
        went("a", older, State.DOWN),
        went("a", old, State.UP),
        went("a", recent, State.DOWN),
        went("b", older, State.UP),
    ]
    done = full(Incident, id="done", state=IncidentState.RESOLVED, started_at=older, resolved_at=old, closed_at=old)
    late = full(
        Incident, id="late", state=IncidentState.RESOLVED, started_at=older, resolved_at=recent, closed_at=recent
    )
    told = full(Message, id="told", created_at=older, type=EventType.TEST)
    waiting = full(Message, id="waiting", created_at=older, type=EventType.TEST)
    await store.commit(
        Batch(
            samples=series("a/x", now - 61 * DAY, 3) + series("a/x", now - 59 * DAY, 3),
            transitions=rows,
            incidents=[done, late],
            events=[full(IncidentEvent, incident=done), full(IncidentEvent, incident=late)],
            messages=[told, waiting],
        )
    )
    await store.delivered("told", old)
    await store.seal(now)
    result = await store.prune(now, KEEP, keep_from=now)
    assert result.finished
    found = await store.transitions(None, older, now)
    assert found == {"a": tuple(rows[1:3]), "b": (rows[3],)}
    assert [one.id for one in (await store.incidents()).incidents] == ["late"]
    assert await store.events("done") == ()
    assert len(await store.events("late")) == 1
    assert [row.message.id for row in await store.pending()] == ["waiting"]
    kept = await store.samples("a/x", older, now)
    assert [one.at for one in kept] == [one.at for one in series("a/x", now - 59 * DAY, 3)]


KEPT = [
    ("nothing holds it", {}, 0),
    ("an incident is open since before", {"open_since": -70 * DAY}, 3),
    ("the period is not yet reported", {"keep_from": -70 * DAY}, 3),
    ("an incident is open since later", {"open_since": -3 * DAY}, 0),
]


@pytest.mark.parametrize(("sentence", "holds", "left"), KEPT, ids=[case[0] for case in KEPT])
async def test_retention_waits_for_open_incidents_and_unreported_periods(store, sentence, holds, left):
    now = MIDNIGHT
    await store.commit(Batch(samples=series("a/x", now - 65 * DAY, 3)))
    if "open_since" in holds:
        fault = full(Incident, id="i", state=IncidentState.ACKNOWLEDGED, started_at=now + holds["open_since"])
        await store.commit(Batch(incidents=[fault]))
    await store.seal(now)
    await store.prune(now, KEEP, keep_from=now + holds.get("keep_from", timedelta(0)))
    assert len(await everything(store, "a/x")) == left
