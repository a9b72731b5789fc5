"""The share of communes with working IPv6 in a report: at its end, and over its time."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType

import jsonschema
import pytest

import monitor.report
from monitor.model import Gap, Node, State, Transition, Window
from monitor.report import Report, Source, build, render
from monitor.report.as_csv import files
from monitor.rules import calendar
from monitor.rules.calendar import Period
from probes import Family
from tests.report.province import ZONE
from tests.rules.test_readiness import catalogue, check

SCHEMA = json.loads((Path(monitor.report.__file__).parent / "report.schema.json").read_text("utf-8"))
WEEK = calendar.parse("2026-W47", ZONE)
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Spec:
    host: str = ""
    family: Family = Family.ANY


def turns(name: str, *changes: tuple[float, State]) -> list[Transition]:
    """Changes at days of the week."""
    return [Transition(subject=name, at=WEEK.start + DAY * day, state=state) for day, state in changes]


def report(
    histories: Mapping[str, Sequence[Transition]],
    *,
    gaps: Sequence[Gap] = (),
    windows: Sequence[Window] = (),
    period: Period = WEEK,
) -> Report:
    """Four communes: 1 by address, 2 by two checks that say so, 3 by one, 4 is not asked."""
    checks = [
        replace(check("a/v6"), spec=Spec(host="2001:db8::1")),
        replace(check("b/v6"), spec=Spec(family=Family.IPV6)),
        replace(check("b2/v6"), spec=Spec(family=Family.IPV6)),
        replace(check("c/v6"), spec=Spec(family=Family.IPV6)),
        replace(check("d/v4"), spec=Spec(host="10.0.0.1")),
    ]
    nodes = [
        Node(id=name, name=name, type="link", labels={"commune": code})
        for name, code in (("a", "1"), ("b", "2"), ("b2", "2"), ("c", "3"), ("d", "4"))
    ]
    source = Source(
        catalogue=catalogue(checks, nodes), transitions={}, checks=MappingProxyType(dict(histories)), gaps=gaps,
        windows=windows, generated_at=WEEK.end + DAY,
    )  # fmt: skip
    return build(source, period)


UP, DOWN = State.UP, State.DOWN
HISTORIES = {
    "a/v6": turns("a/v6", (0, UP)),
    "b/v6": turns("b/v6", (0, UP), (2, DOWN)),
    "b2/v6": turns("b2/v6", (0, UP), (4, DOWN)),
    "c/v6": turns("c/v6", (0, DOWN), (3.5, State.DEGRADED)),
}


def test_at_the_end_and_over_the_time() -> None:
    made = report(HISTORIES)
    assert made.ipv6 is not None
    share = made.ipv6.share
    assert (share.working, share.failing, share.unknown, share.unasked) == (2, 1, 0, 1)
    # Of three weeks: one whole, four days of the second, half of the third.
    assert made.ipv6.time.availability.value == pytest.approx((7 + 4 + 3.5) / 21)
    assert made.ipv6.time.coverage == 1.0


def test_the_formats_say_the_same() -> None:
    made = report(HISTORIES)
    data = json.loads(render(made, "json"))
    jsonschema.validate(data, SCHEMA)
    assert data["ipv6"]["share"] == {"value": 2 / 4, "low": 2 / 4, "high": 3 / 4}
    (row,) = csv.DictReader(io.StringIO(files(made)["ipv6.csv"].decode("utf-8-sig")))
    assert (row["units"], row["watched"], row["working"], row["unwatched"]) == ("4", "3", "2", "1")
    assert float(row["time"]) == data["ipv6"]["time"]["value"]
    said = render(made, "html").decode()
    assert "cuối kỳ 2/4 xã, phường có IPv6 hoạt động (50,0 %); 1 đơn vị không hoạt động" in said
    assert "được giám sát: 69,047 %." in said


def test_what_nobody_saw_is_unknown_and_counts_for_nothing() -> None:
    gap = Gap(since=WEEK.start + 6 * DAY, until=WEEK.end)
    made = report(HISTORIES, gaps=[gap])
    assert made.ipv6 is not None
    assert (made.ipv6.share.unknown, made.ipv6.share.ratio) == (3, 0.0)
    assert made.ipv6.share.high == 1.0
    assert made.ipv6.time.coverage == pytest.approx(6 / 7)
    assert made.ipv6.time.availability.value == pytest.approx((6 + 4 + 2.5) / 18)


def test_maintenance_is_taken_out_of_the_time() -> None:
    work = Window(id="w", plan="w", nodes=frozenset({"c"}), start=WEEK.start, end=WEEK.start + 3.5 * DAY)
    made = report(HISTORIES, windows=[work])
    assert made.ipv6 is not None
    assert made.ipv6.time.availability.value == pytest.approx((7 + 4 + 3.5) / 17.5)


def test_without_a_check_that_insists_there_is_no_figure() -> None:
    made = report({})
    assert made.ipv6 is None
    assert json.loads(render(made, "json"))["ipv6"] is None
    assert files(made)["ipv6.csv"].count(b"\n") == 1
    assert "IPv6" not in render(made, "html").decode()
