"""H.323 RAS: bytes as an ASN.1 compiler makes them, and a gatekeeper of our own built from those (no real one was at hand)."""

import random
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

import pytest

from probes import ras
from probes.contract import Reason, Seen
from probes.ras import Answer, RasError, Said
from tests.probes.h323.vectors import ASKED, FOREIGN, GIVEN, numbered, vector
from tests.probes.little import serving
from tests.probes.look import LOOPS, Run, look

KINDS = {"gcf": Said.CONFIRM, "grj": Said.REJECT, "xrs": Said.UNKNOWN, "rip": Said.IN_PROGRESS}


@pytest.mark.parametrize("one", ASKED, ids=lambda one: f"{one['number']}-{one['host']}-{(one['gatekeeper'] or '')[:9]}")
def test_a_request_is_written_as_the_compiler_writes_it(one: dict[str, Any]) -> None:
    assert ras.question(one["number"], one["host"], one["port"], one["gatekeeper"]).hex() == one["hex"]


@pytest.mark.parametrize(("kind", "number", "words", "data"), GIVEN, ids=lambda value: str(value)[:24])
def test_an_answer_is_read_as_the_compiler_wrote_it(kind: str, number: int, words: str, data: bytes) -> None:
    found = ras.read(data)
    assert (found.said, found.number) == (KINDS[kind], number)
    assert words == (found.why if kind == "grj" else found.gatekeeper)


def test_the_two_vectors_of_the_design() -> None:
    assert ras.question(1, "127.0.0.1", 1719).hex() == "00000000060008914a0004007f00000106b70200"
    said = ras.read(bytes.fromhex("08000000060008914a000420"))
    assert said == Answer(said=Said.REJECT, number=1, why="terminalExcluded")


@pytest.mark.parametrize("data", [*FOREIGN, b"", b"\0", b"SIP/2.0 200 OK\r\n\r\n", bytes(9000)])
def test_what_is_no_answer_is_told_apart(data: bytes) -> None:
    with pytest.raises(RasError):
        ras.read(data)


