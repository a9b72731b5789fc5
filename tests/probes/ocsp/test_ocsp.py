"""The state of a certificate asked of `openssl ocsp`: good, revoked, unknown, and everything that is wrong with an answer."""

import asyncio
import base64
import subprocess
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509 import ocsp

from probes.contract import Outcome, Reason, Seen
from tests.probes.look import LOOPS, Run, look
from tests.probes.ocsp.responder import (
    DAY,
    HOUR,
    REPLY,
    SIGNING,
    Responder,
    built,
    crl,
    delegate,
    fixed,
    fresh,
    leaf,
)
from tests.probes.tls.chains import CLIENT_ONLY, Pair, file, intermediate, make, root, server, stranger
from tests.probes.web import Asked, answering, said

CERT = {"cert": file(leaf()), "issuer": file(intermediate())}


def ask(respond: Callable[[Asked], bytes], *, timeout: float = 8.0, **keys: Any) -> Any:
    async def story() -> Outcome:
        with answering(respond) as port:
            here = f"http://127.0.0.1:{port}"
            given = {"url": f"{here}/ocsp", **CERT, **keys}
            if given.get("crl") == "here":
                given["crl"] = f"{here}/list.crl"
            return await look("ocsp", given, timeout=timeout)

    return story()


@LOOPS
def test_a_good_certificate(run: Run) -> None:
    seen = run(ask(Responder(delegate())))
    assert (seen.seen, seen.detail) == (Seen.OK, "good")
    facts = seen.facts
    assert facts["cert_status"] == 0
    assert 0 <= facts["update_age"] < 10
    assert 3580 < facts["update_left"] <= 3600
    assert 89 < facts["responder_days"] < 90
    assert facts["status"] == 200
    assert "verify" in seen.phases


REVOKED = ocsp.OCSPCertStatus.REVOKED
EC = make("EC OCSP", by=intermediate(), usage=SIGNING, key=ec.generate_private_key(ec.SECP384R1()))

GOOD: list[tuple[str, Callable[[Asked], bytes], dict[str, Any]]] = [
    ("the issuer answers itself", Responder(intermediate()), {}),
    ("a delegate on P-384", Responder(EC), {}),
    ("a delegate known by its key", Responder(delegate(), words=("-resp_key_id", "-nmin", "5")), {}),
    ("a nonce that comes back", Responder(delegate()), {"nonce": True}),
    ("a certificate named by SHA-256", Responder(delegate()), {"hash": "sha256"}),
    (
        "the issuer behind the certificate",
        Responder(delegate()),
        {"cert": file(leaf(), intermediate()), "issuer": None},
    ),
    ("the issuer among others", Responder(delegate()), {"issuer": file(root(), stranger(), intermediate())}),
    ("newer is always available", fresh(lambda: built(delegate(), left=None)), {}),
    ("signed over SHA-1, as old ones do", Responder(delegate(), words=("-nmin", "60", "-rmd", "sha1")), {}),
    ("five minutes ahead of us", fresh(lambda: built(delegate(), age=timedelta(minutes=-4))), {}),
    ("one known to be revoked, as expected", Responder(delegate(), "R"), {"expect": "revoked"}),
    ("one known to be unknown, as expected", Responder(delegate(), "-"), {"expect": "unknown"}),
]


@pytest.mark.parametrize(("sentence", "respond", "keys"), GOOD, ids=[case[0] for case in GOOD])
async def test_good_answers(sentence: str, respond: Callable[[Asked], bytes], keys: dict[str, Any]) -> None:
    seen = await ask(respond, **keys)
    assert seen.seen is Seen.OK, seen


def flipped(body: bytes) -> bytes:
    return body[:-1] + bytes((body[-1] ^ 1,))


def who(name: str, *, by: Pair | None = None, **how: Any) -> Pair:
    return make(name, by=by or intermediate(), **{"usage": SIGNING, **how})


