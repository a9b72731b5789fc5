"""The rule on congestion of circular 06/2026/TT-BKHCN, article 5.6, over the 5-minute utilisation of a line.

« … mức đỉnh lưu lượng trao đổi cao nhất trong nhóm 95% (95th Percentile) của mỗi hướng kết nối … không vượt quá 90% dung lượng kết nối 07 ngày
liên tiếp theo kết quả giám sát, thời gian lấy mẫu giám sát là 05 phút/lần »

Owns: five minutes out of intervals, a day's figure out of five minutes, days in a row out of days. What the circular leaves open (a percentile
of each *day*; what a gap in the monitoring means) is decided here and said in `deploy/probes/snmp.md`.
Never: reads a clock, a store or a setting.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Final

from monitor.model import LinkDay, LinkSample
from monitor.rules.calendar import midnight

SAMPLE: Final = timedelta(minutes=5)
"""« thời gian lấy mẫu giám sát là 05 phút/lần »: five minutes of the clock."""

LONGEST: Final = SAMPLE * 1.5
"""Two readings further apart give no sample: their mean hides the peaks that the rule is about."""

WHOLE: Final = 0.8
"""Share of five minutes that must have been measured for a sample."""

LIMIT: Final = 0.90
"""« không vượt quá 90% dung lượng »: above it, not at it."""

DAYS: Final = 7
"""« 07 ngày liên tiếp »."""

MOST_UNMEASURED: Final = 2
"""Days together of which nothing is known, and which neither count nor break a row; more of them begin it anew."""

REACH: Final = timedelta(days=62)
"""How far back days are looked at: two months of congestion need no longer row to be told."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def sample_start(at: datetime) -> datetime:
    """The start of the five minutes of the clock that `at` lies in, in UTC."""
    return at - (at - _EPOCH) % SAMPLE


def pieces(start: datetime, end: datetime) -> Iterator[tuple[datetime, float]]:
    """Cut [start, end) at the borders of samples: the start of each sample and the seconds of it. The seconds add up to the whole."""
    at = sample_start(start)
    while at < end and start < end:
        inside = min(end, at + SAMPLE) - max(start, at)
        yield at, inside.total_seconds()
        at += SAMPLE


@dataclass(slots=True)
class Filling:
    """One sample while it fills: seconds measured, and the utilisation of each direction times those seconds."""

    seconds: float = 0.0
    received: float = 0.0
    sent: float = 0.0

    def add(self, seconds: float, received: float, sent: float) -> None:
        """So many more seconds at this utilisation."""
        self.seconds += seconds
        self.received += received * seconds
        self.sent += sent * seconds

    def sample(self, check: str, at: datetime) -> LinkSample | None:
        """The sample, when enough of it was measured."""
        if self.seconds < WHOLE * SAMPLE.total_seconds():
            return None
        return LinkSample(check=check, at=at, received=self.received / self.seconds, sent=self.sent / self.seconds)


def percentile_95(values: Sequence[float]) -> float:
    """Nearest rank: the smallest value that at least 95 of 100 do not exceed; of 288 the 274th. ValueError of none."""
    if not values:
        raise ValueError("no values")
    return sorted(values)[-(-len(values) * 95 // 100) - 1]


def bounds(day: date, zone: tzinfo) -> tuple[datetime, datetime]:
    """The day [start, end) in the province's zone."""
    return midnight(day, zone), midnight(day + timedelta(days=1), zone)


def day_of(at: datetime, zone: tzinfo) -> date:
    """The day a sample belongs to: that in which it starts."""
    return at.astimezone(zone).date()


def close_day(check: str, day: date, samples: Iterable[LinkSample], zone: tzinfo) -> LinkDay | None:
    """A day's figure out of its samples, in any order, each counted once; None when there are none."""
    start, end = bounds(day, zone)
    mine = {sample.at: sample for sample in samples if start <= sample.at < end}
    if not mine:
        return None
    return LinkDay(
        check=check,
        day=day,
        received=percentile_95([sample.received for sample in mine.values()]),
        sent=percentile_95([sample.sent for sample in mine.values()]),
        samples=len(mine),
        expected=(end - start) // SAMPLE,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Days in a row over the limit, in one direction: how many were measured, since which day, and how many in between were not."""

    days: int = 0
    since: date | None = None
    unmeasured: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """How a line stands at the end of a day: the last measured day's figures (None: none in reach), and each direction's row."""

    last: LinkDay | None
    received: Row
    sent: Row

    @property
    def longest(self) -> Row:
        """The direction that is worse."""
        return max(self.received, self.sent, key=lambda row: row.days)

    @property
    def congested(self) -> bool:
        """Whether the rule is broken."""
        return self.longest.days >= DAYS


def load(days: Mapping[date, LinkDay], last: date) -> Load:
    """A line's load at the end of the day `last`, by its days."""
    near = (last - timedelta(days=count) for count in range(MOST_UNMEASURED + 1))
    found = next((days[day] for day in near if day in days and days[day].measured), None)
    return Load(
        last=found,
        received=_row(days, last, lambda day: day.received),
        sent=_row(days, last, lambda day: day.sent),
    )


def _back(last: date) -> Iterator[date]:
    for count in range(REACH.days):
        yield last - timedelta(days=count)


def _row(days: Mapping[date, LinkDay], last: date, figure: Callable[[LinkDay], float]) -> Row:
    count, since, gap, unmeasured = 0, None, 0, 0
    for day in _back(last):
        known = days.get(day)
        if known is None or not known.measured:
            gap += 1
            if gap > MOST_UNMEASURED:
                break
            continue
        if figure(known) <= LIMIT:
            break
        if count:
            unmeasured += gap
        count, since, gap = count + 1, day, 0
    return Row(days=count, since=since, unmeasured=unmeasured)
