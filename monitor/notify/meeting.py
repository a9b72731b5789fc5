"""The message about a video meeting: how many of its points are ready, which are not, and why.

Owns: its object, its title and its lines. Never: decides who is ready, or when it is told; makes different bytes from the same facts.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final

from monitor import words
from monitor.model import Catalogue, EventType, Lack, Language, Meeting, Point, Readiness, Window
from monitor.notify.body import envelope, link
from monitor.notify.plain import harmless
from monitor.rules.public import known_node, meeting_object
from monitor.rules.readiness import Change

NAMES: Final = 40
"""Points named in one line of the text; the list beside it has them all."""

ORDER: Final = (Lack.UPSTREAM, Lack.LINK, Lack.ENDPOINT, Lack.LOSS, Lack.MOS, Lack.UNKNOWN)


def meeting_body(
    meeting: Meeting,
    told: Readiness,
    changed: Change,
    catalogue: Catalogue,
    *,
    work: Sequence[Window] = (),
    lang: Language | None = None,
) -> bytes:
    """What `told` says of the meeting; `changed` since the last message (nothing in the first), `work` is maintenance that falls into it."""
    lang = lang or catalogue.province.language
    url = link(catalogue.daemon.public_url, "meetings")
    core = meeting_object(meeting, told.points, catalogue, url=url)
    data = {
        "meeting": core
        | {"sequence": told.sequence, "changed": {"ready": list(changed.ready), "not_ready": list(changed.lacking)}}
    }
    title = words.say(
        "title.meeting.readiness" if told.sequence == 1 else "title.meeting.update",
        lang,
        name=harmless(meeting.name, 120),
        at=_moment(meeting.start, catalogue, lang),
        **_counts(told, lang),
    )
    lines = [*_lines(meeting, told, changed, catalogue, work, lang)]
    if url:
        lines.append(words.say("meeting.page", lang, url=url))
    return envelope(EventType.MEETING_READINESS, told.at, data, title, "\n".join(lines))


def _lines(
    meeting: Meeting, told: Readiness, changed: Change, catalogue: Catalogue, work: Sequence[Window], lang: Language
) -> Iterator[str]:
    yield words.say(
        "meeting.when",
        lang,
        start=_moment(meeting.start, catalogue, lang),
        end=_moment(meeting.end, catalogue, lang),
    )
    for key, nodes in (("meeting.lost", changed.lacking), ("meeting.gained", changed.ready)):
        if nodes:
            names = [_name(node, catalogue) for node in nodes]
            yield words.say(key, lang, count=words.number(len(nodes), lang), names=_list(names, lang))
    if not told.lacking:
        yield words.say("meeting.all_ready", lang)
    for lack in ORDER:
        mine = [point for point in told.lacking if point.lack is lack]
        if mine:
            yield words.say(
                "meeting.group",
                lang,
                lack=words.capital(words.lack(lack.value, lang)),
                count=words.number(len(mine), lang),
                names=_list((_why(point, catalogue, lang) for point in mine), lang),
            )
    if work:
        names = [f"{window.plan} ({_moment(window.start, catalogue, lang)})" for window in work]
        yield words.say("meeting.work", lang, names=_list(map(harmless, names), lang))


def _why(point: Point, catalogue: Catalogue, lang: Language) -> str:
    """A point with what there is to add to what it lacks."""
    name = _name(point.node, catalogue)
    match point.lack:
        case Lack.LOSS:
            more = words.say("meeting.loss", lang, loss=words.percent(point.loss, lang, 1))
        case Lack.MOS:
            more = words.say("meeting.mos", lang, mos=words.number(point.mos, lang, 1))
        case Lack.UPSTREAM if point.blamed_on:
            more = words.say("meeting.blamed", lang, name=harmless(known_node(catalogue, point.blamed_on).name, 80))
        case _ if point.reason.value != "ok":
            more = words.reason(point.reason.value, lang)
        case _:
            return name
    return f"{name} ({more})"


def _name(node: str, catalogue: Catalogue) -> str:
    """A commune's point is called by its commune."""
    known = known_node(catalogue, node)
    return harmless(known.labels.get("commune_name") or known.name, 80)


def _list(names: Iterable[str], lang: Language) -> str:
    known = list(names)
    shown = known[:NAMES]
    if len(known) > NAMES:
        shown.append(words.say("line.and_more", lang, count=words.number(len(known) - NAMES, lang)))
    return ", ".join(shown)


def _moment(at: datetime, catalogue: Catalogue, lang: Language) -> str:
    return words.moment(at, catalogue.province.zone, lang)


def _counts(told: Readiness, lang: Language) -> Mapping[str, str]:
    return {"ready": words.number(told.ready, lang), "total": words.number(len(told.points), lang)}
