"""One story, ten faults, the whole daemon against the province in a box at one probe a second; then everything is held against the truth.

The order: a link, a wrong page, a slow page, an expired certificate, a carrier, a link in maintenance, our own uplink, a link during which the
daemon is killed and started again, the hub, a flapping link.
"""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from monitor import words
from monitor.sandbox import BoxProcess, Fault, Pace, communes, configuration, free_port, new_secret
from tests.ports import free_port as free_listen_port
from tests.story.daemon import Daemon, command, until
from tests.story.truth import Cut, arrivals, by_incident, checks_of_the_box, cuts, seconds_in, texts_of

pytestmark = pytest.mark.story

PACE = Pace(systems=1.0, links=1.0, portals=5.0, target="4m")
LASTS, CALM = 11.0, 9.0
"""Seconds a fault lasts (judging takes three failures a second apart, settling two more) and the calm after it (two successes)."""

OWN = {"monitor.impaired", "monitor.recovered"}


class Story:
    """What happened, and everything there is to hold it against."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.people = communes()
        self.links = [f"tslcd.{c.code}" for c in self.people]
        self.start = self.end = datetime.now(UTC)
        self.killed: tuple[datetime, datetime] | None = None
        self.maintained = self.links[20]
        self.window = (self.start, self.start)
        self.report: dict[str, Any] = {}
        self.again: bytes = b""
        self.incidents: list[dict[str, Any]] = []
        self.metrics = ""
        self.nodes: list[dict[str, Any]] = []

    @property
    def cuts(self) -> list[Cut]:
        return cuts(self.folder / "truth.jsonl")

    @property
    def messages(self) -> list[dict[str, Any]]:
        return arrivals(self.folder / "inbox.jsonl")

    def of(self, kind: str) -> Cut:
        return next(cut for cut in self.cuts if cut.kind == kind)

    def incidents_of(self, node: str) -> list[dict[str, Any]]:
        return [incident for incident in self.incidents if incident["node"]["id"] == node]


async def happen(box: BoxProcess, kind: str, target: str = "", lasts: float = LASTS, calm: float = CALM) -> None:
    fault = Fault(kind=kind, target=target, after=0, lasts=lasts)  # type: ignore[arg-type]
    await box.begin(fault)
    await asyncio.sleep(lasts)
    await box.end(fault)
    await asyncio.sleep(calm)


async def play(story: Story, box: BoxProcess, daemon: Daemon) -> None:
    await happen(box, "link", story.links[3])
    await happen(box, "wrong_page", "motcua")
    await happen(box, "slow", "motcua")
    await happen(box, "certificate", "cong_ttdt")
    await happen(box, "carrier", "viettel")
    await asyncio.sleep(max(0.0, (story.window[0] - datetime.now(UTC)).total_seconds() + 1))
    await happen(box, "link", story.maintained, lasts=8)
    await happen(box, "uplink")
    struck = Fault(kind="link", target=story.links[30], after=0, lasts=0)
    await box.begin(struck)

    async def opened() -> bool:
        return any(i["node"]["id"] == story.links[30] for i in await daemon.incidents())

    await until(opened, 12, "the incident in whose middle the daemon is killed")
    before = datetime.now(UTC)
    await daemon.kill()
    await asyncio.sleep(3)
    await daemon.start()
    story.killed = (before, datetime.now(UTC))
    await asyncio.sleep(4)
    await box.end(struck)
    await asyncio.sleep(CALM)
    await happen(box, "hub", calm=12)
    for _ in range(4):
        await happen(box, "flap", story.links[9], lasts=5.5, calm=4.5)
    await asyncio.sleep(6)


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    return asyncio.run(tell(tmp_path_factory.mktemp("story")))


async def tell(folder: Path) -> Story:
    told = Story(folder)
    now = datetime.now(UTC).replace(microsecond=0)
    # After five faults of twenty seconds; the seventh of the story waits for it.
    told.window = (now + timedelta(seconds=125), now + timedelta(seconds=140))
    plan = (
        f"maintenance:\n  - {{id: bao-tri, nodes: [{told.maintained}], from: {told.window[0]:%Y-%m-%dT%H:%M:%SZ}, "
        f"to: {told.window[1]:%Y-%m-%dT%H:%M:%SZ}, reason: Thử}}\n"
    )
    box_port, port, secret = free_port(), free_listen_port(), new_secret()
    config = configuration(folder, told.people, port=box_port, listen=port, pace=PACE, echo=False, maintenance=plan)
    env = {"THONGSUOT_SANDBOX_SECRET": secret, "THONGSUOT_SANDBOX_CLIENT": "sandbox"}
    async with BoxProcess(folder, box_port, secret, PACE) as box:
        drain = asyncio.create_task(_drain(box))
        async with Daemon(config, port, folder / "daemon.log", env) as daemon:
            told.start = datetime.now(UTC)
            await asyncio.sleep(8)
            await play(told, box, daemon)
            told.end = datetime.now(UTC)
            told.incidents = [
                (await daemon.get(f"/api/v1/incidents/{incident['id']}")).json()
                for incident in await daemon.incidents()
            ]
            told.nodes = (await daemon.get("/api/v1/nodes")).json()["items"]
            told.metrics = (await daemon.get("/metrics")).text
        span = ("--from", told.start.isoformat(), "--to", told.end.isoformat())
        code, out, err = await command("report", *span, "--format", "json", "--out", "-", config=config, env=env)
        assert code == 0, err
        told.report = json.loads(out)
        _, again, _ = await command("report", *span, "--format", "json", "--out", "-", config=config, env=env)
        told.again = again.encode()
        drain.cancel()
    return told


async def _drain(box: BoxProcess) -> None:
    async for _ in box.events():
        pass


def test_every_fault_has_one_incident_with_the_right_root_and_there_is_no_other(story: Story) -> None:
    expected = sorted(
        [
            story.links[3], "motcua", "cong_ttdt", "carrier.viettel", story.links[9], story.maintained,
            "monitor", story.links[30], "hub",
        ]
    )  # fmt: skip
    roots = sorted(i["node"]["id"] for i in story.incidents if i["state"] not in ("merged", "withdrawn"))
    assert roots == expected
    assert [i["id"] for i in story.incidents if i["state"] in ("merged", "withdrawn")] == []


REASONS = [
    ("a cut line times out", "link", "timeout"),
    ("a page that says it is broken is not a page", "wrong_page", "body_regex"),
    ("a certificate that ran out is expired, nothing else", "certificate", "tls_expired"),
    ("the hub times out", "hub", "timeout"),
]


@pytest.mark.parametrize(("sentence", "kind", "reason"), REASONS, ids=[c[0] for c in REASONS])
def test_the_incident_says_why(story: Story, sentence: str, kind: str, reason: str) -> None:
    assert story.incidents_of(story.of(kind).root)[0]["reason"] == reason


def test_whoever_cannot_work_is_named(story: Story) -> None:
    carrier = story.of("carrier")
    hurt = {each["id"] for each in story.incidents_of("carrier.viettel")[0]["affected"]}
    assert hurt == set(carrier.nodes)
    link = story.of("link")
    assert {each["id"] for each in story.incidents_of(link.root)[0]["affected"]} == link.nodes - {link.root}
    hub = {each["id"] for each in story.incidents_of("hub")[0]["affected"]}
    assert set(story.links) <= hub
    assert {"motcua", "lgsp", "qlvb"} <= hub


def test_incidents_begin_and_end_when_the_faults_did(story: Story) -> None:
    for kind in ("link", "wrong_page", "certificate", "carrier", "hub"):
        cut = story.of(kind)
        found = story.incidents_of(cut.root)[0]
        started = datetime.fromisoformat(found["started_at"])
        resolved = datetime.fromisoformat(found["resolved_at"])
        assert -1.1 <= (started - cut.start).total_seconds() <= 2.1, kind  # Times of the API are cut to whole seconds.
        assert -1.1 <= (resolved - cut.end).total_seconds() <= 2.6, kind


def test_a_slow_page_is_degraded_and_nobody_is_woken(story: Story) -> None:
    row = next(node for node in story.report["nodes"] if node["id"] == "motcua")
    slow = story.of("slow")
    assert 0 < row["seconds"]["degraded"] <= (slow.end - slow.start).total_seconds() + 2.5
    assert [i["reason"] for i in story.incidents_of("motcua")] == ["body_regex"]


def test_our_own_uplink_is_nobody_elses_fault(story: Story) -> None:
    uplink = story.of("uplink")
    for incident in story.incidents:
        started = datetime.fromisoformat(incident["started_at"])
        if incident["node"]["id"] != "monitor":
            assert not uplink.start - timedelta(seconds=2) <= started <= uplink.end + timedelta(seconds=1)
    assert [m["message"]["type"] for m in story.messages if m["message"]["type"] in OWN] == [
        "monitor.impaired",
        "monitor.recovered",
    ]


def test_a_flapping_link_is_one_incident(story: Story) -> None:
    flapping = story.incidents_of(story.links[9])
    assert len(flapping) == 1
    assert flapping[0]["flapping"]
    told = texts_of(story.messages, flapping[0]["id"])
    assert [type for type, _ in told].count("incident.opened") == 1
    # Whichever change was the one too many (an update, or coming back after a repair) says it, as the last word before the quiet.
    assert [words.say("line.flapping", "vi") in text for _, text in told] == [False] * (len(told) - 1) + [True]
    assert len(told) <= 7


def test_the_kill_neither_opens_again_nor_forgets(story: Story) -> None:
    assert story.killed is not None
    found = story.incidents_of(story.links[30])
    assert [i["state"] for i in found] == ["resolved"]
    assert by_incident(story.messages)[found[0]["id"]] == ["incident.opened", "incident.resolved"]


def test_maintenance_wakes_nobody(story: Story) -> None:
    quiet = {i["id"] for i in story.incidents_of(story.maintained)}
    assert quiet & by_incident(story.messages).keys() == set()


def test_each_incident_is_told_in_order_and_to_its_end(story: Story) -> None:
    told = by_incident(story.messages)
    for incident in story.incidents:
        if incident["maintenance"] or incident["node"]["id"] in ("monitor", story.maintained, story.links[9]):
            continue
        types = told[incident["id"]]
        assert types[0] == "incident.opened", incident["node"]["id"]
        assert types[-1] == "incident.resolved", incident["node"]["id"]
        assert incident["state"] == "resolved"


def test_copies_carry_one_id_and_the_same_words(story: Story) -> None:
    bodies: dict[str, Any] = {}
    for arrival in story.messages:
        assert bodies.setdefault(arrival["id"], arrival["message"]) == arrival["message"]


def _down(story: Story, node: str) -> list[tuple[datetime, datetime]]:
    silent = ("link", "carrier", "hub", "flap", "wrong_page", "certificate")
    return [
        (cut.start, cut.end)
        for cut in story.cuts
        if node in cut.nodes and cut.kind in silent and not (node == story.maintained and cut.target == node)
    ]


def test_the_reports_seconds_are_the_truths_within_the_bounds_it_states(story: Story) -> None:
    start, end = (datetime.fromisoformat(story.report["period"][edge]) for edge in ("start", "end"))
    wrong = []
    for row in story.report["nodes"]:
        node, seconds = row["id"], row["seconds"]
        if node in ("carrier.viettel", "carrier.vnpt", "tslcd") or node.startswith("cttdt."):
            continue
        assert sum(seconds.values()) == pytest.approx((end - start).total_seconds(), abs=1e-6)
        counted = sum(seconds[bucket] for bucket in ("up", "degraded", "down", "unreachable"))
        unseen = [(cut.start, cut.end) for cut in story.cuts if cut.kind == "uplink"]
        if story.killed is not None:
            unseen.append(story.killed)
        truth = seconds_in(_down(story, node), start, end) - _hidden(_down(story, node), unseen, start, end)
        available = 1 - truth / counted
        # Where the node was down on one side of a gap that nobody saw, the gap's own edges are a sample's doubt too.
        doubt = 3.0 / counted if node in (story.links[30], f"hnth.{story.links[30][6:]}") else 0.15 / counted
        low, high = row["availability"]["low"] - doubt, row["availability"]["high"] + doubt
        if not low <= available <= high:
            wrong.append((node, low, available, high, seconds))
    assert wrong == []


def _hidden(
    down: list[tuple[datetime, datetime]], unseen: list[tuple[datetime, datetime]], start: datetime, end: datetime
) -> float:
    """Seconds of `down` in which nobody looked: they are unknown in the report, and rightly."""
    return sum(
        seconds_in([(max(a, c), min(b, d))], start, end) for a, b in down for c, d in unseen if max(a, c) < min(b, d)
    )


def test_maintenance_is_excluded_in_the_report(story: Story) -> None:
    row = next(node for node in story.report["nodes"] if node["id"] == story.maintained)
    assert row["seconds"]["excluded"] == pytest.approx((story.window[1] - story.window[0]).total_seconds(), abs=0.01)


def test_the_time_nobody_looked_is_unknown_for_everyone(story: Story) -> None:
    assert story.killed is not None
    uplink = story.of("uplink")
    for row in story.report["nodes"]:
        if row["id"] in story.links[40:60]:
            assert row["seconds"]["unknown"] >= (uplink.end - uplink.start).total_seconds() - 3
            assert row["coverage"] < 1


def test_the_same_store_makes_the_same_report_byte_for_byte(story: Story) -> None:
    assert json.loads(story.again) == story.report


def test_metrics_have_every_check_and_node(story: Story) -> None:
    for node in story.nodes:
        assert f'thongsuot_node_state{{node="{node["id"]}"' in story.metrics or f'node="{node["id"]}"' in story.metrics
    assert story.metrics.count("\nprobe_success{") == checks_of_the_box(echo=False)


def test_all_is_well_in_the_end(story: Story) -> None:
    assert [node["id"] for node in story.nodes if node["state"] != "up"] == []
