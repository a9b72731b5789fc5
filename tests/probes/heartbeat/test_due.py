"""When the next word of a job is due, and what is said of it meanwhile. Moments are minutes after midnight unless a sentence says otherwise."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.schedule import following
from probes import Reason, Secret, Seen
from probes.heartbeat import HeartbeatSpec, dated, judged
from probes.heartbeat_calls import Absence, Call, Heard, Said, after, due

MIDNIGHT = datetime(2026, 11, 21, tzinfo=UTC)
TOKEN = Secret("a-token-for-a-test-0")
HANOI = ZoneInfo("Asia/Ho_Chi_Minh")


def at(minutes: float) -> datetime:
    return MIDNIGHT + timedelta(minutes=minutes)


def spec(every: float | None = None, cron: str | None = None, grace: float = 10.0) -> HeartbeatSpec:
    seconds = None if every is None else every * 60
    return HeartbeatSpec(token=TOKEN, expect_every=seconds, cron=cron, grace=grace * 60)


def slot(cron: str, moment: datetime) -> datetime | None:
    return following(cron, UTC, moment)  # type: ignore[arg-type]


HOURLY = spec(every=60)
CRON = spec(cron="0 * * * *")
MINUTELY = spec(cron="* * * * *", grace=5)
RHYTHM = 20 * 60.0

DUE = [
    # the sentence                                             schedule  last good  rhythm  we were away         due   unsure from
    ("an hour and the grace after the last call",              HOURLY,   0,         None,   [],                  70,   None),
    ("a call at five past stands for the slot before",         CRON,     5,         None,   [],                  70,   None),
    ("a call a little before its slot is that slot's",         CRON,     59.5,      None,   [],                  130,  None),
    ("a call five minutes before its slot is not",             CRON,     55,        None,   [],                  70,   None),
    ("a line of every minute counts no call twice",            MINUTELY, 0.4,       None,   [],                  6,    None),
    ("… but a call that is nearer to the next is the next's",  MINUTELY, 0.6,       None,   [],                  7,    None),
    ("away long before the call was to come",                  HOURLY,   0,         3600.0, [(5, 30)],           70,   None),
    ("away at half time, the rhythm not known",                HOURLY,   0,         None,   [(20, 31)],          101,  70),
    ("away when it was due by its own rhythm, not by ours",    HOURLY,   0,         RHYTHM, [(19, 22)],          92,   70),
    ("away shortly, and the caller tries again",               HOURLY,   0,         3600.0, [(59, 60)],          70,   None),
    ("away shortly when it fell due: a whole grace again",     HOURLY,   0,         3600.0, [(69.5, 70)],        80,   70),
    ("away for long when it was to come: counted anew",        HOURLY,   0,         3600.0, [(55, 65)],          135,  70),
    ("away only after it was overdue: no excuse",              HOURLY,   0,         3600.0, [(70, 90)],          70,   None),
    ("away twice, the second time for the new call",           HOURLY,   0,         3600.0, [(55, 65), (120, 130)], 200, 70),
    ("away over a slot: the next slot",                        CRON,     5,         None,   [(55, 65)],          130,  70),
    ("away within a slot's grace: its call may be lost",       CRON,     5,         None,   [(62, 64)],          130,  70),
    ("away before the slot: nothing is lost",                  CRON,     5,         None,   [(30, 58)],          70,   None),
]  # fmt: skip


@pytest.mark.parametrize(
    ("sentence", "schedule", "good", "rhythm", "away", "by", "unsure"), DUE, ids=[case[0] for case in DUE]
)
def test_due(sentence, schedule, good, rhythm, away, by, unsure):
    heard = Heard(since=at(-600), at=at(good), good_at=at(good), interval=rhythm)
    found = due(schedule, heard, [Absence(gone=at(a), back=at(b)) for a, b in away], slot)
    assert found is not None
    assert (found.at, found.unsure) == (at(by), None if unsure is None else at(unsure))


def test_the_first_call_is_awaited_from_when_the_schedule_was_first_read():
    assert due(HOURLY, Heard(since=at(0)), [], slot).at == at(70)
    assert due(CRON, Heard(since=at(30)), [], slot).at == at(70)
    # A schedule that changed counts from the change, whatever was heard before.
    assert due(HOURLY, Heard(since=at(100), good_at=at(0), at=at(0)), [], slot).at == at(170)


def test_a_refused_call_is_known_to_be_lost_however_short_our_trouble_was():
    heard = Heard(since=at(-600), at=at(0), good_at=at(0), interval=3600.0)
    refused = Absence(gone=at(60), back=at(60.1), lost=True)
    assert due(HOURLY, heard, [refused], slot).at == at(130.1)


SAID = [
    # the sentence                              heard                                       now    seen, reason, since
    ("nothing yet, nothing overdue",            Heard(since=at(0)),                         69.9,  Seen.BLIND, Reason.OWN_WAITING, None),
    ("nothing ever, and overdue",               Heard(since=at(0)),                         75,    Seen.FAILED, Reason.MISSED, 70),
    ("called in time",                          Heard(since=at(-9), at=at(5), good_at=at(5)), 20,  Seen.OK, Reason.OK, 5),
    ("silent a moment too long",                Heard(since=at(-9), at=at(5), good_at=at(5)), 75,  Seen.FAILED, Reason.MISSED, 75),
    ("says that it failed",                     Heard(since=at(-9), at=at(6), good_at=at(5), failed=True), 20, Seen.FAILED, Reason.REPORTED, 6),
    ("said that it failed, and then no more",   Heard(since=at(-9), at=at(6), good_at=at(5), failed=True), 500, Seen.FAILED, Reason.REPORTED, 6),
]  # fmt: skip


@pytest.mark.parametrize(("sentence", "heard", "now", "seen", "reason", "since"), SAID, ids=[case[0] for case in SAID])
def test_what_is_said(sentence, heard, now, seen, reason, since):
    finding = judged(heard, due(HOURLY, heard, [], slot), at(now))
    assert (finding.seen, finding.reason) == (seen, reason)
    assert finding.since == (None if since is None else at(since))


def test_nobody_knows_between_the_old_due_moment_and_the_new_one():
    heard = Heard(since=at(-9), at=at(0), good_at=at(0), interval=3600.0)
    by = due(HOURLY, heard, [Absence(gone=at(55), back=at(65))], slot)
    seen = [judged(heard, by, at(minutes)).reason for minutes in (66, 71, 134, 136)]
    assert seen == [Reason.OK, Reason.OWN_NOT_RUNNING, Reason.OWN_NOT_RUNNING, Reason.MISSED]


def test_what_was_told_already_is_not_dated_back_again():
    late = judged(Heard(since=at(0)), due(HOURLY, Heard(since=at(0)), [], slot), at(75))
    assert dated(late, at(69), at(75)).since == at(70)
    assert dated(late, None, at(75)).since == at(70)
    assert dated(late, at(70), at(75)).since is None


def test_what_is_remembered_of_calls():
    one = spec(every=60)
    one = HeartbeatSpec(token=TOKEN, expect_every=3600, facts={"rows": "number"})
    heard, ignored = after(Heard(since=at(0)), Call(said=Said.STARTED), at(1), one)
    assert (heard.started_at, heard.at, heard.beats, ignored) == (at(1), None, 0, 0)
    heard, ignored = after(heard, Call(numbers={"rows": 7.0, "other": 1.0}, exit_status=0.0), at(3), one)
    assert (heard.good_at, heard.duration, heard.beats, dict(heard.numbers), ignored) == (
        at(3),
        120.0,
        1,
        {"rows": 7.0},
        1,
    )
    heard, _ = after(heard, Call(), at(33), one)
    assert (heard.interval, heard.duration, heard.exit_status, dict(heard.numbers)) == (
        1800.0,
        None,
        None,
        {"rows": 7.0},
    )
    heard, _ = after(heard, Call(said=Said.FAILED, exit_status=3.0), at(40), one)
    assert (heard.failed, heard.at, heard.good_at, heard.exit_status, heard.interval) == (
        True,
        at(40),
        at(33),
        3.0,
        1800.0,
    )
    heard, _ = after(heard, Call(), at(33 + 300), one)
    assert (heard.failed, heard.interval) == (False, 1800.0)  # What was missed between is no rhythm.


@st.composite
def lives(draw):
    """A punctual job, and times when we were away from it."""
    every, grace = draw(st.integers(30, 200)) * 60, draw(st.integers(2, 10)) * 60
    period = draw(st.integers(max(grace + 60, every // 6), every))
    strays = draw(st.lists(st.integers(0, grace // 2), min_size=12, max_size=12))
    cuts = draw(st.lists(st.tuples(st.integers(0, 12 * period), st.integers(1, 2 * every)), max_size=4))
    return every, grace, [k * period + stray for k, stray in enumerate(strays)], cuts


@settings(max_examples=400, deadline=None)
@given(lives())
def test_a_job_that_keeps_its_time_is_never_missed_whatever_we_do(life):
    """It strays by at most half the grace; while we are away for up to a minute it tries again, after longer its call is simply lost."""
    every, grace, calls, cuts = life
    known = HeartbeatSpec(token=TOKEN, expect_every=float(every), grace=float(grace))
    away: list[list[int]] = []
    for gone, length in sorted(cuts):
        if away and gone <= away[-1][1] + 1:
            away[-1][1] = max(away[-1][1], gone + length)
        else:
            away.append([gone, gone + length])
    heard = Heard(since=MIDNIGHT - timedelta(seconds=1))
    for moment in calls:
        cut = next((c for c in away if c[0] <= moment < c[1]), None)
        arrives = moment if cut is None else cut[1] if cut[1] - cut[0] <= 60 else None
        if arrives is None:
            continue
        now = MIDNIGHT + timedelta(seconds=arrives)
        past = [
            Absence(gone=MIDNIGHT + timedelta(seconds=a), back=MIDNIGHT + timedelta(seconds=b))
            for a, b in away
            if b <= arrives
        ]
        by = due(known, heard, past, slot)
        assert by is not None
        assert now <= by.at
        heard, _ = after(heard, Call(), now, known)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.integers(0, 1199), min_size=12, max_size=12),
    st.lists(st.tuples(st.integers(0, 12 * 3600), st.integers(61, 7200)), max_size=3),
)
def test_a_job_of_a_cron_line_that_keeps_its_time_is_never_missed_whatever_we_do(takes, cuts):
    """It calls when its run is over, within the grace; while we are away its call is lost."""
    known = spec(cron="0 * * * *", grace=20)
    heard = Heard(since=MIDNIGHT - timedelta(seconds=1))
    for hour, took in enumerate(takes):
        now = at(60 * hour) + timedelta(seconds=took)
        away = [
            Absence(gone=at(0) + timedelta(seconds=a), back=at(0) + timedelta(seconds=a + b)) for a, b in sorted(cuts)
        ]
        if any(each.gone <= now < each.back for each in away):
            continue
        by = due(known, heard, [each for each in away if each.back <= now], slot)
        assert by is not None
        assert now < by.at
        heard, _ = after(heard, Call(), now, known)


ZONED = [
    ("Vietnam is seven hours ahead", HANOI, "0 1 * * *", "2026-11-20T18:00:00+00:00"),
    ("only on working days", HANOI, "30 7 * * mon-fri", "2026-11-23T00:30:00+00:00"),
    ("a month's last day by number comes when there is one", UTC, "0 0 31 * *", "2026-12-31T00:00:00+00:00"),
]


@pytest.mark.parametrize(("sentence", "zone", "cron", "next_"), ZONED, ids=[case[0] for case in ZONED])
def test_slots_are_the_zones(sentence, zone, cron, next_):
    saturday = datetime(2026, 11, 20, 17, 59, 59, tzinfo=UTC)
    assert following(cron, zone, saturday) == datetime.fromisoformat(next_)


def test_a_slot_is_after_the_moment_itself():
    assert following("0 1 * * *", UTC, datetime(2026, 1, 1, 1, tzinfo=UTC)) == datetime(2026, 1, 2, 1, tzinfo=UTC)
