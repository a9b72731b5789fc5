"""What a report says: its figures, its incidents, and that every format says the same."""

import json
import random
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import jsonschema
import pytest

import monitor.report
from monitor.model import Gap, State
from monitor.report import FORMATS, build, file_name, render
from monitor.report.as_json import as_dict
from monitor.report.office import vietnam
from monitor.rules import calendar
from monitor.rules.columns import columns
from monitor.rules.ledger import ZERO, account, total
from tests.report.province import WEEK, ZONE, at, catalogue, source, turn

SCHEMA = json.loads((Path(monitor.report.__file__).parent / "report.schema.json").read_text(encoding="utf-8"))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA, format_checker=jsonschema.FormatChecker())


def node(report, name):
    return next(row for row in as_dict(report)["nodes"] if row["id"] == name)


# --- figures ----------------------------------------------------------------------------------------------------------


def test_the_json_is_what_its_schema_says(report):
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    VALIDATOR.validate(json.loads(render(report, "json")))


def test_a_schema_that_lets_everything_through_would_be_none(report):
    data = json.loads(render(report, "json"))
    data["nodes"][0]["availability"]["value"] = 1.2
    assert not VALIDATOR.is_valid(data)


def test_buckets_of_every_node_make_up_the_period_exactly(report):
    data = json.loads(render(report, "json"), parse_float=Decimal, parse_int=Decimal)
    for row in data["nodes"]:
        assert sum(row["seconds"].values()) == data["period"]["seconds"] == 7 * 86400
    for group in data["groups"]:
        assert sum(group["seconds"].values()) == data["period"]["seconds"] * group["nodes"]


def test_the_figures_of_every_node_are_the_ledger_s(report, source):
    for row in report.nodes:
        windows = [window for window in source.windows if row.node.id in window.nodes]
        alone = account(
            source.transitions[row.node.id], start=WEEK.start, end=WEEK.end, gaps=source.gaps, windows=windows
        )
        assert row.ledger == alone


def test_the_portal_s_week(report):
    """Down 08:03:10 to 09:41:40 on Tuesday, unreachable for 6:30 on Thursday night, and 22:15 in which nobody looked."""
    row = node(report, "motcua")
    assert row["seconds"]["down"] == 98 * 60 + 30
    assert row["seconds"]["unreachable"] == 390
    assert row["seconds"]["unknown"] == 21 * 60 + 30 + 45
    assert (row["outages"], row["longest_outage_seconds"], row["mttr_seconds"]) == (2, 5910, 3150)
    good = 7 * 86400 - 5910 - 390 - 1335
    assert row["availability"]["value"] == good / (good + 6300)
    assert row["own_availability"]["value"] == good / (good + 5910)
    assert row["availability"]["low"] == (good - 60) / (good + 6300)
    assert row["verdict"] == "interrupted"


def test_maintenance_is_in_neither_numerator_nor_denominator(report):
    row = node(report, "lgsp")
    assert row["seconds"]["excluded"] == 2 * 3600 + 2 * 3600
    assert row["coverage"] == pytest.approx(1 - 1335 / 604800)


def test_a_node_seen_only_since_saturday_has_no_verdict(report):
    row = node(report, "kn.dancu")
    assert row["verdict"] == "insufficient_data"
    assert row["coverage"] < 0.95


def test_groups_add_seconds(report):
    data = as_dict(report)
    for group in data["groups"]:
        if group["by"] != "carrier":
            continue
        mine = [row for row in data["nodes"] if row["carrier"] == group["id"] and row["type"] == "link"]
        assert group["nodes"] == len(mine)
        good = sum(row["seconds"]["up"] + row["seconds"]["degraded"] for row in mine)
        bad = sum(row["seconds"]["down"] + row["seconds"]["unreachable"] for row in mine)
        assert group["availability"]["value"] == pytest.approx(good / (good + bad), abs=1e-12)


def test_the_total_leaves_out_groups_and_systems_of_others(report):
    counted = [row for row in report.nodes if row.node.group is None and row.node.type != "external"]
    assert report.total.period == WEEK.length * len(counted)


