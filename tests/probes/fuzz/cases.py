"""The row of a kind in the table, and one case of it."""

import os
import random
import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import TypeAdapter

import probes
from probes.contract import Reason

Way = Literal["stream", "datagram", "handshake", "echo"]

Answers = Callable[[bytes], Sequence[bytes]]
"""Valid answers to a request, as raw bytes; `{port}` in them becomes the server's own port."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """How one kind of probe meets mutated answers: the checks it runs, and what a good server would say to them.

    A new kind is a row: keys of its spec (`{port}` where the server listens), how the server speaks, valid answers.
    `way` is stream, datagram, handshake (a TLS server whose own bytes are mutated) or echo (packets of a TUN device).
    """

    name: str
    kind: str
    way: Way
    keys: Sequence[Mapping[str, Any]]
    answers: Answers
    count: int = 10_000
    words: Sequence[bytes] = ()
    greets: bool = False
    """The server speaks first."""
    turns: int = 1
    """Answers until the server may end the connection."""
    inside: Callable[[], ssl.SSLContext] | None = None
    """Sound TLS around the mutated bytes."""
    timeout: float = 0.5
    lanes: int = 64
    deep: int = 5
    """Different reasons that a campaign of 10,000 must meet: fewer, and it only scratches the surface."""
    entropy: Callable[[int], bytes] = os.urandom
    """What the probe draws its nonces from: the same ones each time make the same answers right."""
    forgets: bool = True
    """What a kind keeps between runs (an access token) is forgotten before each case; not where it is only a file that was read."""
    reaches: Sequence[Reason] = (Reason.OK,)
    """How a case ends that got all the way: at least every fiftieth must."""
    free_facts: frozenset[str] = frozenset()
    """Facts that the check names itself."""


@dataclass
class Case:
    """One number of one row: all that chance decides is drawn from it, so that it can be run again alone."""

    row: Row
    number: int
    seed: int = 37
    chance: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self.chance = random.Random(f"{self.row.name}/{self.seed}/{self.number}")


@dataclass
class Lane:
    """A server that meets one case at a time."""

    row: Row
    port: int = 0
    host: str = "127.0.0.1"
    case: Case | None = None
    specs: list[Any] = field(default_factory=list)

    def fill(self) -> None:
        """The row's checks against this server."""
        adapter: TypeAdapter[Any] = TypeAdapter(probes.KINDS[self.row.kind].spec)
        self.specs = [adapter.validate_python(self._filled(keys)) for keys in self.row.keys]

    def _filled(self, value: Any) -> Any:
        if isinstance(value, Mapping):
            return {key: self._filled(item) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [self._filled(item) for item in value]
        if value == "{port}":
            return self.port
        return value.replace("{port}", str(self.port)).replace("{host}", self.host) if isinstance(value, str) else value

    def answers(self, request: bytes) -> Sequence[bytes]:
        """Valid answers of this very server."""
        port = str(self.port).encode()
        return [answer.replace(b"{port}", port) for answer in self.row.answers(request)]
