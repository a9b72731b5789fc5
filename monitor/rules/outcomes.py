"""What one judged outcome does beyond its own check: the node, suspicion, and whom to ask.

Owns: the way from a step of the judge into the draft. Never: opens anything; that waits for the tick.
"""

from datetime import datetime

from monitor.model import Check, CheckState, Effect, Recheck, State
from monitor.rules import asking, nodes
from monitor.rules.draft import Draft
from monitor.rules.judge import Step
from monitor.rules.topology import House


def absorb(draft: Draft, house: House, check: Check, old: CheckState, step: Step, now: datetime) -> None:
    """Keep the check's new state and rows, and judge its node anew if what it shows has changed."""
    new = step.state
    if new is old:
        return
    draft.checks[check.id] = new
    if new.seen_at is not None:
        draft.seen[check.id] = new.seen_at
    rows = step.rows
    draft.transitions.extend(rows)
    if step.recheck_at is not None:
        draft.rechecks.append(Recheck(check=check.id, at=step.recheck_at))
    if rows or new.failures != old.failures:
        draft.stirred.add(check.node)
    if new.successes and not old.successes:
        asking.witnesses(draft, house, check.node, now)
    if check.effect is Effect.NONE or check.node not in house.decisive:
        return
    if check.effect is Effect.DOWN:
        _suspect(draft, house, check, old, new, now)
    if rows:
        nodes.evaluate(draft, house, check.node, now, rows[0], min(row.at for row in rows))


def _suspect(draft: Draft, house: House, check: Check, old: CheckState, new: CheckState, now: datetime) -> None:
    """Keep since when the node is or may be failing; on its first failure ask above it and beside it."""
    since = nodes.suspected_since(draft, house, check.node)
    before = draft.unwell_since(check.node)
    if since != before:
        draft.unwell[check.node] = since
        if since is None:
            draft.touched.update(house.groups[check.node])
    if new.failures == 0 or old.failures or new.state is State.DOWN:
        return
    draft.touched.update(house.groups[check.node])
    asking.parents(draft, house, check.node, now)
    asking.witnesses(draft, house, check.node, now)
