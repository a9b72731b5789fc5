"""SNMP to every router of the province: four values of each, and the interface with its traffic; gufo-snmp and snmpget beside it."""

import os
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from tests.bench.rig import PROBING, SERVING, SLICE, Stage, Worker, pinned
from tests.bench.scene import Figure, Missing, Scene, rounds
from tests.debian import found
from tests.ports import free_port
from tests.probes.snmp import snmpd

DEVICES = 129
TARGET = 0.2
"""CPU seconds of one round."""

COMMUNITY = "sandbox"
INTERFACE = 2
FOUR = (
    "1.3.6.1.2.1.1.3.0",
    f"1.3.6.1.2.1.2.2.1.8.{INTERFACE}",
    f"1.3.6.1.2.1.31.1.1.1.6.{INTERFACE}",
    f"1.3.6.1.2.1.31.1.1.1.10.{INTERFACE}",
)
ASKED = 40
"""Runs of snmpget in one turn: each is a process."""


def play() -> Sequence[Figure | Missing]:
    hosts = [f"127.0.0.{last}" for last in range(1, DEVICES + 1)]
    with Stage() as stage:
        port = free_port()
        stage.start(SERVING, [sys.executable, "-m", "tests.bench.talker", "snmp", str(port), str(DEVICES)], port=port)
        engine = stage.engine()
        raw = stage.enter_context(Worker(pinned(PROBING, [sys.executable, "-m", "tests.bench.gufo"])))
        secret = {"secret": COMMUNITY}
        common: list[dict[str, Any]] = [{"host": host, "port": port, "community": secret} for host in hosts]
        oids = {f"value_{number}": oid for number, oid in enumerate(FOUR)}
        kinds = {
            "four": [{**keys, "oids": oids} for keys in common],
            "line": [{**keys, "interfaces": ["wan"], "capacity": 100} for keys in common],
        }
        last = 0.0

        def ours(specs: Sequence[dict[str, Any]]) -> float:
            nonlocal last
            said = engine.ask(
                {"mode": "rate", "kind": "snmp", "specs": list(specs), "lanes": DEVICES, "seconds": SLICE}
            )
            last = float(said["peak"])
            return float(said["cpu"]) / float(said["done"])

        def theirs() -> float:
            said = raw.ask(
                {"mode": "rate", "hosts": hosts, "port": port, "community": COMMUNITY, "oids": FOUR, "lanes": DEVICES, "seconds": SLICE}
            )  # fmt: skip
            return float(said["cpu"]) / float(said["done"])

        program = found("snmpget", "snmp")
        rivals = {"four": lambda: ours(kinds["four"]), "line": lambda: ours(kinds["line"]), "gufo": theirs}
        if program is not None:
            rivals["snmpget"] = lambda: snmpget(program, port)
        secure = _secure(stage, hosts)
        if secure:
            rivals["v3"] = lambda: ours(secure)
        for specs in (kinds["line"], kinds["four"], secure or kinds["four"]):
            ours(specs)  # What is loaded once is loaded now.
        first = last
        seen = rounds(rivals, count=8)
    figures: list[Figure | Missing] = [
        Figure(
            name=f"SNMP, a round of {DEVICES} devices × 4 values", value=seen["four"] * DEVICES, unit="CPU-s",
            target=TARGET, want="most",
        ),
        Figure(name=f"SNMP, a round of {DEVICES} interfaces with their rates", value=seen["line"] * DEVICES, unit="CPU-s",
               note="11 values and the name of each"),
        Figure(name="SNMP, ours, 4 values", value=seen["four"] * 1e6, unit="CPU-µs/probe"),
        Figure(name="SNMP, gufo-snmp alone, 4 values", value=seen["gufo"] * 1e6, unit="CPU-µs/question"),
        Figure(name="SNMP, resident growth over the scene", value=last - first, unit="MiB"),
    ]  # fmt: skip
    if secure:
        figures.append(
            Figure(
                name="SNMP v3, ours, SHA-256 and AES-256", value=seen["v3"] * 1e6, unit="CPU-µs/probe", note="net-snmp"
            )
        )
    else:
        figures.append(Missing(name="SNMP v3", why="snmpd is missing: apt-get install snmpd"))
    if program is None:
        return [*figures, Missing(name="SNMP, snmpget", why="snmpget is missing: apt-get install snmp")]
    return [*figures, Figure(name="SNMP, snmpget, 4 values", value=seen["snmpget"] * 1e6, unit="CPU-µs/question")]


def _secure(stage: Stage, hosts: Sequence[str]) -> list[dict[str, Any]]:
    """Checks over version 3 against one snmpd that listens on every loopback address; none where there is no snmpd."""
    if found("snmpd", "snmpd") is None:
        return []
    port = stage.enter_context(snmpd.snmpd(stage.folder / "snmpd", everywhere=True))
    keys = {
        "port": port,
        "version": "3",
        "user": "sha256aes256",
        "auth": {"protocol": "SHA-256", "password": {"secret": snmpd.PASSWORD}},
        "priv": {"protocol": "AES-256", "password": {"secret": snmpd.PRIVACY}},
        "oids": {"uptime": FOUR[0]},
    }
    return [{"host": host, **keys} for host in hosts]


def snmpget(program: str, port: int) -> float:
    """CPU seconds of one snmpget of four values, its start included."""
    words = [program, "-v2c", "-c", COMMUNITY, "-On", f"127.0.0.1:{port}", *FOUR]
    spent = 0.0
    for _ in range(ASKED):
        process = subprocess.Popen(
            pinned(PROBING, words), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={"MIBS": "", "PATH": os.environ["PATH"]}
        )  # fmt: skip
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if status:
            raise RuntimeError(f"snmpget ended with {process.returncode}")
        spent += usage.ru_utime + usage.ru_stime
    return spent / ASKED


SCENE = Scene(name="snmp", title="SNMP, per CPU-second", play=play)
