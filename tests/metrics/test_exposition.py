"""What Prometheus reads: the right numbers under the right names, in both formats, and never more series than promised."""

import asyncio
import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from math import isnan
from types import MappingProxyType, SimpleNamespace

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics_parser
from prometheus_client.parser import text_string_to_metric_families as text_parser

from monitor.metrics import Exposition
from monitor.metrics.families import KINDS
from monitor.model import (
    Catalogue,
    Check,
    Daemon,
    EventType,
    Incident,
    IncidentEvent,
    IncidentState,
    Node,
    NodeState,
    Province,
    Receiver,
    Retention,
    SelfCheck,
    Severity,
    State,
)
from probes.contract import Outcome, Reason, Seen
from tests.debian import need

AT = datetime(2026, 11, 21, 14, 3, tzinfo=UTC)
OPENMETRICS = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"
EXPIRED = 1_700_000_000.0
QUEUE = SimpleNamespace(
    receiver="truc", waiting=1, retrying=2, parked=3, held=5, disabled=False, failures=4, alarm="credentials"
)


def outcome(seen: Seen = Seen.OK, reason: Reason = Reason.OK, **facts: float) -> Outcome:
    phases = {"resolve": 0.001, "connect": 0.002, "tls": 0.003, "processing": 0.25, "transfer": 0.005, "rtt": 0.5}
    return Outcome(seen=seen, reason=reason, detail="x", started_at=AT, seconds=0.261, phases=phases, facts=facts)


HTTP = outcome(
    status=200, redirects=1, tls=1, http_version=1.1, ip_version=4, body_bytes=1234, failed_due_to_regex=0,
    certificate_not_after=EXPIRED, tls_version=1.3,
)  # fmt: skip
ICMP = outcome(loss=0.2, rtt=0.0123, jitter=0.001, mos=4.1, ip_version=6, hop_limit=61)
FAILED = outcome(Seen.FAILED, Reason.REFUSED)
BLIND = outcome(Seen.BLIND, Reason.OWN_NETWORK)


def catalogue(
    nodes: dict[str, Node], kinds: dict[str, str] | None = None, receivers: tuple[str, ...] = ("truc",)
) -> Catalogue:
    checks = {
        id: Check(
            id=id,
            node=id.split("/")[0],
            name="c",
            kind=kind,
            spec=None,
            every=timedelta(minutes=1),
            timeout=timedelta(seconds=5),
        )
        for id, kind in (kinds or {}).items()
    }
    return Catalogue(
        province=Province(),
        daemon=Daemon(),
        parties=MappingProxyType({}),
        nodes=MappingProxyType(nodes),
        checks=MappingProxyType(checks),
        receivers=MappingProxyType({name: Receiver(name=name, kind="webhook", spec=None) for name in receivers}),
        routes=(),
        maintenance=(),
        reports=(),
        retention=Retention(),
        monitor=SelfCheck(),
        fingerprint="",
    )


def node(id: str, **keys: object) -> Node:
    return Node(id=id, name=f"Đường truyền {id}", type="link", carrier="vnpt", **keys)


def incident(**keys: object) -> Incident:
    made = Incident(
        id="i-1",
        node="a",
        severity=Severity.HIGH,
        started_at=AT,
        detected_at=AT,
        opened_at=AT,
        target=timedelta(hours=24),
    )
    return replace(made, **keys)


