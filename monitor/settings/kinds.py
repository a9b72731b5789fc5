"""The kinds of probes and receivers there are right now: those in effect, and those to come.

Owns: bringing `probes.KINDS`, the receivers handed to `load` and the table of later work to one form.
Never: keeps anything; the tables are looked up when a file is read.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import probes
from monitor.settings import later
from probes.contract import Fact


@dataclass(frozen=True, slots=True)
class Row:
    """One kind: the type its keys are read into, what it measures, and whether an engine reads it yet."""

    name: str
    spec: Any
    facts: Mapping[str, Fact] = field(hash=False)
    addresses: tuple[str, ...]
    in_effect: bool
    summary: str = ""
    degraded_if: tuple[str, ...] = ()
    confirm: Mapping[str, int] = field(default_factory=dict, hash=False)
    facts_of: Callable[[Any], Mapping[str, Fact]] | None = None
    unique: tuple[str, ...] = ()

    def all_facts(self, spec: Any) -> Mapping[str, Fact]:
        """What one spec measures."""
        return self.facts if self.facts_of is None else {**self.facts, **self.facts_of(spec)}


class ReceiverKind(Protocol):
    """What the settings need of a kind of receiver: the type that its keys are read into, and a sentence."""

    @property
    def spec(self) -> type[Any]: ...

    @property
    def summary(self) -> str: ...


STEP_ADDRESSES: Final = ("get", "post", "put", "delete")
"""The keys of a journey's step that say where its target is."""


def probe_rows() -> dict[str, Row]:
    """Kinds of probes by name."""
    return {
        kind.name: Row(
            kind.name,
            kind.spec,
            kind.facts,
            kind.addresses,
            in_effect=True,
            summary=kind.summary,
            degraded_if=kind.degraded_if,
            confirm=kind.confirm,
            facts_of=kind.facts_of,
            unique=kind.unique,
        )
        for kind in probes.KINDS.values()
    }


def receiver_rows(known: Mapping[str, ReceiverKind]) -> dict[str, Row]:
    """Kinds of receivers by name; `known` are those that can be sent to."""
    rows = {
        name: Row(name, kind.spec, {}, ("url",), in_effect=True, summary=kind.summary) for name, kind in known.items()
    }
    for name, spec in later.RECEIVERS.items():
        ready = not known and name == "webhook"
        rows.setdefault(name, Row(name, spec, {}, ("url",), in_effect=ready, summary=spec.__doc__ or ""))
    return rows
