"""129 communes with their links in every state there is, for a daemon that stands still."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from monitor.model import Check, CheckState, Effect, Incident, Node, NodeState, Party, State
from probes import Outcome, Reason, Seen
from probes.contract import Family
from probes.icmp import IcmpSpec
from tests.web.still import NOW, StillView, incident

DISTRICTS = (("Hà Nam", "Thành phố Phủ Lý"), ("Hà Nam", "Huyện Lý Nhân"), ("Ninh Bình", "Huyện Kim Sơn"))
GOOD = {"loss": 0.0, "rtt": 0.0123, "jitter": 0.00042, "mos": 4.39}
MINUTE = timedelta(minutes=1)


def round_of(at: datetime = NOW, seen: Seen = Seen.OK, reason: Reason = Reason.OK, **facts: float) -> Outcome:
    return Outcome(seen=seen, reason=reason, detail="", started_at=at, seconds=0.5, facts=facts)


SILENT = round_of(seen=Seen.FAILED, reason=Reason.NO_REPLY, loss=1.0)


class Province(StillView):
    """Commune n is `c.n`, of the district n mod 3, by VNPT when n is even and by Viettel when it is odd; even ones have IPv6 too."""

    def __init__(self, communes: int = 129) -> None:
        super().__init__()
        hub = self.catalogue.nodes["hub"]
        self.judged: dict[str, CheckState] = {}
        nodes, checks = {"hub": hub}, {}
        for number in range(communes):
            node = link(number)
            nodes[node.id] = node
            self.states[node.id] = NodeState(node=node.id, state=State.UP, since=NOW - timedelta(hours=2))
            for id in node.checks:
                checks[id] = echo(id)
                self.seen[id] = round_of(NOW - MINUTE / 2, **GOOD)
                self.judged[id] = CheckState(check=id, state=State.UP)
        parties = {"vnpt": Party(id="vnpt", name="VNPT Ninh Bình"), "viettel": Party(id="viettel", name="Viettel")}
        self.catalogue = replace(self.catalogue, nodes=nodes, checks=checks, parties=parties)

    def checks(self) -> Mapping[str, CheckState]:
        return self.judged

    def judge(self, number: int, state: State, outcome: Outcome | None = None, **more: Any) -> None:
        """Commune `number` is in this state since ten minutes, by what its first check saw."""
        id = f"c.{number}"
        self.states[id] = NodeState(node=id, state=state, since=NOW - 10 * MINUTE, **more)
        if outcome is not None:
            self.seen[f"{id}/v4"] = outcome

    def change(self, number: int, **keys: Any) -> None:
        """A reload in which commune `number` has other keys."""
        nodes = dict(self.catalogue.nodes)
        nodes[f"c.{number}"] = replace(nodes[f"c.{number}"], **keys)
        self.catalogue = replace(self.catalogue, nodes=nodes)

    def wait(self, number: int) -> None:
        """A reload in which commune `number` has no address."""
        nodes = dict(self.catalogue.nodes)
        gone = nodes.pop(f"c.{number}")
        self.states.pop(gone.id)
        self.catalogue = replace(self.catalogue, nodes=nodes, waiting={gone.id: replace(gone, checks=())})

    def open(self, node: str) -> Incident:
        """An incident at this node."""
        made = incident(id=f"i-{node}", node=node, affected=())
        self.active.append(made)
        return made


def link(number: int) -> Node:
    region, district = DISTRICTS[number % 3]
    name, id = f"Xã Số {number:03}", f"c.{number}"
    return Node(
        id=id, name=f"Đường truyền TSLCD {name}", type="link", carrier="viettel" if number % 2 else "vnpt", depends_on=("hub",),
        labels={"commune": str(number), "commune_name": name, "region": region, "district": district},
        checks=(f"{id}/v4",) if number % 2 else (f"{id}/v6", f"{id}/v4"),
    )  # fmt: skip


def echo(id: str) -> Check:
    node, _, name = id.partition("/")
    family = Family.IPV6 if name == "v6" else Family.IPV4
    effect = Effect.DEGRADED if name == "v6" else Effect.DOWN
    spec = IcmpSpec(host="fd00::1" if name == "v6" else "10.0.0.1", family=family)
    return Check(id=id, node=node, name=name, kind="icmp", spec=spec, every=MINUTE, timeout=MINUTE / 10, effect=effect)


def every_state() -> Province:
    """Two are down, one is degraded, three are unreachable by the hub, one is unknown, one waits, one rests, one has old figures."""
    view = Province()
    view.judge(3, State.DOWN, SILENT, reason=Reason.NO_REPLY)
    view.judge(5, State.DOWN, round_of(seen=Seen.FAILED, reason=Reason.DOWN_IF, **GOOD | {"loss": 0.7}))
    view.judge(10, State.DEGRADED, round_of(**GOOD | {"loss": 0.075, "mos": 3.5}))
    for number in (20, 21, 22):
        view.judge(number, State.UNREACHABLE, SILENT, reason=Reason.NO_REPLY, blamed_on="hub")
    view.judge(30, State.UNKNOWN, round_of(seen=Seen.BLIND, reason=Reason.OWN_NETWORK, **GOOD))
    view.wait(40)
    view.resting = {"c.50"}
    view.seen["c.60/v4"] = round_of(NOW - timedelta(minutes=9), **GOOD)
    view.open("c.3")
    view.open("hub")
    return view
