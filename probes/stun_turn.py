"""TURN: get a relayed address with long-term credentials, and give it back (RFC 8656, RFC 8489 §9.2).

Owns: the challenge, the signed request, the check of the server's own signature, and that no allocation outlives the run.
Never: relays anything; shows a credential.
"""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Protocol

from probes.contract import ProbeError, Reason
from probes.stun_wire import (
    ALLOCATE,
    MD5,
    REFRESH,
    SHA256,
    UDP_RELAY,
    Attr,
    Class,
    Message,
    Request,
    long_term_key,
    offered,
    pack,
    prepared,
)
from probes.tools import Tools

UNAUTHENTICATED: Final = 401
STALE_NONCE: Final = 438
WRONG_CREDENTIALS: Final = 441

HURRY: Final = 0.05
"""Seconds before the run's deadline at which the confirmation is no longer waited for."""

RELEASE: Final = 1.6
"""Seconds that giving back may take: two repetitions over UDP. A server that does not hear it ends the allocation by itself."""


class Line(Protocol):
    """A way to a server, over any transport."""

    async def ask(self, request: Request) -> Message: ...

    def say(self, request: Request) -> None: ...


@dataclass(frozen=True, slots=True)
class Allocation:
    """What the server gave: for how many seconds, and where it would relay from."""

    lifetime: int
    relayed: tuple[str, int]
    authenticated: bool
    released: bool


@dataclass(frozen=True, slots=True)
class Proof:
    """Who we are, in the words of one challenge."""

    fields: tuple[tuple[int, bytes], ...]
    key: bytes
    sha256: bool


def prove(challenge: Message, user: str, password: str) -> Proof:
    """The answer to a challenge: its realm and nonce, and the key they ask for; ProbeError `protocol` when it cannot be answered.

    A server that offers password algorithms gets the best of them and SHA-256 for the integrity; any other MD5 and SHA-1.
    """
    realm, nonce = challenge.get(Attr.REALM), challenge.get(Attr.NONCE)
    if realm is None or nonce is None:
        raise ProbeError(Reason.PROTOCOL, "a challenge without realm or nonce")
    fields: list[tuple[int, bytes]] = [
        (Attr.USERNAME, prepared(user).encode()),
        (Attr.REALM, realm),
        (Attr.NONCE, nonce),
    ]
    algorithms = offered(challenge)
    algorithm = MD5
    if algorithms is not None:
        known = [one for one in algorithms if one in (MD5, SHA256)]
        if not known:
            raise ProbeError(Reason.PROTOCOL, "a challenge that offers no password algorithm known here")
        algorithm = known[0]  # In the server's order of preference (§9.2.5).
        fields.append((Attr.PASSWORD_ALGORITHMS, challenge.get(Attr.PASSWORD_ALGORITHMS) or b""))
        fields.append((Attr.PASSWORD_ALGORITHM, algorithm.to_bytes(2) + b"\0\0"))
    return Proof(tuple(fields), long_term_key(user, realm, password, algorithm), algorithms is not None)


class Client:
    """One user at one server."""

    def __init__(self, line: Line, tools: Tools, user: str, password: str) -> None:
        self._line, self._tools, self._user, self._password = line, tools, user, password
        self._proof: Proof | None = None
        self._open = False  # Whether the server may hold something for us.

    async def allocate(self) -> Allocation:
        """Get an allocation and give it back, whatever happens in between; phases `allocate` and `release`.

        ProbeError: `auth` for credentials that are refused, `stun_error` with the server's code, `protocol`.
        """
        try:
            with self._tools.phase("allocate"):
                answer = await self._ask(ALLOCATE, (Attr.REQUESTED_TRANSPORT, UDP_RELAY))
                lifetime, relayed = _granted(answer)
            self._tools.note(
                lifetime=lifetime, relayed_port=relayed[1], allocate_seconds=self._tools.phases["allocate"]
            )
        except BaseException:
            if self._open:
                # It may have been granted and only the answer be missing: give back what there may be, without waiting.
                with suppress(OSError, ProbeError):
                    self._line.say(self._signed(*_NO_MORE))
            raise
        with self._tools.phase("release"):
            released = await self._release()
        return Allocation(lifetime, relayed, self._proof is not None, released)

    async def _release(self) -> bool:
        """Whether the server agreed that the allocation is over."""
        with suppress(TimeoutError, OSError, ProbeError):
            # Not to the end of the run: what was granted is good news, even if nobody confirms the release.
            async with asyncio.timeout(max(0.0, min(RELEASE, self._tools.remaining() - HURRY))):
                await self._ask(*_NO_MORE)
                return True
        return False

    async def _ask(self, method: int, field: tuple[int, bytes]) -> Message:
        """A good answer to a request, with one challenge and one stale nonce borne on the way."""
        challenged = stale = False
        while True:
            self._open = True
            answer = await self._line.ask(self._signed(method, field))
            self._open = answer.klass is Class.SUCCESS
            if answer.klass is Class.SUCCESS:
                if self._proof is not None and not answer.signed_by(self._proof.key, sha256=self._proof.sha256):
                    raise ProbeError(
                        Reason.PROTOCOL, "the answer is not signed with the password: not the server it claims to be"
                    )
                return answer
            code, phrase = answer.error()
            if code == UNAUTHENTICATED and not challenged and self._proof is None:
                challenged = True
            elif code == STALE_NONCE and not stale and self._proof is not None:
                stale = True
            else:
                self._tools.note(error_code=code)
                if code in (UNAUTHENTICATED, WRONG_CREDENTIALS):
                    raise ProbeError(Reason.AUTH, f"the server refuses the user or the password ({code} {phrase})")
                raise refused(answer)
            self._proof = prove(answer, self._user, self._password)

    def _signed(self, method: int, field: tuple[int, bytes]) -> Request:
        transaction, proof = self._tools.token(12), self._proof
        if proof is None:
            wire = pack(method, Class.REQUEST, transaction, (field,))
        else:
            wire = pack(method, Class.REQUEST, transaction, (field, *proof.fields), key=proof.key, sha256=proof.sha256)
        return Request(method, transaction, wire)


_NO_MORE: Final = (REFRESH, (Attr.LIFETIME, bytes(4)))
"""A lifetime of no seconds ends an allocation (RFC 8656 §3.2)."""


def _granted(answer: Message) -> tuple[int, tuple[str, int]]:
    lifetime, relayed = answer.get(Attr.LIFETIME), answer.address(Attr.XOR_RELAYED_ADDRESS)
    if lifetime is None or len(lifetime) != 4 or relayed is None:
        raise ProbeError(Reason.PROTOCOL, "an allocation without its lifetime or its relayed address")
    return int.from_bytes(lifetime), relayed


def refused(answer: Message) -> ProbeError:
    """An error as the server says it; where it sends us elsewhere (300), to whom."""
    code, phrase = answer.error()
    alternate = None
    with suppress(ProbeError):  # A bad address there does not make the code less true.
        alternate = answer.address(Attr.ALTERNATE_SERVER)
    elsewhere = f", try {alternate[0]} port {alternate[1]}" if alternate is not None else ""
    return ProbeError(Reason.STUN_ERROR, f"{code} {phrase}".strip() + elsewhere, facts={"error_code": code})
