"""Templates and static files, read once when the program starts: no page waits for a disk, and no path of a request reaches one."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from fastapi import APIRouter, HTTPException, Response

_HERE: Final = Path(__file__).parent
_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
}

TEMPLATES: Final[Mapping[str, str]] = MappingProxyType(
    {path.name: path.read_text(encoding="utf-8") for path in (_HERE / "templates").glob("*.html")}
)
STATIC: Final[Mapping[str, tuple[str, bytes]]] = MappingProxyType(
    {
        path.name: (_TYPES[path.suffix], path.read_bytes())
        for path in (_HERE / "static").iterdir()
        if path.suffix in _TYPES
    }
)


def static() -> APIRouter:
    """`/static/<name>`: one of the files above, or nothing."""
    router = APIRouter(include_in_schema=False)

    @router.get("/static/{name}")
    async def asset(name: str) -> Response:
        if name not in STATIC:
            raise HTTPException(404, "no such file")
        kind, body = STATIC[name]
        return Response(body, headers={"content-type": kind, "cache-control": "max-age=300"})

    return router
