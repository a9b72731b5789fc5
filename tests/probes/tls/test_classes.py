"""Every way in which a certificate or a handshake can be bad has a reason of its own, and the certificate is read all the same."""

import socket
import ssl
import time
import warnings
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from probes.contract import Reason, Seen
from tests.probes.little import Handler, reset, serving, tls, wait_for_end
from tests.probes.look import LOOPS, Run, look
from tests.probes.tls.chains import CLIENT_ONLY, DAY, Pair, file, intermediate, make, root, server, stranger

GOOD = "good.example"


def good(**changes: Any) -> Pair:
    return make(GOOD, **({"by": root(), "names": [GOOD]} | changes))


def weak_key() -> Pair:
    return good(key=rsa.generate_private_key(65537, 1024))


def rooted(**changes: Any) -> dict[str, Any]:
    return {"ca": file(root()), **changes}


CERTIFICATES: list[tuple[str, Callable[[], list[Pair]], dict[str, Any], Reason, str]] = [
    # what the server shows                        its chain                                            keys      reason, words in the detail
    ("a good certificate", lambda: [good()], {}, Reason.OK, "by Tinh Root"),
    ("a good one through an intermediate", lambda: [good(by=intermediate()), intermediate()], {}, Reason.OK, "TLSv1.3"),
    ("the private authority is not configured", lambda: [good()], {"ca": None}, Reason.TLS_UNKNOWN_CA, "Tinh Root"),
    ("self-signed, verification off", lambda: [good(by=None)], {"verify": False}, Reason.OK, "not verified: self-signed"),
    ("self-signed", lambda: [good(by=None)], {}, Reason.TLS_SELF_SIGNED, "self-signed"),
    ("self-signed and named as its own authority", lambda: [SELF], {"ca": file}, Reason.OK, GOOD),
    ("expired", lambda: [good(starts=-9 * DAY, ends=-DAY)], {}, Reason.TLS_EXPIRED, "expired 1.0 days ago"),
    ("not yet valid", lambda: [good(starts=DAY)], {}, Reason.TLS_NOT_YET_VALID, "valid only in 1.0 days"),
    ("for another name", lambda: [good(names=["other.example"])], {}, Reason.TLS_NAME, "for other.example, not for"),
    ("a common name and no SAN", lambda: [good(names=[])], {}, Reason.TLS_NAME, "no name at all"),
    ("a wildcard one level up", lambda: [good(names=["*.good.example"])], {"server_name": "a.good.example"}, Reason.OK, ""),
    ("a wildcard for what is below it", lambda: [good(names=["*.good.example"])], {}, Reason.TLS_NAME, "*.good.example"),
    ("an unknown authority", lambda: [good(by=stranger())], {}, Reason.TLS_UNKNOWN_CA, "issued by Stranger Root"),
    ("an unknown authority that is sent along", lambda: [good(by=stranger()), stranger()], {}, Reason.TLS_UNKNOWN_CA, ""),
    ("the intermediate is missing", lambda: [good(by=intermediate())], {}, Reason.TLS_UNKNOWN_CA, "by Tinh Issuing"),
    ("a key of 1024 bits", lambda: [weak_key()], {}, Reason.TLS_WEAK, "RSA key of 1024 bits"),
    ("for clients only", lambda: [good(usage=CLIENT_ONLY)], {}, Reason.TLS_CERTIFICATE, "not valid for this use"),
    ("expired, for another name and self-signed", lambda: [good(by=None, names=["x"], starts=-9 * DAY, ends=-DAY)],
     {"verify": False}, Reason.OK, "expired 1.0 days ago; for x, not for good.example; self-signed"),
    ("the address in the certificate", lambda: [good(addresses=["127.0.0.1"])], {"host": "127.0.0.1"}, Reason.OK, ""),
    ("the address not in it", lambda: [good()], {"host": "127.0.0.1"}, Reason.TLS_NAME, "not for 127.0.0.1"),
    ("by address, with server_name", lambda: [good()], {"host": "127.0.0.1", "server_name": GOOD}, Reason.OK, ""),
]  # fmt: skip

SELF = make(GOOD, names=[GOOD])


@pytest.mark.parametrize(
    ("sentence", "chain", "keys", "reason", "words"), CERTIFICATES, ids=[c[0] for c in CERTIFICATES]
)
@LOOPS
def test_certificate(
    run: Run, sentence: str, chain: Callable[[], list[Pair]], keys: dict[str, Any], reason: Reason, words: str
) -> None:
    pairs = chain()
    keys = {"host": GOOD} | rooted() | keys
    keys["ca"] = keys["ca"](*pairs) if callable(keys["ca"]) else keys["ca"]
    with serving(tls(server(*pairs))) as port:
        outcome = run(look("tls", keys | {"port": port}))
    assert outcome.reason is reason, outcome
    assert words in outcome.detail
    # Whatever the verdict, the certificate was seen.
    ends = pairs[0].certificate.not_valid_after_utc.timestamp()
    assert outcome.facts["certificate_not_after"] == ends
    assert outcome.facts["certificate_days"] == pytest.approx((ends - time.time()) / 86400, abs=0.01)
    assert outcome.facts["chain_length"] == len(pairs)
    assert outcome.facts["key_bits"] in (256, 1024)
    assert outcome.facts["verified"] == (reason is Reason.OK and keys.get("verify", True))
    assert ("tls_version" in outcome.facts) == (reason is Reason.OK)
    assert {"connect", "tls"} <= outcome.phases.keys()


