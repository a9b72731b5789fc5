"""The links' scenes: every run is counted once, and what is held against the kernel's stamps is the same packet."""

import asyncio
import socket
import struct

import pytest

from tests.bench.__main__ import scenes
from tests.bench.links import measure
from tests.bench.links_truth import PACKET_HOST, PACKET_OUTGOING, Truth, errors
from tests.probes.icmp.province import needs_icmp


@needs_icmp
def test_every_run_is_counted_and_none_is_missing() -> None:
    said = asyncio.run(measure({"links": 6, "every": 1, "timeout": 0.9, "before": 0.1, "seconds": 1.0}))
    assert (said["missing"], said["failed"], said["blind"], said["lost"]) == (0, 0, 0, 0)
    assert 4 <= said["ok"] <= 8
    assert said["sent"] == 5 * said["ok"]
    assert 0 <= said["late50"] <= said["late99"] <= said["latemax"]


def test_the_scenes_of_links_are_found() -> None:
    assert {"links-load", "links-dark", "links-truth"} <= {scene.name for scene in scenes()}


def seen(kind: int, type_: int, token: bytes, stamp: int, target: str = "127.0.0.9") -> tuple[bytes, bytes, int, None]:
    """A packet as a tap gives it."""
    head = bytes(9) + b"\x01" + bytes(2) + socket.inet_aton("127.0.0.1") + socket.inet_aton(target)
    return head + bytes([type_]) + bytes(7) + token, struct.pack("=HHiHBB8x", 17, 0x0800, 1, 772, kind, 6), stamp, None


def test_a_true_round_trip_is_from_the_request_leaving_to_its_echo_coming() -> None:
    truth = Truth()
    one, other = b"12345678", b"87654321"
    truth.take([seen(PACKET_OUTGOING, 8, other, 500_000), seen(PACKET_OUTGOING, 8, one, 100_000)])
    truth.take([seen(PACKET_HOST, 8, one, 1), seen(PACKET_OUTGOING, 0, one, 2)])  # The other two sights of them.
    truth.take([seen(PACKET_HOST, 0, one, 104_000), seen(PACKET_HOST, 0, other, 507_000)])
    assert truth.by_address() == {"127.0.0.9": pytest.approx([4e-6, 7e-6])}


def test_the_error_is_that_of_each_packet_whichever_way() -> None:
    said = errors({"a": [5e-6, 9e-6], "b": [1e-6]}, {"a": [4e-6, 19e-6], "b": [1e-6]})
    assert said == {"p50": pytest.approx(1), "p99": pytest.approx(10), "true": pytest.approx(4), "count": 3}


def test_who_saw_too_little_does_not_judge() -> None:
    with pytest.raises(RuntimeError, match="0 of 2"):
        errors({"a": [5e-6, 9e-6]}, {"a": [4e-6]})
