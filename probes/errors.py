"""Whose fault an exception is, and which: by the error numbers down its chain, never by the text of a message.

Owns: the table from errno to reason. Never: raises, prints a message that a target could have written.

The text of a failed connection is often the same for "the target refused", "our uplink is down", "our ports are used up" and "our
descriptors are used up"; only the number, perhaps four exceptions down, tells them apart.
"""

import errno
import os
import socket
import sys
from collections.abc import Iterator
from typing import Final

from probes.contract import Finding, ProbeError, Reason, Seen, blind, failed
from probes.trust import tls_finding

ERRNO: Final[dict[int, Reason]] = {
    # Ours: no route, no address or port left to connect from, no descriptor, no right, no memory.
    errno.ENETUNREACH: Reason.OWN_NETWORK,
    errno.ENETDOWN: Reason.OWN_NETWORK,
    errno.EAFNOSUPPORT: Reason.OWN_NETWORK,
    errno.EADDRNOTAVAIL: Reason.OWN_PORTS,
    errno.EADDRINUSE: Reason.OWN_PORTS,
    errno.EMFILE: Reason.OWN_FDS,
    errno.ENFILE: Reason.OWN_FDS,
    errno.EACCES: Reason.OWN_PERMISSION,
    errno.EPERM: Reason.OWN_PERMISSION,
    errno.ENOMEM: Reason.OWN_MEMORY,
    errno.ENOBUFS: Reason.OWN_MEMORY,
    errno.ENOENT: Reason.OWN_CONFIG,
    errno.ENOTDIR: Reason.OWN_CONFIG,
    errno.EISDIR: Reason.OWN_CONFIG,
    # The target's, or of the way there.
    errno.ECONNREFUSED: Reason.REFUSED,
    errno.ECONNRESET: Reason.RESET,
    errno.ECONNABORTED: Reason.RESET,
    errno.EPIPE: Reason.RESET,
    errno.ENOTCONN: Reason.RESET,
    errno.ETIMEDOUT: Reason.TIMEOUT,
    errno.EHOSTUNREACH: Reason.UNREACHABLE,
    errno.EHOSTDOWN: Reason.UNREACHABLE,
    errno.ENOPROTOOPT: Reason.UNREACHABLE,
    errno.EMSGSIZE: Reason.FRAG_NEEDED,
    errno.EPROTO: Reason.PROTOCOL,
}

NAMES: Final[dict[int, Reason]] = {
    # What getaddrinfo says, for whoever still asks it.
    socket.EAI_AGAIN: Reason.OWN_DNS,
    socket.EAI_FAIL: Reason.OWN_DNS,
    socket.EAI_MEMORY: Reason.OWN_MEMORY,
    socket.EAI_NONAME: Reason.DNS_NXDOMAIN,
    socket.EAI_NODATA: Reason.DNS_NODATA,
}

TYPES: Final[tuple[tuple[type[BaseException], Reason], ...]] = (
    (ConnectionRefusedError, Reason.REFUSED),
    (ConnectionError, Reason.RESET),
    (EOFError, Reason.TRUNCATED),
    (TimeoutError, Reason.TIMEOUT),
)

FOREIGN: Final = {
    # Of libraries that a probe may be built on, by their class: name of the module, name of the class.
    ("httpx", "TooManyRedirects"): Reason.TOO_MANY_REDIRECTS,
    ("httpx", "DecodingError"): Reason.BAD_ENCODING,
    ("httpx", "ProxyError"): Reason.PROXY,
    ("httpx", "TimeoutException"): Reason.TIMEOUT,
    ("httpx", "ReadError"): Reason.RESET,
    ("httpx", "WriteError"): Reason.RESET,
    ("httpx", "RemoteProtocolError"): Reason.PROTOCOL,
    ("httpx", "InvalidURL"): Reason.BAD_REDIRECT,
    ("httpx", "UnsupportedProtocol"): Reason.BAD_REDIRECT,
    ("h2.exceptions", "ProtocolError"): Reason.PROTOCOL,
    ("httptools", "HttpParserError"): Reason.PROTOCOL,
}


def chain(error: BaseException) -> Iterator[BaseException]:
    """The exception, what caused it and what it stands for, each once, nearest first; groups are opened."""
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        one = waiting.pop(0)
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        waiting += [*(one.exceptions if isinstance(one, BaseExceptionGroup) else ()), one.__cause__, one.__context__]


def classify(error: BaseException) -> Finding:
    """The finding behind an exception: failed when the target did it, blind when we did, `own_bug` when nobody knows it."""
    if isinstance(error, ProbeError):
        return error.finding  # Somebody has already looked: what it was raised from is only the evidence.
    ours: Finding | None = None
    links = list(chain(error))
    if any(isinstance(one, MemoryError) for one in links):
        return blind(Reason.OWN_MEMORY, "MemoryError")  # Whatever else broke, it broke for want of memory.
    for one in links:
        finding = known(one)
        if finding is not None and finding.seen is not Seen.BLIND:
            return finding
        ours = ours or finding
    if ours is not None:
        return ours
    for one in links:
        reason = _foreign(one)
        if reason is not None:
            return failed(reason, type(one).__name__)
    for one in links:
        for kind, reason in TYPES:
            if isinstance(one, kind):
                return _finding(reason, _WORDS.get(reason, type(one).__name__))
    return blind(Reason.OWN_BUG, f"{type(error).__name__} in the probe")


def known(error: BaseException) -> Finding | None:
    """The finding of one exception that carries its own code, without its chain."""
    if isinstance(error, ProbeError):
        return error.finding
    finding = tls_finding(error)
    if finding is not None:
        return finding
    if isinstance(error, socket.gaierror):
        reason = NAMES.get(error.errno or 0, Reason.DNS)
        return _finding(reason, "the name could not be looked up")
    if isinstance(error, OSError) and error.errno is not None:
        named = ERRNO.get(error.errno)
        if named is not None:
            return _finding(named, os.strerror(error.errno).lower())
    return None


def _finding(reason: Reason, detail: str) -> Finding:
    return blind(reason, detail) if reason.ours else failed(reason, detail)


_WORDS: Final = {
    Reason.TIMEOUT: "no answer in time",
    Reason.RESET: "connection reset",
    Reason.REFUSED: "connection refused",
}


def _foreign(error: BaseException) -> Reason | None:
    """By class, without importing a library that nobody has used."""
    for (module, name), reason in FOREIGN.items():
        kind = getattr(sys.modules.get(module), name, None)
        if isinstance(kind, type) and isinstance(error, kind):
            return reason
    return None
