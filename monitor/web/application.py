"""The web application: routes over a view, safe headers, errors as problems."""

from typing import Any

from fastapi import FastAPI

from monitor.web import assets, heartbeats, links_api, machine, meetings, pages, problems
from monitor.web.view import View


def create_app(view: View) -> FastAPI:
    """All routes. There are no pages of documentation: they would load from elsewhere; `/api/openapi.json` is there."""
    app = FastAPI(
        title="Thông Suốt",
        version=view.version,
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
        description="Readings of the uptime daemon. Times are RFC 3339 in UTC, durations are seconds.",
    )
    problems.install(app)
    app.include_router(heartbeats.door(view))
    app.include_router(machine.operations(view))
    app.include_router(machine.api(view))
    app.include_router(meetings.api(view))
    app.include_router(links_api.api(view))
    app.include_router(pages.pages(view))
    app.include_router(assets.static())
    wrapped: Any = problems.SafeHeaders
    app.add_middleware(wrapped)
    return app