def test_whatever_comes_is_an_answer_or_none() -> None:
    chance = random.Random(7)
    for _ in range(20_000):
        data = bytearray(chance.choice(GIVEN)[3])
        for _ in range(chance.randint(1, 3)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        with suppress(RasError):
            ras.read(bytes(data[: chance.randint(0, len(data))]))


# A gatekeeper.

Handler = Callable[[bytes, Callable[[bytes], None]], None]


def _send(sock: socket.socket, where: Any, answer: bytes) -> None:
    sock.sendto(answer, where)


@contextmanager
def gatekeeper(handler: Handler, *, host: str = "127.0.0.1") -> Iterator[int]:
    """A socket in a thread that hands each request to `handler`; gives the port."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.bind((host, 0))

        def serve() -> None:
            while True:
                data, where = sock.recvfrom(2048)
                if data == b"end":
                    return
                handler(data, partial(_send, sock, where))

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield sock.getsockname()[1]
        finally:
            sock.sendto(b"end", sock.getsockname())
            thread.join(5)


def says(*vectors: bytes) -> Handler:
    def handler(request: bytes, send: Callable[[bytes], None]) -> None:
        for each in vectors:
            send(numbered(each, request))

    return handler


GCF = vector("gcf", "NB-GK")
BUSY = vector("grj", "resourceUnavailable")


@LOOPS
def test_a_gatekeeper_confirms(run: Run) -> None:
    requests: list[bytes] = []

    def handler(request: bytes, send: Callable[[bytes], None]) -> None:
        requests.append(request)
        send(numbered(GCF, request))

    async def story() -> Any:
        with gatekeeper(handler) as port:
            return await look("h323", {"host": "127.0.0.1", "ras_port": port, "signalling_port": 0})

    seen = run(story())
    assert (seen.seen, seen.detail) == (Seen.OK, "confirmed by NB-GK")
    assert seen.facts["gatekeeper"] == 1
    assert 0 < seen.facts["rtt"] <= seen.facts["seconds"] < 0.5
    assert {"connect", "ras"} <= seen.phases.keys()
    (request,) = requests
    assert request[11:16] == b"\x00" + bytes((127, 0, 0, 1)), "where the answer shall go is our own address"


ALIVE = [
    (vector("grj", "terminalExcluded"), "rejected: terminalExcluded", 0, 0),
    (vector("grj", "securityDenial"), "rejected: securityDenial", 0, 0),
    (BUSY, "rejected: resourceUnavailable", 0, 1),
    (vector("xrs", ""), "speaks RAS, but is no gatekeeper", 0, 0),
    (vector("gcf", ""), "confirmed", 1, 0),
    (vector("gcf", "Cổng Ninh Bình"), "confirmed by Cổng Ninh Bình", 1, 0),
]


@pytest.mark.parametrize(("given", "words", "confirmed", "exhausted"), ALIVE, ids=[case[1] for case in ALIVE])
async def test_whoever_answers_is_alive(given: bytes, words: str, confirmed: int, exhausted: int) -> None:
    with gatekeeper(says(given)) as port:
        seen = await look("h323", {"host": "127.0.0.1", "ras_port": port, "signalling_port": 0})
    assert (seen.seen, seen.detail) == (Seen.OK, words)
    assert (seen.facts["gatekeeper"], seen.facts["exhausted"]) == (confirmed, exhausted)


async def test_foreign_answers_are_waited_out() -> None:
    def handler(request: bytes, send: Callable[[bytes], None]) -> None:
        late = (int.from_bytes(request[2:4]) ^ 1).to_bytes(2)
        for junk in (b"hello", *FOREIGN, GCF[:2] + late + GCF[4:]):
            send(junk)
        send(numbered(GCF, request))

    with gatekeeper(handler) as port:
        seen = await look("h323", {"host": "127.0.0.1", "ras_port": port, "signalling_port": 0})
    assert seen.seen is Seen.OK
    assert seen.facts["ignored"] == len(FOREIGN) + 2


async def test_a_lost_request_is_sent_again() -> None:
    requests: list[bytes] = []

    def handler(request: bytes, send: Callable[[bytes], None]) -> None:
        requests.append(request)
        if len(requests) == 2:
            send(numbered(GCF, request))

    with gatekeeper(handler) as port:
        seen = await look("h323", {"host": "127.0.0.1", "ras_port": port, "signalling_port": 0})
    assert seen.seen is Seen.OK
    assert requests[0] == requests[1]
    assert seen.facts["retransmissions"] == 1
    assert "rtt" not in seen.facts, "nobody knows which of the two was answered"


async def test_in_progress_is_waited_for() -> None:
    def handler(request: bytes, send: Callable[[bytes], None]) -> None:
        raw = next(data for kind, _, _, data in GIVEN if kind == "rip")
        number = int.from_bytes(request[2:4])
        send(raw.replace((78 - 1).to_bytes(2), number.to_bytes(2), 1))
        threading.Timer(0.3, lambda: send(numbered(GCF, request))).start()

    with gatekeeper(handler) as port:
        seen = await look("h323", {"host": "127.0.0.1", "ras_port": port, "signalling_port": 0})
        threading.Event().wait(0.1)
    assert seen.seen is Seen.OK
    assert seen.facts["retransmissions"] == 0


async def test_silence_and_closed_ports() -> None:
    with gatekeeper(lambda request, send: None) as port:
        keys = {"host": "127.0.0.1", "ras_port": port, "signalling_port": 0}
        seen = await look("h323", keys, timeout=0.4)
    assert (seen.seen, seen.reason) == (Seen.FAILED, Reason.TIMEOUT)
    assert "ras" in seen.detail
    seen = await look("h323", keys, timeout=1)
    assert (seen.seen, seen.reason) == (Seen.FAILED, Reason.REFUSED)
    assert (await look("h323", {"host": "127.0.0.1", "ras_port": 0, "signalling_port": port})).reason is Reason.REFUSED


async def test_a_flood_of_something_else_is_protocol() -> None:
    def handler(request: bytes, send: Callable[[bytes], None]) -> None:
        for number in range(1500):
            send(b"not RAS")
            if number % 50 == 49:
                time.sleep(0.002)

    with gatekeeper(handler) as port:
        keys = {"host": "127.0.0.1", "ras_port": port, "signalling_port": 0}
        seen = await look("h323", keys, timeout=6)
    assert seen.reason is Reason.PROTOCOL
    assert seen.facts["ignored"] == 1000


async def test_signalling_opens_and_nothing_is_said_there() -> None:
    heard: list[bytes] = []

    def listen(connection: socket.socket) -> None:
        with suppress(ConnectionResetError):
            heard.append(connection.recv(100))

    with serving(listen) as port, gatekeeper(says(GCF)) as other:
        seen = await look("h323", {"host": "127.0.0.1", "ras_port": 0, "signalling_port": port})
        assert (seen.seen, seen.detail) == (Seen.OK, "call signalling opens")
        assert "gatekeeper" not in seen.facts
        seen = await look("h323", {"host": "127.0.0.1", "ras_port": other, "signalling_port": port})
        assert seen.facts["gatekeeper"] == 1
    assert b"".join(heard) == b""


async def test_over_ipv6() -> None:
    try:
        with gatekeeper(says(GCF), host="::1") as port:
            keys = {"host": "::1", "ras_port": port, "signalling_port": 0}
            assert (await look("h323", keys)).seen is Seen.OK
            assert (await look("h323", keys | {"family": "ipv4"})).reason is Reason.DNS_NODATA
    except OSError:
        pytest.skip("NOT RUN: this machine has no IPv6 loopback")


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"ras_port": 0, "signalling_port": 0}, "nothing is left"),
        ({"ras_port": 70000}, "65535"),
        ({"gatekeeper": "a" * 129}, "128"),
        ({"gatekeeper": "🏛"}, "basic plane"),
        ({"host": "gk:1719"}, "not a host"),
    ],
)
async def test_refused_when_it_is_read(keys: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        await look("h323", {"host": "gk.example", **keys})
