"""The door for jobs elsewhere: `/api/v1/heartbeats/<token>`, with `/start` or `/fail` behind it where wanted.

Owns: reading a call (its word, its exit status, its numbers), however curl, cron or a script of Windows sends it. The token is all the
authentication there is, so this stands before any other. Never: repeats a token, not in an answer, a header, a log or an example.
"""

import asyncio
import json
import math
from collections.abc import Iterable, Mapping
from typing import Final
from urllib.parse import parse_qsl

from fastapi import APIRouter, Request, Response
from starlette.requests import ClientDisconnect

from monitor.web.problems import problem
from monitor.web.view import View
from probes.heartbeat_calls import Call, Said

LARGEST: Final = 4096
"""Bytes of a body, and characters of a query."""

MOST: Final = 64
"""Names in one call."""

PATIENCE: Final = 5.0
"""Seconds in which the whole of a call must have come."""

WORDS: Final[Mapping[str, Said]] = {
    "": Said.DONE, "ok": Said.DONE, "up": Said.DONE, "done": Said.DONE, "success": Said.DONE,
    "fail": Said.FAILED, "failed": Said.FAILED, "down": Said.FAILED, "error": Said.FAILED,
    "start": Said.STARTED, "started": Said.STARTED,
}  # fmt: skip


def door(view: View) -> APIRouter:
    """The routes."""
    router = APIRouter(prefix="/api/v1/heartbeats", tags=["heartbeats"])

    async def called(request: Request, token: str, word: str) -> Response:
        # The token first: a stranger's body is not read.
        admitted = view.heartbeats.admit(token)
        if admitted.wait:
            return _later(429, "too many calls", admitted.wait)
        if admitted.check is None:
            return problem(404, "no such heartbeat")
        query = request.scope["query_string"].decode("latin-1")
        try:
            async with asyncio.timeout(PATIENCE):
                body = await _body(request)
        except TimeoutError:
            return problem(408, "the call took too long to arrive")
        except ClientDisconnect:
            return problem(400, "the call did not arrive whole")
        if body is None or len(query) > LARGEST:
            return problem(413, f"a call carries at most {LARGEST} bytes")
        call, unread = read(query, request.headers.get("content-type", ""), body, word)
        if call is None:
            return problem(422, "status is one of ok, fail, start, or the exit status of the job, a number")
        receipt = await view.heartbeats.take(admitted.check, call)
        if not receipt.stored:
            return _later(503, "it could not be written down: call again", 5.0)
        ignored = receipt.ignored + unread
        more = {"heartbeat-ignored": str(ignored)} if ignored else {}
        return Response(status_code=204, headers={"cache-control": "no-store", **more})

    @router.post("/{token}", status_code=204, summary="A job says that it ran")
    async def ended(request: Request, token: str) -> Response:
        """Numbers come as JSON, as a form or in the query; `status` is `ok`, `fail`, `start` or the job's exit status."""
        return await called(request, token, "")

    @router.post("/{token}/{word}", status_code=204, summary="A job says how it ran: fail, start, or its exit status")
    async def worded(request: Request, token: str, word: str) -> Response:
        """The same as `status`, in the address."""
        return await called(request, token, word.lower())

    # cron and curl know no other way than GET; some look with HEAD.
    for path, route in (("/{token}", ended), ("/{token}/{word}", worded)):
        router.add_api_route(path, route, methods=["GET", "HEAD"], status_code=204, include_in_schema=False)
    router.add_api_route("/{token}/", ended, methods=["GET", "HEAD", "POST"], include_in_schema=False)
    return router


def read(query: str, content_type: str, body: bytes, word: str) -> tuple[Call | None, int]:
    """One call out of what was sent, and how much of it was no number. None when its status is no status.

    A body that cannot be read is as good as none: the job lives, and that is what it came to say.
    """
    found, unread = _pairs(query)
    more, lost = _pairs_of(body, content_type)
    status = word
    exit_status: float | None = None
    numbers: dict[str, float] = {}
    unread += lost
    for name, value in (*found, *more):
        if name == "status":
            status = word or str(value).strip().lower()
            continue
        number = _number(value)
        if number is None:
            unread += 1
        else:
            numbers[name] = number
    said = WORDS.get(status)
    if said is None:
        exit_status = _number(status)
        if exit_status is None or exit_status != int(exit_status) or abs(exit_status) > 2**32:
            return None, unread
        said = Said.FAILED if exit_status else Said.DONE
    return Call(said=said, exit_status=exit_status, numbers=numbers), unread


def _pairs(text: str) -> tuple[list[tuple[str, object]], int]:
    """Names and values of a query or a form; too many of them are one thing unread."""
    try:
        return [*parse_qsl(text, keep_blank_values=True, max_num_fields=MOST)], 0
    except ValueError:
        return [], 1


def _pairs_of(body: bytes, content_type: str) -> tuple[Iterable[tuple[str, object]], int]:
    """Names and values of a body: a JSON object, or else a form."""
    try:
        text = body.decode("utf-8").strip()
        if not text:
            return (), 0
        if "json" not in content_type.lower() and not text.startswith("{"):
            return _pairs(text)
        parsed = json.loads(text)
    except (ValueError, RecursionError):
        return (), 1
    if not isinstance(parsed, dict) or len(parsed) > MOST:
        return (), 1
    return parsed.items(), 0


def _number(value: object) -> float | None:
    """A finite number, written as JSON or as text; true and false are none."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if isinstance(value, str) and (len(value) > 40 or not value.isascii() or "_" in value):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


async def _body(request: Request) -> bytes | None:
    """The body; None when it is too large, found out without reading the rest."""
    length = request.headers.get("content-length", "0")
    if not length.isdecimal() or len(length) > 9 or int(length) > LARGEST:
        return None
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST:
            return None
    return body


def _later(status: int, detail: str, seconds: float) -> Response:
    answer = problem(status, detail)
    answer.headers["retry-after"] = str(max(1, math.ceil(seconds)))
    return answer