def test_citizens_could_not_submit_for_105_minutes(report):
    assert as_dict(report)["citizens"] == {
        "nodes": ["motcua"],
        "seconds": 6300,
        "low": 6240,
        "high": 6360,
        "coverage": pytest.approx(1 - 1335 / 604800),
    }


# --- incidents --------------------------------------------------------------------------------------------------------


def test_incidents_of_the_week_without_merged_own_and_past_ones(report):
    assert [row.incident.id for row in report.incidents] == ["i3", "i1", "i5", "i2", "i4"]


def test_recovery_is_held_against_the_target_and_not_derived_from_availability(report):
    met = {row["id"]: row["met"] for row in as_dict(report)["incidents"]}
    assert met == {"i1": True, "i2": True, "i3": False, "i4": False, "i5": False}
    counts = as_dict(report)["recovery"]
    assert [counts[key] for key in ("incidents", "met", "breached", "open", "late")] == [5, 2, 3, 0, 2]


def test_means_are_over_the_incidents_that_have_come_so_far(report):
    counts = as_dict(report)["recovery"]
    assert (counts["mttd_seconds"], counts["mtta_seconds"]) == (21, None)
    # 98:30 and 6:30 minutes, and 54:30 hours with a pause of two.
    assert counts["mttr_seconds"] == (98.5 * 60 + 6.5 * 60 + 52.5 * 3600) / 3


def test_public_holidays_are_no_working_days():
    offices = vietnam(date(2026, 11, 16), date(2026, 11, 30))
    assert not offices.works(date(2026, 11, 24))
    assert not offices.works(date(2026, 2, 17))
    assert offices.works(date(2026, 11, 25))


def test_pauses_do_not_count_against_the_target():
    base = source()
    paused = replace(base.incidents[2], paused=timedelta(hours=31))
    found = build(replace(base, incidents=(paused,)), WEEK)
    assert found.incidents[0].met is True
    assert found.incidents[0].elapsed == timedelta(hours=54, minutes=30)
    assert found.incidents[0].net == timedelta(hours=23, minutes=30)


def test_one_that_runs_within_its_target_is_open():
    base = source()
    young = replace(base.incidents[3], started_at=at("2026-11-22T20:00"))
    running = replace(base.incidents[4], paused_since=at("2026-11-19T21:00"))
    found = build(replace(base, incidents=(young, running)), WEEK)
    assert [row.met for row in found.incidents] == [None, None]
    assert (found.recovery.incidents, found.recovery.open) == (2, 2)


def test_one_outage_that_just_meets_its_target_is_met_and_takes_the_week_to_85_7():
    base = source()
    start = at("2026-11-17T00:00")
    rows = [turn("qlvb", at("2026-11-01T00:00"), State.UP), turn("qlvb", start, State.DOWN, gap=0)]
    rows.append(turn("qlvb", start + timedelta(hours=24), State.UP, gap=0))
    fault = replace(base.incidents[1], id="i9", node="qlvb", started_at=start, resolved_at=start + timedelta(hours=24))
    found = build(replace(base, transitions={"qlvb": rows}, gaps=(), incidents=(fault,)), WEEK)
    assert found.recovery.met == 1
    assert node(found, "qlvb")["availability"]["value"] == 6 / 7


# --- periods ----------------------------------------------------------------------------------------------------------


def test_a_running_week_is_accounted_to_what_is_known():
    now = at("2026-11-20T09:30")
    found = build(source(generated_at=now), WEEK)
    data = as_dict(found)
    assert (data["period"]["complete"], data["period"]["end"]) == (False, "2026-11-20T02:30:00Z")
    assert all(row.ledger.period == now - WEEK.start for row in found.nodes)
    assert "chưa kết thúc" in found.notes[0]
    assert data["period"]["label"] == "Tuần 47 (16/11/2026–22/11/2026)"
    VALIDATOR.validate(data)


