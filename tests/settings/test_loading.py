"""What a good file becomes."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from monitor.model import Effect, Severity
from monitor.settings import ConfigError, Loaded, load
from probes.contract import Family
from probes.secret import Secret

GOOD = Path(__file__).parent / "good" / "everything.yaml"
TCP = "{tcp: {host: 127.0.0.1, port: 80}}"


@pytest.fixture(scope="module")
def everything() -> Loaded:
    return load(GOOD, environ={"SET": "CANARY-1", "MC_USER": "thu"})


def loaded(folder: Path, text: str, *, environ: Mapping[str, str] | None = None, **more: Any) -> Loaded:
    path = folder / "config.yaml"
    path.write_text("version: 1\n" + text, encoding="utf-8")
    return load(path, environ=environ or {}, **more)


def test_a_check_inherits_and_overrides(everything: Loaded) -> None:
    home = everything.catalogue.checks["motcua/home"]
    assert (home.every, home.timeout) == (timedelta(seconds=30), timedelta(seconds=5))
    assert (home.policy.failures, home.policy.recheck, home.policy.degraded) == (2, timedelta(seconds=10), 5)
    assert [(each.fact, each.op, each.value) for each in home.policy.degraded_if] == [
        ("seconds", ">", 3.0),
        ("certificate_days", "<", 30.0),
    ]
    assert home.policy.down_if[0].value == 9.0
    ipv6 = everything.catalogue.checks["motcua/ipv6"]
    assert ipv6.every == timedelta(seconds=60)
    assert ipv6.effect is Effect.DEGRADED
    assert ipv6.spec.family is Family.IPV6


def test_a_threshold_is_in_the_facts_own_unit(everything: Loaded) -> None:
    link = everything.catalogue.checks["tslcd.00004/v4"].policy
    assert [each.value for each in link.degraded_if] == [0.01, 0.03]
    assert link.down_if[0].value == 0.6


def test_a_node_has_what_is_written(everything: Loaded) -> None:
    node = everything.catalogue.nodes["motcua"]
    assert node.severity is Severity.CRITICAL
    assert node.recovery_target == timedelta(hours=4)
    assert node.warn_at == (0.5,)
    assert node.was == ("tthc",)
    assert node.degraded_incident
    assert everything.catalogue.nodes["hub"].warn_at == (0.5, 0.75, 0.9)


def test_what_lacks_an_address_is_left_out_and_counted(everything: Loaded) -> None:
    nodes = everything.catalogue.nodes
    assert "tslcd.00025" not in nodes
    assert nodes["tslcd.00008"].checks == ("tslcd.00008/v4",)
    assert nodes["hnth.00004"].checks == ("hnth.00004/net", "hnth.00004/sip")
    assert {str(each) for each in everything.waiting} == {
        "tslcd.{code}/v4: 1 of 3 wait for communes.v4",
        "tslcd.{code}/v6: 3 of 3 wait for communes.v6",
        "hnth.{code}/net: 2 of 3 wait for communes.vc",
        "hnth.{code}/sip: 2 of 3 wait for communes.vc",
    }
    assert everything.counts["waiting_for_address"] == 8


def test_who_depends_on_what_was_left_out_hangs_on_to_what_that_one_needed(tmp_path: Path) -> None:
    text = f"""
nodes:
  core: {{name: Core, type: hub, checks: {{c: {TCP}}}}}
  hub: {{name: Hub, type: hub, depends_on: [core], checks: {{c: {{icmp: {{host: env:NOT_SET}}}}}}}}
  a: {{name: A, type: system, depends_on: [hub], checks: {{c: {TCP}}}}}
"""
    assert loaded(tmp_path, text).catalogue.nodes["a"].depends_on == ("core",)


def test_groups_find_their_members(everything: Loaded) -> None:
    carrier = everything.catalogue.nodes["carrier.vnpt"].group
    assert carrier is not None
    assert carrier.members == ("tslcd.00004",)
    assert (carrier.share, carrier.at_least, carrier.within) == (0.3, 1, timedelta(minutes=3))
    network = everything.catalogue.nodes["tslcd"].group
    assert network is not None
    assert network.members == ("tslcd.00004", "tslcd.00008")


def test_a_group_of_groups(tmp_path: Path) -> None:
    text = f"""
nodes: {{a: {{name: A, type: link, checks: {{c: {TCP}}}}}}}
groups:
  inner: {{name: I, type: network, members: {{type: link}}, down_when: {{at_least: 1}}}}
  outer: {{name: O, type: network, members: [inner], down_when: {{at_least: 1}}}}
