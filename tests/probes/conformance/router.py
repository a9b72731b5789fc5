"""A router that refuses: `python -m tests.probes.conformance.router CODE` in a network namespace, told as JSON on standard output.

Whatever is sent to 192.0.2.1 is answered by 192.0.2.254 with ICMP "destination unreachable" of this code.
"""

import asyncio
import errno
import fcntl
import ipaddress
import json
import os
import struct
import subprocess
import sys

import uvloop

from probes.contract import Reason
from tests.probes.icmp.province import checksum
from tests.probes.own_faults.child import AWAY, bench, look, ready, told
from tests.probes.own_faults.targets import WAYS

ROUTER = ipaddress.ip_address("192.0.2.254").packed


def refusal(packet: bytes, code: int) -> bytes:
    """ICMP type 3 that quotes the packet (RFC 792), in an IP packet from the router to its sender."""
    body = struct.pack("!BBHI", 3, code, 0, 0) + packet[:28]
    body = body[:2] + checksum(body).to_bytes(2) + body[4:]
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(body), 0, 0, 60, 1, 0, ROUTER, packet[12:16])
    return head[:10] + checksum(head).to_bytes(2) + head[12:] + body


async def refused(code: int) -> dict[str, list[str]]:
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(device, 0x400454CA, struct.pack("16sH", b"out", 0x1001))  # TUNSETIFF, IFF_TUN | IFF_NO_PI
    for words in ("link set lo up", "link set out up", "addr add 192.0.2.9/24 dev out", "route add default dev out"):
        subprocess.run(["ip", *words.split()], check=True)

    def answer() -> None:
        while True:
            try:
                packet = os.read(device, 65536)
            except OSError as error:
                if error.errno == errno.EAGAIN:
                    return
                raise
            if packet[0] >> 4 == 4 and packet[16:20] == ipaddress.ip_address(AWAY).packed:
                os.write(device, refusal(packet, code))

    asyncio.get_running_loop().add_reader(device, answer)
    async with bench() as workbench:
        runs = [look(way, AWAY, 8080, workbench) for way in WAYS]
        seen = dict(zip(WAYS, await asyncio.gather(*runs), strict=True))
        for way, outcome in seen.items():
            # Whoever stood still on a busy machine says so, and is asked once more.
            if outcome.reason is Reason.OWN_STALL:
                seen[way] = await look(way, AWAY, 8080, workbench)
        found = {way: told(outcome) for way, outcome in seen.items()}
    asyncio.get_running_loop().remove_reader(device)
    os.close(device)
    return found


if __name__ == "__main__":
    ready()
    print(json.dumps(uvloop.run(refused(int(sys.argv[1])))))
