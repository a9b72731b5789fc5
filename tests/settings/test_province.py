"""The province's own configuration: whole, honest about what is not known, and complete once the table is filled."""

import csv
import json
import shutil
from collections import Counter
from pathlib import Path

import jsonschema
import pytest

from monitor.notify import KINDS
from monitor.settings import Loaded, load, schema, verdict
from monitor.settings.document import read

CONFIG = Path(__file__).parents[2] / "config"
PROVINCE = CONFIG / "ninhbinh.yaml"

SIX_KEY_SYSTEMS = {"tthc", "qlvb", "thhn", "cong_ttdt", "tslcd", "lgsp"}
UNSTABLE = {"csdlqg_dan_cu", "lien_thong_2_nhom_tthc", "ho_tich_dien_tu", "csdl_dat_dai"}


class Everything(dict[str, str]):
    """An environment in which every name is set to something that fits it."""

    def get(self, name: str, default: str = "") -> str:  # type: ignore[override]
        if name == "CREDENTIALS_DIRECTORY":
            return default
        if name == "ONCALL_SECRET":
            return "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
        if name.endswith("_HEARTBEAT"):
            return f"{name}-0123456789abcdef"  # Each job has a token of its own.
        return "https://127.0.0.1/" if name.endswith("_URL") else "127.0.0.1"


