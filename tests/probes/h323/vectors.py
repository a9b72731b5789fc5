"""The vectors that an ASN.1 compiler made (see `make_vectors.py`)."""

import json
from pathlib import Path
from typing import Any

_READ = json.loads((Path(__file__).parent / "vectors.json").read_text("utf-8"))

ASKED: list[dict[str, Any]] = _READ["asked"]
GIVEN: list[tuple[str, int, str, bytes]] = [
    (kind, number, words, bytes.fromhex(text)) for kind, number, words, text in _READ["given"]
]
FOREIGN: list[bytes] = [bytes.fromhex(text) for text in _READ["foreign"]]


def numbered(message: bytes, request: bytes) -> bytes:
    """A confirm, reject or "unknown message" vector (not "in progress") with the number of this request in it."""
    at = 1 if message[0] >> 2 == 24 else 2
    return message[:at] + request[2:4] + message[at + 2 :]


def vector(kind: str, words: str) -> bytes:
    """The first of its kind with these words."""
    return next(data for each, _, said, data in GIVEN if each == kind and said == words)
