"""Storms to try the outbox with: links of two carriers that are cut and come back, and what a receiver made of it."""

import asyncio
import contextlib
import json
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from types import MappingProxyType
from typing import Any

from monitor.model import (
    Catalogue,
    Daemon,
    EventType,
    Incident,
    IncidentEvent,
    IncidentState,
    Message,
    Node,
    Party,
    Province,
    Receiver,
    Retention,
    SelfCheck,
    Severity,
)
from monitor.notify import body, message_id, together
from monitor.outbox import Outbox
from probes.contract import Reason
from tests.outbox.world import START, Post, Town

OPENED, RESOLVED, ACKNOWLEDGED = EventType.OPENED, EventType.RESOLVED, EventType.ACKNOWLEDGED
LINKS = 600
QUARTER = timedelta(minutes=15)


def link(number: int) -> Node:
    return Node(
        id=f"tslcd.{number}",
        name=f"Đường truyền xã {number}",
        type="link",
        carrier="vnpt" if number % 2 else "viettel",
        labels={"commune": str(number), "commune_name": f"xã {number}"},
    )


CATALOGUE = Catalogue(
    province=Province(id="37", name="Tỉnh Ninh Bình"),
    daemon=Daemon(public_url="https://giamsat.example/"),
    parties=MappingProxyType(
        {"vnpt": Party(id="vnpt", name="VNPT Ninh Bình", phone="1800 1260", role="carrier")},
    ),
    nodes=MappingProxyType({f"tslcd.{number}": link(number) for number in range(LINKS)}),
    checks=MappingProxyType({}),
    receivers=MappingProxyType({}),
    routes=(),
    maintenance=(),
    reports=(),
    retention=Retention(),
    monitor=SelfCheck(),
    fingerprint="",
)


@dataclass
class Network:
    """Makes events, and their messages for each receiver, as the rules would: strictly by sequence in each incident."""

    receivers: tuple[str, ...] = ("truc",)
    severity: Severity = Severity.MEDIUM
    sequences: Counter[str] = field(default_factory=Counter)
    made: dict[str, Message] = field(default_factory=dict)

    def say(self, number: int, kind: EventType, severity: Severity | None = None) -> list[Message]:
        at = START + timedelta(seconds=asyncio.get_running_loop().time())
        lane = f"i-{number}"
        self.sequences[lane] += 1
        ended = kind is RESOLVED
        incident = Incident(
            id=lane,
            node=f"tslcd.{number}",
            severity=severity or self.severity,
            state=IncidentState.RESOLVED if ended else IncidentState.OPEN,
            reason=Reason.NO_REPLY,
            started_at=START,
            detected_at=START,
            opened_at=START,
            resolved_at=at if ended else None,
            target=timedelta(hours=24),
        )
        event = IncidentEvent(incident=incident, sequence=self.sequences[lane], type=kind, at=at)
        said = body(event, incident, None, CATALOGUE, now=at)
        found = [
            Message(
                id=message_id(name, lane, event.sequence),
                receiver=name,
                lane=lane,
                sequence=event.sequence,
                type=kind,
                created_at=at,
                body=said,
            )
            for name in self.receivers
        ]
        self.made |= {message.id: message for message in found}
        return found


def tell(outbox: Outbox | None, post: Post, messages: Iterable[Message]) -> None:
    """Committed, then offered."""
    known = list(messages)
    post.commit(*known, at=START + timedelta(seconds=asyncio.get_running_loop().time()))
    if outbox is not None:
        outbox.offer(known)


def outbox_of(post: Post, town: Town, *names: str, gather: timedelta | None = QUARTER, **keys: Any) -> Outbox:
    """One that tells together."""
    loop = asyncio.get_running_loop()
    return Outbox(
        post,
        {name: Receiver(name=name, kind="webhook", spec=None, gather=gather) for name in names},
        town.deliver,
        now=lambda: START + timedelta(seconds=loop.time()),
        jitter=lambda: 0.0,
        together=lambda name, messages: together(name, messages, CATALOGUE, at=START + timedelta(seconds=loop.time())),
        **keys,
    )


@contextlib.asynccontextmanager
async def at_work(
    post: Post, town: Town, *names: str, gather: timedelta | None = QUARTER, **keys: Any
) -> AsyncIterator[Outbox]:
    """It works until the end of the block."""
    outbox = outbox_of(post, town, *names, gather=gather, **keys)
    task = asyncio.get_running_loop().create_task(outbox.run())
    try:
        yield outbox
        await outbox.stop(30)
        await task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def ids_in(message: Message) -> list[str]:
    """The ids of the messages that this one tells: its own, or those that are gathered in it."""
    data = json.loads(message.body)["data"]
    if "gathered" not in data:
        return [message.id]
    return [each["id"] for row in data["gathered"] for each in row["messages"]]


def told(messages: Sequence[Message]) -> list[str]:
    """Ids of what was told, in order, copies (the same id again) taken once."""
    once = {message.id: message for message in messages}
    return [id for message in once.values() for id in ids_in(message)]


def requests_within(times: Sequence[float], window: float) -> int:
    """The most requests that any stretch of `window` seconds holds."""
    return max((sum(start <= at < start + window for at in times) for start in times), default=0)
