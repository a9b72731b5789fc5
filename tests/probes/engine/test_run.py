"""`probes.run`: one deadline, no exception out of it, a closed list of reasons, and our own faults never a target's."""

import asyncio
import errno
import json
import os
import socket
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest

import probes
from probes.contract import DETAIL_LIMIT, Family, Finding, Kind, ProbeError, Reason, failed, ok
from probes.errors import classify
from probes.run import run_kind
from probes.text import one_line
from probes.tools import Tools, Workbench
from tests.probes.http.box import SPEC, now, raw

ROOT = Path(__file__).parents[3]


@dataclass(frozen=True)
class Spec:
    act: object


async def act(spec: Spec, tools: Tools) -> Finding:
    return await spec.act(tools)


KIND = Kind(name="act", spec=Spec, probe=act, facts={}, addresses=(), summary="")


async def run(what, *, timeout=0.3):
    async with Workbench(now) as workbench:
        return await run_kind(KIND, Spec(what), workbench, timeout=timeout)


def raising(error):
    async def act(tools):
        tools.note(kept=1.0)
        with tools.phase("connect"):
            raise error

    return act


async def hang(tools):
    with tools.phase("tls"):
        await asyncio.sleep(30)


async def names(tools):
    with tools.phase("resolve"):
        await asyncio.sleep(30)


async def stubborn(tools):
    try:
        await asyncio.sleep(30)
    except asyncio.CancelledError:
        raise RuntimeError("I do something else instead") from None


ENDS = [
    # what the probe does, seen, reason, words of the detail
    ("finishes", lambda tools: _ok(), "ok", "ok", ""),
    ("hangs", hang, "failed", "timeout", "within 0.3 s in tls"),
    ("hangs while the name is looked up", names, "blind", "own_dns", "resolver"),
    ("turns its cancellation into something else", stubborn, "failed", "timeout", ""),
    ("has a bug", raising(KeyError("x")), "blind", "own_bug", "KeyError"),
    ("recurses without end", raising(RecursionError()), "blind", "own_bug", "RecursionError"),
    ("stops from any depth", raising(ProbeError(Reason.STATUS, "500")), "failed", "status", "500"),
    ("stops from any depth, for our sake", raising(ProbeError(Reason.OWN_CLOCK, "1970")), "blind", "own_clock", "1970"),
    ("runs out of memory", raising(MemoryError()), "blind", "own_memory", ""),
    ("is refused", raising(OSError(errno.ECONNREFUSED, "x")), "failed", "refused", ""),
]


async def _ok():
    return ok()


@pytest.mark.parametrize(("sentence", "what", "seen", "reason", "words"), ENDS, ids=[case[0] for case in ENDS])
async def test_every_end_is_an_outcome(sentence, what, seen, reason, words):
    outcome = await run(what)
    assert (outcome.seen, outcome.reason) == (seen, reason), outcome
    assert words in outcome.detail
    assert outcome.seconds < 0.55
    assert outcome.started_at.utcoffset().total_seconds() == 0


async def test_what_was_noted_is_kept_when_the_probe_fails():
    outcome = await run(raising(OSError(errno.ECONNRESET, "x")))
    assert outcome.facts == {"kept": 1.0}
    assert set(outcome.phases) == {"connect"}


async def test_a_run_that_is_cancelled_from_outside_is_cancelled():
    task = asyncio.create_task(run(hang, timeout=5))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_secret_is_not_repeated():
    async def leak(tools):
        tools.conceal(("hunter22",))
        return failed(Reason.HEADER, "got hunter22")

    assert (await run(leak)).detail == "got <secret>"


# Whose fault an exception is.


def caused(*errors):
    """An exception whose chain is these, the first outermost."""
    for outer, inner in pairwise(errors):
        outer.__cause__ = inner
    return errors[0]


