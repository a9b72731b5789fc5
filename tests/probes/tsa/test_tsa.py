"""Time stamps asked of `openssl ts`: the good ones, and everything that is wrong with the others."""

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from probes import asn1
from probes.contract import Outcome, Reason, Seen
from probes.tsa_token import Question, reply, stamp
from tests.probes.look import LOOPS, Run, look
from tests.probes.tls.chains import CLIENT_ONLY, DAY, Pair, file, intermediate, make, root, server, stranger
from tests.probes.tsa.authority import REPLY, STAMPING, Authority, altered, signer
from tests.probes.web import Asked, answering, said


def ask(respond: Callable[[Asked], bytes], *, timeout: float = 8.0, **keys: Any) -> Any:
    async def story() -> Outcome:
        with answering(respond) as port:
            return await look("tsa", {"url": f"http://127.0.0.1:{port}/", **keys}, timeout=timeout)

    return story()


def whole() -> Authority:
    return Authority(signer(), (intermediate(), root()))


@LOOPS
def test_a_stamp_is_granted_and_verified(run: Run) -> None:
    seen = run(ask(whole(), ca=file(root())))
    assert (seen.seen, seen.detail) == (Seen.OK, "granted")
    facts = seen.facts
    assert facts["status"] == 200
    assert facts["pki_status"] == 0
    assert facts["signer_trusted"] == 1
    assert 89 < facts["signer_days"] < 90
    assert facts["accuracy"] == pytest.approx(1.5001)
    assert facts["clock_offset"] == 0
    assert facts["seconds"] < 5
    assert {"connect", "processing", "verify"} <= seen.phases.keys()


EC = make("EC TSA", by=root(), usage=STAMPING, critical=True)
P521 = make("P-521 TSA", by=root(), usage=STAMPING, critical=True, key=ec.generate_private_key(ec.SECP521R1()))

GOOD = [
    # what answers                                               the authority                                keys
    ("no ca: nothing to hold the signer against", Authority(signer(), (intermediate(),)), {}),
    ("the intermediate is the ca", Authority(signer()), {"ca": file(intermediate())}),
    ("ca holds the signer itself", Authority(signer()), {"ca": file(signer())}),
    ("ca holds the whole chain", Authority(signer()), {"ca": file(root(), intermediate())}),
    ("SHA-512 everywhere", Authority(signer(), digest="sha512", ess="sha512"), {"hash": "sha512"}),
    ("the certificate named by SHA-1, as before 2010", Authority(signer(), ess="sha1"), {}),
    ("a signer on P-256", Authority(EC, digest="sha384"), {"ca": file(root())}),
    ("a signer on P-521", Authority(P521, digest="sha512"), {"ca": file(root())}),
    ("no accuracy", Authority(signer(), accuracy=""), {}),
    ("the policy asked for", Authority(signer()), {"policy": "1.2.704.1.2"}),
]


@pytest.mark.parametrize(("sentence", "authority", "keys"), GOOD, ids=[case[0] for case in GOOD])
async def test_good_stamps(sentence: str, authority: Authority, keys: dict[str, Any]) -> None:
    seen = await ask(authority, **keys)
    assert seen.seen is Seen.OK, seen
    assert seen.facts["signer_trusted"] == float("ca" in keys)
    assert ("accuracy" in seen.facts) == bool(authority.accuracy)


def one(name: str, **how: Any) -> Authority:
    by: Pair = how.pop("by", root())
    return Authority(make(name, by=by, **{"usage": STAMPING, "critical": True, **how}))


def replaced(old: bytes, new: bytes) -> Callable[[bytes], bytes]:
    return lambda body: body.replace(old, new)


def another(authority: Authority, **change: Any) -> Callable[[Asked], bytes]:
    """Answers another question than the one that was asked."""

    def respond(asked: Asked) -> bytes:
        given = asn1.Fields(asn1.parse(asked.body))
        given.take()
        imprint = asn1.Fields(given.take())
        imprint.take()
        mine = {"digest": "sha256", "imprint": imprint.take().content, "nonce": asn1.integer(given.take())}
        return said(authority.reply(Question(**{**mine, **change}).encoded()), REPLY)

    return respond


def mute(asked: Asked) -> bytes:
    """Leaves the nonce out."""
    fields = list(asn1.parse(asked.body).items())
    return said(signed().reply(asn1.tlv(0x30, *(fields[at].encoded for at in (0, 1, 3)))), REPLY)


def bare(asked: Asked) -> bytes:
    """Leaves the certificate out."""
    fields = list(asn1.parse(asked.body).items())
    return said(signed().reply(asn1.tlv(0x30, *(fields[at].encoded for at in (0, 1, 2)))), REPLY)


def signed() -> Authority:
    return Authority(signer())


def last_bit(body: bytes) -> bytes:
    return body[:-1] + bytes((body[-1] ^ 1,))


