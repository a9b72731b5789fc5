"""The daemon as a process: it starts once, survives bad configurations, keeps what it knows over kills and reloads, and ends in order."""

import asyncio
import json
import sqlite3
from pathlib import Path

import pytest

from tests.app.little import Little
from tests.ports import free_port
from tests.story.daemon import Daemon, command, until

pytestmark = pytest.mark.story


async def test_a_fault_is_seen_told_and_over(tmp_path: Path) -> None:
    async with Little(tmp_path) as little:
        await until(lambda: _all_up(little), 8, "both nodes up")
        little.b.body = b"database error"
        await until(lambda: _told(little, "incident.opened"), 8, "the incident told")
        (incident,) = await little.daemon.incidents()
        assert (incident["node"]["id"], incident["reason"], incident["severity"]) == ("b", "body_regex", "medium")
        little.b.body = b"fine"
        await until(lambda: _told(little, "incident.resolved"), 8, "its end told")
        assert little.inbox.types == ["incident.opened", "incident.resolved"]
        assert little.inbox.bad == 0
        assert await little.daemon.stop() == 0


async def test_a_second_daemon_is_refused_and_names_the_first(tmp_path: Path) -> None:
    async with Little(tmp_path) as little:
        other = Daemon(little.config, little.port, tmp_path / "second.log", little.env)
        await other.start(wait=False)
        assert other.process is not None
        assert await asyncio.wait_for(other.process.wait(), 15) == 75
        assert little.daemon.process is not None
        assert str(little.daemon.process.pid) in (tmp_path / "second.log").read_text("utf-8")


async def test_kill_9_forgets_nothing_and_says_nothing_twice(tmp_path: Path) -> None:
    async with Little(tmp_path) as little:
        await until(lambda: _all_up(little), 8, "both nodes up")
        little.a.status = 500
        await until(lambda: _told(little, "incident.opened"), 8, "the incident told")
        (before,) = await little.daemon.incidents()
        for _ in range(3):
            await little.daemon.kill()
            await little.daemon.start()
            await asyncio.sleep(1.0)
        (after,) = await little.daemon.incidents()
        assert (after["id"], after["recovery"]["deadline"]) == (before["id"], before["recovery"]["deadline"])
        little.a.status = 200
        await until(lambda: _told(little, "incident.resolved"), 8, "its end told")
        assert little.inbox.types == ["incident.opened", "incident.resolved"]


async def test_a_message_waits_for_its_receiver_across_a_restart(tmp_path: Path) -> None:
    async with Little(tmp_path) as little:
        await until(lambda: _all_up(little), 8, "both nodes up")
        little.inbox.refuse = True
        little.a.status = 500
        await until(lambda: _open(little), 8, "the incident open")
        await little.daemon.kill()
        little.inbox.refuse = False
        await little.daemon.start()
        await until(lambda: _told(little, "incident.opened"), 30, "the message of before the kill")


