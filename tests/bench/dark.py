"""A server that accepts and never answers: `python -m tests.bench.dark PORT`. Ends with its parent's signal."""

import asyncio
import sys

import uvloop


async def main() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(asyncio.Protocol, "0.0.0.0", int(sys.argv[1]), backlog=4096)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main())
