"""The ledgers of many nodes at once: the same law as `ledger.account`, over arrays instead of objects.

Owns: a year of a whole country's transitions in a second. Never: decides anything that `ledger` does not; a test holds the two to each other.

Moments are whole microseconds since the epoch in 64-bit integers. Sums go through `bincount`, whose doubles are exact up to 2**53 µs (285 years).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from typing import Final

import numpy as np
from numpy.typing import NDArray

from monitor.model import Bucket, Gap, State, Transition, Window
from monitor.rules.ledger import Edge, Ledger, covers

Ints = NDArray[np.int64]

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_BUCKETS: Final = tuple(Bucket)
_CODE: Final = {bucket: code for code, bucket in enumerate(_BUCKETS)}
CODES: Final[Mapping[State, int]] = {state: _CODE[Bucket(state.value)] for state in State}
"""A state as a number in `Columns.code`."""
_STATES: Final = {code: state for state, code in CODES.items()}
_UNKNOWN: Final = _CODE[Bucket.UNKNOWN]
_EXCLUDED: Final = _CODE[Bucket.EXCLUDED]
_KINDS: Final = (Bucket.UP, Bucket.DOWN, Bucket.UNREACHABLE)
_KIND_OF: Final = np.array([0, 0, 1, 2, -1, -1])
"""The kind of a code: good 0, down 1, unreachable 2, nothing that counts -1."""


def micros(at: datetime) -> int:
    """Whole microseconds since the epoch."""
    return (at - EPOCH) // _MICROSECOND


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Transitions of many nodes, ordered by node and then `at`, one row per moment. `after` is `at` where there is none.

    `subject` is the index of the node in `names`; a name without rows is a node never seen.
    """

    names: tuple[str, ...]
    subject: Ints
    at: Ints
    after: Ints
    code: Ints

    def history(self, name: str) -> list[Transition]:
        """One node's rows as transitions, without what columns do not hold (reason, detail, when it was judged)."""
        index = self.names.index(name)
        one, two = np.searchsorted(self.subject, (index, index + 1))
        return [
            Transition(subject=name, at=_moment(at), state=_STATES[code], after=_moment(after))
            for at, after, code in zip(
                self.at[one:two].tolist(), self.after[one:two].tolist(), self.code[one:two].tolist(), strict=True
            )
        ]


def _moment(at: int) -> datetime:
    return EPOCH + timedelta(microseconds=at)


def columns(histories: Mapping[str, Sequence[Transition]], names: Iterable[str]) -> Columns:
    """The histories of `names` as columns; nodes without a history stay unknown. Rows in any order, the one judged last standing."""
    known = tuple(names)
    rows = [row for name in known for row in histories.get(name, ())]
    subject = np.repeat(np.arange(len(known)), [len(histories.get(name, ())) for name in known])
    at = _whole(map(attrgetter("at"), rows), len(rows))
    after = _whole((row.after or row.at for row in rows), len(rows))
    code = np.fromiter(map(CODES.__getitem__, map(attrgetter("state"), rows)), np.int64, len(rows))
    step = np.diff(at)
    if not ((step > 0) | (np.diff(subject) > 0)).all():
        judged = _whole((row.judged_at or EPOCH for row in rows), len(rows))
        by = np.lexsort((judged, at, subject))
        subject, at, after, code = subject[by], at[by], after[by], code[by]
        last = np.append((np.diff(subject) > 0) | (np.diff(at) > 0), True)
        # The sampling gap is the moment's, whoever judged it: the widest that any of its rows names (see `ledger.order`).
        after = np.minimum.reduceat(after, np.append(0, np.flatnonzero(last)[:-1] + 1))
        subject, at, code = subject[last], at[last], code[last]
    return Columns(names=known, subject=subject, at=at, after=after, code=code)


def _whole(moments: Iterable[datetime], count: int) -> Ints:
    """Moments in microseconds. A double holds a second since the epoch to 0.12 µs until the year 2242: rounding finds the very microsecond."""
    seconds = np.fromiter(map(datetime.timestamp, moments), np.float64, count)
    found: Ints = np.rint(seconds * 1e6).astype(np.int64)
    return found


