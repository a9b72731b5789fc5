"""The figures of the communes' links as Prometheus reads them: what was measured, of whom, and nothing else."""

from math import inf, nan
from typing import Any

import pytest

from monitor.metrics import Exposition
from probes.contract import Outcome, Reason, Seen
from tests.metrics.test_exposition import AT, BLIND, OPENMETRICS, catalogue, node, outcome, samples, value

FAMILIES = {
    "thongsuot_link_loss_ratio": "loss",
    "thongsuot_link_rtt_seconds": "rtt",
    "thongsuot_link_jitter_seconds": "jitter",
    "thongsuot_link_mos": "mos",
}
FACTS = {"loss": 0.1, "rtt": 0.0123, "jitter": 0.0004, "mos": 4.1}
SILENT = outcome(Seen.FAILED, Reason.NO_REPLY, loss=1.0, sent=10, received=0)


def exposition(*rounds: Outcome, check: str = "a/v4") -> Exposition:
    made = Exposition(version="1")
    for each in rounds:
        made.outcome(check, check.partition("/")[0], "link", "icmp", each)
    return made


def shown(made: Exposition, check: str = "a/v4") -> dict[str, float]:
    """The link's figures of one check, by family."""
    found: dict[Any, float] = samples(made)
    own = {name: number for (name, labels), number in found.items() if ("check", check) in labels}
    return {name: own[name] for name in FAMILIES if name in own}


CASES = [
    ("all four figures of a round", [outcome(**FACTS)], {name: FACTS[fact] for name, fact in FAMILIES.items()}),
    ("nothing came back: all is lost, and of the rest nothing is known", [SILENT], {"thongsuot_link_loss_ratio": 1.0}),
    ("what was known before a silent round is not shown with it", [outcome(**FACTS), SILENT], {"thongsuot_link_loss_ratio": 1.0}),
    ("a round that we could not make leaves a gap", [outcome(**FACTS), BLIND], {}),
    ("a name that led nowhere was not measured", [outcome(Seen.FAILED, Reason.DNS_NXDOMAIN)], {}),
    ("a number that is none is not shown", [outcome(loss=0.0, rtt=nan, jitter=inf, mos=-inf)], {"thongsuot_link_loss_ratio": 0.0}),
    ("a number again after none", [outcome(loss=nan), outcome(loss=0.5)], {"thongsuot_link_loss_ratio": 0.5}),
]  # fmt: skip


@pytest.mark.parametrize(("sentence", "rounds", "expected"), CASES, ids=[case[0] for case in CASES])
def test_what_a_link_shows(sentence: str, rounds: list[Outcome], expected: dict[str, float]) -> None:
    made = exposition(*rounds)
    assert shown(made) == expected


def test_the_families_of_a_link_are_told_apart_by_its_checks_and_counted_once() -> None:
    made = exposition(outcome(**FACTS))
    made.outcome("a/v6", "a", "link", "icmp", outcome(**FACTS | {"loss": 0.3}))
    assert shown(made)["thongsuot_link_loss_ratio"] == 0.1
    assert shown(made, "a/v6")["thongsuot_link_loss_ratio"] == 0.3
    found = samples(made)
    assert value(found, "thongsuot_link_loss_ratio", check="a/v6", node="a", type="link") == 0.3


def test_a_link_that_left_leaves_no_figure_and_its_neighbour_keeps_his() -> None:
    made = exposition(outcome(**FACTS))
    made.outcome("b/v4", "b", "link", "icmp", outcome(**FACTS | {"rtt": 0.5}))
    made.forget("a/v4")
    assert shown(made) == {}
    assert shown(made, "b/v4")["thongsuot_link_rtt_seconds"] == 0.5
    assert b'"a/v4"' not in made.render("")[1]


def test_a_node_says_where_it_is_and_whose_line_it_has() -> None:
    labels = {"commune": "13285", "commune_name": "Phường Phủ Lý", "region": "Hà Nam", "district": "Thành phố Phủ Lý"}
    made = exposition(outcome(**FACTS))
    made.world(now=AT, catalogue=catalogue({"a": node("a", labels=labels)}), nodes={}, incidents=[])
    (info,) = [dict(key) for name, key in samples(made) if name == "thongsuot_node_info"]
    assert {key: info[key] for key in labels} == labels
    assert info["carrier"] == "vnpt"


@pytest.mark.parametrize("accept", ["", OPENMETRICS], ids=["text", "openmetrics"])
def test_a_province_of_links_stays_within_its_series_and_says_what_they_are(accept: str) -> None:
    made = Exposition(version="1")
    for number in range(129):
        for family in ("v4", "v6"):
            facts = FACTS | {"rtt": number / 1000, "hop_limit": 61, "ip_version": 4}
            made.outcome(f"t.{number}/{family}", f"t.{number}", "link", "icmp", outcome(**facts))
    counts: dict[str, int] = {}
    for (name, labels), number in samples(made, accept).items():
        assert number == number, name
        check = dict(labels).get("check", "")
        counts[check] = counts.get(check, 0) + 1
    counts.pop("")
    assert len(counts) == 2 * 129
    assert max(counts.values()) <= 25
    text = made.render(accept)[1].decode()
    for name in FAMILIES:
        assert text.count(f"# HELP {name} ") == 1
        assert text.count(f"# TYPE {name} gauge\n") == 1


def test_what_is_the_same_is_not_written_again() -> None:
    """Two scrapes with one new outcome between them: the lines of all others are the very same bytes."""
    made = Exposition(version="1")
    for number in range(129):
        made.outcome(f"t.{number}/v4", f"t.{number}", "link", "icmp", outcome(**FACTS))
    columns = [column for column in made._checks._tables["icmp"].columns if column.head.startswith(b"thongsuot_link")]
    assert len(columns) == 4
    before = [list(column.lines) for column in columns]
    made.outcome("t.7/v4", "t.7", "link", "icmp", outcome(**FACTS | {"rtt": 0.7}))
    changed = [sum(a is not b for a, b in zip(was, column.lines, strict=True)) for was, column in zip(before, columns, strict=True)]  # fmt: skip
    assert changed == [0, 1, 0, 0]
