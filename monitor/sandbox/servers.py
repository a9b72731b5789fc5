"""Real little servers on loopback: pages, a gateway with OAuth2, links, video endpoints, a name server.

Each asks the weather of its node at every step: a cut one accepts and never answers (as a dead line behind a living router does), a refused
one does not listen, a wrong one answers 200 with an error page, a slow one is slow.
"""

import asyncio
import json
import ssl
from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import cast

import dns.exception
import dns.flags
import dns.message
import dns.rcode
import dns.rrset

from monitor.sandbox.datagram_listener import Answering, Peer
from monitor.sandbox.faults import Condition

Weather = Callable[[], Condition]
Responder = Callable[[bytes], bytes]

NO_HEADERS: Mapping[str, str] = MappingProxyType({})
TOKEN = "sandbox-token"  # noqa: S105 A made-up token of a made-up gateway.


class Talker(asyncio.Protocol):
    """One connection: collects a request until it is whole, answers it when the weather allows."""

    def __init__(
        self, weather: Weather, whole: Callable[[bytes], bool], respond: Callable[[bytes], tuple[bytes, bool]]
    ) -> None:
        self._weather, self._whole, self._respond = weather, whole, respond
        self._transport: asyncio.Transport | None = None
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._received += data
        if len(self._received) > 65536 and self._transport is not None:
            self._transport.abort()
        if self._whole(self._received):
            request, self._received = self._received, b""
            delay = self._weather().delay
            if delay:
                asyncio.get_running_loop().call_later(delay, self._answer, request)
            else:
                self._answer(request)

    def _answer(self, request: bytes) -> None:
        if self._transport is None or self._transport.is_closing() or self._weather().cut:
            return
        answer, close = self._respond(request)
        self._transport.write(answer)
        if close:
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None


class Listener:
    """A listening socket that closes while its node refuses, and swaps its certificate while that is expired."""

    def __init__(
        self,
        host: str,
        port: int,
        weather: Weather,
        factory: Callable[[], asyncio.Protocol],
        *,
        good: ssl.SSLContext | None = None,
        expired: ssl.SSLContext | None = None,
    ) -> None:
        self._host, self._port, self._weather, self._factory = host, port, weather, factory
        self._good, self._expired = good, expired
        self._server: asyncio.Server | None = None
        self._now_expired = False
        self._turning = asyncio.Lock()

    async def sync(self) -> None:
        """Make what listens agree with the weather; two faults that turn at once take their turns here."""
        async with self._turning:
            await self._sync()

    async def _sync(self) -> None:
        condition = self._weather()
        if self._server is not None and (condition.refused or condition.expired != self._now_expired):
            self._server.close()
            self._server = None
        if self._server is None and not condition.refused:
            self._now_expired = condition.expired
            context = self._expired if condition.expired and self._good is not None else self._good
            loop = asyncio.get_running_loop()
            self._server = await loop.create_server(self._factory, self._host, self._port, ssl=context, backlog=1024)

    def close(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.close()
            self._server = None


def http_whole(data: bytes) -> bool:
    """Whether a request has all of its body."""
    head, separator, body = data.partition(b"\r\n\r\n")
    if not separator:
        return False
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length":
            return len(body) >= int(value.strip() or b"0")
    return True


def reply(
    status: str, body: bytes, headers: Mapping[str, str] = NO_HEADERS, *, kind: str = "text/html; charset=utf-8"
) -> bytes:
    """A whole answer, after which the connection is closed."""
    own = {"Content-Type": kind, "Content-Length": str(len(body)), "Connection": "close"}
    lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in {**own, **headers}.items()), "", ""]
    return "\r\n".join(lines).encode() + body


def page(title: str, text: str) -> bytes:
    """A small page in UTF-8."""
    return f'<!doctype html><html lang="vi"><meta charset="utf-8"><title>{title}</title><h1>{title}</h1><p>{text}</p></html>'.encode()


