"""The box tells the truth about itself: what its script breaks is broken, nothing else is, and it works again afterwards."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from monitor.sandbox import BoxProcess, Fault, Pace, communes, free_port, new_secret, plan
from monitor.sandbox.box import ANCHORS, CONG, HUB, LGSP, MOTCUA
from monitor.sandbox.faults import Condition
from monitor.sandbox.servers import Listener
from tests.story.truth import cuts, seconds_in

PACE = Pace(systems=1.0, links=1.0)
PEOPLE = communes()


class Tried:
    """A box, and one question to one of its servers at a time."""

    def __init__(self, box: BoxProcess, port: int, folder: Path) -> None:
        self.box, self.port, self.folder = box, port, folder

    async def ask(self, host: str, text: str, *, port: int = 0, context: ssl.SSLContext | None = None) -> str:
        """What comes back within half a second; `silence`, `refused` or `expired` when nothing does."""
        writer: asyncio.StreamWriter | None = None
        try:
            async with asyncio.timeout(0.5):
                reader, writer = await asyncio.open_connection(host, port or self.port, ssl=context)
                writer.write(text.encode())
                return (await reader.read()).decode()
        except TimeoutError:
            return "silence"
        except ConnectionRefusedError:
            return "refused"
        except ssl.SSLCertVerificationError as error:
            return "expired" if error.verify_code == 10 else f"verify {error.verify_code}"
        finally:
            if writer is not None:
                writer.transport.abort()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()

    async def link(self, index: int) -> str:
        return await self.ask(PEOPLE[index].address, "ping x\n")

    async def page(self, host: str, path: str = "/") -> str:
        return await self.ask(host, f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n")


@pytest.fixture
async def tried(tmp_path: Path) -> AsyncIterator[Tried]:
    port = free_port()
    async with BoxProcess(tmp_path, port, new_secret(), PACE) as box:
        events = asyncio.create_task(_listen(box))
        yield Tried(box, port, tmp_path)
        events.cancel()


async def _listen(box: BoxProcess) -> None:
    async for _ in box.events():
        pass


def fault(kind: str, target: str = "") -> Fault:
    return Fault(kind=kind, target=target, after=0, lasts=1)  # type: ignore[arg-type]


async def test_a_cut_link_is_silent_and_its_neighbour_is_not(tried: Tried) -> None:
    broken = fault("link", f"tslcd.{PEOPLE[0].code}")
    await tried.box.begin(broken)
    await asyncio.sleep(0.1)
    assert await tried.link(0) == "silence"
    assert (await tried.link(1)).startswith("pong x")
    await tried.box.end(broken)
    await asyncio.sleep(0.1)
    assert (await tried.link(0)).startswith("pong x")


async def test_a_carrier_takes_its_own_links_and_no_others(tried: Tried) -> None:
    await tried.box.begin(fault("carrier", "viettel"))
    await asyncio.sleep(0.1)
    answers = await asyncio.gather(*(tried.link(index) for index in range(129)))
    silent = {index for index, answer in enumerate(answers) if answer == "silence"}
    assert silent == {index for index, commune in enumerate(PEOPLE) if commune.carrier == "viettel"}


async def test_the_hub_takes_everything_but_the_anchors_and_the_uplink_these_too(tried: Tried) -> None:
    hub = fault("hub")
    await tried.box.begin(hub)
    await asyncio.sleep(0.1)
    assert await tried.ask(HUB, "ping x\n") == "silence"
    assert await tried.page(MOTCUA) == "silence"
    assert (await tried.ask(ANCHORS[0], "ping x\n")).startswith("pong")
    await tried.box.end(hub)
    await tried.box.begin(fault("uplink"))
    await asyncio.sleep(0.1)
    assert await tried.ask(ANCHORS[0], "ping x\n") == "silence"


async def test_a_wrong_page_is_a_200_with_an_error_on_it(tried: Tried) -> None:
    assert "một cửa" in await tried.page(MOTCUA)
    await tried.box.begin(fault("wrong_page", "motcua"))
    await asyncio.sleep(0.1)
    page = await tried.page(MOTCUA)
    assert page.startswith("HTTP/1.1 200")
    assert "một cửa" not in page


async def test_a_slow_page_is_late_but_right(tried: Tried) -> None:
    await tried.box.begin(fault("slow", "motcua"))
    await asyncio.sleep(0.1)
    began = asyncio.get_running_loop().time()
    assert "một cửa" in await tried.page(MOTCUA)
    assert asyncio.get_running_loop().time() - began >= PACE.slow * 0.95


async def test_a_refused_service_does_not_listen_and_comes_back(tried: Tried) -> None:
    refused = fault("refused", "lgsp")
    await tried.box.begin(refused)
    await asyncio.sleep(0.2)
    assert await tried.page(LGSP) == "refused"
    await tried.box.end(refused)
    await asyncio.sleep(0.2)
    assert "401" in await tried.page(LGSP, "/health")


async def test_an_expired_certificate_is_expired_and_then_good_again(tried: Tried) -> None:
    context = ssl.create_default_context(cafile=str(tried.folder / "ca.pem"))
    request = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    assert "200 OK" in await tried.ask(CONG, request, context=context)
    ran_out = fault("certificate", "cong_ttdt")
    await tried.box.begin(ran_out)
    await asyncio.sleep(0.2)
    assert await tried.ask(CONG, request, context=context) == "expired"
    await tried.box.end(ran_out)
    await asyncio.sleep(0.2)
    assert "200 OK" in await tried.ask(CONG, request, context=context)


async def test_lgsp_hands_out_tokens_only_for_the_right_grant(tried: Tried) -> None:
    def post(body: str) -> str:
        return f"POST /token HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n{body}"

    assert "access_token" in await tried.ask(LGSP, post("grant_type=client_credentials"))
    assert "400" in (await tried.ask(LGSP, post("grant_type=password"))).splitlines()[0]


async def test_the_truth_file_has_every_edge_to_the_millisecond(tried: Tried) -> None:
    broken = fault("link", f"tslcd.{PEOPLE[5].code}")
    before = datetime.now(UTC)
    await tried.box.begin(broken)
    await asyncio.sleep(0.4)
    await tried.box.end(broken)
    await asyncio.sleep(0.2)
    (cut,) = cuts(tried.folder / "truth.jsonl")
    assert before <= cut.start < cut.end <= datetime.now(UTC)
    assert cut.root == broken.target
    assert seconds_in([(cut.start, cut.end)], before, cut.end) == pytest.approx(0.4, abs=0.1)


async def test_the_box_dies_with_whoever_started_it(tmp_path: Path) -> None:
    box = BoxProcess(tmp_path, free_port(), new_secret(), PACE)
    await box.__aenter__()
    process = box._process
    assert process is not None
    assert process.stdin is not None
    process.stdin.close()
    assert await asyncio.wait_for(process.wait(), 5) == 0


def test_there_are_129_communes_of_three_former_provinces_on_addresses_of_their_own() -> None:
    people = communes()
    assert len({c.code for c in people}) == len({c.address for c in people}) == 129
    former = [c.province for c in people]
    assert {name: former.count(name) for name in set(former)} == {"Hà Nam": 33, "Nam Định": 57, "Ninh Bình": 39}


def test_a_carriers_fault_names_all_it_takes() -> None:
    people = communes()
    root, nodes = plan(people).hit(fault("carrier", "vnpt"))
    mine = [c.code for c in people if c.carrier == "vnpt"]
    assert root == "carrier.vnpt"
    assert nodes == {f"tslcd.{code}" for code in mine} | {f"hnth.{code}" for code in mine}


def test_a_commune_without_power_is_silent_by_every_way_and_a_cut_link_by_one() -> None:
    people = communes()
    assert sum(bool(c.second) for c in people) == 43
    assert len({c.second for c in people} | {c.address for c in people}) == 129 + 43 + 1
    code = people[0].code
    ways = {f"tslcd.{code}", f"hnth.{code}"}
    assert plan(people).hit(fault("site", f"tslcd.{code}")) == (f"tslcd.{code}", ways | {f"second.{code}"})
    assert plan(people).hit(fault("link", f"tslcd.{code}")) == (f"tslcd.{code}", ways)


async def test_two_faults_that_turn_at_once_leave_one_server_listening() -> None:
    listener = Listener(HUB, free_port(), Condition, asyncio.Protocol)
    try:
        await asyncio.gather(*(listener.sync() for _ in range(3)))  # Without their turns: "address already in use".
    finally:
        listener.close()
