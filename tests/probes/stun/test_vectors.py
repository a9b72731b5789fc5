"""The bytes of RFC 5769 and of RFC 8489 appendix B.1 (with erratum 6290): read as they say, and written as they stand."""

import pytest

from probes.contract import ProbeError
from probes.stun_wire import (
    BINDING,
    MD5,
    SHA256,
    Attr,
    Class,
    Message,
    Request,
    answers,
    begins,
    long_term_key,
    offered,
    pack,
    prepared,
    read,
)

SHORT_KEY = b"VOkJxbRl1RmTxUk/WvJxBt"
ID = bytes.fromhex("b7e7a701bc34d686fa87dfae")
PRIORITY, CONTROLLED, USERHASH = 0x0024, 0x8029, 0x001E

REQUEST = bytes.fromhex(
    "000100582112a442b7e7a701bc34d686fa87dfae"
    "802200105354554e207465737420636c69656e74"
    "002400046e0001ff"
    "80290008932ff9b151263b36"
    "000600096576746a3a68367659202020"
    "000800149aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a2"
    "80280004e57a3bcf"
)
OVER_IPV4 = bytes.fromhex(
    "0101003c2112a442b7e7a701bc34d686fa87dfae"
    "8022000b7465737420766563746f7220"
    "002000080001a147e112a643"
    "000800142b91f599fd9e90c38c7489f92af9ba53f06be7d7"
    "80280004c07d4c96"
)
OVER_IPV6 = bytes.fromhex(
    "010100482112a442b7e7a701bc34d686fa87dfae"
    "8022000b7465737420766563746f7220"
    "002000140002a1470113a9faa5d3f179bc25f4b5bed2b9d9"
    "00080014a382954e4be67bf11784c97c8292c275bfe3ed41"
    "80280004c8fb0b4c"
)
LONG_TERM = bytes.fromhex(
    "000100602112a44278ad3433c6ad72c029da412e"
    "00060012e3839ee38388e383aae38383e382afe382b90000"
    "0015001c662f2f3439396b39353464364f4c33346f4c394653547679363473"
    "410014000b6578616d706c652e6f726700"
    "00080014f67024656dd64a3e02b8e0712e85c9a28ca89666"
)
SHA = bytes.fromhex(
    "000100902112a44278ad3433c6ad72c029da412e"
    "001e00204a3cf38fef6992bda952c6780417da0f24819415569e60b205c46e41407f1704"
    "001500296f624d61744a6f73324141414366"
    "2f2f3439396b39353464364f4c33346f4c39465354767936347341000000"
    "0014000b6578616d706c652e6f726700"
    "001d000400020000"
    "001c0020b5c7bf005b6c52a21c51c5e892f81924136296cb927c43149309278cc6518e65"
)
USER, REALM, PASSWORD = "マトリックス", b"example.org", "TheMatrIX"


def test_the_request_is_read_and_verified() -> None:
    message = read(REQUEST)
    assert (message.method, message.klass, message.transaction) == (BINDING, Class.REQUEST, ID)
    assert message.software == "STUN test client"
    assert message.get(Attr.USERNAME) == b"evtj:h6vY"
    assert message.signed_by(SHORT_KEY, sha256=False)
    assert not message.signed_by(b"another", sha256=False)
    assert message.fingerprinted()
    assert message.unknown == (PRIORITY,)  # Of ICE, which is not spoken here.


@pytest.mark.parametrize(
    ("wire", "address"), [(OVER_IPV4, "192.0.2.1"), (OVER_IPV6, "2001:db8:1234:5678:11:2233:4455:6677")]
)
def test_the_answers_are_read_and_verified(wire: bytes, address: str) -> None:
    message = read(wire)
    assert message.klass is Class.SUCCESS
    assert message.address(Attr.XOR_MAPPED_ADDRESS) == (address, 32853)
    assert message.address(Attr.MAPPED_ADDRESS) is None
    assert message.software == "test vector"
    assert message.signed_by(SHORT_KEY, sha256=False)
    assert message.fingerprinted()
    assert answers(Request(BINDING, ID, b""), wire)
    assert not answers(Request(BINDING, bytes(12), b""), wire)
    assert begins(wire[:20]) == len(wire)


