"""A journey's steps are series, each with its number, and none for a step that was not reached."""

from dataclasses import replace

from monitor.metrics import Exposition
from probes.contract import Reason, Seen
from probes.journey import STEP_LIMIT
from tests.metrics.test_exposition import HTTP, OPENMETRICS, catalogue, node, outcome, samples, value

OWN = {"check": "a/login", "node": "a", "type": "system"}


def told(run):
    exposition = Exposition(version="1")
    exposition.outcome("a/login", "a", "system", "journey", run)
    exposition.world(now=run.started_at, catalogue=catalogue({"a": node("a")}), nodes={}, incidents=[], figures={})
    return samples(exposition, OPENMETRICS)


def test_each_step_that_was_taken_is_a_series():
    found = told(
        outcome(
            Seen.FAILED,
            Reason.JSON,
            step_1_seconds=0.25,
            step_2_seconds=1.5,
            failed_step=2,
            status=200,
            poll_seconds=1.25,
        )
    )
    assert value(found, "probe_journey_step_seconds", step="1", **OWN) == 0.25
    assert value(found, "probe_journey_step_seconds", step="2", **OWN) == 1.5
    assert not [labels for name, labels in found if name == "probe_journey_step_seconds" and ("step", "3") in labels]
    assert value(found, "probe_journey_failed_step", **OWN) == 2
    assert value(found, "probe_journey_poll_seconds", **OWN) == 1.25
    assert value(found, "probe_http_status_code", **OWN) == 200


def test_the_longest_journey_stays_within_25_series():
    facts = {f"step_{number}_seconds": 0.1 for number in range(1, STEP_LIMIT + 1)}
    run = replace(HTTP, facts={**HTTP.facts, **facts, "failed_step": 0.0, "poll_seconds": 1.0}, phases={"token": 0.1})
    assert len([labels for _, labels in told(run) if ("check", "a/login") in labels]) <= 25