WRONG = page("Thông báo", "Lỗi kết nối cơ sở dữ liệu. Vui lòng thử lại sau.")


def web(weather: Weather, title: str) -> Callable[[], asyncio.Protocol]:
    """A portal: `/` and `/xa/<code>` are pages, `/login` a form; everything else is 404. Wrong weather: an error page with status 200."""

    def respond(request: bytes) -> tuple[bytes, bool]:
        path = request.split(b" ", 2)[1].decode("latin-1") if request.count(b" ") >= 2 else "/"
        if weather().wrong:
            return reply("200 OK", WRONG), True
        if path == "/":
            return reply("200 OK", page(title, "Bộ phận một cửa đang phục vụ.")), True
        if path.startswith("/xa/"):
            return reply("200 OK", page(f"Trang thông tin {path[4:]}", "UBND cấp xã.")), True
        if path == "/login":
            form = '<form method="post"><input name="_csrf" value="9f8e"><input name="user"></form>'
            return reply("200 OK", page("Đăng nhập", form)), True
        return reply("404 Not Found", page("Không tìm thấy", "")), True

    return partial(Talker, weather, http_whole, respond)


def gateway(weather: Weather) -> Callable[[], asyncio.Protocol]:
    """LGSP: `POST /token` (OAuth2 client credentials), `GET /health` for the bearer, `POST /soap` that answers with a Fault when wrong."""

    def respond(request: bytes) -> tuple[bytes, bool]:
        head, _, body = request.partition(b"\r\n\r\n")
        verb, path = [*head.split(b" ", 2)[:2], b""][:2]
        wrong = weather().wrong
        if verb == b"POST" and path == b"/token":
            if b"grant_type=client_credentials" not in body:
                return reply("400 Bad Request", b'{"error":"unsupported_grant_type"}', kind="application/json"), True
            answer = {"access_token": TOKEN, "token_type": "Bearer", "expires_in": 300}
            return reply("200 OK", json.dumps(answer).encode(), kind="application/json"), True
        if verb == b"POST" and path == b"/soap":
            inner = "<soap:Fault><faultstring>backend</faultstring></soap:Fault>" if wrong else "<ok/>"
            text = f'<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body>{inner}</soap:Body></soap:Envelope>'
            return reply("200 OK", text.encode(), kind="text/xml; charset=utf-8"), True
        if path == b"/health":
            if f"authorization: bearer {TOKEN}".encode() not in head.lower():
                return reply("401 Unauthorized", b'{"error":"token"}', kind="application/json"), True
            state = {"status": "DEGRADED" if wrong else "UP", "queue": 0}
            return reply("200 OK", json.dumps(state).encode(), kind="application/json"), True
        return reply("404 Not Found", b"{}", kind="application/json"), True

    return partial(Talker, weather, http_whole, respond)


def line(weather: Weather, name: str) -> Callable[[], asyncio.Protocol]:
    """A link's far end: answers each line `ping <word>` with `pong <word> <name>`."""

    def respond(request: bytes) -> tuple[bytes, bool]:
        word = request.split()[1:2] or [b""]
        return b"pong " + word[0] + b" " + name.encode() + b"\r\n", True

    return partial(Talker, weather, lambda data: data.endswith(b"\n"), respond)


class Names(Answering):
    """A name server that knows one zone: every name in it is one address."""

    def __init__(self, weather: Weather, address: str) -> None:
        super().__init__(weather)
        self._target = address

    def answer(self, data: bytes, peer: Peer) -> bytes | None:
        try:
            query = dns.message.from_wire(data)
        except dns.exception.DNSException:
            return None
        answer = dns.message.make_response(query)
        answer.flags |= dns.flags.AA
        name = query.question[0].name
        if self._weather().wrong or not name.to_text().endswith("ninhbinh.example."):
            answer.set_rcode(dns.rcode.NXDOMAIN)
        else:
            answer.answer.append(dns.rrset.from_text(name, 60, "IN", "A", self._target))
        return bytes(answer.to_wire())
