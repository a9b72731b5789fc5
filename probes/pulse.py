"""The loop's own heartbeat: did we stand still while a probe was waiting?

Owns: noticing that the event loop stalled (a blocking call, a stopped process, a starved machine). Never: guesses from a target's latency.
"""

import asyncio
import time
from typing import Final

PULSE: Final = 0.25
"""Seconds between two beats."""

STALL: Final = 0.5
"""A beat that comes this many seconds late means that the loop stood still: what timed out meanwhile timed out through us."""


class Pulse:
    """Notices that the event loop stood still: one timer for the whole workbench, whatever the number of probes."""

    def __init__(self) -> None:
        self._timer: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._due = 0.0
        self._stalled_until = float("-inf")
        self._stalled_for = 0.0

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin beating in this loop; nothing happens when it already does."""
        if self._loop is not loop:
            self.stop()
            self._loop = loop
            self._beat()

    def stop(self) -> None:
        """Stop beating."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop = None

    def stalled_since(self, moment: float) -> float:
        """Seconds for which the loop last stood still after `moment` (monotonic); 0.0 when it did not."""
        late = time.monotonic() - self._due if self._loop is not None else 0.0
        if late > STALL:
            return late
        return self._stalled_for if self._stalled_until > moment else 0.0

    def _beat(self) -> None:
        now = time.monotonic()
        if self._timer is not None and now - self._due > STALL:
            self._stalled_until, self._stalled_for = now, now - self._due
        assert self._loop is not None
        self._due = now + PULSE
        self._timer = self._loop.call_later(PULSE, self._beat)
