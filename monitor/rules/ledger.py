"""Availability of one node over one period: every microsecond in exactly one bucket, and figures with bounds.

Owns: turning transitions into spans, laying maintenance and gaps over them, and adding up.
Never: reads a clock, a database or a setting; rounds (that is the page's and the report's business).

All lengths are `timedelta`s, which count whole microseconds: sums are exact, in any order.

What it decides, where one could decide otherwise:

* **Unknown wins over excluded.** A second in which nobody looked (a gap, or blind outcomes) is `unknown` also inside an
  announced window. Neither counts for availability, so that figure does not care; but coverage measures the monitor, and an
  announcement must not be able to raise it.
* **An outage interrupted by unknown (or excluded) time is one outage.** Only a stretch that was seen good ends it. Its length is the time it
  was seen bad, so that the lengths of all outages add up to `down + unreachable`.
* **Outages are cut to the period.** One that began before it counts, with what lies inside; the incident keeps the whole.
* **Of two transitions at one moment, the one judged later wins.**
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from operator import attrgetter, itemgetter
from types import MappingProxyType
from typing import Final

from monitor.model import Bucket, Gap, Span, Transition, Window

ZERO: Final = timedelta(0)
SUFFICIENT: Final = 0.95
"""The least coverage that a verdict can rest on; below it there is "insufficient data"."""

_NEVER: Final = datetime.min.replace(tzinfo=UTC)
_KIND: Final[Mapping[Bucket, Bucket]] = MappingProxyType(
    {
        Bucket.UP: Bucket.UP,
        Bucket.DEGRADED: Bucket.UP,
        Bucket.DOWN: Bucket.DOWN,
        Bucket.UNREACHABLE: Bucket.UNREACHABLE,
    }
)
"""Good (both stand for `up`), down, or unreachable; what is not in it does not count."""

Edge = tuple[Bucket, Bucket]
"""From one kind to another."""
NO_SLACK: Final[Mapping[Edge, timedelta]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Availability:
    """A share of time with what is certain about it; `low <= value <= high`, all in 0..1, or all None when nothing counted."""

    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Doubt:
    """A stretch [since, until), counted as `edge[0]`, in which the node may already have been `edge[1]`."""

    since: datetime
    until: datetime
    edge: Edge


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """Time by bucket, and what is known about interruptions. Ledgers of several nodes add up with `+`: time is added, never percentages.

    `slack` is the sampling gap at each kind of edge: time counted as `edge[0]` that may have been `edge[1]`.
    `repaired` outages ended inside the period, after `repair` in all.
    """

    time: Mapping[Bucket, timedelta]
    slack: Mapping[Edge, timedelta] = field(default_factory=lambda: NO_SLACK)
    outages: int = 0
    longest: timedelta = ZERO
    repaired: int = 0
    repair: timedelta = ZERO

    @property
    def period(self) -> timedelta:
        """The whole, which the buckets make up exactly (times the number of nodes, in a sum)."""
        return sum(self.time.values(), ZERO)

    @property
    def good(self) -> timedelta:
        """Time in which users could work."""
        return self.time[Bucket.UP] + self.time[Bucket.DEGRADED]

    @property
    def bad(self) -> timedelta:
        """Time in which they could not, whoever was to blame."""
        return self.time[Bucket.DOWN] + self.time[Bucket.UNREACHABLE]

    @property
    def coverage(self) -> float:
        """The share of the period that was watched: `1 - unknown/period`; 0 for an empty period."""
        whole = self.period
        return 1 - self.time[Bucket.UNKNOWN] / whole if whole else 0.0

    @property
    def sufficient(self) -> bool:
        """Whether a verdict may rest on it."""
        return self.coverage >= SUFFICIENT

    @property
    def mttr(self) -> timedelta | None:
        """Mean time to repair over the outages that ended inside the period, or None."""
        return self.repair / self.repaired if self.repaired else None

    @property
    def availability(self) -> Availability:
        """As users experience it: good over good and bad."""
        low = self._doubt(Bucket.UP, Bucket.DOWN) + self._doubt(Bucket.UP, Bucket.UNREACHABLE)
        high = self._doubt(Bucket.DOWN, Bucket.UP) + self._doubt(Bucket.UNREACHABLE, Bucket.UP)
        return _between(
            (self.good, self.bad),
            (self.good - low, self.bad + low),
            (self.good + high, self.bad - high),
        )

    @property
    def own(self) -> Availability:
        """The node's own: what was unreachable, because something above it was down, is left out on both sides."""
        down = self.time[Bucket.DOWN]
        lost = self._doubt(Bucket.UP, Bucket.DOWN)
        regained = self._doubt(Bucket.DOWN, Bucket.UP)
        return _between(
            (self.good, down),
            (
                self.good - lost - self._doubt(Bucket.UP, Bucket.UNREACHABLE),
                down + lost + self._doubt(Bucket.UNREACHABLE, Bucket.DOWN),
            ),
            (
                self.good + regained + self._doubt(Bucket.UNREACHABLE, Bucket.UP),
                down - regained - self._doubt(Bucket.DOWN, Bucket.UNREACHABLE),
            ),
        )

    def _doubt(self, former: Bucket, latter: Bucket) -> timedelta:
        return self.slack.get((former, latter), ZERO)

    def __add__(self, other: "Ledger") -> "Ledger":
        """Two nodes, or two periods, together. (An outage over the border of two periods counts in each.)"""
        return total((self, other))


