"""The daemon with the province's own configuration on a real network, in real time: two scenes at once.

In one, all 129 links are cut in one step. In the other all of them lose one packet in twenty, and thirty are cut, each at a moment of its
own. DESIGN §11 is asked for: one fault is one page, a cut is durable within 75 seconds, chance is no alarm, nothing that was seen is missing.
"""

import asyncio
import random
import time
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from monitor.rules.spread import phase
from tests.network.duty import Arrival, Commune, Duty
from tests.network.namespaces import needs_namespaces
from tests.network.space import Link

pytestmark = [needs_namespaces, pytest.mark.story]

SINGLE, SPREAD, SEEN_WITHIN = 30, 60.0, 75.0

OWN = "own_stall"
"""What a run is told to be whose machine stood still for half a second: an outcome, and blind."""


@dataclass
class Scene:
    """What happened in one daemon's life, in wall time."""

    communes: list[Commune] = field(default_factory=list)
    struck: dict[str, float] = field(default_factory=dict)
    """By node: when its link was cut for certain."""
    healed: float = 0.0
    arrivals: list[Arrival] = field(default_factory=list)
    judged: dict[str, tuple[float, float]] = field(default_factory=dict)
    samples: dict[str, list[tuple[float, str]]] = field(default_factory=dict)
    """By check: when each began, and what was seen."""
    transitions: list[tuple[str, str]] = field(default_factory=list)
    incidents: list[dict[str, Any]] = field(default_factory=list)
    degradations: set[str] = field(default_factory=set)
    """Ids of incidents that are no outage."""
    lost: int = 0
    """Packets that the kernel dropped at random."""
    ended: int = 0

    @property
    def cut(self) -> float:
        return min(self.struck.values())

    async def write_down(self, duty: Duty) -> None:
        self.communes, self.arrivals, self.judged = duty.communes, list(duty.inbox.log), duty.judged()
        self.incidents = await duty.daemon.incidents()
        self.degradations = {id for (id,) in duty.rows("SELECT id FROM incidents WHERE degradation = 1")}
        self.lost = (await duty.space.counted())[Link.LOSS_5]
        self.transitions = duty.rows("SELECT subject, state FROM transitions ORDER BY id")
        query = """SELECT c."check", s.at, w.word FROM samples s JOIN checks c ON c.id = s."check" JOIN words w ON w.id = s.verdict / 4"""
        for check, at, word in duty.rows(query + " ORDER BY s.at"):
            self.samples.setdefault(check, []).append((at / 1e6, word))


async def all_at_once(folder: Path) -> Scene:
    scene = Scene()
    async with Duty(folder) as duty:
        _, cut = await duty.cut(duty.communes)
        scene.struck = {each.node: cut for each in duty.communes}
        # Every check has a slot of its own while all is dark, and the messages that there may be have come.
        await asyncio.sleep(70)
        scene.healed = (await duty.space.heal())[0]
        async with asyncio.timeout(90):
            while not any(arrival.type == "incident.resolved" for arrival in duty.inbox.log):
                await asyncio.sleep(0.2)
        await asyncio.sleep(8)
        await scene.write_down(duty)
    scene.ended = duty.ended
    return scene


async def one_by_one(folder: Path) -> Scene:
    chance, scene = random.Random(4), Scene()
    async with Duty(folder) as duty:
        await duty.cut(duty.communes, Link.LOSS_5)
        began = time.monotonic()
        moments = sorted(chance.uniform(0, SPREAD) for _ in range(SINGLE))
        for moment, each in zip(moments, chance.sample(duty.communes, SINGLE), strict=True):
            await asyncio.sleep(max(0.0, began + moment - time.monotonic()))
            scene.struck[each.node] = (await duty.cut([each]))[1]
        late = time.monotonic() + SEEN_WITHIN + 4
        while time.monotonic() < late and not scene.struck.keys() <= duty.judged().keys():
            await asyncio.sleep(1)
        await scene.write_down(duty)
    scene.ended = duty.ended
    return scene


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> list[Scene]:
    async def play() -> list[Scene]:
        return await asyncio.gather(
            *(scene(tmp_path_factory.mktemp(scene.__name__)) for scene in (all_at_once, one_by_one))
        )

    return asyncio.run(play())


@pytest.fixture
def dark(scenes: list[Scene]) -> Scene:
    return scenes[0]


