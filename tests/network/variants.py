"""The ways in which 129 links go dark together, each with its truth: who is hurt, whose fault it is, what may be said of it.

Owns: the plan of a fault and the judgement of what was told. Never: runs anything.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from tests.network.duty import Arrival, Commune
from tests.network.space import HUB, Link, Uplink

KINDS: Final = (
    "staggered", "same second", "subset", "carrier", "region", "hub", "uplink", "single", "most", "refused",
)  # fmt: skip
"""In the order in which they are played: the longest first."""

STAGGER: Final = 300.0
"""Seconds from the first to the last cut of a staggered fault."""

DARK: Final = 105.0
"""Seconds from the last cut until all is well again: what is promised within 90 has happened."""

SEEN: Final = 75.0
"""Seconds within which a cut is known: a message names or counts all that were cut so long before it."""

REGIONS: Final = {"Hà Nam": "vung.ha_nam", "Nam Định": "vung.nam_dinh", "Ninh Bình": "vung.ninh_binh"}


@dataclass(slots=True)
class Variant:
    """One fault. `steps` are seconds from its beginning and what changes then; `roots` the nodes whose incidents there must be."""

    number: int
    kind: str
    hurt: list[Commune] = field(default_factory=list)
    steps: list[tuple[float, dict[str, Link | None]]] = field(default_factory=list)
    uplink: Uplink | None = None
    roots: set[str] = field(default_factory=set)

    @property
    def name(self) -> str:
        return f"{self.number} {self.kind}" + (f" {self.uplink}" if self.uplink else f", {len(self.hurt)} links")

    def dark_at(self, at: float) -> set[str]:
        """Nodes of the links that are cut so many seconds after its beginning."""
        cut = {address for moment, step in self.steps if moment <= max(at, 0.0) for address in step}
        return {each.node for each in self.hurt if each.address in cut}

    @property
    def end(self) -> float:
        """Seconds from its beginning until it is mended."""
        return (self.steps[-1][0] if self.steps else 0.0) + DARK


def variant(number: int, communes: Sequence[Commune]) -> Variant:
    """The `number`th fault: kinds take turns, the rest is chance with the number as its seed."""
    made = Variant(number, KINDS[number % len(KINDS)])
    chance = random.Random(f"variant {number}")
    everybody = list(communes)
    link = Link.CUT
    if made.kind == "uplink":
        made.uplink = list(Uplink)[number // len(KINDS) % len(Uplink)]
        made.roots = {"monitor"}
        return made
    if made.kind == "carrier":
        carrier = chance.choice(("vnpt", "viettel"))
        made.hurt, made.roots = [each for each in everybody if each.carrier == carrier], {f"carrier.{carrier}"}
    elif made.kind == "region":
        region = chance.choice(sorted(REGIONS))
        made.hurt, made.roots = [each for each in everybody if each.region == region], {REGIONS[region]}
    elif made.kind in ("single", "subset"):
        made.hurt = _few(everybody, chance, 1 if made.kind == "single" else chance.randint(4, 30))
        made.roots = {each.node for each in made.hurt}
    elif made.kind == "most":
        made.hurt, made.roots = chance.sample(everybody, chance.randint(100, 128)), {"tslcd"}
    else:
        made.hurt, made.roots = everybody, {"hub" if made.kind == "hub" else "tslcd"}
    if made.kind == "refused":
        link = chance.choice((Link.UNREACHABLE, Link.PROHIBITED))
    if made.kind == "staggered":
        moments = sorted(chance.uniform(0, STAGGER) for _ in made.hurt)
        order = chance.sample(made.hurt, len(made.hurt))
        made.steps = [(at, {each.address: link}) for at, each in zip(moments, order, strict=True)]
        return made
    together: dict[str, Link | None] = {each.address: link for each in made.hurt}
    made.steps = [(0.0, together | ({HUB: link} if made.kind == "hub" else {}))]
    return made


def _few(communes: list[Commune], chance: random.Random, count: int) -> list[Commune]:
    """So many that no group's share of them is one by which it is judged: then each is a fault of its own."""
    while True:
        found = chance.sample(communes, count)
        for axis, share in (("carrier", 0.28), ("region", 0.55)):
            for value in {getattr(each, axis) for each in communes}:
                all_ = sum(getattr(each, axis) == value for each in communes)
                if sum(getattr(each, axis) == value for each in found) > share * all_:
                    break
            else:
                continue
            break
        else:
            return found


def named(arrivals: Sequence[Arrival]) -> tuple[set[str], int]:
    """Every node that the messages name by id, and the most that one of them counts."""
    names: set[str] = set()
    count = 0
    for arrival in arrivals:
        incident, gathered = arrival.incident, arrival.message["data"].get("gathered", ())
        if not incident:
            continue
        names |= {incident["node"]["id"], *(each["id"] for each in incident["affected"])}
        names |= {row["incident"]["node"]["id"] for row in gathered}
        count = max(count, incident["affected_total"], arrival.message["data"].get("gathered_total", 0))
    return names, count


def faults(made: Variant, roots: set[str], before: list[tuple[float, Arrival]], after: list[Arrival]) -> list[str]:
    """What is wrong with what was told: `before` the mending (seconds from the first cut), and `after` it; `roots` had incidents then."""
    wrong = []
    if roots != made.roots:
        odd, missing = sorted(roots - made.roots), sorted(made.roots - roots)
        wrong.append(f"roots: {odd[:6]} ({len(odd)}) too many, {missing[:6]} ({len(missing)}) missing")
    told = [arrival for _, arrival in before]
    if made.uplink is not None:
        kinds = [arrival.type for arrival in told], [arrival.type for arrival in after]
        if kinds != (["monitor.impaired"], ["monitor.recovered"]):
            wrong.append(f"told {kinds}")
        return wrong
    if not before or before[0][0] > 90:
        wrong.append(f"first message after {before[0][0] if before else 'ever'}")
    if len(told) > 3:
        wrong.append(f"{len(told)} requests: {[(round(at), a.type, a.incident['node']['id']) for at, a in before]}")
    last = before[-1][0] if before else 0.0
    for words, who, messages in (
        ("while it lasted", made.dark_at(last - SEEN), told),
        ("by the end", {each.node for each in made.hurt}, [*told, *after]),
    ):
        names, count = named(messages)
        if not who <= names and count < len(who):
            wrong.append(f"{len(who - names)} of {len(who)} neither named nor counted {words}")
    if len(after) != 1:
        wrong.append(f"{len(after)} requests when it was over: {[(a.type, a.incident['node']['id']) for a in after]}")
    return wrong
