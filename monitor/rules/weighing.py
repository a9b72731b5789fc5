"""The scales: testimony for and against becomes a ground with a confidence.

Owns: the law that `high` needs testimony for it and none against, how clear a contrast is, what is named and what only counted.
Never: knows a rule (those are `fault`'s, of which this is a part).
"""

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

from monitor.model import Confidence, Ground, GroundRule, Testimony, Whose
from monitor.rules.testimony import Contrast, Hearing

LISTED = 20
"""Testimonies that are kept; all are counted."""

SHOWN = 5
"""Of those who only show a contrast so many are named: the members that fail are what people look for."""

CLEAR = 3
"""So many that answer make a contrast; or all there are."""

FEW = 0.1
"""A share of those beside it that may fail along by chance."""


def ground_of(
    whose: Whose,
    confidence: Confidence,
    rule: GroundRule,
    speaking: Sequence[Testimony] = (),
    against: Sequence[Testimony] = (),
    members: Sequence[Testimony] = (),
    *,
    unnamed: int = 0,
    **numbers: Any,
) -> Ground:
    """Put it together; the law above all rules is kept here."""
    if confidence is Confidence.HIGH and (against or not speaking):
        confidence = Confidence.MEDIUM
    objections = [replace(one, against=True) for one in against]
    heard = [*speaking[:SHOWN], *objections[:SHOWN], *members]
    total = len(speaking) + len(against) + len(members) + unnamed
    return Ground(
        whose=whose,
        confidence=confidence,
        rule=rule,
        testimony=tuple(heard[:LISTED]),
        testimony_total=total,
        **numbers,
    )


def numbers_of(ground: Ground) -> dict[str, Any]:
    """What was counted, to be kept with another verdict."""
    names = (
        "party",
        "of",
        "counted",
        "eligible",
        "needed",
        "share",
        "within",
        "others",
        "others_answering",
        "others_party",
    )
    return {name: getattr(ground, name) for name in names}


def figures(hearing: Hearing, seen: Contrast) -> dict[str, Any]:
    """The figures of a contrast."""
    carriers = {hearing.house.nodes[id].carrier for id in (*seen.answering, *seen.failing)}
    party = next(iter(carriers)) if len(carriers) == 1 else ""
    return {"others": seen.heard, "others_answering": len(seen.answering), "others_party": party}


def told(hearing: Hearing, ids: Collection[str]) -> list[Testimony]:
    return [hearing.of(id) for id in ids]


def apart(seen: Contrast, available: int) -> Confidence:
    """How clearly those beside it stand apart: `available` is how many there could have been."""
    if not seen.heard or len(seen.answering) < min(CLEAR, available):
        return Confidence.MEDIUM if not seen.failing else Confidence.LOW
    if not seen.failing:
        return Confidence.HIGH
    return Confidence.MEDIUM if len(seen.failing) <= FEW * seen.heard else Confidence.LOW
