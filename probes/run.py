"""One run of one probe: the only deadline, the only broad `except`.

Owns: when a run began, how long it took, and that it ends in time with a reason of the closed list, whatever the target does.
Never: retries, judges, logs.
"""

import asyncio
import time
from typing import Any

from probes.contract import NOTHING, Finding, Kind, Outcome, Reason, Seen, blind, failed
from probes.errors import classify
from probes.pulse import STALL
from probes.text import one_line
from probes.tools import Tools, Workbench


async def run_kind(kind: Kind, spec: Any, workbench: Workbench, *, timeout: float) -> Outcome:
    """Run a probe once, for at most `timeout` seconds in all. Raises nothing but CancelledError (ours, when the daemon stops).

    What failed while our own loop stood still failed through us: the outcome is blind, `own_stall`.
    """
    loop = asyncio.get_running_loop()
    workbench.pulse.start(loop)
    deadline = loop.time() + timeout
    tools = Tools(workbench, deadline)
    started_at = workbench.now()
    started = time.perf_counter()
    deadline_is = Deadline(loop, deadline)
    try:
        finding = await kind.probe(spec, tools)
    except (KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except BaseException as error:
        if not deadline_is.was_it(error):
            raise
        finding = _out_of_time(tools, timeout) if deadline_is.passed else _after(error)
    finally:
        deadline_is.lift()
    seconds = time.perf_counter() - started
    if finding.seen is not Seen.OK:
        finding = _ours_if_stalled(finding, tools, late=seconds - timeout)
    if finding.facts:
        tools.facts.update(finding.facts)
    return Outcome(
        seen=finding.seen,
        reason=finding.reason,
        detail=_shown(finding.detail, tools.secrets),
        started_at=started_at,
        seconds=seconds,
        phases=tools.phases or NOTHING,
        facts=tools.facts or NOTHING,
    )


class Deadline:
    """The one timer of a run: cancels the task when time is up. What `asyncio.timeout_at` does, at a third of the cost."""

    __slots__ = ("_cancelling", "_task", "_timer", "passed")

    def __init__(self, loop: asyncio.AbstractEventLoop, when: float) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._task = task
        self._cancelling = task.cancelling()
        self.passed = False
        self._timer = loop.call_at(when, self._pass)

    def _pass(self) -> None:
        self.passed = True
        self._task.cancel()

    def was_it(self, error: BaseException) -> bool:
        """Whether the run goes on to an outcome: false only for a cancellation that came from outside."""
        if self.passed and self._task.uncancel() > self._cancelling:
            return False  # Both at once: whoever wants us gone comes first.
        return self.passed or not isinstance(error, asyncio.CancelledError)

    def lift(self) -> None:
        """No longer needed."""
        self._timer.cancel()


def _shown(detail: str, secrets: tuple[str, ...]) -> str:
    """The detail as a person may see it: a target that repeats what we sent it does not make us repeat it."""
    for secret in secrets:
        if len(secret) > 3 and secret in detail:
            detail = detail.replace(secret, "<secret>")
    return one_line(detail)


def _out_of_time(tools: Tools, timeout: float) -> Finding:
    """Which of the phases used up the time."""
    where = f" in {tools.where}" if tools.where else ""
    if tools.where == "resolve":
        # Nobody above us gave an answer, good or bad: that says nothing of the target.
        return blind(Reason.OWN_DNS, f"no answer from the resolver within {timeout:g} s")
    return failed(Reason.TIMEOUT, f"no answer within {timeout:g} s{where}")


def _after(error: BaseException) -> Finding:
    """Classify what escaped; a fault in the classifier itself is ours as well."""
    try:
        return classify(error)
    except Exception as second:
        return blind(Reason.OWN_BUG, f"{type(error).__name__}, and {type(second).__name__} while looking at it")


def _ours_if_stalled(finding: Finding, tools: Tools, *, late: float) -> Finding:
    stalled = max(tools.workbench.pulse.stalled_since(tools.started), late)
    if finding.seen is Seen.BLIND or stalled <= STALL:
        return finding
    return blind(
        Reason.OWN_STALL, f"we stood still for {stalled:.1f} s ({finding.reason.value} meanwhile)", facts=finding.facts
    )
