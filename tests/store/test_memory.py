"""What a daemon stored, the next one knows: every field, exactly."""

import dataclasses
from datetime import timedelta

import pytest

from monitor.model import (
    CheckState,
    Incident,
    IncidentEvent,
    IncidentState,
    Message,
    NodeState,
    State,
    Transition,
    Window,
)
from monitor.store import (
    AuditEntry,
    Batch,
    ClockStep,
    Heartbeat,
    Pending,
    ReportRun,
    Sample,
    Token,
    tables,
)
from monitor.store.mapping import Mapped
from probes.contract import Reason, Seen
from tests.store.conftest import NOW
from tests.store.examples import START, full

MAPPED = [one for one in vars(tables).values() if isinstance(one, Mapped)]
LATER = timedelta(days=4000)


@pytest.mark.parametrize("mapped", MAPPED, ids=lambda mapped: mapped.table.name)
def test_every_field_has_a_column_and_comes_back_as_it_was(mapped):
    kind = mapped._kind
    assert {field.name for field in dataclasses.fields(kind)} == set(mapped.columns)
    whole, bare = full(kind), None
    assert mapped.unpack(mapped.pack(whole)) == whole
    fields = {field.name: getattr(whole, field.name) for field in dataclasses.fields(kind)}
    needed = {
        field.name: fields[field.name]
        for field in dataclasses.fields(kind)
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    }
    bare = kind(**needed)
    assert mapped.unpack(mapped.pack(bare)) == bare


async def test_states_incidents_and_messages_survive_a_restart(store, reopened):
    batch = Batch(
        checks=[full(CheckState), CheckState(check="a/b")],
        nodes=[full(NodeState), NodeState(node="a")],
        incidents=[full(Incident, state=IncidentState.OPEN), full(Incident, id="2", state=IncidentState.ACKNOWLEDGED)],
        messages=[full(Message)],
    )
    await store.commit(batch)
    again = await reopened(store)
    memory = await again.memory()
    assert memory.checks == {state.check: state for state in batch.checks}
    assert memory.nodes == {state.node: state for state in batch.nodes}
    assert memory.incidents == {incident.id: incident for incident in batch.incidents}
    message = batch.messages[0]
    assert memory.pending == (Pending(message=message, since=message.created_at),)


async def test_rows_of_history_come_back_as_they_were(store, reopened):
    event, window, report = full(IncidentEvent), full(Window), full(ReportRun)
    step, token, beat = full(ClockStep), full(Token), full(Heartbeat)
    entries = [full(AuditEntry), full(AuditEntry, by="other")]
    await store.commit(
        Batch(
            events=[event],
            windows=[window],
            reports=[report],
            steps=[step],
            audit=entries,
            tokens=[token],
            heartbeats=[beat],
        )
    )
    again = await reopened(store)
    assert await again.events(event.incident.id) == (event,)
    assert await again.windows(START, START + LATER) == (window,)
    assert await again.reports() == await again.reports(report.kind) == (report,)
    assert await again.reports("another") == ()
    assert await again.steps(START, START + LATER) == (step,)
    assert await again.audit(START, START + LATER) == tuple(entries)
    assert await again.tokens() == (token,)
    assert await again.heartbeats() == (beat,)
    assert await again.verify() == ()


async def test_a_later_row_of_the_same_id_replaces_the_former(store):
    for state in (State.UP, State.DOWN):
        await store.commit(
            Batch(
                checks=[CheckState(check="a/b", state=state)],
                nodes=[NodeState(node="a", state=state)],
                incidents=[full(Incident, id="i", state=IncidentState.OPEN, cause=state.value)],
            )
        )
    memory = await store.memory()
    assert memory.checks["a/b"].state is memory.nodes["a"].state is State.DOWN
    assert memory.incidents["i"].cause == "down"
    assert await store.incident("i") == memory.incidents["i"]
    assert await store.incident("none") is None


async def test_only_what_is_on_or_may_reopen_is_remembered(store):
    def incident(name, state, ended):
        return full(Incident, id=name, state=state, resolved_at=ended, closed_at=ended)

    minute = timedelta(minutes=1)
    await store.commit(
        Batch(
            incidents=[
                incident("open", IncidentState.OPEN, None),
                incident("just over", IncidentState.RESOLVED, NOW - 9 * minute),
                incident("long over", IncidentState.RESOLVED, NOW - 11 * minute),
            ]
        )
    )
    assert set((await store.memory()).incidents) == {"open", "just over"}


async def test_an_outcome_that_only_moves_seen_at_needs_no_row_of_its_own(store, reopened):
    state = CheckState(check="a/b", state=State.UP, since=START, seen_at=START)
    await store.commit(Batch(checks=[state]))
    written = (await store.stats()).rows
    for minute in range(1, 4):
        at = START + timedelta(minutes=minute)
        sample = Sample(check="a/b", at=at, seen=Seen.OK)
        await store.commit(Batch(samples=[sample], checks=[dataclasses.replace(state, seen_at=at)]))
    assert (await store.stats()).rows == written + 3  # the samples
    again = await reopened(store)
    assert (await again.memory()).checks["a/b"] == dataclasses.replace(state, seen_at=at)
    # A blind one saw nothing; the state that it changes is stored.
    blind = dataclasses.replace(state, seen_at=at, blind_since=at + timedelta(minutes=1))
    sample = Sample(check="a/b", at=at + timedelta(minutes=1), seen=Seen.BLIND, reason=Reason.OWN_DNS)
    await again.commit(Batch(samples=[sample], checks=[blind]))
    assert (await again.memory()).checks["a/b"] == blind


async def test_text_that_a_database_would_refuse_does_not_cost_the_commit(store):
    odd = "a\0b\ud800c"
    transition = Transition(subject="a", at=START, state=State.DOWN, detail=odd)
    await store.commit(Batch(transitions=[transition], incidents=[full(Incident, id="i", detail=odd, affected=())]))
    found = (await store.transitions(["a"], START, NOW))["a"]
    assert found[0].detail == "a\ufffdb?c"


async def test_a_renamed_node_keeps_its_history(store, reopened):
    at = START + timedelta(minutes=1)
    await store.commit(
        Batch(
            samples=[Sample(check="old/home", at=START, seen=Seen.OK)],
            checks=[CheckState(check="old/home", state=State.UP, seen_at=START)],
            nodes=[NodeState(node="old", state=State.DOWN)],
            transitions=[Transition(subject="old", at=START, state=State.DOWN)],
            incidents=[full(Incident, id="i", node="old", state=IncidentState.OPEN)],
        )
    )
    await store.rename({"old": "new", "never was": "x"})
    await store.commit(Batch(samples=[Sample(check="new/home", at=at, seen=Seen.OK)]))
    again = await reopened(store)
    await again.rename({"old": "new"})  # the configuration still says `was:`
    memory = await again.memory()
    assert memory.checks["new/home"].seen_at == at
    assert set(memory.nodes) == {"new"}
    assert memory.incidents["i"].node == "new"
    assert set(await again.transitions(None, START, NOW)) == {"new"}
    assert len(await again.samples("new/home", START, START + LATER)) == 2
    assert await again.samples("old/home", START, START + LATER) == ()