FAULTS = [
    # the exception, the reason
    ("the target refused", OSError(errno.ECONNREFUSED, "All connection attempts failed"), "refused"),
    ("our uplink is down, the same text", OSError(errno.ENETUNREACH, "All connection attempts failed"), "own_network"),
    ("our ports are used up, the same text", OSError(errno.EADDRNOTAVAIL, "All connection attempts failed"), "own_ports"),
    ("our descriptors are used up, the same text", OSError(errno.EMFILE, "All connection attempts failed"), "own_fds"),
    ("the machine's descriptors are used up", OSError(errno.ENFILE, ""), "own_fds"),
    ("four exceptions down the chain", caused(Exception("a"), RuntimeError("b"), OSError("c"), OSError(errno.EMFILE, "d")), "own_fds"),
    ("one of several addresses refused, the others are out of our reach",
     ExceptionGroup("x", [OSError(errno.ENETUNREACH, ""), OSError(errno.ECONNREFUSED, "")]), "refused"),
    ("all of several addresses are out of our reach", ExceptionGroup("x", [OSError(errno.ENETUNREACH, "")] * 2), "own_network"),
    ("our firewall forbids it", PermissionError(errno.EPERM, ""), "own_permission"),
    ("no right to it", PermissionError(errno.EACCES, ""), "own_permission"),
    ("no buffers", OSError(errno.ENOBUFS, ""), "own_memory"),
    ("no IPv6 here", OSError(errno.EAFNOSUPPORT, ""), "own_network"),
    ("no neighbour answers", OSError(errno.EHOSTUNREACH, ""), "unreachable"),
    ("the kernel gave up waiting", TimeoutError(errno.ETIMEDOUT, ""), "timeout"),
    ("somebody's own time ran out", TimeoutError(), "timeout"),
    ("a reset without a number", ConnectionResetError(), "reset"),
    ("a broken pipe", BrokenPipeError(errno.EPIPE, ""), "reset"),
    ("our resolver is down", socket.gaierror(socket.EAI_AGAIN, ""), "own_dns"),
    ("the name does not exist", socket.gaierror(socket.EAI_NONAME, ""), "dns_nxdomain"),
    ("a file of the check is not there", FileNotFoundError(errno.ENOENT, ""), "own_config"),
    ("a text that looks like a refusal", ValueError("connection refused"), "own_bug"),
    ("a loop of causes", caused(ValueError("a"), ValueError("b")), "own_bug"),
]  # fmt: skip


@pytest.mark.parametrize(("sentence", "error", "reason"), FAULTS, ids=[case[0] for case in FAULTS])
def test_whose_fault(sentence, error, reason):
    finding = classify(error)
    assert finding.reason == reason
    assert (finding.seen == "blind") == reason.startswith("own_")


def test_a_circle_of_causes_ends():
    one, two = ValueError("1"), ValueError("2")
    one.__cause__, two.__cause__ = two, one
    assert classify(one).reason == "own_bug"


DIRTY = [
    ("nothing to clean", "status 404", "status 404"),
    ("line ends", "a\r\nb\tc\x00d", "a b c d"),
    ("a terminal's colours", "\x1b[31mred\x1b[0m \x1b]0;title\x07x", "red x"),
    ("text turned round", "abc\u202egnp.exe", "abc gnp.exe"),
    ("half a character", "a\ud800b", "a b"),
    ("a megabyte", "x" * 1_000_000, "x" * (DETAIL_LIMIT - 1) + "…"),
    ("Vietnamese", "Cổng một cửa", "Cổng một cửa"),
]


@pytest.mark.parametrize(("sentence", "text", "clean"), DIRTY, ids=[case[0] for case in DIRTY])
def test_details_are_one_clean_line(sentence, text, clean):
    assert one_line(text) == clean
    assert one_line(text).encode("utf-8")


# Our own faults, really caused, each in a process of its own.

CHILD = """
import asyncio, json, sys
from datetime import UTC, datetime
from pydantic import TypeAdapter
import probes
SPEC = TypeAdapter(probes.KINDS["http"].spec)
async def look(url, timeout=2.0, **keys):
    async with probes.Workbench(lambda: datetime.now(UTC)) as workbench:
        outcome = await probes.run("http", SPEC.validate_python({"url": url, **keys}), workbench, timeout=timeout)
    print(json.dumps([outcome.seen, outcome.reason, outcome.detail]))
def on_both_loops(make):
    import uvloop
    for loop in (asyncio, uvloop):
        loop.run(make())
"""


