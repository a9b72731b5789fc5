"""The lines of `degraded_if` and `down_if`, as a person writes them.

Owns: the grammar, and saying what would be right. Never: looks at a number that was measured.

    loss >= 1%                      one round
    loss >= 5% over 10m             lost of sent over ten minutes; any other fact: the mean of the rounds
    rtt > 3 x normal + 20ms         against what is normal for this very check (also × and *)
    rtt > 3 x normal over 10m       both
"""

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from monitor.model import Condition, Operator
from monitor.settings.problems import guess
from monitor.settings.sentences import span
from probes.contract import Fact
from probes.units import duration, quantity

_OPERATORS: Final[Mapping[str, Operator]] = {"<": "<", "<=": "<=", ">": ">", ">=": ">=", "==": "==", "!=": "!="}
_CONDITION = re.compile(r"\s*(\w+)\s*(<=|>=|==|!=|<|>)\s*(\S.*?)\s*")
_OVER = re.compile(r"(.*?)\s*\bover\b\s*(.*)")
_NORMAL = re.compile(r"(\d+(?:\.\d+)?)\s*[x×*]\s*normal(?:\s*\+\s*(\S.*))?")

FORMS: Final = "loss >= 1%, loss >= 5% over 10m, or rtt > 3 x normal + 20ms"
LONGEST: Final = timedelta(hours=24)
"""The longest window of a condition."""
RAREST: Final = timedelta(hours=1)
"""The longest `every` of a check that can learn what is normal: six rounds in six hours."""


def condition(text: str, facts: Mapping[str, Fact], every: timedelta | None = None) -> Condition:
    """`loss >= 1%`, `loss >= 5% over 10m`, `rtt > 3 x normal + 20ms` over a kind's facts, the number in the fact's base unit.

    `every` is the check's interval, which bounds windows and what can be learned; ValueError says what is wrong.
    """
    match = _CONDITION.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a condition: write <fact> <op> <number>, such as seconds > 3")
    name, sign, number = match[1], match[2], match[3]
    if name not in facts:
        near = guess(name, facts) or f": it has {', '.join(facts)}"
        raise ValueError(f"{name!r} is not a fact of this kind{near}")
    op, unit, text = _OPERATORS[sign], facts[name].unit, text.strip()
    rest, over = _window(text, number, op, every)
    if "normal" not in rest:
        return Condition(fact=name, op=op, value=_number(text, rest, unit), text=text, unit=unit, over=over)
    times, addend = _times(text, rest, op, unit, every)
    return Condition(fact=name, op=op, value=addend, text=text, unit=unit, over=over, times=times)


def _number(text: str, rest: str, unit: str) -> float:
    """The number of a line that has no normal."""
    if len(rest.split()) > 2:
        raise ValueError(f"{text!r} is not a condition: write {FORMS}")
    return quantity(rest, unit)


def _window(text: str, number: str, op: Operator, every: timedelta | None) -> tuple[str, timedelta | None]:
    """The condition's number and its window, where it has one."""
    match = _OVER.fullmatch(number)
    if match is None:
        return number, None
    if not match[1] or not match[2]:
        raise ValueError(f"{text!r}: a window is written behind the number, such as loss >= 5% over 10m")
    _refuse_equal(text, op)
    over = duration(match[2])
    if over > LONGEST:
        raise ValueError(f"{text!r}: a window is at most {span(LONGEST)}")
    if every is not None and over < 2 * every:
        raise ValueError(f"{text!r}: a window holds at least two rounds, and this check runs every {span(every)}")
    return match[1], over


def _times(text: str, rest: str, op: Operator, unit: str, every: timedelta | None) -> tuple[float, float]:
    """How many times the normal, and what is added to it."""
    match = _NORMAL.fullmatch(rest)
    if match is None:
        raise ValueError(
            f"{text!r}: what is normal is written <factor> x normal [+ <number>], such as rtt > 3 x normal + 20ms"
        )
    _refuse_equal(text, op)
    times, above = float(match[1]), op in (">", ">=")
    if times <= 1 if above else times >= 1:
        side = "more than 1 behind > and >=" if above else "less than 1 behind < and <="
        raise ValueError(f"{text!r}: the factor is {side}: what is normal is not ill")
    if match[2] is not None and not above:
        raise ValueError(f"{text!r}: only a line above the normal takes an addend")
    if unit == "ratio" and match[2] is None and above:
        raise ValueError(f"{text!r}: a share may normally be 0%, and so would the line: add to it, such as + 1%")
    if every is not None and every > RAREST:
        raise ValueError(
            f"{text!r}: nothing is learned from fewer rounds than one an hour; this check runs every {span(every)}"
        )
    addend = 0.0 if match[2] is None else quantity(match[2], unit)
    if addend < 0:
        raise ValueError(f"{text!r}: what is added to the normal is not negative")
    return times, addend


def _refuse_equal(text: str, op: Operator) -> None:
    if op in ("==", "!="):
        raise ValueError(f"{text!r}: a window or a normal is never met exactly: compare by < <= > >=")
