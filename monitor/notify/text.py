"""What a person reads: a title that fits a lock screen and a text of a few lines, by the type of the event.

Owns: which lines a message has, and in which order: what it is, since when, how much time is left, whom it hurts, whom to call.
Never: words of its own (they are `monitor.words`'), or anything of a target's that has not been made harmless.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from monitor import words
from monitor.model import Catalogue, EventType, Incident, IncidentEvent, Language, Node
from monitor.notify.plain import harmless
from monitor.rules import clock
from monitor.rules.public import ground_object

NAMES = 12
"""Names of affected nodes in the text; the list beside it has them all."""

_QUIET = frozenset({EventType.RESOLVED, EventType.MERGED, EventType.WITHDRAWN})
"""Events after which nobody has to hurry: no recovery target, no numbers to call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Telling:
    """Everything a message about an incident is made from. `affected` are the nodes it lists; `into` names what it was merged into."""

    event: IncidentEvent
    incident: Incident
    node: Node
    affected: Sequence[Node]
    catalogue: Catalogue
    lang: Language
    url: str
    now: datetime
    into: str


def title(telling: Telling) -> str:
    """One line, the worst first."""
    incident, lang = telling.incident, telling.lang
    broken = "degraded" if incident.degradation else "down"
    return words.say(
        f"title.{telling.event.type.value}",
        lang,
        severity=words.severity(incident.severity.value, lang).upper(),
        name=harmless(telling.node.name, 120),
        state=words.state(broken, lang, long=True),
        reason=words.reason(incident.reason.value, lang),
        left=words.about(max(clock.remaining(incident, telling.now), timedelta(0)), lang),
        elapsed=words.about(clock.elapsed(incident, telling.now), lang),
        into=telling.into,
    )


def text(telling: Telling) -> str:
    """A few lines, each standing for itself."""
    lines = _ours(telling) if telling.event.type in (EventType.IMPAIRED, EventType.RECOVERED) else _theirs(telling)
    return "\n".join(lines)


def _ours(telling: Telling) -> Iterator[str]:
    incident, lang, zone = telling.incident, telling.lang, telling.catalogue.province.zone
    if telling.event.type is EventType.IMPAIRED:
        yield _reason(telling)
        yield from _ground(telling)
        yield words.say("line.blind", lang, since=words.moment(incident.started_at, zone, lang))
    else:
        yield words.say(
            "line.blind_over",
            lang,
            at=words.moment(incident.resolved_at or telling.event.at, zone, lang),
            elapsed=words.about(clock.elapsed(incident, telling.now), lang),
        )
    if telling.url:
        yield words.say("line.incident", lang, url=telling.url)


def _theirs(telling: Telling) -> Iterator[str]:
    incident, lang, zone = telling.incident, telling.lang, telling.catalogue.province.zone
    kind = telling.event.type
    if kind is EventType.MERGED:
        yield words.say("line.merged", lang, into=telling.into)
    if incident.acknowledged_at and kind is not EventType.WITHDRAWN:
        by = harmless(incident.acknowledged_by, 80)
        yield words.say("line.acknowledged", lang, by=by, at=words.moment(incident.acknowledged_at, zone, lang))
    if incident.resolved_at:
        yield words.say(
            "line.resolved",
            lang,
            at=words.moment(incident.resolved_at, zone, lang),
            elapsed=words.about(clock.elapsed(incident, telling.now), lang),
            net=words.about(clock.net(incident, telling.now), lang),
        )
    yield _reason(telling)
    yield from _ground(telling)
    yield words.say(
        "line.since",
        lang,
        since=words.moment(incident.started_at, zone, lang),
        detected=words.moment(incident.detected_at, zone, lang),
    )
    if incident.flapping:
        yield words.say("line.flapping", lang)
    if kind not in _QUIET:
        yield from _recovery(telling)
    yield from _affected(telling)
    if kind not in _QUIET:
        yield from _people(telling)
    if telling.url:
        yield words.say("line.incident", lang, url=telling.url)


def _reason(telling: Telling) -> str:
    incident, lang, zone = telling.incident, telling.lang, telling.catalogue.province.zone
    since = words.moment(incident.started_at, zone, lang)
    if incident.started_at.astimezone(zone).date() == telling.now.astimezone(zone).date():
        since = since.rpartition(" ")[2]
    if measured := words.measured(incident.detail, lang, since):
        return words.say("line.measured", lang, measured=harmless(measured))
    said = words.say(
        "line.reason",
        telling.lang,
        reason=words.reason(telling.incident.reason.value, telling.lang),
        detail=harmless(telling.incident.detail),
    )
    return said.rstrip(" .")


def _ground(telling: Telling) -> Iterator[str]:
    """Whose fault it is, as sure as that is."""
    ground = telling.incident.ground
    if ground is not None:
        yield harmless(words.verdict(ground_object(ground, telling.catalogue), telling.lang), 400)


def _recovery(telling: Telling) -> Iterator[str]:
    incident, lang, zone = telling.incident, telling.lang, telling.catalogue.province.zone
    left = clock.remaining(incident, telling.now)
    told = {
        "target": words.about(incident.target, lang),
        "deadline": words.moment(clock.deadline(incident, telling.now), zone, lang),
    }
    if left < timedelta(0):
        yield words.say("line.recovery_over", lang, over=words.about(-left, lang), **told)
    else:
        yield words.say("line.recovery", lang, left=words.about(left, lang), **told)
    if incident.paused_since is not None:
        yield words.say("line.recovery_paused", lang, reason=harmless(incident.pause_reason))


def _affected(telling: Telling) -> Iterator[str]:
    if not telling.affected:
        return
    communes = {node.labels.get("commune", ""): node.labels.get("commune_name", node.name) for node in telling.affected}
    by_commune = "" not in communes
    names = list(communes.values()) if by_commune else [node.name for node in telling.affected]
    shown = [harmless(name, 80) for name in names[:NAMES]]
    if len(names) > NAMES:
        shown.append(words.say("line.and_more", telling.lang, count=words.number(len(names) - NAMES, telling.lang)))
    yield words.say(
        "line.affected_communes" if by_commune else "line.affected",
        telling.lang,
        count=words.number(len(names), telling.lang),
        names=", ".join(shown),
    )


def _people(telling: Telling) -> Iterator[str]:
    """Whose it is, with the number to call."""
    node = telling.node
    for role, party in (("owner", node.owner), ("operator", node.operator), ("carrier", node.carrier)):
        if not party:
            continue
        known = telling.catalogue.parties.get(party)
        said = ", ".join(part for part in (known.name, known.phone) if part) if known else party
        yield words.say(f"line.{role}", telling.lang, **{role: harmless(said)})
    if node.runbook:
        yield words.say("line.runbook", telling.lang, url=node.runbook)
