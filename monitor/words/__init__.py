"""How things are said to a person, in Vietnamese first and in English.

Owns: the form of numbers, times and periods, the words of the glossary, the catalogue of messages, and the Vietnamese order of names.
Never: decides, reads a clock or a file, or imports a noun of another floor: it takes plain values and the words of enumerations (`str`).
"""

from monitor.words.catalogue import fields, keys, say
from monitor.words.collation import Key as SortKey
from monitor.words.collation import sort_key
from monitor.words.faults import confidence, says, verdict, whose
from monitor.words.measures import amount, fact, measured
from monitor.words.meetings import lack
from monitor.words.numbers import NOTHING, Lang, number, percent
from monitor.words.reasons import REASONS
from monitor.words.terms import (
    bucket,
    capital,
    clock,
    effect,
    event,
    incident_state,
    node_type,
    reason,
    role,
    seen,
    severity,
    state,
)
from monitor.words.times import about, day, duration, formal_day, moment, period, short, week

__all__ = [
    "NOTHING",
    "REASONS",
    "Lang",
    "SortKey",
    "about",
    "amount",
    "bucket",
    "capital",
    "clock",
    "confidence",
    "day",
    "duration",
    "effect",
    "event",
    "fact",
    "fields",
    "formal_day",
    "incident_state",
    "keys",
    "lack",
    "measured",
    "moment",
    "node_type",
    "number",
    "percent",
    "period",
    "reason",
    "role",
    "say",
    "says",
    "seen",
    "severity",
    "short",
    "sort_key",
    "state",
    "verdict",
    "week",
    "whose",
]