def child(code, *, namespace=False):
    words = [*(["unshare", "--net"] if namespace else []), sys.executable, "-c", CHILD + code]
    done = subprocess.run(words, capture_output=True, text=True, timeout=20, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def can_unshare():
    return subprocess.run(["unshare", "--net", "true"], capture_output=True, check=False).returncode == 0


OWN = [
    ("row 29: descriptors used up", """
import os, resource, socket
listener = socket.create_server(("127.0.0.1", 0))
port = listener.getsockname()[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
async def main():
    full = []
    try:
        while True: full.append(os.dup(0))
    except OSError: pass
    await look(f"http://127.0.0.1:{port}/")
    for fd in full: os.close(fd)
on_both_loops(main)
""", False, "own_fds"),
    ("row 26: no way out", """
async def main():
    for host in ("http://192.0.2.1/", "https://192.0.2.1/", "http://[2001:db8::1]/"):
        await look(host)
on_both_loops(main)
""", True, "own_network"),
    ("row 30: ports used up", """
import pathlib, socket, subprocess
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").write_text("40000 40000")
listener = socket.create_server(("127.0.0.1", 8080))
held = socket.create_connection(("127.0.0.1", 8080))
on_both_loops(lambda: look("http://127.0.0.1:8080/"))
""", True, "own_ports"),
    ("row 33: our own rules forbid it", """
import subprocess
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
subprocess.run(["ip", "route", "add", "prohibit", "192.0.2.0/24"], check=True)
on_both_loops(lambda: look("http://192.0.2.1/"))
""", True, "own_permission"),
]  # fmt: skip


@pytest.mark.parametrize(("sentence", "code", "namespace", "reason"), OWN, ids=[case[0] for case in OWN])
def test_own_fault(sentence, code, namespace, reason):
    if namespace and (os.geteuid() != 0 or not can_unshare()):
        pytest.skip("needs a network namespace of its own")
    outcomes = child(code, namespace=namespace)
    assert len(outcomes) >= 2
    assert {(seen, got) for seen, got, _ in outcomes} == {("blind", reason)}, outcomes


async def test_row_12_what_timed_out_while_we_stood_still_is_our_fault():
    async def slow(reader, writer):
        await asyncio.sleep(30)

    async with raw(slow) as server, Workbench(now) as workbench:
        spec = SPEC.validate_python({"url": server.url()})
        quiet = await probes.run("http", spec, workbench, timeout=0.2)
        assert quiet.reason == "timeout"
        for timeout, pause in ((0.5, 1.3), (1.6, 0.9)):  # Past the deadline; in the middle of the run.
            task = asyncio.create_task(probes.run("http", spec, workbench, timeout=timeout))
            await asyncio.sleep(0.1)
            time.sleep(pause)
            outcome = await task
            assert (outcome.seen, outcome.reason) == ("blind", "own_stall"), outcome
        await asyncio.sleep(0.3)
        after = await probes.run("http", spec, workbench, timeout=0.2)
        assert after.reason == "timeout", "it is over"


async def test_a_stall_does_not_take_back_what_was_seen():
    async def nap(tools):
        until = time.monotonic() + 0.8
        while time.monotonic() < until:
            pass
        return ok()

    assert (await run(nap, timeout=5)).seen == "ok"


async def test_each_run_ends_at_its_own_deadline():
    """Runs of one timeout share a timer: the ended ones before them and the longer ones beside them change nothing."""

    async def soon(tools):
        return ok()

    async def one(what, timeout, wait):
        await asyncio.sleep(wait)
        return await run_kind(KIND, Spec(what), workbench, timeout=timeout)

    async with Workbench(now) as workbench:
        outcomes = await asyncio.gather(
            *(one(soon if turn % 2 else hang, 0.2 + 0.1 * (turn % 3), turn * 0.01) for turn in range(30))
        )
    for turn, outcome in enumerate(outcomes):
        assert outcome.reason == ("ok" if turn % 2 else "timeout")
        if not turn % 2:
            assert -0.005 < outcome.seconds - (0.2 + 0.1 * (turn % 3)) < 0.25


# Leaves nothing behind.


async def test_timeouts_leave_no_descriptor_and_no_task_behind():
    async def slow(reader, writer):
        await asyncio.sleep(30)

    async with raw(slow) as server, Workbench(now) as workbench:
        spec = SPEC.validate_python({"url": server.url()})
        before = await asyncio.to_thread(sockets)
        outcomes = await asyncio.gather(*(probes.run("http", spec, workbench, timeout=0.2) for _ in range(100)))
        assert {outcome.reason for outcome in outcomes} == {"timeout"}
        await asyncio.sleep(0.05)
        # The little server still holds its ends of them; ours are gone.
        assert await asyncio.to_thread(sockets) <= before + 100
        assert not [
            task
            for task in asyncio.all_tasks()
            if "probes/" in repr(task.get_coro().cr_code.co_filename) and "tests" not in repr(task)
        ]


def sockets():
    """Open sockets of this process."""
    links = []
    for name in os.listdir("/proc/self/fd"):
        with suppress(OSError):
            links.append(os.readlink(f"/proc/self/fd/{name}"))
    return sum(link.startswith("socket:") for link in links)


async def test_an_ip_address_needs_no_resolver():
    async def look(tools):
        assert (await tools.resolve("127.0.0.1", Family.IPV4))[0].ip == "127.0.0.1"
        assert "resolve" not in tools.phases
        return ok()

    assert (await run(look)).seen == "ok"
