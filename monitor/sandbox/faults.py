"""The script of faults and its truth: what is broken when, to the microsecond, and what that does to each site.

Owns: which sites are cut, slow or wrong at this moment. Never: knows how the daemon judges; the truth is kept so that it can be held against it.
"""

import json
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

FaultKind = Literal["link", "carrier", "hub", "uplink", "wrong_page", "slow", "certificate", "refused", "flap", "site"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that breaks `after` seconds from the start and lasts `lasts` seconds.

    `target` is a node id (link, wrong_page, slow, certificate, refused, flap, site) or a carrier's name; `period` is a flapping target's full
    wave. A `site` is a commune without power, by its link's id: all ways to it are silent.
    """

    kind: FaultKind
    after: float
    lasts: float
    target: str = ""
    period: float = 0.0

    @property
    def title(self) -> str:
        """Kind and target in one word."""
        return f"{self.kind}:{self.target}" if self.target else self.kind


@dataclass(frozen=True, slots=True)
class Condition:
    """How a site behaves now."""

    cut: bool = False
    refused: bool = False
    wrong: bool = False
    delay: float = 0.0
    expired: bool = False


FINE = Condition()


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Who is behind whom in the sandbox: enough to know what a fault takes with it."""

    links: Mapping[str, str]
    """Link node id to carrier."""
    behind_links: Mapping[str, str]
    """Node id to the link it stands behind."""
    seconds: Mapping[str, str] = field(default_factory=dict)
    """Link node id to the site's other way in."""
    systems: tuple[str, ...]
    anchors: tuple[str, ...]
    jobs: tuple[str, ...] = ()
    """What calls us: it stands behind nothing of the province, but its calls come in by our own line."""

    def hit(self, fault: Fault) -> tuple[str, frozenset[str]]:
        """The root node that a right judgement names, and every node cut with it (the root among them)."""
        if fault.kind in ("link", "flap") and fault.target in self.links:
            return fault.target, frozenset({fault.target, *self._behind({fault.target})})
        if fault.kind == "site":
            ways = {self.seconds[fault.target]} if fault.target in self.seconds else set()
            return fault.target, frozenset({fault.target, *ways, *self._behind({fault.target})})
        if fault.kind == "carrier":
            links = {link for link, carrier in self.links.items() if carrier == fault.target}
            return f"carrier.{fault.target}", frozenset(links | self._behind(links))
        if fault.kind in ("hub", "uplink"):
            everything = frozenset({"hub", *self.links, *self.behind_links, *self.systems})
            if fault.kind == "uplink":
                return "monitor", everything | {*self.anchors, *self.jobs, *self.seconds.values()}
            return "hub", everything
        return fault.target, frozenset({fault.target})

    def _behind(self, links: set[str]) -> set[str]:
        return {node for node, link in self.behind_links.items() if link in links}


@dataclass(slots=True)
class Weather:
    """The faults that are on, and the truth file that says when each began and ended."""

    plan: Plan
    truth: Path
    now: Callable[[], datetime]
    slow: float = 1.5
    """Seconds by which a slow site is slow."""
    active: dict[str, Fault] = field(default_factory=dict)
    _conditions: dict[str, Condition] = field(default_factory=dict)
    listeners: list[Callable[[], None]] = field(default_factory=list)

    def of(self, node: str) -> Condition:
        """How this node's servers behave now."""
        return self._conditions.get(node, FINE)

    def begin(self, fault: Fault) -> None:
        """It breaks now."""
        self.active[fault.title] = fault
        self._turn("begins", fault)

    def end(self, fault: Fault) -> None:
        """It works again now."""
        self.active.pop(fault.title, None)
        self._turn("ends", fault)

    def note(self, event: str, **what: Any) -> None:
        """A line of truth that is not a fault's edge."""
        self._write({"at": self.now().isoformat(), "event": event, **what})

    def _turn(self, event: str, fault: Fault) -> None:
        self._conditions = self._weigh(self.active.values())
        for listener in self.listeners:
            listener()
        at = self.now()
        root, nodes = self.plan.hit(fault)
        self._write(
            {
                "at": at.isoformat(),
                "event": event,
                "fault": fault.kind,
                "title": fault.title,
                "target": fault.target,
                "root": root,
                "nodes": sorted(nodes),
            }
        )

    def _weigh(self, faults: Iterable[Fault]) -> dict[str, Condition]:
        found: dict[str, Condition] = {}
        for fault in faults:
            _, nodes = self.plan.hit(fault)
            for node in nodes:
                before = found.get(node, FINE)
                found[node] = Condition(
                    cut=before.cut or fault.kind in ("link", "carrier", "hub", "uplink", "flap", "site"),
                    refused=before.refused or fault.kind == "refused",
                    wrong=before.wrong or fault.kind == "wrong_page",
                    delay=max(before.delay, self.slow if fault.kind == "slow" else 0.0),
                    expired=before.expired or fault.kind == "certificate",
                )
        return found

    def _write(self, line: Mapping[str, Any]) -> None:
        with self.truth.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
            file.flush()
            os.fsync(file.fileno())
