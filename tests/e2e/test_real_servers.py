"""nginx and PostgreSQL as Debian ships them: watched while they run, stop, freeze and come back; and PostgreSQL as the daemon's own database."""

import asyncio
import json
import signal
import socket
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.debian import need
from tests.e2e.cluster import Cluster, cluster
from tests.e2e.province import RECEIVERS, Province
from tests.ports import free_port
from tests.story.daemon import Daemon, until

pytestmark = pytest.mark.story

NGINX = """\
daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections 128; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  server {{ listen 127.0.0.1:{plain}; location / {{ default_type text/plain; return 200 "xin chao"; }} }}
  server {{ listen 127.0.0.1:{tls} ssl; ssl_certificate {pem}; ssl_certificate_key {pem}; location / {{ return 200 "xin chao"; }} }}
}}
"""

HELLO = r"\0\0\0\x17\0\x03\0\0user\0postgres\0\0"
"""The start of PostgreSQL's protocol 3.0; the server answers `R`: how to authenticate, or that it is not necessary."""

CONFIG = """\
version: 1
province: {{id: "37", name: Tỉnh thử, timezone: Asia/Ho_Chi_Minh, language: vi}}
daemon: {{listen: "127.0.0.1:{port}", public_url: "https://giamsat.example", state_dir: "{state}"}}
defaults: {{every: 1s, timeout: 0.9s, confirm: {{failures: 2, recheck: 1s, successes: 1}}, settle: 1s, recovery_target: 24h}}
nodes:
  web: {{name: nginx, type: system, checks: {{page: {{http: {{url: "http://127.0.0.1:{plain}/", expect: {{body: "xin chao"}}}}}}}}}}
  secure: {{name: nginx TLS, type: system, checks: {{page: {{http: {{url: "https://localhost:{tls}/", family: ipv4, tls: {{ca: "{ca}"}}}}}}}}}}
  expiry: {{name: chứng thư, type: system, checks: {{chain: {{tls: {{host: localhost, port: {tls}, family: ipv4, ca: "{ca}"}}}}}}}}
  port: {{name: PostgreSQL, type: system, checks: {{open: {{tcp: {{host: 127.0.0.1, port: {pg}}}}}}}}}
  talk:
    name: PostgreSQL
    type: system
    checks: {{hello: {{tcp: {{host: 127.0.0.1, port: {pg}, dialogue: [{{send: "{hello}"}}, {{expect: "^R"}}]}}}}}}
"""


@pytest.fixture
def postgres() -> Iterator[Cluster]:
    with cluster() as own:
        yield own


class Nginx:
    """Started, stopped, and given another certificate."""

    def __init__(self, folder: Path) -> None:
        self.program = need("nginx", "nginx-light")
        folder.mkdir()
        self.folder, self.plain, self.tls = folder, free_port(), free_port()
        self.authority = trustme.CA()
        self.ca, self.pem = folder / "ca.pem", folder / "server.pem"
        self.authority.cert_pem.write_to_path(self.ca)
        self.process: subprocess.Popen[bytes] | None = None
        words = NGINX.format(folder=folder, plain=self.plain, tls=self.tls, pem=self.pem)
        (folder / "nginx.conf").write_text(words)

    def certify(self, ends: timedelta) -> None:
        """A new certificate for `localhost` that runs out so long from now."""
        leaf = self.authority.issue_cert(
            "localhost", not_before=datetime.now(UTC) - timedelta(days=9), not_after=datetime.now(UTC) + ends
        )
        self.pem.write_bytes(leaf.private_key_and_cert_chain_pem.bytes())

    async def start(self) -> None:
        self.process = subprocess.Popen(
            [self.program, "-c", str(self.folder / "nginx.conf")], stderr=subprocess.DEVNULL, start_new_session=True
        )

        async def open_() -> bool:
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", self.tls)) == 0

        await until(open_, 10, "nginx listens")

    def reload(self) -> None:
        """Take the certificate that lies there now, without missing a connection."""
        assert self.process is not None
        self.process.send_signal(signal.SIGHUP)

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(10)
            self.process = None


EVERYTHING = ("web", "secure", "expiry", "port", "talk")


