"""A dialogue of lines over TCP: what was heard, what was said, and why it broke off."""

import asyncio
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from probes.contract import Reason, Seen
from probes.tcp import TcpSpec
from tests.ports import free_port
from tests.probes.little import Handler, reset, serving, tls, wait_for_end
from tests.probes.look import LOOPS, Run, look
from tests.probes.tls.chains import file, make, root, server

GOOD = "good.example"


def says(*pieces: bytes, then: Callable[[socket.socket], Any] = wait_for_end, pause: float = 0.0) -> Handler:
    def handler(connection: socket.socket) -> None:
        for piece in pieces:
            connection.sendall(piece)
            if pause:
                time.sleep(pause)
        then(connection)

    return handler


def close(connection: socket.socket) -> None:
    connection.close()


def echo_lines(connection: socket.socket) -> None:
    """Greets with a word to be given back, and says whether it was."""
    connection.sendall(b"220 token=abc123 ready\r\n")
    said = connection.recv(4096)
    connection.sendall(b"250 exact\r\n" if said == b'AUTH abc123 {"json": {other}}\r\n' else b"500 " + said)
    wait_for_end(connection)


IRC = b":irc NOTICE AUTH :*** Looking up\r\n:irc NOTICE AUTH :*** Found\r\n"

CASES: list[tuple[str, Handler, list[dict[str, Any]], Reason, str]] = [
    # what the server does                  the server                the dialogue                          the reason, and words of the detail
    ("the port is open", says(), [], Reason.OK, ""),
    ("it closes at once, nothing was expected", says(then=close), [], Reason.OK, ""),
    ("the line comes second", says(IRC), [{"expect": "Found"}], Reason.OK, "*** Found"),
    ("the line never comes", says(IRC, then=close), [{"expect": "Welcome"}], Reason.EXPECT, "last heard: :irc NOTICE AUTH :*** Found"),
    ("it closes without a word", says(then=close), [{"expect": "220"}], Reason.EXPECT, "nothing was said"),
    ("a captured group is said back, braces of others stay", echo_lines,
     [{"expect": r"token=(?P<word>\w+)"}, {"send": 'AUTH {1} {"json": {other}}\r\n'}, {"expect": "^250 exact$"}], Reason.OK, "250 exact"),
    ("a prompt without a line end", says(b"login: "), [{"expect": "login: $"}], Reason.OK, "login:"),
    ("a line in two pieces is one line", says(b"220 he", b"llo\r\n", pause=0.05), [{"expect": "^220 (hello)$"}], Reason.OK, "220 hello"),
    ("bytes that are no text", says(b"\x05\xff\x00\n"), [{"expect": r"^\x05\xff\x00$"}], Reason.OK, ""),
    ("Vietnamese letters", says("220 Chào mừng\r\n".encode()), [{"expect": "(?i)CHÀO MỪNG"}], Reason.OK, "Chào mừng"),
    ("a line of 70,000 bytes without end", says(b"x" * 70000), [{"expect": "y"}], Reason.LINE_TOO_LONG, "64 KiB"),
    ("reset after the line that was wanted", says(b"220 ok\r\n", then=reset, pause=0.05), [{"expect": "220"}], Reason.OK, ""),
    ("reset before it", says(b"100 no\r\n", then=reset, pause=0.05), [{"expect": "220"}], Reason.RESET, ""),
    ("lines without end that never match", says(b"\n" * 400_000), [{"expect": "yes"}], Reason.EXPECT, "10000 lines"),
    ("long lines without end that never match", says((b"x" * 60000 + b"\n") * 20), [{"expect": "yes"}], Reason.EXPECT, "1 MiB"),
]  # fmt: skip


@pytest.mark.parametrize(("sentence", "handler", "dialogue", "reason", "words"), CASES, ids=[c[0] for c in CASES])
@LOOPS
def test_dialogue(
    run: Run, sentence: str, handler: Handler, dialogue: list[dict[str, Any]], reason: Reason, words: str
) -> None:
    with serving(handler) as port:
        outcome = run(look("tcp", {"host": "127.0.0.1", "port": port, "dialogue": dialogue}))
    assert outcome.reason is reason, outcome
    assert words in outcome.detail
    assert outcome.detail.isprintable()


async def test_a_banner_of_one_byte_a_second_ends_at_the_deadline() -> None:
    with serving(says(*[b"x"] * 20, pause=0.05)) as port:
        outcome = await look("tcp", {"host": "127.0.0.1", "port": port, "dialogue": [{"expect": "never"}]}, timeout=0.4)
    assert outcome.reason is Reason.TIMEOUT
    assert outcome.phases["expect"] == pytest.approx(0.4, abs=0.1)


