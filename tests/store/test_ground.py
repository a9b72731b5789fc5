"""What an incident rests on is as durable as the incident."""

import json

from monitor.model import Ground, Incident, IncidentEvent, IncidentState
from monitor.store import Batch
from monitor.store.tables import EVENTS, INCIDENTS
from tests.store.examples import full


async def test_it_comes_back_after_a_restart_as_it_was_and_none_as_none(store, reopened):
    ground = full(Ground)
    assert len(ground.testimony) == 2
    known = full(Incident, id="known", state=IncidentState.OPEN, ground=ground)
    bare = full(Incident, id="bare", state=IncidentState.OPEN, ground=None)
    await store.commit(Batch(incidents=[known, bare]))
    again = await reopened(store)
    found = (await again.memory()).incidents
    assert (found["known"], found["bare"]) == (known, bare)


def test_rows_of_before_there_was_one_read_as_none():
    whole = full(Incident)
    row = list(INCIDENTS.pack(whole))
    row[INCIDENTS.columns.index("ground")] = None
    assert INCIDENTS.unpack(row).ground is None
    event = list(EVENTS.pack(full(IncidentEvent, incident=whole)))
    place = EVENTS.columns.index("incident")
    former = json.loads(event[place])
    del former["ground"], former["told_verdict"]
    event[place] = json.dumps(former)
    assert EVENTS.unpack(event).incident.ground is None
