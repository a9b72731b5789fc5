"""Prometheus itself (Debian's) scrapes the daemon while that watches the quiet province in the box; everything it stored is asked for by its API."""

import asyncio
import json
import os
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from monitor.cli.demo import echo_allowed
from monitor.sandbox import BoxProcess, Pace, communes, configuration, free_port, new_secret
from tests.debian import need
from tests.ports import free_port as free_listen_port
from tests.story.daemon import Daemon, until
from tests.story.truth import checks_of_the_box

LINK = "tslcd.13285"

CONFIG = """\
global: {{scrape_interval: 2s, scrape_timeout: 2s}}
scrape_configs:
  - job_name: thongsuot
    static_configs: [{{targets: ["127.0.0.1:{port}"]}}]
  - job_name: thongsuot_probe
    metrics_path: /probe
    http_sd_configs: [{{url: "http://127.0.0.1:{port}/sd", refresh_interval: 5s}}]
    relabel_configs:
      - {{source_labels: [__address__], regex: '(motcua|qlvb|lgsp|cong_ttdt|hnth|ten_mien|hub|tslcd\\.13285)/.*', action: keep}}
      - {{source_labels: [__address__], target_label: __param_target}}
      - {{source_labels: [__param_target], target_label: instance}}
      - {{source_labels: [__meta_thongsuot_kind], target_label: kind}}
      - {{target_label: __address__, replacement: "127.0.0.1:{port}"}}
"""

OPENMETRICS = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
"""What Prometheus asks for."""


@dataclass
class Seen:
    """Everything that was asked, for the tests to look at."""

    checks: dict[str, dict[str, Any]] = field(default_factory=dict)
    nodes: dict[str, dict[str, Any]] = field(default_factory=dict)
    plain: httpx.Response | None = None
    open: httpx.Response | None = None
    promtool: subprocess.CompletedProcess[str] | None = None
    answers: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    targets: list[dict[str, Any]] = field(default_factory=list)
    log: str = ""
    echo: bool = False


QUERIES = {
    # name, PromQL as a public blackbox dashboard or rule has it
    "up": "up",
    "success": 'probe_success{job="thongsuot"}',
    "state": "thongsuot_node_state",
    "duration": "avg_over_time(probe_duration_seconds[30s])",
    "code": "probe_http_status_code",
    "phases": "sum by (check, phase) (probe_http_duration_seconds)",
    "expiry": "(probe_ssl_earliest_cert_expiry - time()) / 86400",
    "lookup": "avg by (check) (probe_dns_lookup_time_seconds)",
    "echo": 'probe_icmp_duration_seconds{phase="rtt"}',
    "tls": "probe_tls_version_info",
    "late": "histogram_quantile(0.99, sum by (le) (rate(thongsuot_schedule_lateness_seconds_bucket[30s])))",
    "multi": 'probe_success{job="thongsuot_probe"}',
    "multi_up": 'up{job="thongsuot_probe"}',
    "multi_code": 'probe_http_status_code{job="thongsuot_probe",instance="motcua/home"}',
    "connected": "thongsuot_self_connected",
    "runs": "sum by (kind, seen) (increase(thongsuot_probe_runs_total[30s]))",
    "build": "thongsuot_build_info",
}


@asynccontextmanager
async def prometheus(folder: Path, port: int) -> AsyncIterator[str]:
    """Debian's, with a folder and a port of its own; its address."""
    program = need("prometheus", "prometheus")
    listen = free_listen_port()
    config = folder / "prometheus.yml"
    config.write_text(CONFIG.format(port=port), encoding="utf-8")
    with (folder / "prometheus.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            program, f"--config.file={config}", f"--storage.tsdb.path={folder / 'tsdb'}",
            f"--web.listen-address=127.0.0.1:{listen}", "--log.level=info",
            stdout=log, stderr=log, cwd=folder,
        )  # fmt: skip
    try:
        yield f"http://127.0.0.1:{listen}"
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def everything(daemon: Daemon, path: str) -> dict[str, dict[str, Any]]:
    """All pages of a list of the API, by id."""
    found: dict[str, dict[str, Any]] = {}
    cursor: str | None = None
    while True:
        more = {} if cursor is None else {"cursor": cursor}
        page = (await daemon.get(path, limit=500, **more)).json()
        for item in page["items"]:
            assert item["id"] not in found, "an item stands on two pages"
            found[item["id"]] = item
        cursor = page["next"]
        if cursor is None:
            return found