def test_long_term_credentials_are_verified() -> None:
    message = read(LONG_TERM)
    assert (message.get(Attr.USERNAME), message.get(Attr.REALM)) == (USER.encode(), REALM)
    assert message.signed_by(long_term_key(USER, REALM, PASSWORD), sha256=False)
    assert not message.signed_by(long_term_key(USER, REALM, "TheMatrix"), sha256=False)


def test_the_integrity_of_rfc_8489_is_verified() -> None:
    message = read(SHA)
    assert message.signed_by(long_term_key(USER, REALM, PASSWORD, SHA256), sha256=True)
    assert not message.signed_by(long_term_key(USER, REALM, PASSWORD, MD5), sha256=True)
    assert not message.signed_by(long_term_key(USER, REALM, PASSWORD, SHA256), sha256=False)


def again(message: Message) -> list[tuple[int, bytes]]:
    made = (Attr.INTEGRITY, Attr.INTEGRITY_SHA256, Attr.FINGERPRINT)
    return [(kind, value) for kind, value, _ in message.attributes if kind not in made]


WRITTEN = [
    ("the request", REQUEST, SHORT_KEY, False, True, b" "),
    ("the answer over IPv4", OVER_IPV4, SHORT_KEY, False, True, b" "),
    ("the answer over IPv6", OVER_IPV6, SHORT_KEY, False, True, b" "),
    ("long-term credentials", LONG_TERM, long_term_key(USER, REALM, PASSWORD), False, False, b"\0"),
    ("SHA-256", SHA, long_term_key(USER, REALM, PASSWORD, SHA256), True, False, b"\0"),
]


@pytest.mark.parametrize(
    ("sentence", "wire", "key", "sha256", "fingerprint", "padding"), WRITTEN, ids=[c[0] for c in WRITTEN]
)
def test_what_is_read_is_written_the_same(
    sentence: str, wire: bytes, key: bytes, sha256: bool, fingerprint: bool, padding: bytes
) -> None:
    message = read(wire)
    written = pack(
        message.method, message.klass, message.transaction, again(message),
        key=key, sha256=sha256, fingerprint=fingerprint, padding=padding,
    )  # fmt: skip
    assert written == wire


@pytest.mark.parametrize("wire", [REQUEST, OVER_IPV4, OVER_IPV6], ids=["request", "IPv4", "IPv6"])
def test_every_flipped_bit_is_noticed(wire: bytes) -> None:
    for at in range(20, len(wire)):
        flipped = wire[:at] + bytes((wire[at] ^ 0x10,)) + wire[at + 1 :]
        try:
            message = read(flipped)
        except ProbeError:
            continue
        # A flip in the type of the last attribute leaves a message without a fingerprint; its integrity then stands alone.
        assert not (message.fingerprinted() and message.signed_by(SHORT_KEY, sha256=False)) or at >= len(wire) - 8


def test_texts_are_prepared_as_opaque_strings() -> None:
    assert prepared("Người\u00a0dùng") == prepared("Ngu\u031bo\u031b\u0300i du\u0300ng") == "Người dùng"


def challenge(nonce: bytes, *fields: tuple[int, bytes]) -> Message:
    return read(pack(3, Class.ERROR, ID, [(Attr.REALM, b"r"), (Attr.NONCE, nonce), *fields]))


def test_password_algorithms_are_read_and_missed_where_the_nonce_promises_them() -> None:
    both = bytes.fromhex("0002000000010000")
    assert offered(challenge(b"plain")) is None
    assert offered(challenge(b"obMatJos2gAAAx", (Attr.PASSWORD_ALGORITHMS, both))) == (SHA256, MD5)
    assert offered(challenge(b"obMatJos2AAAAx")) is None
    with pytest.raises(ProbeError):
        offered(challenge(b"obMatJos2gAAAx"))
