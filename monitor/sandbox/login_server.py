"""What a journey goes through: an application with a login, a SOAP service, and a document axis that takes its time.

Owns: their sessions and documents, few and in memory. A wrong login application has lost its database behind a page that looks well; a wrong
service answers every question with a SOAP Fault and status 200; a wrong axis takes every document and delivers none.
"""

import asyncio
import hmac
import html
import json
import re
import secrets
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from urllib.parse import parse_qs, urlsplit

from monitor.sandbox.servers import Talker, Weather, http_whole, page, reply

USER, PASSWORD = "giamsat", "mat-khau-trong-hop"
"""Who may log in: made up, in a made-up application."""
KEPT = 256
"""Sessions and documents that are remembered: the newest."""
SPACE = "urn:lgsp:1"

_SECURE = "HttpOnly; Path=/; SameSite=Lax"
_RUN = re.compile(rb"<(?:\w+:)?id>([\w.-]{1,64})</")


@dataclass(frozen=True, slots=True)
class Asked:
    """One request, taken apart."""

    method: str
    path: str
    query: Mapping[str, list[str]]
    cookies: Mapping[str, str]
    body: bytes

    @classmethod
    def read(cls, request: bytes) -> "Asked":
        head, _, body = request.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        method, target = [*first.split(" "), "", ""][:2]
        parts = urlsplit(target)
        cookies: dict[str, str] = {}
        for line in lines:
            name, _, value = line.partition(":")
            if name.strip().lower() == "cookie":
                cookies.update(pair.strip().partition("=")[::2] for pair in value.split(";"))
        return cls(method, parts.path or "/", parse_qs(parts.query), cookies, body)

    @property
    def form(self) -> Mapping[str, str]:
        """The fields of a form, each once."""
        return {name: values[0] for name, values in parse_qs(self.body.decode("utf-8", "replace")).items()}


class Memory(OrderedDict[str, object]):
    """The newest few."""

    def __setitem__(self, key: str, value: object) -> None:
        super().__setitem__(key, value)
        while len(self) > KEPT:
            self.popitem(last=False)


def login(
    weather: Weather, title: str, *, user: str = USER, password: str = PASSWORD
) -> Callable[[], asyncio.Protocol]:
    """`/login` is a form with a CSRF token bound to a session cookie; who logs in is led to `/ho-so`, and may ask `/api/hoso?ma=…`
    (JSON with `total`) until `POST /logout`. A wrong password is told on a page with status 200, as such applications do.
    """
    waiting, inside = Memory(), Memory()

    def respond(request: bytes) -> tuple[bytes, bool]:
        asked = Asked.read(request)
        session = asked.cookies.get("sid", "")
        match asked.method, asked.path:
            case "GET", "/login":
                session, token = secrets.token_hex(16), secrets.token_urlsafe(18)
                waiting[session] = token
                form = (
                    f'<form method="post" action="/login"><input type="hidden" name="_csrf" value="{html.escape(token)}">'
                    '<input name="username"><input name="password" type="password"></form>'
                )
                answer = reply("200 OK", page(f"Đăng nhập: {title}", form), {"Set-Cookie": f"sid={session}; {_SECURE}"})
            case "POST", "/login":
                answer = _enter(asked, session)
            case "GET", "/ho-so" if session in inside:
                answer = reply("200 OK", page(title, f"Xin chào {html.escape(user)}. Hồ sơ đang xử lý: 3."))
            case "GET", "/api/hoso" if session in inside:
                answer = _search(asked)
            case "POST", "/logout":
                inside.pop(session, None)
                answer = reply("302 Found", b"", {"Location": "/login", "Set-Cookie": f"sid=; Max-Age=0; {_SECURE}"})
            case _, "/ho-so" | "/api/hoso":
                answer = reply("401 Unauthorized", page("Phiên làm việc đã hết", "Mời đăng nhập lại."))
            case _:
                answer = reply("404 Not Found", page("Không tìm thấy", ""))
        return answer, True

    def _enter(asked: Asked, session: str) -> bytes:
        form, token = asked.form, waiting.pop(session, None)
        if not isinstance(token, str) or not hmac.compare_digest(token, form.get("_csrf", "")):
            return reply("403 Forbidden", page("Yêu cầu không hợp lệ", "Mã bảo vệ biểu mẫu đã hết hạn."))
        given = f"{form.get('username', '')}\n{form.get('password', '')}".encode()
        if not hmac.compare_digest(given, f"{user}\n{password}".encode()):
            return reply("200 OK", page("Đăng nhập", "Sai tài khoản hoặc mật khẩu."))
        fresh = secrets.token_hex(16)
        inside[fresh] = True
        return reply("302 Found", b"", {"Location": "/ho-so", "Set-Cookie": f"sid={fresh}; {_SECURE}"})

    def _search(asked: Asked) -> bytes:
        if weather().wrong:
            return _json("200 OK", {"error": "Lỗi kết nối cơ sở dữ liệu"})
        code = asked.query.get("ma", [""])[0]
        return _json("200 OK", {"total": 1 if code else 0, "items": [{"ma": code[:40]}] if code else []})

    return partial(Talker, weather, http_whole, respond)


def soap(weather: Weather) -> Callable[[], asyncio.Protocol]:
    """`POST /soap…`: `Ping` is answered with `PingResponse` of the namespace `urn:lgsp:1`, state UP and the id that was asked with."""

    def respond(request: bytes) -> tuple[bytes, bool]:
        asked = Asked.read(request)
        if asked.method != "POST" or not asked.path.startswith("/soap"):
            return reply("404 Not Found", b"", kind="text/plain"), True
        found = _RUN.search(asked.body)
        said = found[1].decode("ascii") if found else ""
        inner = f'<v:PingResponse xmlns:v="{SPACE}"><v:State>UP</v:State><v:id>{said}</v:id></v:PingResponse>'
        if weather().wrong:
            inner = "<soap:Fault><faultcode>soap:Server</faultcode><faultstring>CSDLDC: hết thời gian chờ</faultstring></soap:Fault>"
        text = (
            '<?xml version="1.0" encoding="UTF-8"?><soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/">'
            f"<soap:Body>{inner}</soap:Body></soap:Envelope>"
        )
        return reply("200 OK", text.encode(), kind="text/xml; charset=utf-8"), True

    return partial(Talker, weather, http_whole, respond)


def axis(weather: Weather, *, takes: float = 1.0) -> Callable[[], asyncio.Protocol]:
    """`POST /documents` takes one (202 with its `id`); `GET /documents/<id>` says `sent`, and `arrived` after `takes` seconds."""
    sent = Memory()

    def respond(request: bytes) -> tuple[bytes, bool]:
        asked, now = Asked.read(request), asyncio.get_running_loop().time()
        if (asked.method, asked.path) == ("POST", "/documents"):
            number = secrets.token_hex(8)
            sent[number] = now
            return _json("202 Accepted", {"id": number, "state": "sent"}), True
        since = sent.get(asked.path.removeprefix("/documents/"))
        if asked.method != "GET" or not isinstance(since, float):
            return _json("404 Not Found", {"error": "no such document"}), True
        arrived = now - since >= takes and not weather().wrong
        return _json("200 OK", {"state": "arrived" if arrived else "sent"}), True

    return partial(Talker, weather, http_whole, respond)


def _json(status: str, document: object) -> bytes:
    return reply(status, json.dumps(document, ensure_ascii=False).encode(), kind="application/json")
