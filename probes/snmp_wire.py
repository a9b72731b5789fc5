"""SNMP messages: questions of version 2c (RFC 3416, RFC 3417), and the part that version 3 shares with it.

Owns: PDUs, and which PDU answers which. Never: opens a socket or keeps a key.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from probes.contract import ProbeError, Reason
from probes.snmp_ber import (
    OBJECT,
    OCTETS,
    SEQUENCE,
    Reader,
    UnreadableError,
    binding_to_nothing,
    integer,
    object_id,
    sequence,
    wrap,
)

GET: Final = 0xA0
GET_NEXT: Final = 0xA1
RESPONSE: Final = 0xA2
GET_BULK: Final = 0xA5
REPORT: Final = 0xA8

TOO_BIG: Final = 1
NO_SUCH_NAME: Final = 2
GENERAL: Final = 5

STATUS: Final = {
    1: "tooBig", 2: "noSuchName", 3: "badValue", 4: "readOnly", 5: "genErr", 6: "noAccess", 7: "wrongType", 8: "wrongLength",
    9: "wrongEncoding", 10: "wrongValue", 11: "noCreation", 12: "inconsistentValue", 13: "resourceUnavailable",
    14: "commitFailed", 15: "undoFailed", 16: "authorizationError", 17: "notWritable", 18: "inconsistentName",
}  # fmt: skip
"""RFC 3416 §3."""

FORBIDDEN: Final = frozenset({6, 16})
"""noAccess and authorizationError: the device knows us and will not say."""

MOST_BINDINGS: Final = 1024
"""Variables of one answer that are read."""


@dataclass(frozen=True, slots=True)
class Binding:
    """One variable of an answer: the content of its identifier, and tag and content of its value."""

    name: bytes
    tag: int
    content: bytes


@dataclass(frozen=True, slots=True)
class Pdu:
    """What came back: `status` and `index` as RFC 3416 has them."""

    kind: int
    id: int
    status: int
    index: int
    bindings: tuple[Binding, ...]


@dataclass(frozen=True, slots=True)
class Ask:
    """A question without its id: `kind`, the identifiers, and for GET_BULK how many rows."""

    kind: int
    oids: tuple[str, ...]
    rows: int = 0

    def pdu(self, id: int) -> bytes:
        """The question as a PDU with this id."""
        bindings = sequence([binding_to_nothing(oid) for oid in self.oids])
        # GET_BULK: non-repeaters 0, max-repetitions; all others: error-status 0, error-index 0.
        return wrap(self.kind, integer(id) + b"\x02\x01\x00" + integer(self.rows) + bindings)


def message_2c(community: bytes, pdu: bytes) -> bytes:
    """A version 2c message."""
    return wrap(SEQUENCE, b"\x02\x01\x01" + wrap(OCTETS, community) + pdu)


def read_2c(data: bytes, id: int) -> Pdu | None:
    """The answer to question `id` in a datagram; None when it is another's, UnreadableError when it is nothing at all.

    The community is not compared: some devices answer with another (`public@1`), and it proves nothing.
    """
    message = Reader(data).inside()
    if message.number() != 1:
        return None
    message.content(OCTETS)
    pdu = read_pdu(message, id)
    return pdu if pdu is not None and pdu.kind == RESPONSE else None


def read_pdu(reader: Reader, id: int | None) -> Pdu | None:
    """The PDU that comes next; None when its id is not `id` (None takes any), before anything else of it is read."""
    tag, content = reader.any()
    if tag not in (RESPONSE, REPORT):
        raise UnreadableError(f"a PDU of type {tag:#04x}")
    inside = Reader(content)
    number = inside.number()
    if id is not None and number != id:
        return None
    status, index = inside.number(), inside.number()
    bindings: list[Binding] = []
    rows = inside.inside()
    while rows:
        if len(bindings) == MOST_BINDINGS:
            raise UnreadableError(f"more than {MOST_BINDINGS} variables")
        row = rows.inside()
        name = row.content(OBJECT)
        bindings.append(Binding(name, *row.any()))
    return Pdu(tag, number, status, index, tuple(bindings))


def refused(pdu: Pdu, oids: Sequence[str]) -> ProbeError:
    """What an answer with an error-status says."""
    word = STATUS.get(pdu.status, f"error {pdu.status}")
    where = f" for {oids[pdu.index - 1]}" if 1 <= pdu.index <= len(oids) else ""
    reason = Reason.AUTH if pdu.status in FORBIDDEN else Reason.SNMP
    return ProbeError(reason, f"the device answers {word}{where}")


def named(oid: str) -> bytes:
    """An identifier as it stands in a Binding."""
    return object_id(oid)[2:] if len(object_id(oid)) < 130 else Reader(object_id(oid)).content(OBJECT)