class _Cover:
    """How much of any stretch lies under disjoint covers."""

    def __init__(self, stretches: Sequence[tuple[datetime, datetime]]) -> None:
        self.since = np.array([micros(one) for one, _ in stretches], np.int64)
        length = np.array([(two - one) // _MICROSECOND for one, two in stretches], np.int64)
        self.length = length
        self.before = np.concatenate(([0], np.cumsum(length)))

    def up_to(self, moments: Ints) -> Ints:
        """Covered microseconds before each moment."""
        if not len(self.since):
            return np.zeros_like(moments)
        index = np.searchsorted(self.since, moments, side="right")
        partly = np.minimum(moments - self.since[index - 1], self.length[index - 1])
        found: Ints = np.where(index > 0, self.before[index - 1] + partly, 0)
        return found


@dataclass(frozen=True, slots=True)
class _Over:
    """What lies over every node (gaps), and over some of them (windows, without what lies under a gap)."""

    unknown: _Cover
    excluded: tuple[tuple[NDArray[np.bool_], _Cover], ...]
    """For each set of windows, whose it is."""

    def up_to(self, subject: Ints, moments: Ints) -> tuple[Ints, Ints]:
        """Unknown, and unknown or excluded, microseconds of each node before each moment."""
        unknown = self.unknown.up_to(moments)
        either = unknown.copy()
        for chosen, cover in self.excluded:
            mine = np.flatnonzero(chosen[subject])
            either[mine] += cover.up_to(moments[mine])
        return unknown, either


def _over(names: Sequence[str], gaps: Sequence[Gap], windows: Mapping[str, Sequence[Window]]) -> _Over:
    def stretches(mine: Sequence[Window], bucket: Bucket) -> list[tuple[datetime, datetime]]:
        return [(span.since, span.until) for span in covers(gaps, mine) if span.bucket is bucket]

    sets: dict[tuple[tuple[datetime, datetime], ...], tuple[list[int], Sequence[Window]]] = {}
    for index, name in enumerate(names):
        if mine := windows.get(name):
            sets.setdefault(tuple((window.start, window.end) for window in mine), ([], mine))[0].append(index)
    excluded: list[tuple[NDArray[np.bool_], _Cover]] = []
    for nodes, mine in sets.values():
        chosen = np.zeros(len(names), bool)
        chosen[nodes] = True
        excluded.append((chosen, _Cover(stretches(mine, Bucket.EXCLUDED))))
    return _Over(_Cover(stretches((), Bucket.UNKNOWN)), tuple(excluded))


def account_many(
    data: Columns,
    *,
    start: datetime,
    end: datetime,
    gaps: Sequence[Gap] = (),
    windows: Mapping[str, Sequence[Window]] | None = None,
) -> list[Ledger]:
    """The ledger of every node in `data.names` over [start, end), in their order. `windows` are by node."""
    one, two, many = micros(start), micros(end), len(data.names)
    # Before its first transition a node is unknown: a row of its own, before everything, makes that a case like any other.
    heads = np.searchsorted(data.subject, np.arange(many)) + np.arange(many)
    place = np.arange(len(data.at)) + data.subject + 1
    before = int(data.at.min(initial=one)) - 1

    def with_heads(head: Ints | int, rest: Ints) -> Ints:
        row = np.empty(many + len(rest), np.int64)
        row[heads], row[place] = head, rest
        return row

    subject = with_heads(np.arange(many), data.subject)
    at, after, code = with_heads(before, data.at), with_heads(before, data.after), with_heads(_UNKNOWN, data.code)

    last = np.append(np.diff(subject) > 0, True) if len(subject) else np.zeros(0, bool)
    since = np.clip(at, one, two)
    until = np.where(last, two, np.append(since[1:], two)) if len(at) else since
    over = _over(data.names, gaps, windows or {})
    hidden, either = over.up_to(subject, since)
    hidden_end, either_end = over.up_to(np.arange(many), np.full(many, two))
    covered = either
    unknown = np.where(last, hidden_end[subject], np.roll(hidden, -1)) - hidden
    either = np.where(last, either_end[subject], np.roll(either, -1)) - either
    excluded = either - unknown
    blind = code == _UNKNOWN
    unknown[blind] = excluded[blind] = 0
    seen = until - since - unknown - excluded

    time = _by_node(subject * 6 + code, seen, many * 6).reshape(many, 6)
    time[:, _UNKNOWN] += _by_node(subject, unknown, many)
    time[:, _EXCLUDED] += _by_node(subject, excluded, many)
    slack = _slack(subject, at, after, code, over, covered, (one, two), many)
    outages = _outages(subject, code, seen, many)
    return [_ledger(*figures) for figures in zip(time.tolist(), slack.tolist(), outages.tolist(), strict=True)]


def _by_node(index: Ints, amount: Ints, size: int) -> Ints:
    found: Ints = np.bincount(index, weights=amount, minlength=size).astype(np.int64)
    return found


def _slack(
    subject: Ints, at: Ints, after: Ints, code: Ints, over: _Over, covered: Ints, period: tuple[int, int], many: int
) -> Ints:
    """Doubtful microseconds by node and pair of kinds: see `ledger.doubts`. `covered` is what lies over each node before each row."""
    kind = _KIND_OF[code]
    counts = np.flatnonzero(kind >= 0)
    former, latter = counts[:-1], counts[1:]
    edge = (subject[former] == subject[latter]) & (kind[former] != kind[latter])
    former, latter = former[edge], latter[edge]
    leaving = former + 1
    since = np.clip(np.maximum(after[leaving], at[former]), *period)
    until = np.clip(at[leaving], *period)
    whose = subject[former]
    _, before = over.up_to(whose, since)
    pair = whose * 9 + kind[former] * 3 + kind[latter]
    return _by_node(pair, until - since - (covered[leaving] - before), many * 9).reshape(many, 9)


def _outages(subject: Ints, code: Ints, seen: Ints, many: int) -> Ints:
    """By node: outages, the longest, how many were repaired, and after how long in all (microseconds)."""
    found: Ints = np.zeros((many, 4), np.int64)
    rows = np.flatnonzero((_KIND_OF[code] >= 0) & (seen > 0))
    if not len(rows):
        return found
    whose, good, seen = subject[rows], _KIND_OF[code[rows]] == 0, seen[rows]
    first = np.append(True, np.diff(whose) > 0)
    begins = ~good & (first | np.append(True, good[:-1]))
    starts = np.flatnonzero(begins)
    if not len(starts):
        return found
    bad = np.where(good, 0, seen)
    # Between one beginning and the next lie the outage and the good time after it; a node's leading good time is no part of any.
    lengths = np.add.reduceat(bad, starts)
    owner = whose[starts]
    ends = np.append(starts[1:], len(rows))
    repaired = _good_after(whose, good, starts, ends)
    found[:, 0] = _by_node(owner, np.ones_like(owner), many)
    np.maximum.at(found[:, 1], owner, lengths)
    found[:, 2] = _by_node(owner, repaired.astype(np.int64), many)
    found[:, 3] = _by_node(owner, np.where(repaired, lengths, 0), many)
    return found


def _good_after(whose: Ints, good: NDArray[np.bool_], starts: Ints, ends: Ints) -> NDArray[np.bool_]:
    """Whether the same node has good time between an outage's beginning and the next one's."""
    total = np.concatenate(([0], np.cumsum(good)))
    stop = np.minimum(ends, np.searchsorted(whose, whose[starts], side="right"))
    found: NDArray[np.bool_] = total[stop] - total[starts] > 0
    return found


_EDGES: Final[tuple[Edge, ...]] = tuple((former, latter) for former in _KINDS for latter in _KINDS)


def _ledger(time: list[int], slack: list[int], outages: list[int]) -> Ledger:
    return Ledger(
        time={bucket: timedelta(microseconds=amount) for bucket, amount in zip(_BUCKETS, time, strict=True)},
        slack={edge: timedelta(microseconds=amount) for edge, amount in zip(_EDGES, slack, strict=True) if amount},
        outages=outages[0],
        longest=timedelta(microseconds=outages[1]),
        repaired=outages[2],
        repair=timedelta(microseconds=outages[3]),
    )
