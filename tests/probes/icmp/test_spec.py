"""What may not be written in a configuration."""

import pytest
from pydantic import TypeAdapter, ValidationError

from probes.icmp import IcmpSpec

REFUSED = [
    ("a broadcast address", {"host": "255.255.255.255"}, "broadcast"),
    ("a multicast address", {"host": "224.0.0.1"}, "multicast"),
    ("all nodes of the link", {"host": "ff02::1%eth0"}, "multicast"),
    ("nobody's address", {"host": "0.0.0.0"}, "no machine's"),
    ("a hop limit of zero", {"host": "192.0.2.1", "ttl": 0}, "ttl"),
    ("a hop limit below zero", {"host": "192.0.2.1", "ttl": -1}, "ttl"),
    ("a hop limit of 256", {"host": "192.0.2.1", "ttl": 256}, "ttl"),
    ("a payload without room for the token", {"host": "192.0.2.1", "size": "7B"}, "size"),
    ("a payload larger than a packet", {"host": "192.0.2.1", "size": "64KiB"}, "size"),
    ("fewer than no further packets", {"host": "192.0.2.1", "extra": -1}, "extra"),
    ("more further packets than anybody needs", {"host": "192.0.2.1", "extra": 1001}, "extra"),
    ("a path MTU to be found that is neither yes nor no", {"host": "192.0.2.1", "path_mtu": "1500B"}, "path_mtu"),
    ("no packets at all", {"host": "192.0.2.1", "packets": 0}, "packets"),
    ("an IPv4 address where IPv6 is insisted on", {"host": "192.0.2.1", "family": "ipv6"}, "ipv6"),
    ("an IPv6 address where IPv4 is insisted on", {"host": "2001:db8::1", "family": "ipv4"}, "ipv4"),
    ("a link-local address without its interface", {"host": "fe80::1"}, "interface"),
    ("an IPv4 address in disguise", {"host": "::ffff:192.0.2.1"}, "write"),
    ("a source address, which is not ours to choose", {"host": "192.0.2.1", "source": "10.0.0.300"}, "source"),
    ("a spacing without a unit", {"host": "192.0.2.1", "spacing": 5}, "unit"),
    ("a URL", {"host": "http://192.0.2.1/"}, "host"),
]


@pytest.mark.parametrize(("sentence", "keys", "said"), REFUSED, ids=[case[0] for case in REFUSED])
def test_refused(sentence: str, keys: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        TypeAdapter(IcmpSpec).validate_python(keys)


def test_the_defaults_are_those_of_the_documentation() -> None:
    spec = TypeAdapter(IcmpSpec).validate_python({"host": "fe80::1%lo"})
    assert (spec.packets, spec.spacing, spec.size, spec.ttl, spec.dont_fragment) == (5, 0.05, 56, None, False)
    assert (spec.extra, spec.path_mtu) == (None, False)
