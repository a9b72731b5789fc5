"""The deadlines of many runs on few timers.

Owns: ending a run when its time is up. Runs with the same timeout end in the order they began, so one timer per distinct timeout serves
them all: a run costs one small object, whether there are ten or ten thousand of them waiting. Never: outlives its purpose silently; a run
that ended stays in the queue, empty, while an older one still waits.
"""

import asyncio
from collections import deque
from typing import Final

RESOLUTION: Final = 0.001
"""Seconds a deadline may be early: the resolution of uvloop's timers."""


class Deadline:
    """Cancels a task when its time is up, once. What `asyncio.timeout_at` does, at a fraction of the cost."""

    __slots__ = ("_cancelling", "_task", "passed", "when")

    def __init__(self, task: "asyncio.Task[object]", when: float) -> None:
        self._task: asyncio.Task[object] | None = task
        self._cancelling = task.cancelling()
        self.when = when
        self.passed = False

    @property
    def lifted(self) -> bool:
        """Whether the run is over."""
        return self._task is None

    def fire(self) -> None:
        """Time is up."""
        if self._task is not None:
            self.passed = True
            self._task.cancel()

    def caught(self, error: BaseException) -> bool:
        """Whether the run goes on to an outcome after this exception: false only for a cancellation that came from outside."""
        if self.passed and self._task is not None and self._task.uncancel() > self._cancelling:
            return False  # Both at once: whoever wants us gone comes first.
        return self.passed or not isinstance(error, asyncio.CancelledError)

    def lift(self) -> None:
        """The run is over."""
        self._task = None


class Deadlines:
    """All deadlines of one workbench, in one event loop."""

    __slots__ = ("_queues",)

    def __init__(self) -> None:
        self._queues: dict[float, deque[Deadline]] = {}

    def set(self, loop: asyncio.AbstractEventLoop, timeout: float) -> Deadline:
        """A deadline for the current task, `timeout` seconds from now."""
        task = asyncio.current_task(loop)
        assert task is not None
        deadline = Deadline(task, loop.time() + timeout)
        queue = self._queues.get(timeout)
        if queue is None:
            queue = self._queues[timeout] = deque()
            loop.call_at(deadline.when, self._due, loop, timeout)
        while queue and queue[0].lifted:
            queue.popleft()
        queue.append(deadline)
        return deadline

    def _due(self, loop: asyncio.AbstractEventLoop, timeout: float) -> None:
        queue = self._queues[timeout]
        now = loop.time() + RESOLUTION
        while queue:
            first = queue[0]
            if not first.lifted and first.when > now:
                loop.call_at(first.when, self._due, loop, timeout)
                return
            queue.popleft().fire()
        del self._queues[timeout]
