"""`thongsuot demo`: the province in a box, the daemon, and somebody who tells what is happening."""

import asyncio
import os
import shutil
import socket
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from monitor import settings, words
from monitor.app.application import App
from monitor.app.configuration import load_configuration
from monitor.app.system import log_to
from monitor.cli import common
from monitor.sandbox import BoxProcess, Fault, Pace, communes, configuration, free_port, new_secret
from monitor.store import state_lock

SCRIPT: Final = (
    Fault(kind="link", after=8, lasts=75, target="tslcd.13285"),
    Fault(kind="wrong_page", after=60, lasts=60, target="motcua"),
    Fault(kind="wrong_page", after=100, lasts=75, target="lgsp"),
    Fault(kind="carrier", after=150, lasts=75, target="viettel"),
    Fault(kind="site", after=240, lasts=75, target="tslcd.13324"),
    Fault(kind="slow", after=270, lasts=60, target="motcua"),
    Fault(kind="refused", after=300, lasts=60, target="sao_luu"),
    Fault(kind="certificate", after=360, lasts=60, target="cong_ttdt"),
    Fault(kind="hub", after=450, lasts=75),
    Fault(kind="uplink", after=570, lasts=45),
)
"""One round of what breaks in the demo, seconds from its start; then it begins anew."""

ROUND: Final = 660.0

HANOI: Final = ZoneInfo("Asia/Ho_Chi_Minh")

TELL: Final[Mapping[str, tuple[str, str]]] = {
    "link": ("Đứt đường truyền {target}", "The link {target} is cut"),
    "site": (
        "Xã, phường của {target} mất điện: mọi đường tới đó đều im lặng",
        "The commune of {target} has no power: every way is silent",
    ),
    "wrong_page": ("{target} trả về trang báo lỗi (mã 200)", "{target} answers 200 with an error page"),
    "carrier": (
        "Mạng {target} gián đoạn: mọi đường truyền của nhà mạng này",
        "The carrier {target} is out, with all its links",
    ),
    "slow": ("{target} chậm", "{target} is slow"),
    "refused": ("{target} không còn chạy", "{target} is not running any more"),
    "certificate": ("Chứng thư của {target} hết hạn", "The certificate of {target} has expired"),
    "hub": ("Điểm tập trung mạng tỉnh mất kết nối", "The province's hub is down"),
    "uplink": (
        "Chính máy giám sát mất đường ra: không được đổ lỗi cho ai",
        "Our own uplink is lost: nobody else may be blamed",
    ),
}


def echo_allowed() -> bool:
    """Whether this process may send echo requests at all: by a datagram socket, or else by a raw one."""
    for kind in (socket.SOCK_DGRAM, socket.SOCK_RAW):
        try:
            socket.socket(socket.AF_INET, kind, socket.IPPROTO_ICMP).close()
        except OSError:
            continue
        return True
    return False


def browser_at_hand() -> bool:
    """Whether the extra `browser` and a Chromium are installed: then the login is tried in it too."""
    return find_spec("playwright") is not None and any(map(shutil.which, ("chromium", "chromium-browser")))


def _meeting(now: datetime) -> str:
    """A meeting of all communes that begins in five minutes, and a look at who is ready in one."""
    begins = now + timedelta(minutes=5)
    ends = begins + timedelta(minutes=15)
    return (
        "meetings:\n  - {id: giao-ban, name: Giao ban trực tuyến với 129 xã phường, ready_before: 4m, every: 10s, "
        f"from: {begins:%Y-%m-%dT%H:%M:%SZ}, to: {ends:%Y-%m-%dT%H:%M:%SZ}}}\n"
    )


