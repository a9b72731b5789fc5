"""Our JSON: the bytes of a message, made once and sent as they are on every try.

Owns: the shape published in `webhook.schema.json`, and the message's id.
Never: makes different bytes from the same event: keys have one order, times are UTC to the second, everything comes from the arguments.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any
from urllib.parse import quote

from monitor import words
from monitor.model import Catalogue, EventType, Incident, IncidentEvent, Language, Node
from monitor.notify import text
from monitor.notify.plain import harmless
from monitor.rules.public import affected_nodes, incident_object, known_node, rfc3339
from probes.text import one_line


def message_id(receiver: str, lane: str, sequence: int) -> str:
    """The id under which a receiver can tell a copy from news: the same for the same event, whoever computes it, whenever.

    It holds no dot (the signature joins with dots), and nothing of a name that might: it is a digest.
    """
    digest = hashlib.sha256("\x00".join((receiver, lane, str(sequence))).encode()).hexdigest()
    return f"msg_{digest[:32]}"


def body(
    event: IncidentEvent,
    incident: Incident,
    node: Node | None,
    catalogue: Catalogue,
    *,
    now: datetime,
    lang: Language | None = None,
    public_url: str | None = None,
    into: Node | None = None,
) -> bytes:
    """The message of an incident's event; `node` is None for what has left the catalogue and for the monitor itself.

    `lang` and `public_url` are the province's and the daemon's own unless given. `into` is the node of the incident that it was merged into.
    """
    lang = lang or catalogue.province.language
    known = node or known_node(catalogue, incident.node)
    affected = affected_nodes(incident, catalogue)
    incident = replace(
        incident,
        detail=one_line(incident.detail),
        acknowledged_by=one_line(incident.acknowledged_by),
        pause_reason=one_line(incident.pause_reason),
    )
    url = link(catalogue.daemon.public_url if public_url is None else public_url, "incidents", incident.id)
    telling = text.Telling(
        event=event,
        incident=incident,
        node=known,
        affected=affected,
        catalogue=catalogue,
        lang=lang,
        url=url or "",
        now=now,
        into=harmless(into.name if into else incident.merged_into),
    )
    data = {"incident": incident_object(incident, known, affected, url=url, now=now, catalogue=catalogue)}
    return envelope(event.type, event.at, data, text.title(telling), text.text(telling))


def report_body(
    *,
    kind: str,
    start: datetime,
    end: datetime,
    label: str,
    files: Mapping[str, str],
    at: datetime,
    lang: Language,
    url: str | None = None,
) -> bytes:
    """A report is there. `files` are file names by format; `url` is where a person may fetch it."""
    data = {
        "report": {
            "kind": kind,
            "start": rfc3339(start),
            "end": rfc3339(end),
            "label": label,
            "url": url,
            "files": dict(sorted(files.items())),
        }
    }
    lines = [", ".join(sorted(files.values()))] if files else []
    if url:
        lines.append(words.say("line.incident", lang, url=url))
    title = words.say("title.report.ready", lang, period=label)
    return envelope(EventType.REPORT_READY, at, data, title, "\n".join(lines) or title)


def test_body(*, receiver: str, at: datetime, lang: Language) -> bytes:
    """There is no incident; can you hear us?"""
    said = words.say("line.test", lang, receiver=receiver)
    return envelope(EventType.TEST, at, {"receiver": receiver}, words.say("title.test", lang), said)


test_body.__test__ = False  # type: ignore[attr-defined]


def link(base: str, *parts: str) -> str | None:
    """An address under a base that people can reach; None where there is no base."""
    return "/".join((base.rstrip("/"), *(quote(part, safe="") for part in parts))) if base else None


def envelope(kind: EventType, at: datetime, data: Mapping[str, Any], title: str, said: str) -> bytes:
    """Every message's outer shape, as bytes."""
    whole = {
        "type": kind.value,
        "timestamp": rfc3339(at),
        "data": data,
        "message": {"title": one_line(title, 250), "text": said},
    }
    return json.dumps(whole, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
