"""Reading certificates: names as the RFC matches them, ends as they are, and never an exception for what a target sends."""

import random
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from probes.certificates import Certificate, flaws, read
from probes.contract import Reason
from tests.probes.tls.chains import DAY, Pair, make, root


def seen(pair: Pair) -> Certificate:
    certificate = read(pair.certificate.public_bytes(Encoding.DER))
    assert certificate is not None
    return certificate


NAMES = [
    # the certificate names      the host                   does it fit
    (["a.example"],              "a.example",               True),
    (["a.example"],              "A.Example.",              True),
    (["A.example"],              "a.example",               True),
    (["a.example"],              "b.a.example",             False),
    (["*.a.example"],            "b.a.example",             True),
    (["*.a.example"],            "c.b.a.example",           False),
    (["*.a.example"],            "a.example",               False),
    (["*.example"],              "a.example",               False),
    (["*"],                      "example",                 False),
    (["b*.a.example"],           "bc.a.example",            False),
    (["xn--ninhbnh-3ya.example"], "ninhbình.example",       True),
    (["127.0.0.1"],              "127.0.0.1",               False),
    ([],                         "a.example",               False),
]  # fmt: skip


@pytest.mark.parametrize(("names", "host", "fits"), NAMES)
def test_names(names: list[str], host: str, fits: bool) -> None:
    assert seen(make("x", by=root(), names=names)).names_host(host) is fits


@pytest.mark.parametrize(
    ("addresses", "host", "fits"),
    [
        (["192.0.2.1"], "192.0.2.1", True),
        (["192.0.2.1"], "192.0.2.2", False),
        (["2001:db8::1"], "[2001:db8:0::1]", True),
        (["fe80::1"], "fe80::1%eth0", True),
    ],
)
def test_addresses(addresses: list[str], host: str, fits: bool) -> None:
    assert seen(make("x", by=root(), addresses=addresses)).names_host(host) is fits


def test_every_flaw_is_named() -> None:
    leaf = seen(make("x", names=["b.example"], starts=-9 * DAY, ends=-DAY))
    found = flaws([leaf, seen(root())], "a.example", datetime.now(UTC))
    assert [flaw.reason for flaw in found] == [
        Reason.TLS_EXPIRED,
        Reason.TLS_NAME,
        Reason.TLS_SELF_SIGNED,
        Reason.TLS_UNKNOWN_CA,
    ]


def test_a_sound_chain_has_none() -> None:
    leaf = seen(make("a.example", by=root(), names=["a.example"]))
    assert flaws([leaf, seen(root())], "a.example", datetime.now(UTC)) == []


def test_an_expired_authority_is_named_as_such() -> None:
    old = make("Old", by=root(), authority=True, starts=-9 * DAY, ends=timedelta(days=-2))
    leaf = make("a.example", by=old, names=["a.example"])
    found = flaws([seen(leaf), seen(old)], "a.example", datetime.now(UTC))
    assert [flaw.words for flaw in found] == ["expired 2.0 days ago (authority Old)"]


@pytest.mark.parametrize(
    ("algorithm", "bits", "digest", "self_signed", "weak"),
    [
        ("RSA", 1024, "sha256", False, "RSA key of 1024 bits"),
        ("RSA", 2048, "sha256", False, None),
        ("RSA", 2048, "sha1", False, "signed with SHA1"),
        ("RSA", 2048, "sha1", True, None),
        ("EC", 192, "sha256", False, "EC key of 192 bits"),
        ("EC", 256, "sha256", False, None),
        ("Ed25519", 256, None, False, None),
    ],
)
def test_strength(algorithm: str, bits: int, digest: str | None, self_signed: bool, weak: str | None) -> None:
    certificate = Certificate(
        subject="a",
        issuer="b",
        names=(),
        addresses=(),
        not_before=0.0,
        not_after=1.0,
        algorithm=algorithm,
        bits=bits,
        digest=digest,
        self_signed=self_signed,
    )
    assert certificate.weak == weak


def test_three_thousand_damaged_certificates_raise_nothing() -> None:
    chance = random.Random(37)
    whole = make("a.example", by=root(), names=["a.example"], addresses=["::1"]).certificate.public_bytes(Encoding.DER)
    readable = 0
    for _ in range(3000):
        damaged = bytearray(whole)
        for _ in range(chance.randint(1, 4)):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        certificate = read(bytes(damaged[: chance.choice([len(damaged)] * 9 + [chance.randrange(len(damaged))])]))
        if certificate is not None:
            readable += 1
            flaws([certificate], "a.example", datetime.now(UTC))
    assert 100 < readable < 3000