def play(folder: Path, port: int, *, quiet: bool) -> None:
    """Set the box up in `folder`, watch it, and tell the terminal; until Ctrl-C."""
    folder = folder.resolve()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, mode=0o700)
    secret, echo, pace = new_secret(), echo_allowed(), Pace()
    box_port = free_port()
    path = configuration(
        folder, communes(), port=box_port, listen=port, pace=pace, echo=echo, meetings=_meeting(datetime.now(UTC)),
        browser=browser_at_hand(),
    )  # fmt: skip
    environ = {**os.environ, "THONGSUOT_SANDBOX_SECRET": secret, "THONGSUOT_SANDBOX_CLIENT": "sandbox"}
    log_file = (folder / "thongsuot.log").open("a", encoding="utf-8")
    log_to(log_file, colours=False)
    _welcome(folder, port, echo=echo)
    import uvloop

    box = BoxProcess(folder, box_port, secret, pace)
    try:
        with state_lock(folder / "state"), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_run(path, environ, box, quiet=quiet))
    except settings.ConfigError as error:
        common.leave(common.WRONG, "\n".join(str(problem) for problem in error.problems))
    except OSError as problem:
        common.leave(common.BLIND, f"cannot start: {problem}")
    common.say("Kết thúc. · Ended.")


def _welcome(folder: Path, port: int, *, echo: bool) -> None:
    common.say("Thông Suốt: tỉnh mô phỏng, 129 xã, phường · a simulated province of 129 communes")
    common.say(f"  Trang theo dõi · page      http://127.0.0.1:{port}/")
    common.say(f"  Prometheus                 http://127.0.0.1:{port}/metrics")
    common.say(f"  API                        http://127.0.0.1:{port}/api/v1/status")
    config = folder / "province.yaml"
    asked = f"report --period {datetime.now(HANOI):%Y-%m-%d} --config {config} --out {folder}"
    common.say(f"  Báo cáo · report           {_ourselves()} {asked}")
    common.say(f"  Tin nhắn, sự thật, nhật ký · messages, truth, log   {folder}/{{inbox,truth}}.jsonl, thongsuot.log")
    if not echo:
        common.say(
            "  Không có quyền gửi ICMP: đường truyền được đo bằng TCP. Cho phép bằng · No permission for ICMP: links are\n"
            '  measured by TCP alone. To allow it:  sysctl -w net.ipv4.ping_group_range="0 2147483647"'
        )
    common.say("  Ctrl-C để dừng · to stop\n")


def _ourselves() -> str:
    """How to call us from here: the installed command, or the interpreter of this checkout."""
    here = Path(sys.executable)
    if here.is_relative_to(Path.cwd()):
        return f"{here.relative_to(Path.cwd())} -m monitor"
    return "thongsuot"


async def _run(path: Path, environ: Mapping[str, str], box: BoxProcess, *, quiet: bool) -> None:
    async with box:
        # Only now: the box has made the authority's certificate that the configuration names.
        app = App(path, await asyncio.to_thread(load_configuration, path, environ, strict=True), environ)
        narrator = asyncio.create_task(_narrate(box))
        director = asyncio.create_task(_direct(box, quiet=quiet))
        try:
            await app.run()
        finally:
            director.cancel()
            narrator.cancel()
            await asyncio.gather(director, narrator, return_exceptions=True)


async def _direct(box: BoxProcess, *, quiet: bool) -> None:
    """Play the script again and again, and say beforehand what comes."""
    if quiet:
        return
    while True:
        began = asyncio.get_running_loop().time()
        await box.play(SCRIPT)
        for fault in SCRIPT:
            await _until(began + max(0.0, fault.after - 30))
            left = max(0, round(began + fault.after - asyncio.get_running_loop().time()))
            vi, en = (text.format(target=fault.target) for text in TELL[fault.kind])
            common.say(f"… sau {left} giây · in {left} s: {vi} · {en}")
            await _until(began + fault.after)
        await _until(began + ROUND)


async def _until(moment: float) -> None:
    await asyncio.sleep(max(0.0, moment - asyncio.get_running_loop().time()))


async def _narrate(box: BoxProcess) -> None:
    async for event in box.events():
        line = _line(event)
        if line:
            common.say(line)


def _line(event: Mapping[str, Any]) -> str:
    if event["event"] in ("begins", "ends"):
        mark = "✗" if event["event"] == "begins" else "✓"
        vi, en = (text.format(target=event["target"]) for text in TELL[event["fault"]])
        done = " · đã khôi phục, mended" if event["event"] == "ends" else ""
        return f"{mark} {vi} · {en}{done}"
    if event["event"] == "message":
        return f"✉ {words.event(event['message']['type'], 'vi')}: {event['message']['message']['title']}"
    return ""
