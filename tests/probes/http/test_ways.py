"""The way to the page: TLS, families, names, proxies, HTTP/2. What the certificate says is known even when it is refused."""

import asyncio
import contextlib
import socket
import ssl
from datetime import UTC, datetime, timedelta

import h2.config
import h2.connection
import h2.events
import pytest
import trustme

import probes.http2  # noqa: F401 - loaded with a configuration, never within the loop.
from probes.contract import Address, Family, ProbeError, Reason
from probes.secret import Secret
from probes.tools import Workbench
from tests.probes.http.box import answer, box, look, now, raw
from tests.probes.little import serving
from tests.probes.little import tls as secured

NOW = datetime.now(UTC)
CA = trustme.CA()


def context(*names, ca=CA, **keys):
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert(*names, **keys).configure_cert(server)
    return server


@pytest.fixture(scope="module")
def ca(tmp_path_factory):
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    CA.cert_pem.write_to_path(str(path))
    return str(path)


class Names:
    """A resolver out of a table that counts."""

    def __init__(self, **table):
        self.table = {name.replace("_", "."): ips for name, ips in table.items()}
        self.asked = []

    async def resolve(self, host: str, family: Family, deadline: float) -> tuple[Address, ...]:
        self.asked.append(host)
        known = self.table.get(host)
        if known is None:
            raise ProbeError(Reason.DNS_NXDOMAIN, f"{host} does not exist")
        return tuple(Address(socket.AF_INET6 if ":" in ip else socket.AF_INET, ip) for ip in known)

    async def aclose(self) -> None:
        return


def bench(**table):
    return Workbench(now, resolver=Names(**table))


LOCAL = ["127.0.0.1"]


async def test_h84_all_five_phases_of_a_page_over_tls(ca):
    async with bench(a_vn=LOCAL) as workbench, box(answer(b"hi"), tls=context("a.vn")) as server:
        outcome = await look(
            workbench, {"url": server.url(host="a.vn"), "tls": {"ca": ca}, "expect": {"tls": True, "body": "hi"}}
        )
    assert outcome.seen == "ok", outcome
    assert set(outcome.phases) == {"resolve", "connect", "tls", "processing", "transfer"}
    assert all(seconds >= 0 for seconds in outcome.phases.values())
    assert sum(outcome.phases.values()) <= outcome.seconds
    assert outcome.facts["tls"] == outcome.facts["verified"] == 1
    assert outcome.facts["tls_version"] == 1.3
    assert outcome.facts["certificate_days"] > 1


DAY = timedelta(days=1)
BAD = [
    ("T11 expired", lambda: context("a.vn", not_before=NOW - 9 * DAY, not_after=NOW - DAY), "tls_expired", -1),
    (
        "T13 not yet valid",
        lambda: context("a.vn", not_before=NOW + DAY, not_after=NOW + 9 * DAY),
        "tls_not_yet_valid",
        9,
    ),
    ("T14 for another name", lambda: context("b.vn", not_after=NOW + 9 * DAY), "tls_name", 9),
    (
        "of an authority nobody knows",
        lambda: context("a.vn", ca=trustme.CA(), not_after=NOW + 9 * DAY),
        "tls_unknown_ca",
        9,
    ),
]


@pytest.mark.parametrize(("sentence", "make", "reason", "days"), BAD, ids=[case[0] for case in BAD])
async def test_a_certificate_that_is_refused_is_told_all_the_same(sentence, make, reason, days, ca):
    async with bench(a_vn=LOCAL) as workbench, box(answer(), tls=make()) as server:
        outcome = await look(workbench, {"url": server.url(host="a.vn"), "tls": {"ca": ca}})
        assert outcome.reason == reason
        assert outcome.facts["certificate_days"] == pytest.approx(days, abs=0.1)
        assert "tls" in outcome.phases
        assert server.asked == []
        assert (await look(workbench, {"url": server.url(host="a.vn"), "tls": {"verify": False}})).seen == "ok"


async def hang(reader, writer):
    await asyncio.sleep(30)


async def shut(reader, writer):
    await reader.read(10)


async def plain(reader, writer):
    await reader.read(10)
    writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    await writer.drain()


HANDSHAKES = [
    ("T26 never answers our hello", hang, "timeout", "tls"),
    ("closes within the handshake", shut, "tls_handshake", ""),
    ("T25 speaks plain HTTP on the port", plain, "tls_plaintext", ""),
]


@pytest.mark.parametrize(("sentence", "talk", "reason", "words"), HANDSHAKES, ids=[case[0] for case in HANDSHAKES])
async def test_handshake(sentence, talk, reason, words):
    async with bench(a_vn=LOCAL) as workbench, raw(talk) as server:
        outcome = await look(workbench, {"url": f"https://a.vn:{server.port}/"}, timeout=1)
    assert outcome.reason == reason, outcome
    assert words in outcome.detail
    assert outcome.seconds < 1.25


