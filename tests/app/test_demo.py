"""The first command on a fresh machine: everything alive within half a minute, without root, and a clean end."""

import asyncio
import signal
import sys
from pathlib import Path

import httpx

from tests.ports import free_port
from tests.story.daemon import ROOT, until


async def test_the_demo_shows_a_fault_within_half_a_minute_and_ends_cleanly(tmp_path: Path) -> None:
    port = free_port()
    said = (tmp_path / "said").open("wb")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "monitor", "demo", "--folder", str(tmp_path / "demo"), "--port", str(port),
        cwd=ROOT, stdout=said, stderr=said, start_new_session=True,
    )  # fmt: skip
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=5) as client:

            async def opened() -> bool:
                try:
                    return bool((await client.get("/api/v1/status")).json()["incidents"])
                except httpx.TransportError:
                    return False

            async def told() -> bool:
                return "✉" in (tmp_path / "said").read_text("utf-8")

            await until(opened, 60, "an incident on the page")
            assert "Đường truyền TSLCD" in (await client.get("/")).text
            await until(told, 10, "its message in the terminal")
            nodes = (await client.get("/api/v1/nodes", params={"limit": 500})).json()["items"]
            assert sum(node["state"] == "up" for node in nodes) >= 390
    finally:
        process.send_signal(signal.SIGINT)
        code = await asyncio.wait_for(process.wait(), 20)
        said.close()
    assert code == 0
    text = (tmp_path / "said").read_text("utf-8")
    assert f"http://127.0.0.1:{port}/" in text
    assert "Traceback" not in text
    assert text.rstrip().endswith("Ended.")


WITHOUT_RAW = """
import ctypes, os, sys
from tests.ports import free_port
ctypes.CDLL(None).prctl(24, 13, 0, 0, 0)  # PR_CAPBSET_DROP, CAP_NET_RAW: root without it, as a service manager would start us.
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""


async def test_without_echo_permission_it_explains_and_links_are_measured_all_the_same(tmp_path: Path) -> None:
    port = free_port()
    ask = "import sys; from monitor.cli.demo import echo_allowed; sys.exit(0 if echo_allowed() else 9)"
    asked = await asyncio.create_subprocess_exec(sys.executable, "-c", WITHOUT_RAW, "-c", ask, cwd=ROOT)
    may_echo = await asked.wait() == 0  # Where anybody may use the datagram socket there is nothing to explain.
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", WITHOUT_RAW, "-m", "monitor", "demo", "--folder", str(tmp_path / "demo"),
        "--port", str(port), "--quiet",
        cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, start_new_session=True,
    )  # fmt: skip
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=5) as client:

            async def all_up() -> bool:
                try:
                    nodes = (await client.get("/api/v1/status")).json()["nodes"]
                except httpx.TransportError:
                    return False
                return bool(nodes["up"] == sum(nodes.values()) > 0)

            await until(all_up, 60, "everything up")
            checks = (await client.get("/api/v1/checks", params={"limit": 500})).json()["items"]
            assert any(check["id"] == "tslcd.13285/line" for check in checks)
            assert any(check["kind"] == "icmp" for check in checks) == may_echo
    finally:
        process.send_signal(signal.SIGINT)
        out, _ = await asyncio.wait_for(process.communicate(), 20)
    assert ("ping_group_range" in out.decode()) == (not may_echo)