def in_time(body: bytes, by: int) -> bytes:
    """Moves the stamp's year, which breaks the signature too."""
    at = body.index(b"\x18\x0f") + 2
    return body[:at] + str(int(body[at : at + 4]) + by).encode() + body[at + 4 :]


def status(number: int, *rest: bytes, after: bytes = b"") -> bytes:
    return said(asn1.tlv(0x30, asn1.tlv(0x30, asn1.number(number), *rest), after), REPLY)


FOREIGN = asn1.tlv(0x30, asn1.name("1.2.3"))


WORDS = asn1.tlv(0x30, asn1.tlv(0x0C, "hệ thống bận".encode()))
CA = {"ca": file(root())}

BAD = [
    # what answers                             how                                                keys  reason   words in the detail
    ("expired signer", one("Old TSA", starts=-9 * DAY, ends=-2 * DAY), CA, "tsa", "expired 2.0 days ago"),
    ("signer of tomorrow", one("Young TSA", starts=DAY), CA, "tsa", "valid only in 1.0 days"),
    ("signer of a stranger", one("Strange TSA", by=stranger()), CA, "tsa", "issued by Stranger Root"),
    ("an intermediate is missing", Authority(signer()), CA, "tsa", "issued by Tinh Issuing"),
    ("issued by a leaf", Authority(make("Leaf", by=signer(), usage=STAMPING, critical=True), (signer(), intermediate())), CA, "tsa", "no path"),
    ("SHA-384 is not stamped there", signed(), {"hash": "sha384"}, "tsa", "rejection, badAlg"),
    ("a policy that it does not know", signed(), {"policy": "1.2.3.4"}, "tsa", "unacceptedPolicy"),
    ("another imprint", another(signed(), imprint=b"1" * 32), {}, "tsa", "something else"),
    ("another nonce", another(signed(), nonce=7), {}, "tsa", "nonce is not ours"),
    ("no nonce", mute, {}, "tsa", "no nonce"),
    ("no certificate", bare, {}, "tsa", "certificate is not in the answer"),
    ("signature off by a bit", altered(signed(), last_bit), {}, "tsa", "does not verify"),
    ("time changed on the way", altered(signed(), lambda body: in_time(body, 1)), {}, "tsa", "not what is told"),
    ("system failure", lambda asked: status(2, WORDS, asn1.tlv(3, b"\x06\x00\x00\x00\x40")), {}, "tsa", "systemFailure, hệ thống bận"),
    ("waiting", lambda asked: status(3), {}, "tsa", "waiting"),
    ("a status nobody knows", lambda asked: status(77), {}, "tsa", "status 77"),
    ("granted, and no stamp", lambda asked: status(0), {}, "tsa", "holds no time stamp"),
    ("something else inside", lambda asked: status(0, after=FOREIGN), {}, "tsa", "not signed data"),
    ("403 to everyone", lambda asked: said(b"", status="403 Forbidden"), {}, "status", "status 403"),
    ("a page with 200", lambda asked: said(b"<html>", "text/html"), {}, "header", "text/html"),
    ("a page that says it is a stamp", lambda asked: said(b"<html>", REPLY), {}, "protocol", "not well-formed"),
    ("nothing", lambda asked: said(b"", REPLY), {}, "protocol", "cut off"),
    ("no HTTP at all", lambda asked: b"220 mail ready\r\n", {}, "protocol", "not HTTP"),
    ("100 MB are announced", lambda asked: said(b"0", REPLY, length=100_000_000), {}, "body_too_large", "100000000"),
    ("cut off in the middle", lambda asked: said(b"0" * 9, REPLY, length=99), {}, "truncated", "9 of 99"),
    ("the connection ends", lambda asked: b"", {}, "empty_reply", ""),
]  # fmt: skip


@pytest.mark.parametrize(("sentence", "respond", "keys", "reason", "words"), BAD, ids=[case[0] for case in BAD])
async def test_bad_stamps(
    sentence: str, respond: Callable[[Asked], bytes], keys: dict[str, Any], reason: str, words: str
) -> None:
    seen = await ask(respond, **keys)
    assert (seen.seen, seen.reason) == (Seen.FAILED, Reason(reason)), seen
    assert words in seen.detail


@pytest.mark.parametrize(("usage", "critical"), [(CLIENT_ONLY, True), (None, False), (STAMPING, False)])
async def test_a_certificate_for_something_else_does_not_stamp(usage: Any, critical: bool) -> None:
    """openssl will not sign with it: so the stamp is signed by a proper one of the same key, and names the other."""
    key = rsa.generate_private_key(65537, 2048)
    good = make("Odd TSA", by=root(), usage=STAMPING, critical=True, key=key)
    bad = make("Odd TSA", by=root(), usage=usage, critical=critical, key=key)
    from tests.probes.tsa.answers import restamped

    seen = await ask(lambda asked: said(restamped(Authority(good).reply(asked.body), bad), REPLY), ca=file(root()))
    assert seen.reason is Reason.TSA
    assert "not one for time stamps" in seen.detail


