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

from probes.echo_flight import TOKEN, Flight

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

Send = Callable[[Flight, int, int, float, asyncio.AbstractEventLoop], None]
"""Send packets of a flight from one index to before another, so many seconds apart."""


class Look(NamedTuple):
    """So many packets are to be sent now, `gap` seconds apart; look again in so many seconds, None: no more."""

    more: int
    gap: float
    again: float | None


def look(flight: Flight, now: int, left: float) -> Look:
    """What to do about a run of which `left` seconds are left; `now` in nanoseconds of the clock that its packets were sent by.

    Further packets are sent only as far as each has time to come back. Nothing is sent when our own kernel does not take what we send.
    """
    plan, done = flight.plan, len(flight.sent) - flight.plan.count
    known = [rtt for rtt in flight.rtts if rtt is not None]
    patience = max(FLOOR, MULTIPLE * max(known) / 1e9) if known else SILENCE
    gap = min(plan.spacing, GAP)
    if done >= plan.extra or left < patience or flight.result.refused is not None:
        return Look(0, gap, None)
    if not known and (done or flight.left <= 0):
        return Look(
            0, gap, None
        )  # The few stayed silent as well; or a router said of every packet that it cannot pass.
    waiting = [sent for sent, rtt in zip(flight.sent, flight.rtts, strict=True) if sent and rtt is None]
    if not waiting:
        return Look(0, gap, SILENCE)
    # Where nobody is waited for any more, those without an answer are lost: an error said so.
    overdue = (now - min(waiting)) / 1e9 - patience
    if overdue < 0 and flight.left > 0:
        return Look(0, gap, max(-overdue, 0.001))
    wanted = (plan.extra if known else min(plan.extra, FEW)) - done
    fitting = 1 + int((left - patience) / gap) if gap else wanted
    more = min(wanted, fitting)
    return Look(more, gap, None if known else more * gap + SILENCE)


class Watch:
    """The bell of one run: it rings at loop time `until`, which ends it, and before that when packets may have been lost.

    `monotonic` is the clock that packets are sent by, in nanoseconds; `entropy(n)` gives n unpredictable bytes.
    """

    __slots__ = ("_bell", "_entropy", "_flight", "_loop", "_monotonic", "_send", "_until")

    def __init__(
        self,
        flight: Flight,
        until: float,
        loop: asyncio.AbstractEventLoop,
        monotonic: Callable[[], int],
        entropy: Callable[[int], bytes],
        send: Send,
    ) -> None:
        self._flight, self._until, self._loop = flight, until, loop
        self._monotonic, self._entropy, self._send = monotonic, entropy, send
        plan, first = flight.plan, until
        if plan.extra:
            # When the burst is sent and could have been answered: a run that loses nothing is over by then.
            first = min(until, loop.time() + min((plan.count - 1) * plan.spacing + FLOOR, SILENCE))
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

    def _ring(self) -> None:
        if self._loop.time() >= self._until:
            self._flight.settle(self._flight.left)
        else:
            self._more()

    def _more(self) -> bool:
        """Send what is to be sent now. Whether it was anything."""
        flight, now = self._flight, self._loop.time()
        more, gap, again = look(flight, self._monotonic(), self._until - now)
        self._bell.cancel()
        self._bell = self._loop.call_at(self._until if again is None else min(self._until, now + again), self._ring)
        if more:
            if flight.end.done():
                flight.end = self._loop.create_future()
            start = flight.extend(self._entropy(TOKEN * more))
            self._send(flight, start, start + more, gap, self._loop)
        return more > 0
