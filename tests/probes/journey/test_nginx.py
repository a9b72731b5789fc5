"""Against nginx as Debian ships it, in front of the sandbox's login application: TLS with a client certificate, HTTP/2, redirects, cookies."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID

from monitor.sandbox.login_server import PASSWORD, USER
from probes.secret import Secret
from probes.tools import Workbench
from tests.debian import need
from tests.probes.journey.house import now, travel
from tests.probes.look import Names
from tests.probes.tls.chains import file, make, root

GOOD = "good.example"

CONFIG = """
daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log info;
events {{ worker_connections 256; }}
http {{
  access_log {folder}/access.log;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  gzip on; gzip_types *; gzip_min_length 1;
  server {{
    listen 127.0.0.1:{port} ssl http2;
    ssl_certificate {pem}; ssl_certificate_key {pem};
    ssl_client_certificate {ca}; ssl_verify_client on;
    location / {{ proxy_pass http://127.0.0.1:{behind}; proxy_redirect off; }}
    location /elsewhere {{ return 302 https://other.example:{port}/login; }}
    location /who {{ return 200 "$ssl_client_s_dn $server_protocol"; }}
  }}
}}
"""


@pytest.fixture
async def front(province, tmp_path: Path) -> AsyncIterator[int]:
    """The port of nginx."""
    program = need("nginx", "nginx-light")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    pem = file(make(GOOD, by=root(), names=[GOOD, "other.example"]), key=True)
    config = tmp_path / "nginx.conf"
    config.write_text(
        CONFIG.format(folder=tmp_path, port=port, pem=pem, ca=file(root()), behind=province.ports["login"])
    )
    process = await asyncio.create_subprocess_exec(program, "-c", str(config), stderr=asyncio.subprocess.DEVNULL)
    try:
        for _ in range(100):
            with suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                break
            await asyncio.sleep(0.05)
        yield port
    finally:
        process.terminate()
        await process.wait()


@pytest.fixture
def tls() -> dict[str, str]:
    client = make("giamsat", by=root(), usage=ExtendedKeyUsageOID.CLIENT_AUTH)
    return {"ca": str(file(root())), "cert": str(file(client, key=True))}


def keys(port, tls, **more):
    return {
        "base_url": f"https://{GOOD}:{port}",
        "tls": tls,
        **more,
        "steps": [
            {"name": "who", "get": "/who", "expect": {"body": "CN=giamsat", "tls": True}},
            {"name": "form", "get": "/login", "extract": {"csrf": {"xpath": "//input[@name='_csrf']/@value"}}},
            {
                "name": "enter",
                "post": "/login",
                "form": {"_csrf": "{csrf}", "username": USER, "password": Secret(PASSWORD)},
                "expect": {"body": "Xin chào"},
            },
            {"name": "search", "get": "/api/hoso?ma=TEST", "expect": {"json": "$.total == 1"}},
        ],
    }


async def run(keys):
    async with Workbench(now, resolver=Names({GOOD: ("127.0.0.1",), "other.example": ("127.0.0.1",)})) as workbench:
        return await travel(workbench, keys)


@pytest.mark.parametrize("version", ["1.1", "2"])
@pytest.mark.parametrize("compression", ["none", "gzip"])
async def test_a_login_with_a_client_certificate(front, tls, version, compression):
    assert httpx.__version__  # Loaded with a configuration that asks for HTTP/2, long before the loop.
    outcome = await run(keys(front, tls, version=version, compression=compression))
    assert outcome.detail == "4 steps", outcome
    assert (outcome.facts["http_version"], outcome.facts["verified"]) == (float(version), 1.0)
    assert 80 < outcome.facts["certificate_days"] < 91
    assert outcome.facts["wire_bytes"] > 0


async def test_without_our_certificate_nginx_says_400(front, tls):
    outcome = await run(keys(front, {"ca": tls["ca"]}))
    assert (outcome.reason.value, outcome.detail) == ("status", "step 1 of 4 “who”: status 400, expected 2xx")


async def test_an_authority_that_we_do_not_know(front, tls):
    outcome = await run(keys(front, {"cert": tls["cert"]}))
    assert outcome.reason.value.startswith("tls_")
    assert outcome.detail.startswith("step 1 of 4 “who”: ")
    assert outcome.facts["verified"] == 0.0


async def test_our_certificate_is_not_shown_to_another_host(front, tls):
    outcome = await run(
        {"tls": tls, "steps": [{"name": "a", "get": f"https://{GOOD}:{front}/elsewhere", "expect": {"status": 400}}]}
    )
    assert outcome.seen.value == "ok", outcome  # nginx wants a certificate there as well, and gets none.
