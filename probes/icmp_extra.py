"""More packets at once when some of a run's seem lost: how many, and when to look.

Owns: when a packet that is not answered yet is plausibly lost, how many more its run may send, and the bell that ends a run.
Never: sends a packet itself, touches a socket, or knows what a check makes of the loss.

A burst of few packets says little: of ten at 5 % random loss, four runs in ten lose one or more. The further packets make the figure sharper
where it is in question, in the same run, while the first ones may still come back until its end. Every packet counts, and the loss of many runs
taken together (all that were lost by all that were sent) is still right, because what is sent further depends on packets sent before and never
on its own fate: E[lost] = p E[sent], Wald's identity (A. Wald, "On Cumulative Sums of Random Variables", Annals of Mathematical Statistics
15, 1944). That holds for losses that are independent. The mean of the runs' own ratios is too low, and where losses come in bursts
longer than the wait below, the bad moments are looked at more closely than the good ones.
"""

import asyncio
from collections.abc import Callable
from typing import Final, NamedTuple

from probes.echo_flight import TOKEN, Door, Flight

SILENCE: Final = 1.0
"""Seconds without any answer after which a packet is plausibly lost: the first retransmission timeout of RFC 6298 §2.1."""

FLOOR: Final = 0.2
"""Seconds that an answer may take at the least, however quick the others were (Linux's least retransmission timeout)."""

MULTIPLE: Final = 3
"""So many times the longest round trip of the run so far an answer may take."""

FEW: Final = 3
"""Packets sent further when nothing at all was answered: they tell silence from bad luck. A dead link must not cost more than a live one."""

MOST: Final = 20
"""Packets sent further when the check does not say how many: with more sent already, little is in question."""

GAP: Final = 0.05
"""Seconds between them at most."""

REMEMBERED: Final = 65_536
"""Silent targets remembered."""


class Look(NamedTuple):
    """So many packets are to be sent now, `gap` seconds apart; look again in so many seconds, None: no more."""

    more: int
    gap: float
    again: float | None


def look(flight: Flight, now: int, left: float, few: int = FEW) -> Look:
    """What to do about a run of which `left` seconds are left; `now` in nanoseconds of the clock that its packets were sent by.

    At most `few` are sent when nothing at all was answered, and only as many as have time to come back. Nothing is sent while our own kernel
    does not take what we send.
    """
    plan, done = flight.plan, len(flight.sent) - flight.plan.count
    known = [rtt for rtt in flight.rtts if rtt is not None]
    patience = max(FLOOR, MULTIPLE * max(known) / 1e9) if known else SILENCE
    gap = min(plan.spacing, GAP)
    if done >= plan.extra or left < patience or flight.result.refused is not None:
        return Look(0, gap, None)
    # The few stayed silent as well; or a router said of every packet that it cannot pass.
    if not known and (done or flight.left <= 0):
        return Look(0, gap, None)
    waiting = [sent for sent, rtt in zip(flight.sent, flight.rtts, strict=True) if sent and rtt is None]
    if not waiting:
        return Look(0, gap, SILENCE)
    # Where nobody is waited for any more, those without an answer are lost: an error said so.
    overdue = (now - min(waiting)) / 1e9 - patience
    if overdue < 0 and flight.left > 0:
        return Look(0, gap, max(-overdue, 0.001))
    wanted = (plan.extra if known else min(plan.extra, few)) - done
    fitting = 1 + int((left - patience) / gap) if gap else wanted
    more = min(wanted, fitting)
    return Look(more, gap, more * gap + SILENCE if more and not known else None)


class Watches:
    """What the bells of all runs share, and which targets were silent in their last run: of those nothing more is in question.

    `monotonic` is the clock that packets are sent by, in nanoseconds; `entropy(n)` gives n unpredictable bytes; `read` takes what has arrived
    through a door, and says how many packets that were.
    """

    __slots__ = ("entropy", "monotonic", "read", "send", "silent")

    def __init__(
        self,
        monotonic: Callable[[], int],
        entropy: Callable[[int], bytes],
        send: Callable[[Flight, int, int, float, asyncio.AbstractEventLoop], None],
        read: Callable[[Door], int],
    ) -> None:
        self.monotonic, self.entropy, self.send, self.read = monotonic, entropy, send, read
        self.silent: set[bytes] = set()


class Watch:
    """The bell of one run: it rings at loop time `until`, which ends it, and before that when packets may have been lost."""

    __slots__ = ("_bell", "_few", "_flight", "_loop", "_patient", "_shared", "_until")

    def __init__(self, shared: Watches, flight: Flight, until: float, loop: asyncio.AbstractEventLoop) -> None:
        self._shared, self._flight, self._until, self._loop = shared, flight, until, loop
        plan, self._few, self._patient = flight.plan, FEW, until
        first = until
        if plan.extra:
            now = loop.time()
            self._patient = first = min(until, now + SILENCE)
            if flight.peers[0] in shared.silent:
                self._few = 0
            else:
                # When the burst is sent and could have been answered: a run that loses nothing is over by then.
                first = min(first, now + (plan.count - 1) * plan.spacing + FLOOR)
        self._bell = loop.call_at(first, self._ring)

    async def over(self) -> None:
        """Wait until every packet of the run is accounted for, further ones too."""
        await self._flight.end
        # An error may have said of some packets that they are lost while others were answered.
        while self._flight.result.error is not None and self._more():
            await self._flight.end

    def stop(self) -> None:
        """It rings no more."""
        self._bell.cancel()
        result, silent = self._flight.result, self._shared.silent
        if result.rtts:
            silent.discard(self._flight.peers[0])
        elif self._flight.plan.extra and result.sent:
            if len(silent) >= REMEMBERED:
                silent.clear()
            silent.add(self._flight.peers[0])

    def _ring(self) -> None:
        now = self._loop.time()
        if now >= self._until:
            self._flight.settle(self._flight.left)
        elif now < self._patient and not self._flight.result.rtts:
            self._bell = self._loop.call_at(self._patient, self._ring)
        else:
            self._more()

    def _more(self) -> bool:
        """Send what is to be sent now. Whether it was anything."""
        flight, now, shared = self._flight, self._loop.time(), self._shared
        seen = look(flight, shared.monotonic(), self._until - now, self._few)
        while seen.more and shared.read(flight.door):
            # It may have been us who were slow to read.
            seen = look(flight, shared.monotonic(), self._until - now, self._few)
        self._bell.cancel()
        again = self._until if seen.again is None else min(self._until, now + seen.again)
        self._bell = self._loop.call_at(again, self._ring)
        if seen.more:
            if flight.end.done():
                flight.end = self._loop.create_future()
            start = flight.extend(shared.entropy(TOKEN * seen.more))
            shared.send(flight, start, start + seen.more, seen.gap, self._loop)
        return seen.more > 0
