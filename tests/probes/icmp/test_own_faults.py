"""Our own faults, injected between the engine and the kernel: each is blind, none is the link's."""

import asyncio
import errno
import os
import socket
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import TypeAdapter

import probes
from probes import echo_socket
from probes.contract import Outcome, ProbeError, Reason, Seen
from probes.echo import EchoEngine
from probes.echo_flight import Plan
from probes.echo_socket import open_echo_socket
from probes.tools import Workbench
from tests.probes.icmp.province import needs_icmp


class Faulty:
    """The kernel's socket with some answers replaced. `send` and `receive` may raise instead."""

    def __init__(self, send: Callable[[], None] = lambda: None, receive: Callable[[], None] = lambda: None) -> None:
        self._send, self._receive = send, receive
        self.reads = 0

    def open(self, family: int) -> tuple[Any, bool]:
        self._sock, raw = open_echo_socket(family)
        return self, raw

    def sendto(self, data: bytes, where: Any) -> int:
        self._send()
        return self._sock.sendto(data, where)

    def recvmsg(self, size: int, ancillary: int = 0, flags: int = 0) -> Any:
        if not flags:
            self.reads += 1
            self._receive()
        return self._sock.recvmsg(size, ancillary, flags)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)


def failing(number: int, times: int = 1_000_000) -> Callable[[], None]:
    left = [times]

    def fail() -> None:
        if left[0]:
            left[0] -= 1
            raise OSError(number, os.strerror(number))

    return fail


async def ping(engine: EchoEngine, *, host: str = "127.0.0.1", timeout: float = 0.3) -> Outcome:
    spec = TypeAdapter(probes.KINDS["icmp"].spec).validate_python({"host": host, "packets": 3, "spacing": "2ms"})
    async with Workbench(lambda: datetime.now(UTC), nameservers=()) as workbench:
        workbench._echo = engine
        outcome = await probes.run("icmp", spec, workbench, timeout=timeout)
    assert outcome.seconds < timeout + 0.25
    return outcome


SENDING = [
    ("our firewall drops what we send", errno.EPERM, Reason.OWN_PERMISSION),
    ("our uplink is gone", errno.ENETUNREACH, Reason.OWN_NETWORK),
    ("our interface is down", errno.ENETDOWN, Reason.OWN_NETWORK),
    ("we have no source address", errno.EADDRNOTAVAIL, Reason.OWN_NETWORK),
    ("we have no memory", errno.ENOMEM, Reason.OWN_MEMORY),
    ("the send buffer stays full", errno.EAGAIN, Reason.OWN_OVERLOAD),
    ("the device's queue stays full", errno.ENOBUFS, Reason.OWN_OVERLOAD),
]


@needs_icmp
@pytest.mark.parametrize(("sentence", "number", "reason"), SENDING, ids=[case[0] for case in SENDING])
async def test_what_cannot_be_sent_is_not_lost(sentence: str, number: int, reason: Reason) -> None:
    outcome = await ping(EchoEngine(os.urandom, open_socket=Faulty(send=failing(number)).open))
    assert (outcome.seen, outcome.reason) == (Seen.BLIND, reason)
    assert (outcome.facts["sent"], "loss" in outcome.facts) == (0, False)


@needs_icmp
@pytest.mark.parametrize("number", [errno.EAGAIN, errno.EHOSTUNREACH, errno.EINTR])
async def test_a_passing_trouble_of_the_socket_costs_no_packet(number: int) -> None:
    """The pending error of another link's packet, or a buffer that was full for a moment."""
    outcome = await ping(EchoEngine(os.urandom, open_socket=Faulty(send=failing(number, 2)).open), timeout=2.0)
    assert (outcome.seen, outcome.facts["received"]) == (Seen.OK, 3)


@needs_icmp
@pytest.mark.parametrize("number", [errno.EIO, errno.ENOMEM, errno.EHOSTUNREACH])
async def test_a_socket_that_cannot_be_read_ends_the_run_and_is_no_busy_loop(number: int) -> None:
    faulty = Faulty(receive=failing(number))
    outcome = await ping(EchoEngine(os.urandom, open_socket=faulty.open))
    assert (outcome.seen, outcome.reason.ours) == (Seen.BLIND, True)
    assert faulty.reads <= 20
    assert outcome.seconds < 0.2