async def watch(folder: Path) -> Seen:
    seen = Seen(echo=echo_allowed())
    box_port, port, secret, pace = free_port(), free_listen_port(), new_secret(), Pace(systems=2, links=5, portals=10)
    config = configuration(folder, communes(), port=box_port, listen=port, pace=pace, echo=seen.echo)
    env = {"THONGSUOT_SANDBOX_SECRET": secret, "THONGSUOT_SANDBOX_CLIENT": "sandbox"}
    async with (
        BoxProcess(folder, box_port, secret, pace),
        Daemon(config, port, folder / "daemon.log", env) as daemon,
        prometheus(folder, port) as address,
        httpx.AsyncClient(base_url=address, trust_env=False, timeout=10) as client,
    ):
        seen.checks = await everything(daemon, "/api/v1/checks")
        seen.nodes = await everything(daemon, "/api/v1/nodes")

        async def ask(query: str) -> list[dict[str, Any]]:
            try:
                answer = (await client.get("/api/v1/query", params={"query": query})).json()
            except httpx.TransportError:
                return []
            assert answer["status"] == "success", answer
            result: list[dict[str, Any]] = answer["data"]["result"]
            return result

        async def all_there() -> bool:
            scraped = await ask(QUERIES["success"])
            probed = await ask(QUERIES["multi"])
            return len(scraped) == len(seen.checks) and len(probed) >= 8

        await until(all_there, 60, "Prometheus has every check")
        await asyncio.sleep(4)  # A rate needs a second look.
        for name, query in QUERIES.items():
            seen.answers[name] = await ask(query)
        seen.targets = (await client.get("/api/v1/targets")).json()["data"]["activeTargets"]
        seen.plain = await daemon.get("/metrics")
        async with httpx.AsyncClient(trust_env=False, timeout=10) as plain:
            seen.open = await plain.get(f"http://127.0.0.1:{port}/metrics", headers={"Accept": OPENMETRICS})
        seen.promtool = await asyncio.to_thread(
            subprocess.run, [need("promtool", "prometheus"), "check", "metrics"],
            input=seen.plain.text, capture_output=True, text=True, check=False,
        )  # fmt: skip
        seen.log = (folder / "prometheus.log").read_text("utf-8")
    return seen


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    need("prometheus", "prometheus")
    return asyncio.run(watch(tmp_path_factory.mktemp("prometheus")))


def values(answer: list[dict[str, Any]], label: str) -> dict[str, float]:
    found = {row["metric"][label]: float(row["value"][1]) for row in answer}
    assert len(found) == len(answer), f"{label} does not tell the series apart"
    return found


def test_promtool_finds_nothing_to_say(seen: Seen) -> None:
    assert seen.promtool is not None
    assert (seen.promtool.returncode, seen.promtool.stdout, seen.promtool.stderr) == (0, "", "")


def test_the_target_is_up_and_nothing_was_complained_of(seen: Seen) -> None:
    (own,) = [row for row in seen.answers["up"] if row["metric"]["job"] == "thongsuot"]
    assert own["value"][1] == "1"
    assert [line for line in seen.log.splitlines() if "level=warn" in line or "level=error" in line] == []


def test_every_check_of_the_api_has_its_success(seen: Seen) -> None:
    assert len(seen.checks) == checks_of_the_box(echo=seen.echo)
    successes = values(seen.answers["success"], "check")
    assert successes.keys() == seen.checks.keys()
    assert {check for check, value in successes.items() if value != 1} == set()


def test_every_node_of_the_api_has_its_state(seen: Seen) -> None:
    states = values(seen.answers["state"], "node")
    assert states.keys() == seen.nodes.keys()
    assert {node: value for node, value in states.items() if value != 0} == {}


def kinds(seen: Seen, *names: str) -> set[str]:
    return {id for id, check in seen.checks.items() if check["kind"] in names}


NAMES = [
    ("the status of every page", "code", ("http", "journey", "tsa", "ocsp")),
    (
        "the name's way of everything that has a name or an address",
        "lookup",
        ("http", "tcp", "dns", "icmp", "sip", "h323", "stun", "snmp", "tsa", "ocsp"),
    ),
]


