"""The share of communes with working IPv6: what is counted, and what is not held against anybody."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.model import CheckState, Node, State, Transition
from monitor.rules import ipv6
from monitor.rules.ipv6 import Share, Unit
from probes import Family
from tests.rules.test_readiness import catalogue, check

T = datetime(2026, 12, 7, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Spec:
    host: str = ""
    url: str = ""
    server: str = ""
    family: Family = Family.ANY


SPECS = [
    ("it says so", Spec(host="a.example", family=Family.IPV6), True),
    ("it says the other", Spec(host="a.example", family=Family.IPV4), False),
    ("a name may be either", Spec(host="a.example"), False),
    ("an IPv6 address", Spec(host="2001:db8::1"), True),
    ("one with its interface", Spec(host="fe80::1%eth0"), True),
    ("one in brackets", Spec(host="[2001:db8::1]"), True),
    ("an IPv4 address", Spec(host="10.0.0.1"), False),
    ("a page at an IPv6 address", Spec(url="https://[2001:db8::1]:8443/x"), True),
    ("a page at a name and port", Spec(url="https://a.example:8443/x"), False),
    ("a name server at an IPv6 address and port", Spec(server="[2001:db8::1]:53"), True),
    ("a name server at an IPv4 address and port", Spec(server="10.0.0.1:53"), False),
    ("something that is no text", None, False),
]


@pytest.mark.parametrize(("sentence", "spec", "insists"), SPECS, ids=[case[0] for case in SPECS])
def test_what_insists_on_ipv6(sentence: str, spec: Spec | None, insists: bool) -> None:
    assert ipv6.insists(spec) is insists


def test_every_labelled_node_belongs_to_a_commune_whether_it_is_asked_or_not() -> None:
    from dataclasses import replace

    checks = [
        replace(check("a/v6"), spec=Spec(host="::1")),
        replace(check("a/v4"), spec=Spec(host="127.0.0.1")),
        replace(check("b/v6"), spec=Spec(family=Family.IPV6)),
        replace(check("c/v4"), spec=Spec()),
        replace(check("hub/v6"), spec=Spec(host="::1")),
    ]
    nodes = [
        Node(id="a", name="A", type="link", labels={"commune": "1"}),
        Node(id="b", name="B", type="portal", labels={"commune": "1"}),
        Node(id="c", name="C", type="link", labels={"commune": "2"}),
        Node(id="hub", name="H", type="hub"),
    ]
    assert ipv6.units(catalogue(checks, nodes)) == {"1": ("a/v6", "b/v6"), "2": ()}


UP, DOWN, SLOW, DARK = State.UP, State.DOWN, State.DEGRADED, State.UNKNOWN
UNITS = [
    ("nobody asks", [], Unit.UNASKED),
    ("it answers", [UP], Unit.WORKING),
    ("slowly", [SLOW], Unit.WORKING),
    ("one of two answers", [DOWN, UP], Unit.WORKING),
    ("none answers", [DOWN, DOWN], Unit.FAILING),
    ("one does not, of the other nothing is known", [DOWN, DARK], Unit.UNKNOWN),
    ("nothing is known", [DARK], Unit.UNKNOWN),
]


@pytest.mark.parametrize(("sentence", "states", "unit"), UNITS, ids=[case[0] for case in UNITS])
def test_a_commune(sentence: str, states: list[State], unit: Unit) -> None:
    assert ipv6.unit(states) is unit


def test_the_figures_of_a_province() -> None:
    share = Share(working=97, failing=3, unknown=9, unasked=20)
    assert (share.communes, share.asked, share.seen) == (129, 109, 100)
    assert share.ratio == 97 / 120
    assert (share.low, share.high) == (97 / 129, 126 / 129)
    assert Share(unknown=129).ratio is None
    assert (Share().ratio, Share().low, Share().high) == (None, None, None)


@given(*(st.integers(0, 200) for _ in range(4)))
def test_the_share_lies_between_its_bounds_and_the_four_are_all(w: int, f: int, u: int, a: int) -> None:
    share = Share(working=w, failing=f, unknown=u, unasked=a)
    assert share.communes == w + f + u + a
    if share.ratio is not None:
        assert share.low is not None
        assert share.high is not None
        assert 0 <= share.low <= share.ratio <= share.high <= 1


@given(
    st.dictionaries(st.text("abc", min_size=1, max_size=2), st.lists(st.sampled_from(list(State)[:5]), max_size=3)),
    st.sampled_from([UP, DOWN]),
)
def test_our_blindness_moves_nobody_from_working_to_failing_or_back(
    communes: dict[str, list[State]], seen: State
) -> None:
    names = {name: [f"{name}{number}" for number in range(len(each))] for name, each in communes.items()}
    state = {check: each for name, mine in communes.items() for check, each in zip(names[name], mine, strict=True)}
    before = ipv6.share(names, state.__getitem__)
    blind = ipv6.share(names, lambda check: DARK if state[check] is seen else state[check])
    if seen is UP:
        assert blind.failing <= before.failing
    else:
        assert blind.working == before.working
    assert blind.communes == before.communes


def test_a_check_that_we_cannot_see_now_is_unknown_whatever_it_was() -> None:
    states = {
        "a": CheckState(check="a", state=UP),
        "b": CheckState(check="b", state=UP, blind_since=T),
    }
    state = ipv6.present(states)
    assert [state(each) for each in "abc"] == [UP, DARK, DARK]


def rows(check: str, *changes: tuple[int, State]) -> list[Transition]:
    return [
        Transition(
            subject=check, at=T + timedelta(minutes=minute), state=state, after=T + timedelta(minutes=minute - 1)
        )
        for minute, state in changes
    ]


def test_a_communes_history_is_up_while_any_of_its_checks_is() -> None:
    history = ipv6.history(
        ["a", "b"],
        {"a": rows("a", (0, UP), (10, DOWN), (40, UP)), "b": rows("b", (5, UP), (20, DOWN), (30, SLOW))},
        "1",
    )
    assert [((row.at - T) // timedelta(minutes=1), row.state) for row in history] == [(0, UP), (20, DOWN), (30, UP)]
    assert history[1].after == T + timedelta(minutes=19)
    assert {row.subject for row in history} == {"1"}


def test_a_communes_history_is_unknown_until_all_that_fail_were_seen() -> None:
    history = ipv6.history(["a", "b"], {"a": rows("a", (0, DOWN)), "b": rows("b", (5, DOWN))}, "1")
    assert [((row.at - T) // timedelta(minutes=1), row.state) for row in history] == [(0, DARK), (5, DOWN)]