async def test_real_servers_are_seen_to_run_to_stop_to_freeze_and_to_return(tmp_path: Path, postgres: Cluster) -> None:
    nginx, port = Nginx(tmp_path / "nginx"), free_port()
    nginx.certify(timedelta(days=90))
    config = tmp_path / "province.yaml"
    text = CONFIG.format(
        port=port, state=tmp_path / "state", plain=nginx.plain, tls=nginx.tls, ca=nginx.ca, pg=postgres.port, hello=HELLO
    )  # fmt: skip
    config.write_text(text, encoding="utf-8")
    await nginx.start()
    try:
        async with Daemon(config, port, tmp_path / "daemon.log") as daemon:

            async def expect(down: dict[str, str], what: str) -> None:
                """These are down for these reasons, the others up; each of them has an open incident, nobody else."""
                seen: list[Any] = []

                async def so() -> bool:
                    items = (await daemon.get("/api/v1/nodes")).json()["items"]
                    incidents = [i["node"]["id"] for i in await daemon.incidents() if i["state"] == "open"]
                    seen[:] = [{n["id"]: n["reason"] for n in items if n["state"] != "up"}, sorted(incidents)]
                    return len(items) == len(EVERYTHING) and seen == [down, sorted(down)]

                try:
                    await until(so, 20, what)
                except AssertionError:
                    raise AssertionError(f"{what}: {seen} instead of {down}") from None

            await expect({}, "all run")
            postgres.freeze()
            nginx.certify(-timedelta(days=1))
            nginx.reload()
            bad = {"secure": "tls_expired", "expiry": "tls_expired", "talk": "timeout"}
            await expect(bad, "the certificate ran out; PostgreSQL is frozen: its port opens, and it says nothing")
            assert {i["node"]["id"]: i["reason"] for i in await daemon.incidents()} == bad
            postgres.thaw()
            nginx.certify(timedelta(days=90))
            nginx.reload()
            await expect({}, "another certificate; PostgreSQL goes on")
            nginx.stop()
            await asyncio.to_thread(postgres.crash)
            await expect(dict.fromkeys(EVERYTHING, "refused"), "nginx and PostgreSQL are gone")
            first = {i["node"]["id"]: i["reason"] for i in await daemon.incidents()}
            assert (first["web"], first["port"]) == ("refused", "refused")
            await asyncio.to_thread(postgres.start)
            await nginx.start()
            await expect({}, "all run again")
            assert {i["state"] for i in await daemon.incidents()} == {"resolved"}
            assert await daemon.stop() == 0
    finally:
        nginx.stop()
    assert "Traceback" not in (tmp_path / "daemon.log").read_text("utf-8")


async def test_the_daemon_on_postgresql_keeps_its_word_over_kills(tmp_path: Path, postgres: Cluster) -> None:
    """An incident, told; killed in its midst and started at once, thrice; PostgreSQL itself dies and returns; mended, told, once each."""
    async with Province(tmp_path, database="env:THONGSUOT_DATABASE", small=True) as province:
        daemon = province.daemon
        daemon.env["THONGSUOT_DATABASE"] = postgres.url()
        await daemon.start()

        async def verdict() -> bool:
            try:
                states = await province.states()
            except ValueError:
                return False
            return {n for n, state in states.items() if state != "up"} == province.sites.broken

        async def told() -> bool:
            taken = {json.loads(body)["data"]["incident"]["node"]["id"] for body in province.inbox.taken().values()}
            return "k0" in taken and await province.waiting() == 0

        await until(verdict, 15, "all up")
        province.sites.turn("k0", well=False)
        await until(told, 15, "the incident told")
        (before,) = await daemon.incidents()
        for _ in range(3):
            await daemon.kill()
            await daemon.start()
            await asyncio.sleep(1)
        await until(verdict, 15, "the verdicts of before the kill")
        (after,) = await daemon.incidents()
        assert (after["id"], after["recovery"]["deadline"]) == (before["id"], before["recovery"]["deadline"])
        await asyncio.to_thread(postgres.crash)
        province.sites.turn("k1", well=False)
        await asyncio.sleep(3)
        await asyncio.to_thread(postgres.start)
        await until(verdict, 30, "PostgreSQL died and came back, and the daemon goes on")
        for name in ("k0", "k1"):
            province.sites.turn(name, well=True)
        await until(verdict, 20, "all up again")

        async def over() -> bool:
            found = await daemon.incidents()
            return len(found) == 2 and {i["state"] for i in found} == {"resolved"} and await province.waiting() == 0

        await until(over, 20, "all over and told")
        assert await daemon.stop() == 0
    messages = postgres.table(
        "SELECT id, receiver, lane, sequence, type, state, encode(body, 'hex') AS body FROM messages"
    )
    events = postgres.table("SELECT id, sequence, type FROM incident_events")
    expected = {(r, e["id"], e["sequence"]) for e in events if "." in e["type"] for r in RECEIVERS}
    assert {(m["receiver"], m["lane"], m["sequence"]) for m in messages} == expected
    assert {m["state"] for m in messages} == {"delivered"}
    bodies = {m["id"]: bytes.fromhex(m["body"]) for m in messages}
    assert province.inbox.taken() == bodies
    assert {arrival.id: arrival.body for arrival in province.inbox.log} == bodies
    assert sorted(m["type"] for m in messages) == sorted(["incident.opened", "incident.resolved"] * 4)
    print(
        f"\non PostgreSQL: {len(messages)} messages, {len(province.inbox.log)} arrivals, 3 kills, 1 death of the server"
    )
    assert "Traceback" not in daemon.log.read_text("utf-8")
