"""Video meetings over HTTP: what comes, how its points stand, and looking at them now.

Owns: the API's meeting, and its two routes. Never: tells anybody; looking by hand only probes what is configured, one run at a time.
"""

from typing import Any

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import JSONResponse

from monitor.model import MeetingStatus, Readiness
from monitor.rules.public import meeting_object, rfc3339
from monitor.web.machine import tagged
from monitor.web.objects import page_url
from monitor.web.view import View


def api(view: View) -> APIRouter:
    """`/api/v1/meetings`, and `POST /api/v1/meetings/{id}/check`."""
    router = APIRouter(prefix="/api/v1/meetings", tags=["api"])

    @router.get("", summary="Video meetings that are not over, with their points that are not ready")
    async def meetings(request: Request) -> Response:
        return tagged(request, {"items": [meeting_json(view, status) for status in view.meetings()]})

    @router.post("/{meeting}/check", summary="Look at a meeting's points now; nobody is told")
    async def look(meeting: str) -> JSONResponse:
        found = await view.look_at_meeting(meeting)
        if found is None:
            raise HTTPException(404, "no such meeting: give its id, or the id of one of its occurrences")
        return JSONResponse(meeting_json(view, found) | {"connected": view.connected()})

    return router


def meeting_json(view: View, status: MeetingStatus) -> dict[str, Any]:
    """A video meeting; `ready` and `not_ready` are of now, and null before its readiness run."""
    meeting, told = status.meeting, status.told
    core = meeting_object(meeting, status.points, view.catalogue, url=page_url(view, "meetings"))
    if not status.points:
        core |= {"ready": None, "total": len(meeting.nodes), "not_ready": None}
    return core | {
        "ready_at": rfc3339(meeting.ready_at),
        "every_seconds": meeting.every.total_seconds(),
        "told": None if told is None else _told_json(told),
    }


def _told_json(told: Readiness) -> dict[str, Any]:
    """What receivers were last told of it."""
    return {
        "at": rfc3339(told.at),
        "sequence": told.sequence,
        "ready": told.ready,
        "total": len(told.points),
        "not_ready": [point.node for point in told.lacking],
    }
