"""Routes for machines: metrics, health, service discovery, the multi-target probe, and the API's readings."""

import hashlib
import json
from collections.abc import Iterable
from typing import Annotated, Any

from fastapi import APIRouter, Header, HTTPException, Query, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse

from monitor.model import IncidentState, State
from monitor.rules.public import ipv6_object, rfc3339
from monitor.web import objects
from monitor.web.view import View

Limit = Annotated[int, Query(ge=1, le=500)]


def tagged(request: Request, body: Any) -> Response:
    """JSON with an ETag; 304 when the asker has it already."""
    data = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    etag = f'"{hashlib.blake2b(data, digest_size=12).hexdigest()}"'
    headers = {"etag": etag, "cache-control": "no-cache"}
    if etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(data, media_type="application/json", headers=headers)


def page(items: Iterable[tuple[str, dict[str, Any]]], cursor: str | None, limit: int) -> dict[str, Any]:
    """One page of keyed items in their order: those after `cursor`, at most `limit`, and the next cursor."""
    found: list[dict[str, Any]] = []
    passed, last = cursor is None, ""
    for key, item in items:
        if not passed:
            passed = key == cursor
            continue
        if len(found) == limit:
            return {"items": found, "next": last}
        found.append(item)
        last = key
    return {"items": found, "next": None}


def operations(view: View) -> APIRouter:
    """`/metrics`, `/healthz`, `/readyz`, `/sd`, `/probe`: what Prometheus and a service manager ask."""
    router = APIRouter(tags=["operations"])

    @router.get("/metrics", include_in_schema=False)
    async def metrics(accept: Annotated[str, Header()] = "") -> Response:
        kind, body = view.metrics(accept)
        return Response(body, headers={"content-type": kind})

    @router.get("/healthz", summary="Is the process alive?")
    async def healthz() -> PlainTextResponse:
        return PlainTextResponse("ok\n")

    @router.get("/readyz", summary="Does everything vital work?")
    async def readyz() -> JSONResponse:
        vitals = view.vitals()
        ready = all(vital.fine for vital in vitals)
        parts = [
            {"name": v.name, "fine": v.fine, "age_seconds": round(v.age.total_seconds(), 1), "detail": v.detail}
            for v in vitals
        ]
        body = {"ready": ready, "connected": view.connected(), "version": view.version, "vitals": parts}
        return JSONResponse(body, status_code=200 if ready else 503)

    @router.get("/sd", summary="Prometheus HTTP service discovery: every check as a target of /probe")
    async def discovery() -> list[dict[str, Any]]:
        catalogue = view.catalogue
        return [
            {
                "targets": [check.id],
                "labels": {
                    "__meta_thongsuot_kind": check.kind,
                    "__meta_thongsuot_node": check.node,
                    "__meta_thongsuot_type": catalogue.nodes[check.node].type,
                    "__meta_thongsuot_owner": catalogue.nodes[check.node].owner,
                    "__meta_thongsuot_carrier": catalogue.nodes[check.node].carrier,
                },
            }
            for check in catalogue.checks.values()
        ]

    @router.get("/probe", summary="Run one configured check now, as a multi-target exporter does")
    async def probe(
        target: Annotated[str, Query(max_length=300)],
        x_prometheus_scrape_timeout_seconds: Annotated[float | None, Header()] = None,
    ) -> Response:
        patience = x_prometheus_scrape_timeout_seconds
        outcome = await view.probe(target, None if patience is None else max(0.1, patience - 0.25))
        if outcome is None:
            raise HTTPException(404, "no such check: only configured checks are probed")
        kind, body = view.exposition(target, outcome)
        return Response(body, headers={"content-type": kind})

    return router


