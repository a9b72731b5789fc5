"""A province on paper: 129 communes, the systems above them, and one bad week, all from one seed."""

import csv
import random
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from monitor.model import (
    Affected,
    Catalogue,
    Daemon,
    Gap,
    GroupRule,
    Incident,
    IncidentState,
    Node,
    Party,
    Province,
    Retention,
    SelfCheck,
    Severity,
    State,
    Transition,
    Window,
)
from monitor.report import Source
from monitor.rules import calendar
from probes.contract import Reason

PROVINCE = Province(id="37", name="Tỉnh Ninh Bình", issuer="Sở Khoa học và Công nghệ")
ZONE = PROVINCE.zone
WEEK = calendar.parse("2026-W47", ZONE)
PARTIES = {
    "skhcn": Party(id="skhcn", name="Sở Khoa học và Công nghệ", role="owner"),
    "vpubnd": Party(id="vpubnd", name="Văn phòng UBND tỉnh", role="owner"),
    "vnpt": Party(id="vnpt", name="VNPT Ninh Bình", role="carrier"),
    "viettel": Party(id="viettel", name="Viettel Ninh Bình", role="carrier"),
}
NAMES = Path(__file__).parents[2] / "config" / "ninhbinh" / "communes.csv"


def communes() -> list[Mapping[str, str]]:
    """The inventory's rows, or as many made up ones where there is none."""
    if NAMES.exists():
        with NAMES.open(encoding="utf-8-sig") as file:
            return list(csv.DictReader(file))
    made = ["Đông A", "Ý Yên", "Bắc Lý", "Hoa Lư", "Duy Tiên"]
    return [
        {"code": f"{13000 + i}", "full_name": f"Xã {made[i % 5]} {i}", "former_province": "Hà Nam"} for i in range(129)
    ]


def central() -> list[Node]:
    owner = {"owner": "skhcn", "operator": "vnpt"}
    tthc = {"key_system": "tthc"}
    rows = [
        ("motcua", "Hệ thống thông tin giải quyết thủ tục hành chính", "system", Severity.CRITICAL, tthc),
        ("qlvb", "Hệ thống quản lý văn bản và điều hành", "system", Severity.CRITICAL, {}),
        ("lgsp", "Nền tảng tích hợp, chia sẻ dữ liệu (LGSP)", "system", Severity.CRITICAL, {}),
        ("congttdt", "Cổng thông tin điện tử tỉnh", "system", Severity.HIGH, {}),
        ("hnth", "Hệ thống hội nghị truyền hình", "system", Severity.HIGH, {}),
        ("dvcqg", "Cổng Dịch vụ công quốc gia", "external", Severity.HIGH, {"tier": "ngoai_tinh"}),
        ("hub", "Nút mạng trung tâm", "hub", Severity.CRITICAL, {}),
        ("kn.dancu", "CSDL quốc gia về dân cư", "connection", Severity.HIGH, {}),
        ("kn.khaisinh", "Liên thông khai sinh, khai tử (NĐ 63/2024)", "connection", Severity.HIGH, {}),
        ("kn.hotich", "Hộ tịch điện tử", "connection", Severity.HIGH, {}),
        ("kn.datdai", "CSDL đất đai", "connection", Severity.MEDIUM, {}),
    ]
    nodes = [
        Node(id=i, name=n, type=t, severity=s, labels=dict(labels), depends_on=() if i == "hub" else ("hub",), **owner)
        for i, n, t, s, labels in rows
    ]
    nodes[0] = Node(
        id="motcua", name=rows[0][1], type="system", severity=Severity.CRITICAL, owner="vpubnd", operator="vnpt",
        recovery_target=timedelta(hours=4), labels=tthc, depends_on=("hub",),
    )  # fmt: skip
    return nodes


def catalogue() -> Catalogue:
    nodes = {node.id: node for node in central()}
    for index, row in enumerate(communes()):
        code, name = row["code"], row["full_name"]
        carrier = ("vnpt", "viettel")[index % 2]
        labels = {"commune": code, "commune_name": name, "region": row["former_province"]}
        common = {"owner": "skhcn", "labels": labels, "severity": Severity.MEDIUM}
        link = f"tslcd.{code}"
        nodes[link] = Node(
            id=link, name=f"Đường truyền {name}", type="link", carrier=carrier, depends_on=("hub",), **common
        )
        nodes[f"hnth.{code}"] = Node(
            id=f"hnth.{code}", name=f"Điểm cầu {name}", type="video", depends_on=(link, "hnth"), **common
        )
    for carrier in ("vnpt", "viettel"):
        members = tuple(node.id for node in nodes.values() if node.type == "link" and node.carrier == carrier)
        name = f"Mạng {PARTIES[carrier].name}"
        nodes[f"carrier.{carrier}"] = Node(
            id=f"carrier.{carrier}", name=name, type="carrier", carrier=carrier, severity=Severity.CRITICAL,
            group=GroupRule(members=members, share=0.3, at_least=3, within=timedelta(minutes=3)),
        )  # fmt: skip
    return Catalogue(
        province=PROVINCE, daemon=Daemon(), parties=PARTIES, nodes=nodes, checks={}, receivers={}, routes=(),
        maintenance=(), reports=(), retention=Retention(), monitor=SelfCheck(), fingerprint="paper",
    )  # fmt: skip


def at(text: str) -> datetime:
    """A moment of the province's clock."""
    return datetime.fromisoformat(text).replace(tzinfo=ZONE).astimezone(UTC)


