"""A run leaves no ring of objects behind: with thousands of checks, the collector's pauses would be read as the targets' slowness."""

import asyncio
import gc
import socket
from typing import Any

import pytest
from pydantic import TypeAdapter

import probes
from probes.contract import Reason
from probes.tools import Workbench
from tests.probes.little import serving, tls, wait_for_end
from tests.probes.look import now
from tests.probes.tls.chains import file, make, root, server


def answer(connection: socket.socket) -> None:
    connection.recv(4096)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    wait_for_end(connection)


def secured() -> Any:
    return tls(server(make("g", by=root(), addresses=["127.0.0.1"])), answer)


CASES: list[tuple[str, Any, str, dict[str, Any], float, Reason]] = [
    ("a page", answer, "http", {"url": "http://127.0.0.1:{port}/"}, 2, Reason.OK),
    ("a page over TLS", secured(), "http", {"url": "https://127.0.0.1:{port}/", "tls": {"ca": file(root())}}, 2, Reason.OK),
    ("a page that never comes", wait_for_end, "http", {"url": "http://127.0.0.1:{port}/"}, 0.2, Reason.TIMEOUT),
    ("an open port", wait_for_end, "tcp", {"host": "127.0.0.1"}, 2, Reason.OK),
    ("a banner that never comes", wait_for_end, "tcp", {"host": "127.0.0.1", "dialogue": [{"expect": "x"}]}, 0.2, Reason.TIMEOUT),
    ("a handshake", secured(), "tls", {"host": "127.0.0.1", "ca": file(root())}, 2, Reason.OK),
    ("a certificate refused", secured(), "tls", {"host": "127.0.0.1"}, 2, Reason.TLS_UNKNOWN_CA),
]  # fmt: skip


@pytest.mark.parametrize(("sentence", "handler", "kind", "keys", "timeout", "reason"), CASES, ids=[c[0] for c in CASES])
async def test_no_rings(
    sentence: str, handler: Any, kind: str, keys: dict[str, Any], timeout: float, reason: Reason
) -> None:
    with serving(handler) as port:
        keys = {"port": port, **keys} if kind != "http" else keys | {"url": keys["url"].format(port=port)}
        spec: Any = TypeAdapter(probes.KINDS[kind].spec).validate_python(keys)
        async with Workbench(now) as workbench:

            async def runs() -> None:
                runs = [probes.run(kind, spec, workbench, timeout=timeout) for _ in range(20)]
                assert {outcome.reason for outcome in await asyncio.gather(*runs)} == {reason}
                await asyncio.sleep(0.1)

            await runs()  # What is made once is made now.
            gc.collect()
            gc.disable()
            try:
                await runs()
                gc.set_debug(gc.DEBUG_SAVEALL)
                gc.collect()
                rings = [
                    item
                    for item in gc.garbage
                    if type(item).__module__.partition(".")[0] in ("probes", "httptools", "_ssl", "ssl")
                ]
            finally:
                gc.set_debug(0)
                gc.garbage.clear()
                gc.enable()
    assert rings == []