def total(ledgers: Iterable[Ledger]) -> Ledger:
    """The sum of many: what `+` gives, at the price of one."""
    many = list(ledgers)
    times = [one.time for one in many]
    slack: dict[Edge, timedelta] = {}
    for one in many:
        for edge, length in one.slack.items():
            slack[edge] = slack.get(edge, ZERO) + length
    return Ledger(
        time={bucket: sum(map(itemgetter(bucket), times), ZERO) for bucket in Bucket},
        slack=slack,
        outages=sum(map(attrgetter("outages"), many)),
        longest=max(map(attrgetter("longest"), many), default=ZERO),
        repaired=sum(map(attrgetter("repaired"), many)),
        repair=sum(map(attrgetter("repair"), many), ZERO),
    )


def order(transitions: Iterable[Transition]) -> list[Transition]:
    """By `at`; of several at one moment only the one judged last (of equals, the one that came last).

    The sampling gap is the moment's, not the verdict's: where a later judgement does not name it, that of the former one stands.
    """
    latest: dict[datetime, Transition] = {}
    for transition in transitions:
        known = latest.get(transition.at)
        if known is None:
            latest[transition.at] = transition
            continue
        later, former = transition, known
        if (transition.judged_at or _NEVER) < (known.judged_at or _NEVER):
            later, former = known, transition
        if former.after is not None and (later.after is None or former.after < later.after):
            later = replace(later, after=former.after)
        latest[transition.at] = later
    return sorted(latest.values(), key=lambda transition: transition.at)


def spans(transitions: Iterable[Transition], *, start: datetime, end: datetime) -> Iterator[Span]:
    """Cut a node's history to the half-open period [start, end).

    The state before `start` is the last transition at or before it; a node first seen inside the period is `unknown` until then.
    The spans are in order, never empty, neighbours differ, and their lengths add up to `end - start` exactly.
    """
    since, bucket = start, Bucket.UNKNOWN
    for transition in order(transitions):
        if transition.at >= end:
            break
        if transition.bucket is bucket:
            continue
        if transition.at > since:
            yield Span(since, transition.at, bucket)
            since = transition.at
        bucket = transition.bucket
    if since < end:
        yield Span(since, end, bucket)


def lay(base: Iterable[Span], gaps: Iterable[Gap], windows: Iterable[Window]) -> Iterator[Span]:
    """Lay maintenance (`excluded`) and gaps (`unknown`, on top of everything) over spans in order. Lengths still add up to the same whole."""
    cover = covers(gaps, windows)
    ends = [span.until for span in cover]
    yield from _joined(piece for below in base for piece in _cut(below, cover, ends))


def covers(gaps: Iterable[Gap], windows: Iterable[Window]) -> list[Span]:
    """What lies over a node's history: disjoint spans in order, `unknown` winning over `excluded`."""
    unknown = union((gap.since, gap.until) for gap in gaps)
    excluded = union((window.start, window.end) for window in windows)
    laid = [Span(since, until, Bucket.UNKNOWN) for since, until in unknown]
    ends = [until for _, until in unknown]
    for since, until in excluded:
        laid.extend(Span(one, two, Bucket.EXCLUDED) for one, two in minus((since, until), unknown, ends))
    return sorted(laid, key=lambda span: span.since)


Stretch = tuple[datetime, datetime]


def union(stretches: Iterable[Stretch]) -> list[Stretch]:
    """Disjoint half-open stretches in order that cover the same moments; empty and reversed ones are nothing."""
    merged: list[Stretch] = []
    for since, until in sorted(stretch for stretch in stretches if stretch[0] < stretch[1]):
        if merged and since <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], until))
        else:
            merged.append((since, until))
    return merged


