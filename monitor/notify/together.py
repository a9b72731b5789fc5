"""Many messages told as one: what may be, and the bytes of it.

Owns: `data.gathered` and its bounds, the lead, the title and the lines of a message that tells others. It is made of nothing but the bodies of
those and the catalogue's names; its id follows from theirs. Never: decides when (the outbox does), or takes in what is critical or high.

Of one incident only the latest word is listed, with the types of all that it was; every message is counted. The list is cut at LISTED incidents
and at SIZE bytes; the text names NAMES of them and counts the rest.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from monitor import words
from monitor.model import Catalogue, EventType, Language, Message
from monitor.notify.body import link, message_id
from monitor.notify.plain import harmless
from monitor.rules.public import known_node
from probes.text import one_line

LISTED: Final = 1000
SIZE: Final = 256 * 1024
"""Bytes of the whole body."""
ROOM: Final = 64 * 1024
"""Bytes of it that are kept for the lead's own object and the text."""
NAMES: Final = 300
FEW: Final = 12
TEXT: Final = 16 * 1024
"""Letters of the text."""

PATIENT: Final = frozenset({"medium", "low"})

ENDS: Final = frozenset({EventType.RESOLVED, EventType.MERGED, EventType.WITHDRAWN})

ORDER: Final = (
    EventType.RECOVERY_BREACHED,
    EventType.ESCALATED,
    EventType.OPENED,
    EventType.REOPENED,
    EventType.RECOVERY_WARNING,
    EventType.UPDATED,
    EventType.ACKNOWLEDGED,
    EventType.RESOLVED,
    EventType.MERGED,
    EventType.WITHDRAWN,
)
"""The worst first."""

SILENT: Final = frozenset({"timeout", "no_reply", "unreachable", "prohibited", "ttl_exceeded", "refused", "reset"})
"""Reasons by which a link is lost, and not merely bad."""

_SEVERITIES: Final = ("critical", "high", "medium", "low")
_WAITS: Final = frozenset(ORDER) - {EventType.ACKNOWLEDGED}


def patient(message: Message) -> bool:
    """Whether it may wait for others: an incident's, of medium or low severity, and nothing that a person has just done."""
    if message.type not in _WAITS:
        return False
    incident = _incident(message)
    return incident is not None and incident.get("severity") in PATIENT


def _incident(message: Message) -> Mapping[str, Any] | None:
    """`data.incident`; None in a body that is not ours."""
    try:
        found = json.loads(message.body)["data"]["incident"]
    except (ValueError, KeyError, TypeError):
        return None
    return found if isinstance(found, dict) else None


@dataclass(frozen=True, slots=True)
class Told:
    """One incident of the many: its messages in order, and the public object in the last of them."""

    messages: tuple[Message, ...]
    incident: Mapping[str, Any]
    at: str

    @property
    def type(self) -> EventType:
        """The latest word."""
        return self.messages[-1].type

    @property
    def passed(self) -> bool:
        """It came and went before anybody was told of either."""
        first, last = self.messages[0].type, self.type
        return last is EventType.RESOLVED and first in (EventType.OPENED, EventType.REOPENED)

    @property
    def rank(self) -> tuple[Any, ...]:
        """By which the lead is the first."""
        severity = _SEVERITIES.index(self.incident["severity"])
        return ORDER.index(self.type), severity, self.incident["started_at"], self.incident["id"]


def together(receiver: str, messages: Sequence[Message], catalogue: Catalogue, *, at: datetime) -> Message:
    """The one message that tells all these (of one receiver; each incident's in order; all `patient` or following such a one)."""
    lanes: dict[str, list[Message]] = {}
    for message in messages:
        lanes.setdefault(message.lane, []).append(message)
    told = sorted((_told(each) for each in lanes.values()), key=lambda one: one.rank)
    lead = told[0]
    digest = hashlib.sha256("\x00".join(sorted(message.id for message in messages)).encode()).hexdigest()
    lane = f"gathered-{digest[:24]}"
    return Message(
        id=message_id(receiver, lane, 1),
        receiver=receiver,
        lane=lane,
        sequence=1,
        type=lead.type,
        created_at=at,
        body=_body(told, len(messages), catalogue),
    )