async def test_h39_a_redirect_to_tls_asks_for_the_new_name(ca):
    seen = []
    tls = context("b.vn")
    tls.sni_callback = lambda _object, name, _context: seen.append(name)
    async with bench(a_vn=LOCAL, b_vn=LOCAL) as workbench, box(answer(), tls=tls) as second:
        place = answer(b"", 301, {"Location": second.url(host="b.vn")})
        async with box(place) as first:
            keys = {"url": first.url(host="a.vn"), "headers": {"Host": "old.vn"}, "tls": {"ca": ca}}
            outcome = await look(workbench, keys)
    assert outcome.seen == "ok", outcome
    assert (outcome.facts["redirects"], outcome.facts["tls"]) == (1, 1)
    assert first.asked[0].value("Host") == "old.vn"
    assert second.asked[0].value("Host") == f"b.vn:{second.port}"
    assert seen == ["b.vn"]


async def test_h80_an_own_host_is_the_name_of_the_certificate_too(ca):
    async with bench() as workbench, box(answer(), tls=context("a.vn")) as server:
        keys = {"url": server.url(), "headers": {"Host": "a.vn"}, "tls": {"ca": ca}}
        assert (await look(workbench, keys)).seen == "ok"


async def test_a_client_certificate_is_shown_when_asked_for(ca, tmp_path):
    tls = context("a.vn")
    tls.verify_mode = ssl.CERT_REQUIRED
    CA.configure_trust(tls)
    pem = tmp_path / "client.pem"
    CA.issue_cert("probe@a.vn").private_key_and_cert_chain_pem.write_to_path(str(pem))

    def reply(connection):
        connection.recv(65536)
        connection.sendall(answer(b"hi"))

    with serving(secured(tls, reply)) as port:
        async with bench(a_vn=LOCAL) as workbench:
            keys = {"url": f"https://a.vn:{port}/", "tls": {"ca": ca}}
            assert (await look(workbench, keys)).reason == "tls_client_cert"
            assert (await look(workbench, {**keys, "tls": {"ca": ca, "cert": str(pem)}})).seen == "ok"
            outcome = await look(workbench, {**keys, "tls": {"ca": ca, "cert": str(tmp_path / "none.pem")}})
            assert (outcome.seen, outcome.reason) == ("blind", "own_config")


# Names and families.


async def test_x37_a_dead_ipv6_does_not_hide_a_living_ipv4():
    """The dead one neither refuses nor answers: a listening socket whose queue is full."""
    with socket.socket(socket.AF_INET6) as dead:
        dead.bind(("::1", 0))
        dead.listen(0)
        port = dead.getsockname()[1]
        fillers = []
        for _ in range(4):
            filler = socket.socket(socket.AF_INET6)
            filler.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                filler.connect(("::1", port))
            fillers.append(filler)
        server = await asyncio.start_server(_ok, "127.0.0.1", port)
        try:
            async with bench(a_vn=["::1", "127.0.0.1"]) as workbench:
                outcome = await look(workbench, {"url": f"http://a.vn:{port}/"}, timeout=2)
            assert (outcome.seen, outcome.facts["ip_version"]) == ("ok", 4), outcome
            assert 0.2 < outcome.phases["connect"] < 1
        finally:
            server.close()
            for filler in fillers:
                filler.close()
    await asyncio.sleep(0)


async def _ok(reader, writer):
    await reader.readuntil(b"\r\n\r\n")
    writer.write(answer(b"hi"))
    writer.close()


async def test_both_families_refused_is_refused():
    async with bench(a_vn=["::1", "127.0.0.1"]) as workbench:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            outcome = await look(workbench, {"url": f"http://a.vn:{free.getsockname()[1]}/"})
    assert (outcome.seen, outcome.reason) == ("failed", "refused")


async def test_a_name_that_does_not_exist_is_the_names_fault():
    async with bench() as workbench:
        outcome = await look(workbench, {"url": "http://a.vn/"})
    assert (outcome.reason, "resolve" in outcome.phases) == ("dns_nxdomain", True)


async def test_x38_an_address_of_the_wrong_family():
    async with bench() as workbench:
        assert (await look(workbench, {"url": "http://127.0.0.1/", "family": "ipv6"})).reason == "dns_nodata"


# Proxies.


