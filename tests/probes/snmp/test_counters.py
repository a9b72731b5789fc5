"""Counters that wrap, are reset and stand still, told by a real snmpd out of a table that the test rewrites; and the little agent."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

import probes
from monitor.sandbox.faults import Condition
from monitor.sandbox.snmp_server import COMMUNITY as SANDBOX
from monitor.sandbox.snmp_server import WAN, Agent
from probes import Outcome, Reason, Secret, Seen, Workbench
from probes.snmp import MOST_KEPT, Kept
from tests.probes.snmp.snmpd import COMMUNITY, passing, snmpd, tell

IF, X = "1.3.6.1.2.1.2.2.1", "1.3.6.1.2.1.31.1.1.1"


def spec_of(keys: Mapping[str, Any]) -> Any:
    kind: Any = probes.KINDS["snmp"].spec
    return TypeAdapter(kind).validate_python(dict(keys))


def table(
    octets_in: int, octets_out: int = 0, *, oper: int = 1, admin: int = 1, name: str = "wan", index: int = 7, mbit: int = 1000,
    wide: bool = True, errors: int = 0,
) -> Mapping[str, tuple[str, object]]:  # fmt: skip
    rows: dict[str, tuple[str, object]] = {
        f"{IF}.2.{index}": ("string", name),
        f"{IF}.5.{index}": ("gauge", min(mbit * 1_000_000, 2**32 - 1)),
        f"{IF}.7.{index}": ("integer", admin),
        f"{IF}.8.{index}": ("integer", oper),
        f"{IF}.10.{index}": ("counter", octets_in % 2**32),
        f"{IF}.13.{index}": ("counter", 0),
        f"{IF}.14.{index}": ("counter", errors),
        f"{IF}.16.{index}": ("counter", octets_out % 2**32),
        f"{IF}.19.{index}": ("counter", 0),
        f"{IF}.20.{index}": ("counter", 0),
    }
    if wide:
        rows |= {
            f"{X}.1.{index}": ("string", name),
            f"{X}.6.{index}": ("counter64", octets_in),
            f"{X}.10.{index}": ("counter64", octets_out),
            f"{X}.15.{index}": ("gauge", mbit),
            f"{X}.19.{index}": ("timeticks", 0),
        }
    return rows


class Device:
    """The snmpd, and its table."""

    def __init__(self, port: int, file: Path) -> None:
        self.port, self.file = port, file

    def tell(self, octets_in: int, octets_out: int = 0, **more: Any) -> None:
        tell(self.file, table(octets_in, octets_out, **more))

    def watched(self, story: Callable[[Callable[..., Awaitable[Outcome]]], Awaitable[None]], **keys: Any) -> None:
        """Play a story in which `look()` runs the check once more, a second or more after the last time."""
        fixed = {"host": "127.0.0.1", "port": self.port, "community": Secret(COMMUNITY), "interfaces": "wan"}
        spec = spec_of({**fixed, **keys})

        async def play() -> None:
            async with Workbench(lambda: datetime.now(UTC)) as workbench:

                async def look(wait: float = 1.05) -> Outcome:
                    await asyncio.sleep(wait)
                    return await probes.run("snmp", spec, workbench, timeout=3)

                await story(look)

        asyncio.run(play())


@pytest.fixture(scope="module")
def device(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Device]:
    folder = tmp_path_factory.mktemp("snmpd")
    file = folder / "table"
    tell(file, table(0))
    more = "\n".join(passing(root, file) for root in (f".{IF}", f".{X}"))
    with snmpd(folder, more) as port:
        yield Device(port, file)


def rate(outcome: Outcome, way: str = "in") -> float | None:
    """In octets since the reading before."""
    bits = outcome.facts.get(f"{way}_bits_per_second")
    return None if bits is None else bits / 8 * outcome.facts["interval_seconds"]


WRAPS = [
    ("64 bits", 2**64 - 1_000_000, True),
    ("32 bits", 2**32 - 1_000_000, False),
]


@pytest.mark.parametrize(("sentence", "start", "wide"), WRAPS, ids=[case[0] for case in WRAPS])
def test_traffic_across_a_wrap_of(sentence: str, start: int, wide: bool, device: Device) -> None:
    size = 2**64 if wide else 2**32

    async def story(look: Callable[..., Awaitable[Outcome]]) -> None:
        device.tell(start, start, wide=wide)
        first = await look(0)
        assert first.seen is Seen.OK, first.detail
        assert rate(first) is None
        device.tell((start + 3_000_000) % size, start + 1000, wide=wide)
        second = await look()
        assert rate(second) == pytest.approx(3_000_000)
        assert rate(second, "out") == pytest.approx(1000)
        share = second.facts["in_bits_per_second"] / 100e6
        assert second.facts["in_utilisation"] == pytest.approx(share)

    device.watched(story, capacity="100Mbit")


def test_a_counter_that_was_cleared_is_no_traffic_and_the_next_is(device: Device) -> None:
    async def story(look: Callable[..., Awaitable[Outcome]]) -> None:
        device.tell(5_000_000_000_000)
        await look(0)
        device.tell(2000)
        assert rate(await look()) is None
        device.tell(502_000)
        assert rate(await look()) == pytest.approx(500_000)
        assert rate(await look()) == 0  # Stuck: nothing moves, and nothing is made up.

    device.watched(story)


def test_an_agent_that_renews_its_counters_now_and_then_loses_no_traffic(device: Device) -> None:
    """It runs ahead of the line, and then stands still: the interval goes on until it is believable."""

    async def story(look: Callable[..., Awaitable[Outcome]]) -> None:
        device.tell(0, mbit=1)
        await look(0)
        device.tell(400_000, mbit=1)
        assert rate(await look()) is None
        seen = await look()
        assert rate(seen) == pytest.approx(400_000)
        assert seen.facts["interval_seconds"] > 2

    device.watched(story)


def test_a_line_that_is_down_is_named_and_one_that_is_switched_off_is_not(device: Device) -> None:
    async def story(look: Callable[..., Awaitable[Outcome]]) -> None:
        device.tell(1, oper=2)
        down = await look(0)
        assert (down.seen, down.reason) == (Seen.FAILED, Reason.SNMP)
        assert down.detail == "wan is down, and should be up"
        assert down.facts["interfaces_up"] == 0
        device.tell(1, oper=7)
        assert "lower layer down" in (await look(0)).detail
        device.tell(1, oper=2, admin=2)
        assert (await look(0)).seen is Seen.OK
        device.tell(1, oper=5)
        assert (await look(0)).seen is Seen.OK

    device.watched(story)


def test_a_name_is_followed_when_its_number_changes(device: Device) -> None:
    async def story(look: Callable[..., Awaitable[Outcome]]) -> None:
        device.tell(1_000_000, index=7)
        await look(0)
        tell(device.file, {**table(99, name="lan", index=7), **table(1_000_500, name="wan", index=9)})
        moved = await look()
        assert moved.seen is Seen.OK, moved.detail
        assert rate(moved) is None  # What was counted under the old number is not this interface's.
        tell(device.file, {**table(99, name="lan", index=7), **table(1_001_000, name="wan", index=9)})
        assert rate(await look()) == pytest.approx(500)
        tell(device.file, table(99, name="lan", index=7))
        gone = await look()
        assert (gone.reason, gone.detail) == (Reason.SNMP, "there is no interface wan; the device has: lan")

    device.watched(story)


def test_of_several_interfaces_the_fullest_counts_and_their_traffic_is_added(device: Device) -> None:
    async def story(look: Callable[..., Awaitable[Outcome]]) -> None:
        tell(device.file, {**table(0, 0, name="wan", index=7), **table(0, 0, name="wan2", index=8)})
        await look(0)
        tell(device.file, {**table(100_000, 5000, name="wan", index=7), **table(300_000, 1000, name="wan2", index=8)})
        found = await look()
        passed = found.facts["interval_seconds"]
        assert rate(found) == pytest.approx(400_000)
        assert found.facts["in_utilisation"] == pytest.approx(300_000 * 8 / passed / 10e6)
        assert found.facts["out_utilisation"] == pytest.approx(5000 * 8 / passed / 10e6)

    device.watched(story, interfaces=["wan", "wan2"], capacity=10)


def test_a_tunnel_that_names_too_low_a_speed_is_believed_up_to_what_was_ordered(device: Device) -> None:
    async def story(look: Callable[..., Awaitable[Outcome]]) -> None:
        device.tell(0, mbit=1)
        await look(0)
        device.tell(1_000_000, mbit=1)
        assert rate(await look()) == pytest.approx(1_000_000)

    device.watched(story, capacity="100Mbit")


def test_packets_in_error_are_counted(device: Device) -> None:
    async def story(look: Callable[..., Awaitable[Outcome]]) -> None:
        device.tell(1, errors=10)
        await look(0)
        device.tell(1, errors=30)
        found = await look()
        assert found.facts["errors_per_second"] * found.facts["interval_seconds"] == pytest.approx(20)

    device.watched(story)


def test_a_second_look_within_a_second_does_not_spoil_the_rate(device: Device) -> None:
    """A fast recheck reads the same counters again: the interval goes on from the reading before."""

    async def story(look: Callable[..., Awaitable[Outcome]]) -> None:
        device.tell(0)
        await look(0)
        device.tell(1_000_000)
        hasty = await look(0.1)
        assert rate(hasty) is None
        assert rate(await look(1.0)) == pytest.approx(1_000_000)

    device.watched(story)


# What is kept.


async def test_what_is_remembered_of_checks_is_bounded() -> None:
    async with Workbench(lambda: datetime.now(UTC)) as workbench:
        now = time.monotonic()
        workbench.kept["snmp readings"] = {number: Kept(now) for number in range(MOST_KEPT + 100)}
        workbench.kept["snmp readings"][0].seen_at = now - 4000
        keys = {"host": "127.0.0.1", "port": 9, "community": Secret("x")}
        spec = spec_of(keys)
        await probes.run("snmp", spec, workbench, timeout=0.2)
        shelf = workbench.kept["snmp readings"]
        assert len(shelf) == MOST_KEPT
        assert spec.key in shelf


# The little agent.


async def test_the_little_agent_is_a_device_like_any_other() -> None:
    weather, clock = {"now": Condition()}, {"now": 0.0}
    loop = asyncio.get_running_loop()
    agent = Agent(lambda: weather["now"], lambda: clock["now"], mbit=100, load=(0.5, 0.25))
    transport, _ = await loop.create_datagram_endpoint(lambda: agent, local_addr=("127.0.0.1", 0))
    port = transport.get_extra_info("sockname")[1]
    keys = {"host": "127.0.0.1", "port": port, "community": Secret(SANDBOX), "interfaces": [WAN], "capacity": "100Mbit"}
    spec = spec_of(keys)
    async with Workbench(lambda: datetime.now(UTC)) as workbench:

        async def look(timeout: float = 2.0) -> Outcome:
            return await probes.run("snmp", spec, workbench, timeout=timeout)

        assert (await look()).seen is Seen.OK
        began = time.monotonic()
        await asyncio.sleep(1.1)
        clock["now"] = time.monotonic() - began
        fine = await look()
        assert fine.facts["in_utilisation"] == pytest.approx(0.5, rel=0.1)
        assert fine.facts["out_utilisation"] == pytest.approx(0.25, rel=0.1)
        weather["now"] = Condition(wrong=True)
        assert (await look()).detail == "wan is down, and should be up"
        weather["now"] = Condition(delay=0.2)
        assert (await look()).seconds > 0.2
        weather["now"] = Condition(cut=True)
        assert (await look(0.4)).reason is Reason.TIMEOUT
    transport.close()
