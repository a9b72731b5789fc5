"""One own fault in a process of its own: caused, looked through by every kind, told as JSON on standard output.

`python -m tests.probes.own_faults.child FAULT [WAY …]`. Runs as root, mostly in a network namespace of its own; touches nothing of the host.
"""

import asyncio
import fcntl
import json
import os
import resource
import signal
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Coroutine, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import uvloop
from pydantic import TypeAdapter

import probes
from probes.contract import Outcome
from probes.tools import Workbench
from tests.probes.little import serving, tls, wait_for_end
from tests.probes.own_faults.targets import DATAGRAMS, SECURED, SLOW, WAYS
from tests.probes.tls.chains import DAY, file, make, root, server

AWAY = "192.0.2.1"
"""An address of nobody (RFC 5737)."""

HERE = "127.0.0.1"

Told = dict[str, list[str]]


async def look(way: str, host: str, port: int, workbench: Workbench, *, timeout: float = 1.0, **more: Any) -> Outcome:
    kind, keys = (WAYS | SLOW)[way]
    if "ca" in more:
        more = {"ca": more["ca"]} if kind == "tls" else {"tls": {"ca": more["ca"]}}
    spec: Any = TypeAdapter(probes.KINDS[kind].spec).validate_python({**keys(host, port), **more})
    return await probes.run(kind, spec, workbench, timeout=timeout)


def bench(**how: Any) -> Workbench:
    return Workbench(lambda: datetime.now(UTC), **how)


def told(outcome: Outcome) -> list[str]:
    return [outcome.seen.value, outcome.reason.value, outcome.detail]


async def each(host: str, port: int = 8080, *, ways: Iterable[str] = (), timeout: float = 1.0, **how: Any) -> Told:
    """Every way through the fault, side by side, or those that were asked for."""
    ways = list(ways) or sys.argv[2:] or list(WAYS)
    timeout = 8.0 if SLOW.keys() & set(ways) else timeout
    async with bench(**how) as workbench:
        runs = [look(way, host, port, workbench, timeout=timeout) for way in ways]
        return dict(zip(ways, map(told, await asyncio.gather(*runs)), strict=True))


def ready(host: str = AWAY, port: int = 8080) -> None:
    """As in the daemon: what the kinds need is loaded when the configuration is read."""
    for kind, keys in WAYS.values():
        TypeAdapter(probes.KINDS[kind].spec).validate_python(keys(host, port))


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)


def plugged_in() -> None:
    """A loopback, and an interface that swallows what is sent to it, with a route to everywhere. Stays as long as the process."""
    ip("link", "set", "lo", "up")
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(device, 0x400454CA, struct.pack("16sH", b"out", 0x1001))  # TUNSETIFF, IFF_TUN | IFF_NO_PI
    ip("link", "set", "out", "up")
    ip("addr", "add", "192.0.2.9/24", "dev", "out")
    ip("route", "add", "default", "dev", "out")


LARGE = """
import socket
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
while True:
    connection = listener.accept()[0]
    try: connection.recv(4096)
    except OSError: continue
    try: connection.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 200000\\r\\n\\r\\n" + b"x" * 200_000)
    except OSError: pass
    connection.close()
"""