async def test_a_silent_port_is_a_timeout_in_connect() -> None:
    """A listener whose backlog is full answers no SYN: the kernel's own black hole."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
        outcome = await look("tcp", {"host": "127.0.0.1", "port": port}, timeout=0.4)
        for filler in fillers:
            filler.close()
    assert outcome.reason is Reason.TIMEOUT
    assert outcome.phases["connect"] == pytest.approx(0.4, abs=0.1)


async def test_the_last_word_arrives() -> None:
    heard: list[bytes] = []
    done = threading.Event()

    def listen(connection: socket.socket) -> None:
        connection.sendall(b"220 hello\r\n")
        while data := connection.recv(4096):
            heard.append(data)
        done.set()

    with serving(listen) as port:
        steps = [{"expect": "220"}, {"send": "QUIT\r\n"}]
        outcome = await look("tcp", {"host": "127.0.0.1", "port": port, "dialogue": steps})
        assert outcome.seen is Seen.OK
        assert outcome.facts["steps"] == 2
        assert await asyncio.to_thread(done.wait, 2)
    assert b"".join(heard) == b"QUIT\r\n"


def starttls_server(connection: socket.socket) -> None:
    connection.sendall(b"220 mail\r\n")
    connection.recv(4096)
    connection.sendall(b"220 go\r\n")
    context = server(make(GOOD, by=root(), names=[GOOD]))
    with context.wrap_socket(connection, server_side=True) as secured:
        secured.recv(4096)
        secured.sendall(b"250 inside\r\n")
        wait_for_end(secured)


async def test_starttls_inside_a_dialogue() -> None:
    steps = [{"expect": "^220"}, {"send": "STARTTLS\r\n"}, {"expect": "^220"}, {"starttls": True}]
    steps += [{"send": "EHLO\r\n"}, {"expect": "^250 (.*)"}]
    keys = {"host": GOOD, "tls": {"ca": file(root())}, "dialogue": steps}
    with serving(starttls_server) as port:
        outcome = await look("tcp", keys | {"port": port})
    assert outcome.seen is Seen.OK, outcome
    assert outcome.detail == "250 inside"
    assert outcome.facts["steps"] == 6
    assert outcome.facts["certificate_days"] == pytest.approx(90, abs=0.1)


async def test_tls_from_the_first_byte_uses_the_host_for_sni() -> None:
    heard: list[str | None] = []
    context = server(make(GOOD, by=root(), names=[GOOD]))
    context.sni_callback = lambda connection, name, _: heard.append(name)
    with serving(tls(context, says(b"hello\r\n"))) as port:
        keys = {"host": GOOD, "port": port, "tls": {"ca": file(root())}, "dialogue": [{"expect": "hello"}]}
        outcome = await look("tcp", keys)
    assert outcome.seen is Seen.OK, outcome
    assert heard == [GOOD]


async def test_one_dead_address_does_not_hide_a_living_one() -> None:
    """RFC 8305: the refused address is left at once, the silent one after a quarter of a second."""
    with serving(says()) as port:
        outcome = await look("tcp", {"host": "two.example", "port": port}, names={"two.example": ("::1", "127.0.0.1")})
    assert outcome.seen is Seen.OK, outcome
    with serving(says(), host="127.0.0.2", port=free_port()) as port, socket.socket() as full:
        full.bind(("127.0.0.1", port))
        full.listen(0)
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
        names = {"two.example": ("127.0.0.1", "127.0.0.2")}
        outcome = await look("tcp", {"host": "two.example", "port": port}, names=names)
        for filler in fillers:
            filler.close()
    assert outcome.seen is Seen.OK, outcome
    assert 0.2 < outcome.phases["connect"] < 0.5


async def test_all_addresses_refuse() -> None:
    with serving(says()) as port:
        pass
    names = {"two.example": ("127.0.0.1", "127.0.0.2")}
    outcome = await look("tcp", {"host": "two.example", "port": port}, names=names)
    assert outcome.reason is Reason.REFUSED, outcome


def time_wait(port: int) -> int:
    """Sockets of this machine in TIME_WAIT (state 06) with this remote port."""
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    return sum(1 for line in lines if line.split()[3] == "06" and line.split()[2].endswith(f":{port:04X}"))


async def test_hundreds_of_probes_leave_no_time_wait() -> None:
    with serving(says(b"220 hello\r\n")) as port:
        for _ in range(400):
            outcome = await look("tcp", {"host": "127.0.0.1", "port": port, "dialogue": [{"expect": "220"}]})
            assert outcome.seen is Seen.OK
        assert time_wait(port) == 0


async def test_probes_leave_no_descriptor() -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    with serving(says(then=close)) as port:
        for _ in range(50):
            await look("tcp", {"host": "127.0.0.1", "port": port, "dialogue": [{"expect": "x"}]})
    assert len(list(Path("/proc/self/fd").iterdir())) <= before + 3


REFUSED_KEYS: list[tuple[str, dict[str, Any], str]] = [
    ("port 0", {"port": 0}, "greater than or equal to 1"),
    ("port 65536", {"port": 65536}, "less than or equal to 65535"),
    ("no port", {"port": None}, "port"),
    ("a URL for a host", {"host": "tcp://a"}, "not a host"),
    ("a port in the host", {"host": "a:25"}, "the port has a key of its own"),
    ("a bad expression", {"dialogue": [{"expect": "("}]}, "not a regular expression"),
    ("a look-around", {"dialogue": [{"expect": "(?=a)b"}]}, "not a regular expression"),
    ("two things in one step", {"dialogue": [{"expect": "a", "send": "b"}]}, "dialogue.0"),
    ("an unknown step", {"dialogue": [{"wait": "5s"}]}, "dialogue.0"),
    ("starttls twice", {"dialogue": [{"starttls": True}, {"starttls": True}]}, "once"),
    ("an unknown key", {"retries": 3}, "retries"),
    ("tls: true", {"tls": True}, "tls"),
    ("a key without its certificate", {"tls": {"key": "k.pem"}}, "key without cert"),
]


@pytest.mark.parametrize(("sentence", "keys", "words"), REFUSED_KEYS, ids=[c[0] for c in REFUSED_KEYS])
def test_refused_where_it_is_written(sentence: str, keys: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(TcpSpec).validate_python({"host": "a", "port": 25} | keys)
    assert words in str(caught.value)
