"""gufo-snmp under measurement: reads orders (a line of JSON each) from standard input and asks as its documentation shows.

A session of its own for each question, as every run of ours has a socket of its own.
"""

import asyncio
import json
import sys
import time
from typing import Any

import uvloop
from gufo.snmp.aio import SnmpSession

from tests.bench.engine import cpu


async def rate(order: dict[str, Any]) -> dict[str, Any]:
    """`lanes` tasks, each one question after the other, over the hosts in turn."""
    lanes, done, failed = order["lanes"], 0, 0

    async def lane(number: int, until: float) -> None:
        nonlocal done, failed
        index = number
        while time.perf_counter() < until:
            host = order["hosts"][index % len(order["hosts"])]
            async with SnmpSession(host, port=order["port"], community=order["community"], timeout=10) as session:
                got = await session.get_many(order["oids"])
            failed += len(got) != len(order["oids"])
            index += lanes
            done += 1

    before, until = cpu(), time.perf_counter() + order["seconds"]
    await asyncio.gather(*(lane(number, until) for number in range(lanes)))
    return {"done": done, "failed": failed, "example": "", "cpu": cpu() - before}


async def main() -> None:
    for line in sys.stdin:
        order = json.loads(line)
        print(json.dumps(await rate(order)), flush=True)


if __name__ == "__main__":
    uvloop.run(main())
