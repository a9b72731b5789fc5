"""What of one receiver waits to be told together, and the step that lets it leave.

Owns: the lanes whose head waits, what was sent lately, and which lanes are told in which message. What leaves, and how, is durable before a byte
of it is sent. Never: decides when (`storm` does), tries a delivery (the desk does), or makes words (`notify` does).
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from datetime import datetime
from functools import partial
from typing import Any, Final, Protocol

import structlog

from monitor.model import Message, Receiver
from monitor.notify import ENDS
from monitor.outbox.lanes import Entry, Lane
from monitor.outbox.post import Post
from monitor.outbox.storm import Law, Past, Request, Waiting, weigh
from monitor.store import Released

_log = structlog.get_logger(__name__)

Together = Callable[[str, Sequence[Message]], Message]
"""Makes the one message to a receiver that tells these."""

MANY: Final = 250
"""Messages of which one is made beside the loop, not in it: a hundred take some ten milliseconds."""

Leaving = Coroutine[Any, Any, None]

Runs = dict[str, list[Entry]]
"""What may leave, by lane."""


class Home(Protocol):
    """What a gatherer asks of the desk it works for."""

    name: str
    lanes: dict[str, Lane]

    @property
    def receiver(self) -> Receiver | None:
        """Whom it sends to; None while there is nobody."""

    @property
    def failing_since(self) -> float | None:
        """Loop time; None while the receiver answers, or nothing is being tried."""

    @property
    def quiet_until(self) -> float:
        """Loop time until which the receiver asked to be left alone."""

    @property
    def store(self) -> Post:
        """Where it is durable."""

    @property
    def together(self) -> Together | None:
        """None: nothing is ever told together."""

    def now(self) -> datetime:
        """The wall clock."""

    def ready(self, name: str, lane: Lane, due: float) -> None:
        """A lane's head has changed, or what may become of it."""

    def schedule(self, name: str, lane: Lane, due: float) -> None:
        """A lane's head may be tried from `due` on."""

    def adopt(self, message: Message) -> None:
        """A message more, made and stored by us."""

    async def insist(self, write: Callable[[], Awaitable[object]]) -> None:
        """Write until it is written."""


