"""Our engine under measurement: reads orders (a line of JSON each) from standard input, runs probes on uvloop, prints what it saw.

`rate`: so many lanes probe one after the other for some seconds. `blackout`: healthy checks at a steady pace beside dark ones.
`sweep`: echo requests to many addresses.
"""

import asyncio
import json
import resource
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import uvloop
from pydantic import TypeAdapter

import probes
from probes.contract import Outcome, Seen
from probes.heartbeat_calls import Heard, Listening
from probes.pauses import settle
from probes.tools import Workbench


def cpu() -> float:
    """CPU seconds of this process."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def peak() -> float:
    """Largest resident size so far, MiB; by /proc, because what getrusage says begins with the size of whoever started us."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise LookupError("VmHWM")


def now() -> datetime:
    return datetime.now(UTC)


def revealed(spec: Any) -> Any:
    """The spec with a Secret for each `{"secret": text}`."""
    if isinstance(spec, list):
        return [revealed(each) for each in spec]
    if not isinstance(spec, dict):
        return spec
    if spec.keys() == {"secret"}:
        return probes.Secret(spec["secret"])
    return {key: revealed(value) for key, value in spec.items()}


class Punctual:
    """Who listens to jobs that are all in time."""

    def listening(self, token: probes.Secret) -> Listening:
        heard = now()
        return Listening(heard=Heard(since=heard, at=heard, good_at=heard, beats=1))

    def slot(self, cron: str, after: datetime) -> datetime | None:
        return None


async def rate(order: dict[str, Any], workbench: Workbench) -> dict[str, Any]:
    """`lanes` tasks, each one probe after the other, over the specs in turn."""
    kind = order["kind"]
    adapter: TypeAdapter[Any] = TypeAdapter(probes.KINDS[kind].spec)
    specs = [adapter.validate_python(revealed(spec)) for spec in order["specs"]]
    lanes, done, failed, example = order["lanes"], 0, 0, ""

    async def lane(number: int, until: float) -> None:
        nonlocal done, failed, example
        index = number
        while time.perf_counter() < until:
            outcome = await probes.run(kind, specs[index % len(specs)], workbench, timeout=10)
            if order.get("breath"):
                await asyncio.sleep(0)  # This kind waits for nothing, and the loop has things to put away.
            index += lanes
            done += 1
            if outcome.seen is not Seen.OK:
                failed, example = failed + 1, str(outcome)

    before, until = cpu(), time.perf_counter() + order["seconds"]
    await asyncio.gather(*(lane(number, until) for number in range(lanes)))
    return {"done": done, "failed": failed, "example": example, "cpu": cpu() - before, "peak": peak()}


async def blackout(order: dict[str, Any], workbench: Workbench) -> dict[str, Any]:
    """`dark` checks that hang until their timeout, renewed for ever, beside `pace` healthy ones a second."""
    idle = peak()
    adapter: TypeAdapter[Any] = TypeAdapter(probes.KINDS["http"].spec)
    healthy = [adapter.validate_python({"url": url}) for url in order["healthy"]]
    dark = [adapter.validate_python({"url": url}) for url in order["dark"]]
    loop = asyncio.get_running_loop()
    timeouts = 0

    async def hang(spec: Any) -> None:
        nonlocal timeouts
        while True:
            # The outcome is not kept: nobody keeps thousands of them.
            if (await probes.run("http", spec, workbench, timeout=10)).reason is probes.Reason.TIMEOUT:
                timeouts += 1

    tasks = []
    for number, spec in enumerate(dark):
        tasks.append(asyncio.create_task(hang(spec), name="dark"))
        if number % 20 == 19:
            await asyncio.sleep(order["ramp"] * 20 / len(dark))
    if not tasks:
        await asyncio.sleep(order["ramp"])
    outcomes: list[Outcome] = []

    async def look(spec: Any) -> None:
        outcomes.append(await probes.run("http", spec, workbench, timeout=10))

    before, start = cpu(), loop.time()
    async with asyncio.TaskGroup() as group:
        for number in range(int(order["pace"] * order["seconds"])):
            await asyncio.sleep(max(0.0, start + number / order["pace"] - loop.time()))
            group.create_task(look(healthy[number % len(healthy)]))
    used = (cpu() - before) / (loop.time() - start)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return {
        "seconds": [outcome.seconds for outcome in outcomes if outcome.seen is Seen.OK],
        "failed": sum(outcome.seen is not Seen.OK for outcome in outcomes),
        "timeouts": timeouts,
        "cpu": used,
        "idle": idle,
        "peak": peak(),
    }


async def sweep(order: dict[str, Any], workbench: Workbench) -> dict[str, Any]:
    """One echo request to each address, over and over."""
    addresses, done, lost = order["targets"], 0, 0
    loop = asyncio.get_running_loop()
    before, until = cpu(), time.perf_counter() + order["seconds"]
    while time.perf_counter() < until:
        seen = await workbench.echo.sweep(addresses, until=loop.time() + 5)
        done += len(seen)
        lost += sum(rtt is None for rtt in seen)
    return {"done": done, "failed": lost, "example": "", "cpu": cpu() - before}


async def main() -> None:
    modes = {"rate": rate, "blackout": blackout, "sweep": sweep}
    settle()  # As the daemon does once it stands.
    async with Workbench(now) as workbench:
        workbench.beats = Punctual()
        orders = asyncio.StreamReader(limit=1 << 24)
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
        while line := await orders.readline():
            order = json.loads(line)
            print(json.dumps(await modes[order["mode"]](order, workbench)), flush=True)


if __name__ == "__main__":
    uvloop.run(main())
