"""The box as a process of its own: `python -m monitor.sandbox --folder DIR --port N`, told what to break by lines of JSON on its standard input.

It ends when its input ends, so it never outlives whoever started it. What happens is one line of JSON each on its output.
Commands: `{"begin": {fault}}`, `{"end": {fault}}`, `{"play": [faults]}`, `{"receiver_down": true|false}`.
"""

import argparse
import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

from monitor.sandbox.box import Box
from monitor.sandbox.faults import Fault


def _say(event: str, **what: Any) -> None:
    sys.stdout.write(json.dumps({"event": event, **what}, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def _told(event: str, fault: Fault) -> None:
    _say(event, fault=fault.kind, target=fault.target, lasts=fault.lasts)


async def _obey(box: Box, command: dict[str, Any], playing: set[asyncio.Task[None]]) -> None:
    if "begin" in command:
        box.weather.begin(Fault(**command["begin"]))
    elif "end" in command:
        box.weather.end(Fault(**command["end"]))
    elif "play" in command:
        task = asyncio.create_task(box.play([Fault(**entry) for entry in command["play"]], _told))
        playing.add(task)
        task.add_done_callback(playing.discard)
    elif "receiver_down" in command:
        box.receiver.down = bool(command["receiver_down"])
    _say("done", command=next(iter(command)))


async def _run(folder: Path, port: int, slow: float) -> None:
    secret = os.environ["THONGSUOT_SANDBOX_SECRET"]
    box = Box(folder, port, secret, slow, lambda arrival: _say("message", **arrival))
    await box.open()
    playing: set[asyncio.Task[None]] = set()
    try:
        commands = asyncio.StreamReader()
        loop = asyncio.get_running_loop()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
        _say("ready", port=port)
        while line := await commands.readline():
            await _obey(box, json.loads(line), playing)
    finally:
        for task in playing:
            task.cancel()
        box.close()


def main() -> None:
    """Read the arguments and serve until the input ends."""
    words = argparse.ArgumentParser(prog="python -m monitor.sandbox", description="The province in a box.")
    words.add_argument("--folder", type=Path, required=True)
    words.add_argument("--port", type=int, required=True)
    words.add_argument("--slow", type=float, default=1.5, help="seconds by which a slow site is slow")
    given = words.parse_args()
    try:
        asyncio.run(_run(given.folder, given.port, given.slow))
    except KeyboardInterrupt:
        sys.exit(0)


if __name__ == "__main__":
    main()