def test_a_week_that_has_not_begun_is_refused():
    with pytest.raises(ValueError, match="has not begun"):
        build(source(generated_at=WEEK.start), WEEK)


def test_a_week_in_which_nobody_looked_is_unknown_and_has_no_figures():
    found = build(source(gaps=(Gap(since=WEEK.start, until=WEEK.end),)), WEEK)
    assert found.total.availability.value is None
    assert found.total.coverage == 0
    for name in FORMATS:
        assert render(found, name)
    assert "chưa đủ dữ liệu" in render(found, "html").decode()


@pytest.mark.parametrize("name", ["2026-11-19", "2026-W47", "2026-11", "2026-Q4", "2026"])
def test_every_kind_of_period_renders(name):
    found = build(source(), calendar.parse(name, ZONE))
    VALIDATOR.validate(json.loads(render(found, "json")))
    assert found.label in render(found, "html").decode()


def test_nothing_configured_is_a_report_too():
    book = replace(catalogue(), nodes={})
    found = build(source(catalogue=book, transitions={}, incidents=(), windows=()), WEEK)
    for name in FORMATS:
        assert render(found, name)
    VALIDATOR.validate(json.loads(render(found, "json")))


def test_columns_say_what_transitions_say(report, source):
    data = columns(source.transitions, source.catalogue.nodes)
    before = build(replace(source, transitions=data), calendar.previous(WEEK, ZONE))
    found = build(replace(source, transitions=data), WEEK, previous=before)
    for name in FORMATS:
        assert render(found, name) == render(report, name)


# --- the same bytes ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", list(FORMATS))
def test_the_same_source_gives_the_same_bytes(name, report):
    again = source()
    before = build(again, calendar.previous(WEEK, ZONE))
    assert render(build(again, WEEK, previous=before), name) == render(report, name)


def test_the_order_in_which_rows_come_does_not_matter(report):
    again = source()
    turned = {name: rows[::-1] for name, rows in again.transitions.items()}
    mixed = replace(again, transitions=turned, incidents=again.incidents[::-1], gaps=again.gaps[::-1])
    found = build(mixed, WEEK, previous=build(mixed, calendar.previous(WEEK, ZONE)))
    assert render(found, "json") == render(report, "json")


def test_names_of_files(report):
    assert [file_name(report, name) for name in FORMATS] == [
        "thongsuot-2026-W47.json",
        "thongsuot-2026-W47.csv.zip",
        "thongsuot-2026-W47.html",
    ]
    cut = calendar.between(at("2026-11-16T08:00"), at("2026-11-17T08:00"), ZONE)
    assert "/" not in file_name(build(source(), cut), "html")
    with pytest.raises(ValueError, match="there is no format"):
        render(report, "xls")


def test_an_empty_history_is_no_outage(report):
    assert all(row.ledger.bad == ZERO for row in report.nodes if row.node.id == "kn.dancu")


def test_a_hundred_weeks_twice_are_the_same_bytes_and_add_up_to_the_whole():
    chance = random.Random(100)
    book = catalogue()
    book = replace(book, nodes={name: one for name, one in book.nodes.items() if not one.labels.get("commune")})
    first = calendar.parse("2025-W01", ZONE).start
    whole = calendar.between(first, first + timedelta(weeks=100), ZONE)
    rows = {
        name: [
            turn(
                name,
                first + timedelta(microseconds=chance.randrange(100 * 7 * 86400 * 10**6)),
                chance.choice(list(State)),
            )
            for _ in range(300)
        ]
        for name in book.nodes
    }
    given = source(catalogue=book, transitions=rows, incidents=(), generated_at=whole.end)
    totals = []
    for index in range(100):
        week = calendar.containing("weekly", first + timedelta(weeks=index, hours=1), ZONE)
        one, two = build(given, week), build(given, week)
        assert render(one, "json") == render(two, "json")
        totals.append(one.total)
    assert total(totals).time == build(given, whole).total.time
    assert total(totals).slack == build(given, whole).total.slack