"""
    outer = loaded(tmp_path, text).catalogue.nodes["outer"].group
    assert outer is not None
    assert outer.members == ("inner",)


def test_ourselves(everything: Loaded) -> None:
    monitor = everything.catalogue.monitor
    assert [each.id for each in monitor.anchors] == ["monitor/1", "monitor/dns"]
    assert monitor.anchors[1].every == timedelta(seconds=20)
    assert monitor.quorum == 2
    assert monitor.heartbeat_url is None
    assert any("DEADMAN is not set" in problem.message for problem in everything.warnings)


def test_who_is_told(everything: Loaded) -> None:
    catalogue = everything.catalogue
    assert list(catalogue.receivers) == ["truc"]
    first, second = catalogue.routes
    assert first.match.severity == ("critical", "high")
    assert first.match.labels == {"key_system": ("yes",)}
    assert first.go_on
    assert [(each.after, each.at, each.send) for each in first.escalate] == [
        (timedelta(minutes=15), None, ("truc",)),
        (None, 0.75, ()),
    ]
    assert (second.match.type, second.send, second.go_on) == ((), ("truc",), False)


def test_maintenance_is_local_to_the_province(everything: Loaded) -> None:
    once, monthly = everything.catalogue.maintenance
    assert once.start == datetime(2026, 12, 5, 15, tzinfo=UTC)
    assert once.end == datetime(2026, 12, 5, 19, tzinfo=UTC)
    assert once.announced_at == datetime(2026, 11, 19, 17, tzinfo=UTC)
    assert (monthly.cron, monthly.length, monthly.nodes) == ("0 1 1 * *", timedelta(hours=2), ("tslcd.00004",))


def test_reports_keep_the_formats_that_can_be_made(everything: Loaded) -> None:
    weekly, monthly = everything.catalogue.reports
    assert (weekly.kind, weekly.at, weekly.formats, weekly.send) == (
        "weekly",
        "mon 07:00",
        ("csv", "json", "html"),
        ("truc",),
    )
    assert monthly.formats == ("json", "csv", "html")
    assert everything.catalogue.retention.hourly == timedelta(days=730)


def test_what_is_not_in_effect_is_said(everything: Loaded) -> None:
    said = {each.key for each in everything.not_in_effect}
    assert {"receivers.*.email", "routes.*.escalate", "reports.*.formats.*=xlsx"} <= said
    assert "motcua/login" in everything.catalogue.checks


def test_a_receivers_keys_are_read_by_the_type_that_sends(tmp_path: Path) -> None:
    from dataclasses import dataclass

    @dataclass(frozen=True, slots=True, kw_only=True)
    class PagerSpec:
        number: str
        code: Secret

    class PagerKind:
        spec = PagerSpec
        summary = "A pager"

    text = "receivers: {p: {pager: {number: env:NUMBER, code: env:CODE}}}\n"
    environ = {"NUMBER": "0229", "CODE": "1234"}
    made = loaded(tmp_path, text, environ=environ, receivers={"pager": PagerKind()}).catalogue.receivers["p"]
    assert made.spec == PagerSpec(number="0229", code=Secret("1234"))


def test_the_database_by_reference(tmp_path: Path) -> None:
    url = "postgresql+asyncpg://user:pass@db/thongsuot"
    catalogue = loaded(tmp_path, "daemon: {database: env:DB}\n", environ={"DB": url}).catalogue
    assert catalogue.daemon.database == Secret(url)
    with pytest.raises(ConfigError, match="must be sqlite"):
        loaded(tmp_path, "daemon: {database: env:DB}\n", environ={"DB": "mysql://x"})
    with pytest.raises(ConfigError, match="DB is not set"):
        loaded(tmp_path, "daemon: {database: env:DB}\n", strict_references=True)


def test_included_files_are_one_configuration(tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "b.yaml").write_text(
        f"nodes: {{b: {{name: B, type: s, depends_on: [a], checks: {{c: {TCP}}}}}}}\n"
    )
    (tmp_path / "parts" / "a.yaml").write_text(f"nodes: {{a: {{name: A, type: s, checks: {{c: {TCP}}}}}}}\n")
    done = loaded(tmp_path, "include: [parts/*.yaml]\n")
    assert list(done.catalogue.nodes) == ["a", "b"]
    assert [path.name for path in done.files] == ["config.yaml", "a.yaml", "b.yaml"]


def test_yaml_is_1_2(tmp_path: Path) -> None:
    text = f"parties: {{no: {{name: 22:22, note: NO}}}}\nnodes: {{a: {{name: on, type: 1e, labels: {{x: 010x}}, checks: {{c: {TCP}}}}}}}\n"
    catalogue = loaded(tmp_path, text).catalogue
    assert (catalogue.parties["no"].name, catalogue.parties["no"].note) == ("22:22", "NO")
    assert catalogue.nodes["a"].name == "on"


def test_one_way_to_write_an_accent(tmp_path: Path) -> None:
    text = f"parties: {{so\u031b: {{name: S}}}}\nnodes: {{a: {{name: A, type: s, owner: s\u01a1, checks: {{c: {TCP}}}}}}}\n"
    assert loaded(tmp_path, text).catalogue.nodes["a"].owner == "s\u01a1"


def test_a_literal_dollar_is_kept(tmp_path: Path) -> None:
    text = 'nodes: {a: {name: "5$", type: s, checks: {c: {http: {url: "http://127.0.0.1/?a=$b", expect: {body: "^ok$"}}}}}}\n'
    made = loaded(tmp_path, text).catalogue
    assert made.nodes["a"].name == "5$"
    assert made.checks["a/c"].spec.url.endswith("$b")


def test_files_are_found_from_the_file_that_names_them(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("x")
    text = "nodes: {a: {name: A, type: s, checks: {c: {http: {url: 'https://127.0.0.1/', tls: {ca: ca.pem}}}}}}\n"
    assert loaded(tmp_path, text).catalogue.checks["a/c"].spec.tls.ca == str(tmp_path / "ca.pem")


def test_blank_tables_and_sections_are_fine(tmp_path: Path) -> None:
    assert loaded(tmp_path, "nodes:\nroutes:\nmaintenance: []\n").counts == {
        "nodes": 0,
        "checks": 0,
        "waiting_for_address": 0,
    }
