"""Standard Webhooks: what we sign, any receiver's library accepts; what was changed on the way, it refuses."""

import base64
import hashlib
import hmac
import random
from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from monitor.notify import signature
from probes.secret import Secret

OLD = Secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
NEW = Secret("whsec_" + base64.b64encode(bytes(range(32))).decode())
BODY = '{"test": 2432232314, "tên": "Sở Khoa học"}'.encode()


def signed(*secrets: Secret, now: datetime | None = None, body: bytes = BODY) -> dict[str, str]:
    return signature.headers(secrets, message_id="msg_1", body=body, now=now or datetime.now(UTC))


def test_the_vector_of_the_specification():
    # https://github.com/standard-webhooks/standard-webhooks: the example of the libraries' own tests.
    made = signature.headers(
        [OLD],
        message_id="msg_p5jXN8AQM9LWM0D4loKWxJek",
        body=b'{"test": 2432232314}',
        now=datetime.fromtimestamp(1614265330, UTC),
    )
    assert made["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert made["webhook-timestamp"] == "1614265330"


def test_the_signature_is_hmac_over_id_timestamp_and_body():
    made = signed(NEW, now=datetime.fromtimestamp(1_700_000_000.9, UTC))
    expected = hmac.new(bytes(range(32)), b"msg_1.1700000000." + BODY, hashlib.sha256).digest()
    assert made["webhook-signature"] == "v1," + base64.b64encode(expected).decode()


def test_both_the_old_and_the_new_secret_verify_while_they_are_changed():
    made = signed(NEW, OLD)
    assert len(made["webhook-signature"].split(" ")) == 2
    for secret in (OLD, NEW):
        assert Webhook(secret.reveal()).verify(BODY, made)["test"] == 2432232314


def test_without_a_secret_there_is_an_id_and_a_time_but_no_signature():
    assert set(signed()) == {"webhook-id", "webhook-timestamp"}


@pytest.mark.parametrize("minutes", [-6, 6], ids=["too old", "too new"])
def test_a_replayed_request_is_refused_by_the_receivers_library(minutes):
    made = signed(OLD, now=datetime.now(UTC) + timedelta(minutes=minutes))
    with pytest.raises(WebhookVerificationError):
        Webhook(OLD.reveal()).verify(BODY, made)


def test_one_flipped_bit_anywhere_is_refused():
    chance = random.Random(7)
    made, receiver = signed(OLD), Webhook(OLD.reveal())
    for _ in range(2000):
        part = chance.choice(["webhook-id", "webhook-timestamp", "webhook-signature", "body"])
        headers, body = dict(made), bytearray(BODY)
        if part == "body":
            body[chance.randrange(len(body))] ^= 1 << chance.randrange(8)
        else:
            # The last letter of the signature's base64 holds two bits of padding that mean nothing.
            text = bytearray(headers[part].encode())
            text[chance.randrange(len(text) - 2)] ^= 1 << chance.randrange(7)
            headers[part] = text.decode("latin-1")
        with pytest.raises((WebhookVerificationError, ValueError)):
            receiver.verify(bytes(body), headers, json_parse=False)


REFUSED = [
    ("nothing in it", "", "empty"),
    ("only blanks", "  ", "empty"),
    ("nothing after the prefix", "whsec_", "bytes"),
    ("another prefix", "secret_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "must start with 'whsec_'"),
    ("no prefix", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "must start with 'whsec_'"),
    ("not base64", "whsec_đây không phải base64", "base64"),
    ("too short to be a secret", "whsec_c2hvcnQ=", "at least 24"),
]


@pytest.mark.parametrize(("text", "why"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_a_bad_secret_is_refused_without_being_shown(text, why):
    with pytest.raises(ValueError, match=why) as refused:
        signature.key(Secret(text))
    secret = text.strip().removeprefix("whsec_")
    assert not secret or secret not in str(refused.value)


def test_a_secret_without_its_padding_is_the_same_secret():
    padded = "whsec_" + base64.b64encode(bytes(range(31))).decode()
    assert padded.endswith("=")
    assert signature.key(Secret(padded.rstrip("="))) == signature.key(Secret(padded)) == bytes(range(31))