def turn(
    node: str, when: datetime, state: State, reason: Reason = Reason.OK, detail: str = "", gap: float = 30
) -> Transition:
    return Transition(
        subject=node, at=when, state=state, reason=reason, detail=detail,
        after=when - timedelta(seconds=gap), judged_at=when + timedelta(seconds=21),
    )  # fmt: skip


def histories(nodes: Mapping[str, Node]) -> dict[str, list[Transition]]:
    chance = random.Random(47)
    found: dict[str, list[Transition]] = {}
    for node in nodes.values():
        rows = [turn(node.id, at("2026-11-02T00:00"), State.UP)]
        for _ in range(chance.choice([0, 0, 0, 1, 2, 5]) if node.labels.get("commune") else 1):
            begin = WEEK.start + timedelta(seconds=chance.randrange(6 * 86400))
            state = chance.choice([State.DOWN, State.DOWN, State.DEGRADED, State.UNREACHABLE])
            reason = Reason.LOSS if state is State.DEGRADED else Reason.NO_REPLY
            rows.append(turn(node.id, begin, state, reason))
            rows.append(turn(node.id, begin + timedelta(seconds=chance.randrange(40, 20_000)), State.UP))
        found[node.id] = sorted(rows, key=lambda row: row.at)
    found["motcua"] = [
        turn("motcua", at("2026-11-01T00:00"), State.UP),
        turn("motcua", at("2026-11-17T08:03:10"), State.DOWN, Reason.STATUS, "HTTP 502"),
        turn("motcua", at("2026-11-17T09:41:40"), State.UP),
        turn("motcua", at("2026-11-19T22:10:00"), State.UNREACHABLE, Reason.TIMEOUT),
        turn("motcua", at("2026-11-19T22:16:30"), State.UP),
    ]
    found["hub"] = [
        turn("hub", at("2026-11-01T00:00"), State.UP),
        turn("hub", at("2026-11-19T22:09:40"), State.DOWN, Reason.NO_REPLY, "0/10 gói"),
        turn("hub", at("2026-11-19T22:16:10"), State.UP),
    ]
    found["kn.dancu"] = [turn("kn.dancu", at("2026-11-21T10:00"), State.UP)]
    return found


def incidents() -> list[Incident]:
    def incident(name, node, severity, start, **more):
        begin = at(start)
        return Incident(
            id=name, node=node, severity=severity, started_at=begin, detected_at=begin + timedelta(seconds=21),
            opened_at=begin + timedelta(seconds=51), **more,
        )  # fmt: skip

    day = timedelta(hours=24)
    return [
        incident(
            "i1", "motcua", Severity.CRITICAL, "2026-11-17T08:03:10", target=timedelta(hours=4), reason=Reason.STATUS,
            state=IncidentState.RESOLVED, resolved_at=at("2026-11-17T09:41:40"), cause="Đầy ổ đĩa máy chủ ứng dụng",
        ),
        incident(
            "i2", "hub", Severity.CRITICAL, "2026-11-19T22:09:40", target=day, reason=Reason.NO_REPLY,
            state=IncidentState.RESOLVED, resolved_at=at("2026-11-19T22:16:10"),
            affected=tuple(Affected(node=f"tslcd.{row['code']}", since=at("2026-11-19T22:10")) for row in communes()),
        ),
        incident(
            "i3", f"tslcd.{communes()[0]['code']}", Severity.MEDIUM, "2026-11-14T06:00", target=day, reason=Reason.NO_REPLY,
            state=IncidentState.RESOLVED, resolved_at=at("2026-11-16T12:30"), paused=timedelta(hours=2), cause="Đứt cáp quang",
        ),
        incident(
            "i4", f"tslcd.{communes()[5]['code']}", Severity.MEDIUM, "2026-11-21T20:00", target=day, reason=Reason.LOSS,
            state=IncidentState.ACKNOWLEDGED,
        ),
        incident(
            "i5", f"tslcd.{communes()[7]['code']}", Severity.MEDIUM, "2026-11-19T20:00", target=day, reason=Reason.NO_REPLY,
        ),
        incident("i6", "qlvb", Severity.HIGH, "2026-11-19T22:10", target=day, state=IncidentState.MERGED, merged_into="i2"),
        incident("i7", "monitor", Severity.HIGH, "2026-11-18T02:00", target=day, reason=Reason.OWN_NETWORK),
        incident(
            "i8", "qlvb", Severity.HIGH, "2026-11-01T22:10", target=day, state=IncidentState.RESOLVED, resolved_at=at("2026-11-02T00:00")
        ),
    ]  # fmt: skip


def source(**more: object) -> Source:
    book = catalogue()
    given = {
        "catalogue": book,
        "transitions": histories(book.nodes),
        "gaps": (
            Gap(since=at("2026-11-18T02:00"), until=at("2026-11-18T02:21:30"), reason=Reason.OWN_NETWORK),
            Gap(since=at("2026-11-20T11:00"), until=at("2026-11-20T11:00:45")),
        ),
        "windows": (
            Window(
                id="nang-cap-lgsp", plan="nang-cap-lgsp", nodes=frozenset({"lgsp"}), start=at("2026-11-21T22:00"),
                end=at("2026-11-22T02:00"), reason="Nâng cấp", announced_at=at("2026-11-16T09:00"),
            ),
        ),
        "incidents": tuple(incidents()),
        "generated_at": at("2026-11-23T07:00"),
    }  # fmt: skip
    return Source(**(given | more))  # type: ignore[arg-type]