async def test_a_clock_that_is_wrong_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.probes import look as looking

    real = looking.now
    for shift, words in ((timedelta(minutes=10), "behind ours"), (timedelta(minutes=-10), "ahead of ours")):
        monkeypatch.setattr(looking, "now", lambda shift=shift: real() + shift)
        seen = await ask(signed())
        assert seen.reason is Reason.TSA
        assert words in seen.detail
        assert abs(seen.facts["clock_offset"]) == pytest.approx(600, abs=5)
        assert (await ask(signed(), max_offset="1h")).seen is Seen.OK


async def test_slow_is_not_down_and_silence_is() -> None:
    def slow(asked: Asked) -> bytes:
        time.sleep(1.0)
        return signed()(asked)

    seen = await ask(slow)
    assert seen.seen is Seen.OK
    assert seen.facts["seconds"] > 1.0
    seen = await ask(slow, timeout=0.5)
    assert (seen.seen, seen.reason) == (Seen.FAILED, Reason.TIMEOUT)
    assert seen.facts["seconds"] > 0.4


async def test_over_tls_and_by_family() -> None:
    context = server(make("good.example", by=root(), names=["good.example"]))
    with answering(signed(), context) as port:
        keys = {"url": f"https://good.example:{port}/tsa", "tls": {"ca": file(root())}, "ca": file(intermediate())}
        seen = await look("tsa", keys)
        assert seen.seen is Seen.OK, seen
        assert seen.facts["tls"] == 1
        assert seen.facts["verified"] == 1
        keys["url"] = f"https://127.0.0.1:{port}/tsa"
        assert (await look("tsa", keys)).reason is Reason.TLS_NAME
        assert (await look("tsa", keys | {"family": "ipv6"})).reason is Reason.DNS_NODATA


def loosely(data: bytes) -> bytes:
    """The same in BER, as some servers write it: no length where there is something inside, octet strings in two pieces."""
    written = b""
    for item in asn1.parse(asn1.tlv(0x30, data)).items():
        if item.tag & 0x20:
            inside = b"".join(loosely(inner.encoded) for inner in item.items())
            # What is signed stays in DER.
            written += (
                item.encoded
                if item.tag == 0x30 and len(item.content) < 9
                else bytes((item.tag, 0x80)) + inside + b"\0\0"
            )
        elif item.tag == asn1.OCTET_STRING and item.size > 60:
            half = item.size // 2
            pieces = asn1.tlv(4, item.content[:half]) + asn1.tlv(4, item.content[half:])
            written += b"\x24\x80" + pieces + b"\0\0"
        else:
            written += item.encoded
    return written


async def test_a_stamp_in_ber_is_as_good() -> None:
    """RFC 5652 §2: only what is signed has to be in DER. Lengths come back as they were, so the signature still verifies."""
    seen = await ask(altered(whole(), loosely), ca=file(root()))
    assert seen.seen is Seen.OK, seen


async def test_an_odd_certificate_sent_along_harms_nobody() -> None:
    """Some authorities send a root with every stamp that strict parsers refuse."""

    def odd(body: bytes) -> bytes:
        at = body.index(root().certificate.tbs_certificate_bytes) + 8
        return body[:at] + b"\x09" + body[at + 1 :]  # A version that there is not.

    seen = await ask(altered(whole(), odd), ca=file(root()))
    assert seen.seen is Seen.OK, seen


async def test_the_second_opinion_is_the_same() -> None:
    """rfc3161-client reads what it can read (one certificate in the answer) as we do."""
    import rfc3161_client as other

    question = Question(digest="sha256", imprint=b"7" * 32, nonce=1 << 63 | 5)
    mine = signed().reply(question.encoded())
    theirs = other.decode_timestamp_response(mine)
    seen = stamp(reply(mine).token, question, [intermediate().certificate])
    assert theirs.tst_info.gen_time == seen.time
    assert theirs.tst_info.nonce == question.nonce
    verifier = other.VerifierBuilder().add_root_certificate(root().certificate)
    verifier = verifier.add_intermediate_certificate(intermediate().certificate)
    assert verifier.build().verify(theirs, b"7" * 32)


@pytest.mark.parametrize("content", [None, b"no certificate"])
async def test_a_ca_that_cannot_be_read_is_our_own_fault(content: bytes | None, tmp_path: Any) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_bytes(content)
    seen = await ask(signed(), ca=str(path))
    assert (seen.seen, seen.reason) == (Seen.BLIND, Reason.OWN_CONFIG)
    assert str(path) in seen.detail


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"url": "ldap://tsa.example"}, "http:// or https://"),
        ({"url": "http://tsa.example", "hash": "md5"}, "sha256"),
        ({"url": "http://tsa.example", "policy": "viet-nam"}, "object identifier"),
        ({"url": "http://tsa.example", "max_offset": 5}, "unit of time"),
        ({"url": "http://user:word@tsa.example"}, "password does not stand in the file"),
    ],
)
async def test_refused_when_it_is_read(keys: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        await look("tsa", keys)
