"""What a host knows about names without asking."""

from pathlib import Path
from socket import AF_INET, AF_INET6

import pytest

from probes.contract import Address, ProbeError, Reason
from probes.names import Server, host_port, local, parse_hosts, parse_resolv, server, usable, wire_name

RESOLV = """\
# made by hand
; too
domain ninhbinh.gov.vn
search ninhbinh.gov.vn
nameserver 10.37.0.53
  nameserver   2001:db8::53
nameserver not-an-address
nameserver
nameserver 10.37.0.53
options timeout:1
"""


def test_the_nameservers_of_a_resolv_conf_in_order_and_once() -> None:
    assert parse_resolv(RESOLV) == (
        Server(Address(AF_INET, "10.37.0.53")),
        Server(Address(AF_INET6, "2001:db8::53")),
    )


def test_the_names_of_a_hosts_file() -> None:
    found = parse_hosts("127.0.0.1 localhost # us\n\n10.0.0.1\tHub hub.lan.\n2001:db8::1 hub\nnonsense x\n")
    assert found["hub"] == (Address(AF_INET, "10.0.0.1"), Address(AF_INET6, "2001:db8::1"))
    assert found["hub.lan"] == (Address(AF_INET, "10.0.0.1"),)
    assert found.keys() == {"localhost", "hub", "hub.lan"}


def test_a_missing_file_is_said_and_not_raised(tmp_path: Path) -> None:
    found = local(tmp_path / "resolv.conf", tmp_path / "hosts", None)
    assert (found.servers, found.hosts) == ((), {})
    assert "No such file" in found.problem


NAMES = [
    ("motcua.ninhbinh.gov.vn", "motcua.ninhbinh.gov.vn."),
    ("motcua.ninhbinh.gov.vn.", "motcua.ninhbinh.gov.vn."),
    ("MotCua.NINHBINH.gov.vn", "motcua.ninhbinh.gov.vn."),
    ("ninhbình.vn", "xn--ninhbnh-3ya.vn."),
    ("_sip._udp.ninhbinh.vn", "_sip._udp.ninhbinh.vn."),
]


@pytest.mark.parametrize(("text", "wire"), NAMES)
def test_a_name_as_the_wire_has_it(text: str, wire: str) -> None:
    assert wire_name(text).to_text() == wire


@pytest.mark.parametrize("text", ["", ".", "a..b", "a" * 64, "b." * 127 + "cc", ".vn"])
def test_what_cannot_be_a_name(text: str) -> None:
    with pytest.raises(ProbeError) as caught:
        wire_name(text)
    assert caught.value.reason is Reason.DNS


SERVERS = [
    ("10.0.0.53", ("10.0.0.53", 53)),
    ("10.0.0.53:5353", ("10.0.0.53", 5353)),
    ("2001:db8::53", ("2001:db8::53", 53)),
    ("[2001:db8::53]", ("2001:db8::53", 53)),
    ("[2001:db8::53]:5353", ("2001:db8::53", 5353)),
    ("dns.vnpt.vn", ("dns.vnpt.vn", 53)),
    ("dns.vnpt.vn:5353", ("dns.vnpt.vn", 5353)),
]


@pytest.mark.parametrize(("text", "parts"), SERVERS)
def test_a_server_taken_apart(text: str, parts: tuple[str, int]) -> None:
    assert host_port(text, 53) == parts


@pytest.mark.parametrize("text", ["", ":53", "a:b", "10.0.0.1:0", "10.0.0.1:65536", "1:2:3", "2001:db8::x:53"])
def test_what_is_no_server(text: str) -> None:
    with pytest.raises(ValueError, match="server"):
        host_port(text, 53)


def test_a_nameserver_of_our_own_is_an_address() -> None:
    with pytest.raises(ValueError, match="by its address"):
        server("dns.vnpt.vn")


@pytest.mark.parametrize(
    ("ip", "good"),
    [
        ("192.0.2.1", True), ("127.0.0.1", True), ("2001:db8::1", True),
        ("0.0.0.0", False), ("::", False), ("224.0.0.1", False), ("ff02::1", False), ("255.255.255.255", False),
        ("::ffff:192.0.2.1", False),
    ],
)  # fmt: skip
def test_where_something_may_be_sent(ip: str, good: bool) -> None:
    assert usable(Address(AF_INET6 if ":" in ip else AF_INET, ip)) is good