@needs_icmp
async def test_after_it_the_next_run_opens_another_socket() -> None:
    engine = EchoEngine(os.urandom, open_socket=Faulty(receive=failing(errno.EIO, 1)).open)
    loop = asyncio.get_running_loop()
    first = await engine.ping("127.0.0.1", Plan(count=1), until=loop.time() + 0.3)
    second = await engine.ping("127.0.0.1", Plan(count=1), until=loop.time() + 0.3)
    await engine.aclose()
    assert (first.rtts, first.refused is not None, len(second.rtts)) == ([], True, 1)


OPENING = [
    ("no descriptor is left", errno.EMFILE, Reason.OWN_FDS),
    ("the host has none left", errno.ENFILE, Reason.OWN_FDS),
    ("no memory is left", errno.ENOMEM, Reason.OWN_MEMORY),
    ("the capability was taken", errno.EPERM, Reason.OWN_PERMISSION),
    ("the host has no such family", errno.EAFNOSUPPORT, Reason.OWN_NETWORK),
]


@pytest.mark.parametrize(("sentence", "number", "reason"), OPENING, ids=[case[0] for case in OPENING])
async def test_no_socket_is_blind(sentence: str, number: int, reason: Reason, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(echo_socket, "socket", Kernel(number))
    outcome = await ping(EchoEngine(os.urandom))
    assert (outcome.seen, outcome.reason) == (Seen.BLIND, reason)


class Kernel:
    """The socket module of a host that refuses ICMP sockets."""

    def __init__(self, number: int) -> None:
        self._number = number

    def socket(self, *_: Any) -> socket.socket:
        raise OSError(self._number, os.strerror(self._number))

    def __getattr__(self, name: str) -> Any:
        return getattr(socket, name)


def test_who_lacks_the_permission_is_told_the_line_to_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(echo_socket, "socket", Kernel(errno.EPERM))
    with pytest.raises(ProbeError) as caught:
        open_echo_socket(socket.AF_INET)
    assert caught.value.reason is Reason.OWN_PERMISSION
    assert 'sysctl -w net.ipv4.ping_group_range="0 2147483647"' in caught.value.detail
    assert "CAP_NET_RAW" in caught.value.detail
    assert len(caught.value.detail) <= 200


STEPS = [1, -1, 0.002, -0.002, 3600, -3600, 365 * 86400, -365 * 86400]


@needs_icmp
@pytest.mark.parametrize("step", STEPS)
async def test_a_step_of_the_wall_clock_while_we_wait_does_not_touch_a_round_trip(step: float) -> None:
    """The kernel stamps with one clock, the engine reads another that is `step` seconds off from the third packet on."""
    sent = 0
    offset = 0

    def count() -> None:
        nonlocal sent, offset
        sent += 1
        if sent == 3:
            offset = int(step * 1e9)

    faulty = Faulty(send=count)
    engine = EchoEngine(os.urandom, wall=lambda: time.time_ns() + offset, open_socket=faulty.open)
    loop = asyncio.get_running_loop()
    echoes = await engine.ping("127.0.0.1", Plan(count=6, spacing=0.005), until=loop.time() + 1)
    await engine.aclose()
    assert len(echoes.rtts) == 6
    assert all(0 <= rtt < 0.1 for rtt in echoes.rtts)


class Busy(Faulty):
    """The loop stands still between sending and reading; the kernel has answered long before."""

    def sendto(self, data: bytes, where: Any) -> int:
        count = super().sendto(data, where)
        until = time.monotonic() + 0.1
        while time.monotonic() < until:
            pass
        return count


@needs_icmp
async def test_a_busy_loop_does_not_lengthen_the_round_trip() -> None:
    engine = EchoEngine(os.urandom, open_socket=Busy().open)
    until = asyncio.get_running_loop().time() + 1
    echoes = await engine.ping("127.0.0.1", Plan(count=2, spacing=0.004), until=until)
    await engine.aclose()
    assert len(echoes.rtts) == 2
    assert max(echoes.rtts) < 0.05