@contextmanager
def large_answers() -> Iterator[int]:
    """A server with a memory of its own; its port."""
    with subprocess.Popen([sys.executable, "-c", LARGE], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.kill()


# The faults.


async def descriptors() -> Told:
    """RLIMIT_NOFILE reached."""
    listener = socket.create_server((HERE, 0))
    port = listener.getsockname()[1]
    found = {}
    async with bench() as workbench:
        for way in WAYS:
            resource.setrlimit(resource.RLIMIT_NOFILE, (128, 128))
            held = []
            with suppress(OSError):
                while True:
                    held.append(os.dup(0))
            found[way] = told(await look(way, HERE, port, workbench))
            for descriptor in held:
                os.close(descriptor)
    listener.close()
    return found


async def ports() -> Told:
    """The only source port of the namespace is taken, for streams and for datagrams."""
    ip("link", "set", "lo", "up")
    Path("/proc/sys/net/ipv4/ip_local_port_range").write_text("40000 40000")
    listener = socket.create_server((HERE, 8080))
    held = socket.create_connection((HERE, 8080))
    taken = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    taken.bind((HERE, 40000))
    found = await each(HERE)
    for one in (listener, held, taken):
        one.close()
    return found


async def uplink() -> Told:
    """No interface but a loopback that is down: no route to anywhere."""
    return await each(AWAY)


async def uplink_v6() -> Told:
    """The host has a way out by IPv4 and none by IPv6."""
    plugged_in()
    return await each("[2001:db8::1]")


async def unplugged() -> Told:
    """The interface was there, and went down."""
    plugged_in()
    ip("link", "set", "out", "down")
    return await each(AWAY)


async def firewall() -> Told:
    """Our own nftables rules drop what we send: EPERM for datagrams; for a stream the kernel drops the SYN in silence."""
    plugged_in()
    rules = "table inet own { chain out { type filter hook output priority 0; ip daddr 192.0.2.1 drop; }; }"
    subprocess.run(["nft", "-f", "-"], input=rules.encode(), check=True)
    return await each(AWAY)


async def forbidden() -> Told:
    """Our own routes prohibit the target."""
    plugged_in()
    ip("route", "add", "prohibit", "198.51.100.0/24")
    return await each("198.51.100.1")


async def resolver_silent() -> Told:
    """A name server that takes every question and answers none."""
    ip("link", "set", "lo", "up")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind((HERE, 53))
        return await each("portal.tinh.vn", nameservers=[HERE])


async def resolver_dead() -> Told:
    """Nobody listens where our resolver should be."""
    ip("link", "set", "lo", "up")
    return await each("portal.tinh.vn", nameservers=[HERE])


async def resolver_sick() -> Told:
    """Our resolver answers SERVFAIL to everything."""
    ip("link", "set", "lo", "up")
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((HERE, 53))

    def serve() -> None:
        with suppress(OSError):
            while True:
                data, where = sock.recvfrom(4096)
                if len(data) < 12:
                    return
                sock.sendto(data[:2] + b"\x81\x82" + data[4:], where)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        return await each("portal.tinh.vn", nameservers=[HERE])
    finally:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"", (HERE, 53))
        await asyncio.to_thread(thread.join)
        sock.close()


async def resolv_conf() -> Told:
    """The file that names our resolver is empty: really, in a mount namespace of its own."""
    subprocess.run(["mount", "--bind", "/dev/null", "/etc/resolv.conf"], check=True)
    return await each("portal.tinh.vn")


async def capability() -> Told:
    """No CAP_NET_RAW, and the unprivileged way closed: echoes are impossible, everything else goes on."""
    ip("link", "set", "lo", "up")
    Path("/proc/sys/net/ipv4/ping_group_range").write_text("1 0")
    words = ["setpriv", "--bounding-set", "-net_raw", "--inh-caps", "-net_raw"]
    if "INNER" not in os.environ:
        command = [*words, sys.executable, "-m", "tests.probes.own_faults.child", "capability"]
        done = subprocess.run(command, env=os.environ | {"INNER": "1"}, stdout=subprocess.PIPE, check=True)
        return dict(json.loads(done.stdout))
    with serving(wait_for_end) as port:
        return await each(HERE, port, ways=("icmp", "tcp"))


