"""The ledger against a clerk who counts every second, and the sentences it decides."""

import random
from datetime import timedelta
from itertools import pairwise

import pytest

from monitor.model import Bucket, Gap, State, Transition, Window
from monitor.rules import calendar, columns, ledger
from monitor.rules.ledger import account
from tests.rules_ledger.naive import EPOCH, Count, clerk, invent, painter, when

ZERO = timedelta(0)


def seconds(length: timedelta) -> int:
    assert length % timedelta(seconds=1) == ZERO
    return int(length.total_seconds())


def check(found: ledger.Ledger, counted: Count, length: int) -> None:
    """Everything the clerk counted is what the ledger says, and the figures obey their law."""
    assert found.period == timedelta(seconds=length)
    assert {bucket.value: seconds(time) for bucket, time in found.time.items() if time} == +counted.time
    assert {(a.value, b.value): seconds(time) for (a, b), time in found.slack.items()} == +counted.doubts
    assert found.outages == len(counted.outages)
    assert seconds(found.longest) == max(counted.outages, default=0)
    assert seconds(found.bad) == sum(counted.outages)
    assert (found.repaired, seconds(found.repair)) == (len(counted.ended), sum(counted.ended))
    assert found.coverage == pytest.approx(1 - counted.time["unknown"] / length)
    for figure in (found.availability, found.own):
        if figure.value is None:
            assert figure == ledger.Availability(None, None, None)
            continue
        assert figure.low is not None
        assert figure.high is not None
        assert 0 <= figure.low <= figure.value <= figure.high <= 1
    good, down, apart = (
        counted.time[a] + counted.time[b] for a, b in (("up", "degraded"), ("down", ""), ("unreachable", ""))
    )
    if good + down + apart:
        assert found.availability.value == good / (good + down + apart)
    if good + down:
        assert found.own.value == good / (good + down)
    lost = counted.doubts["up", "down"] + counted.doubts["up", "unreachable"]
    won = counted.doubts["down", "up"] + counted.doubts["unreachable", "up"]
    if good + down + apart:
        assert found.availability.low == (good - lost) / (good + down + apart)
        assert found.availability.high == (good + won) / (good + down + apart)


def test_six_thousand_short_timelines_counted_second_by_second():
    chance = random.Random(20261121)
    for _ in range(6000):
        start = chance.randrange(1000, 2000)
        end = start + chance.randrange(1, 60)
        history = invent(chance, start, end)
        found = account(
            history.transitions(chance),
            start=when(start),
            end=when(end),
            gaps=history.all_gaps(),
            windows=history.all_windows(),
        )
        check(found, clerk(history, start, end), end - start)


@pytest.mark.parametrize(
    ("kind", "timelines"), [("daily", 3000), ("weekly", 800), ("monthly", 150), ("quarterly", 35), ("yearly", 15)]
)
def test_timelines_of_every_report_period(kind, timelines, hanoi):
    chance = random.Random(kind)
    for _ in range(timelines):
        period = calendar.containing(kind, EPOCH + timedelta(days=chance.randrange(2000)), hanoi)
        start = int((period.start - EPOCH).total_seconds())
        end = int((period.end - EPOCH).total_seconds())
        history = invent(chance, start, end, most=40)
        found = account(
            history.transitions(chance),
            start=period.start,
            end=period.end,
            gaps=history.all_gaps(),
            windows=history.all_windows(),
        )
        check(found, painter(history, start, end), end - start)


def test_the_clerk_and_the_painter_agree():
    chance = random.Random(7)
    for _ in range(300):
        start = chance.randrange(1000)
        history = invent(chance, start, start + 50)
        one, two = clerk(history, start, start + 50), painter(history, start, start + 50)
        assert (+one.time, +one.doubts, one.outages, one.ended) == (+two.time, +two.doubts, two.outages, two.ended)


def test_periods_add_up_to_the_period_of_both():
    chance = random.Random(3)
    for _ in range(1000):
        start, middle, end = sorted(chance.sample(range(1000, 1100), 3))
        history = invent(chance, start, end)
        rows, gaps, windows = history.transitions(chance), history.all_gaps(), history.all_windows()

        def of(one, two, rows=rows, gaps=gaps, windows=windows):
            return account(rows, start=when(one), end=when(two), gaps=gaps, windows=windows)

        both = of(start, middle) + of(middle, end)
        whole = of(start, end)
        assert both.time == whole.time
        assert both.slack == whole.slack


def test_microseconds_are_kept():
    rows = [row(0, "up"), Transition(subject="n", at=when(10) + timedelta(microseconds=1), state=State.DOWN)]
    found = account(rows, start=when(0), end=when(20))
    assert found.time[Bucket.UP] == timedelta(seconds=10, microseconds=1)
    assert found.time[Bucket.DOWN] == timedelta(seconds=9, microseconds=999_999)
    assert found.period == timedelta(seconds=20)


