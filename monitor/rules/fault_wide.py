"""Whose fault it is when many fail together: groups, the lines of the data centre, the hub.

Owns: the part of `fault` that counts; its rules are told there. Never: looks at a single site's witnesses but to count them.
"""

from collections.abc import Callable, Collection
from typing import Any

from monitor.model import Confidence, Effect, Ground, GroundRule, Incident, Node, State, Whose
from monitor.rules import groups
from monitor.rules.testimony import Contrast, Hearing
from monitor.rules.weighing import CLEAR, FEW, SHOWN, apart, figures, ground_of, told


def of_group(hearing: Hearing, node: Node, incident: Incident) -> Ground:
    house, rule = hearing.house, node.group
    assert rule is not None
    counted = groups.count(hearing.draft, house, node.id)
    failing = [member for _, member in counted.own or counted.failing]
    types = {house.nodes[member].type for member in house.members[node.id]}
    numbers: dict[str, Any] = {
        "of": types.pop() if len(types) == 1 else "",
        "counted": len(failing),
        "eligible": len(counted.eligible),
        "needed": counted.need,
        "share": rule.share,
        "within": rule.within,
    }
    if incident.degradation:
        well = [m for m in counted.eligible if hearing.answers(m)]
        whose = Whose.UPLINK if numbers["of"] == "uplink" else Whose.UNKNOWN
        return ground_of(
            whose, Confidence.HIGH if failing else Confidence.LOW, GroundRule.REDUNDANCY_LOST,
            told(hearing, failing), (), told(hearing, well), party=_one_carrier(hearing, failing), **numbers,
        )  # fmt: skip
    if numbers["of"] == "uplink":
        party = _one_carrier(hearing, failing)
        return ground_of(
            Whose.UPLINK, Confidence.HIGH, GroundRule.ALL_UPLINKS,
            hearing.ourselves(), (), told(hearing, failing), party=party, **numbers,
        )  # fmt: skip
    if node.type == "carrier":
        return _of_carrier(hearing, node.carrier or _one_carrier(hearing, failing), failing, numbers)
    if node.type == "region":
        return _of_region(hearing, failing, numbers)
    return _of_many(hearing, node, failing, numbers)


def _one_carrier(hearing: Hearing, ids: Collection[str]) -> str:
    """The carrier of all of them; nothing when they have several, or one that is not known."""
    carriers = {hearing.house.nodes[id].carrier for id in ids}
    return carriers.pop() if len(carriers) == 1 else ""


def _region(hearing: Hearing, id: str) -> str:
    return hearing.house.nodes[id].labels.get("region", "")


def _elsewhere(hearing: Hearing, failing: Collection[str], keep: Callable[[str, str], object]) -> tuple[Contrast, int]:
    """Hear those of the same types as the failing ones whose (carrier, region) is worth keeping; and how many there are."""
    types = {hearing.house.nodes[id].type for id in failing}
    keys = [key for key in hearing.house.kin if key[0] in types and keep(key[1], key[2])]
    ids = [id for key in keys for id in hearing.house.kin[key]]
    return hearing.contrast(ids), len(ids)


def _of_carrier(hearing: Hearing, party: str, failing: list[str], numbers: dict[str, Any]) -> Ground:
    """The links of one carrier, against other carriers' in the same regions."""
    regions = {_region(hearing, id) for id in failing}
    seen, available = _elsewhere(
        hearing, failing, lambda carrier, region: carrier != party and carrier and region in regions
    )
    lives, silent = hearing.second_paths(failing)
    confidence = apart(seen, available) if party else Confidence.MEDIUM
    return ground_of(
        Whose.CARRIER, confidence, GroundRule.GROUP_SHARE,
        [*lives, *told(hearing, seen.answering)], [*silent, *told(hearing, seen.failing)], told(hearing, failing),
        party=party, **numbers, **figures(hearing, seen),
    )  # fmt: skip


def _of_region(hearing: Hearing, failing: list[str], numbers: dict[str, Any]) -> Ground:
    """The links of one region, against the same carriers' elsewhere; and against other carriers' within it."""
    carriers = {hearing.house.nodes[id].carrier for id in failing}
    regions = {_region(hearing, id) for id in failing}
    lives, silent = hearing.second_paths(failing)
    members = told(hearing, failing)
    if len(silent) >= CLEAR and len(silent) > len(lives):
        return ground_of(
            Whose.SITE, Confidence.MEDIUM, GroundRule.SECOND_PATH_SILENT, silent, lives, members, **numbers
        )
    party = _one_carrier(hearing, failing)
    within, _ = _elsewhere(
        hearing, failing, lambda carrier, region: carrier not in carriers and carrier and region in regions
    )
    if party and len(within.answering) >= CLEAR and not within.failing:
        return ground_of(
            Whose.CARRIER, Confidence.MEDIUM, GroundRule.GROUP_SHARE,
            [*lives, *told(hearing, within.answering)], silent, members, party=party, **numbers, **figures(hearing, within),
        )  # fmt: skip
    seen, available = _elsewhere(
        hearing, failing, lambda carrier, region: carrier in carriers and region not in regions
    )
    return ground_of(
        Whose.REGION, apart(seen, available), GroundRule.GROUP_SHARE,
        [*lives, *told(hearing, seen.answering)], [*silent, *told(hearing, seen.failing)], members,
        party=party, **numbers, **figures(hearing, seen),
    )  # fmt: skip