async def memory() -> Told:
    """The address space is full in the middle of a run: what cannot be had is our want, never the target's."""
    ip("link", "set", "lo", "up")
    blocks: list[bytes] = []

    def fill() -> None:
        size = 64 << 20
        while size >= 512:
            try:
                blocks.append(bytes(size))
            except MemoryError:
                size //= 2

    found = {}
    ways = [way for way in WAYS if way not in SECURED and WAYS[way][0] not in DATAGRAMS]
    with large_answers() as port:
        async with bench() as workbench:
            for way in ways:
                await look(way, HERE, port, workbench, timeout=0.2)  # What is made once is made.
            for way in ways:
                pages = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
                task = asyncio.create_task(look(way, HERE, port, workbench, timeout=0.5))
                await asyncio.sleep(0)
                resource.setrlimit(resource.RLIMIT_AS, (pages, resource.RLIM_INFINITY))
                try:
                    fill()
                    outcome = await task
                finally:
                    blocks.clear()
                    resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
                found[way] = told(outcome)
    return found


async def stalled() -> Told:
    """SIGSTOP in the middle of every run, SIGCONT after its deadline: what timed out meanwhile timed out through us."""
    plugged_in()  # The loopback answers echoes; what is out there does not.
    with serving(wait_for_end) as port, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind((HERE, port))
        async with bench() as workbench:
            runs = {
                way: asyncio.create_task(look(way, HERE, port, workbench)) for way in WAYS if way not in ("icmp", "tcp")
            }
            for way in ("icmp", "tcp"):
                runs[way] = asyncio.create_task(look(way, AWAY, port, workbench))
            await asyncio.sleep(0.2)
            waker = subprocess.Popen(["sh", "-c", f"sleep 1.8; kill -CONT {os.getpid()}"])
            os.kill(os.getpid(), signal.SIGSTOP)
            found = {way: told(await run) for way, run in runs.items()}
            await asyncio.to_thread(waker.wait)
    return found


async def clock() -> Told:
    """Our clock is years off: every certificate in the province is over at once. Here it is the certificates that are old: we cannot tell."""
    return await _certificates(expired=True)


async def clock_behind() -> Told:
    """The same, with a clock that is slow: none is valid yet."""
    return await _certificates(expired=False)


async def _certificates(*, expired: bool) -> Told:
    ip("link", "set", "lo", "up")
    found: Told = {}
    hosts = [f"127.0.0.{number}" for number in range(1, 6)]

    def of(number: int) -> dict[str, Any]:
        """No two of the province's certificates end in the same second."""
        return {"starts": -90 * DAY, "ends": -DAY * number} if expired else {"starts": DAY, "ends": DAY * (90 + number)}

    contexts = [server(make(host, by=root(), addresses=[host], **of(n))) for n, host in enumerate(hosts, 1)]
    listeners = [serving(tls(context), host=host) for host, context in zip(hosts, contexts, strict=True)]
    ports = [listener.__enter__() for listener in listeners]
    try:
        async with bench() as workbench:
            for turn in (1, 2):
                for host, port in zip(hosts, ports, strict=True):
                    for way in SECURED:
                        outcome = await look(way, host, port, workbench, ca=file(root()))
                        if turn == 2:
                            found[f"{way} {host}"] = told(outcome)
    finally:
        for listener in listeners:
            listener.__exit__(None, None, None)
    return found


async def authorities() -> Told:
    """The file of authorities went after the configuration was read."""
    ip("link", "set", "lo", "up")
    path = file(root())
    found = {}
    with serving(tls(server(make("g", by=root(), addresses=[HERE])))) as port:
        Path(path).unlink()
        async with bench() as workbench:
            for way in SECURED:
                found[way] = told(await look(way, HERE, port, workbench, ca=path))
    return found


FAULTS: dict[str, Callable[[], Coroutine[Any, Any, Told]]] = {
    fault.__name__: fault
    for fault in (
        descriptors, ports, uplink, uplink_v6, unplugged, firewall, forbidden, resolver_silent, resolver_dead, resolver_sick, resolv_conf,
        capability, memory, stalled, clock, clock_behind, authorities,
    )
}  # fmt: skip


def main() -> None:
    ready()
    print(json.dumps(uvloop.run(FAULTS[sys.argv[1]]())))


if __name__ == "__main__":
    main()
