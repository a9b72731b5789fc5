"""Rows of the list that no other test stands for."""

import asyncio
import socket
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import uvloop
from pydantic import TypeAdapter, ValidationError

import probes
from monitor.model import Catalogue, MaintenancePlan
from monitor.settings import load
from monitor.sweep.housekeeping import expand
from probes.contract import Reason, Seen
from probes.tools import Workbench
from tests.app.little import Little
from tests.probes.http.box import answer, box
from tests.probes.look import look
from tests.story.daemon import until

HTTP: TypeAdapter[Any] = TypeAdapter(probes.KINDS["http"].spec)


@pytest.fixture
async def workbench() -> AsyncIterator[Workbench]:
    async with Workbench(lambda: datetime.now(UTC)) as bench:
        yield bench


# H101, H103: paths that lead nowhere, and lengths of everything.

PATHS = [
    ("H101 a null is not the text asked for", '{"a": null}', '$.a == "x"', "json", ""),
    ("H101 an item that is null", '{"a": [null]}', "$.a[0].b == 1", "json", "(INVALID)"),
    ("H101 a key that is not there", "{}", "$.a.b == 1", "json", "(INVALID)"),
    ("H101 a key of a number", '{"a": 5}', "$.a.b == 1", "json", "(INVALID)"),
    ("H101 an index beyond the end", '{"a": [1]}', "$.a[7] == 1", "json", "(INVALID)"),
    ("H101 an index into a text", '{"a": "xyz"}', '$.a[0] == "x"', "json", "(INVALID)"),
    ("H101 an order between a text and a number", '{"a": "x"}', "$.a > 1", "json", "(INVALID)"),
    ("H103 the length of a text", '{"a": "một"}', "len($.a) == 3", "ok", ""),
    ("H103 the length of a list", '{"a": [1, 2]}', "len($.a) == 2", "ok", ""),
    ("H103 the length of an object", '{"a": {"b": 1}}', "len($.a) == 1", "ok", ""),
    ("H103 a number's is its digits'", '{"a": 12345}', "len($.a) == 5", "ok", ""),
    ("H103 true's is its word's", '{"a": true}', "len($.a) == 4", "ok", ""),
]  # fmt: skip


@pytest.mark.parametrize(("sentence", "body", "rule", "reason", "words"), PATHS, ids=[case[0] for case in PATHS])
async def test_json(sentence: str, body: str, rule: str, reason: str, words: str, workbench: Workbench) -> None:
    async with box(answer(body.encode(), headers={"Content-Type": "application/json"})) as server:
        spec = HTTP.validate_python({"url": server.url(), "expect": {"json": rule}})
        outcome = await probes.run("http", spec, workbench, timeout=2)
    assert outcome.reason == reason, outcome
    assert words in outcome.detail


# P18, C6: what this program does not do is refused, not passed over.

ABSENT = [
    ("P18 a unix socket as a host", "tcp", {"host": "/run/x.sock", "port": 1}, "not a host"),
    ("P18 a unix socket as an address", "http", {"url": "unix:///run/x.sock"}, "http://"),
    ("C6 a web socket as an address", "http", {"url": "wss://a.vn/"}, "http://"),
    ("I7 a source address", "icmp", {"host": "192.0.2.1", "source": "10.0.0.300"}, "source"),
    ("C8 HTTP/3 by a number", "http", {"url": "https://a.vn/", "version": 3}, "version"),
    ("C8 HTTP/3 among others", "http", {"url": "https://a.vn/", "expect": {"version": ["3", "1.1"]}}, "version"),
    ("H105 a key that hides an address", "http", {"url": "http://a.vn/", "hide_url": True}, "hide_url"),
    ("T37 a domain's end", "http", {"url": "http://a.vn/", "domain_expiry": "30d"}, "domain_expiry"),
]  # fmt: skip