def _of_many(hearing: Hearing, node: Node, failing: list[str], numbers: dict[str, Any]) -> Ground:
    """A network of several carriers and regions: is it one of them after all?"""
    party = _one_carrier(hearing, failing)
    if party and numbers["of"] == "link":
        found = _of_carrier(hearing, party, failing, numbers)
        if found.others_answering:
            return found
    house = hearing.house
    shared = [id for id in house.above[node.id] if id not in house.members]
    hubs = [id for id in shared if house.nodes[id].type == "hub"]
    answering = [hearing.of(id) for id in shared if hearing.answers(id)]
    whose = Whose.HUB if hubs else Whose.UNKNOWN
    return ground_of(
        whose, Confidence.LOW, GroundRule.COMMON_CAUSE, (), answering if hubs else (), told(hearing, failing),
        **numbers,
    )  # fmt: skip


def redundancy(hearing: Hearing, node: Node) -> Ground | None:
    """Degraded because a group that it stands on has lost some of its members."""
    house, draft = hearing.house, hearing.draft
    for parent in house.parents[node.id]:
        if parent not in house.members or draft.node(parent).state is not State.DEGRADED:
            continue
        lost = [m for m in house.members[parent] if draft.node(m).state.failing]
        left = [m for m in house.members[parent] if hearing.answers(m)]
        if not lost:
            continue
        types = {house.nodes[m].type for m in house.members[parent]}
        kind = types.pop() if len(types) == 1 else ""
        return ground_of(
            Whose.UPLINK if kind == "uplink" else Whose.UNKNOWN, Confidence.HIGH, GroundRule.REDUNDANCY_LOST,
            told(hearing, lost), (), told(hearing, left), party=_one_carrier(hearing, lost), of=kind,
            counted=len(lost), eligible=len(house.members[parent]),
        )  # fmt: skip
    return None


def of_uplink(hearing: Hearing, node: Node) -> Ground:
    beside = hearing.contrast(hearing.kin(node))
    speaking = told(hearing, beside.answering)
    anchors = hearing.ourselves()
    own = [hearing.of(node.id)]
    rule, confidence = GroundRule.UPLINK_ALONE, Confidence.HIGH
    if not speaking:
        rule = GroundRule.UPLINK_ALONE if anchors else GroundRule.OWN_CHECKS
        confidence = Confidence.MEDIUM if anchors else Confidence.LOW
    return ground_of(
        Whose.UPLINK, confidence, rule, [*speaking, *anchors], told(hearing, beside.failing), own,
        party=node.carrier, of=node.type, counted=1, eligible=1, **figures(hearing, beside),
    )  # fmt: skip


def of_hub(hearing: Hearing, node: Node, incident: Incident) -> Ground:
    house = hearing.house
    below = [id for id in house.children[node.id] if any(c.effect is Effect.DOWN for c in house.decisive[id])]
    seen = hearing.contrast(below)
    types = {house.nodes[id].type for id in below}
    numbers: dict[str, Any] = {
        "of": types.pop() if len(types) == 1 else "",
        "counted": len(seen.failing),
        "eligible": seen.heard,
        "party": node.carrier,
    }
    own, silent = [hearing.of(node.id)], told(hearing, seen.failing)
    answering = told(hearing, seen.answering)
    if incident.degradation or not seen.heard:
        return ground_of(Whose.HUB, Confidence.LOW, GroundRule.OWN_CHECKS, (), (), own, **numbers)
    if not seen.failing or len(seen.answering) > FEW * seen.heard:
        return ground_of(Whose.HUB, Confidence.LOW, GroundRule.HUB_ALONE, (), answering, [*own, *silent], **numbers)
    clear = len(seen.failing) >= min(CLEAR, len(below))
    confidence = Confidence.HIGH if clear else Confidence.MEDIUM
    return ground_of(
        Whose.HUB, confidence, GroundRule.HUB_SILENT,
        silent[:SHOWN], answering, [*own, *silent[SHOWN:]], **numbers,
    )  # fmt: skip