def unannounced(asked: Asked) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/ocsp-response\r\n\r\n" + bytes(100_000)


TWIN = make("Tinh Issuing", by=root(), authority=True)
"""Of the same name as the issuer, with another key."""

BAD: list[tuple[str, Callable[[Asked], bytes], dict[str, Any], str, str]] = [
    # what answers                     how                                                           keys  reason, words in the detail
    ("revoked", Responder(delegate(), "R"), {}, "tls_revoked", "(superseded)"),
    ("revoked for its key", fresh(lambda: built(delegate(), state=REVOKED)), {}, "tls_revoked", "revoked 24.0 h ago (key compromise)"),
    ("unknown", Responder(delegate(), "-"), {}, "ocsp", "unknown"),
    ("good, where revoked is expected", Responder(delegate()), {"expect": "revoked"}, "ocsp", "good"),
    ("stale", fresh(lambda: built(delegate(), age=DAY, left=-3 * HOUR)), {}, "ocsp", "stale: it should have been renewed 3.0 h ago"),
    ("from the future", fresh(lambda: built(delegate(), age=-2 * HOUR, left=DAY)), {}, "ocsp", "2.0 h ahead of our clock"),
    ("an expired delegate", fresh(lambda: built(who("Old", starts=-9 * DAY, ends=-DAY))), {}, "ocsp", "Old is not valid: expired 1.0 days ago"),
    ("a delegate for something else", fresh(lambda: built(who("Web", usage=CLIENT_ONLY))), {}, "ocsp", "Web is not one for OCSP"),
    ("a delegate for nothing", fresh(lambda: built(who("Plain", usage=None))), {}, "ocsp", "not one for OCSP"),
    ("a delegate of another issuer", fresh(lambda: built(who("Strange", by=stranger()))), {}, "ocsp", "Strange is not put in charge"),
    ("a delegate of a twin of the issuer", fresh(lambda: built(who("Twin's", by=TWIN))), {}, "ocsp", "not put in charge"),
    ("the twin itself", fresh(lambda: built(TWIN, named=True)), {}, "ocsp", "does not verify"),
    ("the twin's key under the issuer's name", fresh(lambda: built(TWIN, named=True, bag=())), {}, "ocsp", "does not verify"),
    ("nobody's certificate in it", fresh(lambda: built(delegate(), bag=())), {}, "ocsp", "certificate is not in it"),
    ("about another certificate", fresh(lambda: built(delegate(), about=make("x", by=intermediate()))), {}, "ocsp", "another certificate"),
    ("about another issuer's", fresh(lambda: built(delegate(), issuer=root())), {}, "ocsp", "another certificate"),
    ("no nonce", fresh(lambda: built(delegate())), {"nonce": True}, "ocsp", "has no nonce"),
    ("another nonce", fresh(lambda: built(delegate(), nonce=b"1" * 16)), {"nonce": True}, "ocsp", "nonce is not ours"),
    ("try later", fixed(bytes.fromhex("30030a0103")), {}, "ocsp", "tryLater"),
    ("unauthorized", fixed(bytes.fromhex("30030a0106")), {}, "ocsp", "unauthorized"),
    ("a refusal nobody knows", fixed(bytes.fromhex("30030a0109")), {}, "ocsp", "status 9"),
    ("a success without words", fixed(bytes.fromhex("30030a0100")), {}, "protocol", "a value is missing"),
    ("a page", fixed(b"<html>", "text/html"), {}, "header", "text/html"),
    ("a page of no type", lambda asked: said(b"<html>"), {}, "header", "of no type"),
    ("a page that says it is an answer", fixed(b"<html>"), {}, "protocol", "not well-formed"),
    ("403", lambda asked: said(b"", status="403 Forbidden"), {}, "status", "403"),
    ("100 MB are announced", lambda asked: said(b"0", REPLY, length=100_000_000), {}, "body_too_large", "100000000"),
    ("100 KB come unannounced", unannounced, {}, "body_too_large", "65536"),
]  # fmt: skip


