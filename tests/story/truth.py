"""The truth of the box, read back: who was cut when, and what the receiver really got."""

import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from monitor.sandbox.box import has_ipv6


@dataclass(frozen=True)
class Cut:
    """A fault with its edges."""

    kind: str
    target: str
    root: str
    nodes: frozenset[str]
    start: datetime
    end: datetime


def cuts(path: Path) -> list[Cut]:
    """Every fault of the truth file that began and ended."""
    open_: dict[str, dict[str, Any]] = {}
    found: list[Cut] = []
    for line in map(json.loads, path.read_text("utf-8").splitlines()):
        if line["event"] == "begins":
            open_[line["title"]] = line
        elif line["event"] == "ends":
            first = open_.pop(line["title"])
            found.append(
                Cut(
                    kind=first["fault"],
                    target=first["target"],
                    root=first["root"],
                    nodes=frozenset(first["nodes"]),
                    start=datetime.fromisoformat(first["at"]),
                    end=datetime.fromisoformat(line["at"]),
                )
            )
    return found


def arrivals(path: Path) -> list[dict[str, Any]]:
    """What the receiver's synced log holds, in order of arrival; every signature was checked before it was written."""
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()] if path.exists() else []


def by_incident(messages: Iterable[dict[str, Any]]) -> dict[str, list[str]]:
    """Types of messages by incident, in order of arrival, copies (same id) taken once."""
    seen: set[str] = set()
    told: dict[str, list[str]] = defaultdict(list)
    for arrival in messages:
        data = arrival["message"]["data"]
        if arrival["id"] not in seen and "gathered" in data:
            for each in data["gathered"]:
                told[each["incident"]["id"]] += [message["type"] for message in each["messages"]]
        elif arrival["id"] not in seen and "incident" in data:
            told[data["incident"]["id"]].append(arrival["message"]["type"])
        seen.add(arrival["id"])
    return dict(told)


def texts_of(messages: Iterable[dict[str, Any]], incident: str) -> list[tuple[str, str]]:
    """(type, text) of one incident's messages, in order of arrival, copies (same id) taken once."""
    own: dict[str, dict[str, Any]] = {}
    for arrival in messages:
        data = arrival["message"]["data"]
        inside = {each["incident"]["id"] for each in data.get("gathered", [data]) if "incident" in each}
        if incident in inside:
            own.setdefault(arrival["id"], arrival["message"])
    return [(message["type"], message["message"]["text"]) for message in own.values()]


def seconds_in(stretches: Iterable[tuple[datetime, datetime]], start: datetime, end: datetime) -> float:
    """Seconds of [start, end) inside any of the stretches, overlaps counted once."""
    total, reached = 0.0, start
    for since, until in sorted(stretches):
        since, until = max(since, reached), min(until, end)
        if since < until:
            total += (until - since).total_seconds()
            reached = until
    return total


def checks_of_the_box(*, echo: bool) -> int:
    """How many checks watch the box: three of each commune, its echo, IPv6 and second path where there are any, and those of the systems."""
    return 129 * (4 if echo else 3) + (103 if has_ipv6() else 0) + 43 + 18
