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
from monitor.model.habits import Learned
from monitor.rules.topology import House
from monitor.rules.world import Draft, World, observe, tick
from monitor.schedule import Clock
from monitor.store import Batch, Sample, Store, StoreError, StoreLostError
from probes import Outcome

log = structlog.get_logger()
Result = TypeVar("Result")
Deed = Callable[[Draft, datetime], Any]
Waiting = tuple[Deed, asyncio.Future[Any]]

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
        self._deeds: deque[Waiting] = deque()
        self._something = asyncio.Event()
        self.dropped = self.mistakes = 0
        self.mistaken_at: datetime | None = None
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
            now = self._clock.now()
            draft, results, batch = self._judged(outcomes, deeds, now, with_tick=with_tick)
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

    def _judged(
        self, outcomes: list[tuple[str, Outcome]], deeds: Sequence[Waiting], now: datetime, *, with_tick: bool
    ) -> tuple[Draft, list[Any], Batch]:
        """A draft of everything, and the batch to store.

        A mistake of ours in judging one outcome must not silence the judge of all others: the outcome is taken out, loudly, and the
        draft, which may be half changed by it, is made anew.
        """
        while True:
            draft = Draft(self.world)
            try:
                for place, (check, outcome) in enumerate(outcomes):  # noqa: B007 Read when it fails.
                    observe(draft, self.house, check, outcome, now)
            except Exception:
                self._mistake("judging.failed", now, check=outcomes[place][0])
                del outcomes[place]
                continue
            results = [self._done(deed, draft, now) for deed, _ in deeds]
            if with_tick:
                try:
                    tick(draft, self.house, [w for w in self.windows if w.start <= now], now)
                except Exception:
                    self._mistake("tick.failed", now)
                    with_tick = False
                    continue
            return draft, results, self._batch(draft, outcomes, now)

    @staticmethod
    def _done(deed: Deed, draft: Draft, now: datetime) -> Any:
        try:
            return deed(draft, now)
        except Exception as problem:
            return problem

    def _mistake(self, event: str, now: datetime, **what: Any) -> None:
        log.exception(event, **what)
        self.mistakes += 1
        self.mistaken_at = now

    def _batch(self, draft: Draft, outcomes: Sequence[tuple[str, Outcome]], now: datetime) -> Batch:
        checks = self.catalogue.checks
        messages: list[Message] = []
        for event in draft.events:
            try:
                messages.extend(self._compose(self.catalogue, event, now))
            except Exception:
                self._mistake("message.unmade", now, incident=event.incident.id, type=event.type.value)
        return Batch(
            samples=[Sample.of(check, outcome) for check, outcome in outcomes if check in checks],
            checks=list(draft.checks.values()),
            nodes=list(draft.nodes.values()),
            transitions=list(draft.transitions),
            incidents=list(draft.incidents.values()),
            events=list(draft.events),
            messages=messages,
            habits=[Learned(check=one.check, at=now, normals=one.normals) for one in draft.learned.values()],
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