@pytest.mark.parametrize(("sentence", "respond", "keys", "reason", "words"), BAD, ids=[case[0] for case in BAD])
async def test_bad_answers(
    sentence: str, respond: Callable[[Asked], bytes], keys: dict[str, Any], reason: str, words: str
) -> None:
    seen = await ask(respond, **keys)
    assert (seen.seen, seen.reason) == (Seen.FAILED, Reason(reason)), seen
    assert words in seen.detail


async def test_every_bit_counts() -> None:
    """One bit flipped anywhere is never taken for a good answer that says something else."""
    body = built(delegate(), bag=(delegate(),))
    for at in range(0, len(body), 7):
        changed = body[:at] + bytes((body[at] ^ 1,)) + body[at + 1 :]
        seen = await ask(fixed(changed))
        assert seen.seen in (Seen.OK, Seen.FAILED), (at, seen)
        if seen.seen is Seen.OK:
            assert at > body.index(delegate().certificate.tbs_certificate_bytes[:60]), at


async def test_by_get_as_caches_like_it() -> None:
    asked: list[Asked] = []

    def respond(one: Asked) -> bytes:
        asked.append(one)
        request = base64.b64decode(unquote(one.target.removeprefix("/ocsp/")))
        return said(Responder(delegate()).reply(request), REPLY)

    seen = await ask(respond, method="GET")
    assert seen.seen is Seen.OK, seen
    assert asked[0].method == "GET"