async def tunnel(reader, writer):
    """A proxy: CONNECT, and plain requests with a whole address in them."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    writer.heads = head
    method, target, _ = head.split(" ", 2)
    SEEN.append(head)
    if "Proxy-Authorization: Basic dTpw" not in head:
        writer.write(answer(b"who are you", 407))
        return
    if method != "CONNECT":
        writer.write(answer(target.encode()))
        return
    port = int(target.rpartition(":")[2])
    there, back = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")

    async def pump(source, sink):
        with contextlib.suppress(ConnectionError):
            while data := await source.read(65536):
                sink.write(data)
        sink.close()

    await asyncio.gather(pump(reader, back), pump(there, writer))


SEEN: list[str] = []


async def test_h85_through_a_proxy_the_name_is_not_ours_to_look_up(ca):
    SEEN.clear()
    workbench = bench()
    async with workbench, raw(tunnel) as proxy, box(answer(b"hi"), tls=context("a.vn")) as server:
        through = {"proxy": Secret(f"http://u:p@127.0.0.1:{proxy.port}"), "tls": {"ca": ca}}
        outcome = await look(workbench, {"url": server.url(host="a.vn"), "expect": {"body": "^hi$"}, **through})
        assert outcome.seen == "ok", outcome
        assert "resolve" not in outcome.phases
        assert workbench.resolver.asked == []
        outcome = await look(
            workbench, {"url": "http://b.vn/x?y", "expect": {"body": r"^http://b\.vn/x\?y$"}, **through}
        )
        assert outcome.seen == "ok", outcome
        outcome = await look(workbench, {"url": server.url(host="a.vn"), "proxy": f"http://127.0.0.1:{proxy.port}"})
        assert (outcome.reason, "407" in outcome.detail) == ("proxy", True)
    assert SEEN[0].startswith("CONNECT a.vn:")


async def test_h86_the_proxys_own_name_is_looked_up_and_a_dead_proxy_is_no_dead_target():
    workbench = bench(proxy_vn=LOCAL)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        async with workbench:
            keys = {"url": "http://a.vn/", "proxy": f"http://proxy.vn:{free.getsockname()[1]}"}
            outcome = await look(workbench, keys)
    assert (outcome.reason, workbench.resolver.asked) == ("proxy", ["proxy.vn"])
    assert "refused" in outcome.detail


# HTTP/2.


async def two(reader, writer):
    """The least that an HTTP/2 server can be."""
    link = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
    link.initiate_connection()
    writer.write(link.data_to_send())
    while data := await reader.read(65536):
        for event in link.receive_data(data):
            if isinstance(event, h2.events.RequestReceived):
                headers = {name.decode(): value.decode() for name, value in event.headers}
                body = f"{headers[':method']} {headers[':authority']} {headers[':path']}".encode()
                body += b"x" * (300_000 if "big" in headers[":path"] else 0)
                link.send_headers(event.stream_id, [(":status", "200"), ("x-a", "b")])
                while body:
                    room = min(link.local_flow_control_window(event.stream_id), 16384, len(body))
                    if not room:
                        break
                    link.send_data(event.stream_id, body[:room])
                    body = body[room:]
                if not body:
                    link.end_stream(event.stream_id)
        writer.write(link.data_to_send())


async def test_http2_where_it_is_asked_for(ca):
    tls = context("a.vn")
    tls.set_alpn_protocols(["h2"])
    server = await asyncio.start_server(two, "127.0.0.1", 0, ssl=tls)
    port = server.sockets[0].getsockname()[1]
    async with bench(a_vn=LOCAL) as workbench, server:
        keys = {"url": f"https://a.vn:{port}/x", "version": "2", "tls": {"ca": ca}}
        expect = {"version": "2", "header": {"X-A": "^b$"}, "body": f"^GET a.vn:{port} /x$"}
        outcome = await look(workbench, {**keys, "expect": expect})
        assert outcome.seen == "ok", outcome
        assert outcome.facts["http_version"] == 2
        assert set(outcome.phases) == {"resolve", "connect", "tls", "processing", "transfer"}
        assert sum(outcome.phases.values()) <= outcome.seconds
        outcome = await look(workbench, {**keys, "max_body": "1KiB", "url": f"https://a.vn:{port}/big"})
        assert outcome.reason == "body_too_large"
    await asyncio.sleep(0.02)


async def test_http2_asked_of_a_server_that_knows_only_the_old(ca):
    async with bench(a_vn=LOCAL) as workbench, box(answer(b"hi"), tls=context("a.vn")) as server:
        keys = {"url": server.url(host="a.vn"), "version": "2", "tls": {"ca": ca}}
        assert (await look(workbench, keys)).facts["http_version"] == 1.1
        assert (await look(workbench, {**keys, "expect": {"version": "2"}})).reason == "version"
        wrong = await look(workbench, {**keys, "tls": {}})
        assert wrong.reason == "tls_unknown_ca"
        # The context that HTTP/2 asks with is not the one that HTTP/1.1 asks with.
        assert (await look(workbench, {**keys, "version": "1.1"})).seen == "ok"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        async with bench(a_vn=LOCAL) as workbench:
            outcome = await look(workbench, {"url": f"https://a.vn:{free.getsockname()[1]}/", "version": "2"})
    assert outcome.reason == "refused"
