"""The desk: outcomes come in, are judged in order, stored in one transaction, and only then made known.

Owns: the world. It changes in this one place, after the commit that holds the change, never before.
Never: runs probes or talks to receivers.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar

import structlog

from monitor.model import Catalogue, IncidentEvent, Message, Recheck, Transition, Window
from monitor.rules.topology import House
from monitor.rules.world import Draft, World, observe, tick
from monitor.schedule import Clock
from monitor.store import Batch, Sample, Store, StoreError, StoreLostError
from probes import Outcome

log = structlog.get_logger()
Result = TypeVar("Result")
Deed = Callable[[Draft, datetime], Any]

GATHER: Final = 0.1
"""Seconds for which outcomes gather before they are judged and stored together."""

MOST: Final = 500
"""Outcomes in one transaction at the most."""

TICK: Final = 1.0
"""Seconds between two looks at what the passing of time alone brings about."""

ROOM: Final = 100_000
"""Outcomes that may wait while the store is in trouble; beyond it the oldest are let go, counted, and nothing is judged from them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """What has just become durable, for all who show it."""

    outcomes: Sequence[tuple[str, Outcome]]
    transitions: Sequence[Transition]
    events: Sequence[IncidentEvent]
    messages: Sequence[Message]
    rechecks: Sequence[Recheck]


class Desk:
    """Feed it by `put`; make it do something by `act`; `run` works until cancelled. `publish` hears what was committed."""

    def __init__(
        self,
        *,
        world: World,
        house: House,
        catalogue: Catalogue,
        store: Store,
        clock: Clock,
        compose: Callable[[Catalogue, IncidentEvent, datetime], Sequence[Message]],
        publish: Callable[[News], None],
    ) -> None:
        self.world, self.house, self.catalogue = world, house, catalogue
        self.windows: tuple[Window, ...] = ()
        self._store, self._clock, self._compose, self._publish = store, clock, compose, publish
        self._inbox: deque[tuple[str, Outcome]] = deque()
        self._deeds: deque[tuple[Deed, asyncio.Future[Any]]] = deque()
        self._something = asyncio.Event()
        self.dropped = 0
        self.trouble: str = ""
        self.committed_at = self.turned_at = clock.now()

    def put(self, check: str, outcome: Outcome) -> None:
        """An outcome to be judged."""
        if len(self._inbox) >= ROOM:
            self._inbox.popleft()
            self.dropped += 1
        self._inbox.append((check, outcome))
        self._something.set()

    async def act(self, deed: Callable[[Draft, datetime], Result]) -> Result:
        """Let `deed` change the draft between two batches; its result, once what it did is durable. Its exceptions are the caller's."""
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._deeds.append((deed, future))
        self._something.set()
        return await future

    def post(self, deed: Deed) -> None:
        """The same for those who do not wait for it."""
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        future.add_done_callback(lambda done: done.cancelled() or done.exception())
        self._deeds.append((deed, future))
        self._something.set()

    async def run(self) -> None:
        """Judge, store, publish, for ever. StoreLostError ends it: another daemon may be the owner now."""
        loop = asyncio.get_running_loop()
        ticked = float("-inf")
        while True:
            try:
                async with asyncio.timeout(max(0.0, ticked + TICK - loop.time())):
                    await self._something.wait()
            except TimeoutError:
                pass
            if not self._deeds and len(self._inbox) < MOST:
                await asyncio.sleep(GATHER)
            self._something.clear()
            due = loop.time() >= ticked + TICK
            if due:
                ticked = loop.time()
            await self._turn(with_tick=due)
            self.turned_at = self._clock.now()
            if self._inbox or self._deeds:
                self._something.set()

    async def drain(self) -> None:
        """Judge and store what has come in, once more, before the end."""
        while self._inbox or self._deeds:
            await self._turn(with_tick=False)

    async def _turn(self, *, with_tick: bool) -> None:
        outcomes = [self._inbox.popleft() for _ in range(min(MOST, len(self._inbox)))]
        deeds = [self._deeds.popleft() for _ in range(len(self._deeds))]
        wait = 0.5
        while True:
            draft, now = Draft(self.world), self._clock.now()
            results = self._judge(draft, outcomes, deeds, now, with_tick=with_tick)
            batch = self._batch(draft, outcomes, now)
            try:
                if batch.rows:
                    await self._store.commit(batch)
            except StoreLostError:
                raise
            except StoreError as problem:
                # What was not stored has not happened: the draft is dropped, and the same outcomes are judged again.
                self.trouble = str(problem)
                log.warning("store.trouble", problem=str(problem), waiting=len(self._inbox))
                await asyncio.sleep(wait)
                wait = min(wait * 2, 5.0)
                continue
            break
        self.trouble, self.committed_at = "", now
        draft.apply()
        self._tell(draft, outcomes, batch)
        for (_, future), result in zip(deeds, results, strict=True):
            if not future.done():
                future.set_exception(result) if isinstance(result, Exception) else future.set_result(result)

    def _judge(
        self,
        draft: Draft,
        outcomes: Sequence[tuple[str, Outcome]],
        deeds: Sequence[tuple[Deed, asyncio.Future[Any]]],
        now: datetime,
        *,
        with_tick: bool,
    ) -> list[Any]:
        for check, outcome in outcomes:
            observe(draft, self.house, check, outcome, now)
        results: list[Any] = []
        for deed, _ in deeds:
            try:
                results.append(deed(draft, now))
            except Exception as problem:
                results.append(problem)
        if with_tick:
            tick(draft, self.house, self.windows, now)
        return results

    def _batch(self, draft: Draft, outcomes: Sequence[tuple[str, Outcome]], now: datetime) -> Batch:
        checks = self.catalogue.checks
        messages = [message for event in draft.events for message in self._compose(self.catalogue, event, now)]
        return Batch(
            samples=[Sample.of(check, outcome) for check, outcome in outcomes if check in checks],
            checks=list(draft.checks.values()),
            nodes=list(draft.nodes.values()),
            transitions=list(draft.transitions),
            incidents=list(draft.incidents.values()),
            events=list(draft.events),
            messages=messages,
        )

    def _tell(self, draft: Draft, outcomes: Sequence[tuple[str, Outcome]], batch: Batch) -> None:
        self._publish(
            News(
                outcomes=outcomes,
                transitions=batch.transitions,
                events=batch.events,
                messages=batch.messages,
                rechecks=list(draft.rechecks),
            )
        )


STALE: Final = timedelta(seconds=15)
"""Without a finished turn for so long the desk is not well."""