@pytest.mark.parametrize("days", [30, 14, 7, 1])
async def test_days_left_are_a_fact_and_no_failure(days: int) -> None:
    with serving(tls(server(good(ends=days * DAY)))) as port:
        outcome = await look("tls", {"host": GOOD, "port": port} | rooted())
    assert outcome.seen is Seen.OK
    assert outcome.facts["certificate_days"] == pytest.approx(days, abs=0.01)


async def test_the_earliest_end_of_the_verified_path_counts() -> None:
    short = make("Short", by=root(), authority=True, ends=3 * DAY)
    with serving(tls(server(good(by=short), short))) as port:
        outcome = await look("tls", {"host": GOOD, "port": port} | rooted())
    assert outcome.facts["certificate_days"] == pytest.approx(3, abs=0.01)


def limited(*, most: ssl.TLSVersion | None = None, ciphers: str | None = None, wants: bool = False) -> ssl.SSLContext:
    context = server(good())
    if most is not None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version = min(most, ssl.TLSVersion.TLSv1_2)
            context.maximum_version = most
    if ciphers is not None:
        context.set_ciphers(ciphers)
    if wants:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(file(root()))
    return context


def alert(number: int) -> Handler:
    def handler(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(bytes([21, 3, 3, 0, 2, 2, number]))
        wait_for_end(connection)

    return handler


def plain(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
    wait_for_end(connection)


def banner_first(connection: socket.socket) -> None:
    connection.sendall(b"220 mail.example ESMTP\r\n")
    wait_for_end(connection)


def end_at_once(connection: socket.socket) -> None:
    connection.recv(65536)


def reset_in_the_handshake(connection: socket.socket) -> None:
    connection.recv(65536)
    reset(connection)


V12, V13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
HANDSHAKES: list[tuple[str, Callable[[], Handler], dict[str, Any], Reason, str]] = [
    ("TLS 1.2 at most, 1.3 wanted", lambda: tls(limited(most=V12)), {"min_version": "1.3"}, Reason.TLS_VERSION, ""),
    ("TLS 1.1 at most", lambda: tls(limited(most=ssl.TLSVersion.TLSv1_1)), {}, Reason.TLS_VERSION, ""),
    ("no cipher in common", lambda: tls(limited(most=V12, ciphers="ECDHE-RSA-AES128-GCM-SHA256")), {},
     Reason.TLS_HANDSHAKE, "handshake_failure"),
    ("a client certificate is demanded, TLS 1.3", lambda: tls(limited(wants=True)), {}, Reason.TLS_CLIENT_CERT, "certificate_required"),
    ("a client certificate is demanded, TLS 1.2", lambda: tls(limited(most=V12, wants=True)), {}, Reason.TLS_CLIENT_CERT, ""),
    ("a client certificate is shown", lambda: tls(limited(wants=True)),
     {"cert": lambda: file(make("me", by=root()), key=True)}, Reason.OK, ""),
    ("a client certificate of a stranger", lambda: tls(limited(wants=True)),
     {"cert": lambda: file(make("me", by=stranger()), key=True)}, Reason.TLS_CLIENT_CERT, "unknown_ca"),
    ("plain HTTP on the port", lambda: plain, {}, Reason.TLS_PLAINTEXT, "not TLS"),
    ("a mail server that greets first", lambda: banner_first, {}, Reason.TLS_PLAINTEXT, "not TLS"),
    ("the fatal alert internal_error", lambda: alert(80), {}, Reason.TLS_ALERT, "internal_error"),
    ("the fatal alert access_denied", lambda: alert(49), {}, Reason.TLS_ALERT, "access_denied"),
    ("the fatal alert unrecognized_name", lambda: alert(112), {}, Reason.TLS_ALERT, "unrecognized_name"),
    ("the fatal alert protocol_version", lambda: alert(70), {}, Reason.TLS_VERSION, "protocol_version"),
    ("the end instead of an answer", lambda: end_at_once, {}, Reason.TLS_HANDSHAKE, "closed"),
    ("a reset instead of an answer", lambda: reset_in_the_handshake, {}, Reason.RESET, ""),
]  # fmt: skip


@pytest.mark.parametrize(("sentence", "handler", "keys", "reason", "words"), HANDSHAKES, ids=[c[0] for c in HANDSHAKES])
@LOOPS
def test_handshake(
    run: Run, sentence: str, handler: Callable[[], Handler], keys: dict[str, Any], reason: Reason, words: str
) -> None:
    keys = {key: value() if callable(value) else value for key, value in keys.items()}
    with serving(handler()) as port:
        outcome = run(look("tls", {"host": GOOD, "port": port} | rooted() | keys))
    assert outcome.reason is reason, outcome
    assert words in outcome.detail
    assert "tls" in outcome.phases


async def test_a_server_that_never_answers_is_a_timeout_in_the_handshake() -> None:
    with serving(wait_for_end) as port:
        outcome = await look("tls", {"host": GOOD, "port": port}, timeout=0.4)
    assert outcome.reason is Reason.TIMEOUT
    # The authorities are read within the time-out too: the handshake waits for what is left of it, more than for anything else.
    assert outcome.phases["tls"] > 10 * (outcome.phases["resolve"] + outcome.phases["connect"]), outcome.phases
    assert outcome.phases["tls"] < 0.5


@pytest.mark.parametrize(("version", "number"), [(V12, 1.2), (V13, 1.3)])
async def test_the_negotiated_version_is_a_number(version: ssl.TLSVersion, number: float) -> None:
    with serving(tls(limited(most=version))) as port:
        outcome = await look("tls", {"host": GOOD, "port": port} | rooted())
    assert outcome.facts["tls_version"] == number


async def test_an_old_device_may_be_watched_by_saying_so() -> None:
    with serving(tls(limited(most=ssl.TLSVersion.TLSv1))) as port:
        outcome = await look("tls", {"host": GOOD, "port": port, "min_version": "1.0"} | rooted())
    assert outcome.seen is Seen.OK, outcome
    assert outcome.facts["tls_version"] == 1.0


async def test_a_server_without_session_tickets_is_not_waited_for() -> None:
    context = server(good())
    context.num_tickets = 0
    with serving(tls(context)) as port:
        outcome = await look("tls", {"host": GOOD, "port": port} | rooted())
    assert outcome.seen is Seen.OK
    assert outcome.seconds < 0.4


async def test_a_chain_of_a_hundred_certificates_ends_in_time() -> None:
    extra = [make(f"Authority {number}", by=root(), authority=True) for number in range(100)]
    with serving(tls(server(good(), *extra))) as port:
        outcome = await look("tls", {"host": GOOD, "port": port} | rooted(), timeout=2)
    assert outcome.seen is Seen.OK, outcome
    assert outcome.facts["chain_length"] == 101


async def test_a_chain_beyond_every_measure_is_refused_in_time() -> None:
    extra = [make(f"Authority {number} " + "x" * 40, by=root(), authority=True) for number in range(300)]
    with serving(tls(server(good(), *extra))) as port:
        outcome = await look("tls", {"host": GOOD, "port": port} | rooted(), timeout=2)
    assert outcome.reason is Reason.TLS_HANDSHAKE, outcome


async def test_a_flood_after_the_handshake_does_not_hold_the_run() -> None:
    def flood(connection: socket.socket) -> None:
        while True:
            connection.sendall(b"x" * 16384)

    with serving(tls(server(good()), flood)) as port:
        outcome = await look("tls", {"host": GOOD, "port": port} | rooted(), timeout=2)
    assert outcome.seen is Seen.OK
    assert outcome.seconds < 1


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"ca": "/nonexistent/ca.pem"}, "tls.ca: /nonexistent/ca.pem"),
        ({"ca": "/etc/hostname"}, "tls.ca: /etc/hostname"),
        ({"cert": "/nonexistent/me.pem"}, "tls.cert: /nonexistent/me.pem"),
    ],
)
async def test_files_of_ours_that_cannot_be_used_are_our_fault(keys: dict[str, Any], words: str) -> None:
    with serving(tls(server(good()))) as port:
        outcome = await look("tls", {"host": GOOD, "port": port} | keys)
    assert (outcome.seen, outcome.reason) == (Seen.BLIND, Reason.OWN_CONFIG)
    assert words in outcome.detail


async def test_a_locked_key_is_an_error_and_no_question_at_the_terminal(tmp_path: Any) -> None:
    from cryptography.hazmat.primitives import serialization

    pair = good()
    locked = pair.key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"pw")
    )
    path = tmp_path / "locked.pem"
    path.write_bytes(pair.pem + locked)
    with serving(tls(server(good()))) as port:
        outcome = await look("tls", {"host": GOOD, "port": port, "cert": str(path)})
    assert outcome.reason is Reason.OWN_CONFIG


async def test_facts_do_not_outlive_their_certificate() -> None:
    """Two runs against two certificates: the cache is by content, the days by the clock."""
    seen = []
    for days in (5, 6):
        with serving(tls(server(good(ends=timedelta(days=days))))) as port:
            seen.append((await look("tls", {"host": GOOD, "port": port} | rooted())).facts["certificate_days"])
    assert seen == pytest.approx([5, 6], abs=0.01)
