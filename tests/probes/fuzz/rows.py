"""The table: a row for each way of each kind to be lied to. A new kind is a new row."""

import re

from tests.probes.fuzz.cases import Row, Way
from tests.probes.fuzz.ground import GROUND, asked


def sip(request: bytes) -> bytes:
    """What a registrar says to OPTIONS: RFC 3261 §8.2.6."""
    kept = re.findall(rb"(?im)^((?:via|from|call-id|cseq|v|f|i)\s*:[^\r\n]*)\r$", request)
    to = re.search(rb"(?im)^((?:to|t)\s*:[^\r\n]*)\r$", request)
    lines = [
        b"SIP/2.0 200 OK",
        *kept,
        (to[1] if to else b"To: <sip:x>") + b";tag=1",
        b"Server: kamailio (5.6.3)",
        b"Content-Length: 0",
    ]
    return b"\r\n".join(lines) + b"\r\n\r\n"


SIP_WORDS = (
    b"SIP/2.0 100 Trying\r\n", b"SIP/2.0 503 No\r\nRetry-After: 9999999999\r\n", b"Content-Length: 99999\r\n", b"l: -1\r\n", b"\r\n\r\n",
    b";received=[::", b";rport=99999", b";branch=z9hG4bK", b"Via: x\r\n" * 300, b"OPTIONS sip:a SIP/2.0\r\n", b"CSeq: 1 INVITE\r\n",
)  # fmt: skip

WAYS: tuple[tuple[str, Way], ...] = (("udp", "datagram"), ("tcp", "stream"))

SIP = tuple(
    Row(
        name=f"sip over {transport}",
        kind="sip",
        way=way,
        keys=[
            {"host": "127.0.0.1", "port": "{port}", "transport": transport, **more}
            for more in ({}, {"expect": {"status": [200, "4xx"]}}, {"from": "sip:a@b.vn", "uri": "sip:c@d.vn"})
        ],
        answers=asked(sip),
        words=SIP_WORDS,
        count=5000,
    )
    for transport, way in WAYS
)

ROWS: tuple[Row, ...] = (*GROUND, *SIP)

NO_BYTES: dict[str, str] = {
    "heartbeat": "the job calls us: nothing is read from a target; what it sends to our own endpoint is mutated in test_heartbeat",
}
"""Kinds that have no row, each with the reason."""
