"""ASN.1: what is written is read again, and nothing that a target sends does more than end in Asn1Error."""

from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes import asn1
from probes.asn1 import Asn1Error, Fields, Value


def value(text: str) -> Value:
    return asn1.parse(bytes.fromhex(text))


@given(st.integers(-(1 << 500), 1 << 500))
def test_numbers_come_back(number: int) -> None:
    assert asn1.integer(asn1.parse(asn1.number(number))) == number


@given(st.integers(0, 2), st.integers(0, 39), st.lists(st.integers(0, 1 << 60), max_size=6))
def test_object_identifiers_come_back(first: int, second: int, rest: list[int]) -> None:
    dotted = ".".join(map(str, (first, second, *rest)))
    assert asn1.oid(asn1.parse(asn1.name(dotted))) == dotted


@given(st.binary(max_size=300))
def test_any_bytes_are_a_value_or_an_error(data: bytes) -> None:
    with suppress(Asn1Error):
        for item in asn1.parse(data).items():
            for read in (asn1.integer, asn1.oid, asn1.moment, asn1.algorithm, Fields):
                with suppress(Asn1Error):
                    read(item)


TIMES = [
    ("170d3236313132323032333031355a", datetime(2026, 11, 22, 2, 30, 15, tzinfo=UTC)),
    ("170d3530303130313030303030305a", datetime(1950, 1, 1, tzinfo=UTC)),
    ("180f32303236313132323032333031355a", datetime(2026, 11, 22, 2, 30, 15, tzinfo=UTC)),
    ("181332303236313132323032333031352e3132355a", datetime(2026, 11, 22, 2, 30, 15, 125000, tzinfo=UTC)),
    ("170b323631313232303233305a", datetime(2026, 11, 22, 2, 30, tzinfo=UTC)),
]


@pytest.mark.parametrize(("text", "moment"), TIMES)
def test_times(text: str, moment: datetime) -> None:
    assert asn1.moment(value(text)) == moment


@pytest.mark.parametrize(
    "text", ["no", "20261122023015", "20261322023015Z", "20261122023015+0700", "2026112202301５Z", "20261122023015.Z"]
)
def test_times_that_are_none(text: str) -> None:
    with pytest.raises(Asn1Error):
        asn1.moment(asn1.parse(asn1.tlv(0x18, text.encode())))


BROKEN = [
    ("nothing", ""),
    ("a tag alone", "30"),
    ("longer than what is there", "300500"),
    ("a length of five bytes", "30850000000001"),
    ("a length without its bytes", "3082"),
    ("a tag of many bytes", "1f8101"),
    ("something behind it", "300000"),
    ("no end of contents", "3080020101"),
    ("an indefinite length with nothing inside", "0480"),
    ("an octet string of numbers", "248002010100000000"),
]


@pytest.mark.parametrize(("sentence", "text"), BROKEN, ids=[case[0] for case in BROKEN])
def test_broken(sentence: str, text: str) -> None:
    with pytest.raises(Asn1Error):
        value(text)


def test_ber_becomes_definite() -> None:
    assert value("3080 2480 0401aa 0402bbcc 0000 0201 05 0000".replace(" ", "")).encoded.hex() == "30080403aabbcc020105"


def test_nesting_is_bounded() -> None:
    with pytest.raises(Asn1Error):
        asn1.parse(b"\x30\x80" * 5000)
    with pytest.raises(Asn1Error):
        asn1.parse(b"\x30\x80" + b"\x05\x00" * 30000 + b"\0\0")
    with pytest.raises(Asn1Error):
        list(asn1.parse(asn1.tlv(0x30, b"\x05\x00" * 30000)).items())


@pytest.mark.parametrize("text", ["", "1", "3.1", "1.40", "1.-2", "a.b"])
def test_names_that_are_none(text: str) -> None:
    with pytest.raises(ValueError, match="object identifier"):
        asn1.name(text)
