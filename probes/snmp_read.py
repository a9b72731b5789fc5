"""What a check wants to know of a device, read in as few questions as it takes.

Owns: the columns of IF-MIB (RFC 2863), names of interfaces to their numbers by bounded walks, and what a value means.
Never: follows a walk that does not advance, or believes a number of an interface without its name.
"""

import math
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from probes.contract import ProbeError, Reason
from probes.snmp_ber import ABSENT, NUMBERS, OCTETS, OPAQUE, TICKS, UnreadableError, arcs, value
from probes.snmp_rates import Counters
from probes.snmp_session import Session
from probes.snmp_wire import GENERAL, GET_BULK, GET_NEXT, NO_SUCH_NAME, TOO_BIG, Ask, named, refused
from probes.text import one_line

_IF, _X = "1.3.6.1.2.1.2.2.1.", "1.3.6.1.2.1.31.1.1.1."
UPTIME: Final = "1.3.6.1.2.1.1.3.0"
DESCR, NAME = _IF + "2", _X + "1"
SPEED, HIGH_SPEED = _IF + "5", _X + "15"
ADMIN, OPER = _IF + "7", _IF + "8"
IN, OUT, WIDE_IN, WIDE_OUT = _IF + "10", _IF + "16", _X + "6", _X + "10"
IN_ERRORS, OUT_ERRORS, IN_DISCARDS, OUT_DISCARDS = _IF + "14", _IF + "20", _IF + "13", _IF + "19"
DISCONTINUITY: Final = _X + "19"

COLUMNS: Final = (
    OPER, ADMIN, WIDE_IN, WIDE_OUT, HIGH_SPEED, IN_ERRORS, OUT_ERRORS, IN_DISCARDS, OUT_DISCARDS, DISCONTINUITY,
)  # fmt: skip
NARROW: Final = (IN, OUT, SPEED)
"""For devices without 64-bit counters."""

OPERATIONS: Final = {
    1: "up", 2: "down", 3: "testing", 4: "unknown", 5: "dormant", 6: "not present", 7: "lower layer down",
}  # fmt: skip
"""ifOperStatus."""
CARRYING_NOTHING: Final = frozenset({2, 3, 6, 7})
"""Unknown says nothing (tunnels are), and dormant is a line that waits to be needed."""
ENABLED: Final = 1
"""ifAdminStatus: up."""

ROWS: Final = 25
"""Rows asked for at a time in a walk."""
MOST_ROWS: Final = 4096
"""Interfaces among which one is looked for: a large switch has some hundreds."""
MOST_STEPS: Final = 512
"""Questions of one walk: an agent that gives one row at a time is not walked for ever."""
LONGEST_NAME: Final = 255
"""Bytes of a DisplayString."""


@dataclass(frozen=True, slots=True)
class Place:
    """An interface as it was found: its number, and where its name stands (blank when it was given by number)."""

    label: str
    index: int
    name_at: str = ""


@dataclass(frozen=True, slots=True)
class Interface:
    """One interface as it is."""

    place: Place
    oper: int
    admin: int
    counters: Counters

    @property
    def fault(self) -> str:
        """What is wrong with it, or nothing."""
        if self.admin == ENABLED and self.oper in CARRYING_NOTHING:
            return f"{self.place.label} is {OPERATIONS[self.oper]}, and should be up"
        return ""


@dataclass(frozen=True, slots=True)
class Answer:
    """All that was asked: hundredths of a second of uptime, interfaces, and the values of the check's own identifiers (None: not there)."""

    ticks: int | None
    interfaces: tuple[Interface, ...]
    values: Mapping[str, float | None]
    renamed: str = ""
    """An interface whose number now has another name: what is known of numbers is out of date."""


async def find(session: Session, wanted: Sequence[str | int]) -> tuple[Place, ...]:
    """Where the interfaces are; names are looked up in ifName, then in ifDescr. ProbeError `snmp` for one that is not there."""
    names = {text for text in wanted if isinstance(text, str)}
    found: dict[str, Place] = {}
    seen: list[str] = []
    for column in (NAME, DESCR):
        if len(found) == len(names):
            break
        rows = await walk(session, column)
        for number, text in rows:
            seen.append(text)
            if text in names and text not in found:
                found[text] = Place(text, number, f"{column}.{number}")
    for text in names:
        if text not in found:
            has = ", ".join(one_line(name, 24) for name in dict.fromkeys(seen) if name) or "none"
            raise ProbeError(Reason.SNMP, f"there is no interface {text}; the device has: {has}")
    return tuple(found[text] if isinstance(text, str) else Place(f"interface {text}", text) for text in wanted)


