"""When the packets of a batch left, what is done when nobody knows, and that a slot of the reading holds nothing of the packet before."""

import asyncio
import os
import socket
import time

import pytest

from probes.echo import EchoEngine
from probes.echo_batch import Batch, receiver
from probes.echo_sweep import BATCH, INTERRUPTED, departures
from tests.probes.icmp.province import needs_icmp

PACKET = 6_000
"""Nanoseconds that sending one takes."""


def calls(*, count: int = 14, size: int = BATCH, interrupted: int | None = None, gap: int = 3_000_000) -> list[int]:
    """The beginnings of so many calls and the end of the last, one of them longer by a gap."""
    edges = [10**15]
    for call in range(count):
        edges.append(edges[-1] + size * PACKET + (gap if call == interrupted else 0))
    return edges


def test_the_packets_of_a_call_left_evenly_spread_over_it() -> None:
    edges = calls(count=3)
    left, unsure = departures(edges, [BATCH] * 3)
    assert left.tolist() == [edges[0] + PACKET * place + PACKET // 2 for place in range(3 * BATCH)]
    assert unsure == []


def test_a_last_call_may_be_short() -> None:
    left, unsure = departures([0, 16_000, 18_000], [16, 2])
    assert left.tolist()[-3:] == [15_500, 16_500, 17_500]
    assert unsure == []


def test_the_packets_of_an_interrupted_call_are_unsure_and_those_of_others_are_not_touched() -> None:
    edges = calls(interrupted=5)
    left, unsure = departures(edges, [BATCH] * 14)
    assert left.tolist() == [edges[at // BATCH] + PACKET * (at % BATCH) + PACKET // 2 for at in range(14 * BATCH)]
    assert unsure == list(range(5 * BATCH, 6 * BATCH))


def test_a_call_that_is_a_little_long_was_not_interrupted() -> None:
    assert departures(calls(interrupted=5, gap=INTERRUPTED - 1), [BATCH] * 14)[1] == []


@needs_icmp
async def test_whose_packet_left_nobody_knows_when_is_asked_again_and_nobody_else() -> None:
    """Our core is taken for 20 ms in the midst of sending, before a call that is thought to have begun."""
    readings = 0

    def clock() -> int:
        nonlocal readings
        readings += 1
        moment = now = time.monotonic_ns()
        while readings == 20 and now < moment + 20_000_000:
            now = time.monotonic_ns()
        return moment

    engine = EchoEngine(os.urandom, monotonic=clock)
    noise: list[int] = []
    engine._entropy = lambda count: (noise.append(count), os.urandom(count))[1]
    addresses = [f"127.0.5.{number}" for number in range(1, 251)] * 4
    seen = await engine.sweep(addresses, until=asyncio.get_running_loop().time() + 3)
    await engine.aclose()
    assert all(rtt is not None and 0 < rtt < 0.02 for rtt in seen)
    assert noise[0] == 4 + 8 * len(addresses)
    assert 0 < sum(noise[1:]) < noise[0] // 2


@needs_icmp
@pytest.mark.parametrize("size", [8, 57, 200, 201, 1400])
@pytest.mark.parametrize("address", ["127.0.4.1", "::1"])
async def test_a_sweep_of_any_size_of_packet(address: str, size: int) -> None:
    engine = EchoEngine(os.urandom)
    seen = await engine.sweep([address] * 600, until=asyncio.get_running_loop().time() + 3, size=size)
    await engine.aclose()
    assert None not in seen


@needs_icmp
async def test_a_token_whose_checksum_would_be_nought_is_replaced() -> None:
    """0 and 0xFFFF are the same to the one who verifies, and the kernel may answer with either: every packet's is made to be so."""

    def noise(count: int) -> bytes:
        tokens = (count - 4) // 8
        words = [0xFFFF - (0x1234 + number) % 0xFFFF for number in range(tokens)]
        return b"\x12\x34\x00\x00" + b"".join(word.to_bytes(8, "big") for word in words)

    engine = EchoEngine(noise)
    seen = await engine.sweep(["127.0.4.1"] * 2000, until=asyncio.get_running_loop().time() + 3)
    await engine.aclose()
    assert None not in seen


def test_a_slot_is_as_new_for_each_reading() -> None:
    """Every packet's length and control data are its own, whatever was read into the slot before."""
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    batch = receiver(one)
    assert isinstance(batch, Batch)
    batch._length = 0
    try:
        for sizes in ([9, 5, 7], [200], [3, 250], []):
            for size in sizes:
                other.send(bytes([size]) * size)
            assert [packet[0] for packet in batch.take(256)] == [bytes([size]) * size for size in sizes]
    finally:
        one.close()
        other.close()
