"""The links over HTTP: `/api/v1/links`, with a schema of what it answers.

Owns: the API's link and its counts. Never: another figure than the page shows.
"""

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from monitor.model import State
from monitor.rules.public import rfc3339
from monitor.web.links import Count, Link, Links, Measured, Wanted, Way, carriers, count
from monitor.web.machine import Limit, page, tagged
from monitor.web.objects import page_url
from monitor.web.view import View
from probes.contract import Seen


@dataclass(frozen=True, kw_only=True)
class FiguresObject:
    """One echo check of a link and its latest round. A figure that was not measured is null."""

    check: str
    family: Way
    state: State
    seen: Seen | None
    reason: str | None
    at: str | None
    stale: bool
    loss: float | None
    rtt_seconds: float | None
    jitter_seconds: float | None
    mos: float | None


@dataclass(frozen=True, kw_only=True)
class LinkObject:
    """A link as it stands."""

    id: str
    name: str
    commune: str | None
    commune_name: str | None
    region: str | None
    district: str | None
    carrier: str | None
    state: State
    since: str | None
    reason: str
    detail: str
    blamed_on: str | None
    maintenance: bool
    waiting_for_address: bool
    incident: str | None
    figures: list[FiguresObject]
    url: str


@dataclass(frozen=True, kw_only=True)
class CountObject:
    """Links by how they stand; `working` are those that are up or degraded."""

    total: int
    working: int
    waiting_for_address: int
    states: dict[str, int]


@dataclass(frozen=True, kw_only=True)
class CarrierObject(CountObject):
    """The links of one carrier; `id` is null for those whose carrier is not written."""

    id: str | None
    name: str | None


@dataclass(frozen=True, kw_only=True)
class LinksObject(CountObject):
    """The counts are of all links; the items are those asked for, a page of them."""

    carriers: list[CarrierObject]
    items: list[LinkObject]
    next: str | None


def plain(thing: FiguresObject | LinkObject) -> dict[str, Any]:
    """The fields of such an object: shallow, where `asdict` copies everything it meets."""
    return {**vars(thing)}


def link_json(view: View, link: Link) -> dict[str, Any]:
    """A link of the API."""
    known = link_object(view, link)
    return plain(known) | {"figures": [plain(each) for each in known.figures]}


def link_object(view: View, link: Link) -> LinkObject:
    """The same as an object whose shape the schema is made from."""
    labels, state = link.node.labels, link.state
    return LinkObject(
        id=link.node.id,
        name=link.node.name,
        commune=labels.get("commune"),
        commune_name=labels.get("commune_name"),
        region=link.region or None,
        district=link.district or None,
        carrier=link.carrier or None,
        state=state.state,
        since=rfc3339(state.since),
        reason=state.reason.value,
        detail=state.detail,
        blamed_on=state.blamed_on or None,
        maintenance=link.resting,
        waiting_for_address=link.waiting,
        incident=link.incident.id if link.incident else None,
        figures=[_figures(each) for each in link.figures],
        url=page_url(view, "nodes", link.node.id),
    )


def _figures(each: Measured) -> FiguresObject:
    outcome = each.outcome
    return FiguresObject(
        check=each.check.id,
        family=each.family,
        state=each.state,
        seen=outcome.seen if outcome else None,
        reason=outcome.reason.value if outcome else None,
        at=rfc3339(outcome.started_at) if outcome else None,
        stale=each.stale,
        loss=each.loss,
        rtt_seconds=_rounded(each.rtt),
        jitter_seconds=_rounded(each.jitter),
        mos=None if each.mos is None else round(each.mos, 3),
    )


def _rounded(seconds: float | None) -> float | None:
    """To the microsecond: what lies below says nothing of a line."""
    return None if seconds is None else round(seconds, 6)


def _count_json(some: Count) -> dict[str, Any]:
    return {
        "total": some.total,
        "working": some.working,
        "waiting_for_address": some.waiting,
        "states": dict(some.states),
    }


Values = Annotated[list[Annotated[str, Query(max_length=200)]] | None, Query(max_length=50)]
States = Annotated[list[State] | None, Query(max_length=10)]


def wanted(carrier: Values = None, region: Values = None, district: Values = None, state: States = None) -> Wanted:
    """The filter in an address: every key may stand in it several times."""
    return Wanted(
        carrier=tuple(carrier or ()),
        region=tuple(region or ()),
        district=tuple(district or ()),
        state=tuple(state or ()),
    )


def api(view: View) -> APIRouter:
    """`/api/v1/links`."""
    router = APIRouter(prefix="/api/v1", tags=["api"])
    links = Links(view)

    @router.get(
        "/links",
        summary="The communes' links with their loss, round trip, jitter and estimated MOS",
        responses={200: {"model": LinksObject}, 304: {"description": "What the ETag names is still so"}},
    )
    async def all_links(
        request: Request,
        carrier: Values = None,
        region: Values = None,
        district: Values = None,
        state: States = None,
        cursor: str | None = None,
        limit: Limit = 500,
    ) -> Response:
        every = links.all()
        asked = wanted(carrier, region, district, state)
        items = ((link.node.id, link_json(view, link)) for link in every if asked.fits(link))
        theirs = [
            {**_count_json(each.count), "id": each.id or None, "name": each.name or None}
            for each in carriers(every, view.catalogue)
        ]
        return tagged(request, {**_count_json(count(every)), "carriers": theirs, **page(items, cursor, limit)})

    return router
