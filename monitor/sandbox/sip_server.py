"""A video endpoint's SIP, over UDP and over TCP: answers OPTIONS, and nothing else.

Asks the weather at every request: a cut endpoint is silent, a slow one late, a wrong one says 503; a refused one does not listen (see
`Listener` and `DatagramListener`). Never: begins a call, keeps a dialogue.
"""

import asyncio
import re
from collections.abc import Callable
from functools import partial
from typing import Final

from monitor.sandbox.datagram_listener import Answering, Peer
from monitor.sandbox.faults import Condition
from monitor.sandbox.servers import Talker

Weather = Callable[[], Condition]

_ECHOED: Final = ("from", "call-id", "cseq")
_COMPACT: Final = {"v": "via", "f": "from", "t": "to", "i": "call-id"}


def answer(request: bytes, where: tuple[str, int], *, name: str, wrong: bool = False) -> bytes | None:
    """The response to one whole request from `where` (RFC 3261 §8.2.6, RFC 3581 §4); None for what is no request."""
    lines = request.decode("utf-8", "replace").lstrip("\r\n").split("\r\n")
    method, _, rest = lines[0].partition(" ")
    if not rest.endswith(" SIP/2.0"):
        return None
    fields: dict[str, str] = {}
    for line in lines[1:]:
        key, colon, value = line.partition(":")
        key = key.strip().lower()
        if colon:
            fields.setdefault(_COMPACT.get(key, key), value.strip())
    if not {"via", "to", *_ECHOED} <= fields.keys():
        return None
    status, more = "200 OK", "Allow: OPTIONS\r\nAccept: application/sdp\r\n"
    if wrong:
        status, more = "503 Service Unavailable", "Retry-After: 30\r\n"
    elif method != "OPTIONS":
        status, more = "405 Method Not Allowed", "Allow: OPTIONS\r\n"
    host, port = where
    via = re.sub(r";rport(?=[;,\s]|$)", f";rport={port};received={host}", fields["via"], count=1)
    tag = "" if ";tag=" in fields["to"] else ";tag=sandbox"
    head = f"SIP/2.0 {status}\r\nVia: {via}\r\nTo: {fields['to']}{tag}\r\n"
    head += "".join(f"{key.title()}: {fields[key]}\r\n" for key in _ECHOED)
    return f"{head}{more}Server: {name}\r\nContent-Length: 0\r\n\r\n".encode()


class SipDatagrams(Answering):
    """SIP over UDP."""

    def __init__(self, weather: Weather, name: str = "Sandbox VC") -> None:
        super().__init__(weather)
        self._name = name

    def answer(self, data: bytes, peer: Peer) -> bytes | None:
        return answer(data, peer, name=self._name, wrong=self._weather().wrong)


class SipStream(Talker):
    """SIP over TCP; the connection stays open for the next request."""

    def __init__(self, weather: Weather, name: str = "Sandbox VC") -> None:
        super().__init__(weather, lambda data: data.endswith(b"\r\n\r\n"), partial(self._said, weather, name))
        self._where = ("", 0)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        peer = transport.get_extra_info("peername") or ("", 0)
        self._where = (peer[0], peer[1])

    def _said(self, weather: Weather, name: str, request: bytes) -> tuple[bytes, bool]:
        said = answer(request, self._where, name=name, wrong=weather().wrong)
        return (b"", True) if said is None else (said, False)