def _told(messages: Sequence[Message]) -> Told:
    whole = json.loads(messages[-1].body)
    return Told(tuple(messages), whole["data"]["incident"], whole["timestamp"])


def _body(told: Sequence[Told], count: int, catalogue: Catalogue) -> bytes:
    lead = told[0]
    title, text = _title(told, catalogue), "\n".join(_lines(told, catalogue))
    listed: list[dict[str, Any]] = []
    size = ROOM
    for each in told[:LISTED]:
        made = _short(each)
        size += len(json.dumps(made, ensure_ascii=False, separators=(",", ":")).encode()) + 1
        if size > SIZE:
            break
        listed.append(made)
    whole = {
        "type": lead.type.value,
        "timestamp": max(each.at for each in told),
        "data": {
            "incident": lead.incident,
            "gathered": listed,
            "gathered_total": len(told),
            "gathered_messages": count,
        },
        "message": {"title": one_line(title, 250), "text": text[:TEXT]},
    }
    return json.dumps(whole, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def _short(told: Told) -> dict[str, Any]:
    """One row of `data.gathered`."""
    incident, node = told.incident, told.incident["node"]
    return {
        "type": told.type.value,
        "timestamp": told.at,
        "messages": [{"id": message.id, "type": message.type.value} for message in told.messages],
        "incident": {
            "id": incident["id"],
            "url": incident["url"],
            "state": incident["state"],
            "severity": incident["severity"],
            "node": {name: node[name] for name in ("id", "name", "type", "carrier")},
            "reason": incident["reason"],
            "started_at": incident["started_at"],
            "resolved_at": incident["resolved_at"],
            "deadline": incident["recovery"]["deadline"],
            "affected_total": incident["affected_total"],
        },
    }


# What a person reads.


def _groups(told: Iterable[Told]) -> list[tuple[str, list[Told]]]:
    """By what is said of them, the worst first; the beginnings by how bad they are."""
    found: dict[str, list[Told]] = {}
    for each in told:
        found.setdefault(_said(each), []).append(each)
    return list(found.items())


def _said(told: Told) -> str:
    if told.passed:
        return "passed"
    if told.type not in (EventType.OPENED, EventType.UPDATED):
        return told.type.value.removeprefix("incident.")
    lost = told.incident["node"]["type"] == "link" and told.incident["reason"] in SILENT
    return "lost" if lost else "begun"


def _title(told: Sequence[Told], catalogue: Catalogue) -> str:
    lang = catalogue.province.language
    (said, first), *others = _groups(told)
    shares = _shares(first, catalogue, lang)
    title = words.say(
        f"title.together.{said}",
        lang,
        what=_what(first, lang),
        shares=f" ({', '.join(f'{name} {count}' for name, count in shares)})" if shares else "",
    )
    rest = sum(len(each) for _, each in others)
    return words.say("title.together.more", lang, title=title, count=words.number(rest, lang)) if rest else title


def _what(told: Sequence[Told], lang: Language) -> str:
    """`23 đường truyền`, or `23 sự cố` when they are of several types."""
    count = words.number(len(told), lang)
    types = {each.incident["node"]["type"] for each in told}
    if len(types) > 1:
        return words.say("together.several", lang, count=count)
    return words.say("together.nodes", lang, count=count, type=words.node_type(types.pop(), lang))


def _shares(told: Sequence[Told], catalogue: Catalogue, lang: Language) -> list[tuple[str, str]]:
    """How many of each carrier, the most first; nothing where one has none."""
    carriers = Counter(each.incident["node"]["carrier"] for each in told)
    if None in carriers:
        return []
    most = sorted(carriers.items(), key=lambda pair: (-pair[1], pair[0]))
    return [(_party(name, catalogue), words.number(count, lang)) for name, count in most[:6]]


def _party(carrier: str, catalogue: Catalogue) -> str:
    """`Viettel` of `viettel`, as its name is written; the whole name is for the lines."""
    known = catalogue.parties.get(carrier)
    word = known.name.split()[0] if known and known.name.split() else ""
    return harmless(word if word.casefold() == carrier.casefold() else carrier, 40)


def _lines(told: Sequence[Told], catalogue: Catalogue) -> Iterator[str]:
    lang, zone = catalogue.province.language, catalogue.province.zone
    left = NAMES
    for said, group in _groups(told):
        since = min(datetime.fromisoformat(each.incident["started_at"]) for each in group)
        yield words.say(
            f"line.together.{said}", lang, what=_what(group, lang), since=words.moment(since, zone, lang)
        ).rstrip()
        for carrier, mine in _by_carrier(group):
            shown = min(left, len(mine))
            left -= shown
            yield _names(carrier, mine, shown, catalogue, lang)
    hurried = [each for each in told if each.type not in ENDS]
    if hurried:
        first = min(datetime.fromisoformat(each.incident["recovery"]["deadline"]) for each in hurried)
        yield words.say("line.together.deadline", lang, deadline=words.moment(first, zone, lang))
    for carrier in sorted({each.incident["node"]["carrier"] or "" for each in hurried} - {""}):
        known = catalogue.parties.get(carrier)
        if known and known.phone:
            yield words.say("line.carrier", lang, carrier=harmless(f"{known.name}, {known.phone}"))
    if page := link(catalogue.daemon.public_url):
        yield words.say("line.incident", lang, url=page)


def _by_carrier(told: Iterable[Told]) -> list[tuple[str, list[Told]]]:
    found: dict[str, list[Told]] = {}
    for each in told:
        found.setdefault(each.incident["node"]["carrier"] or "", []).append(each)
    return sorted(found.items(), key=lambda pair: (-len(pair[1]), pair[0]))


def _names(carrier: str, told: Sequence[Told], shown: int, catalogue: Catalogue, lang: Language) -> str:
    """`VNPT (12): xã A, xã B, …`: communes where they are known, by former district when there are many, in the order of their names."""
    by_district = _by_district(told[:shown], catalogue)
    parts = [
        f"{district}: {', '.join(names)}" if len(by_district) > 1 else ", ".join(names)
        for district, names in by_district
    ]
    if len(told) > shown:
        parts.append(words.say("line.and_more", lang, count=words.number(len(told) - shown, lang)))
    said = "; ".join(parts)
    if not carrier:
        return said
    count = words.number(len(told), lang)
    return words.say("line.together.carrier", lang, carrier=_party(carrier, catalogue), count=count, names=said)


def _by_district(told: Sequence[Told], catalogue: Catalogue) -> list[tuple[str, list[str]]]:
    """Many names are easier to find by their former district; few are not, nor where one has none."""
    found: dict[str, list[str]] = {}
    for each in told:
        district = _labels(each, catalogue).get("district", "") if len(told) > FEW else ""
        found.setdefault(harmless(district, 80), []).append(_name(each, catalogue))
    if "" in found:
        found = {"": [name for names in found.values() for name in names]}
    for names in found.values():
        names.sort(key=words.sort_key)
    return sorted(found.items(), key=lambda pair: words.sort_key(pair[0]))


def _name(told: Told, catalogue: Catalogue) -> str:
    return harmless(_labels(told, catalogue).get("commune_name") or told.incident["node"]["name"], 80)


def _labels(told: Told, catalogue: Catalogue) -> Mapping[str, str]:
    node = told.incident["node"]
    return node["labels"] or known_node(catalogue, node["id"]).labels