def test_129_links_cut_in_one_step_are_one_message_within_90_seconds_that_names_them_all(dark: Scene) -> None:
    told = [arrival for arrival in dark.arrivals if arrival.at < dark.healed]
    assert [arrival.type for arrival in told][:1] == ["incident.opened"]
    first = told[0]
    assert first.at - dark.cut < 90
    assert first.incident["node"]["id"] == "tslcd"
    assert first.incident["affected_total"] >= 129
    named = {each["id"] for each in first.incident["affected"]}
    assert {each.node for each in dark.communes} <= named
    assert len(told) <= 3, [arrival.type for arrival in told]


def test_when_they_are_back_that_is_one_message(dark: Scene) -> None:
    told = [arrival for arrival in dark.arrivals if arrival.at >= dark.healed]
    assert [(arrival.type, arrival.incident["node"]["id"]) for arrival in told] == [("incident.resolved", "tslcd")]
    assert told[0].at - dark.healed < 90
    assert [incident["state"] for incident in dark.incidents if incident["state"] not in ("merged", "withdrawn")] == [
        "resolved"
    ]


def test_every_one_of_the_129_cuts_is_judged_within_75_seconds_though_all_fell_at_once(dark: Scene) -> None:
    late = {node: dark.judged[f"{node}/v4"][1] - cut for node, cut in dark.struck.items()}
    assert len(late) == 129
    assert max(late.values()) <= SEEN_WITHIN
    assert all(dark.judged[f"{node}/v4"][0] >= cut - 1 for node, cut in dark.struck.items())


def test_no_slot_of_any_check_went_without_an_outcome_while_all_was_dark(dark: Scene) -> None:
    """A run that is under way, a recheck, serves for the slot that falls into it."""
    every, began = 60.0, start_of(dark)
    wrong = []
    for each in dark.communes:
        check = f"{each.node}/v4"
        shift = phase(check, timedelta(seconds=every)).total_seconds()
        # A slot that fell together with the cut was served a little before it.
        slot = began + shift + every * -(-(dark.cut + 1.5 - began - shift) // every)
        assert slot < dark.healed, "a slot that is not in the dark"
        while slot < dark.healed - 5:
            served = [word for at, word in dark.samples[check] if slot - 4.5 <= at <= slot + 1.5]
            if not served or not {"no_reply", OWN} >= set(served):
                wrong.append(f"{check}: {served} at its slot {slot - dark.cut:.1f} s after the cut")
            slot += every
    assert not wrong, "\n".join(wrong)
    assert dark.ended == 0


def start_of(scene: Scene) -> float:
    """When the cadence began: what most samples agree on, once their checks' phases are taken off."""
    seen: dict[int, int] = {}
    for check, samples in scene.samples.items():
        if check.startswith("tslcd."):
            shift = phase(check, timedelta(seconds=60)).total_seconds()
            for at, _ in samples:
                tenth = round((at - shift) % 60 * 10)
                seen[tenth] = seen.get(tenth, 0) + 1
    best = max(seen, key=lambda tenth: seen[tenth] + seen.get(tenth + 1, 0) + seen.get(tenth - 1, 0))
    first = min(samples[0][0] for samples in scene.samples.values())
    return first - (first - best / 10 + 30) % 60 + 30


def test_a_cut_of_a_single_link_is_durable_within_75_seconds_whenever_it_falls(
    scenes: list[Scene], capsys: pytest.CaptureFixture[str]
) -> None:
    scene = scenes[1]
    missed = [node for node in scene.struck if f"{node}/v4" not in scene.judged or node not in scene.judged]
    assert missed == []
    late = sorted(scene.judged[node][1] - cut for node, cut in scene.struck.items())
    with capsys.disabled():
        print(
            f"\n{len(late)} single cuts: durable after {late[len(late) // 2]:.1f} s (median), {late[-1]:.1f} s (most)"
        )
    assert late[-1] <= SEEN_WITHIN
    down = {subject for subject, state in scene.transitions if state == "down" and subject.startswith("tslcd.")}
    assert {subject.removesuffix("/v4") for subject in down} == set(scene.struck), "somebody else was judged down"


def test_a_loss_of_5_percent_on_all_links_is_nobodys_outage(scenes: list[Scene]) -> None:
    scene = scenes[1]
    assert scene.lost > 129 * 10 * 0.05, "hardly anything was lost"
    # Thirty in a minute look like a beginning cascade: not every one of them has its own incident yet. And 5 % is a loss to be told of.
    outages = [incident for incident in scene.incidents if incident["id"] not in scene.degradations]
    assert {incident["node"]["id"] for incident in outages} <= set(scene.struck)
    assert len(scene.arrivals) <= 3, [arrival.type for arrival in scene.arrivals]
    calm = [each for each in scene.communes if each.node not in scene.struck]
    assert {word for each in calm for _, word in scene.samples[f"{each.node}/v4"]} <= {"ok", OWN}
