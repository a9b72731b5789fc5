"""What may be written of an SNMP check, and what may not."""

from collections.abc import Mapping
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

import probes
from monitor.settings.build import condition
from probes import Secret
from probes.snmp import CIPHERS, DIGESTS, facts_of, typed
from probes.snmp_usm import CIPHERS as BUILT_CIPHERS
from probes.snmp_usm import DIGESTS as BUILT_DIGESTS

V2C: dict[str, Any] = {"host": "cpe", "community": Secret("c")}
AUTH = {"protocol": "SHA", "password": Secret("12345678")}
V3: dict[str, Any] = {"host": "cpe", "version": "3", "user": "u", "auth": AUTH}


def made(keys: Mapping[str, Any]) -> Any:
    kind: Any = probes.KINDS["snmp"].spec
    return TypeAdapter(kind).validate_python(dict(keys))


@pytest.mark.parametrize(
    ("written", "bits"),
    [("100Mbit", 100e6), ("1Gbit", 1e9), ("512 kbit", 512e3), (100, 100e6), (2.5, 2.5e6), ("10", 10e6), ("10Mbit/s", 10e6)],
)  # fmt: skip
def test_a_capacity_is_a_number_of_megabits_or_has_its_unit(written: object, bits: float) -> None:
    assert made({**V2C, "capacity": written}).capacity == bits


REFUSED = [
    ("a community is wanted", {"host": "cpe"}, "version 2c needs one"),
    ("a community is not of version 3", {**V3, "community": Secret("c")}, "community is of version"),
    ("a user is not of version 2c", {**V2C, "user": "u"}, "are of version"),
    ("version 3 wants a user", {"host": "cpe", "version": "3"}, "needs one"),
    ("what is encrypted is signed", {"host": "c", "version": "3", "user": "u", "priv": AUTH | {"protocol": "AES"}}, "signed"),
    ("a phrase has eight characters", {**V3, "auth": {"protocol": "SHA", "password": Secret("1234567")}}, "8 characters"),
    ("a phrase in clear is refused", {**V3, "auth": {"protocol": "SHA", "password": "12345678"}}, "instance of Secret"),
    ("a protocol is one of a few", {**V3, "auth": {"protocol": "SHA-3", "password": Secret("12345678")}}, "none of MD5"),
    ("version 1 is not spoken", {**V2C, "version": "1"}, "'2c' or '3'"),
    ("a capacity is more than nothing", {**V2C, "capacity": 0}, "not a capacity"),
    ("a capacity is no size", {**V2C, "capacity": "100MB"}, "not a capacity"),
    ("an interface has a name", {**V2C, "interfaces": [""]}, "neither the name"),
    ("an interface's number begins at 1", {**V2C, "interfaces": [0]}, "neither the name"),
    ("sixty-four interfaces are enough", {**V2C, "interfaces": list(range(1, 67))}, "at most 64"),
    ("an object identifier is numbers", {**V2C, "oids": {"x": "sysUpTime.0"}}, "not an object identifier"),
    ("an object identifier has 32-bit arcs", {**V2C, "oids": {"x": "1.3.4294967296"}}, "not an object identifier"),
    ("a fact has a name", {**V2C, "oids": {"Số phiên": "1.3.6.1"}}, "not a fact's name"),
    ("a fact's name is its own", {**V2C, "oids": {"in_utilisation": "1.3.6.1"}}, "has already"),
    ("a host is no URL", {**V2C, "host": "snmp://cpe"}, "not a host"),
]  # fmt: skip


@pytest.mark.parametrize(("sentence", "keys", "word"), REFUSED, ids=[case[0] for case in REFUSED])
def test_it_is_refused_when(sentence: str, keys: Mapping[str, Any], word: str) -> None:
    with pytest.raises(ValidationError, match=word):
        made(keys)


@pytest.mark.parametrize(
    ("written", "protocol"),
    [("sha", "SHA"), ("SHA1", "SHA"), ("sha256", "SHA-256"), ("md5", "MD5"), ("SHA_512", "SHA-512")],
)
def test_a_protocol_is_known_however_devices_write_it(written: str, protocol: str) -> None:
    assert made({**V3, "auth": {**AUTH, "protocol": written}}).auth.protocol == protocol


def test_every_protocol_that_may_be_written_is_spoken() -> None:
    assert set(DIGESTS) == set(BUILT_DIGESTS)
    assert {name.removesuffix("-C") for name in CIPHERS} == set(BUILT_CIPHERS)


def test_a_phrase_that_is_not_set_yet_is_no_mistake() -> None:
    assert made({**V3, "auth": {"protocol": "SHA", "password": Secret("")}}).auth.password == Secret("")


def test_own_facts_may_stand_in_a_condition() -> None:
    spec = made({**V2C, "oids": {"sessions": ".1.3.6.1.4.1.9.1"}})
    facts = {**probes.KINDS["snmp"].facts, **facts_of(spec)}
    assert condition("sessions > 20000", facts).value == 20000
    assert condition("in_bits_per_second > 80Mbit", facts).value == 80e6
    assert condition("out_utilisation > 90%", facts).value == pytest.approx(0.9)


@pytest.mark.parametrize(
    ("word", "keys"),
    [
        ("cpe", {"host": "cpe", "community": Secret("public")}),
        ("cpe:1161", {"host": "cpe", "port": 1161, "community": Secret("public")}),
        ("bi-mat@[2001:db8::1]:1161", {"host": "2001:db8::1", "port": 1161, "community": Secret("bi-mat")}),
    ],
)
def test_one_word_on_the_command_line_is_a_check(word: str, keys: Mapping[str, Any]) -> None:
    assert typed(word) == keys
    made(typed(word))