@pytest.mark.parametrize(("sentence", "kind", "keys", "words"), ABSENT, ids=[case[0] for case in ABSENT])
def test_absent(sentence: str, kind: str, keys: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(probes.KINDS[kind].spec).validate_python(keys)
    assert words in str(caught.value)


# P25: an answer to our SYN that comes after the deadline.


async def test_p25_a_port_that_opens_too_late_leaves_no_socket_behind() -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        for _ in range(4):  # The backlog is full: no SYN is answered.
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
        outcome = await look("tcp", {"host": "127.0.0.1", "port": port}, timeout=0.4)
        assert outcome.reason is Reason.TIMEOUT
        listener.setblocking(False)
        for _ in range(4):  # Now there is room, and the kernel would answer the next SYN.
            try:
                listener.accept()[0].close()
            except BlockingIOError:
                break
        await asyncio.sleep(1.2)
    assert len(list(Path("/proc/self/fd").iterdir())) <= before


# D28: forged answers faster than we can read them.

FLOOD = """
import socket, time
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("127.0.0.1", 0))
print(server.getsockname()[1], flush=True)
question, where = server.recvfrom(4096)
forged = bytes([question[0] ^ 255, question[1]]) + b"\\x81\\x80" + question[4:]
until = time.monotonic() + 3
while time.monotonic() < until:
    try:
        server.sendto(forged, where)
    except OSError:
        pass
"""


def test_d28_a_flood_of_forged_answers_ends_at_the_deadline() -> None:
    with subprocess.Popen([sys.executable, "-c", FLOOD], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            port = int(process.stdout.readline())
            outcome = uvloop.run(look("dns", {"server": f"127.0.0.1:{port}", "name": "tinh.vn"}, timeout=0.6))
        finally:
            process.kill()
    assert (outcome.seen, outcome.reason) == (Seen.FAILED, Reason.TIMEOUT), outcome
    assert outcome.facts["ignored"] > 100


# X49: our database is locked by somebody else while targets are well.


async def test_x49_a_locked_database_is_no_targets_fault(tmp_path: Path) -> None:
    async with Little(tmp_path) as little:

        async def up() -> bool:
            return set((await little.states()).values()) == {"up"}

        await until(up, 10, "both nodes up")
        (database,) = [path for path in tmp_path.rglob("*") if path.is_file() and path.read_bytes()[:6] == b"SQLite"]
        lock = sqlite3.connect(database, isolation_level=None)
        lock.execute("BEGIN IMMEDIATE")
        hits = little.a.hits
        await asyncio.sleep(3)
        assert little.a.hits > hits + 2, "probing goes on"
        lock.execute("ROLLBACK")
        lock.close()
        await asyncio.sleep(1)
        await until(up, 10, "both nodes up again")
        assert await little.daemon.incidents() == []
        assert little.inbox.types == []


# C19: announced work that comes round, in the province's zone (+07:00).

WORK = [
    # cron, for, a moment, inside it?
    ("a daily hour, in the middle", "0 1 * * *", "1h", "2026-11-22T01:30+07:00", True),
    ("its first moment", "0 1 * * *", "1h", "2026-11-22T01:00+07:00", True),
    ("its last moment is the next thing's", "0 1 * * *", "1h", "2026-11-22T02:00+07:00", False),
    ("a moment before it", "0 1 * * *", "1h", "2026-11-22T00:59:59+07:00", False),
    ("the same hour in UTC is another hour", "0 1 * * *", "1h", "2026-11-22T01:30+00:00", False),
    ("and 18:30 in UTC is it", "0 1 * * *", "1h", "2026-11-21T18:30+00:00", True),
    ("over midnight, before it", "0 23 * * *", "2h", "2026-11-22T23:30+07:00", True),
    ("over midnight, behind it", "0 23 * * *", "2h", "2026-11-23T00:30+07:00", True),
    ("over midnight, and over", "0 23 * * *", "2h", "2026-11-23T01:00+07:00", False),
    ("on Sundays, on a Sunday", "0 1 * * sun", "1h", "2026-11-22T01:30+07:00", True),
    ("on Sundays, on a Monday", "0 1 * * sun", "1h", "2026-11-23T01:30+07:00", False),
    ("from a Sunday into a Monday", "0 23 * * sun", "2h", "2026-11-23T00:30+07:00", True),
    ("on the first of the month", "0 1 1 * *", "2h", "2026-12-01T02:59+07:00", True),
    ("on the second", "0 1 1 * *", "2h", "2026-12-02T02:00+07:00", False),
    ("over the end of a year", "0 22 31 12 *", "4h", "2027-01-01T01:00+07:00", True),
    ("a whole day, always", "0 0 * * *", "24h", "2026-11-22T13:00+07:00", True),
]


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Catalogue:
    path = tmp_path_factory.mktemp("c19") / "province.yaml"
    province = '{id: "37", name: Tỉnh, timezone: Asia/Ho_Chi_Minh, language: vi}'
    path.write_text(f"version: 1\nprovince: {province}\nnodes: {{a: {{name: A, type: t, checks: {{}}}}}}\n", "utf-8")
    loaded = load(path, environ={})
    assert loaded.catalogue is not None
    return loaded.catalogue


@pytest.mark.parametrize(("sentence", "cron", "lasts", "moment", "inside"), WORK, ids=[case[0] for case in WORK])
def test_c19_work(sentence: str, cron: str, lasts: str, moment: str, inside: bool, catalogue: Catalogue) -> None:
    plan = MaintenancePlan(id="w", nodes=("a",), reason="x", cron=cron, length=timedelta(hours=int(lasts[:-1])))
    now = datetime.fromisoformat(moment)
    found = list(expand([plan], catalogue, now - timedelta(days=3), now + timedelta(days=3)))
    assert any(window.start <= now < window.end for window in found) is inside
