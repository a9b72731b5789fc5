"""How each kind is pointed at a target: keys of its check for a host and a port."""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from probes.secret import Secret
from tests.probes.tls.chains import file, intermediate, make

Keys = Callable[[str, int], Mapping[str, Any]]


@cache
def leaf() -> str:
    """A file with a certificate and its issuer."""
    return file(make("g", by=intermediate(), addresses=["127.0.0.1"]), intermediate())


NETWORK: dict[str, Keys] = {
    # Every kind that goes out to a target by itself.
    "http": lambda host, port: {"url": f"http://{host}:{port}/"},
    "tcp": lambda host, port: {"host": host, "port": port},
    "tls": lambda host, port: {"host": host, "port": port},
    "dns": lambda host, port: {"server": f"{host}:{port}", "name": "tinh.vn"},
    "icmp": lambda host, port: {"host": host, "packets": 2, "spacing": "5ms"},
    "sip": lambda host, port: {"host": host, "port": port},
    "stun": lambda host, port: {"host": host, "port": port},
    "snmp": lambda host, port: {
        "host": host,
        "port": port,
        "community": Secret("c"),
        "oids": {"ticks": "1.3.6.1.2.1.1.3.0"},
    },
    "h323": lambda host, port: {"host": host, "ras_port": port, "signalling_port": port},
    "journey": lambda host, port: {"steps": [{"name": "page", "get": f"http://{host}:{port}/"}]},
    "tsa": lambda host, port: {"url": f"http://{host}:{port}/"},
    "ocsp": lambda host, port: {"url": f"http://{host}:{port}/", "cert": leaf()},
}

VARIANTS: dict[str, tuple[str, Keys]] = {
    # The same kind by another way: its name here, the kind, its keys.
    "https": ("http", lambda host, port: {"url": f"https://{host}:{port}/"}),
    "http/2": ("http", lambda host, port: {"url": f"https://{host}:{port}/", "version": "2"}),
    "dns over tcp": ("dns", lambda host, port: {"server": f"{host}:{port}", "name": "tinh.vn", "transport": "tcp"}),
    "stun over tcp": ("stun", lambda host, port: {"host": host, "port": port, "transport": "tcp"}),
    "sip over tcp": ("sip", lambda host, port: {"host": host, "port": port, "transport": "tcp"}),
}

SLOW: dict[str, tuple[str, Keys]] = {
    "browser": ("browser", lambda host, port: {"steps": [{"go": f"http://{host}:{port}/"}]}),
}
"""A run of it takes seconds: only through the faults that it meets in another way than the others."""

LOCAL = {
    "heartbeat": "a job calls us: our network, names and capabilities do not concern it",
    "browser": "a program of its own: three faults here, missing, killed and starved in tests/probes/browser",
}
"""Kinds that reach no target themselves, with the reason."""

WAYS: dict[str, tuple[str, Keys]] = {kind: (kind, keys) for kind, keys in NETWORK.items()} | VARIANTS

SECURED = ("tls", "https", "http/2")
"""Those that verify a certificate in every run."""

DATAGRAMS = ("dns", "sip", "stun", "snmp", "h323")
"""Those that send from a UDP port."""