class Gatherer:
    """One for each desk. `recall` what was sent before it works; `look` whenever something has changed, or its time has come."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.held: dict[str, None] = {}
        self.told: dict[str, list[str]] = {}
        self.past = Past()
        self.last: float | None = None
        self.recalled = False
        self.leaving = False

    def recall(self, rows: Iterable[Released], now: datetime, clock: float) -> None:
        """What was let go before this process began; `clock` is the loop's time at `now`."""
        known = list(rows)
        inside: dict[str, list[Released]] = {}
        for row in known:
            inside.setdefault(row.told_in, []).append(row)
        for row in known:
            at = clock - max((now - row.at).total_seconds(), 0.0)
            if row.told_in:
                self.past.told(at, [(row.lane, row.type in ENDS)])
            elif told := inside.get(row.message):
                self.past.requests.append(Request(at, frozenset(each.lane for each in told), gathered=True))
            else:
                self.past.left(at, [(row.lane, row.type in ENDS)], gathered=False)
        self.past.requests.sort(key=lambda each: each.at)
        self.recalled = True

    def hold(self, name: str) -> None:
        """A lane's head waits."""
        self.held[name] = None

    def free(self, name: str) -> None:
        """It does not, or no more."""
        self.held.pop(name, None)

    def carry(self, message: str, lane: str) -> None:
        """What stands first in `lane` is told in `message`."""
        lanes = self.told.setdefault(message, [])
        if lane not in lanes:
            lanes.append(lane)

    def messages_in(self, message: str) -> list[str]:
        """The ids of what is told in it."""
        lanes = (self.home.lanes[name] for name in self.told.get(message, ()))
        return [entry.message.id for lane in lanes for entry in lane.queue if entry.told_in == message]

    def arrived(self, message: str) -> None:
        """It is delivered and recorded, and so is what was told in it."""
        for name in self.told.pop(message, ()):
            lane = self.home.lanes[name]
            lane.queue[:] = [entry for entry in lane.queue if entry.told_in != message]
            if lane.queue:
                clock = asyncio.get_running_loop().time()
                lane.wait_from(clock)
                self.home.ready(name, lane, clock)
            else:
                del self.home.lanes[name]

    def count(self) -> int:
        """Messages that wait to be told together."""
        return sum(len(self.home.lanes[name].run) for name in self.held)

    def look(self, now: float) -> tuple[Leaving | None, float | None]:
        """What to do now, if anything, and when to look again (None: when something changes)."""
        if self.leaving or not self.recalled or not self.held:
            return None, None
        home = self.home
        if home.receiver is None:
            for name in list(self.held):
                self.free(name)
                home.schedule(name, home.lanes[name], now)
            return None, None
        runs = {name: home.lanes[name].run for name in self.held}
        urgent = [name for name, run in runs.items() if len(run) < len(home.lanes[name].queue)]
        if urgent:
            # What may not wait does not wait for what may.
            return self._alone({name: runs[name] for name in urgent}), None
        if home.receiver.gather is None or home.together is None:
            return self._alone(runs), None
        law = Law(home.receiver.gather.total_seconds())
        waiting = [
            Waiting(name, run[0].arrived, run[-1].arrived, run[-1].message.type in ENDS) for name, run in runs.items()
        ]
        verdict = weigh(waiting, self.past, now, law, not_before=max(self._patience(law), home.quiet_until))
        if verdict.alone:
            return self._alone({name: runs[name] for name in verdict.alone}), verdict.look
        if verdict.together:
            return self._as_one(runs, home.together), None
        return None, verdict.look

    def _patience(self, law: Law) -> float:
        """While the receiver fails, the next request is made after twice as long each time."""
        since = self.home.failing_since
        if since is None or self.last is None or self.last < since:
            return 0.0
        return self.last + max(law.window, self.last - since)

    def _take(self, runs: Runs) -> None:
        self.leaving = True
        for name in runs:
            self.home.lanes[name].busy = True

    def _left(self, runs: Runs) -> float:
        """They are on their way, and the lanes free for what comes next."""
        self.leaving = False
        self.last = asyncio.get_running_loop().time()
        for name in runs:
            self.free(name)
            lane = self.home.lanes[name]
            lane.busy = False
            self.home.ready(name, lane, self.last)
        return self.last

    def _alone(self, runs: Runs) -> Leaving:
        self._take(runs)
        return self._let_go(runs)

    async def _let_go(self, runs: Runs) -> None:
        """Each as it is."""
        home, ids = self.home, [entry.message.id for run in runs.values() for entry in run]
        await home.insist(lambda: home.store.release(ids, home.now()))
        for run in runs.values():
            for entry in run:
                entry.released = True
        at = self._left(runs)
        for name, run in runs.items():
            for entry in run:
                self.past.left(at, [(name, entry.message.type in ENDS)], gathered=False)

    def _as_one(self, runs: Runs, together: Together) -> Leaving:
        if sum(map(len, runs.values())) == 1:
            return self._alone(runs)
        self._take(runs)
        return self._tell(runs, together)

    async def _tell(self, runs: Runs, together: Together) -> None:
        """All in one message."""
        home, messages = self.home, [entry.message for run in runs.values() for entry in run]
        ids = [message.id for message in messages]
        try:
            if len(messages) > MANY:
                message = await asyncio.to_thread(together, home.name, messages)
            else:
                message = together(home.name, messages)
        except Exception:
            # A mistake of ours in the words must not silence what they are about.
            _log.exception("gathering.failed", receiver=home.name, messages=len(ids))
            await self._let_go(runs)
            return
        await home.insist(partial(home.store.gather, message, ids, home.now()))
        for name, run in runs.items():
            self.carry(message.id, name)
            for entry in run:
                entry.told_in = message.id
        at = self._left(runs)
        self.past.left(at, [(name, run[-1].message.type in ENDS) for name, run in runs.items()], gathered=True)
        _log.info("messages.gathered", receiver=home.name, message=message.id, messages=len(ids), incidents=len(runs))
        home.adopt(message)
