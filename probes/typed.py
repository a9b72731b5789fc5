"""What a person types behind `thongsuot probe --<kind>`, as keys of a spec.

Owns: reading HOST, HOST:PORT and [V6]:PORT. Never: looks anything up.
"""

from collections.abc import Callable, Mapping
from typing import Any


def host_port(text: str) -> tuple[str, int | None]:
    """`host`, `host:port`, `192.0.2.1:53`, `2001:db8::1`, `[2001:db8::1]:53`; ValueError when the port is no number from 1 to 65535."""
    host, colon, port = text.rpartition(":")
    if not colon or text.endswith("]") or (":" in host and not text.startswith("[")):
        host, port = text, ""
    host = host.removeprefix("[").removesuffix("]")
    if not host:
        raise ValueError(f"{text!r} names no host")
    if port and not (port.isascii() and port.isdecimal() and 1 <= int(port) <= 65535):
        raise ValueError(f"{port!r} is not a port")
    return host, int(port) if port else None


def at(key: str) -> Callable[[str], Mapping[str, Any]]:
    """The whole word is the value of one key."""
    return lambda text: {key: text}


def at_host(*, port: bool = False) -> Callable[[str], Mapping[str, Any]]:
    """HOST or HOST:PORT for the keys `host` and `port`; with `port` the second form is asked for."""

    def keys(text: str) -> Mapping[str, Any]:
        host, number = host_port(text)
        if number is None and port:
            raise ValueError(f"{text!r}: give HOST:PORT")
        return {"host": host} if number is None else {"host": host, "port": number}

    return keys


def at_server(text: str) -> Mapping[str, Any]:
    """NAME@SERVER, or NAME alone for whoever gives the server otherwise."""
    name, at_sign, server = text.partition("@")
    return {"name": name, "server": server} if at_sign else {"name": name}
