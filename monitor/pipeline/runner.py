"""Running checks: one task a run, so many at once of each kind, and nothing a slow target can do to the others.

Owns: who runs now, who waits for a place, and the failed outcomes held back until the anchors have answered.
Never: judges or stores; outcomes go to the desk.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime

from monitor.model import Check, SelfCheck
from monitor.pipeline.anchors import Anchors
from probes import Outcome, Reason, Seen, Workbench, run

Take = Callable[[str, Outcome], None]


def not_looked(reason: Reason, detail: str, at: datetime) -> Outcome:
    """The outcome of a slot in which nobody looked."""
    return Outcome(seen=Seen.BLIND, reason=reason, detail=detail, started_at=at, seconds=0.0)


class Runner:
    """Fires checks. `limit` is how many runs of one kind may be under way; further ones wait their turn, at most until their next slot.

    A place is needed only against running out of descriptors: it is wide enough that every target of a province may hang at once.
    """

    def __init__(
        self,
        checks: Mapping[str, Check],
        workbench: Workbench,
        anchors: Anchors,
        monitor: SelfCheck,
        take: Take,
        *,
        limit: int,
        late: Callable[[float], None],
    ) -> None:
        self._checks, self._workbench, self._anchors, self._monitor = checks, workbench, anchors, monitor
        self._take, self._limit, self._late = take, limit, late
        self._running: dict[str, asyncio.Task[None]] = {}
        self._waiting: dict[str, deque[str]] = {}
        self._queued: set[str] = set()
        self._under_way: dict[str, int] = {}

    def change(self, checks: Mapping[str, Check], monitor: SelfCheck, anchors: Anchors) -> None:
        """From now on these are the checks; runs under way end as they began."""
        self._checks, self._monitor, self._anchors = checks, monitor, anchors

    def fire(self, check: str, lateness: float) -> None:
        """It is this check's time. A run still under way serves for this slot too; one still waiting for a place has missed its own."""
        self._late(lateness)
        if check in self._running:
            return
        if check in self._queued:
            detail = "no place to run it before its next turn"
            self._take(check, not_looked(Reason.OWN_OVERLOAD, detail, self._workbench.now()))
            return
        known = self._checks.get(check)
        if known is None:
            return
        if self._under_way.get(known.kind, 0) >= self._limit:
            self._queued.add(check)
            self._waiting.setdefault(known.kind, deque()).append(check)
            return
        self._start(known)

    def skipped(self, check: str, slots: int) -> None:
        """So many slots of this check passed while we stood still: they are unknown, and nothing makes up for them."""
        detail = f"{slots} slot(s) passed while the monitor stood still"
        self._take(check, not_looked(Reason.OWN_STALL, detail, self._workbench.now()))

    async def once(self, check: Check, timeout: float) -> Outcome:
        """Run a check now, beside its cadence; the outcome goes to nobody else."""
        return await run(check.kind, check.spec, self._workbench, timeout=timeout)

    async def stop(self) -> None:
        """Cut off what runs."""
        tasks = list(self._running.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _start(self, check: Check) -> None:
        self._under_way[check.kind] = self._under_way.get(check.kind, 0) + 1
        self._running[check.id] = asyncio.create_task(self._run(check))

    async def _run(self, check: Check) -> None:
        try:
            try:
                outcome = await run(check.kind, check.spec, self._workbench, timeout=check.timeout.total_seconds())
            finally:
                self._release(check.kind)
            if outcome.seen is Seen.FAILED:
                outcome = await self._believed(outcome)
            self._take(check.id, outcome)
        finally:
            # Only now: a later run of the same check must not overtake this one at the anchors.
            self._running.pop(check.id, None)

    async def _believed(self, outcome: Outcome) -> Outcome:
        """The failed outcome when enough anchors answer after it; else a blind one: it was our own line that failed."""
        answers = await self._anchors.ask()
        if not answers or sum(answers.values()) >= self._monitor.quorum:
            return outcome
        detail = f"{sum(answers.values())} of {len(answers)} anchors answer; {outcome.reason.value} is not believed"
        return replace(outcome, seen=Seen.BLIND, reason=Reason.OWN_NETWORK, detail=detail)

    def _release(self, kind: str) -> None:
        self._under_way[kind] -= 1
        waiting = self._waiting.get(kind)
        while waiting:
            check = waiting.popleft()
            self._queued.discard(check)
            known = self._checks.get(check)
            if known is not None:
                self._start(known)
                return
