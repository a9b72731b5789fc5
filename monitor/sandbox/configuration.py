"""The configuration with which the daemon watches the box: the same language, template and groups as the province's own."""

import csv
from collections.abc import Sequence
from pathlib import Path
from string import Template

from monitor.sandbox.box import ANCHORS, CONG, HUB, INBOX, LGSP, MCU, MOTCUA, NAMES, PORTALS, QLVB, Commune, Pace

TEMPLATE = Path(__file__).with_name("province.yaml.template")


def _time(seconds: float) -> str:
    return f"{seconds:g}s"


def configuration(
    folder: Path,
    people: Sequence[Commune],
    *,
    port: int,
    listen: int,
    pace: Pace,
    echo: bool,
    database: str = "sqlite",
    maintenance: str = "",
) -> Path:
    """Write `province.yaml` and its list of communes into `folder`; the path of the former.

    With `echo` every link is also measured by ICMP, which needs the permission; the loopback always answers it, so that it counts for nothing.
    """
    with (folder / "communes.csv").open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["code", "full_name", "former_province", "carrier", "cpe_ipv4", "vc_host", "portal_host", "echo"])
        for c in people:
            echoed = c.address if echo else ""
            rows.writerow([c.code, c.name, c.province, c.carrier, c.address, c.address, PORTALS, echoed])
    dialogue = '[{send: "ping x\\n"}, {expect: "^pong x"}]'
    anchors = "\n".join(
        f"    - {{tcp: {{host: {address}, port: {port}, dialogue: {dialogue}}}}}" for address in ANCHORS
    )
    text = Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        HUB=HUB, MOTCUA=MOTCUA, QLVB=QLVB, LGSP=LGSP, CONG=CONG, MCU=MCU, NAMES=NAMES, INBOX=INBOX,
        port=port, port1=port + 1, port2=port + 2, port3=port + 3, listen=listen, state_dir=folder / "state", database=database,
        ca=folder / "ca.pem", rows=len(people), anchors=anchors, target=pace.target,
        systems=_time(pace.systems), links=_time(pace.links), portals=_time(pace.portals),
        timeout=_time(pace.timeout), slow_over=_time(pace.timeout / 4), recheck=_time(min(1.0, pace.systems)),
        settle=_time(min(30.0, 2 * pace.links)), maintenance=maintenance,
    )  # fmt: skip
    path = folder / "province.yaml"
    path.write_text(text, encoding="utf-8")
    return path