def communes() -> list[dict[str, str]]:
    with (CONFIG / "ninhbinh" / "communes.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    """The province with every address known: the loopback's."""
    folder = tmp_path_factory.mktemp("config")
    shutil.copytree(CONFIG, folder, dirs_exist_ok=True)
    rows = communes()
    for number, row in enumerate(rows):
        row |= {
            "carrier": ("vnpt", "viettel")[number % 2],
            "cpe_ipv4": f"127.1.{number // 250}.{number % 250 + 1}",
            "cpe_ipv6": "::1",
            "vc_host": f"127.2.{number // 250}.{number % 250 + 1}",
            "portal_host": "localhost",
            "bandwidth_mbps": "200",
            "snmp_host": f"127.1.{number // 250}.{number % 250 + 1}",
            "second_host": f"127.3.{number // 250}.{number % 250 + 1}",
        }
    with (folder / "ninhbinh" / "communes.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return load(folder / "ninhbinh.yaml", environ=Everything(), strict_references=True, receivers=KINDS)


def test_the_table_is_the_provinces() -> None:
    rows = communes()
    assert len(rows) == 129
    assert Counter(row["kind"] for row in rows) == {"xã": 97, "phường": 32}
    assert Counter(row["former_province"] for row in rows) == {"Hà Nam": 33, "Nam Định": 57, "Ninh Bình": 39}
    assert len({row["code"] for row in rows}) == len({row["slug"] for row in rows}) == 129


def test_nothing_unknown_is_invented() -> None:
    for row in communes():
        for column in (
            "carrier",
            "cpe_ipv4",
            "cpe_ipv6",
            "vc_host",
            "portal_host",
            "bandwidth_mbps",
            "snmp_host",
            "second_host",
            "accountable",
            "tags",
        ):
            assert row[column] == ""


def test_loads_as_shipped_and_says_what_waits() -> None:
    loaded = load(PROVINCE, environ={})
    waiting = {each.subject: (each.count, each.total) for each in loaded.waiting}
    assert waiting["tslcd.{code}/v4"] == waiting["hnth.{code}/mang"] == waiting["cong.{code}/home"] == (129, 129)
    assert waiting["tslcd.{code}/duong_hai"] == (129, 129)
    assert "motcua" in loaded.catalogue.nodes
    assert loaded.counts["nodes"] == len(loaded.catalogue.nodes)
    assert loaded.counts["waiting_for_address"] > 6 * 129
    links = [node for node in loaded.catalogue.waiting.values() if node.type == "link"]
    assert len(links) == 129
    assert all(node.labels["district"] and not node.checks for node in links)
    assert not set(loaded.catalogue.waiting) & set(loaded.catalogue.nodes)


def test_filled_in_it_watches_129_of_each(filled: Loaded) -> None:
    types = Counter(node.type for node in filled.catalogue.nodes.values())
    assert types["link"] == types["video"] == types["portal"] == 129
    assert types["carrier"] == 2
    assert types["region"] == 3
    assert not [each for each in filled.waiting if "{code}" in each.subject]


def test_filled_in_every_system_is_there(filled: Loaded) -> None:
    nodes = filled.catalogue.nodes
    keys = {node.labels["key_system"] for node in nodes.values() if "key_system" in node.labels}
    assert keys == SIX_KEY_SYSTEMS
    assert {name for name, node in nodes.items() if node.labels.get("unstable") == "yes"} == UNSTABLE
    connections = [node.id for node in nodes.values() if node.type == "connection" and node.depends_on == ("lgsp",)]
    assert len(connections) == 12
    assert {
        "hub",
        "dvcqg",
        "vneid",
        "truc_vbqg",
        "sso",
        "ky_so",
        "dc_huong_1",
        "dc_huong_2",
        "ttdl_quoc_gia",
    } <= nodes.keys()


def test_filled_in_the_tree_hangs_together(filled: Loaded) -> None:
    nodes = filled.catalogue.nodes
    assert nodes["tslcd.13285"].depends_on == ("hub",)
    assert nodes["hnth.13285"].depends_on == ("tslcd.13285", "thhn")
    assert nodes["hub"].depends_on == ("duong_truyen_ttdl",)
    everyone = nodes["tslcd"].group
    assert everyone is not None
    assert len(everyone.members) == 129
    sizes = {
        name: len(node.group.members)
        for name, node in nodes.items()
        if node.group and node.type in ("carrier", "region")
    }
    assert sizes == {
        "carrier.vnpt": 65,
        "carrier.viettel": 64,
        "vung.ha_nam": 33,
        "vung.nam_dinh": 57,
        "vung.ninh_binh": 39,
    }


def test_each_link_has_its_witnesses_and_they_count_for_nothing_else(filled: Loaded) -> None:
    checks = filled.catalogue.checks
    way, device = checks["tslcd.13285/duong_hai"], checks["tslcd.13285/luu_luong"]
    assert (way.witness, way.effect) == ("second_path", "none")
    assert (device.witness, device.effect) == ("device", "degraded")
    assert sum(check.witness is not None for check in checks.values()) == 2 * 129


def test_central_systems_are_critical_and_looked_at_every_half_minute(filled: Loaded) -> None:
    for name in ("motcua", "qlvb", "lgsp", "cong_ttdt"):
        node = filled.catalogue.nodes[name]
        assert node.severity == "critical"
        assert min(filled.catalogue.checks[each].every.total_seconds() for each in node.checks) == 30


def test_its_deadlines() -> None:
    due = {report.kind: report.at for report in load(PROVINCE, environ={}).catalogue.reports}
    assert due == {
        "daily": "07:00",
        "weekly": "mon 07:00",
        "monthly": "day 24 16:00",
        "quarterly": "day 24 16:00",
        "yearly": "14/12 16:00",
    }


def test_verdict_is_what_validate_prints() -> None:
    said = json.loads(json.dumps(verdict(PROVINCE, environ={})))
    assert said["ok"] is True
    assert set(said["counts"]) == {"nodes", "checks", "waiting_for_address"}
    assert any(each["key"].endswith(".tsa") for each in said["not_in_effect"]) or "tsa" not in str(
        said["not_in_effect"]
    )


def test_the_daemon_refuses_to_run_with_nobody_to_tell() -> None:
    said = verdict(PROVINCE, environ={}, strict_references=True)
    assert said["ok"] is False
    assert {error["key"] for error in said["errors"]} == {"receivers.truc.webhook.url", "receivers.truc.webhook.secret"}


def test_the_schema_beside_it_is_in_step() -> None:
    written = json.loads((CONFIG / "thongsuot.schema.json").read_text(encoding="utf-8"))
    assert written == json.loads(json.dumps(schema(KINDS))), "write it anew: python -m tests.settings.write_schema"


@pytest.mark.parametrize("path", [PROVINCE, *sorted((CONFIG / "ninhbinh").glob("*.yaml"))], ids=lambda path: path.name)
def test_the_schema_accepts_every_file_of_it(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert "yaml-language-server: $schema=" in text.splitlines()[0]
    jsonschema.Draft202012Validator(schema(KINDS)).validate({"version": 1, **read(path).plain()})
