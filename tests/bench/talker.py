"""The endpoints of a province in a process of their own: `python -m tests.bench.talker sip|stun|snmp|login PORT COUNT`.

The sandbox's SIP, STUN or SNMP server over UDP at PORT of so many loopback addresses from 127.0.0.1 on; a TCP listener at the same port of the
first says that all stand. `login` is an application to log in to, over TCP at PORT of the first.
"""

import asyncio
import sys
import time
from functools import partial

import uvloop

from monitor.sandbox.faults import FINE, Condition
from monitor.sandbox.login_server import login
from monitor.sandbox.sip_server import SipDatagrams
from monitor.sandbox.snmp_server import Agent
from monitor.sandbox.stun_server import StunServer


def fine() -> Condition:
    """The weather is always good."""
    return FINE


def kept(made: asyncio.DatagramProtocol) -> asyncio.DatagramProtocol:
    """What was made before."""
    return made


def server_of(kind: str) -> asyncio.DatagramProtocol:
    """One endpoint."""
    if kind == "snmp":
        return Agent(fine, time.monotonic)
    return SipDatagrams(fine) if kind == "sip" else StunServer(fine)


async def main(kind: str, port: int, count: int) -> None:
    loop = asyncio.get_running_loop()
    if kind == "login":
        application = await loop.create_server(login(fine, "bench", password="bench"), "127.0.0.1", port)
        await application.serve_forever()
    for last in range(1, count + 1):
        made = server_of(kind)
        await loop.create_datagram_endpoint(partial(kept, made), local_addr=(f"127.0.0.{last}", port))
    server = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
