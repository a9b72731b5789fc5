"""Names for everything that runs, and one order in which it ends.

Owns: the long-lived tasks (each with a name; when one dies, the daemon stops and says which) and the clean-ups (last in, first out).
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import structlog

log = structlog.get_logger()


class TaskDied(Exception):  # noqa: N818 It is what happened, not a mistake of the caller.
    """A task that should live as long as the daemon ended."""

    def __init__(self, name: str) -> None:
        super().__init__(f"the task {name!r} ended")
        self.name = name


class Supervisor:
    """Starts tasks, waits for the first that ends or for `stop`, then cleans up."""

    def __init__(self) -> None:
        self._tasks: dict[asyncio.Task[Any], str] = {}
        self._errands: set[asyncio.Task[Any]] = set()
        self._cleanups: list[tuple[str, Callable[[], Awaitable[Any]]]] = []
        self._stopping = asyncio.Event()

    def start(self, name: str, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Run `work` for as long as the daemon lives."""
        task = asyncio.create_task(work, name=name)
        self._tasks[task] = name
        return task

    def start_once(self, name: str, work: Coroutine[Any, Any, Any]) -> None:
        """Do `work` beside the rest; its end is no death, its failure is logged."""

        def ended(task: asyncio.Task[Any]) -> None:
            self._errands.discard(task)
            if not task.cancelled() and task.exception() is not None:
                log.error("errand.failed", name=name, problem=repr(task.exception()))

        task = asyncio.create_task(work, name=name)
        self._errands.add(task)
        task.add_done_callback(ended)

    def at_end(self, name: str, cleanup: Callable[[], Awaitable[Any]]) -> None:
        """Register a clean-up right after what it cleans has succeeded."""
        self._cleanups.append((name, cleanup))

    def stop(self) -> None:
        """Ask for the end; `live` returns."""
        self._stopping.set()

    @property
    def stopping(self) -> bool:
        """Whether the end was asked for."""
        return self._stopping.is_set()

    async def live(self) -> None:
        """Return when asked to stop; raise TaskDied (from the task's own exception) when a task ends before."""
        asked = asyncio.create_task(self._stopping.wait(), name="stop")
        try:
            while not asked.done():
                done, _ = await asyncio.wait({asked, *self._tasks}, return_when=asyncio.FIRST_COMPLETED)
                # One that was taken out on purpose (a reload changes the anchors) is no longer ours to miss.
                for task in (done - {asked}) & self._tasks.keys():
                    problem = None if task.cancelled() else task.exception()
                    raise TaskDied(self._tasks[task]) from problem
        finally:
            asked.cancel()

    async def end(self, *, seconds: float = 10.0) -> None:
        """Clean up, last in first out, each within its share of `seconds`; one that fails is logged and does not hinder the rest."""
        for name, cleanup in reversed(self._cleanups):
            try:
                async with asyncio.timeout(seconds):
                    await cleanup()
            except Exception as problem:
                log.exception("cleanup.failed", step=name, problem=repr(problem))
        self._cleanups.clear()

    async def cancel(self, *names: str) -> None:
        """Cancel these tasks (all when none is named) and wait until they are gone."""
        gone = [task for task, name in self._tasks.items() if not names or name in names]
        for task in gone:
            self._tasks.pop(task)
            task.cancel()
        await asyncio.gather(*gone, return_exceptions=True)

    async def wait(self, name: str) -> None:
        """Wait until this task has ended by itself."""
        ending = [task for task, known in self._tasks.items() if known == name]
        for task in ending:
            self._tasks.pop(task)
        await asyncio.gather(*ending, return_exceptions=True)
