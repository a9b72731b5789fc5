"""One run of one probe: the only deadline, the only broad `except`.

Owns: when a run began, how long it took, and that it ends in time with a reason of the closed list, whatever the target does.
Never: retries, judges, logs.
"""

import asyncio
import time
from datetime import datetime
from typing import Any

from probes.almanac import DOUBTFUL
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
    deadline = workbench.deadlines.set(loop, timeout)
    tools = Tools(workbench, deadline.when)
    started_at = workbench.now()
    started = time.perf_counter()
    try:
        finding = await kind.probe(spec, tools)
    except (KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except BaseException as error:
        if not deadline.caught(error):
            raise
        finding = (tools.settled or _out_of_time(tools, timeout)) if deadline.passed else _after(error)
    finally:
        deadline.lift()
    seconds = time.perf_counter() - started
    if finding.seen is not Seen.OK:
        finding = _ours_if_stalled(finding, tools, late=seconds - timeout)
    if finding.facts:
        tools.facts.update(finding.facts)
    if "verified" in tools.facts or finding.reason in DOUBTFUL:
        finding = _by_the_clock(finding, tools, started_at)
    return Outcome(
        seen=finding.seen,
        reason=finding.reason,
        detail=_shown(
            f"{tools.within}: {finding.detail}" if _in_part(finding, tools) else finding.detail, tools.secrets
        ),
        started_at=finding.since or started_at,
        seconds=seconds,
        phases=tools.phases or NOTHING,
        facts=tools.facts or NOTHING,
        attachments=tools.attachments if finding.seen is Seen.FAILED else (),
    )


def _in_part(finding: Finding, tools: Tools) -> bool:
    return bool(tools.within) and finding.seen is not Seen.OK


def _shown(detail: str, secrets: tuple[str, ...]) -> str:
    """The detail as a person may see it: a target that repeats what we sent it does not make us repeat it."""
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) > 3 and secret in detail:
            detail = detail.replace(secret, "<secret>")
    if "…" in detail and secrets:
        detail = "…".join(_uncut(piece, secrets) for piece in detail.split("…"))
    return one_line(detail)


def _uncut(piece: str, secrets: tuple[str, ...]) -> str:
    """A piece that was cut off at its end, without the beginning of a secret there."""
    for secret in secrets:
        for size in range(min(len(secret), len(piece)), 3, -1):
            if piece.endswith(secret[:size]):
                return f"{piece[:-size]}<secret>"
    return piece


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


def _by_the_clock(finding: Finding, tools: Tools, at: datetime) -> Finding:
    """A certificate was seen: it vouches for our clock, or makes us doubt it. When the clock is to blame, the outcome is blind, `own_clock`."""
    almanac, end = tools.workbench.almanac, tools.facts.get("certificate_not_after")
    offset = at.timestamp() - tools.started
    if finding.reason in DOUBTFUL:
        why = almanac.doubt(finding.reason, end, tools.started, offset)
        if why:
            return blind(Reason.OWN_CLOCK, f"{finding.detail}; {why}", facts=finding.facts)
    elif tools.facts["verified"] and end is not None:
        almanac.good(end, tools.started, offset)
    return finding


def _ours_if_stalled(finding: Finding, tools: Tools, *, late: float) -> Finding:
    stalled = max(tools.workbench.pulse.stalled_since(tools.started), late)
    if finding.seen is Seen.BLIND or stalled <= STALL:
        return finding
    return blind(
        Reason.OWN_STALL, f"we stood still for {stalled:.1f} s ({finding.reason.value} meanwhile)", facts=finding.facts
    )