async def test_of_the_real_one_on_a_port(tmp_path: Path) -> None:
    """`openssl ocsp -port` answers by itself."""
    with answering(lambda asked: b"") as port:
        pass  # A port that was free just now.
    command = [*Responder(delegate()).folder(tmp_path), "-port", str(port), "-nrequest", "2"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(50):
            seen = await look("ocsp", {"url": f"http://127.0.0.1:{port}/", **CERT})
            if seen.reason is not Reason.REFUSED:
                break
            time.sleep(0.05)
        assert seen.seen is Seen.OK, seen
    finally:
        process.terminate()
        process.wait(10)


async def test_slow_is_not_down_and_silence_is() -> None:
    def slow(asked: Asked) -> bytes:
        time.sleep(0.7)
        return Responder(delegate())(asked)

    seen = await ask(slow)
    assert seen.seen is Seen.OK
    assert seen.facts["seconds"] > 0.7
    assert (await ask(slow, timeout=0.3)).reason is Reason.TIMEOUT


# Revocation lists.


def both(body: bytes, **how: Any) -> Callable[[Asked], bytes]:
    """A responder beside a list."""
    good = built(delegate())

    def respond(asked: Asked) -> bytes:
        return said(body, "application/pkix-crl", **how) if asked.target.endswith(".crl") else said(good, REPLY)

    return respond


SERIAL = leaf().certificate.serial_number

LISTS: list[tuple[str, bytes | Callable[[], bytes], str, str]] = [
    ("nothing is revoked", lambda: crl(intermediate()), "ok", "good"),
    ("others are", lambda: crl(intermediate(), revoked=tuple(range(1, 60))), "ok", "good"),
    ("ours is", lambda: crl(intermediate(), revoked=(5, SERIAL, 7)), "tls_revoked", "on the CRL since"),
    ("stale", lambda: crl(intermediate(), age=2 * DAY, left=-HOUR), "ocsp", "the CRL is stale: it should have been renewed 1.0 h ago"),
    ("from the future", lambda: crl(intermediate(), age=-HOUR), "ocsp", "from the future"),
    ("another authority's", lambda: crl(root()), "ocsp", "another authority's"),
    ("signed by a twin", lambda: crl(TWIN), "ocsp", "the CRL: the signature does not verify"),
    ("off by a bit", lambda: flipped(crl(intermediate())), "ocsp", "does not verify"),
    ("something behind it", lambda: crl(intermediate()) + b"0", "protocol", "something follows"),
    ("cut off", lambda: crl(intermediate())[:-9], "protocol", "cut off"),
    ("in PEM", b"-----BEGIN X509 CRL-----\n", "protocol", "PEM where DER belongs"),
    ("a page", b"<html><body>Login</body></html>", "protocol", "the CRL is not well-formed"),
    ("nothing", b"", "protocol", "cut off"),
]  # fmt: skip


@pytest.mark.parametrize(("sentence", "body", "reason", "words"), LISTS, ids=[case[0] for case in LISTS])
async def test_lists(sentence: str, body: bytes | Callable[[], bytes], reason: str, words: str) -> None:
    body = body() if callable(body) else body  # Made now: a list grows old while other tests run.
    seen = await ask(both(body), crl="here")
    assert seen.reason is Reason(reason), seen
    assert words in seen.detail
    assert seen.facts["cert_status"] == 0
    if reason == "ok":
        assert 3600 <= seen.facts["crl_age"] < 3630
        assert seen.facts["crl_left"] == pytest.approx(86400, abs=30)
        assert seen.facts["crl_bytes"] == len(body)
        assert seen.facts["body_bytes"] < 3000, "of the responder"


async def test_a_list_alone_for_a_certificate_that_names_no_responder() -> None:
    seen = await ask(both(crl(intermediate())), crl="here", url=None)
    assert (seen.seen, seen.detail) == (Seen.OK, "on no list")
    assert "seconds" not in seen.facts
    assert seen.facts["crl_seconds"] > 0


async def test_a_list_of_megabytes_keeps_nobody_waiting() -> None:
    """Every 10 ms a neighbour wants its turn, and gets it within 50 ms."""
    large = big_list(12_000_000)
    gaps: list[float] = []

    async def neighbour() -> None:
        while True:
            before = time.perf_counter()
            await asyncio.sleep(0.01)
            gaps.append(time.perf_counter() - before)

    task = asyncio.ensure_future(neighbour())
    seen = await ask(both(large), crl="here", timeout=20)
    task.cancel()
    assert seen.seen is Seen.OK, seen
    assert seen.facts["crl_bytes"] == len(large)
    assert sorted(gaps)[-2] < 0.06, sorted(gaps)[-5:]
    seen = await ask(both(large), crl="here", max_body="1MiB")
    assert seen.reason is Reason.BODY_TOO_LARGE


def big_list(size: int) -> bytes:
    """A signed list of so many bytes, its entries written by hand: the builder would take a minute."""
    from probes import asn1

    small = asn1.parse(crl(intermediate(), revoked=(1,)))
    signed, identifier, _ = small.items()
    fields = [item.encoded for item in signed.items()]
    when = b"\x17\x0d260101000000Z"
    one = [asn1.tlv(0x30, asn1.number(1 << 150 | number), when) for number in range(4096)]
    block = b"".join(one)
    fields[5] = asn1.tlv(0x30, block * (size // len(block)))
    told = asn1.tlv(0x30, *fields)
    key = intermediate().key
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    signature = key.sign(told, ec.ECDSA(hashes.SHA256()))
    return asn1.tlv(0x30, told, identifier.encoded, asn1.tlv(3, b"\0", signature))


@pytest.mark.parametrize(
    "serial", [1, 5, 127, 128, 255, 256, SERIAL], ids=["1", "5", "127", "128", "255", "256", "a random one"]
)
def test_an_entry_is_found_where_cryptography_finds_it(serial: int) -> None:
    from probes.crl import head, listed

    others = (2, 3, 300, 70000, SERIAL ^ 1, 1 << 90, 0x0201_0117_0D)
    for revoked in (others, (*others[:3], serial, *others[3:])):
        data = crl(intermediate(), revoked=revoked)
        entries = head(data).entries
        assert entries is not None
        theirs = x509.load_der_x509_crl(data).get_revoked_certificate_by_serial_number(serial)
        assert listed(data, entries, serial) == (theirs.revocation_date_utc if theirs else None)


async def test_a_list_signed_by_rsa() -> None:
    key = rsa.generate_private_key(65537, 2048)
    authority = make("Other Issuing", by=root(), authority=True, key=key)
    below = make("leaf", by=authority)
    keys = {"crl": "here", "url": None, "cert": file(below), "issuer": file(authority)}
    assert (await ask(both(crl(authority, digest=hashes.SHA512())), **keys)).seen is Seen.OK


# Files and addresses.


def named(url: str, points: str) -> Pair:
    """A certificate that names its responder and its list."""
    from datetime import UTC, datetime

    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    point = x509.DistributionPoint([x509.UniformResourceIdentifier(each) for each in points.split()], None, None, None)
    access = x509.AccessDescription(x509.AuthorityInformationAccessOID.OCSP, x509.UniformResourceIdentifier(url))
    made = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "named")]))
        .issuer_name(intermediate().certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - DAY)
        .not_valid_after(now + DAY)
        .add_extension(x509.AuthorityInformationAccess([access]), critical=False)
        .add_extension(x509.CRLDistributionPoints([point]), critical=False)
        .sign(intermediate().key, hashes.SHA256())
    )
    return Pair(made, key)


