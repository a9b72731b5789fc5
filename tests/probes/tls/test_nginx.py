"""Against nginx as Debian ships it: the handshake is complete for the server as well, and nothing of ours stands in its log."""

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from probes.contract import Seen
from tests.debian import need
from tests.probes.little import reset
from tests.probes.look import look
from tests.probes.tls.chains import file, make, root

GOOD = "good.example"

CONFIG = """
daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log info;
events {{ worker_connections 256; }}
http {{
  access_log {folder}/access.log;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{port} ssl;
    ssl_certificate {pem}; ssl_certificate_key {pem}; ssl_protocols TLSv1.2 TLSv1.3;
    location / {{ return 200 "ok"; }}
  }}
}}
"""


@pytest.fixture
def nginx(tmp_path: Path) -> Iterator[tuple[int, Path]]:
    program = need("nginx", "nginx-light")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    pem = file(make(GOOD, by=root(), names=[GOOD]), key=True)
    config = tmp_path / "nginx.conf"
    config.write_text(CONFIG.format(folder=tmp_path, port=port, pem=pem))
    process = subprocess.Popen([program, "-c", str(config)], stderr=subprocess.DEVNULL)
    try:
        for _ in range(100):
            with suppress(OSError):
                reset(socket.create_connection(("127.0.0.1", port), 1))
                break
            time.sleep(0.05)
        yield port, tmp_path / "error.log"
    finally:
        process.terminate()
        process.wait(10)


def time_wait(port: int) -> int:
    """Sockets of this machine in TIME_WAIT (state 06) with this port at either end."""
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(1 for line in lines if line[3] == "06" and f":{port:04X}" in line[1][8:] + line[2][8:])


async def test_many_handshakes_leave_nothing_behind(nginx: tuple[int, Path]) -> None:
    port, log = nginx
    for _ in range(50):
        outcome = await look("tls", {"host": GOOD, "port": port, "ca": file(root())})
        assert outcome.seen is Seen.OK, outcome
        assert outcome.facts["tls_version"] == 1.3
    assert time_wait(port) == 0
    words = log.read_text()
    assert "SSL_do_handshake() failed" not in words
    assert "in SSL handshake" not in words
