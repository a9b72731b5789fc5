"""Lines over their capacity, in every form of the report."""

import csv
import io
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from types import MappingProxyType, SimpleNamespace
from typing import Any, cast

import jsonschema

from monitor.model import Check, LinkDay
from monitor.report import Report, Source, as_csv, as_html, as_json, build
from monitor.rules import calendar
from tests.report import province
from tests.report.test_report import SCHEMA

MONDAY = date(2026, 11, 16)
"""The first day of the week that is reported on."""


def line(check: str, story: str, last: date = MONDAY + timedelta(days=6)) -> list[LinkDay]:
    """Days up to `last`: `o` over (received), `O` over (sent), `u` under, `-` too few samples."""
    first = last - timedelta(days=len(story) - 1)
    return [
        LinkDay(
            check=check, day=first + timedelta(days=place), received=0.951 if letter == "o" else 0.4,
            sent=0.998 if letter == "O" else 0.2, samples=10 if letter == "-" else 288, expected=288,
        )
        for place, letter in enumerate(story)
    ]  # fmt: skip


def reported(source: Source, *lines: list[LinkDay]) -> Report:
    """The report of the bad week, with SNMP checks on its first nodes."""
    nodes = list(source.catalogue.nodes)
    ids = list(dict.fromkeys(one.check for days in lines for one in days))
    checks = {
        id: cast(Check, SimpleNamespace(id=id, node=node, kind="snmp", spec=None))
        for id, node in zip(ids, nodes, strict=False)
    }
    catalogue = replace(source.catalogue, checks=MappingProxyType({**source.catalogue.checks, **checks}))
    days = [one for days in lines for one in days]
    return build(replace(source, catalogue=catalogue, capacity=days), province.WEEK)


def only(report: Report) -> Mapping[str, Any]:
    (row,) = as_json.as_dict(report)["capacity"]
    found: Mapping[str, Any] = row
    return found


def test_a_line_that_was_full_for_a_week_is_told_with_since_when(source: Source) -> None:
    row = only(reported(source, line("a/line", "ooooooooo")))
    assert row["congested"]
    assert (row["days_over"], row["direction"], row["days_measured"]) == (9, "in", 7)
    assert (row["since"], row["until"]) == ("2026-11-14", "2026-11-22")
    assert (row["p95_in"], row["p95_out"]) == (0.951, 0.2)


def test_a_row_that_ended_within_the_week_is_told_as_well(source: Source) -> None:
    row = only(reported(source, line("a/line", "OOOOOOOuuuu")))
    assert row["congested"]
    assert (row["days_over"], row["direction"], row["until"]) == (7, "out", "2026-11-18")


def test_six_days_are_no_breach_and_what_is_not_measured_is_said(source: Source) -> None:
    row = only(reported(source, line("a/line", "uooo-ooo")))
    assert not row["congested"]
    assert (row["days_over"], row["days_unmeasured"]) == (6, 1)


def test_a_line_that_was_not_measured_in_the_week_is_not_there(source: Source) -> None:
    assert reported(source, line("a/line", "ooooooooo", MONDAY - timedelta(days=1))).capacity == ()
    assert reported(source).capacity == ()


def test_the_page_names_those_over_capacity_and_counts_the_rest(source: Source) -> None:
    report = reported(source, line("a/line", "ooooooo"), line("b/line", "uuuuuuu"))
    page = as_html.render(report).decode()
    name = next(iter(source.catalogue.nodes.values())).name
    section = page.partition("khoản 6 Điều 5 Thông tư 06/2026/TT-BKHCN")[2].partition("<h3>")[0]
    assert name in section
    assert "95,1 %" in section
    assert "16/11/2026" in section
    assert "b/line" not in section
    assert f"1 đường truyền vượt 90% dung lượng 07 ngày liên tiếp: {name}" in page
    calm = as_html.render(reported(source, line("b/line", "uuuuuuu"))).decode()
    assert "Không có đường truyền nào trong 1 đường truyền được đo." in calm
    assert "TT-BKHCN" not in as_html.render(reported(source)).decode()


def test_the_table_has_what_the_json_has_and_the_json_is_what_its_schema_says(source: Source) -> None:
    report = reported(source, line("a/line", "ooooooo"), line("b/line", "uuuuuuu"))
    rows = list(csv.DictReader(io.StringIO(as_csv.files(report)["capacity.csv"].decode("utf-8-sig"))))
    assert [(row["check"], row["congested"], row["p95_in"]) for row in rows] == [
        ("a/line", "True", "0.951"),
        ("b/line", "False", "0.4"),
    ]
    jsonschema.validate(as_json.as_dict(report), SCHEMA)


def test_only_days_that_lie_wholly_in_a_period_are_its_own() -> None:
    from monitor.report.capacity import days_of

    week = days_of(province.WEEK, province.ZONE)
    assert (week[0], week[-1], len(week)) == (MONDAY, MONDAY + timedelta(days=6), 7)
    start = calendar.midnight(MONDAY, province.ZONE) + timedelta(hours=8)
    assert days_of(calendar.between(start, start + timedelta(days=2), province.ZONE), province.ZONE) == [
        MONDAY + timedelta(days=1)
    ]
