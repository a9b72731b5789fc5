"""A million judgements of lossy links: random loss makes no alarm, and a real cut is seen in one interval.

The province's own policy for links, read from its files; ten packets a round, three more after a second when all were silent.
"""

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from ruamel.yaml import YAML

from monitor.model import CheckState, Policy, State
from monitor.rules.judge import settled, step
from monitor.settings.conditions import condition
from probes.contract import Outcome
from probes.icmp_extra import FEW, GAP, SILENCE
from probes.units import duration, seconds
from tests.rules.driver import outcome, t
from tests.rules.links import FACTS, Link

CONFIG = Path(__file__).parents[2] / "config"
LOSSES = [place / 100 for place in range(1, 21)]
JUDGED = 1_000_000


def block(path: str, *keys: Any) -> Any:
    found = YAML(typ="safe").load((CONFIG / path).read_text(encoding="utf-8"))
    for key in keys:
        found = found[key]
    return found


@pytest.fixture(scope="module")
def link() -> dict[str, Any]:
    """The check that can take a link down, as it is written."""
    return dict(block("ninhbinh/communes.yaml", "for_each", 0, "nodes", "tslcd.{code}", "checks", "v4"))


@pytest.fixture(scope="module")
def policy(link: dict[str, Any]) -> Policy:
    """How it is confirmed; what degrades a link takes nothing down."""
    confirm = block("ninhbinh.yaml", "defaults", "confirm") | link["confirm"]
    assert "down_if" not in link
    return Policy(
        failures=confirm["failures"], recheck=duration(confirm["recheck"]), successes=confirm["successes"], degraded=confirm["degraded"]
    )  # fmt: skip


def verdicts(silent: NDArray[np.bool_], policy: Policy) -> int:
    """So many times the judge says that a link is down, over the rounds of one link: the real judge, every round of them."""
    good, bad = outcome("ok", 0), outcome("failed", 0)
    state, downs = CheckState(check="a/v4"), 0
    for place, is_silent in enumerate(silent.tolist()):
        one: Outcome = bad if is_silent else good
        if settled(state, one, policy):
            continue
        made = step(state, replace(one, started_at=t(place)), policy, t(place))
        downs += made.transition is not None and made.transition.state is State.DOWN
        state = made.state
    return downs


def silences(chance: np.random.Generator, loss: float, rounds: int, packets: int, more: int) -> NDArray[np.bool_]:
    """Which rounds nobody answered, where each packet is lost by itself."""
    silent = chance.binomial(packets, loss, rounds) == packets
    silent[silent] = chance.binomial(more, loss, int(silent.sum())) == more
    return silent


def test_random_loss_of_1_to_20_percent_makes_no_alarm_in_a_million_judgements(
    link: dict[str, Any], policy: Policy
) -> None:
    began, chance, downs, judged = process_time(), np.random.default_rng(37), 0, 0
    for loss in LOSSES:
        for _ in range(10):
            silent = silences(chance, loss, JUDGED // 200, link["icmp"]["packets"], FEW)
            downs += verdicts(silent, policy)
            judged += len(silent)
    assert (judged, downs) == (JUDGED, 0)
    assert process_time() - began < 8


def test_the_same_judge_with_one_packet_a_round_would_alarm(policy: Policy) -> None:
    silent = silences(np.random.default_rng(37), 0.2, 20_000, 1, 0)
    assert verdicts(silent, policy) > 50


def stays(loss: float, burst: float, after: float) -> float:
    """The chance that a line that is dark is dark again after so many seconds (two states in continuous time, dark `loss` of all time)."""
    return float(loss + (1 - loss) * np.exp(-after / (burst * (1 - loss))))


def moments(link: dict[str, Any], recheck: float) -> list[float]:
    """When the packets of three rounds in a row leave: a silent target is sent no further packets in the rounds that follow."""
    burst = [seconds(link["icmp"]["spacing"]) * place for place in range(link["icmp"]["packets"])]
    more = [max(SILENCE, burst[-1]) + GAP * (place + 1) for place in range(FEW)]
    return [*burst, *more, *(recheck * again + at for again in (1, 2) for at in burst)]


@pytest.mark.parametrize("loss", [0.01, 0.05, 0.1, 0.2])
def test_loss_in_bursts_of_two_seconds_alarms_as_rarely_as_it_must(
    loss: float, link: dict[str, Any], policy: Policy, capsys: pytest.CaptureFixture[str]
) -> None:
    """Gilbert-Elliott with everything lost in a burst, the worst there is: three rounds within 15 s in which all 33 packets fall into bursts."""
    rounds, burst = JUDGED, 2.0
    chance = np.random.default_rng(37)
    dark = chance.random(rounds) < loss
    expected = loss
    for before, at in pairwise(moments(link, policy.recheck.total_seconds())):
        dark = dark[dark]  # Whoever was answered once is well: only the dark ones are followed.
        dark &= chance.random(len(dark)) < stays(loss, burst, at - before)
        expected *= stays(loss, burst, at - before)
    downs, told = int(dark.sum()), verdicts(np.array([False, True, True, True, False, False]), policy)
    assert told == 1  # Three silent rounds in a row are what the judge calls down.
    with capsys.disabled():
        print(f" [bursts of {burst:g} s, {loss:.0%} lost: {expected * 1440:.2g} alarms a link and day] ", end="")
    assert abs(downs - rounds * expected) <= 4 * np.sqrt(rounds * expected) + 4
    assert expected * 1440 <= {0.01: 0.05, 0.05: 0.3, 0.1: 0.7, 0.2: 2.0}[loss]


def test_a_real_cut_is_judged_within_75_seconds(link: dict[str, Any], policy: Policy) -> None:
    every, timeout = duration(link["every"]).total_seconds(), duration(link["timeout"])
    phases = np.random.default_rng(37).uniform(0, every, 10_000)
    waited = []
    for phase in phases.tolist():
        # The line is cut at 0; the first round that begins after it is the first that nobody answers.
        state = step(CheckState(check="a/v4"), outcome("ok", phase - every), policy, t(phase - every)).state
        at, judged = t(phase), None
        while judged is None:
            now = at + timeout
            made = step(state, replace(outcome("failed", 0), started_at=at), policy, now)
            state = made.state
            if made.transition is not None:
                judged = now
            else:
                assert made.recheck_at is not None
                at = made.recheck_at
        assert judged - at <= timedelta(seconds=4)
        waited.append((judged - t(0)).total_seconds())
    assert np.percentile(waited, 99) <= 75
    assert max(waited) <= every + 2 * policy.recheck.total_seconds() + timeout.total_seconds() <= 75


@pytest.mark.parametrize(("loss", "degraded"), [(0.001, 0), (0.03, 1), (0.07, 1)])
def test_loss_degrades_a_link_when_it_is_more_than_a_background(
    loss: float, degraded: int, link: dict[str, Any]
) -> None:
    lines = tuple(condition(text, FACTS, duration(link["every"])) for text in link["degraded_if"])
    chance, rounds = np.random.default_rng(37), 12 * 60
    for _ in range(12):
        one = Link(replace(Policy(), degraded_if=lines, degraded=link["confirm"]["degraded"]))
        for lost in chance.binomial(10, loss, rounds).tolist():
            one.see(loss=lost / 10, sent=10.0, rtt=0.012, jitter=0.001)
        assert len(one.story()) == degraded, one.story()