def samples(exposition: Exposition, accept: str = "") -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Every sample by name and labels; a series that is there twice is an error."""
    kind, body = exposition.render(accept)
    parse = openmetrics_parser if kind.startswith("application/openmetrics") else text_parser
    found: dict[tuple[str, tuple[tuple[str, str], ...]], float] = {}
    for family in parse(body.decode()):
        for each in family.samples:
            key = (each.name, tuple(sorted(each.labels.items())))
            assert key not in found, key
            found[key] = each.value
    return found


def value(found: dict, name: str, **labels: str) -> float:
    return found[name, tuple(sorted(labels.items()))]


def fed() -> Exposition:
    exposition = Exposition(version="0.1.0")
    for id, kind, saw in (
        ("a/web", "http", HTTP),
        ("a/link", "icmp", ICMP),
        ("b/web", "http", FAILED),
        ("b/future", "future", HTTP),
    ):
        exposition.outcome(id, id.split("/")[0], "system", kind, saw)
    exposition.lateness(0.004)
    exposition.delivery("truc", SimpleNamespace(result="delivered"))
    after = AT + timedelta(hours=1)
    over = incident(state=IncidentState.RESOLVED, resolved_at=after)
    exposition.event(IncidentEvent(incident=over, sequence=2, type=EventType.RESOLVED, at=after))
    exposition.reloaded(successful=True, at=AT)
    exposition.world(
        now=AT,
        catalogue=catalogue(
            {"a": node("a", labels={"commune": "13285"}), "b": node("b"), "c": node("c")}, {"a/web": "http"}
        ),
        nodes={"a": NodeState(node="a", state=State.DOWN), "b": NodeState(node="b", state=State.UP)},
        incidents=[incident(), incident(id="i-2", state=IncidentState.RESOLVED)],
        maintenance={"b"},
        queues=[QUEUE],
        figures={("a", "1d"): (0.5, 1.0), ("b", "1d"): (None, 0.25), ("gone", "1d"): (1.0, 1.0)},
        store=SimpleNamespace(
            queue=1,
            rows=2,
            failures=3,
            bounds=(0.01, 0.1),
            commit_seconds=(5, 2, 1),
            commit_seconds_sum=1.5,
            database_bytes=4,
            wal_bytes=5,
        ),
    )
    return exposition


@pytest.mark.parametrize("accept", ["", OPENMETRICS], ids=["text", "openmetrics"])
def test_a_check_is_seen_under_the_names_of_blackbox_exporter(accept):
    found = samples(fed(), accept)
    own = {"check": "a/web", "node": "a", "type": "system"}
    for name, expected in (
        ("probe_success", 1),
        ("probe_duration_seconds", 0.261),
        ("probe_dns_lookup_time_seconds", 0.001),
        ("probe_http_status_code", 200),
        ("probe_http_redirects", 1),
        ("probe_http_ssl", 1),
        ("probe_http_version", 1.1),
        ("probe_http_uncompressed_body_length", 1234),
        ("probe_failed_due_to_regex", 0),
        ("probe_ip_protocol", 4),
        ("probe_ssl_earliest_cert_expiry", EXPIRED),
    ):
        assert value(found, name, **own) == expected, name
    assert value(found, "probe_tls_version_info", version="TLS 1.3", **own) == 1
    for phase, expected in (
        ("resolve", 0.001),
        ("connect", 0.002),
        ("tls", 0.003),
        ("processing", 0.25),
        ("transfer", 0.005),
    ):
        assert value(found, "probe_http_duration_seconds", phase=phase, **own) == expected


def test_a_link_shows_its_quality():
    found = samples(fed())
    own = {"check": "a/link", "node": "a", "type": "system"}
    assert value(found, "thongsuot_link_loss_ratio", **own) == 0.2
    assert value(found, "thongsuot_link_rtt_seconds", **own) == 0.0123
    assert value(found, "thongsuot_link_jitter_seconds", **own) == 0.001
    assert value(found, "thongsuot_link_mos", **own) == 4.1
    assert value(found, "probe_icmp_duration_seconds", phase="rtt", **own) == 0.0123
    assert value(found, "probe_icmp_reply_hop_limit", **own) == 61


def test_what_was_not_reached_is_zero_and_what_cannot_be_known_is_absent():
    found = samples(fed())
    own = {"check": "b/web", "node": "b", "type": "system"}
    assert value(found, "probe_success", **own) == 0
    assert value(found, "probe_http_status_code", **own) == 0
    assert ("probe_ssl_earliest_cert_expiry", tuple(sorted(own.items()))) not in found


def test_a_kind_without_a_table_shows_the_basics():
    found = samples(fed())
    names = {name for name, labels in found if ("check", "b/future") in labels}
    assert names == {"probe_success", "probe_duration_seconds"}


def test_a_blind_round_leaves_a_gap_and_never_a_zero():
    exposition = fed()
    exposition.outcome("a/web", "a", "system", "http", BLIND)
    assert not [key for key in samples(exposition) if ("check", "a/web") in key[1]]
    exposition.outcome("a/web", "a", "system", "http", HTTP)
    assert len([key for key in samples(exposition) if ("check", "a/web") in key[1]]) == 17
    assert (
        value(samples(exposition), "thongsuot_probe_runs_total", kind="http", seen="blind", reason="own_network") == 1
    )


def test_the_newest_outcome_replaces_the_one_before_to_the_last_label():
    exposition = fed()
    newer = replace(
        HTTP, facts={**HTTP.facts, "tls_version": 1.2, "status": 503.0, "certificate_not_after": float("nan")}
    )
    for seen in (newer, newer, HTTP, newer):
        exposition.outcome("a/web", "a", "system", "http", seen)
    found = samples(exposition, OPENMETRICS)
    own = {"check": "a/web", "node": "a", "type": "system"}
    assert value(found, "probe_http_status_code", **own) == 503
    assert isnan(value(found, "probe_ssl_earliest_cert_expiry", **own))
    versions = [dict(labels)["version"] for name, labels in found if name == "probe_tls_version_info"]
    assert versions == ["TLS 1.2"]


def test_what_left_the_configuration_leaves_nothing_and_its_place_is_used_again():
    exposition = fed()
    exposition.forget("a/web")
    exposition.forget("never was")
    assert not [key for key in samples(exposition) if ("check", "a/web") in key[1]]
    exposition.outcome("new/web", "new", "portal", "http", FAILED)
    found = samples(exposition)
    own = {"check": "new/web", "node": "new", "type": "portal"}
    assert value(found, "probe_success", **own) == 0
    assert ("probe_tls_version_info", tuple(sorted({**own, "version": "TLS 1.3"}.items()))) not in found


def test_a_check_that_changes_its_kind_or_node_type_starts_anew():
    exposition = fed()
    exposition.outcome("a/web", "a", "portal", "icmp", ICMP)
    found = samples(exposition)
    kinds = {dict(labels)["type"] for _, labels in found if ("check", "a/web") in labels}
    assert kinds == {"portal"}
    assert not [name for name, labels in found if name.startswith("probe_http") and ("check", "a/web") in labels]


@pytest.mark.parametrize("accept", ["", OPENMETRICS], ids=["text", "openmetrics"])
def test_nodes_incidents_and_the_daemon_itself(accept):
    found = samples(fed(), accept)
    for name, number in (("a", 2), ("b", 5), ("c", 4)):
        assert value(found, "thongsuot_node_state", node=name, type="link", severity="medium") == number
    (info,) = [dict(labels) for name, labels in found if name == "thongsuot_node_info" and ("node", "a") in labels]
    assert (info["name"], info["carrier"], info["commune"]) == ("Đường truyền a", "vnpt", "13285")
    assert value(found, "thongsuot_availability_ratio", node="a", type="link", window="1d") == 0.5
    assert value(found, "thongsuot_coverage_ratio", node="b", type="link", window="1d") == 0.25
    own = {"incident": "i-1", "node": "a", "severity": "high"}
    assert value(found, "thongsuot_incident_open", **own) == 1
    assert value(found, "thongsuot_incident_acknowledged", **own) == 0
    assert value(found, "thongsuot_incident_started_timestamp_seconds", **own) == AT.timestamp()
    assert value(found, "thongsuot_incident_recovery_deadline_timestamp_seconds", **own) == AT.timestamp() + 86400
    assert not [labels for _, labels in found if ("incident", "i-2") in labels]
    assert value(found, "thongsuot_probe_runs_total", kind="http", seen="failed", reason="refused") == 1
    assert value(found, "thongsuot_deliveries_total", receiver="truc", result="delivered") == 1
    assert value(found, "thongsuot_outbox_messages", receiver="truc", state="parked") == 3
    assert value(found, "thongsuot_outbox_messages", receiver="truc", state="held") == 5
    assert value(found, "thongsuot_receiver_failures", receiver="truc") == 4
    assert value(found, "thongsuot_receiver_alarm", receiver="truc") == 1
    assert value(found, "thongsuot_schedule_lateness_seconds_count") == 1
    assert value(found, "thongsuot_store_commit_seconds_bucket", le="0.1") == 7
    assert value(found, "thongsuot_store_commit_seconds_count") == 8
    assert value(found, "thongsuot_self_connected") == 1
    assert value(found, "thongsuot_config_last_reload_successful") == 1
    assert value(found, "thongsuot_config_last_reload_success_timestamp_seconds") == AT.timestamp()
    assert value(found, "thongsuot_build_info", version="0.1.0") == 1
    assert not [name for name, _ in found if name.endswith("_created")]


def test_how_incidents_ended_is_counted():
    exposition = Exposition(version="1")
    exposition.configured(catalogue({"a": node("a")}))
    late = AT + timedelta(hours=30)
    for kind, ended in (
        (EventType.RESOLVED, incident(state=IncidentState.RESOLVED, resolved_at=AT + timedelta(hours=1))),
        (
            EventType.RESOLVED,
            incident(state=IncidentState.RESOLVED, resolved_at=late, breached_at=AT + timedelta(hours=24)),
        ),
        (EventType.MERGED, incident(state=IncidentState.MERGED, closed_at=late)),
        (EventType.OPENED, incident()),
    ):
        exposition.event(IncidentEvent(incident=ended, sequence=1, type=kind, at=late))
    found = samples(exposition)
    results = {dict(labels)["result"]: n for (name, labels), n in found.items() if name == "thongsuot_incidents_total"}
    assert results == {"met": 1, "breached": 1, "merged": 1}
    assert value(found, "thongsuot_recovery_duration_seconds_count", type="link") == 2
    assert value(found, "thongsuot_recovery_duration_seconds_sum", type="link") == 31 * 3600


def test_a_refused_configuration_keeps_the_time_of_the_last_good_one():
    exposition = fed()
    exposition.reloaded(successful=False, at=AT + timedelta(days=1))
    found = samples(exposition)
    assert value(found, "thongsuot_config_last_reload_successful") == 0
    assert value(found, "thongsuot_config_last_reload_success_timestamp_seconds") == AT.timestamp()


def test_prometheus_own_checker_finds_nothing_to_blame():
    _, body = fed().render("")
    done = subprocess.run(
        [need("promtool", "prometheus"), "check", "metrics"], input=body, capture_output=True, timeout=30, check=False
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, b"")


@pytest.mark.parametrize("accept", ["", OPENMETRICS], ids=["text", "openmetrics"])
def test_a_familys_samples_stand_together_under_one_header(accept):
    _, body = fed().render(accept)
    names = [line.split(" ")[2] for line in body.decode().split("\n") if line.startswith("# TYPE")]
    assert len(names) == len(set(names))
    assert body.endswith(b"# EOF\n") is bool(accept)
    assert body.count(b"# EOF") == bool(accept)


ACCEPTS = [
    ("*/*", "text/plain; version=0.0.4"),
    ("", "text/plain; version=0.0.4"),
    ("text/html", "text/plain; version=0.0.4"),
    (OPENMETRICS, "application/openmetrics-text; version=1.0.0"),
    ("application/openmetrics-text", "application/openmetrics-text; version=1.0.0"),
    ("text/plain;version=1.0.0;escaping=allow-utf-8", "text/plain; version=1.0.0"),
]


@pytest.mark.parametrize(("accept", "kind"), ACCEPTS)
def test_the_format_is_the_one_that_was_asked_for(accept, kind):
    assert fed().render(accept)[0].startswith(kind)


def test_label_values_are_escaped():
    exposition = Exposition(version="1")
    odd = 'a"b\\c\nd\ud800'
    exposition.outcome("n/c", "n", odd, "http", HTTP)
    exposition.world(now=AT, catalogue=catalogue({"n": node("n", labels={"region": odd})}), nodes={}, incidents=[])
    found = samples(exposition)
    assert value(found, "probe_success", check="n/c", node="n", type='a"b\\c\nd?') == 1


def test_one_outcome_alone_is_shown_as_an_exporter_does():
    kind, body = Exposition(version="1").single("a/web", "a", "system", "http", HTTP)
    assert kind == "text/plain; version=0.0.4; charset=utf-8"
    assert b'probe_http_status_code{check="a/web",node="a",type="system"} 200\n' in body
    assert b"thongsuot" not in body


def test_as_a_collector_it_gives_the_same_series():
    exposition = fed()
    registry = CollectorRegistry(auto_describe=False)
    registry.register(exposition)
    collected = {
        (each.name, tuple(sorted(each.labels.items()))) for family in registry.collect() for each in family.samples
    }
    assert collected == samples(exposition).keys()


def test_the_series_are_no_more_than_was_promised_and_hostile_answers_add_none():
    exposition, nodes, kinds = Exposition(version="1"), {}, {}
    for number in range(40):
        nodes[f"n{number}"] = node(f"n{number}")
        kinds |= {f"n{number}/{kind}": kind for kind in (*KINDS, "future")}
    known = catalogue(nodes, kinds)
    windows = ("1d", "7d", "30d")

    def scrape(facts: dict[str, float]) -> int:
        for id, kind in kinds.items():
            exposition.outcome(
                id, id.split("/")[0], "link", kind, replace(HTTP, facts={**HTTP.facts, **ICMP.facts, **facts})
            )
        exposition.world(
            now=AT,
            catalogue=known,
            nodes={},
            incidents=[incident(id=f"i-{number}", node=f"n{number}") for number in range(5)],
            queues=[QUEUE],
            figures={(each, window): (1.0, 1.0) for each in nodes for window in windows},
        )
        return len(samples(exposition))

    before = scrape({})
    assert before <= 50 + 25 * len(kinds)
    hostile = {"tls_version": 7.7, "status": 1e300, "x" * 500: 1.0, 'evil"} 1\n': 2.0, "body_bytes": float("inf")}
    assert scrape(hostile) <= before


def test_a_single_https_node_stays_within_its_25_series():
    exposition = Exposition(version="1")
    exposition.outcome("a/web", "a", "system", "http", HTTP)
    exposition.world(
        now=AT,
        catalogue=catalogue({"a": node("a")}),
        nodes={},
        incidents=[],
        figures={("a", w): (1.0, 1.0) for w in ("1d", "7d", "30d")},
    )
    found = samples(exposition)
    assert len([labels for _, labels in found if ("node", "a") in labels]) <= 25
    assert len([labels for _, labels in found if ("node", "a") not in labels]) <= 50


async def test_scraping_does_not_block_the_loop_with_files():
    exposition = fed()
    await asyncio.sleep(0)
    assert b"process_resident_memory_bytes" in exposition.render("")[1]