async def walk(session: Session, column: str) -> list[tuple[int, str]]:
    """Numbers and texts of one column of a table with a single index. ProbeError `protocol` when the walk does not advance, or does not end."""
    root = arcs(named(column))
    at, last = column, root
    rows: list[tuple[int, str]] = []
    count, bulk = 0, True
    for _ in range(MOST_STEPS):
        pdu = await session.ask(Ask(GET_BULK, (at,), ROWS) if bulk else Ask(GET_NEXT, (at,)))
        if pdu.status in (TOO_BIG, GENERAL) and bulk:
            bulk = False  # Some agents cannot do many at a time.
            continue
        if pdu.status == NO_SUCH_NAME:
            return rows
        if pdu.status:
            raise refused(pdu, (at,))
        if not pdu.bindings:
            return rows
        for binding in pdu.bindings:
            here = arcs(binding.name)
            if here[: len(root)] != root or binding.tag in ABSENT:
                return rows
            if here <= last:
                raise ProbeError(Reason.PROTOCOL, "a walk through the device's interfaces does not advance")
            last = here
            if len(here) != len(root) + 1:
                raise ProbeError(Reason.PROTOCOL, "a row of the device's interfaces has no number")
            if binding.tag == OCTETS:
                rows.append((here[-1], binding.content[:LONGEST_NAME].rstrip(b"\0").decode("utf-8", "replace")))
            count += 1
            if count >= MOST_ROWS:
                raise ProbeError(Reason.PROTOCOL, f"the device has more than {MOST_ROWS} interfaces, or does not end")
        at = f"{column}.{last[-1]}"
    raise ProbeError(Reason.PROTOCOL, "a walk through the device's interfaces does not end")


async def read(session: Session, places: Iterable[Place], oids: Mapping[str, str], narrow: set[int]) -> Answer:
    """Ask for everything. `narrow` holds the numbers of interfaces known to have no 64-bit counters, and is added to."""
    places = tuple(places)
    asked = [UPTIME]
    for place in places:
        asked += [f"{column}.{place.index}" for column in COLUMNS]
        asked += [f"{column}.{place.index}" for column in NARROW] if place.index in narrow else []
        asked += [place.name_at] if place.name_at else []
    asked = list(dict.fromkeys([*asked, *oids.values()]))
    got = dict(zip(asked, await session.get(asked), strict=True))
    lacking = [
        place for place in places if place.index not in narrow and number(got[f"{WIDE_IN}.{place.index}"]) is None
    ]
    if lacking:
        narrow.update(place.index for place in lacking)
        more = [f"{column}.{place.index}" for place in lacking for column in NARROW]
        got |= dict(zip(more, await session.get(more), strict=True))
    renamed = next((place.label for place in places if place.name_at and _text(got[place.name_at]) != place.label), "")
    interfaces = tuple(_interface(place, got) for place in places) if not renamed else ()
    uptime = number(got[UPTIME])
    values = {fact: figure(*got[oid]) for fact, oid in oids.items()}
    return Answer(None if uptime is None else int(uptime), interfaces, values, renamed)


def _interface(place: Place, got: Mapping[str, tuple[int, bytes]]) -> Interface:
    def column(name: str) -> int | None:
        return number(got.get(f"{name}.{place.index}", (0x05, b"")))

    oper, admin = column(OPER), column(ADMIN)
    if oper is None or admin is None or oper not in OPERATIONS:
        raise ProbeError(Reason.SNMP, f"there is no {place.label}, or the device does not let us see its state")
    high = column(HIGH_SPEED)
    wide = column(WIDE_IN) is not None and column(WIDE_OUT) is not None
    speed = high * 1e6 if high else float(column(SPEED) or 0)
    return Interface(
        place,
        oper,
        admin,
        Counters(
            octets_in=column(WIDE_IN) if wide else column(IN),
            octets_out=column(WIDE_OUT) if wide else column(OUT),
            wide=wide,
            errors=_both(column(IN_ERRORS), column(OUT_ERRORS)),
            discards=_both(column(IN_DISCARDS), column(OUT_DISCARDS)),
            speed=max(speed, 0.0),
            discontinuity=column(DISCONTINUITY),
        ),
    )


def _both(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else one + other


def _text(bound: tuple[int, bytes]) -> str:
    return bound[1][:LONGEST_NAME].rstrip(b"\0").decode("utf-8", "replace") if bound[0] == OCTETS else ""


def number(bound: tuple[int, bytes]) -> int | None:
    """A value that must be a number; None when it is not there, or is something else."""
    found = value(*bound) if bound[0] in NUMBERS else None
    return found if isinstance(found, int) else None


def figure(tag: int, content: bytes) -> float | None:
    """Any value as a fact: numbers as they are, ticks in seconds, a text that is a number, a float wrapped in Opaque; None: nothing to count."""
    found: float | None = None
    if tag in NUMBERS:
        whole = value(tag, content)
        assert isinstance(whole, int)
        found = whole / 100 if tag == TICKS else float(whole)
    elif tag == OPAQUE and content[:3] == b"\x9f\x78\x04" and len(content) == 7:
        found = float(struct.unpack("!f", content[3:])[0])
    elif tag == OCTETS and len(content) <= 40:
        try:
            found = float(content.strip(b"\0 \t\r\n").decode("ascii"))
        except (UnicodeDecodeError, ValueError):
            return None
    return found if found is not None and math.isfinite(found) else None


__all__ = ["Answer", "Interface", "Place", "UnreadableError", "figure", "find", "read", "walk"]