def test_many_nodes_at_once_are_what_each_is_alone():
    """The columns against the ledger, over 3,000 histories in 60 reports."""
    chance = random.Random(11)
    for _ in range(60):
        start = chance.randrange(1000, 2000)
        end = start + chance.randrange(1, 80)
        histories = {f"n{i}": invent(chance, start, end) for i in range(50)}
        gaps = next(iter(histories.values())).all_gaps()
        windows = {name: history.all_windows() for name, history in histories.items()}
        rows = {name: history.transitions(chance) for name, history in histories.items() if chance.random() < 0.9}
        found = columns.account_many(
            columns.columns(rows, histories), start=when(start), end=when(end), gaps=gaps, windows=windows
        )
        for name, many in zip(histories, found, strict=True):
            alone = account(rows.get(name, ()), start=when(start), end=when(end), gaps=gaps, windows=windows[name])
            assert many == alone, name


def test_a_report_on_nothing_is_nothing():
    assert columns.account_many(columns.columns({}, ()), start=when(0), end=when(1)) == []


def row(second: int, state: str, after: int | None = None) -> Transition:
    return Transition(subject="n", at=when(second), state=State(state), after=None if after is None else when(after))


def gap(one: int, two: int) -> Gap:
    return Gap(since=when(one), until=when(two))


def window(one: int, two: int) -> Window:
    return Window(id="w", plan="w", nodes=frozenset({"n"}), start=when(one), end=when(two))


SENTENCES = [
    # sentence, transitions, gaps, windows, {bucket: seconds of 100}
    ("a node never seen is unknown", [], [], [], {"unknown": 100}),
    ("a node first seen inside is unknown until then", [row(30, "up")], [], [], {"unknown": 30, "up": 70}),
    ("the last state before the period holds at its start", [row(-500, "down")], [], [], {"down": 100}),
    ("a change on the last moment is the next period's", [row(0, "up"), row(100, "down")], [], [], {"up": 100}),
    ("a change on the first moment is this period's", [row(-9, "up"), row(0, "down")], [], [], {"down": 100}),
    ("a gap is unknown whatever the state", [row(0, "down")], [gap(20, 50)], [], {"down": 70, "unknown": 30}),
    ("maintenance is excluded whatever the state", [row(0, "up")], [], [window(90, 200)], {"up": 90, "excluded": 10}),
    (
        "unknown wins over excluded where they overlap",
        [row(0, "up")],
        [gap(20, 50)],
        [window(40, 60)],
        {"up": 60, "unknown": 30, "excluded": 10},
    ),
    (
        "overlapping windows count once",
        [row(0, "up")],
        [],
        [window(10, 30), window(20, 40)],
        {"up": 70, "excluded": 30},
    ),
    ("a window that ends before it begins is nothing", [row(0, "up")], [], [window(50, 40)], {"up": 100}),
]


@pytest.mark.parametrize(("sentence", "rows", "gaps", "windows", "expected"), SENTENCES, ids=[c[0] for c in SENTENCES])
def test_buckets(sentence, rows, gaps, windows, expected):
    found = account(rows, start=when(0), end=when(100), gaps=gaps, windows=windows)
    assert {bucket.value: seconds(time) for bucket, time in found.time.items() if time} == expected


BOUNDS = [
    # sentence, transitions, gaps, (low, value, high) in per cent of 100 seconds
    ("without a sampling gap all three are one", [row(0, "up"), row(50, "down")], [], (50, 50, 50)),
    ("the gap before an outage may have been down", [row(0, "up"), row(50, "down", after=40)], [], (40, 50, 50)),
    ("the gap before a recovery may have been up", [row(0, "down"), row(50, "up", after=40)], [], (50, 50, 60)),
    (
        "degraded is good: no doubt between up and degraded",
        [row(0, "up"), row(50, "degraded", after=1)],
        [],
        (100, 100, 100),
    ),
    ("what is unknown is not in doubt", [row(0, "up"), row(50, "down", after=40)], [gap(45, 50)], (42.1, 47.37, 47.37)),
    (
        "the doubt stays when the monitor went blind first",
        [row(0, "up"), row(50, "unknown", after=40), row(60, "down", after=55)],
        [],
        (44.44, 55.56, 55.56),
    ),
    (
        "the gap behind the end throws doubt on the last moments",
        [row(0, "up"), row(105, "down", after=95)],
        [],
        (95, 100, 100),
    ),
]


@pytest.mark.parametrize(("sentence", "rows", "gaps", "expected"), BOUNDS, ids=[c[0] for c in BOUNDS])
def test_bounds(sentence, rows, gaps, expected):
    figure = account(rows, start=when(0), end=when(100), gaps=gaps).availability
    assert [round(100 * (share or 0), 4) for share in (figure.low, figure.value, figure.high)] == pytest.approx(
        expected, abs=0.01
    )


