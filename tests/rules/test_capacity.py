"""Article 5.6 of circular 06/2026: five minutes, days, seven of them in a row."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.model import LinkDay, LinkSample
from monitor.rules.capacity import (
    DAYS,
    LIMIT,
    MOST_UNMEASURED,
    SAMPLE,
    Filling,
    Row,
    bounds,
    close_day,
    load,
    percentile_95,
    pieces,
)

HOME = ZoneInfo("Asia/Ho_Chi_Minh")
START = date(2026, 11, 2)

SHARES = st.floats(0, 1.2, allow_nan=False)


def days(story: str, sent: float = 0.1) -> dict[date, LinkDay]:
    """`o` a day over, `u` a day under, `-` one with too few samples, ` ` one without any."""
    figures = {"o": 0.95, "u": 0.5, "-": 0.99, "=": LIMIT}
    return {
        START + timedelta(days=place): LinkDay(
            check="cpe/line", day=START + timedelta(days=place), received=figures[letter], sent=sent,
            samples=100 if letter == "-" else 288, expected=288,
        )
        for place, letter in enumerate(story)
        if letter != " "
    }  # fmt: skip


CASES = [
    # the days, the last of them yesterday       days in a row, first of them, how many in between are not known
    ("nothing is known", "", 0, None, 0),
    ("six days are not seven", "oooooo", 6, 0, 0),
    ("seven days are", "ooooooo", 7, 0, 0),
    ("a good day begins it anew", "ooooooouoo", 2, 8, 0),
    ("exactly 90 % is not above", "ooooooo=", 0, None, 0),
    ("a day with too few samples neither counts nor breaks", "ooo-oooo", 7, 0, 1),
    ("nor do two without any", "ooo  oooo", 7, 0, 2),
    ("three of them break it", "ooooooo   oo", 2, 10, 0),
    ("yesterday may be one of them", "ooooooo-", 7, 0, 0),
    ("two at the end as well", "ooooooo--", 7, 0, 0),
    ("three at the end say nothing any more", "ooooooo---", 0, None, 0),
    ("too few samples never begin a row", "--oo", 2, 2, 0),
]


@pytest.mark.parametrize(("sentence", "story", "count", "since", "unmeasured"), CASES, ids=[case[0] for case in CASES])
def test_days_in_a_row(sentence: str, story: str, count: int, since: int | None, unmeasured: int) -> None:
    last = START + timedelta(days=max(len(story), 1) - 1)
    found = load(days(story), last)
    first = None if since is None else START + timedelta(days=since)
    assert found.received == Row(days=count, since=first, unmeasured=unmeasured)
    assert found.sent == Row()
    assert found.congested is (count >= DAYS)


def test_each_direction_has_a_row_of_its_own() -> None:
    """Four days full one way and then four the other way are not eight."""
    mixed = {
        day: LinkDay(
            check="c", day=day, received=0.95 if place < 4 else 0.2, sent=0.2 if place < 4 else 0.95, samples=288, expected=288
        )
        for place, day in enumerate(START + timedelta(days=count) for count in range(8))
    }  # fmt: skip
    found = load(mixed, START + timedelta(days=7))
    assert (found.received.days, found.sent.days, found.congested) == (0, 4, False)


def test_the_last_measured_day_is_shown_as_long_as_it_is_near() -> None:
    history = days("uo")
    assert load(history, START + timedelta(days=1 + MOST_UNMEASURED)).last == history[START + timedelta(days=1)]
    assert load(history, START + timedelta(days=2 + MOST_UNMEASURED)).last is None


@given(st.text(alphabet="ou- ", max_size=40))
def test_a_row_counts_only_measured_days_over_and_holds_no_good_one(story: str) -> None:
    history = days(story)
    last = START + timedelta(days=max(len(story), 1) - 1)
    row = load(history, last).received
    assert 0 <= row.days <= story.count("o")
    if row.since is not None:
        within = story[(row.since - START).days :]
        assert "u" not in within
        assert within.count("o") == row.days
        assert "   " not in within.replace("-", " ")
        assert row.unmeasured == len(within.rstrip("- ")) - row.days
    else:
        assert row == Row()


@given(st.text(alphabet="ou- ", max_size=30), st.data())
def test_one_more_good_day_never_makes_it_worse(story: str, data: st.DataObject) -> None:
    last = START + timedelta(days=max(len(story), 1) - 1)
    place = data.draw(st.integers(0, max(len(story) - 1, 0)))
    better = story[:place] + "u" + story[place + 1 :]
    assert load(days(better), last).longest.days <= load(days(story), last).longest.days


# Five minutes.


@given(st.integers(0, 10_000_000), st.integers(0, 10_000))
def test_the_pieces_of_an_interval_add_up_and_stay_in_their_five_minutes(offset: int, length: int) -> None:
    start = datetime(2026, 11, 2, tzinfo=UTC) + timedelta(milliseconds=offset)
    end = start + timedelta(seconds=length)
    found = list(pieces(start, end))
    assert sum(seconds for _, seconds in found) == pytest.approx(length)
    assert all(0 < seconds <= 300 for _, seconds in found)
    assert all(at.timestamp() % 300 == 0 for at, _ in found)
    assert [at for at, _ in found] == sorted({at for at, _ in found})


@given(st.lists(st.tuples(st.floats(1, 100), SHARES), min_size=1, max_size=20))
def test_a_sample_lies_between_the_least_and_the_most_of_what_fills_it(parts: Sequence[tuple[float, float]]) -> None:
    filling = Filling()
    for seconds, share in parts:
        filling.add(seconds, share, share / 2)
    sample = filling.sample("c", datetime(2026, 11, 2, tzinfo=UTC))
    if sum(seconds for seconds, _ in parts) < 240:
        assert sample is None
    elif sample is not None:
        shares = [share for _, share in parts]
        assert min(shares) - 1e-9 <= sample.received <= max(shares) + 1e-9
        assert sample.sent == pytest.approx(sample.received / 2)


# Days.


def test_of_288_samples_the_274th_is_the_figure() -> None:
    """An hour and ten minutes of a day may be fuller than the figure says."""
    assert percentile_95([float(place) for place in range(1, 289)]) == 274.0


@given(st.lists(SHARES, min_size=1, max_size=400))
def test_no_more_than_one_in_twenty_is_above_the_percentile(values: Sequence[float]) -> None:
    figure = percentile_95(values)
    assert figure in values
    assert sum(value > figure for value in values) <= 0.05 * len(values)
    assert sum(value < figure for value in values) < 0.95 * len(values)


def whole_day(day: date, share: float, count: int = 288) -> list[LinkSample]:
    start, _ = bounds(day, HOME)
    return [LinkSample(check="c", at=start + SAMPLE * place, received=share, sent=share / 2) for place in range(count)]


def test_a_day_is_of_the_province_and_begins_at_five_in_the_afternoon_of_greenwich() -> None:
    assert bounds(START, HOME) == (datetime(2026, 11, 1, 17, tzinfo=UTC), datetime(2026, 11, 2, 17, tzinfo=UTC))


def test_a_day_counts_each_of_its_samples_once_and_no_others() -> None:
    mine = whole_day(START, 0.4)
    found = close_day("c", START, [*mine, *mine, *whole_day(START + timedelta(days=1), 1.0)], HOME)
    assert found == LinkDay(check="c", day=START, received=0.4, sent=0.2, samples=288, expected=288)


@pytest.mark.parametrize(("count", "measured"), [(288, True), (231, True), (230, False), (1, False)])
def test_a_day_is_measured_from_80_percent_on(count: int, measured: bool) -> None:
    found = close_day("c", START, whole_day(START, 0.4, count), HOME)
    assert found is not None
    assert found.measured is measured


def test_a_day_of_25_hours_has_300_samples() -> None:
    day = date(2026, 10, 25)
    found = close_day(
        "c", day, [LinkSample(check="c", at=bounds(day, ZoneInfo("Europe/Berlin"))[0], received=0, sent=0)], ZoneInfo("Europe/Berlin")
    )  # fmt: skip
    assert found is not None
    assert found.expected == 300


def test_a_day_without_samples_is_no_day() -> None:
    assert close_day("c", START, [], HOME) is None
