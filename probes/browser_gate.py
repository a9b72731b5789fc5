"""Which hosts a page under test may reach through us: the same floor as a redirect of the http kind.

Owns: the addresses of every host the browser asks for, looked up by our own resolver, and why a host was refused.
Never: connects.

A page of a stranger runs on our machine, inside our network. What it names is only reached when it is as public as the first page, or when
the configuration names it: a portal on the internet cannot make us open the router's page, our own, or a cloud's metadata.
"""

from collections.abc import Collection
from typing import Final

from probes.contract import Address, Family, ProbeError, Reason
from probes.tools import FAMILIES, Tools, literal_address
from probes.wire.client import publicness
from probes.wire.url import ascii_host

MOST: Final = 256
"""Different hosts of one run."""


class Gate:
    """One run's gate. `named` are the hosts of the configuration's own steps; the first of them sets the floor."""

    def __init__(self, tools: Tools, first: str, named: Collection[str], family: Family) -> None:
        self._tools, self._first, self._named, self._family = tools, first, frozenset(named), family
        self._floor: int | None = None
        self.closed: dict[str, ProbeError] = {}
        """Why a host was not let through."""
        self.asking: set[str] = set()
        """Hosts of the check's own steps that our resolver has not told us about yet."""

    async def addresses(self, host: str) -> tuple[str, ...]:
        """Addresses that may be connected to, in the order to try them; none when the gate is closed."""
        if host in self.closed or len(self.closed) >= MOST:
            return ()
        if host == self._first or host in self._named:
            self.asking.add(host)
        found: tuple[str, ...] = ()
        try:
            found = await self._open(host)
        except ProbeError as error:
            self.closed[host] = error
        except ValueError:
            self.closed[host] = ProbeError(Reason.DNS_NXDOMAIN, "not a name")
        self.asking.discard(host)  # Not when we are stopped meanwhile: then this is what the time went to.
        return found

    async def _open(self, host: str) -> tuple[str, ...]:
        found = await self._look_up(ascii_host(host))
        named = host in self._named or self._tools.workbench.allowed_hosts(host)
        if host == self._first:
            self._floor = min(publicness(address) for address in found)
        if named:
            return tuple(address.ip for address in found)
        if self._floor is None:
            self._floor = 3
        open_ = tuple(address.ip for address in found if publicness(address) >= self._floor)
        if not open_:
            raise ProbeError(Reason.REDIRECT_BLOCKED, f"led to {host} at {found[0].ip}, which the check does not name")
        return open_

    async def _look_up(self, host: str) -> tuple[Address, ...]:
        literal = literal_address(host)
        if literal is None:
            return await self._tools.workbench.resolver.resolve(host, self._family, self._tools.deadline)
        if self._family is not Family.ANY and FAMILIES[self._family] is not literal.family:
            raise ProbeError(Reason.DNS_NODATA, f"{host} is not an {self._family.value} address")
        return (literal,)