OUTAGES = [
    # sentence, transitions, gaps, windows, (outages, longest, repaired, repair)
    ("two stretches with good between are two", "u0 d10 u20 d30 u60", [], [], (2, 30, 2, 40)),
    ("a gap inside an outage does not end it", "u0 d10 u40", [gap(20, 30)], [], (1, 20, 1, 20)),
    ("a gap that swallows the recovery leaves one outage", "u0 d10 u20 d25 u40", [gap(15, 30)], [], (1, 15, 1, 15)),
    ("blind outcomes inside an outage do not end it", "u0 d10 x20 d30 u40", [], [], (1, 20, 1, 20)),
    ("down and unreachable together are one", "u0 d10 r20 u30", [], [], (1, 20, 1, 20)),
    ("maintenance inside an outage does not end it", "u0 d10 u60", [], [window(20, 50)], (1, 20, 1, 20)),
    ("one that lasts is not repaired", "u0 d10", [], [], (1, 90, 0, 0)),
    ("degradation is no outage", "u0 g10 u20", [], [], (0, 0, 0, 0)),
]
LETTERS = {"u": "up", "d": "down", "g": "degraded", "r": "unreachable", "x": "unknown"}


@pytest.mark.parametrize(("sentence", "story", "gaps", "windows", "expected"), OUTAGES, ids=[c[0] for c in OUTAGES])
def test_outages(sentence, story, gaps, windows, expected):
    rows = [row(int(word[1:]), LETTERS[word[0]]) for word in story.split()]
    found = account(rows, start=when(0), end=when(100), gaps=gaps, windows=windows)
    assert (found.outages, seconds(found.longest), found.repaired, seconds(found.repair)) == expected


def test_of_two_judgements_of_one_moment_the_later_wins():
    first = Transition(subject="n", at=when(10), state=State.DOWN, judged_at=when(30))
    later = Transition(subject="n", at=when(10), state=State.UNREACHABLE, judged_at=when(45))
    for rows in ([first, later], [later, first]):
        found = account([row(0, "up"), *rows], start=when(0), end=when(100))
        assert found.time[Bucket.UNREACHABLE] == timedelta(seconds=90)


def test_what_is_above_is_left_out_of_the_own_figure():
    found = account([row(0, "up"), row(50, "unreachable"), row(90, "down")], start=when(0), end=when(100))
    assert (found.availability.value, found.own.value) == (0.5, 50 / 60)


def test_an_outage_of_a_day_in_a_week_is_85_71_per_cent_and_sums_add_time_not_percentages():
    week = 7 * 86400
    met = account([row(-9, "up"), row(100, "down"), row(100 + 86400, "up")], start=when(0), end=when(week))
    fine = account([row(-9, "up")], start=when(0), end=when(86400))
    assert met.availability.value == pytest.approx(0.857142, abs=1e-6)
    assert (met + fine).availability.value == 7 / 8


def test_coverage_below_95_per_cent_is_insufficient():
    almost = account([row(0, "up")], start=when(0), end=when(100), gaps=[gap(0, 6)])
    enough = account([row(0, "up")], start=when(0), end=when(100), gaps=[gap(0, 5)])
    assert (almost.sufficient, enough.sufficient) == (False, True)


def test_laid_spans_add_up_and_neighbours_differ():
    chance = random.Random(5)
    for _ in range(500):
        history = invent(chance, 100, 160)
        base = list(ledger.spans(history.transitions(chance), start=when(100), end=when(160)))
        laid = list(ledger.lay(base, history.all_gaps(), history.all_windows()))
        for pieces in (base, laid):
            assert sum((piece.until - piece.since for piece in pieces), ZERO) == timedelta(seconds=60)
            assert all(a.until == b.since and a.bucket != b.bucket for a, b in pairwise(pieces))


def test_the_sampling_gap_of_a_moment_survives_a_later_judgement_of_it():
    """Down first, then known to be the carrier's fault: the same moment, known no better than before."""
    seen = Transition(subject="n", at=when(0), state=State.UP)
    first = Transition(subject="n", at=when(10), state=State.DOWN, after=when(4), judged_at=when(30))
    later = Transition(subject="n", at=when(10), state=State.UNREACHABLE, judged_at=when(45))
    for rows in ([seen, first, later], [seen, later, first]):
        book = account(rows, start=when(0), end=when(20))
        (many,) = columns.account_many(columns.columns({"n": rows}, ["n"]), start=when(0), end=when(20))
        assert book.availability.value == 0.5
        assert book.availability.low == 0.2
        assert many.availability == book.availability
