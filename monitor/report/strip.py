"""The availability strip: a node's period as a row of coloured stretches, for an inline picture.

Owns: where each stretch lies on a line of `WIDTH` units. Never: hides an outage: the shortest is still a hair wide.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta, tzinfo
from typing import Any, Final

from monitor import words
from monitor.model import Bucket, Span
from monitor.rules.calendar import Kind, Period, containing

WIDTH: Final = 1000
HAIR: Final = 2.0
"""The least width of a stretch that is not up."""
_TICKS: Final[Mapping[str, Kind]] = {
    "weekly": "daily",
    "monthly": "weekly",
    "quarterly": "monthly",
    "yearly": "monthly",
}


def strip(spans: Sequence[Span], period: Period, zone: tzinfo, lang: words.Lang) -> Mapping[str, Any]:
    """`width`, `stretches` (x, width, bucket; up is the ground they lie on) and `ticks` (x, words)."""
    return {"width": WIDTH, "stretches": list(_stretches(spans, period)), "ticks": list(_ticks(period, zone, lang))}


def _stretches(spans: Sequence[Span], period: Period) -> Iterable[tuple[float, float, str]]:
    """Worse ones last, so that they are drawn on top; neighbours on one hair are one."""
    order = [Bucket.EXCLUDED, Bucket.UNKNOWN, Bucket.DEGRADED, Bucket.UNREACHABLE, Bucket.DOWN]
    for bucket in order:
        edge = -1.0
        for span in spans:
            if span.bucket is not bucket:
                continue
            x = WIDTH * ((span.since - period.start) / period.length)
            width = max(HAIR, WIDTH * ((span.until - span.since) / period.length))
            x = min(x, WIDTH - width)
            if x + width <= edge:
                continue
            yield round(max(x, 0.0), 2), round(width, 2), bucket.value
            edge = x + width


def _ticks(period: Period, zone: tzinfo, lang: words.Lang) -> Iterable[tuple[float, str]]:
    kind = _TICKS.get(period.kind, "daily" if period.length <= timedelta(days=31) else "monthly")
    at = containing(kind, period.start, zone).end
    count = 0
    while at < period.end and count < 40:
        local = at.astimezone(zone)
        mark = f"{local.day:02}/{local.month:02}" if lang == "vi" else f"{local:%m-%d}"
        yield round(WIDTH * ((at - period.start) / period.length), 2), mark
        at = containing(kind, at, zone).end
        count += 1
