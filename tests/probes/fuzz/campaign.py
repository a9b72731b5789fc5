"""A campaign: many cases side by side, each judged by what must hold whatever a target sends.

A case that ran late, or was told to be our own stall, on a busy machine is run once more, alone: what is the probe's doing happens again.
"""

import asyncio
import gc
import math
import os
import socket
import time
import tracemalloc
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import probes
from probes.contract import Address, Family, Outcome, ProbeError, Reason, Seen
from probes.echo import EchoEngine
from probes.tools import Workbench
from probes.trust import Trust
from tests.probes.fuzz.cases import Case, Lane, Row
from tests.probes.fuzz.servers import serving

GRACE = 0.25
"""Seconds beyond its deadline within which every run has to end."""

MOST_GROWTH = 2 << 20
"""Bytes one run may hold at its worst moment, its server's among them."""


class OnlyHere:
    """No mutated name leaves the machine."""

    async def resolve(self, host: str, family: Family, deadline: float) -> tuple[Address, ...]:
        if not host.endswith(".vn"):
            raise ProbeError(Reason.DNS_NXDOMAIN, f"{host} does not exist")
        return (Address(socket.AF_INET, "127.0.0.1"),)

    async def aclose(self) -> None:
        return


class Bench:
    """The row's servers and a workbench for each, open."""

    def __init__(self, row: Row, lanes: list[Lane], benches: list[Workbench]) -> None:
        self.row, self.lanes, self.benches = row, lanes, benches

    async def meet(self, case: Case, number: int) -> tuple[Outcome, float]:
        """One run against one lane: its outcome, and the seconds it took."""
        lane, bench = self.lanes[number], self.benches[number]
        if self.row.forgets:
            bench.kept.clear()
        lane.case = case
        spec = lane.specs[case.number % len(lane.specs)]
        started = time.perf_counter()
        outcome = await probes.run(self.row.kind, spec, bench, timeout=self.row.timeout)
        return outcome, time.perf_counter() - started


@asynccontextmanager
async def bench(row: Row, lanes: int) -> AsyncIterator[Bench]:
    rows = [Lane(row) for _ in range(lanes)]
    async with serving(rows) as province:
        engine = None if province is None else EchoEngine(os.urandom, open_socket=province.open_socket)
        trust, benches = Trust(), []
        for _ in rows:
            one = Workbench(
                lambda: datetime.now(UTC), resolver=OnlyHere(), allowed_hosts=lambda host: True, entropy=row.entropy
            )
            one.trust = trust
            one._echo = engine
            benches.append(one)
        try:
            yield Bench(row, rows, benches)
        finally:
            for one in benches:
                await one.aclose()


def wrong(row: Row, outcome: Outcome, spent: float) -> str:
    """What must not be so, in words; empty when all is well."""
    allowed = probes.KINDS[row.kind].facts.keys() | row.free_facts
    if not isinstance(outcome.reason, Reason) or (outcome.seen is Seen.OK) != (outcome.reason is Reason.OK):
        return f"no reason of the list: {outcome}"
    if outcome.reason.ours:
        return f"the target's bytes are called our fault: {outcome}"
    if not outcome.detail.isprintable() or len(outcome.detail) > 200:
        return f"the detail is not one clean line: {outcome}"
    if not outcome.facts.keys() <= allowed:
        return f"facts that the kind does not have: {outcome.facts.keys() - allowed}"
    if not all(_number(value) for value in (*outcome.facts.values(), *outcome.phases.values())):
        return f"facts that are no numbers: {outcome}"
    if spent > row.timeout + GRACE:
        return f"over its deadline: {spent:.2f} s of {row.timeout:g} s: {outcome}"
    return ""


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and math.isfinite(value)


async def campaign(row: Row, numbers: Sequence[int], *, seed: int = 37) -> Counter[Reason]:
    """Run these cases; AssertionError names those that broke a promise, and how to run them again."""
    found: Counter[Reason] = Counter()
    suspects: list[tuple[int, str]] = []
    turns = iter(numbers)
    async with bench(row, row.lanes) as here:

        async def lane(number: int) -> None:
            for turn in turns:
                outcome, spent = await here.meet(Case(row, turn, seed), number)
                words = wrong(row, outcome, spent)
                if words:
                    suspects.append((turn, words))
                if not _late(words):
                    found[outcome.reason] += 1

        await asyncio.gather(*(lane(number) for number in range(row.lanes)))
        plain = [words for _, words in suspects if not _late(words)]
        assert len(plain) < 50, f"{row.name}: {len(plain)} cases, among them {plain[:5]}"
        guilty = await _again(here, suspects, seed, found)
    assert not guilty, (
        f"{row.name}, seed {seed}: cases {guilty}: {[words for turn, words in suspects if turn in guilty][:5]}"
    )
    return found


def _late(words: str) -> bool:
    return "deadline" in words or Reason.OWN_STALL in words


async def _again(here: Bench, suspects: list[tuple[int, str]], seed: int, found: Counter[Reason]) -> list[int]:
    """The guilty among the suspects: lateness must show again on a quiet loop, twice; all else is believed at once."""
    guilty = [turn for turn, words in suspects if not _late(words)]
    waiting = iter([turn for turn, words in suspects if _late(words)])

    async def lane(number: int) -> None:
        for turn in waiting:
            for last in (False, True):
                await asyncio.sleep(0.05)
                outcome, spent = await here.meet(Case(here.row, turn, seed), number)
                late = bool(wrong(here.row, outcome, spent))
                if last or not late:
                    found[outcome.reason] += 1
                    break
            if late:
                guilty.append(turn)

    await asyncio.gather(*(lane(number) for number in range(min(8, here.row.lanes))))
    return guilty


async def growth(row: Row, numbers: Sequence[int], *, seed: int = 37) -> int:
    """Bytes that the worst of these cases held at its worst moment, beyond what was held before it; its server's included."""
    worst = 0
    async with bench(row, 1) as here:
        for turn in range(len(row.keys) * 2):  # What is made once is made now.
            await here.meet(Case(row, turn, seed), 0)
        tracemalloc.start()
        try:
            for turn in numbers:
                case = Case(row, turn, seed)
                tracemalloc.reset_peak()
                before = tracemalloc.get_traced_memory()[0]
                await here.meet(case, 0)
                worst = max(worst, tracemalloc.get_traced_memory()[1] - before)
        finally:
            tracemalloc.stop()
    gc.collect()
    return worst
