"""Reaching a port, by whichever address answers first.

Owns: the race between addresses (RFC 8305), and telling our own want of a route from a router's far away.
Never: speaks (see `channel`), keeps time (the run's deadline cancels it), or says what any other error means: errors are raised as they come.
"""

import asyncio
import socket
from collections.abc import Callable, Sequence
from typing import Annotated, Final, Protocol, TypeVar

from pydantic import AfterValidator

from probes.channel import Channel
from probes.contract import Address, Family, ProbeError, Reason
from probes.errors import classify
from probes.tools import Tools

STAGGER: Final = 0.25
"""Seconds before the next address is tried beside a silent one (RFC 8305 §5)."""

MOST_ADDRESSES: Final = 8
"""A name with more addresses than this is tried on its first ones: no target makes us open a hundred connections."""

_NOT_IN_A_HOST: Final = frozenset("/@?#<>'\"\\ \t\r\n\0")


def _host(text: str) -> str:
    if not _NOT_IN_A_HOST.isdisjoint(text):
        raise ValueError(f"{text!r} is not a host: write a name or an address alone, without scheme, path or port")
    bare = text.removeprefix("[").removesuffix("]")
    if bare.count(":") == 1 or len(text) > 253:
        raise ValueError(
            f"{text!r} is not a host: the port has a key of its own, and a name has at most 253 characters"
        )
    return text


Host = Annotated[str, AfterValidator(_host)]
"""A name or an address of a target; blank while it is not known yet."""


class Abortable(Protocol):
    """What an attempt that lost the race must allow."""

    def abort(self) -> None: ...


AbortableT = TypeVar("AbortableT", bound=Abortable)


async def connect(
    addresses: Sequence[Address], port: int, attempt: Callable[[Address, int], "asyncio.Future[AbortableT]"]
) -> AbortableT:
    """The first attempt that succeeds; the next address starts when one fails or stays silent for `STAGGER`.

    When all fail: the error of the only address, or an ExceptionGroup of them all.
    """
    waiting = list(addresses[:MOST_ADDRESSES])
    running: set[asyncio.Future[AbortableT]] = set()
    errors: list[OSError] = []
    try:
        while waiting or running:
            if waiting:
                running.add(attempt(waiting.pop(0), port))
            done, running = await asyncio.wait(
                running, timeout=STAGGER if waiting else None, return_when=asyncio.FIRST_COMPLETED
            )
            winner = None
            for future in done:
                error = future.exception()
                if error is None and winner is None:
                    winner = future.result()
                elif error is None:
                    future.result().abort()
                elif isinstance(error, OSError):
                    errors.append(error)
                else:
                    raise error
            if winner is not None:
                return winner
    finally:
        for future in running:
            future.add_done_callback(_drop)
            future.cancel()
    if len(errors) == 1:
        raise errors[0]
    raise ExceptionGroup("no address could be reached", errors)


def _drop(future: "asyncio.Future[AbortableT]") -> None:
    """An attempt that succeeded too late to be wanted."""
    if not future.cancelled() and future.exception() is None:
        future.result().abort()


async def dial(tools: Tools, host: str, port: int, family: Family = Family.ANY) -> Channel:
    """A channel to `host:port`; phases `resolve` and `connect`. The caller lets it go by `abort()` or `close()`."""
    addresses = await tools.resolve(host, family)
    with tools.phase("connect"):
        try:
            if len(addresses) == 1:
                return await _open(addresses[0], port)
            return await connect(addresses, port, lambda address, to: asyncio.ensure_future(_open(address, to)))
        except (OSError, ExceptionGroup) as error:
            told = far_away(error, addresses)
            if told is None:
                raise
            raise told from error


def far_away(error: BaseException, addresses: Sequence[Address]) -> ProbeError | None:
    """ENETUNREACH is our own want of a route, or the word of a router far away about its own: then this is what to raise instead."""
    if classify(error).reason is Reason.OWN_NETWORK and any(map(has_way, addresses)):
        return ProbeError(Reason.UNREACHABLE, "a router on the way knows no way there")
    return None


def has_way(address: Address) -> bool:
    """Whether this host has a route and an address of its own to reach it from: connecting a datagram socket tells, and sends nothing."""
    try:
        with socket.socket(address.family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as datagram:
            datagram.connect((address.ip.partition("%")[0], 9))
    except BlockingIOError:
        return True  # No port for a datagram: an address there is.
    except OSError:
        return False
    return True


async def _open(address: Address, port: int) -> Channel:
    loop = asyncio.get_running_loop()
    _, channel = await loop.create_connection(
        Channel, address.ip, port, family=address.family, flags=socket.AI_NUMERICHOST
    )
    return channel
