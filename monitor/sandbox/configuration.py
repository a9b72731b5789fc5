"""The configuration with which the daemon watches the box: the same language, template and groups as the province's own."""

import csv
import json
import secrets
from collections.abc import Sequence
from pathlib import Path
from string import Template

from monitor.sandbox.box import (
    ANCHORS,
    AXIS,
    CONG,
    HUB,
    INBOX,
    JOB,
    LGSP,
    MCU,
    MOTCUA,
    NAMES,
    PORTALS,
    PORTALS6,
    QLVB,
    SIGNING,
    SSO,
    Commune,
    Pace,
    has_ipv6,
)

TEMPLATE = Path(__file__).with_name("province.yaml.template")


BROWSER = """\
      browser:
        effect: degraded
        every: 60s
        timeout: 45s
        browser:
          steps:
            - go: "http://${SSO}:${port}/login"
            - fill: {"input[name=username]": giamsat, "input[name=password]": env:THONGSUOT_SANDBOX_CLIENT}
            - press: {"input[name=password]": Enter}
            - see: Xin chào
"""


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
    meetings: str = "",
    browser: bool = False,
) -> Path:
    """Write `province.yaml` and its list of communes into `folder`; the path of the former.

    `maintenance` and `meetings` are sections of the language, whole. With `browser` the login is also tried in Chromium. With `echo` every link
    is also measured by ICMP, which needs the permission; the loopback always answers it, so that it counts for nothing.
    """
    with (folder / "communes.csv").open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(
            [
                "code",
                "full_name",
                "former_province",
                "former_district",
                "carrier",
                "cpe_ipv4",
                "second_host",
                "vc_host",
                "portal_host",
                "portal_v6",
                "echo",
            ]
        )
        with_v6 = len(people) * 4 // 5 if has_ipv6() else 0  # Made up, as everything here: not all have got that far.
        for index, c in enumerate(people):
            echoed, v6 = c.address if echo else "", f"[{PORTALS6}]" if index < with_v6 else ""
            rows.writerow(
                [c.code, c.name, c.province, c.district, c.carrier, c.address, c.second, c.address, PORTALS, v6, echoed]
            )
    token = secrets.token_hex(24)
    for name, text in (
        ("job.token", token),
        (JOB, json.dumps({"base": f"http://127.0.0.1:{listen}", "token": token, "every": pace.systems})),
    ):
        (folder / name).touch(mode=0o600)
        (folder / name).write_text(text, encoding="utf-8")
    dialogue = '[{send: "ping x\\n"}, {expect: "^pong x"}]'
    anchors = "\n".join(
        f"    - {{tcp: {{host: {address}, port: {port}, dialogue: {dialogue}}}}}" for address in ANCHORS
    )
    text = Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        HUB=HUB, MOTCUA=MOTCUA, QLVB=QLVB, LGSP=LGSP, CONG=CONG, MCU=MCU, NAMES=NAMES, INBOX=INBOX,
        SSO=SSO, AXIS=AXIS, SIGNING=SIGNING, patience=_time(5 * pace.timeout), ask_again=_time(pace.timeout / 4),
        wait_for=_time(3 * pace.timeout), grace=_time(4 * pace.systems), meetings=meetings,
        browser=Template(BROWSER).substitute(SSO=SSO, port=port) if browser else "",
        port=port, port1=port + 1, port2=port + 2, port3=port + 3, listen=listen, state_dir=folder / "state", database=database,
        ca=folder / "ca.pem", rows=len(people), anchors=anchors, target=pace.target,
        systems=_time(pace.systems), links=_time(pace.links), portals=_time(pace.portals),
        timeout=_time(pace.timeout), slow_over=_time(pace.timeout / 4), recheck=_time(min(1.0, pace.systems)),
        settle=_time(min(30.0, 2 * pace.links)), maintenance=maintenance,
    )  # fmt: skip
    path = folder / "province.yaml"
    path.write_text(text, encoding="utf-8")
    return path