async def test_the_certificate_says_where_to_ask() -> None:
    certificate: list[Pair] = []

    def respond(asked: Asked) -> bytes:
        if asked.target == "/tinh.crl":
            return said(crl(intermediate()))
        return said(built(delegate(), about=certificate[0]), REPLY)

    with answering(respond) as port:
        here = f"http://127.0.0.1:{port}"
        certificate.append(named(f"{here}/", f"ldap://ldap.example/cn=x {here}/tinh.crl"))
        keys = {"cert": file(certificate[0], intermediate()), "crl": True}
        seen = await look("ocsp", keys)
        assert seen.seen is Seen.OK, seen
        assert seen.facts["crl_left"] > 0


OURS = [
    ({"cert": file(leaf())}, "write issuer"),
    ({"issuer": file(stranger())}, "its issuer is not in issuer"),
    ({"issuer": file(TWIN)}, "its issuer is not in issuer"),
    ({"cert": "/nowhere/cert.pem"}, "No such file"),
    ({"url": None}, "names no responder"),
    ({"crl": True}, "names no list"),
    ({"cert": __file__}, "no certificate that can be read"),
]


@pytest.mark.parametrize(("keys", "words"), OURS, ids=[case[1] for case in OURS])
async def test_files_that_do_not_fit_are_our_own_fault(keys: dict[str, Any], words: str) -> None:
    given = {"url": "http://127.0.0.1:9/", **CERT, **keys}
    if words == "write issuer":
        given["issuer"] = None
    seen = await look("ocsp", given)
    assert (seen.seen, seen.reason) == (Seen.BLIND, Reason.OWN_CONFIG), seen
    assert words in seen.detail


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"crl": "ldap://ldap.example/cn=crl"}, "ldap://, are not read"),
        ({"url": "ocsp.example"}, "http:// or https://"),
        ({"nonce": True, "method": "GET"}, "cache"),
        ({"hash": "md5"}, "sha1"),
        ({"max_body": "1GiB"}, "67108864"),
    ],
)
async def test_refused_when_it_is_read(keys: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        await look("ocsp", {"url": "http://ocsp.example", **CERT, **keys})


async def test_over_tls() -> None:
    context = server(make("good.example", by=root(), names=["good.example"]))
    with answering(Responder(delegate()), context) as port:
        keys = {"url": f"https://good.example:{port}/", "tls": {"ca": file(root())}, **CERT}
        assert (await look("ocsp", keys)).seen is Seen.OK