def api(view: View) -> APIRouter:
    """`/api/v1`: nodes, checks, incidents, status; readings only."""
    router = APIRouter(prefix="/api/v1", tags=["api"])

    @router.get("/status", summary="What is wrong now, in one object")
    async def status(request: Request) -> Response:
        states = dict.fromkeys((state.value for state in State), 0)
        for node in view.catalogue.nodes:
            known = view.nodes().get(node)
            state = known.state.value if known else "unknown"
            states[state] += 1
        body = {
            "version": view.version,
            "now": rfc3339(view.now()),
            "province": view.catalogue.province.name,
            "connected": view.connected(),
            "nodes": states,
            "incidents": [objects.incident_json(view, incident) for incident in view.incidents()],
            "ipv6": ipv6_object(view.ipv6()),
            "deliveries": [{"receiver": d.receiver, "state": d.state, "count": d.count} for d in view.deliveries()],
            "clock_offset_seconds": round(view.clock_offset().total_seconds(), 3),
        }
        return tagged(request, body)

    @router.get("/nodes", summary="All nodes with their verdicts")
    async def nodes(
        request: Request,
        state: str | None = None,
        type: str | None = None,
        cursor: str | None = None,
        limit: Limit = 500,
    ) -> Response:
        items = (
            (node.id, item)
            for node in view.catalogue.nodes.values()
            if (type is None or node.type == type)
            and (item := objects.node_json(view, node))
            and (state is None or item["state"] == state)
        )
        return tagged(request, page(items, cursor, limit))

    @router.get("/nodes/{node}", summary="One node")
    async def one_node(request: Request, node: str) -> Response:
        known = view.catalogue.nodes.get(node)
        if known is None:
            raise HTTPException(404, "no such node")
        checks = [objects.check_json(view, view.catalogue.checks[check]) for check in known.checks]
        return tagged(request, objects.node_json(view, known) | {"checks": checks})

    @router.get("/checks", summary="All checks with what they saw last")
    async def checks(request: Request, cursor: str | None = None, limit: Limit = 500) -> Response:
        items = ((check.id, objects.check_json(view, check)) for check in view.catalogue.checks.values())
        return tagged(request, page(items, cursor, limit))

    @router.get("/checks/{check:path}", summary="One check")
    async def one_check(request: Request, check: str) -> Response:
        known = view.catalogue.checks.get(check)
        if known is None:
            raise HTTPException(404, "no such check")
        return tagged(request, objects.check_json(view, known))

    @router.get("/incidents", summary="Incidents, newest first")
    async def incidents(
        request: Request,
        state: Annotated[list[IncidentState] | None, Query()] = None,
        node: str | None = None,
        cursor: str | None = None,
        limit: Limit = 100,
    ) -> Response:
        found = await view.history(states=state or [], node=node, cursor=cursor, limit=limit)
        items = [objects.incident_json(view, incident) for incident in found.incidents]
        return tagged(request, {"items": items, "next": found.cursor})

    @router.get("/incidents/{incident}", summary="One incident with its history")
    async def one_incident(request: Request, incident: str) -> Response:
        known = await view.incident(incident)
        if known is None:
            raise HTTPException(404, "no such incident")
        events = [objects.event_json(event) for event in await view.events(incident)]
        return tagged(request, objects.incident_json(view, known) | {"events": events})

    @router.get("/incidents/{incident}/evidence", summary="Pictures that failed probes kept while it was on")
    async def evidence(request: Request, incident: str) -> Response:
        known = await view.incident(incident)
        if known is None:
            raise HTTPException(404, "no such incident")
        return tagged(request, {"items": [objects.evidence_json(known, it) for it in await view.evidence(known)]})

    @router.get("/incidents/{incident}/evidence/{check:path}/{name}", summary="One of them")
    async def evidence_file(incident: str, check: str, name: str) -> Response:
        known = await view.incident(incident)
        pieces = await view.evidence(known) if known is not None else ()
        piece = next((each for each in pieces if (each.check, each.name) == (check, name)), None)
        data = await view.evidence_file(piece) if piece is not None else None
        if piece is None or data is None:
            raise HTTPException(404, "no such evidence")
        headers = {"content-disposition": f'inline; filename="{piece.name}"', "cache-control": "private, max-age=3600"}
        return Response(data, media_type=piece.media_type, headers=headers)

    return router
