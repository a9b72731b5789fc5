"""Numbers as they are written: `1.346` and `99,95 %` in Vietnamese, `1,346` and `99.95%` in English.

Owns: marks, digits and the direction of rounding. Never: changes what a figure is.
"""

from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Decimal
from typing import Final, Literal

Lang = Literal["vi", "en"]

NOTHING: Final = "—"
"""What stands where there is no figure."""

_MARKS: Final = {"vi": str.maketrans({",": ".", ".": ","}), "en": str.maketrans({})}


def number(value: float | Decimal | None, lang: Lang, digits: int | None = None) -> str:
    """`value` with marks of thousands and `digits` decimals (rounded half to even); without `digits`, those it has. None is a dash."""
    if value is None:
        return NOTHING
    exact = _exact(value)
    if digits is not None:
        exact = exact.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_EVEN)
    elif exact == exact.to_integral_value():
        exact = exact.to_integral_value()
    return f"{exact:,f}".translate(_MARKS[lang])


def percent(share: float | Decimal | None, lang: Lang, digits: int = 3) -> str:
    """A share (0..1) in per cent, *cut* after `digits` decimals, never rounded up: 0.999996 is 99,999 %, and only 1 is 100 %."""
    if share is None:
        return NOTHING
    cut = (_exact(share) * 100).quantize(Decimal(1).scaleb(-digits), ROUND_DOWN)
    text = f"{cut:,f}".translate(_MARKS[lang])
    return f"{text} %" if lang == "vi" else f"{text}%"


def _exact(value: float | Decimal) -> Decimal:
    """The decimal a person would write for it: 0.29 is 0.29, not 0.28999…, which cutting would show as 28,999 %."""
    return value if isinstance(value, Decimal) else Decimal(str(value))