@pytest.mark.parametrize(("sentence", "query", "of"), NAMES, ids=[c[0] for c in NAMES])
def test_the_exporters_names_answer_for_every_check_of_their_kinds(
    seen: Seen, sentence: str, query: str, of: tuple[str, ...]
) -> None:
    own = [row for row in seen.answers[query] if row["metric"].get("job", "thongsuot") == "thongsuot"]
    assert {row["metric"]["check"] for row in own} == kinds(seen, *of)


def test_durations_and_phases_are_those_of_the_exporter(seen: Seen) -> None:
    own = [row for row in seen.answers["duration"] if row["metric"]["job"] == "thongsuot"]
    assert {row["metric"]["check"] for row in own} == seen.checks.keys()
    assert all(0 < float(row["value"][1]) < 10 for row in own)
    phases: dict[str, set[str]] = {}
    for row in seen.answers["phases"]:
        phases.setdefault(row["metric"]["check"], set()).add(row["metric"]["phase"])
    assert phases.keys() == kinds(seen, "http")
    assert all(found == {"resolve", "connect", "tls", "processing", "transfer"} for found in phases.values())


def test_a_certificates_days_are_known(seen: Seen) -> None:
    days = {(row["metric"]["job"], row["metric"]["check"]): float(row["value"][1]) for row in seen.answers["expiry"]}
    assert days.keys() == {("thongsuot", "cong_ttdt/home"), ("thongsuot_probe", "cong_ttdt/home")}
    assert all(value > 0 for value in days.values())
    assert {row["metric"]["version"] for row in seen.answers["tls"]} == {"TLS 1.3"}


def test_echoes_have_their_round_trip(seen: Seen) -> None:
    if not seen.echo:
        words = "NOT RUN: echo requests are not permitted here (net.ipv4.ping_group_range, or CAP_NET_RAW)"
        pytest.fail(words) if os.environ.get("CI") == "true" else pytest.skip(words)
    rows = [row for row in seen.answers["echo"] if row["metric"]["job"] == "thongsuot"]
    assert {row["metric"]["check"] for row in rows} == kinds(seen, "icmp")
    assert all(0 < float(row["value"][1]) < 1 for row in rows)


def test_discovery_and_probe_are_a_multi_target_exporter(seen: Seen) -> None:
    wanted = {
        id
        for id in seen.checks
        if id.split("/")[0] in ("motcua", "qlvb", "lgsp", "cong_ttdt", "hnth", "ten_mien", "hub", LINK)
    }
    assert values(seen.answers["multi_up"], "instance") == dict.fromkeys(wanted, 1.0)
    assert values(seen.answers["multi"], "instance") == dict.fromkeys(wanted, 1.0)
    assert [row["value"][1] for row in seen.answers["multi_code"]] == ["200"]
    for row in seen.answers["multi"]:
        assert row["metric"]["kind"] == seen.checks[row["metric"]["instance"]]["kind"]
    assert {target["health"] for target in seen.targets} == {"up"}
    assert {target["lastError"] for target in seen.targets} == {""}


def test_openmetrics_is_spoken_to_who_asks_for_it(seen: Seen) -> None:
    assert seen.open is not None
    assert seen.plain is not None
    assert seen.open.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    assert seen.open.text.endswith("# EOF\n")
    assert seen.open.text.count("# EOF") == 1
    assert seen.plain.headers["content-type"].startswith("text/plain; version=")
    assert "# EOF" not in seen.plain.text
    # The same series, whoever asks.
    assert _names(seen.open.text) >= {"probe_success", "thongsuot_node_state", "probe_http_duration_seconds"}
    assert _names(seen.plain.text) - _names(seen.open.text) == set()


def _names(text: str) -> set[str]:
    return {line.partition("{")[0].partition(" ")[0] for line in text.splitlines() if line and line[0] != "#"}


def test_the_daemons_own_figures_are_there(seen: Seen) -> None:
    assert [row["value"][1] for row in seen.answers["connected"]] == ["1"]
    assert len(seen.answers["build"]) == 1
    assert float(seen.answers["late"][0]["value"][1]) < 1
    ran = {(row["metric"]["kind"], row["metric"]["seen"]) for row in seen.answers["runs"] if float(row["value"][1]) > 0}
    assert {("http", "ok"), ("tcp", "ok"), ("dns", "ok")} <= ran
    assert {seen for _, seen in ran} == {"ok"}, json.dumps(seen.answers["runs"])
