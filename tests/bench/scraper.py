"""Drives a blackbox_exporter as Prometheus does: GET /probe over connections kept alive. Orders and answers are lines of JSON."""

import asyncio
import json
import sys
import time
from typing import Any
from urllib.parse import quote

import uvloop


class Scrape(asyncio.Protocol):
    """One connection, one request at a time; `ask` gives whether the probe succeeded, its own duration, and the text."""

    def __init__(self) -> None:
        self.buffer = bytearray()
        self.waiter: asyncio.Future[bytes] | None = None
        self.transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        if self.waiter is not None and not self.waiter.done():
            self.waiter.set_exception(exc or ConnectionResetError("the exporter closed the connection"))

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        body = complete(self.buffer)
        if body is not None and self.waiter is not None and not self.waiter.done():
            self.buffer.clear()
            self.waiter.set_result(body)

    async def ask(self, module: str, target: str) -> tuple[bool, float, str]:
        self.waiter = asyncio.get_running_loop().create_future()
        self.transport.write(
            f"GET /probe?module={module}&target={quote(target)} HTTP/1.1\r\nHost: b\r\n"
            "X-Prometheus-Scrape-Timeout-Seconds: 10.5\r\n\r\n".encode()
        )
        text = (await self.waiter).decode("utf-8", "replace")
        return "\nprobe_success 1" in text, value(text, "probe_duration_seconds"), text


def value(text: str, name: str) -> float:
    """One sample of an exposition; 0 when it is not there."""
    _, found, rest = text.partition(f"\n{name} ")
    return float(rest.partition("\n")[0]) if found else 0.0


def complete(data: bytearray) -> bytes | None:
    """The body of a complete response with a length or in chunks; None while it is not complete."""
    head, found, body = bytes(data).partition(b"\r\n\r\n")
    if not found:
        return None
    lower = head.lower()
    at = lower.find(b"\r\ncontent-length:")
    if at >= 0:
        length = int(lower[at + 17 :].split(b"\r\n", 1)[0])
        return body if len(body) >= length else None
    if not body.endswith(b"0\r\n\r\n"):
        return None
    whole = b""
    while True:
        size, _, body = body.partition(b"\r\n")
        if not (length := int(size, 16)):
            return whole
        whole, body = whole + body[:length], body[length + 2 :]


async def connection(port: int) -> Scrape:
    return (await asyncio.get_running_loop().create_connection(Scrape, "127.0.0.1", port))[1]


async def rate(order: dict[str, Any]) -> dict[str, Any]:
    """Lanes that ask one after the other."""
    done, failed, example = 0, 0, ""
    targets, lanes = order["targets"], order["lanes"]

    async def lane(number: int, until: float) -> None:
        nonlocal done, failed, example
        scrape, index = await connection(order["port"]), number
        while time.perf_counter() < until:
            success, _, text = await scrape.ask(order["module"], targets[index % len(targets)])
            index += lanes
            done += 1
            if not success:
                failed, example = failed + 1, text[-500:]
        scrape.transport.abort()

    until = time.perf_counter() + order["seconds"]
    await asyncio.gather(*(lane(number, until) for number in range(lanes)))
    return {"done": done, "failed": failed, "example": example}


async def blackout(order: dict[str, Any]) -> dict[str, Any]:
    """The same load as `tests.bench.engine`'s blackout; the latencies are the exporter's own `probe_duration_seconds`."""
    loop = asyncio.get_running_loop()

    async def hang(url: str) -> None:
        scrape = await connection(order["port"])
        while True:
            await scrape.ask("http", url)

    tasks = []
    for number, url in enumerate(order["dark"]):
        tasks.append(asyncio.create_task(hang(url)))
        if number % 20 == 19:
            await asyncio.sleep(order["ramp"] * 20 / len(order["dark"]))
    if not tasks:
        await asyncio.sleep(order["ramp"])
    seen: list[tuple[bool, float, str]] = []
    idle: list[Scrape] = []

    async def look(url: str) -> None:
        scrape = idle.pop() if idle else await connection(order["port"])
        seen.append(await scrape.ask("http", url))
        idle.append(scrape)

    start, healthy = loop.time(), order["healthy"]
    async with asyncio.TaskGroup() as group:
        for number in range(int(order["pace"] * order["seconds"])):
            await asyncio.sleep(max(0.0, start + number / order["pace"] - loop.time()))
            group.create_task(look(healthy[number % len(healthy)]))
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return {"seconds": [seconds for success, seconds, _ in seen if success], "failed": sum(not s for s, _, _ in seen)}


async def main() -> None:
    modes = {"rate": rate, "blackout": blackout}
    while line := await asyncio.to_thread(sys.stdin.readline):
        order = json.loads(line)
        print(json.dumps(await modes[order["mode"]](order)), flush=True)


if __name__ == "__main__":
    uvloop.run(main())