BAD = [
    ("a typo in a key", ("timeout: 0.5s", "timeuot: 0.5s"), "timeuot"),
    ("a timeout as long as the interval", ("timeout: 0.5s", "timeout: 1s"), "timeout"),
    ("an unknown parent", ("depends_on: [a]", "depends_on: [c]"), "depends_on"),
    ("a secret in the file", ("secret: env:SECRET", "secret: whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), "secret"),
]


async def test_a_bad_reload_changes_nothing_and_a_good_one_keeps_what_is_open(tmp_path: Path) -> None:
    async with Little(tmp_path) as little:
        await until(lambda: _all_up(little), 8, "both nodes up")
        little.a.status = 500
        await until(lambda: _told(little, "incident.opened"), 8, "the incident told")
        (before,) = await little.daemon.incidents()
        for sentence, change, key in BAD:
            little.write(change)
            little.daemon.hup()
            await until(lambda: _logged(little, key), 5, f"{sentence} is refused with its key")  # noqa: B023
            assert "thongsuot_config_last_reload_successful 0" in (await little.daemon.get("/metrics")).text
            assert set(await little.states()) == {"a", "b"}
        url = f"http://127.0.0.1:{little.b.port}/"
        little.write(
            ("nodes:\n", f'nodes:\n  c: {{name: Hệ C, type: system, checks: {{home: {{http: {{url: "{url}"}}}}}}}}\n')
        )
        little.daemon.hup()
        await until(lambda: _state(little, "c", "up"), 8, "the new node is watched")
        assert "thongsuot_config_last_reload_successful 1" in (await little.daemon.get("/metrics")).text
        (after,) = await little.daemon.incidents()
        assert (after["id"], after["state"]) == (before["id"], "open")
        little.write(("nodes:\n", "nodes:\n  z: {name: Nhóm, type: system, depends_on: [b]}\n"))
        assert little.inbox.types == ["incident.opened"]


async def test_a_node_that_leaves_takes_its_incident_with_it(tmp_path: Path) -> None:
    async with Little(tmp_path) as little:
        await until(lambda: _all_up(little), 8, "both nodes up")
        little.b.status = 404
        await until(lambda: _told(little, "incident.opened"), 8, "the incident told")
        line = next(line for line in little.config.read_text("utf-8").splitlines() if line.startswith("  b:"))
        little.write((line + "\n", ""))
        little.daemon.hup()
        await until(lambda: _told(little, "incident.withdrawn"), 8, "the withdrawal told")
        assert set(await little.states()) == {"a"}


async def test_the_command_line_asks_the_daemon(tmp_path: Path) -> None:
    async with Little(tmp_path) as little:
        await until(lambda: _all_up(little), 8, "both nodes up")
        code, out, _ = await command("status", "--json", config=little.config, env=little.env)
        assert (code, json.loads(out)["nodes"]) == (
            0,
            {"up": 2, "degraded": 0, "down": 0, "unreachable": 0, "unknown": 0},
        )
        little.b.status = 404
        await until(lambda: _told(little, "incident.opened"), 8, "the incident told")
        code, out, _ = await command("status", config=little.config, env=little.env)
        assert code == 1
        assert "Hệ B" in out
        code, out, _ = await command("incidents", "list", "--json", config=little.config, env=little.env)
        id_ = json.loads(out)["items"][0]["id"]
        code, out, _ = await command("incidents", "show", id_, config=little.config, env=little.env)
        assert code == 0
        assert "Hệ B" in out
        code, out, _ = await command("probe", "b/home", "--json", config=little.config, env=little.env)
        assert (code, json.loads(out)["reason"]) == (1, "status")
        code, out, err = await command("explain", "b", "--lang", "en", config=little.config, env=little.env)
        assert code == 0, err
        assert "b" in out
    code, _, err = await command("status", config=little.config, env=little.env)
    assert code == 3
    assert "no daemon answers" in err


async def test_no_secret_is_anywhere(tmp_path: Path) -> None:
    async with Little(tmp_path) as little:
        await until(lambda: _all_up(little), 8, "both nodes up")
        little.a.status = 500
        await until(lambda: _told(little, "incident.opened"), 8, "the incident told")
        canary = little.inbox.secret.removeprefix("whsec_")
        for path in (
            "/",
            "/metrics",
            "/api/v1/status",
            "/api/v1/checks",
            "/api/v1/nodes",
            "/incidents",
            "/api/openapi.json",
            "/sd",
        ):
            assert canary not in (await little.daemon.get(path)).text
    with sqlite3.connect(tmp_path / "state" / "thongsuot.sqlite3") as database:
        assert canary not in "\n".join(database.iterdump())
    for file in tmp_path.rglob("*"):
        if file.is_file():
            assert canary.encode() not in file.read_bytes(), file


async def test_the_recovery_clock_warns_and_runs_out_once_each(tmp_path: Path) -> None:
    async with Little(tmp_path, target="8s") as little:
        await until(lambda: _all_up(little), 8, "both nodes up")
        little.a.status = 500
        await until(lambda: _told(little, "incident.opened"), 8, "the incident told")
        await asyncio.sleep(1)
        await little.daemon.kill()
        await little.daemon.start()
        await until(lambda: _told(little, "incident.recovery_breached"), 12, "the breach told")
        await asyncio.sleep(1.5)
        warnings = ["incident.recovery_warning"] * 3
        assert little.inbox.types == ["incident.opened", *warnings, "incident.recovery_breached"]


@pytest.mark.parametrize("port_taken", [True])
async def test_a_port_that_is_taken_is_said(tmp_path: Path, port_taken: bool) -> None:
    async with Little(tmp_path, start=False) as little:
        holder = await asyncio.start_server(lambda _r, w: w.close(), "127.0.0.1", little.port)
        await little.daemon.start(wait=False)
        assert little.daemon.process is not None
        assert await asyncio.wait_for(little.daemon.process.wait(), 15) == 3
        assert "cannot start" in (tmp_path / "daemon.log").read_text("utf-8")
        holder.close()
    assert free_port() != 0


async def _all_up(little: Little) -> bool:
    return set((await little.states()).values()) == {"up"}


async def _state(little: Little, node: str, state: str) -> bool:
    return (await little.states()).get(node) == state


async def _open(little: Little) -> bool:
    return bool(await little.daemon.incidents())


async def _told(little: Little, type_: str) -> bool:
    return type_ in little.inbox.types


async def _logged(little: Little, text: str) -> bool:
    return text in (little.folder / "daemon.log").read_text("utf-8")
