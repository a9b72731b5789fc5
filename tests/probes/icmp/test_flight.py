"""Packets and their echoes, to the byte."""

import asyncio
import os
import socket

import pytest

from probes.echo_batch import OneByOne
from probes.echo_flight import TOKEN, Door, Flight, Plan, Targets, target
from probes.echo_sweep import Sweep
from tests.probes.icmp.province import checksum

DOORS = [
    ("raw v4", socket.AF_INET, True),
    ("unprivileged v4", socket.AF_INET, False),
    ("raw v6", socket.AF_INET6, True),
]


MANY = 128


def flight(family: int, raw: bool, count: int, size: int, noise: bytes, *, sweep: bool = False) -> Flight | Sweep:
    with socket.socket() as sock:
        door = Door(sock, OneByOne(sock), family, raw=raw, born=0.0)
    address = "192.0.2.1" if family == socket.AF_INET else "2001:db8::1"
    targets, plan, end = [target(address)] * count, Plan(count=count, size=size), asyncio.Future()
    return Sweep(door, Targets(targets), plan, noise, end) if sweep else Flight(door, targets, plan, noise, end)


def echo_of(flight: Flight | Sweep, index: int) -> bytes:
    return flight.expected(index) if isinstance(flight, Sweep) else flight.expected[index]


@pytest.mark.parametrize("size", [8, 56, 57])
@pytest.mark.parametrize(("name", "family", "raw"), DOORS, ids=[case[0] for case in DOORS])
async def test_a_sweeps_packets_are_those_that_would_be_made_one_by_one(
    name: str, family: int, raw: bool, size: int
) -> None:
    noise = os.urandom(2) + b"\xff\xf0" + os.urandom(TOKEN * MANY)
    many = flight(family, raw, MANY, size, noise, sweep=True)
    for start in (0, 100):  # Past the wrap of the sequence as well.
        first = ((0xFFF0 + start) & 0xFFFF).to_bytes(2, "big")
        few = flight(family, raw, 20, size, noise[:2] + first + noise[4 + start * TOKEN : 4 + (start + 20) * TOKEN])
        for index in range(20):
            assert few.request(index) == many.request(start + index)
            assert echo_of(few, index) == echo_of(many, start + index)


@pytest.mark.parametrize("sweep", [False, True])
@pytest.mark.parametrize("size", [8, 56, 57])
async def test_a_checksum_is_right_and_never_one_that_may_be_written_in_two_ways(sweep: bool, size: int) -> None:
    """0x0000 and 0xFFFF are the same to the Internet checksum: an echo that may bear either cannot be known by its bytes."""
    for word in (0, 1, 0x7FFF, 0xFFFE, 0xFFFF):  # The first and the last would come to nothing.
        noise = b"\0\0" + b"\0\0" + bytes(6) + word.to_bytes(2, "big") + bytes(TOKEN)
        one = flight(socket.AF_INET, True, 2, size, noise, sweep=sweep)
        request, echo = one.request(0), echo_of(one, 0)
        assert checksum(request[:2] + b"\0\0" + request[4:]) % 0xFFFF == int.from_bytes(request[2:4], "big") % 0xFFFF
        assert echo == b"\0\0" + checksum(b"\0\0\0\0" + request[4:]).to_bytes(2, "big") + request[4:]
        assert echo[2:4] not in (b"\0\0", b"\xff\xff")
