"""A line's load as Prometheus reads it: both directions of each figure."""

from typing import Any

from monitor.metrics import Exposition
from probes.contract import Outcome
from tests.metrics.test_exposition import outcome, samples, value

FACTS: dict[str, Any] = {
    "in_bits_per_second": 42e6, "out_bits_per_second": 7e6, "in_utilisation": 0.42, "out_utilisation": 0.07, "errors_per_second": 0.5,
    "interfaces_up": 1, "uptime_seconds": 86400, "p95_in": 0.951, "p95_out": 0.2, "days_over": 7,
}  # fmt: skip


def shown(seen: Outcome) -> dict[Any, float]:
    exposition = Exposition(version="1")
    exposition.outcome("cpe/line", "cpe", "link", "snmp", seen)
    found: dict[Any, float] = samples(exposition)
    return found


def test_both_directions_stand_under_one_name() -> None:
    found = shown(outcome(**FACTS))
    own = {"check": "cpe/line", "node": "cpe", "type": "link"}
    for name, received, sent in (
        ("probe_snmp_traffic_bytes_per_second", 5.25e6, 0.875e6),
        ("probe_snmp_utilisation_ratio", 0.42, 0.07),
        ("thongsuot_link_utilisation_p95_ratio", 0.951, 0.2),
    ):
        assert value(found, name, direction="in", **own) == received
        assert value(found, name, direction="out", **own) == sent
    assert value(found, "thongsuot_link_days_over_capacity", **own) == 7
    assert value(found, "probe_snmp_uptime_seconds", **own) == 86400
    assert value(found, "probe_snmp_duration_seconds", phase="connect", **own) == 0.002


def test_what_is_not_known_is_absent_and_not_nothing() -> None:
    names = {name for name, _ in shown(outcome(interfaces_up=1))}
    assert "probe_snmp_interfaces_up" in names
    assert not names & {
        "probe_snmp_utilisation_ratio",
        "thongsuot_link_utilisation_p95_ratio",
        "thongsuot_link_days_over_capacity",
    }