def minus(stretch: Stretch, cover: Sequence[Stretch], ends: Sequence[datetime]) -> Iterator[Stretch]:
    """What is left of `stretch` without the disjoint, ordered `cover`, whose ends are `ends`."""
    since, until = stretch
    for index in range(bisect_right(ends, since), len(cover)):
        one, two = cover[index]
        if one >= until:
            break
        if one > since:
            yield since, one
        since = two
    if since < until:
        yield since, until


def _cut(below: Span, cover: Sequence[Span], ends: Sequence[datetime]) -> Iterator[Span]:
    """`below` with the covers that lie over it in its place; what is unknown stays it."""
    since = below.since
    if below.bucket is Bucket.UNKNOWN:
        yield below
        return
    for index in range(bisect_right(ends, since), len(cover)):
        above = cover[index]
        if above.since >= below.until:
            break
        if above.since > since:
            yield Span(since, above.since, below.bucket)
            since = above.since
        stop = min(above.until, below.until)
        yield Span(since, stop, above.bucket)
        since = stop
    if since < below.until:
        yield Span(since, below.until, below.bucket)


def _joined(pieces: Iterable[Span]) -> Iterator[Span]:
    """Neighbours of one bucket as one span."""
    last: Span | None = None
    for piece in pieces:
        if last is not None and last.bucket is piece.bucket:
            last = Span(last.since, piece.until, last.bucket)
            continue
        if last is not None:
            yield last
        last = piece
    if last is not None:
        yield last


def doubts(transitions: Iterable[Transition], *, start: datetime, end: datetime) -> Iterator[Doubt]:
    """The sampling gaps (after, at] of the edges between good, down and unreachable, cut to the period.

    A gap lies in the former state's span, for transitions are back-dated to the first outcome that shows the new state. Where the
    node was `unknown` between the two, the gap is that of the transition which left the former state. A transition just behind `end`
    still throws doubt on the last moments before it, so give it too when there is one.
    """
    kind: Bucket | None = None
    """The last kind that counts; where it was left, if it was; and where the present span began."""
    left: Stretch | None = None
    since = _NEVER
    for transition in order(transitions):
        now_kind = _KIND.get(transition.bucket)
        gap = (max(transition.after or transition.at, since), transition.at)
        if kind is not None and now_kind is not kind:
            doubtful = left or gap
            if now_kind is None:
                left = doubtful
            else:
                one, two = max(doubtful[0], start), min(doubtful[1], end)
                if one < two:
                    yield Doubt(one, two, (kind, now_kind))
        if now_kind is not None:
            kind, left = now_kind, None
        since = transition.at
        if since >= end and left is None:
            break


def account(
    transitions: Iterable[Transition],
    *,
    start: datetime,
    end: datetime,
    gaps: Iterable[Gap] = (),
    windows: Iterable[Window] = (),
) -> Ledger:
    """The ledger of one node over [start, end): its transitions (with the last before `start`, and the first behind `end` if there is
    one), everyone's gaps, and the windows of *this* node."""
    history = list(transitions)
    cover = covers(gaps, windows)
    ends = [span.until for span in cover]
    pieces = (piece for below in spans(history, start=start, end=end) for piece in _cut(below, cover, ends))
    over = [(span.since, span.until) for span in cover]
    slack: dict[Edge, timedelta] = {}
    for doubt in doubts(history, start=start, end=end):
        for since, until in minus((doubt.since, doubt.until), over, ends):
            slack[doubt.edge] = slack.get(doubt.edge, ZERO) + (until - since)
    return tally(pieces, slack)


def tally(pieces: Iterable[Span], slack: Mapping[Edge, timedelta] = NO_SLACK) -> Ledger:
    """Add up spans that are in order and without holes."""
    time = dict.fromkeys(Bucket, ZERO)
    outages = repaired = 0
    longest = repair = lasting = ZERO
    for piece in pieces:
        length = piece.until - piece.since
        time[piece.bucket] += length
        kind = _KIND.get(piece.bucket)
        if kind is Bucket.UP:
            if lasting:
                repaired += 1
                repair += lasting
            lasting = ZERO
        elif kind is not None:
            outages += not lasting
            lasting += length
            longest = max(longest, lasting)
    return Ledger(time=time, slack=slack, outages=outages, longest=longest, repaired=repaired, repair=repair)


Pair = tuple[timedelta, timedelta]
"""Time good, and time bad."""


def _between(value: Pair, low: Pair, high: Pair) -> Availability:
    """Three shares of good time; where a bound has nothing left to be a share of, it is the widest."""
    if not value[0] + value[1]:
        return Availability(None, None, None)
    return Availability(_share(value, 0.0), _share(low, 0.0), _share(high, 1.0))


def _share(pair: Pair, otherwise: float) -> float:
    whole = pair[0] + pair[1]
    return pair[0] / whole if whole else otherwise
