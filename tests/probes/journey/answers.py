"""Valid answers to a journey's requests, for whoever wants to damage them: a form, a redirect, JSON, SOAP, a delivery that is not yet there."""

from tests.probes.http.box import answer

LOGIN = answer(
    '<!doctype html><html lang="vi"><title>Đăng nhập</title><form><input name="_csrf" value="a1b2"></form></html>'.encode(),
    headers={"Content-Type": "text/html; charset=utf-8", "Set-Cookie": "sid=1; Path=/; HttpOnly"},
)
ENTERED = answer(b"", 302, {"Location": "/home", "Set-Cookie": "sid=2; Path=/"})
FOUND = answer(b'{"total": 1, "items": [{"id": "HS-1"}]}', headers={"Content-Type": "application/json"})
ENVELOPE = (
    b'<?xml version="1.0" encoding="UTF-8"?><soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/">'
    b'<soap:Body><v:PingResponse xmlns:v="urn:lgsp:1"><v:State>UP</v:State></v:PingResponse></soap:Body></soap:Envelope>'
)
PONG = answer(ENVELOPE, headers={"Content-Type": "text/xml; charset=utf-8"})

ANSWERS: tuple[bytes, ...] = (LOGIN, ENTERED, FOUND, PONG)

KEYS = {
    "steps": [
        {"name": "form", "get": "/login", "extract": {"csrf": {"css": "input[name=_csrf]@value"}}},
        {"name": "enter", "post": "/login", "form": {"_csrf": "{csrf}"}, "extract": {"id": {"json": "$.items[0].id"}}},
        {
            "name": "soap",
            "post": "/soap",
            "body": "<Ping>{id}</Ping>",
            "expect": {"xpath": '//v:State == "UP"', "namespaces": {"v": "urn:lgsp:1"}},
            "extract": {"state": {"xpath": "//v:State", "namespaces": {"v": "urn:lgsp:1"}}},
        },
    ]
}
"""A check that reads all of them: `/login` by GET is LOGIN, by POST ENTERED, which leads to `/home`, FOUND; `/soap` is PONG."""
